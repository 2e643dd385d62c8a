"""Make one move of a meeting inside a transaction, with all that follows from it.

The row's lock puts editors, presses and replicas in line. Answers are never touched: what they
were given for stands beside them, and whether they still hold is computed.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from asyncpg import Connection, Record

from notifications import outbox
from service import (
    announcing,
    asking,
    auditing,
    numbering,
    overtaking,
    planning,
    publishing,
    reminding,
    ruling,
    timing,
    welcoming,
)
from service.announcing import Change
from service.asking import Turn
from service.domain import changes, meeting_forms, meetings, overrides
from service.domain.changes import ChangeEffect, MeetingFacts
from service.domain.errors import FieldsError
from service.domain.meeting_forms import MeetingForm
from service.domain.meetings import Move
from service.domain.words import Audience, NoticeKind, State, Verdict
from service.saving import BY_RULE, NO_ENDING, Ending, Letters, Options, Saved, Saving, Step
from service.tables import facts, invitation_statements, meeting_statements

__all__ = ["BY_RULE", "NO_ENDING", "Ending", "Letters", "Options", "Saved", "Saving", "make_move"]

# Letters about a time that is no more; the newest state leaves with the notice.
_SUPERSEDED = ("invitation", "reminder", "nudge")
_EVERY_LETTER = (
    *_SUPERSEDED,
    "date_confirmed",
    "change",
    "postponed",
    "cancellation",
    "uncancellation",
)
_DATED = frozenset({State.TENTATIVE, State.CONFIRMED})
_ASKING = (NoticeKind.INVITATION, NoticeKind.NUDGE)


async def make_move(
    connection: "Connection[Any]",
    meeting_id: UUID,
    wanted: Move | None,
    saving: Saving,
    *,
    form: MeetingForm | None = None,
    ending: Ending = NO_ENDING,
) -> Saved:
    """Make one move inside the caller's transaction; `form` None keeps the entries.

    `wanted` None takes a cancellation back to where the session stood.
    Order of locks: meeting, groups, invitations, seats, feeds.
    """
    row = await planning.lock(connection, meeting_id, saving.options.authority)
    if wanted is None:
        stood = row["cancelled_from"]
        wanted = meetings.uncancel_to(State(stood) if stood else None)
    saved = await _make(connection, row, wanted, saving, form, ending)
    scope = ruling.Scope(meeting_id=meeting_id)
    switched = await ruling.tick_rules(
        connection, saving.actor, scope, saving.options.ticks, saving.now
    )
    return replace(saved, switched=switched)


async def _make(  # noqa: PLR0917 - a move and all that it brings
    connection: "Connection[Any]",
    row: Record,
    wanted: Move,
    saving: Saving,
    form: MeetingForm | None,
    ending: Ending,
) -> Saved:
    """Make the move unless it was made before, or changes nothing."""
    if _was_done_before(row, wanted):
        if form is not None and _is_another(row, form):
            # Somebody else pressed first, with other entries: nothing typed may get lost.
            planning.require_fresh(row, saving.options.seen_revision)
        return _as_it_stands(row)
    step = await _prepare(connection, row, wanted, saving, form)
    if step is None:
        return _as_it_stands(row)
    step = replace(step, ending=ending)
    revision, added = await _save(connection, step, saving)
    await _record(connection, step, wanted, saving)
    notice_ids, asked_again = await _tell(connection, step, revision, saving, added)
    await _follow(connection, step, saving.now)
    return Saved(
        meeting_id=step.meeting_id,
        state=step.after.state,
        revision=revision,
        effect=step.effect,
        notice_ids=notice_ids,
        asked_again=asked_again,
        asks_by_rule=step.asks_by_rule,
        is_changed=True,
    )


def _was_done_before(row: Record, wanted: Move) -> bool:
    """Tell whether this is the second press of one button; changes compare their entries."""
    again = {
        Move.PUBLISH_TENTATIVE: State.TENTATIVE,
        Move.PUBLISH_CONFIRMED: State.CONFIRMED,
        Move.CONFIRM: State.CONFIRMED,
        Move.POSTPONE: State.POSTPONED,
        Move.CANCEL: State.CANCELLED,
    }
    return again.get(wanted) == State(row["state"])


def _is_another(row: Record, form: MeetingForm) -> bool:
    """Tell whether the form differs from what is kept; publishing itself writes the number."""
    kept = planning.form_of(row)
    return replace(form, number=None, title=kept.title, status=kept.status) != kept


def _as_it_stands(row: Record) -> Saved:
    return Saved(
        meeting_id=row["id"],
        state=State(row["state"]),
        revision=row["revision"],
        effect=ChangeEffect(fields=()),
    )


async def _prepare(
    connection: "Connection[Any]",
    row: Record,
    wanted: Move,
    saving: Saving,
    form: MeetingForm | None,
) -> Step | None:
    """Check everything before anything is written; None when the form changes nothing."""
    before = facts.read(row)
    state = meetings.move(before.state, wanted)
    kept = planning.form_of(row)
    form = kept if form is None else form
    if not form.title and before.state is not State.DRAFT:
        # The pattern's next number is another session's; this one keeps its name.
        form = replace(form, title=kept.title)
    if state is before.state and replace(form, number=None, status=kept.status) == kept:
        return None
    planning.require_fresh(row, saving.options.seen_revision)
    if state in _DATED:
        form = await timing.renew_deadline(connection, row, replace(form, status=state), saving.now)
    elif state is State.POSTPONED:
        form = meeting_forms.without_date(form)
    if form is not kept:
        form = await _check(connection, row["id"], form, state, saving)
    return _step(row, form, before, form.facts(state), saving)


def _step(
    row: Record, form: MeetingForm, before: MeetingFacts, after: MeetingFacts, saving: Saving
) -> Step:
    """Tell what the move does, by the table or by the office's word on the answers."""
    known, stands = overrides.read(row), overrides.place(after)
    stood = overrides.place(before)
    if before.starts_local is None:
        stood = replace(stood, starts_local=row["previous_starts_local"])
    has_date = after.state in _DATED and before.state is not State.DRAFT
    asks_by_rule = has_date and not changes.same_place_and_time(stood, stands)
    verdict = saving.options.answers if has_date else None
    if (verdict is Verdict.ASK) is asks_by_rule:
        verdict = None
    return Step(
        row=row,
        form=form,
        before=before,
        after=after,
        effect=changes.diff(before, after, verdict),
        ending=NO_ENDING,
        said=overrides.add(known, stood, stands, verdict, saving.now) if has_date else known,
        asks_by_rule=asks_by_rule,
    )


async def _check(
    connection: "Connection[Any]", meeting_id: UUID, form: MeetingForm, state: State, saving: Saving
) -> MeetingForm:
    form = await planning.complete_title(connection, form)
    authority = saving.options.authority
    await planning.require_groups(connection, form, authority)
    form = await planning.without_strangers(connection, meeting_id, form, authority)
    meeting_forms.check(form, is_draft=state not in _DATED)
    return form


async def _save(
    connection: "Connection[Any]", step: Step, saving: Saving
) -> tuple[int, list[UUID]]:
    """Write the row, number and groups; then, still before seats, who is to be invited.

    Returns the new revision, and who came to the list of names.
    """
    form, after = step.form, step.after
    if after.state is State.CONFIRMED and form.extra_emails:
        guests = await welcoming.welcome(connection, saving.actor, form.extra_emails)
        form = replace(form, person_ids=form.person_ids | guests, extra_emails="")
    await planning.save_groups(connection, step.meeting_id, form.group_ids)
    if step.is_published_now:
        drawn = await numbering.draw_numbers(connection, step.meeting_id, form)
        title, _ = await numbering.name_meeting(connection, step.meeting_id, form, drawn)
        form, after = replace(form, title=title), replace(after, title=title)
    revision = await connection.fetchval(
        meeting_statements.SAVE,
        *(step.meeting_id, step.row["revision"], saving.actor.name, saving.now, after.state),
        *(int(step.effect.bumps_sequence), int(step.effect.bumps_time_rev)),
        *_fate(step),
        *planning.values_of(form, after),
    )
    await connection.execute(
        meeting_statements.SET_OVERRIDES,
        *(step.meeting_id, overrides.to_json(step.said), step.said.asked_at),
    )
    named = await planning.save_audience(connection, step.meeting_id, form.person_ids)
    if after.state is not State.CONFIRMED:
        return int(revision), []
    added = await asking.add_chosen(connection, step.meeting_id, named, saving.now)
    is_wider = form.audience is Audience.GROUP and form.audience != step.row["audience"]
    return int(revision), added if is_wider else [one for one in added if one in named]


def _fate(step: Step) -> tuple[Any, ...]:
    """Return what is kept of a cancellation, and whether the date becomes the former one."""
    is_cancelled = step.after.state is State.CANCELLED
    return (
        step.ending.reason if is_cancelled else "",
        step.ending.number_kept,
        step.before.state if is_cancelled else None,
        step.after.state is State.POSTPONED and step.before.starts_local is not None,
    )


async def _record(connection: "Connection[Any]", step: Step, wanted: Move, saving: Saving) -> None:
    await auditing.record(
        connection,
        saving.actor,
        wanted.value,
        "meeting",
        step.meeting_id,
        fields=[field.name for field in step.effect.fields],
        letters=saving.options.letters.value,
        **_words_of(saving.options),
    )


def _words_of(options: Options) -> dict[str, str]:
    """Return what the office decided beside the rules, for the record."""
    said: dict[str, str] = {}
    if options.invite_local is not None:
        said["invite"] = options.invite_local.isoformat(timespec="minutes")
    if options.answers is not None:
        said["answers"] = options.answers.value
    return said


async def _tell(
    connection: "Connection[Any]", step: Step, revision: int, saving: Saving, added: list[UUID]
) -> tuple[tuple[UUID, ...], int]:
    """Take back letters that are no longer true, and put down what people are to be told."""
    planned_again = await _take_back(connection, step, saving.now)
    asked_again = 0
    if step.after.state in _DATED:
        asked_again = await connection.fetchval(
            invitation_statements.COUNT_ASKED_AGAIN, step.meeting_id
        )
    told = await announcing.put_down_change(
        connection,
        saving.actor,
        Change(
            meeting_id=step.meeting_id,
            before=step.before,
            after=step.after,
            from_revision=step.row["revision"],
            to_revision=revision,
            effect=step.effect,
            asked_again=asked_again,
            message=saving.options.message or step.ending.reason,
            is_ticked=saving.options.letters is Letters.TICKED or bool(saving.options.message),
            is_silent=saving.options.letters is Letters.NONE,
            said=step.said,
        ),
        saving.now,
    )
    if told is not None:
        await overtaking.put_off(connection, told, saving.now)
    invited = await _invite(connection, step, revision, saving, None if planned_again else added)
    return tuple(each for each in (told, invited) if each is not None), asked_again


async def _take_back(connection: "Connection[Any]", step: Step, now: datetime) -> int:
    """Cancel letters that speak of the former state; return whose invitation never left."""
    is_off = step.after.state in {State.CANCELLED, State.POSTPONED}
    if step.after.state is not State.CONFIRMED:
        await announcing.replace_pending(connection, step.meeting_id, _ASKING, now)
    if step.is_published_now or not (is_off or step.effect.bumps_time_rev):
        return 0
    kinds = _EVERY_LETTER if is_off else _SUPERSEDED
    await outbox.cancel(connection, step.meeting_id, kinds, "superseded")
    rows = await connection.fetch(invitation_statements.PLAN_AGAIN, step.meeting_id)
    return len(rows)


async def _invite(
    connection: "Connection[Any]",
    step: Step,
    revision: int,
    saving: Saving,
    added: list[UUID] | None,
) -> UUID | None:
    """Put down who is invited: all who are planned, at first and by None again, else who is new."""
    if step.after.state is not State.CONFIRMED:
        return None
    options = saving.options
    turn = Turn(
        meeting_id=step.meeting_id,
        meeting=step.after,
        at_once=options.letters is Letters.NOW,
        own_time=options.invite_local,
    )
    if step.before.state is State.CONFIRMED and added is not None:
        if step.effect.bumps_time_rev:
            await asking.follow_move(connection, turn, revision, saving.now)
        else:
            await announcing.follow_revision(connection, step.meeting_id, revision)
        if options.letters is Letters.NONE:
            return None
        return await asking.put_down_added(connection, saving.actor, turn, added, saving.now)
    if options.letters is Letters.NONE:
        return None
    return await asking.put_down_all(connection, saving.actor, turn, saving.now)


async def _follow(connection: "Connection[Any]", step: Step, now: datetime) -> None:
    """Let reminders, seats and feeds follow, in the order of the locks."""
    await reminding.plan_slots(connection, step.meeting_id, now, reminding.Occasion.CHANGE)
    await _count_seats(connection, step)
    if set(step.row["group_ids"]) <= set(step.form.group_ids):
        await publishing.touch_feeds(connection, step.meeting_id, now)
    else:
        # A group that does not meet any more has to lose the entry, too.
        await publishing.touch_all_feeds(connection, now)


async def _count_seats(connection: "Connection[Any]", step: Step) -> None:
    """Count the seats under their lock, and refuse a new limit that more people have accepted."""
    await connection.execute(meeting_statements.DROP_SEATS, step.meeting_id)
    seats = await connection.fetchrow(meeting_statements.COUNT_SEATS, step.meeting_id)
    capacity, taken = step.after.capacity, seats["taken"]
    if capacity is not None and capacity != step.before.capacity and capacity < taken:
        raise FieldsError({"capacity": ("plan.err_capacity", {"n": taken})})
    limit, most = step.form.seats_per_partner, max(seats["by_partner"].values(), default=0)
    if limit is not None and limit != step.row["seats_per_partner"] and limit < most:
        raise FieldsError({"seats_per_partner": ("plan.err_partner_seats", {"n": most})})
