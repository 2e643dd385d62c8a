"""Count back in working days: Monday to Friday, public holidays left out."""

from collections.abc import Callable
from datetime import date, timedelta

IsHoliday = Callable[[date], bool]
"""Tells whether a day is a public holiday where the office is."""

_DAY = timedelta(days=1)
_SATURDAY = 5
# No state has a month without a working day; a faulty table must not hang the clock.
_LONGEST_BREAK_DAYS = 60


def is_working_day(day: date, is_holiday: IsHoliday) -> bool:
    """Tell whether offices work on this day."""
    return day.weekday() < _SATURDAY and not is_holiday(day)


def at_or_before(day: date, is_holiday: IsHoliday) -> date:
    """Return the day itself when it is a working day, else the nearest one before it."""
    return _seek(day, -_DAY, is_holiday)


def at_or_after(day: date, is_holiday: IsHoliday) -> date:
    """Return the day itself when it is a working day, else the nearest one after it."""
    return _seek(day, _DAY, is_holiday)


def first_within(first: date, last: date, is_holiday: IsHoliday) -> date:
    """Return the first working day from `first` to `last`, or `first` where there is none."""
    day = at_or_after(first, is_holiday)
    return day if day <= last else first


def before(day: date, count: int, is_holiday: IsHoliday) -> date:
    """Return the `count`-th working day before the day; the day itself is never counted."""
    for _ in range(count):
        day = at_or_before(day - _DAY, is_holiday)
    return day


def after(day: date, count: int, is_holiday: IsHoliday) -> date:
    """Return the `count`-th working day after the day; the day itself is never counted."""
    for _ in range(count):
        day = at_or_after(day + _DAY, is_holiday)
    return day


def weeks_before(day: date, weeks: int, is_holiday: IsHoliday) -> date:
    """Return the same weekday whole calendar weeks earlier, or the working day before that."""
    return at_or_before(day - timedelta(weeks=weeks), is_holiday)


def _seek(day: date, step: timedelta, is_holiday: IsHoliday) -> date:
    for _ in range(_LONGEST_BREAK_DAYS):
        if is_working_day(day, is_holiday):
            return day
        day += step
    return day
