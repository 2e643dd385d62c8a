"""Put words to letters that are foretold: why each leaves, and which leave together."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from service.foretelling import Foretold, Reason
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


def _batch(letters: Sequence[Foretold], locale: str) -> Batch:
    one = letters[0]
    reason = say_reason(one.reason, locale)
    return Batch(one.at, one.kind, one.meeting_id, one.meeting_title, reason, tuple(letters))
