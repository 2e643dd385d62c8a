"""The occasion of a letter, and its facts as a reader sees them: when, where, until when."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from service.domain.changes import MeetingFacts
from service.domain.shown import ShownMeeting
from service.domain.words import Mode, Precision, State
from service.furnishing import InstanceData
from service.pages import dates
from service.pages.catalogue import texts
from service.pages.rendering import localised
from service.requesting import CalendarWay

BUCKETS = ("accepted", "undecided", "no_answer", "declined")
"""Who has answered how; an answer that no longer holds is none."""
WITH_STANCE = frozenset(
    {
        *("date_confirmed", "nudge", "reminder", "change", "uncancellation", "receipt"),
        "answer_differs",
    }
)
"""Kinds that speak of the recipient's own answer; the others are the same for everybody."""
LAST_CALL = "last_call"
"""Why a nudge has words of its own; its rule's expansion says so in the letter's cause."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Occasion:
    """Everything that the recipients of one prototype have in common.

    `stance` is what they said (an answer, "" for none); `holds` whether it still counts.
    `before` are the facts that a change notice starts from. `is_first` marks letters to people
    who never had one, whom their partner named (`has_partner`) or the office found, `is_copy` those
    to their secretariats. Kinds are those of the letters. In a letter about several sessions `slot`
    ends the names of the gaps that belong to this one. `leads` is for those who lead a group of the
    session, `of_groups` are those to name, none meaning all. `is_late` tells that the deadline was
    over when the letter was written.
    """

    kind: str
    locale: str
    public_url: str
    meeting: ShownMeeting
    now_facts: MeetingFacts
    instance: InstanceData
    is_first: bool = False
    has_partner: bool = True
    stance: str = ""
    holds: bool = False
    has_deputy: bool = False
    has_calendar: bool = False
    is_copy: bool = False
    before: MeetingFacts | None = None
    message: str = ""
    slot: str = ""
    way: CalendarWay = CalendarWay.FILE
    because: str = ""
    is_brief: bool = False
    leads: bool = False
    is_late: bool = False
    of_groups: tuple[str, ...] = ()

    def t(self, key: str, /, **values: Any) -> str:
        """Return a text in the letter's language."""
        return texts(self.locale).t(key, **values)

    def address(self, path: str) -> str:
        """Return the full address of a page in the letter's language."""
        return f"{self.public_url}{localised(path, self.locale)}"

    @property
    def has_buttons(self) -> bool:
        """Tell whether the entry came to these people's programs as a question."""
        return self.way is not CalendarWay.FILE

    @property
    def takes_answers(self) -> bool:
        """Tell whether the answer page asks: only where a date stands."""
        return self.now_facts.state is State.CONFIRMED

    @property
    def comes(self) -> bool:
        """Tell whether these people or somebody for them will be there."""
        return self.holds and self.stance in {"in_person", "online", "represented"}

    @property
    def asks(self) -> bool:
        """Tell whether these people owe an answer; a former no is never pressed."""
        return self.takes_answers and not self.holds and self.stance != "declined"

    @property
    def said(self) -> str:
        """The recipients' answer in words."""
        return self.t(f"answer.{self.stance or 'none'}")

    @property
    def office(self) -> str:
        """Who invites."""
        return self.instance.office_name or self.instance.name

    @property
    def group_names(self) -> str:
        """The meeting's groups that concern these people, or whose instance it is without any."""
        names = self.of_groups or [group.name for group in self.meeting.groups]
        return ", ".join(names) or self.instance.name

    @property
    def short_when(self) -> str:
        """The date for subjects: absolute, because letters are read late."""
        starts = self.meeting.starts or self.meeting.previous_starts
        if starts is None:
            return self.t("letter.no_date")
        precision = read_precision(self.meeting.date_precision)
        return dates.format_short_when(
            starts, self.locale, precision=precision, zone=self.meeting.zone
        )

    @property
    def short_deadline(self) -> str:
        """The last day for answers, empty where there is none any more."""
        at = self.now_facts.answer_by_at
        if at is None or self.is_late:
            return ""
        return dates.format_short_date(at, self.locale, zone=self.meeting.zone)


def subject_key(occasion: Occasion) -> str:
    """Name the words of the subject."""
    kind = occasion.kind
    if kind == "change" and not is_moved(occasion):
        return "letter.change.subject_same_date"
    if kind == "nudge" and not occasion.short_deadline:
        return "letter.nudge.subject_no_deadline"
    return "letter.nudge.subject_last" if is_last_call(occasion) else f"letter.{kind}.subject"


def is_last_call(occasion: Occasion) -> bool:
    """Tell whether no further request is planned before the deadline."""
    return occasion.because == LAST_CALL and bool(occasion.short_deadline)


def reminded_as(occasion: Occasion) -> str:
    """Name the sentence that a reminder begins with."""
    if not occasion.comes:
        owes_answer = not (occasion.holds and occasion.stance)
        return "lead_group" if occasion.leads and owes_answer else "lead_undecided"
    return "lead_represented" if occasion.stance == "represented" else "lead"


def count_answers(counts: Mapping[str, int]) -> dict[str, str]:
    """Return for each group of answers how many people of a session are in it, as values."""
    return {f"count_{bucket}": str(counts.get(bucket, 0)) for bucket in BUCKETS}


def read_precision(word: str) -> dates.Precision:
    """Return the word for the functions that write dates."""
    return Precision(word).value


def when(meeting: MeetingFacts, locale: str) -> str:
    """Say when the meeting is, and that it is not certain yet where it is not."""
    if meeting.starts_local is None:
        return texts(locale).t("letter.no_date")
    said = _span(meeting, meeting.starts_local, meeting.ends_local, locale)
    if meeting.state is State.TENTATIVE:
        return f"{said} ({texts(locale).t('state.tentative')})"
    return said


def where(meeting: MeetingFacts, locale: str) -> str:
    """Say where the meeting is, in one line; empty where nothing is known yet."""
    parts = (meeting.place_name, meeting.room, meeting.street, meeting.town)
    place = ", ".join(part for part in parts if part)
    if meeting.mode is Mode.ON_SITE:
        return place
    online = texts(locale).t("letter.online")
    return online if meeting.mode is Mode.ONLINE or not place else f"{place}; {online}"


def where_now(meeting: MeetingFacts, locale: str) -> str:
    """Say where people are to come, and that the place is still open where nobody has named it."""
    parts = (meeting.place_name, meeting.room, meeting.street, meeting.town)
    if meeting.mode is Mode.ONLINE or any(parts):
        return where(meeting, locale)
    say = texts(locale).t
    is_open = say("letter.where_open")
    return is_open if meeting.mode is Mode.ON_SITE else f"{is_open}; {say('letter.online')}"


def until(meeting: MeetingFacts, locale: str) -> str:
    """Say until when answers are asked for, empty where there is no deadline."""
    at = meeting.answer_by_at
    return "" if at is None else dates.format_moment(at, locale, zone=ZoneInfo(meeting.zone))


def deadline_row(occasion: Occasion) -> tuple[str, str]:
    """Say until when answers are asked for, or were; without words where there is no deadline."""
    label = occasion.t("letter.until_was" if occasion.is_late else "letter.until")
    return label, until(occasion.now_facts, occasion.locale)


def is_over(deadline: datetime | None, now: datetime) -> bool:
    """Tell whether the deadline of a letter that is written now lies behind its reader."""
    return deadline is not None and deadline <= now


def was_planned(occasion: Occasion) -> str:
    """Say when a meeting that falls out would have been."""
    meeting, now = occasion.meeting, occasion.now_facts
    if meeting.starts_local is not None:
        return _span(now, meeting.starts_local, meeting.ends_local, occasion.locale)
    if meeting.previous_starts_local is None:
        return ""
    return _span(now, meeting.previous_starts_local, meeting.previous_ends_local, occasion.locale)


def is_moved(occasion: Occasion) -> bool:
    """Tell whether the date differs from the one that people were told."""
    before, now = occasion.before, occasion.now_facts
    if before is None or before.starts_local is None:
        return False
    return (before.starts_local, before.precision) != (now.starts_local, now.precision)


def changed_rows(occasion: Occasion) -> list[tuple[str, str, str]]:
    """Say old and new for each thing that people notice; what stayed is left out.

    The old is empty for what is new; nobody was told of it, so there is nothing to take back.
    """
    before, now, locale, t = occasion.before, occasion.now_facts, occasion.locale, occasion.t
    if before is None:
        return []
    rows = [
        (t("letter.title"), before.title, now.title),
        (t("letter.when"), when(before, locale), when(now, locale)),
        (t("letter.where"), where(before, locale), where(now, locale)),
        (t("letter.access"), before.place_access, now.place_access),
        (t("letter.online_access"), before.online_url, now.online_url),
        (t("letter.dial_in"), before.dial_in, now.dial_in),
        (t("letter.until"), until(before, locale), until(now, locale)),
    ]
    gone = t("letter.gone")
    return [(label, old, new or gone) for label, old, new in rows if old != new]


def changed_texts(occasion: Occasion) -> list[str]:
    """Name the longer texts that changed; a letter shows the new ones only."""
    before, now = occasion.before, occasion.now_facts
    if before is None:
        return []
    names = ("description", "agenda")
    return [name for name in names if getattr(before, name) != getattr(now, name)]


def _span(meeting: MeetingFacts, starts: datetime, ends: datetime | None, locale: str) -> str:
    zone = ZoneInfo(meeting.zone)
    is_foreign = zone.key != dates.BERLIN.key
    return dates.format_when(
        starts.replace(tzinfo=zone),
        ends.replace(tzinfo=zone) if ends else None,
        locale,
        precision=read_precision(meeting.precision),
        zone=zone,
        # Whoever joins an online meeting may sit anywhere. The note says "German time", which is
        # true only where the meeting's own zone is that.
        zone_note=not is_foreign and (locale == "en" or meeting.mode is Mode.ONLINE),
    )
