"""Send one person once more what was sent last: the letter that got lost on its way.

Which kinds can leave depends on how the session stands; the guard of all letters has the last word
before anything is posted, so what is said to leave does leave.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from asyncpg import Connection, Record

from notifications import outbox
from notifications.outbox import State as Queue
from service import auditing, copying, judging, planning
from service.auditing import Actor
from service.database import Database
from service.domain.authority import EVERYTHING, Authority
from service.domain.errors import NotFoundError
from service.domain.words import State
from service.tables import letter_statements, overseeing_statements

# What carries the private link; a receipt or a reminder would not replace a lost invitation.
_LASTING = ("invitation", "date_confirmed", "change", "uncancellation")
KINDS: Mapping[str, Sequence[str]] = {
    # A nudge would not leave to somebody who has answered: then the letter before it does.
    State.CONFIRMED: (*_LASTING, "nudge"),
    State.TENTATIVE: ("change", "uncancellation"),
    State.POSTPONED: ("postponed", "uncancellation"),
    State.CANCELLED: ("cancellation",),
}
"""What can be sent again while a session stands so; nothing about drafts and what is over."""

_NEWS = frozenset({*_LASTING, "postponed", "cancellation"})
_OFF = frozenset({State.POSTPONED, State.CANCELLED})
_LIFE = timedelta(days=3)
# A cancellation is of use an hour into the session.
_LATEST_CANCELLATION = timedelta(hours=1)
ON_ITS_WAY = "on_its_way"


@dataclass(frozen=True, slots=True)
class Chance:
    """The kind that would leave; None with the reason (a code), "" where none was sent.

    `copy_to` is the address of a secretariat that had a copy of the first one and gets the next.
    """

    kind: str | None
    reason: str = ""
    copy_to: str | None = None


def fitting(state: str, told: Iterable[str], standing: Iterable[str]) -> list[str]:
    """Name the kinds that could leave while a session stands so, the newest first.

    `told` are all kinds that were posted to one person, the newest first, `standing` those that
    were not taken back. What fell out twice is told by its newest letter alone: an older one
    names a reason that is no more.
    """
    kinds = KINDS.get(state, ())
    if state in _OFF and next((one for one in standing if one in _NEWS), None) not in kinds:
        return []
    return [one for one in dict.fromkeys(told) if one in kinds]


def is_in_time(state: str, starts_at: datetime | None, now: datetime) -> bool:
    """Tell whether a letter about a session that stands so is of use at this instant."""
    return now < _expires(state, starts_at, now)


async def find_chance(
    database: Database, meeting_id: UUID, invitation_id: UUID, now: datetime
) -> Chance:
    """Tell what would leave to one person now, or why nothing can; nothing is posted."""
    async with database.unit_of_work() as unit:
        found = await unit.connection.fetchrow(letter_statements.STANDS, meeting_id)
        letters = await _letters(unit.connection, found, meeting_id, invitation_id, now)
        reason = ""
        for letter in letters:
            if letter["state"] in outbox.OPEN:
                return Chance(None, ON_ITS_WAY)
            # The next letter has an id of its own: it may not try an address in this one's place.
            why = await _refusal(unit.connection, letter["id"], meeting_id, now, {"id": None})
            if why is None:
                copy_to = await copying.find_reader(unit.connection, letter["id"])
                return Chance(letter["kind"], copy_to=copy_to)
            reason = reason or why
        return Chance(None, reason)


async def send_again(
    database: Database,
    actor: Actor,
    meeting_id: UUID,
    invitation_id: UUID,
    now: datetime,
    *,
    authority: Authority = EVERYTHING,
) -> bool:
    """Post the newest letter that holds again; False where there is none, or it still waits.

    A secretariat that had a copy of the first one gets one of this, too. The session is locked:
    two presses send one letter, and a move comes before or after it.
    """
    async with database.unit_of_work() as unit:
        connection = unit.connection
        row = await planning.lock(connection, meeting_id, authority)
        for letter in await _letters(connection, row, meeting_id, invitation_id, now):
            if letter["state"] in outbox.OPEN:
                return False
            expires_at = _expires(row["state"], row["starts_at"], now)
            if await _post_what_holds(connection, letter["id"], meeting_id, expires_at, now):
                await auditing.record(
                    *(connection, actor, "sent_again", "invitation", invitation_id),
                    kind=letter["kind"],
                )
                return True
        return False


async def follow_new_link(
    connection: "Connection[Any]", invitation_id: UUID, meeting_id: UUID, now: datetime
) -> bool:
    """Let the newest letter with the link leave again, now with the new one; False: none can.

    One that waits is written when it leaves and carries the new link already; one that is leaving,
    or has left perhaps and is to leave again, carries the old one: another follows it.
    """
    row = await connection.fetchrow(
        overseeing_statements.LAST_LETTER, invitation_id, meeting_id, list(_LASTING), now
    )
    if row is None or row["id"] is None or not row["can_get"]:
        return False
    unless = () if row["is_frozen"] else (Queue.QUEUED,)
    await outbox.repeat(
        connection, row["id"], row["starts_at"], unless=unless, subject_id=meeting_id
    )
    await copying.follow(connection)
    return True


async def _letters(
    connection: "Connection[Any]",
    meeting: Record | None,
    meeting_id: UUID,
    invitation_id: UUID,
    now: datetime,
) -> list[Record]:
    """Return the newest letter of each kind that could leave, the newest first."""
    found = await connection.fetch(letter_statements.TOLD, invitation_id, meeting_id)
    if meeting is None or not found:
        raise NotFoundError
    if not is_in_time(meeting["state"], meeting["starts_at"], now):
        return []
    told = [row for row in found if row["kind"] is not None]
    standing = (row["kind"] for row in told if row["state"] != Queue.CANCELLED)
    newest = {row["kind"]: row for row in reversed(told)}
    kinds = fitting(meeting["state"], (row["kind"] for row in told), standing)
    return [newest[kind] for kind in kinds]


async def _post_what_holds(
    connection: "Connection[Any]",
    letter_id: UUID,
    meeting_id: UUID,
    expires_at: datetime,
    now: datetime,
) -> bool:
    """Post it again and ask the guard about that very letter; what it refuses is not kept.

    Of a letter about several sessions only what it says of this one.
    """
    attempt = connection.transaction()
    await attempt.start()
    posted = await outbox.repeat(connection, letter_id, expires_at, subject_id=meeting_id)
    if posted is not None and await _refusal(connection, posted, meeting_id, now) is None:
        if await copying.find_reader(connection, letter_id) is not None:
            await copying.follow(connection)
        await attempt.commit()
        return True
    await attempt.rollback()
    return False


async def _refusal(
    connection: "Connection[Any]",
    letter_id: UUID,
    meeting_id: UUID,
    now: datetime,
    as_if: dict[str, Any] | None = None,
) -> str | None:
    """Return why the guard would stop or hold the letter, None when it lets it leave."""
    rows = await connection.fetch(letter_statements.LOOK_UP, [letter_id])
    [row] = [dict(row) | (as_if or {}) for row in rows if row["subject_id"] == meeting_id]
    return judging.judge(row, now) or judging.held_because(row)


def _expires(state: str, starts_at: datetime | None, now: datetime) -> datetime:
    if starts_at is None:
        return now + _LIFE
    return starts_at + _LATEST_CANCELLATION if state == State.CANCELLED else starts_at
