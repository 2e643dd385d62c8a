"""Publish, confirm, move, postpone, cancel: one transaction each, and all that follows with it."""

from datetime import datetime, timedelta
from uuid import UUID

import structlog

from service import auditing, moving, publishing
from service.auditing import CLOCK, Actor
from service.database import Database
from service.domain.errors import FieldsError
from service.domain.meeting_forms import MeetingForm
from service.domain.meetings import Move
from service.domain.words import State
from service.moving import BY_RULE, NO_ENDING, Ending, Letters, Options, Saved, Saving
from service.tables import facts, meeting_statements

__all__ = [
    "BY_RULE",
    "Letters",
    "Options",
    "Saved",
    "cancel",
    "change",
    "confirm",
    "follow_zones",
    "hold_finished",
    "make",
    "postpone",
    "publish",
    "reschedule",
    "uncancel",
]

HELD_AFTER_END = timedelta(hours=1)
REASON_LENGTH = 2000

_log = structlog.get_logger(__name__)


async def publish(
    database: Database,
    actor: Actor,
    meeting_id: UUID,
    form: MeetingForm,
    now: datetime,
    *,
    options: Options = BY_RULE,
) -> Saved:
    """Publish a draft as the form's status says; draw its number, plan its invitations.

    A second press finds it published and changes nothing. Raises `FieldsError`, `StaleFormError`,
    `IllegalMoveError`, `NotFoundError`.
    """
    is_firm = form.status is State.CONFIRMED
    wanted = Move.PUBLISH_CONFIRMED if is_firm else Move.PUBLISH_TENTATIVE
    return await make(database, actor, meeting_id, wanted, now, form=form, options=options)


async def confirm(
    database: Database,
    actor: Actor,
    meeting_id: UUID,
    form: MeetingForm | None,
    now: datetime,
    *,
    options: Options = BY_RULE,
) -> Saved:
    """Say that a tentative date stands, with a changed form or, by None, as it is."""
    return await make(database, actor, meeting_id, Move.CONFIRM, now, form=form, options=options)


async def change(
    database: Database,
    actor: Actor,
    meeting_id: UUID,
    form: MeetingForm,
    now: datetime,
    *,
    options: Options = BY_RULE,
) -> Saved:
    """Save a changed form of a published session; what it does is the rules' table."""
    return await make(database, actor, meeting_id, Move.CHANGE, now, form=form, options=options)


async def postpone(
    database: Database,
    actor: Actor,
    meeting_id: UUID,
    now: datetime,
    *,
    options: Options = BY_RULE,
) -> Saved:
    """Take the date away: "verschoben, neuer Termin folgt"; number, UID and page stay."""
    return await make(database, actor, meeting_id, Move.POSTPONE, now, options=options)


async def reschedule(
    database: Database,
    actor: Actor,
    meeting_id: UUID,
    form: MeetingForm,
    now: datetime,
    *,
    options: Options = BY_RULE,
) -> Saved:
    """Give a postponed session a new date, firm or not as the form's status says."""
    is_firm = form.status is State.CONFIRMED
    wanted = Move.RESCHEDULE_CONFIRMED if is_firm else Move.RESCHEDULE_TENTATIVE
    return await make(database, actor, meeting_id, wanted, now, form=form, options=options)


async def cancel(
    database: Database,
    actor: Actor,
    meeting_id: UUID,
    reason: str,
    now: datetime,
    *,
    number_kept: bool = True,
    options: Options = BY_RULE,
) -> Saved:
    """Cancel with a reason that everybody reads; what was not yet told is not told at all.

    `number_kept` is the office's word: the number stays with this session, or the session is
    made up for. Nothing renumbers either way.
    """
    if len(reason) > REASON_LENGTH:
        raise FieldsError({"reason": ("plan.err_long", {"n": REASON_LENGTH})})
    ending = Ending(reason=reason, number_kept=number_kept)
    return await make(database, actor, meeting_id, Move.CANCEL, now, ending=ending, options=options)


async def uncancel(
    database: Database,
    actor: Actor,
    meeting_id: UUID,
    form: MeetingForm | None,
    now: datetime,
    *,
    options: Options = BY_RULE,
) -> Saved:
    """Take a cancellation back to where the session stood; its answers hold again as frozen."""
    return await make(database, actor, meeting_id, None, now, form=form, options=options)


async def make(
    database: Database,
    actor: Actor,
    meeting_id: UUID,
    wanted: Move | None,
    now: datetime,
    *,
    form: MeetingForm | None = None,
    ending: Ending = NO_ENDING,
    options: Options = BY_RULE,
) -> Saved:
    """Make one move in a transaction of its own; `form` None keeps the entries as they are.

    `wanted` None takes a cancellation back to where the session stood.
    """
    saving = Saving(actor, now, options)
    async with database.unit_of_work() as unit:
        return await moving.make_move(
            unit.connection, meeting_id, wanted, saving, form=form, ending=ending
        )


async def hold_finished(database: Database, now: datetime) -> int:
    """Note one hour after the end that confirmed sessions took place; return how many."""
    async with database.unit_of_work() as unit:
        rows = await unit.connection.fetch(
            meeting_statements.HOLD_FINISHED, now, now - HELD_AFTER_END
        )
        for row in rows:
            await auditing.record(unit.connection, CLOCK, "held", "meeting", row["id"])
            await publishing.touch_feeds(unit.connection, row["id"], now)
        return len(rows)


async def follow_zones(database: Database, now: datetime) -> int:
    """Derive the instants of coming sessions anew where a zone's rules have changed; how many.

    Wall times are what was said and stay; nobody is told and no counter rises.
    """
    followed = 0
    for row in await database.fetch(meeting_statements.COMING, now):
        meeting = facts.read(row)
        derived = (meeting.starts_at, meeting.ends_at, meeting.answer_by_at)
        if derived == (row["starts_at"], row["ends_at"], row["answer_by"]):
            continue
        said = (meeting.starts_local, meeting.ends_local, meeting.answer_by_local, meeting.zone)
        async with database.unit_of_work() as unit:
            found = await unit.connection.fetchval(
                meeting_statements.DERIVE, row["id"], *derived, *said
            )
            followed += found is not None
    if followed:
        _log.warning("sessions.zone_rules_changed", sessions=followed)
    return followed
