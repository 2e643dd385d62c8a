"""Look after single invitations: renew the link, take one back, invite one more person."""

from datetime import datetime
from typing import Any
from uuid import UUID

from asyncpg import Connection, Record

from notifications import outbox
from service import announcing, asking, auditing, planning, publishing, repeating
from service.announcing import Asking
from service.auditing import Actor
from service.calling import make_code as make_phone_code
from service.calling import use_code as use_phone_code
from service.database import Database
from service.domain import authority as rights
from service.domain.authority import EVERYTHING, Authority
from service.domain.errors import AnsweringClosedError, NotFoundError
from service.domain.words import NoticeKind, State
from service.tables import invitation_statements as statements
from service.tables import meeting_statements

__all__ = ["invite_one_more", "make_phone_code", "renew_link", "uninvite", "use_phone_code"]

# What must not reach somebody who is no longer invited.
_WAITING = (
    *("invitation", "date_confirmed", "change", "postponed", "cancellation", "uncancellation"),
    *("reminder", "nudge"),
)
_LIVE = frozenset({State.TENTATIVE, State.CONFIRMED, State.POSTPONED, State.DRAFT})


async def renew_link(
    database: Database,
    actor: Actor,
    invitation_id: UUID,
    now: datetime,
    *,
    authority: Authority = EVERYTHING,
) -> bool:
    """Let every link mailed so far end, and the newest letter leave again with the new one.

    False where no letter follows: there is no address, none was sent yet, or no date stands.
    """
    async with database.unit_of_work() as unit:
        row = await unit.connection.fetchrow(statements.RENEW_LINK, invitation_id, now)
        if row is None:
            raise NotFoundError
        rights.require_change(authority, row["group_ids"])
        await auditing.record(
            unit.connection, actor, "renewed_link", "invitation", invitation_id, epoch=row["epoch"]
        )
        return await repeating.follow_new_link(
            unit.connection, invitation_id, row["meeting_id"], now
        )


async def uninvite(
    database: Database,
    actor: Actor,
    invitation_id: UUID,
    now: datetime,
    *,
    authority: Authority = EVERYTHING,
) -> UUID | None:
    """Take an invitation back: the seat is free, the link says so, waiting letters do not leave.

    The row stays, or the next look at the group's members would add the person again. Return the
    notice that tells the person after the countdown, None for somebody who was only planned.
    """
    async with database.unit_of_work() as unit:
        connection = unit.connection
        meeting_id = await connection.fetchval(statements.FIND_MEETING_OF, invitation_id)
        if meeting_id is None:
            raise NotFoundError
        meeting = await planning.lock(connection, meeting_id, authority)
        row = await take_back(connection, actor, meeting_id, invitation_id, now)
        if row is None:
            return None
        notice_id = None
        if row["was"] == "invited":
            wanted = _asking(NoticeKind.UNINVITED, meeting, row["person_id"])
            notice_id = await tell_withdrawn(connection, actor, wanted, meeting, now)
        await publishing.touch_feeds(connection, meeting_id, now)
        return notice_id


async def take_back(
    connection: "Connection[Any]",
    actor: Actor,
    meeting_id: UUID,
    invitation_id: UUID,
    now: datetime,
) -> Record | None:
    """Take an invitation back whose meeting is locked, and tell nobody; None when it was already.

    Feeds are the caller's: they come last in the order of locks.
    """
    row = await connection.fetchrow(statements.UNINVITE, invitation_id, now)
    if row is None:
        return None
    if row["had_seat"]:
        await connection.execute(statements.FREE_SEAT, meeting_id, row["partner"])
    person_id = row["person_id"]
    await connection.execute(meeting_statements.LEAVE_AUDIENCE, meeting_id, person_id)
    await outbox.cancel(connection, meeting_id, _WAITING, "uninvited", person_id)
    await auditing.record(connection, actor, "uninvited", "invitation", invitation_id)
    return row


async def tell_withdrawn(
    connection: "Connection[Any]",
    actor: Actor,
    asking: Asking,
    meeting: Record,
    now: datetime,
    *,
    due: datetime | None = None,
) -> UUID | None:
    """Put down who is to read that the invitation is withdrawn; return the notice.

    The entry becomes newer than the one in people's calendars, or nothing could take it out.
    """
    raised = await connection.fetchval(meeting_statements.RAISE_SEQUENCE, meeting["id"], now)
    await announcing.follow_revision(connection, meeting["id"], raised)
    due = due or announcing.due_at(asking.kind, meeting["starts_at"], now)
    return await announcing.put_down_asking(connection, actor, asking, due, now)


async def invite_one_more(
    database: Database,
    actor: Actor,
    meeting_id: UUID,
    person_id: UUID,
    now: datetime,
    *,
    authority: Authority = EVERYTHING,
) -> UUID:
    """Put one more person on the list and return the invitation; whoever is on it stays as is.

    While the meeting is confirmed the letter leaves after the countdown, else with the others. Who
    was taken off it and not told yet is on it again as before, and reads nothing.
    Raise `NotFoundError` for an unknown or former person, `AnsweringClosedError` when it is over.
    """
    async with database.unit_of_work() as unit:
        connection = unit.connection
        meeting = await planning.lock(connection, meeting_id, authority)
        if meeting["state"] not in _LIVE or (meeting["ends_at"] and meeting["ends_at"] <= now):
            raise AnsweringClosedError
        restored = await asking.restore_untold(connection, meeting_id, [person_id], now)
        if restored:
            await _follow(connection, meeting_id, person_id, now)
            await auditing.record(connection, actor, "invited_again", "invitation", restored[0])
            return restored[0]
        day = (meeting["starts_local"] or now).date()
        invitation_id = await connection.fetchval(
            statements.ADD_ONE, meeting_id, person_id, now, day
        )
        if invitation_id is None:
            return await _known(connection, meeting_id, person_id)
        await _follow(connection, meeting_id, person_id, now)
        await auditing.record(connection, actor, "invited", "invitation", invitation_id)
        if meeting["state"] == State.CONFIRMED:
            wanted = _asking(NoticeKind.INVITATION, meeting, person_id)
            await _put_down(connection, actor, wanted, meeting, now)
        return invitation_id  # type: ignore[no-any-return]


async def _follow(
    connection: "Connection[Any]", meeting_id: UUID, person_id: UUID, now: datetime
) -> None:
    # The list of names knows, or the next look at the members would drop the guest again.
    await connection.execute(meeting_statements.SET_AUDIENCE, meeting_id, [person_id])
    await publishing.touch_person_feed(connection, person_id, now)


async def _known(connection: "Connection[Any]", meeting_id: UUID, person_id: UUID) -> UUID:
    known: UUID | None = await connection.fetchval(statements.FIND_OF_PERSON, meeting_id, person_id)
    if known is None:
        raise NotFoundError
    return known


def _asking(kind: NoticeKind, meeting: Record, person_id: UUID) -> Asking:
    return Asking(kind=kind, meeting_id=meeting["id"], person_ids=[person_id])


async def _put_down(
    connection: "Connection[Any]", actor: Actor, asking: Asking, meeting: Record, now: datetime
) -> UUID | None:
    due = announcing.due_at(asking.kind, meeting["starts_at"], now)
    return await announcing.put_down_asking(connection, actor, asking, due, now)
