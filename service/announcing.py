"""Put down what invited people are to be told, in the transaction of the change.

A pending notice keeps the state of things that people know. A further change merges into it, and
what counts is the net effect since people were told last.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from asyncpg import Connection, Record

from service.auditing import Actor
from service.domain import changes, overrides
from service.domain.changes import ChangeEffect, MeetingFacts, Tells
from service.domain.overrides import Overrides
from service.domain.words import NoticeKind, State
from service.tables import facts, meeting_statements, notice_statements

COUNTDOWN = timedelta(minutes=10)
SHORT_COUNTDOWN = timedelta(seconds=60)
SHORT_BEFORE_START = timedelta(hours=48)
_OFF = frozenset({State.CANCELLED, State.POSTPONED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A saved change, as a notice needs it: both states of things and their revisions.

    `is_ticked` tells people of what the rules would tell nobody; `is_silent` puts nothing down.
    `said` is the office's word on the answers, of this change and of earlier ones.
    """

    meeting_id: UUID
    before: MeetingFacts
    after: MeetingFacts
    from_revision: int
    to_revision: int
    effect: ChangeEffect
    asked_again: int = 0
    message: str = ""
    is_ticked: bool = False
    is_silent: bool = False
    said: Overrides = overrides.NONE


class BatchKind(StrEnum):
    """What one press was about that gave rise to several notices."""

    WELCOME = "welcome"
    FAREWELL = "farewell"


@dataclass(frozen=True, slots=True)
class Batch:
    """Notices that one press gave rise to; they are told in one letter."""

    id: UUID
    kind: BatchKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """An invitation or a nudge; `person_ids` None means everybody whom it can concern.

    `is_timed` keeps the office's own time when the session moves. `batch` is what it belongs to.
    """

    kind: NoticeKind
    meeting_id: UUID
    person_ids: Sequence[UUID] | None = None
    is_timed: bool = False
    batch: Batch | None = None


@dataclass(frozen=True, slots=True)
class _Words:
    """What a notice is about and whom it reaches."""

    kind: NoticeKind
    tells: Tells


@dataclass(frozen=True, slots=True)
class _News:
    """What people are told, from which state of things and its revision on; None means all."""

    words: _Words
    known: MeetingFacts
    since: int
    asks_again: bool
    people: Sequence[UUID] | None = None


def due_at(kind: NoticeKind, starts_at: datetime | None, now: datetime) -> datetime:
    """Return the end of the countdown: ten minutes, or one when it is urgent."""
    is_near = starts_at is not None and starts_at - now < SHORT_BEFORE_START
    is_urgent = is_near or kind is NoticeKind.CANCELLATION
    return now + (SHORT_COUNTDOWN if is_urgent else COUNTDOWN)


async def put_down_change(
    connection: "Connection[Any]", actor: Actor, change: Change, now: datetime
) -> UUID | None:
    """Put down a notice of a saved change, or merge it into the pending one; None for no notice.

    A pending notice keeps the state of things that people know; when the net effect is nothing it
    is not needed any more.
    """
    kinds = list(notice_statements.CHANGES)
    pending = await connection.fetchrow(notice_statements.PENDING, change.meeting_id, kinds)
    if change.is_silent and (pending is None or change.after.state in _OFF):
        await connection.execute(notice_statements.REPLACE, change.meeting_id, kinds, now)
        return None
    if pending is not None:
        return await _merge(connection, actor, pending, change, now)
    words = _words(change.effect, is_ticked=change.is_ticked)
    if words is None:
        return None
    return await _put_down(connection, actor, change, words, now)


async def put_down_asking(
    connection: "Connection[Any]", actor: Actor, asking: Asking, due: datetime, now: datetime
) -> UUID | None:
    """Put down an invitation or a nudge; one that is pending for the same people leaves by then.

    None when there is nobody whom it concerns.
    """
    row = await connection.fetchrow(meeting_statements.FIND, asking.meeting_id)
    people = None if asking.person_ids is None else list(asking.person_ids)
    known = await connection.fetch(notice_statements.PENDING, asking.meeting_id, [asking.kind])
    for pending in known:
        if pending["person_ids"] == people:
            await connection.execute(notice_statements.HURRY, pending["id"], due, row["revision"])
            return pending["id"]  # type: ignore[no-any-return]
    notice_id = await connection.fetchval(
        notice_statements.INSERT,
        *(asking.meeting_id, asking.kind, due, row["revision"], row["revision"]),
        *(changes.to_json(facts.read(row)), people, False, False, "", actor.id, now),
        *(asking.is_timed, *_batch_of(asking)),
    )
    kept = await _keep_if_anybody(connection, notice_id, asking.kind)
    return await _gather(connection, actor, kept, due, now)


def _batch_of(asking: Asking) -> tuple[UUID | None, BatchKind | None]:
    return (asking.batch.id, asking.batch.kind) if asking.batch else (None, None)


async def follow_revision(
    connection: "Connection[Any]",
    meeting_id: UUID,
    revision: int,
    due: datetime | None = None,
    latest: datetime | None = None,
) -> None:
    """Let a pending invitation show the newest revision, and leave at another time when given.

    A time that the office chose itself stays while it lies before `latest`.
    """
    await connection.execute(notice_statements.FOLLOW, meeting_id, revision, due, latest)


async def awaits_everybody(connection: "Connection[Any]", meeting_id: UUID) -> bool:
    """Tell whether an invitation of all who are planned is waiting."""
    kinds = [NoticeKind.INVITATION.value]
    pending = await connection.fetch(notice_statements.PENDING, meeting_id, kinds)
    return any(each["person_ids"] is None for each in pending)


async def replace_pending(
    connection: "Connection[Any]", meeting_id: UUID, kinds: Sequence[NoticeKind], now: datetime
) -> None:
    """Drop pending notices that something newer takes the place of."""
    await connection.execute(
        notice_statements.REPLACE, meeting_id, [kind.value for kind in kinds], now
    )


async def _put_down(
    connection: "Connection[Any]", actor: Actor, change: Change, words: _Words, now: datetime
) -> UUID | None:
    news = await _find_news(connection, actor, change, words, now)
    if news is None:
        return None
    due = due_at(news.words.kind, _start(change), now)
    notice_id = await _insert(connection, actor, change, news, due=due, at=now)
    kept = await _keep_if_anybody(connection, notice_id, news.words.kind)
    return await _gather(connection, actor, kept, due, now)


async def _insert(
    connection: "Connection[Any]",
    actor: Actor,
    change: Change,
    news: _News,
    *,
    due: datetime,
    at: datetime,
) -> UUID:
    found: UUID = await connection.fetchval(
        notice_statements.INSERT,
        *(change.meeting_id, news.words.kind, due, news.since, change.to_revision),
        *(changes.to_json(news.known), news.people, news.words.tells is Tells.ALL),
        *(news.asks_again or change.asked_again > 0, change.message, actor.id, at),
        *(False, None, None),
    )
    return found


async def _find_news(
    connection: "Connection[Any]", actor: Actor, change: Change, words: _Words, now: datetime
) -> _News | None:
    """Return what is new to people: more than the change, if a notice was taken back before.

    Where that leads back to what they know, it is new to those alone whom a letter told otherwise
    meanwhile; None where there are none.
    """
    plain = _News(words, change.before, change.from_revision, change.effect.asks_again)
    kinds = list(notice_statements.CHANGES)
    untold = await connection.fetchrow(notice_statements.UNTOLD, change.meeting_id, kinds)
    if untold is None:
        return plain
    known, since = changes.from_json(untold["before"]), untold["from_revision"]
    net = _net(change, known, untold["created_at"])
    told = _words(net, is_ticked=change.is_ticked)
    if told is not None:
        return _News(told, known, since, net.asks_again)
    # What fell due meanwhile was not said by anything: reminders look for a change that is undone.
    since_at = untold["created_at"]
    undone = await _insert(connection, actor, change, plain, due=now, at=since_at)
    await connection.execute(notice_statements.FINISH, undone, "unneeded", 0, now)
    readers = await connection.fetch(notice_statements.READ_SINCE, change.meeting_id, since)
    people = [row["recipient_id"] for row in readers]
    return replace(plain, people=people) if people else None


def _net(change: Change, known: MeetingFacts, since: datetime) -> ChangeEffect:
    """Return what has changed since people were told last, as the office wants answers to count."""
    stands = overrides.place(known), overrides.place(change.after)
    verdict = overrides.verdict_since(change.said, *stands, since)
    return changes.diff(known, change.after, verdict)


async def _merge(
    connection: "Connection[Any]", actor: Actor, pending: Record, change: Change, now: datetime
) -> UUID | None:
    known = changes.from_json(pending["before"])
    net = _net(change, known, pending["created_at"])
    # What waits although the rules would tell nobody was ticked by the office.
    was_ticked = (
        pending["kind"] == NoticeKind.CHANGE
        and pending["person_ids"] is None
        and changes.diff(known, change.before).notice is None
    )
    words = _words(net, is_ticked=change.is_ticked or was_ticked)
    people: list[UUID] | None = None
    if words is None:
        people, net = await _invited_since(connection, pending["id"], change.after)
        words = _words(net, is_ticked=False)
    if words is None:
        await connection.execute(notice_statements.FINISH, pending["id"], "unneeded", 0, now)
        return None
    due = due_at(words.kind, _start(change), now)
    await connection.execute(
        notice_statements.MERGE,
        *(pending["id"], words.kind, due, change.to_revision, words.tells is Tells.ALL),
        *(net.asks_again or change.asked_again > 0, change.message, people),
    )
    if await _is_for_anybody(connection, pending["id"], words.kind):
        return await _gather(connection, actor, pending["id"], due, now)
    await connection.execute(notice_statements.FINISH, pending["id"], "unneeded", 0, now)
    return None


async def _invited_since(
    connection: "Connection[Any]", notice_id: UUID, after: MeetingFacts
) -> tuple[list[UUID], ChangeEffect]:
    """Return whose invitation said otherwise, and what is new to them: all others know it so."""
    found, news = set[UUID](), ChangeEffect(fields=())
    for row in await connection.fetch(notice_statements.INVITED_SINCE, notice_id):
        net = changes.diff(changes.from_json(row["before"]), after)
        if _words(net, is_ticked=False) is not None:
            found |= set(row["person_ids"])
            news = net if net.asks_again or not news.fields else news
    return sorted(found), news


def _words(effect: ChangeEffect, *, is_ticked: bool) -> _Words | None:
    """Return what the letters are about, None for none; invitations have their own notice."""
    if effect.notice is not None and effect.notice is not NoticeKind.INVITATION:
        return _Words(effect.notice, effect.tells)
    if is_ticked and effect.fields:
        return _Words(NoticeKind.CHANGE, Tells.NOT_DECLINED)
    return None


def _start(change: Change) -> datetime | None:
    """Return the nearer of the starts before and after: who comes too early must know in time."""
    starts = [each for each in (change.before.starts_at, change.after.starts_at) if each]
    return min(starts, default=None)


async def _keep_if_anybody(
    connection: "Connection[Any]", notice_id: UUID, kind: NoticeKind
) -> UUID | None:
    """Drop a new notice that is for nobody, so that no countdown runs for nothing."""
    if await _is_for_anybody(connection, notice_id, kind):
        return notice_id
    await connection.execute(notice_statements.DROP, notice_id)
    return None


async def _gather(
    connection: "Connection[Any]",
    actor: Actor,
    notice_id: UUID | None,
    due: datetime,
    now: datetime,
) -> UUID | None:
    """Let what the same hand put down just before leave with it, where the same people read both.

    Only what leaves after a plain countdown; what is urgent waits for nothing.
    """
    if notice_id is not None and due == now + COUNTDOWN:
        await connection.execute(notice_statements.GATHER, notice_id, due, actor.id, now)
    return notice_id


async def _is_for_anybody(connection: "Connection[Any]", notice_id: UUID, kind: NoticeKind) -> bool:
    found = await connection.fetchrow(notice_statements.RECIPIENTS[kind], notice_id)
    return found is not None
