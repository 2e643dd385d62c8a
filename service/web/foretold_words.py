"""Put words to letters that are foretold: why each leaves, and which leave together."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from service.foretelling import Difference, Foretold, Reason
from service.pages.catalogue import texts
from service.web import rule_words

_UNREACHABLE = frozenset({"undeliverable", "blocked"})


@dataclass(frozen=True, slots=True)
class Batch:
    """Letters of one kind about one session that leave at the same instant for the same reason.

    `unreachable` are those beside them whose addresses do not work.
    """

    at: datetime
    kind: str
    meeting_id: UUID | None
    title: str
    reason: str
    letters: tuple[Foretold, ...]
    unreachable: int = 0

    @property
    def samples(self) -> tuple[Foretold, ...]:
        """One letter of each wording."""
        return tuple({id(each.draft): each for each in reversed(self.letters)}.values())[::-1]


@dataclass(frozen=True, slots=True)
class Shift:
    """What a change does to letters of one kind about one session: "new", "gone" or "moved".

    `was_at` is when moved ones would have left; `at` when they leave now.
    """

    change: str
    at: datetime
    kind: str
    meeting_id: UUID | None
    title: str
    count: int
    was_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Day:
    """What leaves on one day of the office's calendar."""

    day: date
    batches: tuple[Batch, ...]

    @property
    def count(self) -> int:
        """How many letters leave."""
        return sum(len(batch.letters) for batch in self.batches)


def say_reason(reason: Reason, locale: str) -> str:
    """Return why a letter leaves; a rule in its own words."""
    if reason.rule is not None and reason.code == "choice":
        return rule_words.say_choice(reason.rule, locale)
    if reason.rule is not None:
        return rule_words.say(reason.rule, locale)
    return texts(locale).t(f"foretold.reason_{reason.code}")


def batches(
    letters: Iterable[Foretold], locale: str, stopped: Iterable[Foretold] = ()
) -> tuple[Batch, ...]:
    """Put together what leaves together, in order of time; of `stopped` tell who is unreachable."""
    found: dict[tuple[object, ...], list[Foretold]] = {}
    for each in letters:
        found.setdefault(_together(each), []).append(each)
    lost = Counter(_together(each) for each in stopped if each.stopped in _UNREACHABLE)
    return tuple(_batch(those, locale, lost[key]) for key, those in found.items())


def _together(one: Foretold) -> tuple[object, ...]:
    return one.at, one.kind, one.meeting_id, one.reason


def days(
    letters: Sequence[Foretold], zone: ZoneInfo, locale: str, stopped: Sequence[Foretold] = ()
) -> tuple[Day, ...]:
    """Put batches under the days on which they leave."""
    found: dict[date, list[Batch]] = {}
    for batch in batches(letters, locale, stopped):
        found.setdefault(batch.at.astimezone(zone).date(), []).append(batch)
    return tuple(Day(day, tuple(those)) for day, those in found.items())


def moves(
    pairs: Iterable[tuple[Foretold, Foretold]], locale: str
) -> tuple[tuple[datetime, Batch], ...]:
    """Put together what leaves together at another time, with the time at which it would have."""
    found: dict[datetime, list[Foretold]] = {}
    for was, then in pairs:
        found.setdefault(was.at, []).append(then)
    return tuple(
        (was_at, batch)
        for was_at, those in sorted(found.items())
        for batch in batches(those, locale)
    )


def shifts(difference: Difference, locale: str) -> tuple[Shift, ...]:
    """Return a difference as lines without names, in order of time."""
    lines = [
        _shift(change, batch)
        for change, those in (("new", difference.more), ("gone", difference.less))
        for batch in batches(those, locale)
    ]
    lines += [_shift("moved", batch, was) for was, batch in moves(difference.moved, locale)]
    return tuple(sorted(lines, key=lambda each: each.at))


def _shift(change: str, batch: Batch, was_at: datetime | None = None) -> Shift:
    about = batch.kind, batch.meeting_id, batch.title, len(batch.letters)
    return Shift(change, batch.at, *about, was_at)


def _batch(letters: Sequence[Foretold], locale: str, unreachable: int) -> Batch:
    one = letters[0]
    reason = say_reason(one.reason, locale)
    about = one.at, one.kind, one.meeting_id, one.meeting_title, reason
    return Batch(*about, tuple(letters), unreachable)
