"""When the weekly letter is due: Monday at eight, or the next working day."""

from datetime import date, datetime, time, timedelta

from service.domain import instants, working_days
from service.domain.working_days import IsHoliday

AT = time(8, 0)
LIFE = timedelta(days=2)
"""A weekly letter that could not leave for so long is no longer news."""

AHEAD = timedelta(weeks=4)
"""How far the weekly letter looks."""

MOST_OPEN = 12
"""Open answers that one letter asks for; whoever has more gets the rest next week."""


def due_on(now: datetime, zone: str, is_holiday: IsHoliday) -> date:
    """Return the day of this week's letter: Monday, or the first working day after it."""
    today = instants.to_local(now, zone).date()
    monday = today - timedelta(days=today.weekday())
    return working_days.at_or_after(monday, is_holiday)


def due_at(day: date, zone: str) -> datetime:
    """Return the instant at which the letter of this day is due."""
    return instants.to_utc(datetime.combine(day, AT), zone)


def week_of(day: date) -> str:
    """Name the ISO week, as the letter's key holds it: "2027-W01"."""
    return f"{day:%G-W%V}"
