"""When a relay rests, why, and when somebody has to be told: one row a relay, for all processes."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from notifications.backoff import FINAL, UNWELCOME
from notifications.storage import Connection, Database

ALARM_AFTER = "interval '10 minutes'"
"""A relay that is away for less mends itself; what is set up wrong is told at once."""

ALARM_EVERY = "interval '1 hour'"
RECENT = 50
"""Ended letters by which the circuit is judged."""

MANY_REFUSED, POLICY_REFUSED = "many_refused", "policy_refused"
CIRCUIT = (MANY_REFUSED, POLICY_REFUSED)
HARD_SHARE = 0.3
"""More final refusals than this say that the list or the sender is wrong, not some letters."""

UNWELCOME_IN_A_ROW = 5
CIRCUIT_PAUSE = 3600.0

# What the circuit says stays until its time is over: a relay that is away hides nothing.
_STAYS = "r.reason = ANY($5::text[]) AND r.paused_until > now()"
# The circuit's time is over, or nothing was tried for long: what fails now has only begun to fail.
_IS_PAST = f"""(r.reason = ANY($5::text[]) AND r.paused_until <= now()
    OR r.paused_until < now() - {ALARM_AFTER}) IS TRUE"""
_IS_DUE = f"""($4 OR NOT {_IS_PAST} AND r.failing_since < now() - {ALARM_AFTER})
    AND (r.alarmed_at IS NULL OR {_IS_PAST} OR r.alarmed_at < now() - {ALARM_EVERY})"""

_PAUSE = f"""
INSERT INTO relay_state AS r (relay, paused_until, reason, consecutive_failures, failing_since,
    alarmed_at, counted_from)
VALUES ($1, now() + make_interval(secs => $2), $3, 1, now(), CASE WHEN $4 THEN now() END,
    CASE WHEN $3 = ANY($5::text[]) THEN now() END)
ON CONFLICT (relay) DO UPDATE SET
    reason = CASE WHEN {_STAYS} THEN r.reason ELSE excluded.reason END,
    consecutive_failures = CASE WHEN {_IS_PAST} THEN 0 ELSE r.consecutive_failures END + 1,
    failing_since = CASE WHEN {_IS_PAST} THEN now() ELSE coalesce(r.failing_since, now()) END,
    paused_until = greatest(r.paused_until, excluded.paused_until),
    counted_from = coalesce(excluded.counted_from, r.counted_from),
    alarmed_at = CASE WHEN {_IS_DUE} THEN now() WHEN {_IS_PAST} THEN NULL ELSE r.alarmed_at END
RETURNING alarmed_at IS NOT DISTINCT FROM now()
"""

_OK = """
INSERT INTO relay_state AS r (relay, last_ok_at) VALUES ($1, now())
ON CONFLICT (relay) DO UPDATE SET last_ok_at = now(),
    consecutive_failures = CASE WHEN {stays} THEN r.consecutive_failures ELSE 0 END,
    failing_since = CASE WHEN {stays} THEN r.failing_since END,
    alarmed_at = CASE WHEN {stays} THEN r.alarmed_at END,
    paused_until = CASE WHEN {stays} THEN r.paused_until END,
    reason = CASE WHEN {stays} THEN r.reason END
""".format(stays=_STAYS.replace("$5", "$2"))

_RESUME = """
UPDATE relay_state SET paused_until = NULL, reason = NULL, consecutive_failures = 0,
    failing_since = NULL, alarmed_at = NULL, counted_from = now()
WHERE relay = $1 AND reason IS NOT NULL RETURNING relay
"""

# What was accepted at once was perhaps never unwelcome. Only a letter that was refused as such
# before, and is accepted now, shows that something has changed.
_CLOSE = """
UPDATE relay_state SET paused_until = NULL, reason = NULL, consecutive_failures = 0,
    failing_since = NULL, alarmed_at = NULL, counted_from = now()
WHERE relay = $1 AND reason = $2
  AND EXISTS (SELECT FROM mail_attempt a WHERE a.letter_id = $3 AND a.reason = ANY($4::text[]))
RETURNING relay
"""

# The newest tries of this relay first; those before the last pause of the circuit have had their
# say. Another relay may be busier, so the look goes back further than it counts.
_RECENT = """
SELECT coalesce(a.reason, a.outcome) FROM (
    SELECT * FROM mail_attempt ORDER BY id DESC LIMIT $2 * 20
) AS a
JOIN relay_worker w ON w.worker = a.worker AND w.relay = $1
WHERE a.outcome IN ('sent', 'failed') AND a.ended_at > coalesce(
    (SELECT counted_from FROM relay_state WHERE relay = $1), '-infinity')
ORDER BY a.id DESC LIMIT $2
"""

_NOTE_WORKER = """
INSERT INTO relay_worker (worker, relay) VALUES ($1, $2) ON CONFLICT (worker) DO NOTHING
"""
_FORGET_WORKERS = "DELETE FROM relay_worker WHERE began_at < $1"

_IS_TRIED = "SELECT tried_at IS NOT NULL FROM relay_state WHERE relay = $1"
_TRIED = """
INSERT INTO relay_state (relay, tried_at) VALUES ($1, now())
ON CONFLICT (relay) DO UPDATE SET tried_at = coalesce(relay_state.tried_at, now())
"""


async def pause(
    database: Database, relay: str, seconds: float, reason: str, *, alarm: bool = False
) -> bool:
    """Let nobody claim for this relay for a while; return whether somebody has to be told now.

    With `alarm` at once, else after ten minutes of failures; while they last never twice within an
    hour. A letter that was taken ends them.
    """
    return bool(await database.fetchval(_PAUSE, relay, seconds, reason, alarm, list(CIRCUIT)))


async def failures(database: Database, relay: str) -> int:
    """Return how often in a row the relay could not be used."""
    sql = "SELECT consecutive_failures FROM relay_state WHERE relay = $1"
    return await database.fetchval(sql, relay) or 0


async def note_ok(database: Database, relay: str) -> None:
    """Remember that the relay took a letter, and end any pause but that of the circuit."""
    await database.fetch(_OK, relay, list(CIRCUIT))


async def resume(connection: Connection, relay: str) -> bool:
    """Let letters leave again, whatever stopped them; False when nothing did."""
    return await connection.fetchval(_RESUME, relay) is not None


async def close_circuit(database: Database, relay: str, letter_id: UUID) -> bool:
    """End the pause of unwelcome letters if this one, accepted now, was unwelcome before.

    An accepted letter says nothing about a list of addresses that do not exist.
    """
    return bool(await database.fetch(_CLOSE, relay, POLICY_REFUSED, letter_id, list(UNWELCOME)))


async def recent(database: Database, relay: str) -> list[str]:
    """Return how the last letters ended, the newest first: sent, or why not."""
    return [row[0] for row in await database.fetch(_RECENT, relay, RECENT)]


async def note_worker(database: Database, worker: str, relay: str) -> None:
    """Remember to which relay a worker hands letters over: what it tries counts for that one."""
    await database.fetch(_NOTE_WORKER, worker, relay)


async def forget_workers(connection: Connection, before: datetime) -> None:
    """Forget workers that began before; none lives so long, nor do its attempts."""
    await connection.execute(_FORGET_WORKERS, before)


async def is_tried(database: Database, relay: str) -> bool:
    """Tell whether a letter to the office itself was accepted once."""
    return bool(await database.fetchval(_IS_TRIED, relay))


async def note_tried(database: Database, relay: str) -> None:
    """Remember that a letter to the office itself was accepted; crowds may follow."""
    await database.fetch(_TRIED, relay)


def judge_circuit(ended: Sequence[str]) -> str | None:
    """Return why the last letters, the newest first, forbid more of them; None when they do not.

    Among many refusals those that were most decide what it is called.
    """
    newest = ended[:UNWELCOME_IN_A_ROW]
    if len(newest) == UNWELCOME_IN_A_ROW and set(newest) <= set(UNWELCOME):
        return POLICY_REFUSED
    refused = [reason for reason in ended[:RECENT] if reason in FINAL]
    if len(refused) <= HARD_SHARE * RECENT:
        return None
    unwelcome = sum(reason in UNWELCOME for reason in refused)
    return POLICY_REFUSED if 2 * unwelcome > len(refused) else MANY_REFUSED


def rests(reason: str | None, paused_until: datetime | None, now: datetime) -> bool:
    """Tell whether letters stay where they are at the moment."""
    return reason is not None and paused_until is not None and paused_until > now
