"""How dates and times are shown: the one place, in German and English."""

from datetime import date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from babel.dates import format_date, format_time
from markupsafe import Markup, escape

BERLIN = ZoneInfo("Europe/Berlin")

# The values of `service.domain.words.Precision`; "day" shows no time even where one is stored.
Precision = Literal["time", "day", "week", "month"]

_BABEL = {"de": "de_DE", "en": "en_GB"}
_LONG = {"de": "EEEE, d. MMMM y", "en": "EEEE, d MMMM y"}
# "ccc" is the stand-alone weekday: "Do" where "EEE" would give "Do.".
_SHORT = {"de": "ccc d.M.y", "en": "ccc d MMM y"}
_TO = {"de": "bis", "en": "to"}
_CLOCK = {"de": " Uhr", "en": ""}
_ZONE_NOTE = {"de": " (deutsche Zeit)", "en": " (German time)"}
_WEEK = {"de": "Woche ab {}", "en": "week of {}"}


def format_when(
    starts: datetime | date,
    ends: datetime | date | None,
    locale: str,
    *,
    precision: Precision = "time",
    zone: ZoneInfo = BERLIN,
    zone_note: bool | None = None,
) -> str:
    """Say when something takes place, as precisely as it is known.

    Plain dates mean whole days, `ends` being the last of them. `zone_note` None adds the note
    in English only; pass True for online meetings.
    """
    if precision == "month":
        return format_month(_day(starts, zone), locale)
    if precision == "week":
        return _WEEK[locale].format(format_long_date(_day(starts, zone), locale))
    if precision == "day" or not isinstance(starts, datetime):
        first = _day(starts, zone)
        return _whole_days(first, _day(ends, zone) if ends else first, locale)
    note = _ZONE_NOTE[locale] if (locale == "en" if zone_note is None else zone_note) else ""
    return _hours(starts.astimezone(zone), _moment(ends, zone), locale) + note


def format_short_when(
    starts: datetime | date, locale: str, *, precision: Precision = "time", zone: ZoneInfo = BERLIN
) -> str:
    """Say the beginning in the short form for tables and subjects: "Do 3.12.2026, 10:00 Uhr"."""
    if precision in {"week", "month"}:
        return format_when(starts, None, locale, precision=precision, zone=zone)
    if precision == "day" or not isinstance(starts, datetime):
        return format_short_date(starts, locale, zone=zone)
    day = format_short_date(starts, locale, zone=zone)
    return f"{day}, {format_clock(starts, locale, zone=zone)}{_CLOCK[locale]}"


def format_moment(at: datetime, locale: str, *, zone: ZoneInfo = BERLIN) -> str:
    """Say an instant with its day: "Donnerstag, 3. Dezember 2026, 10:00 Uhr"."""
    local = at.astimezone(zone)
    clock = f"{format_clock(local, locale, zone=zone)}{_CLOCK[locale]}"
    return f"{format_long_date(local, locale, zone=zone)}, {clock}"


def format_long_date(day: date, locale: str, *, zone: ZoneInfo = BERLIN) -> str:
    """Say a day in full: "Donnerstag, 3. Dezember 2026"; an instant is taken in its zone."""
    return format_date(_day(day, zone), _LONG[locale], locale=_BABEL[locale])


def format_short_date(day: date, locale: str, *, zone: ZoneInfo = BERLIN) -> str:
    """Say a day briefly: "Do 3.12.2026"."""
    return format_date(_day(day, zone), _SHORT[locale], locale=_BABEL[locale])


def format_month(day: date, locale: str) -> str:
    """Say the month of a day: "Juni 2027"."""
    return format_date(day, "LLLL y", locale=_BABEL[locale])


def format_clock(at: datetime | time, locale: str, *, zone: ZoneInfo = BERLIN) -> str:
    """Say a time of day: "10:00", without the word "Uhr"."""
    clock = at.astimezone(zone).time() if isinstance(at, datetime) else at
    return format_time(clock, "HH:mm", locale=_BABEL[locale])


def machine_form(
    starts: datetime | date, *, precision: Precision = "time", zone: ZoneInfo = BERLIN
) -> str:
    """Return the value of a `datetime` attribute (HTML, section 4.5.14)."""
    if precision == "month":
        return f"{_day(starts, zone):%Y-%m}"
    if precision == "week":
        return f"{_day(starts, zone):%G-W%V}"
    if precision == "time" and isinstance(starts, datetime):
        return starts.astimezone(zone).isoformat(timespec="minutes")
    return _day(starts, zone).isoformat()


def time_element(text: str, machine: str) -> Markup:
    """Wrap a date that people read in a `<time>` element that programs read."""
    return Markup('<time datetime="{}">{}</time>').format(machine, escape(text))


def _hours(starts: datetime, ends: datetime | None, locale: str) -> str:
    begin = f"{format_long_date(starts.date(), locale)}, {format_clock(starts.time(), locale)}"
    if ends is None:
        return begin + _CLOCK[locale]
    if ends.date() == starts.date() or _is_next_midnight(starts, ends):
        until = "24:00" if _is_next_midnight(starts, ends) else format_clock(ends.time(), locale)
        return f"{begin} {_TO[locale]} {until}{_CLOCK[locale]}"
    until = f"{format_long_date(ends.date(), locale)}, {format_clock(ends.time(), locale)}"
    return f"{begin}{_CLOCK[locale]} {_TO[locale]} {until}{_CLOCK[locale]}"


def _is_next_midnight(starts: datetime, ends: datetime) -> bool:
    return ends.time() == time() and ends.date() == starts.date() + timedelta(days=1)


def _whole_days(first: date, last: date, locale: str) -> str:
    begin = format_long_date(first, locale)
    if last <= first:
        return begin
    return f"{begin} {_TO[locale]} {format_long_date(last, locale)}"


def _day(value: date, zone: ZoneInfo) -> date:
    return value.astimezone(zone).date() if isinstance(value, datetime) else value


def _moment(value: datetime | date | None, zone: ZoneInfo) -> datetime | None:
    return value.astimezone(zone) if isinstance(value, datetime) else None
