"""Let nothing wait longer because it was written while the database's clock was ahead.

A machine may boot hours ahead, and be set right once the network is there. Each lease, hold and
pause has a longest honest value; what lies further ahead comes from the wrong clock, and counts
from now. Whoever lives keeps its lease and its fencing number, and the dead lose theirs in time.
"""

from collections.abc import Sequence

from notifications.pauses import CIRCUIT, CIRCUIT_PAUSE
from notifications.recording import HELD_UNTIL, HOLD_SECONDS, MARKED_SECONDS
from notifications.slots import SLOT_SECONDS
from notifications.storage import Connection

# Each is the longest honest value and a minute, as they are without any haste of a test.
_SLOT = "interval '80 seconds'"
_MARKED = "interval '16 minutes'"
_HELD = "interval '16 minutes'"
# An hour, a fifth more by chance, and some reserve.
_REST = "interval '75 minutes'"
# An instant that has been cannot lie ahead.
_MARGIN = "interval '1 minute'"

_FREE_SLOTS = f"""
UPDATE relay_slot SET lease_until = now() + make_interval(secs => $1)
WHERE lease_until > now() + {_SLOT}
"""

_END_LEASES = f"""
UPDATE outbox SET lease_until = now() + make_interval(secs =>
    CASE WHEN data_started_at IS NULL THEN $1::float8 ELSE $2::float8 END)
WHERE state = 'sending' AND lease_until > now() + {_MARKED}
"""

_END_HOLDS = f"""
UPDATE outbox o SET next_attempt_at = {
    HELD_UNTIL.format(
        hold="CASE WHEN l.kind = ANY($1::text[]) THEN 0 ELSE $2::float8 END",
    )
}
FROM letter l
WHERE l.id = o.id AND o.state = 'uncertain' AND o.next_attempt_at > now() + {_HELD}
"""

_PAST = ("failing_since", "alarmed_at", "counted_from", "last_ok_at")
_WAS_AHEAD = f"greatest({', '.join(_PAST)}) > now() + {_MARGIN}"
# What failed while the clock was wrong is tried at once. Too many refusals are no matter of clocks:
# they have their hour, and no more.
_END_PAUSES = f"""
UPDATE relay_state SET
    paused_until = CASE WHEN paused_until IS NULL OR paused_until <= now() THEN paused_until
        WHEN reason = ANY($1::text[]) THEN least(paused_until, now() + make_interval(secs => $2))
        ELSE now() END,
    {", ".join(f"{name} = CASE WHEN {name} > now() THEN now() ELSE {name} END" for name in _PAST)}
WHERE paused_until > now() + {_REST} OR {_WAS_AHEAD}
"""


async def count_from_now(
    connection: Connection, lease_seconds: float, urgent_kinds: Sequence[str]
) -> None:
    """Cut back what lies too far ahead; letters of `urgent_kinds` are not held for proof."""
    await connection.execute(_FREE_SLOTS, SLOT_SECONDS)
    await connection.execute(_END_LEASES, lease_seconds, MARKED_SECONDS)
    await connection.execute(_END_HOLDS, list(urgent_kinds), HOLD_SECONDS)
    await connection.execute(_END_PAUSES, list(CIRCUIT), CIRCUIT_PAUSE)
