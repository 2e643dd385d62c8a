"""Count who would get how many letters, before anything leaves: send in a rehearsal and look."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from asyncpg import Connection

from service import noticing
from service.auditing import Actor
from service.database import Database
from service.domain.authority import EVERYTHING, Authority

MANY = 3
"""Above so many letters to one person within a day the office is asked once more."""

# Those of this very transaction; beside each how many leave to the person within a day, these in.
_POSTED = """
SELECT p.full_name AS name, l.kind, ARRAY(
        SELECT t.title FROM letter_about a JOIN meeting t ON t.id = a.subject_id
        WHERE a.letter_id = l.id ORDER BY t.starts_at NULLS LAST, t.id) AS titles, (
    SELECT count(*)::int FROM letter w JOIN outbox wo USING (id)
    WHERE w.recipient_id = l.recipient_id AND w.kind <> 'copy' AND wo.state = 'queued'
        AND wo.next_attempt_at <= $1::timestamptz + interval '1 day') AS within_a_day
FROM letter l
JOIN outbox o USING (id)
JOIN person p ON p.id = l.recipient_id
WHERE l.created_at = now() AND l.kind <> 'copy' AND o.state = 'queued'
ORDER BY p.sort_key, p.id, l.id
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreseen:
    """One letter that would leave: to whom, of which kind, about which sessions."""

    name: str
    kind: str
    titles: Sequence[str]
    within_a_day: int


@dataclass(frozen=True, slots=True)
class Tally:
    """All letters that would leave, by name."""

    letters: Sequence[Foreseen] = field(default_factory=tuple)

    @property
    def most(self) -> int:
        """How many letters one person gets at most within a day, those that wait counted in."""
        return max((one.within_a_day for one in self.letters), default=0)

    @property
    def is_many(self) -> bool:
        """Tell whether the office has to say once more that it means so many."""
        return self.most > MANY

    @property
    def kinds(self) -> Mapping[str, int]:
        """How many letters there are of each kind."""
        names = sorted({one.kind for one in self.letters})
        return {name: sum(one.kind == name for one in self.letters) for name in names}


NOTHING = Tally()


async def tally(
    database: Database,
    actor: Actor,
    notice_ids: Sequence[UUID],
    now: datetime,
    *,
    authority: Authority = EVERYTHING,
) -> Tally:
    """Tell which letters these notices would become now, without sending any."""
    async with database.rehearsal() as unit:
        return await tally_named(unit.connection, actor, notice_ids, now, authority=authority)


async def tally_named(
    connection: "Connection[Any]",
    actor: Actor,
    notice_ids: Sequence[UUID],
    now: datetime,
    *,
    authority: Authority = EVERYTHING,
) -> Tally:
    """Do so within a rehearsal that has put the notices down itself."""
    if not notice_ids:
        return NOTHING
    await noticing.send_named(connection, actor, notice_ids, now, authority=authority)
    rows = await connection.fetch(_POSTED, now)
    return Tally(tuple(Foreseen(**dict(row)) for row in rows))
