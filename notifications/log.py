"""What became of letters, for pages and for the health check: reads only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from notifications.outbox import State
from notifications.storage import Database

_LETTERS = """
SELECT l.id, l.kind, l.recipient_id, l.subject_id, l.cause, l.to_addr, l.created_at, o.state,
    o.reason, o.attempts, o.uncertain_count, o.next_attempt_at, o.expires_at, o.accepted_at,
    o.finished_at, o.last_code, o.last_text
FROM letter l JOIN outbox o USING (id)
"""
_OF = f"""{_LETTERS}
WHERE ($1::uuid IS NULL OR l.subject_id = $1) AND ($2::uuid IS NULL OR l.recipient_id = $2)
  AND ($3::text[] IS NULL OR o.state = ANY($3))
ORDER BY l.created_at DESC, l.id LIMIT $4
"""
_LATEST = f"""
SELECT DISTINCT ON (recipient_id) * FROM ({_LETTERS}
    WHERE l.subject_id = $1 AND l.recipient_id IS NOT NULL
      AND ($2::text[] IS NULL OR l.kind = ANY($2))) AS found
ORDER BY recipient_id, created_at DESC, id
"""
_ATTEMPTS = """
SELECT started_at, ended_at, outcome, phase, code, enhanced, reply FROM mail_attempt
WHERE letter_id = $1 ORDER BY id
"""
_COUNTS = """
SELECT l.kind, o.state, count(*) AS count FROM letter l JOIN outbox o USING (id)
WHERE $1::uuid IS NULL OR l.subject_id = $1 GROUP BY l.kind, o.state
"""
_OLDEST_DUE = """
SELECT now() - min(next_attempt_at) FROM outbox
WHERE state = 'queued' AND next_attempt_at <= now() AND expires_at > now()
"""
_RELAY = """
SELECT reason, paused_until, consecutive_failures, last_ok_at, failing_since, alarmed_at, tried_at
FROM relay_state WHERE relay = $1
"""
_RESTING = """
SELECT reason FROM relay_state WHERE reason IS NOT NULL AND paused_until > now() ORDER BY reason
"""


@dataclass(frozen=True, slots=True)
class LoggedLetter:
    """A letter as the office sees it; `text_id` names the words for its state."""

    id: UUID
    kind: str
    recipient_id: UUID | None
    subject_id: UUID | None
    cause: Mapping[str, Any]
    to_addr: str | None
    created_at: datetime
    state: State
    reason: str | None
    attempts: int
    uncertain_count: int
    next_attempt_at: datetime
    expires_at: datetime
    accepted_at: datetime | None
    finished_at: datetime | None
    last_code: int | None
    last_text: str | None

    @property
    def text_id(self) -> str:
        """Return the text id of the state, such as `mail.state.sent`."""
        return f"mail.state.{self.state}"

    @property
    def reason_id(self) -> str | None:
        """Return the text id of the reason, such as `reason.relay_down`; None without one."""
        return f"reason.{self.reason}" if self.reason else None

    @property
    def needs_a_look(self) -> bool:
        """Tell whether a person of the office should act: it did not arrive, or nobody knows."""
        return self.state in {State.FAILED, State.DEAD, State.HELD}


@dataclass(frozen=True, slots=True)
class LoggedAttempt:
    """One try to hand a letter over, with the server's own words."""

    started_at: datetime
    ended_at: datetime | None
    outcome: str
    phase: str | None
    code: int | None
    enhanced: str | None
    reply: str | None


@dataclass(frozen=True, slots=True)
class RelayHealth:
    """How the relay does; `paused_until` may lie in the past, no `tried_at`: before the trial."""

    reason: str | None
    paused_until: datetime | None
    consecutive_failures: int
    last_ok_at: datetime | None
    failing_since: datetime | None = None
    alarmed_at: datetime | None = None
    tried_at: datetime | None = None


async def letters_of(
    database: Database,
    *,
    subject_id: UUID | None = None,
    recipient_id: UUID | None = None,
    states: Sequence[State] | None = None,
    limit: int = 200,
) -> list[LoggedLetter]:
    """Return letters about a subject, to a recipient or both, the newest first."""
    names = None if states is None else [str(state) for state in states]
    rows = await database.fetch(_OF, subject_id, recipient_id, names, limit)
    return [_logged(row) for row in rows]


async def latest_by_recipient(
    database: Database, subject_id: UUID, kinds: Sequence[str] | None = None
) -> dict[UUID, LoggedLetter]:
    """Return for each recipient of letters about the subject the newest one."""
    rows = await database.fetch(_LATEST, subject_id, None if kinds is None else list(kinds))
    return {row["recipient_id"]: _logged(row) for row in rows}


async def attempts_of(database: Database, letter_id: UUID) -> list[LoggedAttempt]:
    """Return the tries of a letter, the first one first."""
    return [LoggedAttempt(*row) for row in await database.fetch(_ATTEMPTS, letter_id)]


async def counts(
    database: Database, subject_id: UUID | None = None
) -> dict[tuple[str, State], int]:
    """Return how many letters there are by kind and state, about one subject or all."""
    rows = await database.fetch(_COUNTS, subject_id)
    return {(row["kind"], State(row["state"])): row["count"] for row in rows}


async def oldest_due_age(database: Database) -> timedelta | None:
    """Return for how long the oldest due letter has been waiting; None when none is due."""
    found: timedelta | None = await database.fetchval(_OLDEST_DUE)
    return found


async def relay_health(database: Database, relay: str) -> RelayHealth | None:
    """Return what is known of a relay (`host:port`); None before its first letter."""
    row = await database.fetchrow(_RELAY, relay)
    return None if row is None else RelayHealth(*row)


async def resting_relays(database: Database) -> list[str]:
    """Return why relays rest at the moment, one reason a relay."""
    return [row["reason"] for row in await database.fetch(_RESTING)]


def _logged(row: Any) -> LoggedLetter:
    values = {name: row[name] for name in LoggedLetter.__slots__}
    return LoggedLetter(**values | {"state": State(row["state"])})
