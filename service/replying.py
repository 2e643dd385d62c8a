"""Take answers: by the private link, and entered by the office for somebody who called or wrote."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from service import feed_cache, tokens
from service.auditing import Actor
from service.database import Database
from service.domain import replies
from service.domain.errors import (
    AnsweringClosedError,
    FieldsError,
    MeetingChangedError,
    NotFoundError,
    PartnerSeatsTakenError,
    SeatsTakenError,
)
from service.domain.words import Answer, Mode, Way
from service.finding import InvitationView, find_invitation, load_invitation
from service.tables import answer_statements as statements
from service.tables.answer_statements import AnswerValues
from service.tokens import Keys, Purpose

__all__ = [
    "InvitationView",
    "Recorded",
    "Reply",
    "enter_reply",
    "find_invitation",
    "list_answers",
    "load_invitation",
    "record_heard",
    "record_reply",
]

# Each attempt starts from what the winner of the one before left; nobody loses five times.
_ATTEMPTS = 5
# Links that were renewed more often are found in two steps.
_COMMON_EPOCHS = range(1, 4)
# What the column of the counter holds.
_LARGEST_REVISION = 2**31
FieldProblems = dict[str, tuple[str, Mapping[str, object]]]
_SEATED = frozenset({Answer.IN_PERSON, Answer.REPRESENTED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What somebody says; `seen_revision` is the meeting's that they saw, None skips the check."""

    answer: Answer | None
    note: str = ""
    access_needs: str = ""
    list_consent: bool = False
    deputy_name: str = ""
    answered_for: str = ""
    seen_revision: int | None = None


@dataclass(frozen=True, slots=True)
class Recorded:
    """What became of a reply: `is_new` is False when the very same stood there already."""

    invitation_id: UUID
    answer: Answer
    is_new: bool


@dataclass(frozen=True, slots=True)
class _Source:
    way: Way
    actor: Actor
    looks_automatic: bool = False

    @property
    def entered_by(self) -> UUID | None:
        return self.actor.id if self.actor.kind == "account" else None


_BY_LINK = _Source(Way.LINK, Actor("person"))
_DOUBTED = _Source(Way.LINK, Actor("person"), looks_automatic=True)
_ENTERED_WAYS = frozenset({Way.PHONE, Way.POST, Way.MAIL})


async def record_reply(
    database: Database,
    keys: Keys,
    token: str,
    reply: Reply,
    now: datetime,
    *,
    looks_automatic: bool = False,
) -> Recorded:
    """Store what the holder of the link answers; the same once more changes nothing.

    An answer that does not look automatic takes the mark of one that did.

    Raise the link errors of `find_invitation`, `MeetingChangedError` when the page is older than
    the meeting, `AnsweringClosedError`, `FieldsError`, or `SeatsTakenError` for the last seat.
    """
    source = _DOUBTED if looks_automatic else _BY_LINK
    recorded = await _record_at_once(database, keys, token, reply, source, now)
    if recorded is not None:
        return recorded
    for _ in range(_ATTEMPTS):
        view = await find_invitation(database, keys, token, now)
        recorded = await _try_to_record(database, view, reply, source, now)
        if recorded is not None:
            return recorded
    raise MeetingChangedError


async def enter_reply(  # noqa: PLR0917 - what the office's form holds
    database: Database,
    actor: Actor,
    invitation_id: UUID,
    reply: Reply,
    way: Way,
    now: datetime,
    *,
    meeting_id: UUID | None = None,
) -> Recorded:
    """Store what somebody told the office by telephone, post or mail; the same rules hold.

    `meeting_id`, where given, must be the invitation's, else `NotFoundError`.
    """
    if way not in _ENTERED_WAYS:
        raise FieldsError({"way": ("rsvp.err_way", {})})
    for _ in range(_ATTEMPTS):
        view = await load_invitation(database, invitation_id, now)
        if meeting_id is not None and view.meeting_id != meeting_id:
            raise NotFoundError
        recorded = await _try_to_record(database, view, reply, _Source(way, actor), now)
        if recorded is not None:
            return recorded
    raise MeetingChangedError


async def record_heard(
    database: Database, actor: Actor, invitation_id: UUID, reply: Reply, now: datetime
) -> Recorded:
    """Store what a calendar program answers; the same rules hold, and no receipt leaves.

    Raise `NotFoundError`, `AnsweringClosedError`, `FieldsError` or `SeatsTakenError`.
    """
    for _ in range(_ATTEMPTS):
        view = await load_invitation(database, invitation_id, now)
        recorded = await _try_to_record(database, view, reply, _Source(Way.CALENDAR, actor), now)
        if recorded is not None:
            return recorded
    raise MeetingChangedError


async def list_answers(database: Database, invitation_id: UUID) -> list[asyncpg.Record]:
    """Return the history of an invitation's answers, the newest first."""
    return await database.fetch(statements.HISTORY, invitation_id)


async def _try_to_record(
    database: Database, view: InvitationView, reply: Reply, source: _Source, now: datetime
) -> Recorded | None:
    """Return None when somebody else changed the rows since they were read: look again."""
    answer = _check(view, reply)
    if view.holds and _stands_already(view.row, reply, source):
        return Recorded(view.id, answer, is_new=False)
    takes_seat = answer in _SEATED and view.meeting.mode is not Mode.ONLINE
    if takes_seat and not view.row["has_seat"]:
        _require_seat(view)
    is_limited = view.row["seats_per_partner"] is not None
    row = await _run(
        database,
        statements.RECORD_SEEN_BY_PARTNER if is_limited else statements.RECORD_SEEN,
        *_values(answer, reply, source, now),
        *(view.id, view.row["answer_rev"], replies.is_late(view.meeting, now), view.revision),
        source.looks_automatic,
    )
    if row is None:
        return None
    if row["was_stored"]:
        return Recorded(view.id, answer, is_new=True)
    await database.fetchrow(statements.ENSURE_SEATS, view.meeting_id)
    return None


def _require_seat(view: InvitationView) -> None:
    if view.seats_left == 0:
        raise SeatsTakenError
    if view.partner_seats_left == 0:
        raise PartnerSeatsTakenError


async def _record_at_once(  # noqa: PLR0917 - what the statement takes
    database: Database, keys: Keys, token: str, reply: Reply, source: _Source, now: datetime
) -> Recorded | None:
    """Store a plain answer in the one statement; None when it takes a closer look."""
    handle = tokens.read_handle(token)
    answer, revision = reply.answer, reply.seen_revision
    if handle is None or answer is None or revision is None:
        return None
    epochs = (e for e in _COMMON_EPOCHS if tokens.matches(keys, token, Purpose.ANSWER, handle, e))
    epoch = next(epochs, None)
    if epoch is None:
        return None
    modes = [mode.value for mode in Mode if not _wrong(reply, mode)]
    if not modes or not 0 < revision < _LARGEST_REVISION:
        return None
    row = await _run(
        database,
        statements.RECORD_BY_LINK,
        *_values(answer, reply, source, now),
        *(handle, epoch, revision, modes, source.looks_automatic),
    )
    if row is None or not row["was_stored"]:
        return None
    return Recorded(row["id"], answer, is_new=True)


async def _run(database: Database, statement: str, *values: object) -> asyncpg.Record | None:
    """Run a recording statement, a transaction of its own; None when it found other rows."""
    try:
        row = await database.fetchrow(statement, *values)
    except asyncpg.DeadlockDetectedError:
        # A change of the meeting locked the same rows in another order; PostgreSQL chose us.
        return None
    if row is not None and row["was_stored"]:
        feed_cache.expect_changes(row["feed_ids"])
    return row


def _check(view: InvitationView, reply: Reply) -> Answer:
    """Refuse in the page's order: a meeting that is over, a page that is old, then the fields."""
    if view.is_uninvited or not replies.takes_answers(view.phase):
        raise AnsweringClosedError(phase=view.phase)
    if reply.seen_revision not in {None, view.revision}:
        raise MeetingChangedError(view=view)
    wrong = _wrong(reply, view.meeting.mode)
    if wrong or reply.answer is None:
        raise FieldsError(wrong)
    return reply.answer


def _wrong(reply: Reply, mode: Mode) -> FieldProblems:
    wrong = replies.check(
        reply.answer,
        mode,
        note=reply.note,
        access_needs=reply.access_needs,
        deputy_name=reply.deputy_name,
    )
    if len(reply.answered_for) > replies.NAME_LENGTH:
        wrong["answered_for"] = (
            "rsvp.err_name",
            {"n": len(reply.answered_for), "max": replies.NAME_LENGTH},
        )
    return wrong


def _stands_already(row: asyncpg.Record, reply: Reply, source: _Source) -> bool:
    """Tell whether a second press of the button, or a reload, says what is stored already."""
    return bool(
        row["answer"] == reply.answer
        and (source.looks_automatic or not row["looks_automatic"])
        and row["answer_way"] == source.way
        and row["note"] == reply.note
        and row["access_needs"] == reply.access_needs
        and row["list_consent"] == reply.list_consent
        and row["deputy_name"] == _deputy(reply)
        and row["answered_for"] == reply.answered_for
        and row["given_starts_local"] == row["starts_local"]
        and row["given_mode"] == row["mode"]
        and row["given_town"] == row["town"]
    )


def _deputy(reply: Reply) -> str:
    return reply.deputy_name if reply.answer is Answer.REPRESENTED else ""


def _values(answer: Answer, reply: Reply, source: _Source, now: datetime) -> AnswerValues:
    return AnswerValues(
        takes_seat=answer in _SEATED,
        now=now,
        answer=answer,
        way=source.way,
        entered_by=source.entered_by,
        answered_for=reply.answered_for,
        deputy_name=_deputy(reply),
        note=reply.note,
        access_needs=reply.access_needs,
        list_consent=reply.list_consent,
        actor_kind=source.actor.kind,
    )
