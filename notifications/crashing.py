"""Named points at which a test lets the process die, as a power cut would.

`TERMINBUCH_TESTS_CRASH_AT=<point>[:n]` ends the process at the n-th pass (default the first). The
points, in the order in which a letter meets them: `POINTS`.
"""

import os
from collections import Counter
from collections.abc import Callable

VARIABLE = "TERMINBUCH_TESTS_CRASH_AT"
EXIT_CODE = 9

POINTS = {
    "in_posting": "letters are written, their transaction is not committed",
    "before_wake": "letters are committed, the postman has not heard of it",
    "before_claim": "the postman looks for what is due",
    "after_claim": "letters are leased",
    "before_render": "a letter is about to be written",
    "after_render": "its bytes exist",
    "after_connect": "the mail server has let us in",
    "after_mail": "it has answered to MAIL",
    "after_rcpt": "it has answered to RCPT; the mark is not written",
    "after_mark": "the mark is written; nothing was sent",
    "mid_data": "half of the letter was sent",
    "after_dot": "all of it was sent, the reply is not read",
    "after_reply": "the reply is read, the end is not written",
    "in_retry": "a refusal is read, the next try is not written",
    "in_refusal": "an end is written, what it says of an address is not; neither is committed",
    "after_end": "ends are written",
    "in_reap": "leases of the dead are being taken back",
    "in_drain": "the process was asked to stop, letters are in flight",
}
"""Every point, and what is true there."""

# Every letter passes nine points, so the environment is read once, when the process starts.
_point, _, _count = os.environ.get(VARIABLE, "").partition(":")
_passes: Counter[str] = Counter()


def pass_point(point: str, last_act: Callable[[], object] | None = None) -> None:
    """Do nothing, unless the environment asks for the end right here, after a last act."""
    if point != _point:
        return
    _passes[point] += 1
    if _passes[point] >= int(_count or 1):
        if last_act is not None:
            last_act()
        os._exit(EXIT_CODE)
