"""Wall time and zone are the truth of a meeting; the UTC instant is derived here and nowhere else.

A wall time can be missing (the hour that is skipped in spring) or stand for two instants (the
repeated hour in autumn). A form is told so; the clock's own rules have to go on and take the
later, or the first one.
"""

from datetime import UTC, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo


class Oddity(StrEnum):
    """Why a wall time does not name exactly one instant; the value is the message's text id."""

    GAP = "plan.err_gap"
    REPEATED = "plan.err_repeated"


def oddity(local: datetime, zone: str) -> Oddity | None:
    """Tell why this wall time is no single instant of the zone, or None when it is."""
    first = _attach(local, zone, fold=0)
    second = _attach(local, zone, fold=1)
    if first.utcoffset() == second.utcoffset():
        return None
    # Going forth and back keeps a time that exists; a time in the gap comes back as another.
    back = first.astimezone(UTC).astimezone(first.tzinfo).replace(tzinfo=None)
    return Oddity.REPEATED if back == local else Oddity.GAP


def to_utc(local: datetime, zone: str) -> datetime:
    """Return the instant of a wall time: one in the gap an hour later, a repeated one the first."""
    return _attach(local, zone, fold=0).astimezone(UTC)


def to_local(instant: datetime, zone: str) -> datetime:
    """Return the wall time, naive, that the zone's clocks show at this aware instant."""
    if instant.tzinfo is None:
        raise ValueError("an instant is aware")
    return instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0)


def later(instant: datetime, *, minutes: int) -> datetime:
    """Return the instant so many minutes of real time later (UTC arithmetic); minus is earlier."""
    return instant.astimezone(UTC) + timedelta(minutes=minutes)


def _attach(local: datetime, zone: str, *, fold: int) -> datetime:
    if local.tzinfo is not None:
        raise ValueError("a wall time is naive")
    return local.replace(tzinfo=ZoneInfo(zone), fold=fold)
