"""Choose whom a session asks beside its groups' members: one person more, or one less."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from asyncpg import Connection, Record

from notifications import outbox
from service import announcing, auditing, planning, publishing
from service.announcing import Asking
from service.auditing import Actor
from service.database import Database
from service.domain.authority import EVERYTHING, Authority
from service.domain.errors import NotFoundError
from service.domain.words import NoticeKind, State
from service.tables import invitation_statements, meeting_statements

# All that may wait for somebody who is not asked any more.
_WAITING: Sequence[str] = (
    "invitation",
    "date_confirmed",
    "change",
    "postponed",
    "cancellation",
    "uncancellation",
    "nudge",
    "reminder",
)


async def add_person(
    database: Database,
    actor: Actor,
    meeting_id: UUID,
    person_id: UUID,
    now: datetime,
    *,
    authority: Authority = EVERYTHING,
) -> UUID:
    """Plan an invitation for one more person, and put it down when the session is confirmed.

    Return the invitation's id; somebody who is asked already stays as they are. Raises
    `NotFoundError` for an unknown session or person.
    """
    async with database.unit_of_work() as unit:
        connection = unit.connection
        row = await planning.lock(connection, meeting_id, authority)
        added = await connection.fetchval(invitation_statements.ADD_ONE, meeting_id, person_id, now)
        if added is None:
            raise NotFoundError
        await auditing.record(connection, actor, "added_person", "invitation", added)
        if row["state"] == State.CONFIRMED:
            asking = Asking(
                kind=NoticeKind.INVITATION, meeting_id=meeting_id, person_ids=[person_id]
            )
            await _ask(connection, actor, row, asking, now)
        return added  # type: ignore[no-any-return]


async def uninvite(
    database: Database,
    actor: Actor,
    invitation_id: UUID,
    now: datetime,
    *,
    authority: Authority = EVERYTHING,
) -> UUID | None:
    """Take one invitation back; the row stays as "uninvited", its seat is free at once.

    Return the notice that tells the person, None when there is nobody to tell: somebody who was
    only planned never hears of it. Letters that wait for this person do not leave.
    """
    async with database.unit_of_work() as unit:
        connection = unit.connection
        meeting_id = await connection.fetchval(invitation_statements.FIND_MEETING_OF, invitation_id)
        if meeting_id is None:
            raise NotFoundError
        row = await planning.lock(connection, meeting_id, authority)
        if await connection.fetchval(invitation_statements.LEAVE_OUT, invitation_id):
            await auditing.record(connection, actor, "left_out", "invitation", invitation_id)
            return None
        person_id = await connection.fetchval(invitation_statements.UNINVITE, invitation_id, now)
        if person_id is None:
            return None
        await auditing.record(connection, actor, "uninvited", "invitation", invitation_id)
        return await _take_back(connection, actor, row, person_id, now)


async def _take_back(
    connection: "Connection[Any]", actor: Actor, row: Record, person_id: UUID, now: datetime
) -> UUID | None:
    meeting_id = row["id"]
    await outbox.cancel(connection, meeting_id, _WAITING, "uninvited", person_id)
    await connection.execute(meeting_statements.RAISE_SEQUENCE, meeting_id, now)
    asking = Asking(kind=NoticeKind.UNINVITED, meeting_id=meeting_id, person_ids=[person_id])
    notice_id = await _ask(connection, actor, row, asking, now)
    await connection.execute(meeting_statements.DROP_SEATS, meeting_id)
    await connection.execute(meeting_statements.COUNT_SEATS, meeting_id)
    await publishing.touch_feeds(connection, meeting_id, now)
    return notice_id


async def _ask(
    connection: "Connection[Any]", actor: Actor, row: Record, asking: Asking, now: datetime
) -> UUID | None:
    due = announcing.due_at(asking.kind, row["starts_at"], now)
    return await announcing.put_down_asking(connection, actor, asking, due, now)
