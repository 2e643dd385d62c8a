"""Answers: which are offered, what they were given for, and when a meeting takes them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from service.domain import changes, overrides
from service.domain.changes import MeetingFacts
from service.domain.overrides import Overrides
from service.domain.words import Answer, Mode, State

NOTE_LENGTH = 500
ACCESS_NEEDS_LENGTH = 300
NAME_LENGTH = 200
READABLE_AFTER_END = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class GivenFor:
    """What an answer was given for, the wall time of the start, the mode and the town, and when."""

    starts_local: datetime | None
    mode: Mode
    town: str = ""
    answer: Answer | None = None
    answered_at: datetime | None = None


def still_holds(given: GivenFor, meeting: MeetingFacts, said: Overrides = overrides.NONE) -> bool:
    """Tell whether the answer still counts, or the person is asked again.

    An answer holds on the same day within an hour, in the same town, and while the way it names is
    offered. Without a date it is frozen and holds. Moving back makes it hold again. What the office
    `said` of a change comes before these rules, but for a way that is not offered any more.
    """
    if given.answer is not None and given.answer not in offered_answers(meeting.mode):
        return False
    if said.are_newer(given.answered_at):
        return False
    return changes.same_place_and_time(given, meeting) or said.carry(given, meeting)


def offered_answers(mode: Mode) -> tuple[Answer, ...]:
    """Name the answers that a meeting of this mode offers, in the order of the page."""
    ways: dict[Mode, tuple[Answer, ...]] = {
        Mode.ON_SITE: (Answer.IN_PERSON,),
        Mode.ONLINE: (Answer.ONLINE,),
        Mode.HYBRID: (Answer.IN_PERSON, Answer.ONLINE),
    }
    return (*ways[mode], Answer.REPRESENTED, Answer.DECLINED, Answer.UNDECIDED)


class Phase(StrEnum):
    """What an answer page shows; the first that matches, in this order."""

    UNKNOWN = "unknown"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    POSTPONED = "postponed"
    HELD = "held"
    IN_PROGRESS = "in_progress"
    LATE = "late"
    FULL = "full"
    OPEN = "open"


_TAKES_ANSWERS = frozenset({Phase.IN_PROGRESS, Phase.LATE, Phase.FULL, Phase.OPEN})


@dataclass(frozen=True, slots=True, kw_only=True)
class InvitationFacts:
    """What the phase needs to know of one invitation."""

    is_open: bool = True
    has_seat: bool = False


def phase(
    meeting: MeetingFacts, invitation: InvitationFacts | None, now: datetime, seats_taken: int = 0
) -> Phase:
    """Tell what the answer page of this invitation shows now; None stands for an unknown link."""
    if invitation is None or not invitation.is_open or meeting.state is State.DRAFT:
        return Phase.UNKNOWN
    ends_at = meeting.ends_at
    if ends_at is not None and now >= ends_at + READABLE_AFTER_END:
        return Phase.EXPIRED
    if meeting.state is State.CANCELLED:
        return Phase.CANCELLED
    if meeting.state in {State.POSTPONED, State.TENTATIVE}:
        # People are asked once the date stands; until then their answers are frozen.
        return Phase.POSTPONED
    return _phase_by_clock(meeting, invitation, now, seats_taken)


def takes_answers(shown: Phase) -> bool:
    """Tell whether the form is there: to the end of the meeting, marked late after the deadline."""
    return shown in _TAKES_ANSWERS


def is_late(meeting: MeetingFacts, now: datetime) -> bool:
    """Tell whether an answer at this instant comes after the deadline."""
    return meeting.answer_by_at is not None and now > meeting.answer_by_at


def seats_left(meeting: MeetingFacts, seats_taken: int) -> int | None:
    """Return how many seats on site are free, never below zero; None without a limit."""
    return None if meeting.capacity is None else max(0, meeting.capacity - seats_taken)


def partner_seats_left(limit: int | None, taken: int | None) -> int | None:
    """Return how many seats one partner has left, never below zero; None without a limit."""
    return None if limit is None else max(0, limit - (taken or 0))


def check(
    answer: Answer | None,
    mode: Mode,
    *,
    note: str = "",
    access_needs: str = "",
    deputy_name: str = "",
) -> dict[str, tuple[str, Mapping[str, object]]]:
    """Return what is wrong with a typed answer, as form field -> (text id, values)."""
    wrong: dict[str, tuple[str, Mapping[str, object]]] = {}
    if answer not in offered_answers(mode):
        wrong["answer"] = ("rsvp.err_answer", {})
    if len(note) > NOTE_LENGTH:
        wrong["note"] = ("rsvp.err_note", {"n": len(note)})
    if len(access_needs) > ACCESS_NEEDS_LENGTH:
        wrong["access_needs"] = (
            "rsvp.err_needs",
            {"n": len(access_needs), "max": ACCESS_NEEDS_LENGTH},
        )
    if len(deputy_name) > NAME_LENGTH:
        wrong["deputy_name"] = ("rsvp.err_name", {"n": len(deputy_name), "max": NAME_LENGTH})
    return wrong


def _phase_by_clock(
    meeting: MeetingFacts, invitation: InvitationFacts, now: datetime, seats_taken: int
) -> Phase:
    ends_at, starts_at = meeting.ends_at, meeting.starts_at
    if meeting.state is State.HELD or (ends_at is not None and now >= ends_at):
        return Phase.HELD
    if starts_at is not None and now >= starts_at:
        return Phase.IN_PROGRESS
    if is_late(meeting, now):
        return Phase.LATE
    if not invitation.has_seat and seats_left(meeting, seats_taken) == 0:
        return Phase.FULL
    return Phase.OPEN
