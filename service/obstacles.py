"""Days when nobody meets: public and school holidays of the office's state, from a library.

The library's tables end: beyond `last_school_day` nobody knows, which is not "no holidays".
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

import holidays

_LIBRARY_LOCALE = {"de": "de", "en": "en_US"}
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
