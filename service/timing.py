"""When invitations leave and until when people answer, by the rules of the session's group."""

from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from asyncpg import Connection, Record

from service import obstacles, planning
from service.domain import changes, reminders
from service.domain.changes import MeetingFacts
from service.domain.meeting_forms import MeetingForm
from service.domain.words import State

_INVITE_WEEKS = """
SELECT g.invite_weeks_before FROM meeting_group mg JOIN working_group g ON g.id = mg.group_id
WHERE mg.meeting_id = $1 ORDER BY mg.position, g.id LIMIT 1
"""


async def renew_deadline(
    connection: "Connection[Any]", row: Record, form: MeetingForm, now: datetime
) -> MeetingForm:
    """Give a moved session a new deadline, unless the office set one itself."""
    starts = form.starts_local
    old_start = row["starts_local"] or row["previous_starts_local"]
    is_untouched = form.answer_by == row["answer_by_local"]
    is_moved = not changes.same_date(old_start, starts)
    if starts is None or not is_untouched or not is_moved or row["state"] == State.DRAFT:
        return form
    rule = await planning.find_deadline(connection, form.group_ids[0], starts)
    is_holiday = obstacles.is_holiday(await planning.find_region(connection))
    deadline = reminders.deadline_after_move(rule, starts, form.zone, now, is_holiday)
    return replace(form, answer_by=deadline)


async def find_invitation_time(
    connection: "Connection[Any]", meeting_id: UUID, meeting: MeetingFacts
) -> datetime | None:
    """Return when the group's rule sends invitations, None for a session without a date."""
    if meeting.starts_local is None:
        return None
    weeks = await connection.fetchval(_INVITE_WEEKS, meeting_id)
    is_holiday = obstacles.is_holiday(await planning.find_region(connection))
    return reminders.invitation_at(meeting.starts_local, meeting.zone, weeks or 0, is_holiday)
