"""Days when nobody meets: holidays of the office's state from a library, and lists of the office.

The library's tables end: beyond `last_school_day` nobody knows, which is not "no holidays".
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import holidays

from calendars import day_tables
from calendars import obstacles as day_calendars
from calendars.obstacles import DayList, Span
from service.domain.obstacles import Kind, Obstacle, touching

_LIBRARY_LOCALE = {"de": "de", "en": "en_US"}
_CATEGORIES = (("public", Kind.PUBLIC_HOLIDAY), ("school", Kind.SCHOOL_HOLIDAY))
_DAY = timedelta(days=1)
# As far as anybody plans; a repetition without an end is followed no further.
_FOLLOWED = timedelta(days=5 * 366)
_SNIFFED_BYTES = 2_000
# The library fills a year at a time; these are what a planning office can look at.
_FIRST_YEAR, _LAST_YEAR = 2020, 2045


@dataclass(frozen=True, slots=True)
class Region:
    """Where the office is: a country and its subdivision, as ISO 3166 writes them."""

    country: str = "DE"
    subdivision: str = "TH"


def public_holidays(region: Region, year: int, locale: str = "de") -> dict[date, str]:
    """Return the public holidays of one year with their names."""
    return dict(_load(region, year, "public", locale))


def school_holidays(region: Region, year: int, locale: str = "de") -> dict[date, str]:
    """Return each day of school holidays of one year with the holidays' name."""
    return dict(_load(region, year, "school", locale))


def is_holiday(region: Region) -> Callable[[date], bool]:
    """Return the question "is this a public holiday?" for the rules that count working days."""
    return lambda day: day in _load(region, day.year, "public", "de")


def last_school_day(region: Region) -> date | None:
    """Return the last day of school holidays that is known, None when none is."""
    for year in range(_LAST_YEAR, _FIRST_YEAR - 1, -1):
        days = _load(region, year, "school", "de")
        if days:
            return max(days)
    return None


def find(
    region: Region,
    first_on: date,
    last_on: date,
    locale: str = "de",
    listed: Iterable[Obstacle] = (),
) -> tuple[Obstacle, ...]:
    """Return all that stands in the way from one day to another; `listed` is of the office's lists.

    Ask `last_school_day` too: beyond it no school holidays come back because nobody knows them.
    """
    found: list[Obstacle] = []
    # A year more on both sides, or holidays over New Year would seem to begin or end there.
    for category, kind in _CATEGORIES:
        days = {
            day: name
            for year in range(first_on.year - 1, last_on.year + 2)
            for day, name in _load(region, year, category, locale).items()
        }
        found += (Obstacle(one.first_on, one.last_on, kind, one.name) for one in _spans(days))
    return touching(first_on, last_on, (*found, *listed))


def read_list(raw: bytes, today: date, zone: str = "Europe/Berlin") -> DayList:
    """Read a black-out calendar or table that somebody uploaded; never raises."""
    if b"BEGIN:VCALENDAR" in raw[:_SNIFFED_BYTES].upper():
        return day_calendars.read_calendar(raw, today + _FOLLOWED, ZoneInfo(zone))
    return day_tables.read_table(raw)


def _spans(days: Mapping[date, str]) -> Iterator[Span]:
    """Join neighbouring days of one name."""
    first_on: date | None = None
    for day in sorted(days):
        first_on = day if first_on is None else first_on
        if days.get(day + _DAY) != days[day]:
            yield Span(first_on, day, days[day])
            first_on = None


@lru_cache(maxsize=256)
def _load(region: Region, year: int, category: str, locale: str) -> dict[date, str]:
    try:
        found = holidays.country_holidays(
            region.country,
            subdiv=region.subdivision or None,
            years=year,
            language=_LIBRARY_LOCALE[locale],
            categories=(category,),
            expand=False,
        )
    except (NotImplementedError, ValueError):
        # A country, a subdivision or a category that the library does not know has no days.
        return {}
    return dict(found)
