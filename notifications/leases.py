"""Claim, mark and finish letters: every statement compares with the database's own now().

A claim gives a lease and raises the fencing number; whoever holds an older number changes nothing
any more. A mark before DATA separates "nobody has it" from "somebody may have it".
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from notifications import crashing
from notifications.combining import ORDER_PREFIX
from notifications.hurrying import hurried
from notifications.pauses import CIRCUIT
from notifications.storage import Database

LEASE_SECONDS = hurried(120.0)
"""From claim to mark; what is not sent 60 s after the claim is given back long before."""

MARKED_SECONDS = hurried(900.0)
"""From mark to end: ten minutes for the final reply (RFC 5321 4.5.3.2.6), and some reserve."""

HOLD_SECONDS = hurried(900.0)
"""How long a letter whose delivery is unclear waits for proof before its one copy."""

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
        o.uncertain_count, o.letter_sha256, o.next_attempt_at
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

_MARK_STEPS = """
wanted AS (
    SELECT * FROM unnest($1::uuid[], $2::int[], $3::bytea[], $4::bytea[], $5::jsonb[],
        $6::timestamptz[], $7::text[], $8::text[])
    AS w (id, token, sha256, prototype_sha256, slot_values, dated_at, to_addr, to_name)
), marked AS (
    UPDATE outbox o SET data_started_at = now(), letter_sha256 = w.sha256,
        lease_until = now() + make_interval(secs => $9)
    FROM wanted w
    WHERE o.id = w.id AND o.lease_token = w.token AND o.state = 'sending'
      AND o.lease_until > now()
      AND (o.letter_sha256 IS NULL OR o.letter_sha256 = w.sha256)
    RETURNING o.id
), frozen AS (
    UPDATE letter l SET prototype_sha256 = w.prototype_sha256, slot_values = w.slot_values,
        dated_at = w.dated_at, to_addr = w.to_addr, to_name = w.to_name
    FROM wanted w JOIN marked m USING (id)
    WHERE l.id = w.id AND (l.dated_at, l.prototype_sha256, l.slot_values, l.to_addr, l.to_name)
        IS DISTINCT FROM (w.dated_at, w.prototype_sha256, w.slot_values, w.to_addr, w.to_name)
)
"""

# Ambiguous once: hold, at most half of the time left, then the same bytes again. Ambiguous twice:
# never a third copy. `once` is set for kinds that people ask for again themselves.
_UNCERTAIN_STATE = """CASE WHEN {once} THEN 'sent'
    WHEN o.uncertain_count >= 1 THEN 'dead' ELSE 'uncertain' END"""
_UNCERTAIN_REASON = "CASE WHEN {once} THEN 'assumed_sent' ELSE 'delivery_unclear' END"
_HELD_UNTIL = """now() + greatest(least(make_interval(secs => {hold}),
    (o.expires_at - now()) / 2), interval '0')"""

_END_STEPS = f"""
ended AS (
    SELECT * FROM unnest($10::uuid[], $11::int[], $12::text[], $13::text[], $14::float8[],
        $15::bool[], $16::bool[], $17::text[], $18::smallint[], $19::text[], $20::text[],
        $21::text[], $22::timestamptz[], $23::timestamptz[], $24::bool[], $25::float8[])
    AS w (id, token, state, reason, delay, counted, tried, phase, code, enhanced, reply,
        remote_id, started_at, data_started_at, once, hold)
), changed AS (
    UPDATE outbox o SET
        state = CASE WHEN w.state = 'uncertain'
            THEN {_UNCERTAIN_STATE.format(once="w.once")} ELSE w.state END,
        reason = CASE WHEN w.state = 'uncertain'
            THEN {_UNCERTAIN_REASON.format(once="w.once")} ELSE w.reason END,
        uncertain_count = o.uncertain_count + (w.state = 'uncertain')::int,
        attempts = o.attempts + w.counted::int,
        next_attempt_at = CASE WHEN w.state = 'uncertain' THEN {_HELD_UNTIL.format(hold="w.hold")}
            WHEN w.state = 'queued' THEN greatest(o.next_attempt_at,
                now() + make_interval(secs => w.delay)) ELSE o.next_attempt_at END,
        -- What was refused for certain is with nobody: the next try may be composed anew.
        letter_sha256 = CASE WHEN w.state = 'queued' AND o.uncertain_count = 0
            THEN NULL ELSE o.letter_sha256 END,
        data_started_at = CASE WHEN w.state IN ('sent', 'uncertain') THEN o.data_started_at END,
        lease_until = NULL,
        last_phase = CASE WHEN w.tried THEN w.phase ELSE o.last_phase END,
        last_code = CASE WHEN w.tried THEN w.code ELSE o.last_code END,
        last_enhanced = CASE WHEN w.tried THEN w.enhanced ELSE o.last_enhanced END,
        last_text = CASE WHEN w.tried THEN w.reply ELSE o.last_text END,
        remote_id = coalesce(w.remote_id, o.remote_id),
        accepted_at = CASE WHEN w.state = 'sent' THEN now() ELSE o.accepted_at END,
        finished_at = CASE WHEN w.state NOT IN ('queued', 'uncertain') THEN now() END
    FROM ended w
    WHERE o.id = w.id AND o.lease_token = w.token
      AND (o.state = 'sending' OR w.state = 'sent' AND o.state IN ('uncertain', 'queued', 'dead'))
    RETURNING o.id
), noted AS (
    INSERT INTO mail_attempt (letter_id, lease_token, worker, started_at, data_started_at,
        ended_at, outcome, reason, phase, code, enhanced, reply)
    SELECT w.id, w.token, $26, w.started_at, w.data_started_at, now(), w.state, w.reason, w.phase,
        w.code, w.enhanced, w.reply
    FROM ended w WHERE w.tried
)
"""

# Both in one statement and so in one commit: each waits for the disk, and one after the other they
# would halve the pace. No row may stand on both sides, one of its two changes would be lost.
_RECORD = f"""
WITH {_MARK_STEPS}, {_END_STEPS}
SELECT id, TRUE AS is_marked FROM marked UNION ALL SELECT id, FALSE FROM changed
"""

_REAP = (
    """
UPDATE outbox o SET state = 'queued', lease_until = NULL
WHERE o.state = 'sending' AND o.lease_until < now() AND o.data_started_at IS NULL
""",
    f"""
UPDATE outbox o SET
    state = {_UNCERTAIN_STATE.format(once="l.kind = ANY($1::text[])")},
    reason = {_UNCERTAIN_REASON.format(once="l.kind = ANY($1::text[])")},
    uncertain_count = o.uncertain_count + 1,
    next_attempt_at = {
        _HELD_UNTIL.format(
            hold=f"CASE WHEN l.kind = ANY($2::text[]) THEN 0 ELSE {HOLD_SECONDS} END"
        )
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
    state = CASE WHEN uncertain_count + attempts > 0 THEN 'dead' ELSE 'expired' END,
    reason = CASE WHEN uncertain_count > 0 THEN 'delivery_unclear'
        WHEN attempts > 0 THEN 'gave_up' ELSE 'expired' END
WHERE state = 'queued' AND expires_at <= now()
""",
    f"""
UPDATE outbox o SET finished_at = now(), state = 'dead', reason = 'gave_up'
WHERE o.state = 'queued' AND o.attempts >= {MANY_ATTEMPTS} AND o.uncertain_count = 0
  AND (SELECT min(started_at) FROM mail_attempt WHERE letter_id = o.id) < now() - {GIVE_UP_AFTER}
""",
    # The clock went back, or was wrong when the wait was computed.
    f"""
UPDATE outbox SET next_attempt_at = now() + {MAX_WAIT}
WHERE state = 'queued' AND attempts > 0 AND next_attempt_at > now() + {MAX_WAIT}
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
    letter_sha256: bytes | None
    prototype_sha256: bytes | None
    slot_values: dict[str, str]
    dated_at: datetime | None
    to_addr: str | None
    to_name: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """The proof of what is about to be sent, and all that is needed to make the same bytes."""

    id: UUID
    token: int
    sha256: bytes
    prototype_sha256: bytes
    slot_values: dict[str, str]
    dated_at: datetime
    to_addr: str
    to_name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How one claim ended; `tried` puts it on record as an attempt, `counted` burns one."""

    id: UUID
    token: int
    state: str
    reason: str | None = None
    delay: float = 0.0
    counted: bool = False
    tried: bool = False
    phase: str | None = None
    code: int | None = None
    enhanced: str | None = None
    reply: str | None = None
    remote_id: str | None = None
    started_at: datetime | None = None
    data_started_at: datetime | None = None
    once: bool = False
    hold: float = HOLD_SECONDS


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


_END_FIELDS = ("id", "token", "state", "reason", "delay", "counted", "tried", "phase", "code",
    "enhanced", "reply", "remote_id", "started_at", "data_started_at", "once", "hold")  # fmt: skip


async def record(
    database: Database, marks: Sequence[Mark], endings: Sequence[Ending], worker: str
) -> tuple[set[UUID], set[UUID]]:
    """Write what is about to leave and how claims ended; return those of each still ours.

    Before DATA a mark says that the letter may reach somebody. No letter may stand in both.
    """
    rows = await database.fetch(
        _RECORD,
        [mark.id for mark in marks],
        [mark.token for mark in marks],
        [mark.sha256 for mark in marks],
        [mark.prototype_sha256 for mark in marks],
        [json.dumps(mark.slot_values) for mark in marks],
        [mark.dated_at for mark in marks],
        [mark.to_addr for mark in marks],
        [mark.to_name for mark in marks],
        MARKED_SECONDS,
        *[[getattr(ending, name) for ending in endings] for name in _END_FIELDS],
        worker,
    )
    marked = {row["id"] for row in rows if row["is_marked"]}
    return marked, {row["id"] for row in rows if not row["is_marked"]}


async def reap(
    database: Database, once_kinds: Sequence[str] = (), urgent_kinds: Sequence[str] = ()
) -> None:
    """Requeue what lost its lease before the mark, hold what lost it after, expire the rest.

    Letters of `once_kinds` are never sent again, those of `urgent_kinds` are not held.
    """
    requeue, hold, *others = _REAP
    async with database.unit_of_work() as unit:
        await unit.connection.execute(requeue)
        crashing.pass_point("in_reap")
        await unit.connection.execute(hold, list(once_kinds), list(urgent_kinds))
        for statement in others:
            await unit.connection.execute(statement)


def _claimed(row: Any) -> Claimed:
    found = {name: row[name] for name in Claimed.__slots__}
    values = found["slot_values"]
    found["slot_values"] = json.loads(values) if isinstance(values, str) else values or {}
    return Claimed(**found)
