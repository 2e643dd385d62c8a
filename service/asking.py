"""Whom a session asks, and when their invitations leave."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from asyncpg import Connection, Record

from service import announcing, reminding, timing
from service.announcing import Asking
from service.auditing import Actor
from service.database import Database
from service.domain.authority import EVERYTHING, Authority
from service.domain.changes import MeetingFacts
from service.domain.words import NoticeKind
from service.tables import invitation_statements, meeting_statements, notice_statements


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """The session whose invitations are to leave, and what the office says of the time.

    `own_time` is wall time on the session's clock; without it and without `at_once` the rule of
    the group counts.
    """

    meeting_id: UUID
    meeting: MeetingFacts
    at_once: bool = False
    own_time: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """Somebody whom the form offers: a present member of its groups, or a guest on the list."""

    id: UUID
    name: str
    partner: str
    has_address: bool
    is_member: bool


async def list_candidates(
    database: Database,
    group_ids: Collection[UUID],
    person_ids: Collection[UUID],
    *,
    meeting_id: UUID | None = None,
    authority: Authority = EVERYTHING,
) -> list[Member]:
    """Return the groups' present members and the other named people, by partner and name.

    A lead is shown no others than those whom this session asks by name already.
    """
    rows = await database.fetch(
        invitation_statements.CANDIDATES,
        *(list(group_ids), list(person_ids), authority.is_office, meeting_id),
    )
    return [Member(**dict(row)) for row in rows]


async def add_invitations(
    connection: "Connection[Any]", meeting_id: UUID, now: datetime
) -> list[UUID]:
    """Plan an invitation for each whom the session asks on its day; return who is new.

    That is each member of its groups, or the chosen ones, and the guests. A person who belongs to
    several groups is asked once. The partner and the function of that day are kept, and follow
    while the invitation is only planned; who left before the day is dropped.
    """
    await connection.execute(invitation_statements.DROP_PLANNED, meeting_id, now)
    rows = await connection.fetch(invitation_statements.ADD_PLANNED, meeting_id, now)
    return [row["person_id"] for row in rows if row["is_new"]]


async def add_chosen(
    connection: "Connection[Any]", meeting_id: UUID, named: Collection[UUID], now: datetime
) -> list[UUID]:
    """Plan invitations after the list of names was saved; return who is asked that was not.

    `named` is who is new on the list: uninvited before, they are asked afresh, but for those who
    were not told of that yet.
    """
    added = await add_invitations(connection, meeting_id, now)
    await restore_untold(connection, meeting_id, named, now)
    rows = await connection.fetch(invitation_statements.ASK_AFRESH, meeting_id, list(named), now)
    return [*added, *(row["person_id"] for row in rows)]


async def restore_untold(
    connection: "Connection[Any]", meeting_id: UUID, people: Collection[UUID], now: datetime
) -> list[UUID]:
    """Undo what was taken back and not told yet; return the invitations, as they were before."""
    rows = await connection.fetch(invitation_statements.RESTORE, meeting_id, list(people), now)
    await follow_restored(connection, rows, now)
    return [row["id"] for row in rows]


async def follow_restored(
    connection: "Connection[Any]", rows: Sequence[Record], now: datetime
) -> None:
    """Count the seats of restored invitations again, and let the reminders that stopped leave.

    Notices that are for nobody now are dropped.
    """
    for meeting_id in sorted({row["meeting_id"] for row in rows if row["has_seat"]}):
        await connection.execute(meeting_statements.DROP_SEATS, meeting_id)
        await connection.execute(meeting_statements.COUNT_SEATS, meeting_id)
    for meeting_id in sorted({row["meeting_id"] for row in rows}):
        await _drop_needless(connection, meeting_id, now)
    await reminding.bring_back(connection, [row["id"] for row in rows], now)


async def _drop_needless(connection: "Connection[Any]", meeting_id: UUID, now: datetime) -> None:
    kind = NoticeKind.UNINVITED
    for notice in await connection.fetch(notice_statements.PENDING, meeting_id, [kind]):
        if await connection.fetchrow(notice_statements.RECIPIENTS[kind], notice["id"]) is None:
            values = notice["id"], "unneeded", 0, now
            await connection.execute(notice_statements.FINISH, *values)


async def put_down_all(
    connection: "Connection[Any]", actor: Actor, turn: Turn, now: datetime
) -> UUID | None:
    """Put down the notice that invites everybody who is planned; None when there is nobody."""
    due = await _find_due(connection, turn, now)
    asking = Asking(
        kind=NoticeKind.INVITATION,
        meeting_id=turn.meeting_id,
        is_timed=turn.at_once or turn.own_time is not None,
    )
    return await announcing.put_down_asking(connection, actor, asking, due, now)


async def put_down_added(
    connection: "Connection[Any]", actor: Actor, turn: Turn, person_ids: list[UUID], now: datetime
) -> UUID | None:
    """Invite who came to the list later, unless an invitation of everybody is waiting anyway."""
    if not person_ids or await announcing.awaits_everybody(connection, turn.meeting_id):
        return None
    due = announcing.due_at(NoticeKind.INVITATION, turn.meeting.starts_at, now)
    asking = Asking(
        kind=NoticeKind.INVITATION, meeting_id=turn.meeting_id, person_ids=sorted(person_ids)
    )
    return await announcing.put_down_asking(connection, actor, asking, due, now)


async def follow_move(
    connection: "Connection[Any]", turn: Turn, revision: int, now: datetime
) -> None:
    """Let invitations that wait show the new date, and leave when the rule says for it."""
    due = await _find_due(connection, turn, now)
    latest = timing.latest_invitation(turn.meeting, now)
    await announcing.follow_revision(connection, turn.meeting_id, revision, due, latest)


async def _find_due(connection: "Connection[Any]", turn: Turn, now: datetime) -> datetime:
    soonest = announcing.due_at(NoticeKind.INVITATION, turn.meeting.starts_at, now)
    if turn.at_once:
        return soonest
    if turn.own_time is not None:
        return max(soonest, timing.read_own_time(turn.meeting, turn.own_time, now))
    wanted = await timing.find_invitation_time(connection, turn.meeting_id, turn.meeting)
    return soonest if wanted is None else max(soonest, wanted)
