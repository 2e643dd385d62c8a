"""Lists of days on which nobody meets, as calendar files hold them: bytes to spans of days.

Total: whatever comes, a list comes back, and what was not understood is counted. Strangers make
these files, so a repetition is followed only where its end is plain, and never for long.
"""

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from itertools import islice
from zoneinfo import ZoneInfo

from calendars import properties, repetitions, texts
from calendars.properties import Component, Property, UnreadableError

# Years of sittings; whatever has this size is read in a fifth of a second.
MOST_BYTES = 500_000
MOST_SPANS = 5_000
NAME_LIMIT = 200
# A longer one is a mistake: it would bar every day of a year.
LONGEST_DAYS = 366
_MOST_LINES = 40_000
_MOST_EVENTS = 2_000
# Of all repetitions of a file together; a rule that never hits a day is looked at no further.
_MOST_STEPS = 20_000
_FIRST_YEAR, _LAST_YEAR = 1970, 2100

_BERLIN = ZoneInfo("Europe/Berlin")
_MOMENT = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})(?:T([0-9]{2})([0-9]{2})([0-9]{2})(Z?))?")
_DURATION = re.compile(r"P([0-9]{1,3})([DW])")


class Refusal(StrEnum):
    """Why a file is no list of days."""

    TOO_LARGE = "too_large"
    UNREADABLE = "unreadable"
    EMPTY = "empty"


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Whole days under one name; `last_on` belongs to them."""

    first_on: date
    last_on: date
    name: str


@dataclass(frozen=True, slots=True)
class DayList:
    """The days of a file in their order.

    `left_out` counts entries without a date that we understand, `unfollowed` repetitions of which
    only the first days are here; `is_cut` tells that there were more than we take.
    """

    spans: tuple[Span, ...] = ()
    refusal: Refusal | None = None
    left_out: int = 0
    unfollowed: int = 0
    is_cut: bool = False


def read_calendar(raw: bytes, until_on: date, zone: ZoneInfo = _BERLIN) -> DayList:
    """Return the days of a calendar file; endless repetitions are followed up to `until_on`.

    `zone` is that of the readers: an instant in UTC lies on the day that their clocks show.
    """
    if len(raw) > MOST_BYTES:
        return DayList(refusal=Refusal.TOO_LARGE)
    try:
        calendar = properties.read_calendar(
            raw, "cp1252", most_lines=_MOST_LINES, most_events=_MOST_EVENTS
        )
    except UnreadableError:
        return DayList(refusal=Refusal.UNREADABLE)
    events = [one for one in calendar.children if one.name == "VEVENT"]
    standing = [one for one in events if one.value("STATUS").upper() != "CANCELLED"]
    return _collect(standing, until_on, zone)


def is_in_range(day: date) -> bool:
    """Tell whether anybody plans with this day; others are slips of the hand."""
    return _FIRST_YEAR <= day.year <= _LAST_YEAR


def _collect(events: list[Component], until_on: date, zone: ZoneInfo) -> DayList:
    moved = _moved_days(events, zone)
    budget = repetitions.Budget(_MOST_STEPS)
    spans: set[Span] = set()
    left_out = unfollowed = 0
    for event in events:
        first = _first_span(event, zone)
        if first is None:
            left_out += 1
            continue
        dropped = _dropped_days(event, moved, zone)
        rule = _rule(event)
        repeats = event.first("RRULE") is not None or event.first("RDATE") is not None
        unfollowed += repeats and rule is None
        days = (
            [first.first_on]
            if rule is None
            else repetitions.days_of(rule, first.first_on, until_on, budget)
        )
        length = first.last_on - first.first_on
        room = MOST_SPANS + 1 - len(spans)
        kept = (day for day in days if day not in dropped)
        spans.update(Span(day, day + length, first.name) for day in islice(kept, room))
    ordered = sorted(spans)
    return DayList(
        spans=tuple(ordered[:MOST_SPANS]),
        refusal=None if ordered else Refusal.EMPTY,
        left_out=left_out,
        unfollowed=unfollowed,
        is_cut=len(ordered) > MOST_SPANS or budget.left == 0,
    )


def _moved_days(events: list[Component], zone: ZoneInfo) -> Mapping[str, set[date]]:
    """Return by UID the days of a repetition that have an entry of their own."""
    moved: dict[str, set[date]] = defaultdict(set)
    for event in events:
        day = _day(event.first("RECURRENCE-ID"), zone)
        if day is not None:
            moved[event.value("UID")].add(day)
    return moved


def _dropped_days(
    event: Component, moved: Mapping[str, set[date]], zone: ZoneInfo
) -> frozenset[date]:
    if event.first("RECURRENCE-ID") is not None:
        return frozenset()
    named = (part for line in event.all("EXDATE") for part in line.value.split(","))
    dropped = {day for part in named if (day := _read_day(part, zone)) is not None}
    return frozenset(dropped | moved.get(event.value("UID"), set()))


def _first_span(event: Component, zone: ZoneInfo) -> Span | None:
    first_on = _day(event.first("DTSTART"), zone)
    summary = event.first("SUMMARY")
    if first_on is None:
        return None
    last_on = _last_day(event, first_on, zone)
    if last_on is None or not 0 <= (last_on - first_on).days < LONGEST_DAYS:
        return None
    name = texts.one_line(summary.text) if summary is not None else ""
    return Span(first_on, last_on, texts.clip(name, NAME_LIMIT))


def _last_day(event: Component, first_on: date, zone: ZoneInfo) -> date | None:
    """Return the last day that is touched: ends are exclusive (RFC 5545 section 3.6.1)."""
    end = event.first("DTEND")
    if end is None:
        found = _DURATION.fullmatch(event.value("DURATION"))
        days = int(found[1]) * (7 if found[2] == "W" else 1) if found else 1
        return first_on + timedelta(days=max(days, 1) - 1)
    found_on = _day(end, zone)
    if found_on is None:
        return None
    moment = _local(end.value, zone)
    is_within_day = isinstance(moment, datetime) and moment.time() != time()
    return max(found_on - timedelta(days=0 if is_within_day else 1), first_on)


def _day(line: Property | None, zone: ZoneInfo) -> date | None:
    return None if line is None else _read_day(line.value, zone)


def _read_day(value: str, zone: ZoneInfo) -> date | None:
    """Return the day of a value as our readers see it, None for what is none."""
    moment = _local(value, zone)
    day = moment.date() if isinstance(moment, datetime) else moment
    return day if day is not None and is_in_range(day) else None


def _local(value: str, zone: ZoneInfo) -> datetime | date | None:
    """Return wall time and days as they stand, UTC as the zone's clocks show it, else None."""
    found = _MOMENT.fullmatch(value.strip())
    if found is None:
        return None
    try:
        # By hand: the library's parser of dates takes ten times as long.
        numbers = [int(part) for part in found.groups()[:6] if part is not None]
        if found[4] is None:
            return date(*numbers)
        moment = datetime(*numbers, tzinfo=UTC)  # type: ignore[arg-type,misc]
        return moment.astimezone(zone) if found[7] else moment
    except (ValueError, OverflowError):
        return None


def _rule(event: Component) -> repetitions.Rule | None:
    """Return the repetition if it is one that we follow, None for none and for all others."""
    lines = event.all("RRULE")
    is_one = len(lines) == 1 and event.first("RDATE") is None
    return repetitions.read_rule(lines[0].value) if is_one else None
