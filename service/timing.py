"""When invitations leave and until when people answer: by rule, or as the office says."""

from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from asyncpg import Connection, Record

from service import obstacles, planning
from service.domain import changes, instants, reminders
from service.domain.changes import MeetingFacts
from service.domain.errors import FieldsError
from service.domain.meeting_forms import MeetingForm
from service.domain.words import State
from service.tables import notice_statements

_INVITE_WEEKS = """
SELECT g.invite_weeks_before FROM meeting_group mg JOIN working_group g ON g.id = mg.group_id
WHERE mg.meeting_id = $1 ORDER BY mg.position, g.id LIMIT 1
"""


async def renew_deadline(
    connection: "Connection[Any]", row: Record, form: MeetingForm, now: datetime
) -> MeetingForm:
    """Give a moved session a new deadline, unless the office set one itself.

    Back at the date that people know, it is the deadline that they know: they are told nothing.
    """
    starts = form.starts_local
    old_start = row["starts_local"] or row["previous_starts_local"]
    is_untouched = form.answer_by == row["answer_by_local"]
    is_moved = not changes.same_date(old_start, starts)
    if starts is None or not is_untouched or not is_moved or row["state"] == State.DRAFT:
        return form
    known = await _find_known(connection, row["id"])
    if known is not None and known.starts_local and changes.same_date(known.starts_local, starts):
        deadline = known.answer_by_at
        if deadline is None or deadline > now:
            return replace(form, answer_by=known.answer_by_local)
    rule = await planning.find_deadline(connection, form.group_ids[0], starts)
    is_holiday = obstacles.is_holiday(await planning.find_region(connection))
    deadline = reminders.deadline_after_move(rule, starts, form.zone, now, is_holiday)
    return replace(form, answer_by=deadline)


async def _find_known(connection: "Connection[Any]", meeting_id: UUID) -> MeetingFacts | None:
    """Return what people know while a change of it is not told, None when they know all."""
    kinds = list(notice_statements.CHANGES)
    pending = await connection.fetchrow(notice_statements.PENDING, meeting_id, kinds)
    if pending is not None:
        return changes.from_json(pending["before"])
    untold = await connection.fetchval(notice_statements.UNTOLD, meeting_id, kinds)
    return None if untold is None else changes.from_json(untold)


async def find_invitation_time(
    connection: "Connection[Any]", meeting_id: UUID, meeting: MeetingFacts
) -> datetime | None:
    """Return when the group's rule sends invitations, None for a session without a date."""
    if meeting.starts_local is None:
        return None
    weeks = await connection.fetchval(_INVITE_WEEKS, meeting_id)
    is_holiday = obstacles.is_holiday(await planning.find_region(connection))
    return reminders.invitation_at(meeting.starts_local, meeting.zone, weeks or 0, is_holiday)


def read_own_time(meeting: MeetingFacts, local: datetime, now: datetime) -> datetime:
    """Return the instant of a time, on the session's clock, that the office chose for invitations.

    Raises `FieldsError` for a time that is past, that no clock shows, or that leaves nobody time
    to answer.
    """
    odd = instants.oddity(local, meeting.zone)
    if odd is not None:
        raise FieldsError({"invite_time": (odd.value, {})})
    at = instants.to_utc(local, meeting.zone)
    if at <= now:
        raise FieldsError({"invite_on": ("plan.err_invite_past", {})})
    latest = latest_invitation(meeting, now)
    if latest is not None and at >= latest:
        raise FieldsError({"invite_on": ("plan.err_invite_late", {})})
    return at


def latest_invitation(meeting: MeetingFacts, now: datetime) -> datetime | None:
    """Return until when an invitation is of use: the deadline, or the start when that is past."""
    deadline = meeting.answer_by_at
    return meeting.starts_at if deadline is None or deadline <= now else deadline
