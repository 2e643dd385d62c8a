"""Put words to letters that are foretold: why each leaves, and which leave together."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from service.foretelling import Difference, Foretold, Reason
from service.pages.catalogue import texts
from service.web import rule_words


@dataclass(frozen=True, slots=True)
class Batch:
    """Letters of one kind about one session that leave at the same instant for the same reason."""

    at: datetime
    kind: str
    meeting_id: UUID | None
    title: str
    reason: str
    letters: tuple[Foretold, ...]

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


def batches(letters: Iterable[Foretold], locale: str) -> tuple[Batch, ...]:
    """Put together what leaves together, in order of time."""
    found: dict[tuple[object, ...], list[Foretold]] = {}
    for each in letters:
        found.setdefault((each.at, each.kind, each.meeting_id, each.reason), []).append(each)
    return tuple(_batch(together, locale) for together in found.values())


def days(letters: Sequence[Foretold], zone: ZoneInfo, locale: str) -> tuple[Day, ...]:
    """Put batches under the days on which they leave."""
    found: dict[date, list[Batch]] = {}
    for batch in batches(letters, locale):
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


def _batch(letters: Sequence[Foretold], locale: str) -> Batch:
    one = letters[0]
    reason = say_reason(one.reason, locale)
    return Batch(one.at, one.kind, one.meeting_id, one.meeting_title, reason, tuple(letters))
