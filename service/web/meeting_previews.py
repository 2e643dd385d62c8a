"""What previews and confirm pages have in common: a rehearsal in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from service import overseeing, planning, previewing, sampling
from service.domain import instants
from service.domain.meeting_forms import MeetingForm
from service.domain.meetings import Move
from service.domain.shown import ShownMeeting
from service.domain.words import NoticeKind, Precision, State
from service.noticing import Recipient
from service.overseeing import DayLook
from service.pages import dates
from service.previewing import ShownLetter
from service.rehearsing import Rehearsal
from service.services import Services
from service.web.forms import Field, Form
from service.web.visitors import Visitor

_MOVES: Mapping[tuple[State, State], Move] = {
    (State.DRAFT, State.TENTATIVE): Move.PUBLISH_TENTATIVE,
    (State.DRAFT, State.CONFIRMED): Move.PUBLISH_CONFIRMED,
    (State.TENTATIVE, State.CONFIRMED): Move.CONFIRM,
    (State.POSTPONED, State.TENTATIVE): Move.RESCHEDULE_TENTATIVE,
    (State.POSTPONED, State.CONFIRMED): Move.RESCHEDULE_CONFIRMED,
}
TEST = Field("test")
"""The button of a letter that is to go to whoever looks, and to nobody else."""

_PLANNED = frozenset({State.DRAFT, State.TENTATIVE, State.CONFIRMED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """A rehearsal as the pages tell it."""

    seen: Rehearsal
    recipients: tuple[Recipient, ...]
    without_address: tuple[Recipient, ...]
    letters: list[ShownLetter]
    entry: str | None
    calendar: str
    invites: int
    invite_at: datetime | None

    @property
    def n(self) -> int:
        """How many letters leave."""
        return self.seen.letters


def describe(services: Services, visitor: Visitor, seen: Rehearsal) -> Preview:
    """Put a rehearsal into what a page shows."""
    instance = visitor.furnishing.instance
    everybody = {one.person_id: one for each in seen.notices for one in each.recipients}
    invitation = next((one for one in seen.notices if one.kind is NoticeKind.INVITATION), None)
    zone = visitor.furnishing.time_zone
    is_later = (
        invitation is not None and instants.to_local(invitation.due_at, zone).date() > visitor.today
    )
    return Preview(
        seen=seen,
        recipients=tuple(one for one in everybody.values() if one.has_address),
        without_address=tuple(one for one in everybody.values() if not one.has_address),
        letters=previewing.show_letters(services, instance, seen),
        entry=previewing.show_entry(services, instance, seen),
        calendar=previewing.effect_on_calendars(seen),
        invites=0 if invitation is None else invitation.letters,
        invite_at=invitation.due_at if invitation is not None and is_later else None,
    )


async def send_test(
    services: Services, visitor: Visitor, form: Form, letters: Sequence[ShownLetter]
) -> bool:
    """Send the letter whose test button was pressed to whoever pressed it; False without one.

    Raises `TooManyTriesError`.
    """
    letter = previewing.find(letters, form.parsed.get(TEST.name) or "")
    if letter is None:
        return False
    await sampling.send(services, visitor.staff, letter)
    return True


def wanted_move(state: State, status: State) -> Move:
    """Return the move that leads from where a session stands to what the form asks for."""
    return _MOVES.get((state, status), Move.CHANGE)


def with_status(entries: MeetingForm, status: State, number: int | None) -> MeetingForm:
    """Return the entries with the status and the number that were wished for."""
    return replace(entries, status=status, number=number)


async def with_deadline(services: Services, form: Form, entries: MeetingForm) -> MeetingForm:
    """Give a new session the deadline of its group's rule where none was typed."""
    starts = entries.starts_local
    is_new = form["revision"] is None
    if not is_new or entries.answer_by is not None or starts is None or not entries.group_ids:
        return entries
    if entries.precision is not Precision.TIME:
        return entries
    deadline = await planning.propose_deadline(services.database, entries.group_ids[0], starts)
    local_now = instants.to_local(services.clock(), entries.zone)
    if deadline is None or not local_now < deadline < starts:
        return entries
    return replace(entries, answer_by=deadline)


def with_title(entries: MeetingForm, title: str) -> MeetingForm:
    """Return the entries under another title."""
    return replace(entries, title=title)


def clock_of(visitor: Visitor, at: datetime) -> str:
    """Say an instant as the office's clock shows it, with the day when it was not today."""
    local = instants.to_local(at, visitor.furnishing.time_zone)
    clock = dates.format_clock(local.time(), visitor.locale)
    if local.date() == visitor.today:
        return clock
    return f"{dates.format_short_date(local.date(), visitor.locale)}, {clock}"


async def look_at_day(services: Services, visitor: Visitor, form: Form) -> DayLook | None:
    """Look at the day that was typed, None where there is none yet."""
    day = form.parsed.get("start_date") or _day_of(form.values.get("start_date"))
    if day is None:
        return None
    group, own = form.values.get("group"), form.values.get("id")
    groups = [UUID(str(group))] if group and not form.errors.get("group") else []
    last_on = form.parsed.get("end_date") or _day_of(form.values.get("end_date"))
    own_id = UUID(str(own)) if own else UUID(int=0)
    return await overseeing.look_at_day(
        services.database, day, own_id, groups, visitor.locale, last_on
    )


async def look_at_meeting(
    services: Services, visitor: Visitor, meeting: ShownMeeting, group_ids: Sequence[UUID]
) -> DayLook | None:
    """Look at the day of a session, None unless it is still to come on a known day."""
    starts = meeting.starts_local
    is_dated = meeting.date_precision in {Precision.TIME, Precision.DAY}
    if starts is None or not is_dated or meeting.state not in _PLANNED:
        return None
    if starts.date() < instants.to_local(visitor.now, meeting.time_zone).date():
        return None
    return await overseeing.look_at_day(
        services.database,
        starts.date(),
        meeting.id,
        group_ids,
        visitor.locale,
        meeting.last_day,
    )


def _day_of(text: Any) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError:
        return None
