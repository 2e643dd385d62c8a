"""Shorten every wait by one factor, so that a test sees in seconds what takes minutes.

`TERMINBUCH_TESTS_HASTE=30` makes a lease of two minutes one of four seconds. All waits shrink
together, so what is longer than what stays as it is. Without it nothing changes.
"""

import os

VARIABLE = "TERMINBUCH_TESTS_HASTE"


def hurried(seconds: float, *, least: float = 0.0) -> float:
    """Return the seconds, divided by the haste of a test; in haste never below `least`."""
    haste = float(os.environ.get(VARIABLE) or 1)
    return seconds if haste <= 1 else max(seconds / haste, least)
