"""What stands in the way of a date, and where a proposed date goes because of it; pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from types import MappingProxyType

_WEEK = timedelta(weeks=1)
# The longest school holidays have six weeks and a half.
_MOST_MOVES = 8


class Kind(StrEnum):
    """Where an obstacle comes from."""

    PUBLIC_HOLIDAY = "public_holiday"
    SCHOOL_HOLIDAY = "school_holiday"
    BLACK_OUT = "black_out"
    PAUSE = "pause"


class Treatment(StrEnum):
    """What an obstacle does to a date that a rhythm proposes."""

    MOVE = "move"
    SKIP = "skip"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Obstacle:
    """Whole days in the way; `last_on` belongs to them, `source` names the list they are from.

    `treatment` is what this list does, None where its kind decides.
    """

    first_on: date
    last_on: date
    kind: Kind
    name: str
    source: str = ""
    treatment: Treatment | None = None


@dataclass(frozen=True, slots=True)
class Placed:
    """Where a proposed date went: `day` is None where it is left out.

    `obstacles` are those of the proposed day, and `notes` those that the day it went to still has.
    """

    proposed: date
    day: date | None
    obstacles: tuple[Obstacle, ...] = ()
    notes: tuple[Obstacle, ...] = ()


USUAL: Mapping[Kind, Treatment] = MappingProxyType(
    {
        Kind.PUBLIC_HOLIDAY: Treatment.MOVE,
        Kind.SCHOOL_HOLIDAY: Treatment.MOVE,
        Kind.BLACK_OUT: Treatment.NOTE,
        Kind.PAUSE: Treatment.SKIP,
    }
)
"""What the office decides per kind, until it decides otherwise."""


def touching(first_on: date, last_on: date, obstacles: Iterable[Obstacle]) -> tuple[Obstacle, ...]:
    """Return what stands in the way of any of these days, in order of their beginning."""
    found = (each for each in obstacles if each.first_on <= last_on and first_on <= each.last_on)
    return tuple(sorted(found, key=_order))


def place(
    proposed: date,
    obstacles: Sequence[Obstacle],
    treatments: Mapping[Kind, Treatment] = USUAL,
) -> Placed:
    """Return where a proposed date goes: it stays, moves by whole weeks, or is left out.

    It is also left out where two months of weeks are barred.
    """
    found = touching(proposed, proposed, obstacles)
    day, notes = proposed, found
    for _ in range(_MOST_MOVES + 1):
        asked = {each.treatment or treatments[each.kind] for each in notes}
        if Treatment.SKIP in asked:
            break
        if Treatment.MOVE not in asked:
            return Placed(proposed, day, found, notes)
        day += _WEEK
        notes = touching(day, day, obstacles)
    return Placed(proposed, None, found)


def _order(one: Obstacle) -> tuple[date, date, str, str, str]:
    return one.first_on, one.last_on, one.kind, one.name, one.source
