"""Rehearse a move of a session: make it, look at what follows, and roll everything back.

The preview never says anything else than what the button will do, because it is the same code in a
transaction that does not commit. Nobody else sees any of it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from asyncpg import Connection

from service import moving, noticing, planning, requesting
from service.auditing import Actor
from service.database import Database
from service.domain import changes
from service.domain.changes import MeetingFacts
from service.domain.meeting_forms import MeetingForm
from service.domain.meetings import Move
from service.domain.shown import ShownMeeting
from service.domain.words import NoticeKind
from service.moving import BY_RULE, NO_ENDING, Ending, Options, Saved, Saving
from service.noticing import PlannedNotice
from service.requesting import Ear
from service.tables import facts, shown_meetings

_MEETING = f"{shown_meetings.SELECT}, meeting.capacity FROM meeting WHERE meeting.id = $1"
_NUMBER = "SELECT number FROM meeting_group WHERE meeting_id = $1 ORDER BY position LIMIT 1"

_KNOWN = "SELECT kind, before FROM notice WHERE meeting_id = $1 AND state = 'pending'"
_PENDING = "SELECT id FROM notice WHERE meeting_id = $1 AND state = 'pending'"
# Letters to the session's people that have not left, as the move leaves them.
_QUEUED = """
SELECT l.kind, count(*) FROM letter_about l JOIN outbox o ON o.id = l.letter_id
WHERE l.subject_id = $1 AND o.state IN ('queued', 'sending', 'uncertain')
    AND l.dropped_because IS NULL
GROUP BY l.kind ORDER BY l.kind
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What somebody is about to do: a move, with a changed form or the entries as they are.

    `move` None takes a cancellation back to where the session stood.
    """

    move: Move | None
    form: MeetingForm | None = None
    ending: Ending = NO_ENDING
    options: Options = BY_RULE


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """What would stand after the move, and which letters would wait for their countdown.

    `known` is by kind of notice what people have been told so far: a notice that is pending already
    takes the change in. `merged` are notices that waited before the move and still do, `queued` is
    by kind how many letters have been posted already and will leave beside. `ear` tells whether
    invitations may bring buttons.
    """

    saved: Saved
    before: MeetingFacts
    after: MeetingFacts
    meeting: ShownMeeting
    number: int | None
    known: Mapping[NoticeKind, MeetingFacts]
    notices: tuple[PlannedNotice, ...]
    merged: tuple[NoticeKind, ...]
    queued: Mapping[str, int]
    ear: Ear

    @property
    def letters(self) -> int:
        """How many letters would leave."""
        return sum(notice.letters for notice in self.notices)

    @property
    def most_per_person(self) -> int:
        """How many letters one person gets at most."""
        addressed = [
            person.person_id
            for notice in self.notices
            for person in notice.recipients
            if person.has_address
        ]
        return max((addressed.count(each) for each in set(addressed)), default=0)


async def rehearse(
    database: Database, actor: Actor, meeting_id: UUID, wish: Wish, now: datetime
) -> Rehearsal:
    """Return what the move would do; write nothing.

    Raises what the move itself would raise: `FieldsError`, `StaleFormError`, `IllegalMoveError`,
    `NotFoundError`.
    """
    async with database.rehearsal() as unit:
        return await _play(unit.connection, actor, meeting_id, wish, now)


async def _play(
    connection: "Connection[Any]", actor: Actor, meeting_id: UUID, wish: Wish, now: datetime
) -> Rehearsal:
    row = await planning.lock(connection, meeting_id, wish.options.authority)
    before = facts.read(row)
    waited = {each["id"] for each in await connection.fetch(_PENDING, meeting_id)}
    saving = Saving(actor, now, wish.options)
    saved = await moving.make_move(
        connection, meeting_id, wish.move, saving, form=wish.form, ending=wish.ending
    )
    after = await connection.fetchrow(_MEETING, meeting_id)
    notices = await noticing.list_pending(connection, meeting_id)
    return Rehearsal(
        saved=saved,
        before=before,
        after=facts.read(after),
        meeting=shown_meetings.from_row(after),
        number=await connection.fetchval(_NUMBER, meeting_id),
        known={
            NoticeKind(each["kind"]): changes.from_json(each["before"])
            for each in await connection.fetch(_KNOWN, meeting_id)
        },
        notices=tuple(notices),
        merged=tuple(each.kind for each in notices if each.id in waited),
        queued=dict(await connection.fetch(_QUEUED, meeting_id)),
        ear=await requesting.read_ear(connection),
    )
