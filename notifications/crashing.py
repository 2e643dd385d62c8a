"""Named points at which a test lets the process die, as a power cut would.

`TERMINBUCH_TESTS_CRASH_AT=<point>[:n]` ends the process at the n-th pass (default the first).
Points: after_claim, after_rcpt (before the mark), after_mark (before DATA), after_dot (before the
reply is read), after_reply (before the end is written), after_end.
"""

import os
from collections import Counter

VARIABLE = "TERMINBUCH_TESTS_CRASH_AT"
EXIT_CODE = 9

_passes: Counter[str] = Counter()


def pass_point(point: str) -> None:
    """Do nothing, unless the environment asks for the end right here."""
    wanted = os.environ.get(VARIABLE)
    if not wanted:
        return
    name, _, count = wanted.partition(":")
    if name != point:
        return
    _passes[point] += 1
    if _passes[point] >= int(count or 1):
        os._exit(EXIT_CODE)
