"""What a change does to answers, calendars and letters: the rules' table as one pure function."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Protocol

from service.domain import instants
from service.domain.words import Mode, NoticeKind, Precision, State, Verdict, Visibility

# A start that slides by less than this keeps the answers of the same day.
SAME_START = timedelta(minutes=60)


class Stand(Protocol):
    """Where and when: what an answer is given for."""

    @property
    def starts_local(self) -> datetime | None:
        """The start as wall time, None without a date."""

    @property
    def mode(self) -> Mode:
        """How people take part."""

    @property
    def town(self) -> str:
        """The town, empty while it is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeetingFacts:
    """All of a meeting that the rules look at; wall times are naive, in `zone`.

    A date known by day, week or month starts at midnight of its first day and ends at midnight
    after its last one. A postponed meeting has no times. `answer_by_local` is None without a
    deadline, `capacity` None without a limit.
    """

    state: State
    title: str
    precision: Precision = Precision.TIME
    starts_local: datetime | None = None
    ends_local: datetime | None = None
    zone: str = "Europe/Berlin"
    mode: Mode = Mode.ON_SITE
    place_name: str = ""
    room: str = ""
    street: str = ""
    town: str = ""
    place_access: str = ""
    online_url: str = ""
    dial_in: str = ""
    capacity: int | None = None
    answer_by_local: datetime | None = None
    visibility: Visibility = Visibility.PUBLIC
    description: str = ""
    agenda: str = ""

    @property
    def starts_at(self) -> datetime | None:
        """The instant of the start, None without a date."""
        return _instant(self.starts_local, self.zone)

    @property
    def ends_at(self) -> datetime | None:
        """The instant of the end, None without a date."""
        return _instant(self.ends_local, self.zone)

    @property
    def answer_by_at(self) -> datetime | None:
        """The instant of the answer deadline, None without one."""
        return _instant(self.answer_by_local, self.zone)


class Tells(StrEnum):
    """Who of the invited people gets a letter about a change."""

    NONE = "none"
    NOT_DECLINED = "not_declined"
    ALL = "all"


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field's value before and after."""

    name: str
    old: Any
    new: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeEffect:
    """What follows from a change; `notice` is None when it concerns nobody's letter box."""

    fields: tuple[FieldChange, ...]
    asks_again: bool = False
    bumps_sequence: bool = False
    bumps_time_rev: bool = False
    tells: Tells = Tells.NONE
    notice: NoticeKind | None = None


_WHEN = frozenset({"starts_local", "ends_local", "zone", "precision"})
_WHERE = frozenset({"mode", "place_name", "room", "street", "town", "online_url", "dial_in"})
_DATED = frozenset({State.TENTATIVE, State.CONFIRMED})


def diff(before: MeetingFacts, after: MeetingFacts, verdict: Verdict | None = None) -> ChangeEffect:
    """Tell what the change from one state of things to the other does; nothing for no change.

    `verdict` is the office's word on the answers; None leaves it to the table.
    """
    changed = _changed_fields(before, after)
    names = frozenset(field.name for field in changed)
    if not (names or verdict is Verdict.ASK) or before.state is State.DRAFT:
        return _first_publication(after, changed)
    asks_again = _asks_again(before, after, verdict)
    tells, notice = _letters(before, after, names, asks_again=asks_again)
    return ChangeEffect(
        fields=changed,
        asks_again=asks_again,
        bumps_sequence=bool(names & (_WHEN | _WHERE | {"state"})) and after.state is not State.HELD,
        bumps_time_rev=_bumps_time_rev(before, after, names),
        tells=tells,
        notice=notice,
    )


def same_place_and_time(before: Stand, after: Stand) -> bool:
    """Tell whether an answer to the one is an answer to the other (the table's first two rows)."""
    return (
        same_date(before.starts_local, after.starts_local)
        and same_town(before.town, after.town)
        and not _opposite(before.mode, after.mode)
    )


def same_date(one: datetime | None, other: datetime | None) -> bool:
    """Tell whether two starts are on one day and less than an hour apart; no date is no change."""
    if one is None or other is None:
        return True
    return one.date() == other.date() and abs(one - other) < SAME_START


def same_town(one: str, other: str) -> bool:
    """Tell whether two towns are the same; one that is not yet known is no change."""
    return not one.strip() or not other.strip() or one.strip().lower() == other.strip().lower()


def to_json(facts: MeetingFacts) -> dict[str, Any]:
    """Write the facts as plain values, as a notice keeps them."""
    values = {field.name: getattr(facts, field.name) for field in fields(facts)}
    return {
        name: value.isoformat() if isinstance(value, datetime) else value
        for name, value in values.items()
    }


def from_json(values: Mapping[str, Any]) -> MeetingFacts:
    """Read facts that `to_json` wrote."""
    read = dict(values)
    for name in ("starts_local", "ends_local", "answer_by_local"):
        read[name] = datetime.fromisoformat(read[name]) if read.get(name) else None
    read["state"] = State(read["state"])
    read["precision"] = Precision(read["precision"])
    read["mode"] = Mode(read["mode"])
    read["visibility"] = Visibility(read["visibility"])
    return MeetingFacts(**read)


def _instant(local: datetime | None, zone: str) -> datetime | None:
    return None if local is None else instants.to_utc(local, zone)


def _changed_fields(before: MeetingFacts, after: MeetingFacts) -> tuple[FieldChange, ...]:
    pairs = ((f.name, getattr(before, f.name), getattr(after, f.name)) for f in fields(before))
    return tuple(FieldChange(name, old, new) for name, old, new in pairs if old != new)


def _first_publication(after: MeetingFacts, changed: tuple[FieldChange, ...]) -> ChangeEffect:
    """Treat the entry as new, because nobody saw the draft; only a confirmed one invites."""
    if after.state is State.CONFIRMED and changed:
        return ChangeEffect(fields=changed, tells=Tells.ALL, notice=NoticeKind.INVITATION)
    return ChangeEffect(fields=changed)


def _asks_again(before: MeetingFacts, after: MeetingFacts, verdict: Verdict | None) -> bool:
    """Answers are asked for again where a date stands; before, and for the dead, they freeze."""
    by_rule = not same_place_and_time(before, after)
    return after.state in _DATED and (by_rule if verdict is None else verdict is Verdict.ASK)


def _opposite(one: Mode, other: Mode) -> bool:
    return {one, other} == {Mode.ON_SITE, Mode.ONLINE}


def _bumps_time_rev(before: MeetingFacts, after: MeetingFacts, names: frozenset[str]) -> bool:
    """Reminders follow the times, and start afresh when a cancelled meeting comes back."""
    return bool(names & _WHEN) or (before.state is State.CANCELLED and after.state in _DATED)


def _letters(
    before: MeetingFacts, after: MeetingFacts, names: frozenset[str], *, asks_again: bool
) -> tuple[Tells, NoticeKind | None]:
    if before.state is not after.state:
        return _letters_of_move(before, after, asks_again=asks_again)
    is_news = asks_again or bool(names & (_WHEN | _WHERE))
    if after.state is not State.CONFIRMED or not is_news:
        # A tentative date that slides is told by feed and digest; texts by the page.
        return Tells.NONE, None
    return Tells.ALL if asks_again else Tells.NOT_DECLINED, NoticeKind.CHANGE


def _letters_of_move(
    before: MeetingFacts, after: MeetingFacts, *, asks_again: bool
) -> tuple[Tells, NoticeKind | None]:
    if after.state is State.HELD:
        return Tells.NONE, None
    if after.state is State.CANCELLED:
        return Tells.NOT_DECLINED, NoticeKind.CANCELLATION
    if before.state is State.CANCELLED:
        return Tells.ALL if asks_again else Tells.NOT_DECLINED, NoticeKind.UNCANCELLATION
    if after.state is State.POSTPONED:
        return Tells.ALL, NoticeKind.POSTPONED
    if after.state is State.CONFIRMED:
        return Tells.ALL, NoticeKind.CONFIRMED
    return Tells.NONE, None
