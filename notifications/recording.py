"""Write down what is about to leave and how claims ended, many letters in one statement.

A mark before DATA separates "nobody has it" from "somebody may have it". Whoever holds an older
fencing number than the row changes nothing any more; times are the database's own now().
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from notifications import arrays
from notifications.addresses import Verdict
from notifications.backoff import Phase
from notifications.hurrying import hurried
from notifications.storage import Fetching

MARKED_SECONDS = hurried(900.0)
"""From mark to end: ten minutes for the final reply (RFC 5321 4.5.3.2.6), and some reserve."""

HOLD_SECONDS = hurried(900.0)
"""How long a letter whose delivery is unclear waits for proof before its one copy."""

ACCEPTED_CODE = 250
REMOTE_LIMIT = 200
"""Characters that are kept of the server's name for a letter."""


# One array literal a column. As sub-selects they are unknown whenever the statement is planned, so
# that its one general plan is never thought dearer than a new one each time, which takes longer
# than the work itself.
_COLUMN = "(SELECT ${number}::text)::{kind}[]"
_BATCH = "SELECT * FROM unnest({columns}) AS w ({names})"


def _batch(first: int, kinds: Mapping[str, str]) -> str:
    """Write out how a batch is read: its columns' kinds are constants of this module."""
    numbered = enumerate(kinds.values(), first)
    columns = [_COLUMN.format(number=number, kind=kind) for number, kind in numbered]
    return _BATCH.format(columns=", ".join(columns), names=", ".join(kinds))


_MARK_COLUMNS = {"id": "uuid", "token": "int", "sha256": "bytea", "prototype_sha256": "bytea",
    "slot_values": "jsonb", "dated_at": "timestamptz", "to_addr": "text",
    "to_name": "text"}  # fmt: skip
_END_COLUMNS = {"id": "uuid", "token": "int", "state": "text", "reason": "text", "delay": "float8",
    "counted": "bool", "tried": "bool", "phase": "text", "code": "smallint", "enhanced": "text",
    "reply": "text", "started_at": "timestamptz",
    "data_started_at": "timestamptz", "once": "bool", "hold": "float8"}  # fmt: skip

_MARK_STEPS = f"""
wanted AS (
    {_batch(1, _MARK_COLUMNS)}
), marked AS (
    UPDATE outbox o SET data_started_at = now(), letter_sha256 = w.sha256,
        lease_until = now() + make_interval(secs => $9)
    FROM wanted w
    -- Written so that the index of all leased rows does not fit: it would be read as a whole.
    WHERE o.id = w.id AND o.lease_token = w.token AND o.state || '' = 'sending'
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
UNCERTAIN_STATE = """CASE WHEN {once} THEN 'sent'
    WHEN o.uncertain_count >= 1 THEN 'dead' ELSE 'uncertain' END"""
UNCERTAIN_REASON = "CASE WHEN {once} THEN 'assumed_sent' ELSE 'delivery_unclear' END"
HELD_UNTIL = """now() + greatest(least(make_interval(secs => {hold}),
    (o.expires_at - now()) / 2), interval '0')"""

_ENDED = _batch(10, _END_COLUMNS)
# Nearly all ends are acceptances, and those differ in few columns.
_ACCEPTED_COLUMNS = ("id", "token", "reply", "started_at", "data_started_at")
_ACCEPTED = f"""
    SELECT id, token, 'sent' AS state, NULL::text AS reason, 0.0 AS delay, TRUE AS counted,
        TRUE AS tried, '{Phase.DOT}' AS phase, {ACCEPTED_CODE}::smallint AS code,
        NULL::text AS enhanced, reply, started_at,
        data_started_at, FALSE AS once, 0.0 AS hold
    FROM ({_batch(10, {name: _END_COLUMNS[name] for name in _ACCEPTED_COLUMNS})}) AS w
"""

_END_STEPS = f"""
ended AS (
    {{ended}}
), changed AS (
    UPDATE outbox o SET
        state = CASE WHEN w.state = 'uncertain'
            THEN {UNCERTAIN_STATE.format(once="w.once")} ELSE w.state END,
        reason = CASE WHEN w.state = 'uncertain'
            THEN {UNCERTAIN_REASON.format(once="w.once")} ELSE w.reason END,
        uncertain_count = o.uncertain_count + (w.state = 'uncertain')::int,
        attempts = o.attempts + w.counted::int,
        unwritable_count = o.unwritable_count + (w.phase IS NOT DISTINCT FROM 'render')::int,
        next_attempt_at = CASE WHEN w.state = 'uncertain' THEN {HELD_UNTIL.format(hold="w.hold")}
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
        remote_id = CASE WHEN w.state = 'sent' THEN left(w.reply, {REMOTE_LIMIT})
            ELSE o.remote_id END,
        accepted_at = CASE WHEN w.state = 'sent' THEN now() ELSE o.accepted_at END,
        finished_at = CASE WHEN w.state NOT IN ('queued', 'uncertain') THEN now() END
    FROM ended w
    WHERE o.id = w.id AND o.lease_token = w.token
      AND (o.state = 'sending' OR w.state = 'sent' AND o.state IN ('uncertain', 'queued', 'dead'))
    RETURNING o.id
), noted AS (
    INSERT INTO mail_attempt (letter_id, lease_token, worker, started_at, data_started_at,
        ended_at, outcome, reason, phase, code, enhanced, reply)
    SELECT w.id, w.token, {{worker}}, w.started_at, w.data_started_at, now(), w.state, w.reason,
        w.phase, w.code, w.enhanced, w.reply
    FROM ended w WHERE w.tried
)
"""

# Both in one statement and so in one commit: each waits for the disk, and one after the other they
# would halve the pace. No row may stand on both sides, one of its two changes would be lost.
_RECORD = f"""
WITH {_MARK_STEPS}, {_END_STEPS}
SELECT id, TRUE AS is_marked FROM marked UNION ALL SELECT id, FALSE FROM changed
"""
_RECORD_ALL = _RECORD.format(ended=_ENDED, worker=f"${10 + len(_END_COLUMNS)}")
_RECORD_ACCEPTED = _RECORD.format(ended=_ACCEPTED, worker=f"${10 + len(_ACCEPTED_COLUMNS)}")


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


@dataclass(frozen=True, slots=True)
class Blame:
    """What a refusal says about an address; `status` is the server's code."""

    address: str
    verdict: Verdict
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How one claim ended; `tried` puts it on record as an attempt, `counted` burns one.

    `blame` goes on record in the same transaction.
    """

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
    started_at: datetime | None = None
    data_started_at: datetime | None = None
    once: bool = False
    hold: float = HOLD_SECONDS
    blame: Blame | None = None

    @property
    def is_acceptance(self) -> bool:
        """Tell whether the server took the letter over in the usual way."""
        return self.state == "sent" and self.code == ACCEPTED_CODE


async def record(
    database: Fetching, marks: Sequence[Mark], endings: Sequence[Ending], worker: str
) -> tuple[set[UUID], set[UUID]]:
    """Write what is about to leave and how claims ended; return those of each still ours.

    Before DATA a mark says that the letter may reach somebody. No letter may stand in both.
    """
    are_accepted = all(ending.is_acceptance for ending in endings)
    columns = _ACCEPTED_COLUMNS if are_accepted else tuple(_END_COLUMNS)
    rows = await database.fetch(
        _RECORD_ACCEPTED if are_accepted else _RECORD_ALL,
        *[arrays.write([getattr(mark, name) for mark in marks]) for name in _MARK_COLUMNS],
        MARKED_SECONDS,
        *[arrays.write([getattr(ending, name) for ending in endings]) for name in columns],
        worker,
    )
    marked = {row["id"] for row in rows if row["is_marked"]}
    return marked, {row["id"] for row in rows if not row["is_marked"]}
