"""Tell invited people: one pending notice a meeting, a countdown, then letters as a set.

A saved change puts down a notice in its own transaction. Until the countdown ends the office can
send it at once or take it back, and a further change merges into it: what counts is the net
effect since people were told last.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

from asyncpg import Connection, Record

from notifications import combining, crashing, outbox
from service import (
    announcing,
    asking,
    auditing,
    copying,
    overtaking,
    passing_over,
    publishing,
    reminding,
    requesting,
    timing,
)
from service.announcing import Asking
from service.auditing import Actor
from service.database import Database
from service.domain import authority as rights
from service.domain import changes
from service.domain.authority import EVERYTHING, Authority
from service.domain.errors import NotFoundError
from service.domain.words import NoticeKind, State
from service.passing_over import Turn
from service.tables import facts, meeting_statements, notice_statements

EXPANSION_SECONDS = 60.0
_MOST_AT_ONCE = 1000
# Notices of one transaction; whoever changes one of their sessions waits until it ends.
_MOST_TOGETHER = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """Somebody a notice is for; without an address no letter leaves and the office calls.

    `answer` is what they said last, and `holds` whether it counts after the change. `channel` is
    how entries go to them, None before the first one. `is_first` marks who never had a letter.
    """

    person_id: UUID
    name: str
    partner: str
    has_address: bool
    has_copy: bool
    answer: str | None = None
    holds: bool = False
    channel: str | None = None
    is_first: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedNotice:
    """A pending notice with its countdown and everybody it is for."""

    id: UUID
    kind: NoticeKind
    due_at: datetime
    asks_again: bool
    message: str
    recipients: tuple[Recipient, ...]
    is_for_all: bool = True

    @property
    def letters(self) -> int:
        """How many letters leave."""
        return sum(each.has_address for each in self.recipients)

    @property
    def has_own_time(self) -> bool:
        """Tell whether the office may choose when it leaves: the invitations of everybody."""
        return self.kind is NoticeKind.INVITATION and self.is_for_all

    @property
    def without_address(self) -> tuple[Recipient, ...]:
        """Those who have to be told otherwise."""
        return tuple(each for each in self.recipients if not each.has_address)


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A countdown that runs: what leaves soon, about which session."""

    id: UUID
    kind: NoticeKind
    due_at: datetime
    meeting_id: UUID
    title: str


async def ask(
    database: Database,
    actor: Actor,
    meeting_id: UUID,
    now: datetime,
    *,
    kind: NoticeKind,
    person_ids: Sequence[UUID] | None = None,
    authority: Authority = EVERYTHING,
) -> UUID | None:
    """Invite or remind after the countdown, everybody whom it can concern or the named.

    A second press finds the first one's notice. None when nobody is left, or no date stands.
    """
    wanted = Asking(kind=kind, meeting_id=meeting_id, person_ids=person_ids)
    async with database.unit_of_work() as unit:
        connection = unit.connection
        row = await connection.fetchrow(meeting_statements.LOCK, meeting_id)
        if row is None:
            raise NotFoundError
        rights.require_change(authority, row["group_ids"])
        if row["state"] != State.CONFIRMED:
            return None
        due = announcing.due_at(kind, row["starts_at"], now)
        await auditing.record(connection, actor, f"asked_{kind}", "meeting", row["id"])
        return await announcing.put_down_asking(connection, actor, wanted, due, now)


invite = partial(ask, kind=NoticeKind.INVITATION)
"""Invite those who are planned; see `ask`."""
remind = partial(ask, kind=NoticeKind.NUDGE)
"""Remind those who are invited and have not answered; see `ask`."""


async def send_now(
    database: Database,
    actor: Actor,
    notice_id: UUID,
    now: datetime,
    *,
    authority: Authority = EVERYTHING,
) -> int | None:
    """End the countdown and return how many letters were posted, None if it was over already.

    What was put down by the same press leaves with it, as one letter a person.
    """
    return await send_together(database, actor, [notice_id], now, authority=authority)


async def send_together(
    database: Database,
    actor: Actor,
    notice_ids: Sequence[UUID],
    now: datetime,
    *,
    authority: Authority = EVERYTHING,
) -> int | None:
    """End several countdowns at once, and write to each person once about all of them.

    None when all of them were over already. Raises `NotFoundError` for a foreign or unknown one.
    """
    async with database.unit_of_work(statement_seconds=EXPANSION_SECONDS) as unit:
        return await send_named(unit.connection, actor, notice_ids, now, authority=authority)


async def send_named(
    connection: "Connection[Any]",
    actor: Actor,
    notice_ids: Sequence[UUID],
    now: datetime,
    *,
    authority: Authority = EVERYTHING,
) -> int | None:
    """Do so within a transaction."""
    notices = await _lock_pending(connection, notice_ids, authority, with_batch=True)
    if not notices:
        return None
    for notice in notices:
        await auditing.record(
            connection, actor, "sent_now", "notice", notice["id"], kind=notice["kind"]
        )
    return await _expand(connection, notices, now)


async def withdraw(
    database: Database,
    actor: Actor,
    notice_id: UUID,
    now: datetime,
    *,
    authority: Authority = EVERYTHING,
) -> bool:
    """Take a notice back before its letters exist; the change itself stays. False if too late."""
    async with database.unit_of_work() as unit:
        if not await _lock_pending(unit.connection, [notice_id], authority):
            return False
        finished = await unit.connection.fetchrow(
            notice_statements.FINISH, notice_id, "withdrawn", None, now
        )
        await auditing.record(
            unit.connection, actor, "withdrew", "notice", notice_id, kind=finished["kind"]
        )
        if finished["kind"] in notice_statements.CHANGES:
            since = finished["created_at"]
            await reminding.undo_merging(unit.connection, finished["meeting_id"], since, now)
        return True


async def set_time(
    database: Database,
    actor: Actor,
    notice_id: UUID,
    local: datetime,
    now: datetime,
    *,
    authority: Authority = EVERYTHING,
) -> bool:
    """Let waiting invitations leave at another time, wall time of the session; False if too late.

    Raises `FieldsError` for a time that is past or leaves nobody time to answer.
    """
    async with database.unit_of_work() as unit:
        notices = await _lock_pending(unit.connection, [notice_id], authority)
        if not notices:
            return False
        notice = notices[0]
        meeting = await unit.connection.fetchrow(meeting_statements.FIND, notice["meeting_id"])
        due = timing.read_own_time(facts.read(meeting), local, now)
        is_set = await unit.connection.fetchval(notice_statements.SET_TIME, notice_id, due)
        if is_set is None:
            return False
        await auditing.record(
            unit.connection, actor, "put_off", "notice", notice_id, until=due.isoformat()
        )
        return True


async def queue_due(database: Database, now: datetime) -> int:
    """Turn due notices into letters and return how many letters are new.

    All that is due at once is one transaction, and one letter a person. Any number of replicas may
    do so any number of times: a notice is claimed by one of them. One that fails is tried alone,
    and again with the next run; the first error is raised after all others have been done.
    """
    letters = await passing_over.work_through(
        partial(_queue_together, database, now), _MOST_AT_ONCE
    )
    if letters:
        crashing.pass_point("before_wake")
    return letters


async def _queue_together(database: Database, now: datetime, turn: Turn) -> int | None:
    async with database.unit_of_work(statement_seconds=EXPANSION_SECONDS) as unit:
        return await take_due(unit.connection, now, turn)


async def take_due(connection: "Connection[Any]", now: datetime, turn: Turn) -> int | None:
    """Turn the next due notices into letters within a transaction; None when none is left."""
    first = await connection.fetchrow(notice_statements.CLAIM_FIRST, now, turn.failed)
    if first is None:
        return None
    turn.taken = [first["id"]]
    apart = [first["id"], *turn.failed, *turn.suspects]
    room = 0 if first["id"] in turn.suspects else _MOST_TOGETHER - 1
    others = await connection.fetch(notice_statements.CLAIM_OTHERS, now, apart, room)
    turn.taken += [other["id"] for other in others]
    return await _expand(connection, [first, *others], now)


async def list_pending(connection: "Connection[Any]", meeting_id: UUID) -> list[PlannedNotice]:
    """Return the meeting's pending notices with everybody they are for, oldest first."""
    rows = await connection.fetch(
        "SELECT * FROM notice WHERE meeting_id = $1 AND state = 'pending'"
        # Those of one move in the same order whenever it is rehearsed.
        " ORDER BY created_at, kind, id",
        meeting_id,
    )
    return [await _describe(connection, row) for row in rows]


async def find_pending(database: Database, meeting_id: UUID) -> list[PlannedNotice]:
    """Return the meeting's pending notices, for the office's page."""
    async with database.reading() as connection:
        return await list_pending(connection, meeting_id)


async def list_running(database: Database, authority: Authority, now: datetime) -> list[Running]:
    """Return what leaves within the hour and may be sent by this account, the first one first."""
    return [
        Running(
            id=row["id"],
            kind=NoticeKind(row["kind"]),
            due_at=row["due_at"],
            meeting_id=row["meeting_id"],
            title=row["title"],
        )
        for row in await database.fetch(notice_statements.RUNNING, now)
        if all(authority.may_change_group(group_id) for group_id in row["group_ids"])
    ]


async def _expand(connection: "Connection[Any]", notices: Sequence[Record], now: datetime) -> int:
    """Post the letters of notices whose meetings are locked, and note who has been told.

    Order of locks: invitations of all meetings in the order of their ids, then feeds. A session's
    change comes before its invitation, which says the newest anyway.
    """
    told = [(notice, await _post(connection, notice, now)) for notice in sorted(notices, key=_rank)]
    folded = 0
    if len(notices) > 1 or notices[0]["batch_id"] is not None:
        folded = await combining.fold_selected(
            connection, notice_statements.FOLD, list(notice_statements.TOGETHER)
        )
        await requesting.follow_folded(connection, now)
    await copying.follow(connection)
    for notice, count in told:
        if notice["kind"] == NoticeKind.INVITATION:
            # From now on the invited people's own calendars carry the access and their answer.
            await publishing.touch_feeds(connection, notice["meeting_id"], now)
        await connection.execute(notice_statements.FINISH, notice["id"], "sent", count, now)
    return sum(count for _, count in told) - folded


def _rank(notice: Record) -> tuple[Any, ...]:
    is_invitation = notice["kind"] == NoticeKind.INVITATION
    return notice["meeting_id"], is_invitation, notice["created_at"], notice["id"]


async def _post(connection: "Connection[Any]", notice: Record, now: datetime) -> int:
    kind = NoticeKind(notice["kind"])
    if kind is NoticeKind.INVITATION and notice["person_ids"] is None:
        # Weeks may have passed: who has joined since is asked, who has left is not.
        await asking.add_invitations(connection, notice["meeting_id"], now)
    if kind is NoticeKind.INVITATION:
        said = facts.read(await connection.fetchrow(meeting_statements.FIND, notice["meeting_id"]))
        await connection.execute(notice_statements.KEEP_SAID, notice["id"], changes.to_json(said))
    if kind.value in notice_statements.CHANGES:
        count = await overtaking.post(connection, notice, now)
    else:
        count = await outbox.post_selected(
            connection, notice_statements.EXPAND[kind], notice["id"], now
        )
    if kind is NoticeKind.INVITATION:
        await connection.execute(notice_statements.MARK_INVITED, notice["id"], now)
        await connection.execute(notice_statements.MARK_MEETING_INVITED, notice["meeting_id"], now)
        await reminding.plan_slots(connection, notice["meeting_id"], now)
    elif kind.value in notice_statements.CHANGES:
        await connection.execute(notice_statements.MARK_TOLD, notice["id"])
    return count


async def _lock_pending(
    connection: "Connection[Any]",
    notice_ids: Sequence[UUID],
    authority: Authority,
    *,
    with_batch: bool = False,
) -> list[Record]:
    """Lock the named notices that still wait, at will with what came of the same press.

    Of that only what the account may change. Raises `NotFoundError` for a foreign or unknown one.
    """
    ids = list(notice_ids)
    meetings = await connection.fetch(notice_statements.LOCK_MEETINGS, ids, with_batch)
    named = [meeting for meeting in meetings if meeting["is_named"]]
    if not named:
        raise NotFoundError
    for meeting in named:
        rights.require_change(authority, meeting["group_ids"])
    allowed = [
        meeting["id"]
        for meeting in meetings
        if all(authority.may_change_group(group_id) for group_id in meeting["group_ids"])
    ]
    return await connection.fetch(notice_statements.LOCK_PENDING, ids, with_batch, allowed)  # type: ignore[no-any-return]


async def _describe(connection: "Connection[Any]", row: Record) -> PlannedNotice:
    kind = NoticeKind(row["kind"])
    people = await connection.fetch(notice_statements.RECIPIENTS[kind], row["id"])
    return PlannedNotice(
        id=row["id"],
        kind=kind,
        due_at=row["due_at"],
        asks_again=row["asks_again"],
        message=row["message"],
        is_for_all=row["person_ids"] is None,
        recipients=tuple(Recipient(**person) for person in people),
    )
