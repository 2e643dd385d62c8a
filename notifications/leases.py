"""Claim letters and take back what the dead held, by the database's own now().

A claim gives a lease and raises the fencing number; whoever holds an older number changes nothing
any more.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from notifications import crashing, setting_right
from notifications.combining import ORDER_PREFIX
from notifications.hurrying import hurried
from notifications.pauses import CIRCUIT
from notifications.recording import HELD_UNTIL, HOLD_SECONDS, UNCERTAIN_REASON, UNCERTAIN_STATE
from notifications.storage import Database

LEASE_SECONDS = hurried(120.0)
"""From claim to mark; what is not sent 60 s after the claim is given back long before."""

GIVE_UP_AFTER = "interval '5 days'"
MANY_ATTEMPTS = 80
"""So many are at least three days of hourly tries: only then the first one is looked up."""

MAX_WAIT = "interval '2 hours'"

PRESSING = (0, 1)
"""Priorities of what is tried while the circuit is open: it is not looked for in a whole crowd."""

URGENT, ELDER_WAIT = 2, "interval '20 minutes'"
"""Letters of this priority or above (a move, a cancellation) wait no longer for an elder of theirs
whose delivery takes its time."""

# What lies before a letter of its order.
_GOES_FIRST = f"""elder.state IN ('queued', 'sending', 'uncertain')
                AND (elder.created_at, elder.id) < (o.created_at, o.id)
                AND (elder.state = 'queued' OR o.priority > {URGENT}
                    OR o.next_attempt_at > now() - {ELDER_WAIT})"""

# One scan a priority keeps letters of sign-in from waiting behind 5,000 invitations. The inner
# limit stops each scan early; rows of the same ordering key leave one after the other. As an array
# the few rows are looked up by their ids; a join reads the whole table, however long it has grown.
_CLAIM = """
WITH due AS MATERIALIZED (
    SELECT d.id FROM unnest('{{priorities}}'::smallint[]) AS p (priority)
    CROSS JOIN LATERAL (
        SELECT o.id FROM outbox o
        WHERE o.state = 'queued' AND o.priority = p.priority AND o.next_attempt_at <= now()
          AND o.expires_at > now()
          AND NOT EXISTS (SELECT FROM outbox elder
              WHERE elder.ordering_key = o.ordering_key
                AND {goes_first})
          -- A letter about several subjects keeps the order of each of them.
          AND NOT EXISTS (SELECT FROM letter_subject part JOIN outbox elder
              ON elder.id = part.letter_id
              WHERE part.ordering_key = o.ordering_key
                AND {goes_first})
          AND NOT (strpos(o.ordering_key, '{several}') > 0 AND EXISTS (
              SELECT FROM letter_subject part JOIN outbox elder
              ON elder.ordering_key = part.ordering_key
              WHERE part.letter_id = o.id
                AND {goes_first}))
          {kinds}
          AND (NOT $4 OR NOT EXISTS (SELECT FROM outbox busy
              WHERE busy.state IN ('sending', 'uncertain')
                AND busy.recipient_domain = o.recipient_domain AND busy.lease_owner <> $2
                AND busy.lease_until > now()))
        ORDER BY o.next_attempt_at LIMIT $1
        FOR UPDATE OF o SKIP LOCKED
    ) AS d
    WHERE {stands}
    LIMIT $1
), claimed AS (
    UPDATE outbox o SET state = 'sending', lease_owner = $2, lease_token = o.lease_token + 1,
        lease_until = now() + make_interval(secs => $5), data_started_at = NULL
    WHERE o.id = ANY(ARRAY(SELECT id FROM due))
    RETURNING o.id, o.lease_token, o.priority, o.recipient_domain, o.attempts,
        o.uncertain_count, o.unwritable_count, o.letter_sha256, o.next_attempt_at
)
SELECT claimed.*, l.kind, l.recipient_id, l.subject_id, l.subject_rev, l.locale, l.to_addr,
    l.to_name, l.prototype_sha256, l.slot_values, l.dated_at
FROM claimed JOIN letter l USING (id)
ORDER BY claimed.priority, claimed.next_attempt_at
"""

# Before the trial of an installation only a few kinds leave; a statement of its own for that time
# keeps the other one's plan as it is.
_CLAIM = _CLAIM.replace("{goes_first}", _GOES_FIRST).replace("{several}", ORDER_PREFIX)
_STANDS = "NOT EXISTS (SELECT FROM relay_state WHERE relay = $3 AND paused_until > now())"
_OF_KINDS = "AND EXISTS (SELECT FROM letter w WHERE w.id = o.id AND w.kind = ANY($6::text[]))"
_CLAIM_USUAL = _CLAIM.replace("{stands}", _STANDS).replace("{priorities}", "0,1,2,3,4,5,6,7,8,9")
_CLAIM_ALL = _CLAIM_USUAL.replace("{kinds}", "")
_CLAIM_SOME = _CLAIM_USUAL.replace("{kinds}", _OF_KINDS)

# The other way round: while nothing else leaves because too much was refused.
_IS_OPEN = """EXISTS (SELECT FROM relay_state
        WHERE relay = $3 AND paused_until > now() AND reason = ANY($7::text[]))"""
_CLAIM_TRIAL = (
    _CLAIM.replace("{stands}", _IS_OPEN)
    .replace("{kinds}", _OF_KINDS)
    .replace("{priorities}", ",".join(map(str, PRESSING)))
)


_REAP = (
    """
UPDATE outbox o SET state = 'queued', lease_until = NULL
WHERE o.state = 'sending' AND o.lease_until < now() AND o.data_started_at IS NULL
""",
    f"""
UPDATE outbox o SET
    state = {UNCERTAIN_STATE.format(once="l.kind = ANY($1::text[])")},
    reason = {UNCERTAIN_REASON.format(once="l.kind = ANY($1::text[])")},
    uncertain_count = o.uncertain_count + 1,
    next_attempt_at = {
        HELD_UNTIL.format(hold=f"CASE WHEN l.kind = ANY($2::text[]) THEN 0 ELSE {HOLD_SECONDS} END")
    },
    finished_at = CASE WHEN o.uncertain_count >= 1 OR l.kind = ANY($1::text[]) THEN now() END
FROM letter l
WHERE l.id = o.id AND o.state = 'sending' AND o.lease_until < now()
  AND o.data_started_at IS NOT NULL
""",
    """
UPDATE outbox SET state = 'queued', data_started_at = NULL
WHERE state = 'uncertain' AND next_attempt_at <= now()
""",
    """
UPDATE outbox SET finished_at = now(),
    state = CASE WHEN uncertain_count + attempts + unwritable_count > 0 THEN 'dead'
        ELSE 'expired' END,
    reason = CASE WHEN uncertain_count > 0 THEN 'delivery_unclear'
        WHEN attempts > 0 THEN 'gave_up' WHEN unwritable_count > 0 THEN 'unwritable'
        ELSE 'expired' END
WHERE state = 'queued' AND expires_at <= now()
""",
    f"""
UPDATE outbox o SET finished_at = now(), state = 'dead', reason = 'gave_up'
WHERE o.state = 'queued' AND o.attempts >= {MANY_ATTEMPTS} AND o.uncertain_count = 0
  AND (SELECT min(started_at) FROM mail_attempt WHERE letter_id = o.id) < now() - {GIVE_UP_AFTER}
""",
    # The clock went back, or was wrong when the wait was computed. What was to leave at once when
    # it was posted, by the clock of that time, leaves at once; what was meant to wait waits.
    f"""
UPDATE outbox SET next_attempt_at =
    CASE WHEN attempts + unwritable_count > 0 THEN now() + {MAX_WAIT} ELSE now() END
WHERE state = 'queued' AND next_attempt_at > now() + {MAX_WAIT}
  AND (attempts + unwritable_count > 0 OR next_attempt_at <= created_at + interval '1 minute')
""",
)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A letter that is ours until its lease ends; the last five are set once it was marked."""

    id: UUID
    lease_token: int
    kind: str
    recipient_id: UUID | None
    subject_id: UUID | None
    subject_rev: int
    locale: str
    recipient_domain: str
    attempts: int
    uncertain_count: int
    unwritable_count: int
    letter_sha256: bytes | None
    prototype_sha256: bytes | None
    slot_values: dict[str, str]
    dated_at: datetime | None
    to_addr: str | None
    to_name: str | None


async def claim(
    database: Database,
    limit: int,
    owner: str,
    relay: str,
    *,
    paced: bool,
    kinds: Sequence[str] | None = None,
) -> list[Claimed]:
    """Take at most so many due letters; none while the relay is paused.

    With `paced`, domains that another worker is writing to are left to it. With `kinds`, letters
    of other kinds wait.
    """
    values = (limit, owner, relay, paced, LEASE_SECONDS)
    if kinds is None:
        rows = await database.fetch(_CLAIM_ALL, *values)
    else:
        rows = await database.fetch(_CLAIM_SOME, *values, list(kinds))
    return [_claimed(row) for row in rows]


async def claim_trial(
    database: Database, owner: str, relay: str, kinds: Sequence[str]
) -> list[Claimed]:
    """Take one due letter of these kinds, but only while the circuit of the relay is open.

    Its priority is one of `PRESSING`.
    """
    # Nobody else is writing to its domain then.
    values = (1, owner, relay, False, LEASE_SECONDS, list(kinds), list(CIRCUIT))
    return [_claimed(row) for row in await database.fetch(_CLAIM_TRIAL, *values)]


async def reap(
    database: Database, once_kinds: Sequence[str] = (), urgent_kinds: Sequence[str] = ()
) -> None:
    """Requeue what lost its lease before the mark, hold what lost it after, expire the rest.

    Letters of `once_kinds` are never sent again, those of `urgent_kinds` are not held. What was
    written while the clock was ahead counts from now.
    """
    requeue, hold, *others = _REAP
    async with database.unit_of_work() as unit:
        await unit.connection.execute(requeue)
        crashing.pass_point("in_reap")
        await unit.connection.execute(hold, list(once_kinds), list(urgent_kinds))
        for statement in others:
            await unit.connection.execute(statement)
        await setting_right.count_from_now(unit.connection, LEASE_SECONDS, urgent_kinds)


def _claimed(row: Any) -> Claimed:
    found = {name: row[name] for name in Claimed.__slots__}
    values = found["slot_values"]
    found["slot_values"] = json.loads(values) if isinstance(values, str) else values or {}
    return Claimed(**found)
