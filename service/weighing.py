"""Weigh how those stand who get a letter: who reads it alike, and how most of them do."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from service import occasions
from service.domain.words import Answer
from service.requesting import CalendarWay

_ACCEPTED = frozenset({Answer.IN_PERSON, Answer.ONLINE, Answer.REPRESENTED})
_ORDER = ("accepted", "accepted_again", "undecided", "undecided_again", "none", "declined")


class Reader(Protocol):
    """Whoever gets a letter, as far as its words depend on it."""

    @property
    def answer(self) -> str | None:
        """What they said last."""

    @property
    def holds(self) -> bool:
        """Whether it counts."""

    @property
    def channel(self) -> str | None:
        """How entries go to them, None before the first one."""

    @property
    def is_first(self) -> bool:
        """Whether they never had a letter."""


AnyReader = TypeVar("AnyReader", bound=Reader)
Ways = Callable[[str | None], CalendarWay]
"""How the entry would go on a channel now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What a letter's words depend on; so many `readers` have it, `newcomers` no letter so far."""

    stance: str = ""
    holds: bool = False
    way: CalendarWay = CalendarWay.FILE
    is_first: bool = False
    readers: int = 0
    newcomers: int = 0

    @property
    def is_first_for_some(self) -> bool:
        """Tell whether a part of the letter is for those only who had none yet."""
        return self.is_first and self.newcomers < self.readers


NOBODY = Standing()


def weigh(kind: str, people: Sequence[Reader], ways: Ways) -> Standing:
    """Return how most of them stand to a letter of this kind; of equally many the first ones."""
    if not people:
        return Standing(way=ways(None)) if kind == "invitation" else NOBODY
    speaks_of_answer = kind in occasions.WITH_STANCE
    found = Counter(
        (
            (each.answer or "") if speaks_of_answer else "",
            speaks_of_answer and each.holds,
            ways(each.channel),
        )
        for each in people
    )
    ((stance, holds, way), _), *_ = found.most_common(1)
    newcomers = sum(each.is_first for each in people)
    return Standing(
        stance=stance,
        holds=holds,
        way=way,
        # What newcomers are told in an invitation is shown as soon as there is one.
        is_first=newcomers > (0 if kind == "invitation" else len(people) // 2),
        readers=len(people),
        newcomers=newcomers,
    )


def by_answer(people: Iterable[AnyReader]) -> dict[str, list[AnyReader]]:
    """Return those together whose answers make a letter read alike, as ends of text ids."""
    groups: dict[str, list[AnyReader]] = {}
    for each in people:
        groups.setdefault(_name(each), []).append(each)
    return {name: groups[name] for name in _ORDER if name in groups}


def accepts(answer: str | None) -> bool:
    """Tell whether this answer brings somebody along."""
    return answer in _ACCEPTED


def _name(reader: Reader) -> str:
    """Name an answer; a former no is never asked again."""
    if reader.answer is None:
        return "none"
    if reader.answer == Answer.DECLINED:
        return "declined"
    word = "accepted" if accepts(reader.answer) else "undecided"
    return word if reader.holds else f"{word}_again"
