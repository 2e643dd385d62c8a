"""When the weekly letter is due: Monday at eight, or the next working day."""

from datetime import date, datetime, time, timedelta

from service.domain import instants, reminders, working_days
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


def is_time(now: datetime, zone: str, is_holiday: IsHoliday) -> bool:
    """Tell whether this week's letter may leave now: due, still news, and no quiet hour."""
    due = due_at(due_on(now, zone, is_holiday), zone)
    return due <= now < due + LIFE and not reminders.is_quiet(now, zone, is_holiday)


def next_after(at: datetime, zone: str, is_holiday: IsHoliday) -> datetime:
    """Return the next instant from which on letters may leave: the hour, or the end of a night."""
    for week in range(3):
        day = due_on(at + timedelta(weeks=week), zone, is_holiday)
        mornings = (
            instants.to_utc(datetime.combine(day + timedelta(days=n), reminders.QUIET_TO), zone)
            for n in range(1, LIFE.days + 1)
        )
        for instant in (due_at(day, zone), *mornings):
            if instant > at and is_time(instant, zone, is_holiday):
                return instant
    raise AssertionError(at)
