"""Which days a repetition falls on: a closed part of RFC 5545 section 3.3.10, and never for long.

Strangers choose these rules. One that is not followed here stays a rule without days; a whole file
has one budget, so that no rule among many holds us up.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

_LARGEST_INTERVAL = 99
_LARGEST_COUNT = 20_000
_LAST_DAY = date(2100, 12, 31)
_WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_PARTS = frozenset({"FREQ", "INTERVAL", "COUNT", "UNTIL", "WKST", "BYDAY"})
_FREQUENCIES = frozenset({"DAILY", "WEEKLY", "MONTHLY", "YEARLY"})
_UNTIL = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})(T[0-9]{6}Z?)?")


@dataclass(frozen=True, slots=True)
class Rule:
    """A repetition that we follow; weekdays count from Monday, none means that of the first day."""

    frequency: str
    interval: int
    count: int | None
    until_on: date | None
    weekdays: tuple[int, ...]


class Budget:
    """How often all repetitions of a file may still be followed one step further."""

    def __init__(self, steps: int) -> None:
        self.left = steps

    def steps(self) -> Iterator[int]:
        """Count from zero until nothing is left."""
        step = 0
        while self.left > 0:
            self.left -= 1
            yield step
            step += 1


def read_rule(value: str) -> Rule | None:
    """Return the rule of an RRULE value, None for one that we do not follow."""
    pairs = [part.partition("=")[::2] for part in value.strip().upper().split(";") if part]
    parts = dict(pairs)
    if len(parts) != len(pairs) or not _PARTS.issuperset(parts):
        return None
    return _plain_rule(parts)


def _plain_rule(parts: Mapping[str, str]) -> Rule | None:
    frequency = parts.get("FREQ", "")
    interval = _number(parts.get("INTERVAL", "1"), _LARGEST_INTERVAL)
    count = _number(parts["COUNT"], _LARGEST_COUNT) if "COUNT" in parts else None
    until_on = _read_until(parts["UNTIL"]) if "UNTIL" in parts else None
    weekdays = _read_weekdays(parts.get("BYDAY", ""))
    is_plain = (
        frequency in _FREQUENCIES
        and (count is not None or "COUNT" not in parts)
        and (until_on is not None or "UNTIL" not in parts)
        and (frequency == "WEEKLY" or "BYDAY" not in parts)
        and parts.get("WKST", "MO") == "MO"
    )
    if not is_plain or interval is None or weekdays is None:
        return None
    return Rule(frequency, interval, count, until_on, weekdays)


def _read_weekdays(value: str) -> tuple[int, ...] | None:
    named = value.split(",") if value else []
    if not set(named) <= set(_WEEKDAYS):
        return None
    return tuple(sorted({_WEEKDAYS.index(day) for day in named}))


def _read_until(value: str) -> date | None:
    found = _UNTIL.fullmatch(value)
    try:
        return date(int(found[1]), int(found[2]), int(found[3])) if found else None
    except ValueError:
        return None


def _number(text: str, most: int) -> int | None:
    return int(text) if re.fullmatch(r"[0-9]{1,6}", text) and 0 < int(text) <= most else None


def days_of(rule: Rule, first_on: date, until_on: date, budget: Budget) -> Iterator[date]:
    """Yield the days of a repetition, the first included, as long as the file's budget lasts."""
    last_on = min(rule.until_on or until_on, until_on, _LAST_DAY)
    yielded = 0
    for step in budget.steps():
        days, is_over = _days_of_step(rule, first_on, step * rule.interval, last_on)
        for day in days:
            if yielded == rule.count:
                return
            yielded += 1
            yield day
        if is_over or yielded == rule.count:
            return


def _days_of_step(
    rule: Rule, first_on: date, distance: int, last_on: date
) -> tuple[list[date], bool]:
    """Return the days at a distance in units of the rule, and whether later ones are too late."""
    if rule.frequency == "DAILY":
        found = [first_on + timedelta(days=distance)]
    elif rule.frequency == "WEEKLY":
        monday = first_on - timedelta(days=first_on.weekday()) + timedelta(weeks=distance)
        found = [monday + timedelta(days=n) for n in rule.weekdays or (first_on.weekday(),)]
    else:
        found = _same_day(first_on, distance * (12 if rule.frequency == "YEARLY" else 1))
    begins_on = _month_begin(first_on, rule, distance) if not found else found[0]
    return [day for day in found if first_on <= day <= last_on], begins_on > last_on


def _same_day(first_on: date, months: int) -> list[date]:
    """Return the same day of a later month, nothing where that month has no such day."""
    number = first_on.year * 12 + first_on.month - 1 + months
    try:
        return [date(number // 12, number % 12 + 1, first_on.day)]
    except ValueError:
        return []


def _month_begin(first_on: date, rule: Rule, distance: int) -> date:
    months = distance * (12 if rule.frequency == "YEARLY" else 1)
    number = first_on.year * 12 + first_on.month - 1 + months
    return date(number // 12, number % 12 + 1, 1)
