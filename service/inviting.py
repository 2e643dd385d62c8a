"""Look after single invitations: renew the link, take one back, invite one more person."""

from datetime import datetime
from typing import Any
from uuid import UUID

from asyncpg import Connection, Record

from notifications import outbox
from service import announcing, auditing, planning, publishing
from service.announcing import Asking
from service.auditing import Actor
from service.calling import make_code as make_phone_code
from service.calling import use_code as use_phone_code
from service.database import Database
from service.domain import authority as rights
from service.domain.authority import EVERYTHING, Authority
from service.domain.errors import AnsweringClosedError, NotFoundError
from service.domain.words import NoticeKind, State

__all__ = ["invite_one_more", "make_phone_code", "renew_link", "uninvite", "use_phone_code"]

_RENEW = """
UPDATE invitation SET epoch = epoch + 1, renewed_at = $2 WHERE id = $1
RETURNING epoch, ARRAY(
    SELECT group_id FROM meeting_group WHERE meeting_id = invitation.meeting_id) AS group_ids
"""
_MEETING_OF = "SELECT meeting_id FROM invitation WHERE id = $1"
_TAKE_BACK = """
WITH found AS (
    SELECT id, state, has_seat FROM invitation WHERE id = $1 AND state <> 'uninvited' FOR UPDATE
)
UPDATE invitation i SET state = 'uninvited', has_seat = false,
    changed_at = greatest(date_trunc('second', $2::timestamptz), i.changed_at + interval '1 second')
FROM found WHERE i.id = found.id
RETURNING i.person_id, found.state AS was, found.has_seat AS had_seat
"""
_FREE_SEAT = "UPDATE meeting_seats SET taken = taken - 1 WHERE meeting_id = $1"
# Partner and function are those of the day of the meeting. Who was taken off the list before is
# asked afresh: the old answer stays in the history only.
_ADD = """
INSERT INTO invitation (meeting_id, person_id, organisation_id, role_title, created_at)
SELECT $1, p.id, belonging.organisation_id, coalesce(belonging.role_title, ''), $3::timestamptz
FROM person p
LEFT JOIN LATERAL (
    SELECT a.organisation_id, a.role_title FROM affiliation a
    WHERE a.person_id = p.id AND a.from_on <= $4::date AND (a.to_on IS NULL OR a.to_on >= $4)
    ORDER BY a.from_on DESC, a.id LIMIT 1) belonging ON true
WHERE p.id = $2 AND p.ended_on IS NULL AND p.anonymised_at IS NULL
ON CONFLICT (meeting_id, person_id) DO UPDATE SET state = 'planned', invited_at = NULL,
    told_rev = 0, answer = NULL, answer_way = NULL, answered_at = NULL, answered_by = NULL,
    answered_for = '', is_late = false, deputy_name = '', note = '', access_needs = '',
    list_consent = false, given_starts_local = NULL, given_mode = NULL, given_town = NULL,
    organisation_id = excluded.organisation_id, role_title = excluded.role_title,
    changed_at = greatest(
        date_trunc('second', $3::timestamptz), invitation.changed_at + interval '1 second')
    WHERE invitation.state = 'uninvited'
RETURNING id
"""
_KNOWN = "SELECT id FROM invitation WHERE meeting_id = $1 AND person_id = $2"
# What must not reach somebody who is no longer invited.
_ABOUT_COMING = ("invitation", "date_confirmed", "change", "reminder", "nudge")
_LIVE = frozenset({State.TENTATIVE, State.CONFIRMED, State.POSTPONED, State.DRAFT})


async def renew_link(
    database: Database,
    actor: Actor,
    invitation_id: UUID,
    now: datetime,
    *,
    authority: Authority = EVERYTHING,
) -> None:
    """Let every link mailed so far end; the next letter carries the new one."""
    async with database.unit_of_work() as unit:
        row = await unit.connection.fetchrow(_RENEW, invitation_id, now)
        if row is None:
            raise NotFoundError
        rights.require_change(authority, row["group_ids"])
        await auditing.record(
            unit.connection, actor, "renewed_link", "invitation", invitation_id, epoch=row["epoch"]
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

    Return the notice that tells the person after the countdown, None when nothing was mailed.
    """
    async with database.unit_of_work() as unit:
        connection = unit.connection
        meeting_id = await connection.fetchval(_MEETING_OF, invitation_id)
        if meeting_id is None:
            raise NotFoundError
        meeting = await planning.lock(connection, meeting_id, authority)
        row = await connection.fetchrow(_TAKE_BACK, invitation_id, now)
        if row is None:
            return None
        if row["had_seat"]:
            await connection.execute(_FREE_SEAT, meeting_id)
        person_id = row["person_id"]
        await outbox.cancel(connection, meeting_id, _ABOUT_COMING, "uninvited", person_id)
        await publishing.touch_person_feed(connection, person_id, now)
        await auditing.record(connection, actor, "uninvited", "invitation", invitation_id)
        if row["was"] != "invited":
            return None
        asking = _asking(NoticeKind.UNINVITED, meeting, person_id)
        return await _put_down(connection, actor, asking, meeting, now)


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

    While the meeting is confirmed the letter leaves after the countdown, else with the others.
    Raise `NotFoundError` for an unknown or former person, `AnsweringClosedError` when it is over.
    """
    async with database.unit_of_work() as unit:
        connection = unit.connection
        meeting = await planning.lock(connection, meeting_id, authority)
        if meeting["state"] not in _LIVE or (meeting["ends_at"] and meeting["ends_at"] <= now):
            raise AnsweringClosedError
        day = (meeting["starts_local"] or now).date()
        invitation_id = await connection.fetchval(_ADD, meeting_id, person_id, now, day)
        if invitation_id is None:
            return await _known(connection, meeting_id, person_id)
        await publishing.touch_person_feed(connection, person_id, now)
        await auditing.record(connection, actor, "invited", "invitation", invitation_id)
        if meeting["state"] == State.CONFIRMED:
            asking = _asking(NoticeKind.INVITATION, meeting, person_id)
            await _put_down(connection, actor, asking, meeting, now)
        return invitation_id  # type: ignore[no-any-return]


async def _known(connection: "Connection[Any]", meeting_id: UUID, person_id: UUID) -> UUID:
    known: UUID | None = await connection.fetchval(_KNOWN, meeting_id, person_id)
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
