"""Plan sessions: propose the next one of a group, keep drafts, throw drafts away."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4

from asyncpg import Connection, Record

from service import addressing, auditing, obstacles, ruling
from service.auditing import Actor
from service.database import Database
from service.domain import authority as rights
from service.domain import guests, meeting_forms, reminders, titles
from service.domain.authority import EVERYTHING, Authority
from service.domain.changes import MeetingFacts
from service.domain.errors import FieldsError, IllegalMoveError, NotFoundError, StaleFormError
from service.domain.meeting_forms import MeetingForm
from service.domain.words import Audience, Mode, Precision, State
from service.obstacles import Region
from service.ruling import NO_TICKS, Ticks
from service.tables import facts, meeting_statements

_GROUP = """
SELECT g.id, g.name, g.title_pattern, g.next_number, g.answer_working_days_before,
    g.answer_by_time, last.starts_local, last.ends_local, last.mode, last.place_name, last.room,
    last.street, last.town, last.place_access, last.online_url, last.dial_in, last.chair,
    coalesce(last.time_zone, (SELECT time_zone FROM instance), 'Europe/Berlin')
        AS time_zone
FROM working_group g
LEFT JOIN LATERAL (
    SELECT m.* FROM meeting m JOIN meeting_group mg ON mg.meeting_id = m.id
    WHERE mg.group_id = g.id AND m.starts_local IS NOT NULL AND m.state <> 'cancelled'
    ORDER BY m.starts_local DESC LIMIT 1) last ON true
WHERE g.id = $1 AND (g.ended_on IS NULL OR g.ended_on >= $2::date)
"""
_KNOWN_GROUPS = """
SELECT id, title_pattern, next_number FROM working_group WHERE id = ANY ($1::uuid[])
"""
# $1 people, $2 a session, $3 groups: who of them belongs to a group, or is asked by name already.
_KNOWN_PEOPLE = """
SELECT p.id FROM person p
WHERE p.id = ANY ($1::uuid[]) AND (
    EXISTS (SELECT FROM meeting_audience a WHERE a.meeting_id = $2 AND a.person_id = p.id)
    OR EXISTS (SELECT FROM membership s
        WHERE s.person_id = p.id AND s.group_id = ANY ($3::uuid[]) AND s.to_on IS NULL))
"""
_REGION = "SELECT holiday_country, holiday_subdivision FROM instance"
_PLACE = ("place_name", "room", "street", "town", "place_access", "online_url", "dial_in")


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What a new session of a group starts from; `number` is None where none is drawn."""

    meeting_id: UUID
    number: int | None
    form: MeetingForm


async def propose(
    database: Database, group_id: UUID, now: datetime, authority: Authority = EVERYTHING
) -> Proposal:
    """Propose the next session of a group: its number, its title, the last one's place and times.

    Nothing is kept and no number is drawn. Raises `NotFoundError` for a group that is not there.
    """
    rights.require_change(authority, (group_id,))
    group = await database.fetchrow(_GROUP, group_id, now.date())
    if group is None:
        raise NotFoundError
    number = group["next_number"]
    form = MeetingForm(
        group_ids=(group_id,),
        title=titles.fill(group["title_pattern"], number),
        is_numbered=number is not None,
        start_time=_time_of(group["starts_local"]),
        end_time=_time_of(group["ends_local"]),
        zone=group["time_zone"],
    )
    form = _like_the_last(form, group)
    return Proposal(meeting_id=uuid4(), number=number, form=form)


async def propose_deadline(
    database: Database, group_id: UUID, starts_local: datetime
) -> datetime | None:
    """Return the deadline, wall time, that the group's rule gives; None without such a group."""
    async with database.reading() as connection:
        return await find_deadline(connection, group_id, starts_local)


async def save_draft(
    database: Database,
    actor: Actor,
    meeting_id: UUID,
    form: MeetingForm,
    now: datetime,
    *,
    authority: Authority = EVERYTHING,
    seen_revision: int | None = None,
    ticks: Ticks = NO_TICKS,
) -> int:
    """Keep a draft under the id that the form brings, and return its revision.

    Sending the same form twice keeps one draft. `seen_revision` None skips the check for another
    editor. `ticks` switch the session's reminder rules. Raises `FieldsError`, `StaleFormError`,
    `IllegalMoveError` once it is published.
    """
    meeting_forms.check(form, is_draft=True)
    guests.read(form.extra_emails, addressing.read_address)
    async with database.unit_of_work() as unit:
        form = await complete_title(unit.connection, form)
        await require_groups(unit.connection, form, authority)
        form = await without_strangers(unit.connection, meeting_id, form, authority)
        if await _insert(unit.connection, actor, meeting_id, form, now):
            await auditing.record(unit.connection, actor, "drafted", "meeting", meeting_id)
            revision = 1
        else:
            row = await lock(unit.connection, meeting_id, authority)
            revision = await _change(unit.connection, actor, row, form, now, seen_revision)
        scope = ruling.Scope(meeting_id=meeting_id)
        await ruling.tick_rules(unit.connection, actor, scope, ticks, now)
        return revision


async def discard_draft(
    database: Database, actor: Actor, meeting_id: UUID, *, authority: Authority = EVERYTHING
) -> None:
    """Throw a draft away; its number was never drawn. Raises for what was ever published."""
    async with database.unit_of_work() as unit:
        row = await lock(unit.connection, meeting_id, authority)
        if await unit.connection.fetchval(meeting_statements.DELETE_DRAFT, meeting_id) is None:
            raise IllegalMoveError(state=row["state"], move="discard")
        await auditing.record(unit.connection, actor, "discarded", "meeting", meeting_id)


async def load_form(
    database: Database, meeting_id: UUID, authority: Authority = EVERYTHING
) -> tuple[MeetingForm, int]:
    """Return what the form shows of a kept meeting, and the revision that it was read at."""
    row = await database.fetchrow(meeting_statements.FIND, meeting_id)
    if row is None:
        raise NotFoundError
    rights.require_change(authority, row["group_ids"])
    return form_of(row), row["revision"]


async def lock(connection: "Connection[Any]", meeting_id: UUID, authority: Authority) -> Record:
    """Lock a meeting that may be changed and return its row with `group_ids`."""
    row = await connection.fetchrow(meeting_statements.LOCK, meeting_id)
    if row is None:
        raise NotFoundError
    rights.require_change(authority, row["group_ids"])
    return row


def require_fresh(row: Record, seen_revision: int | None) -> None:
    """Raise `StaleFormError` with who saved meanwhile and when; None was not read from a form."""
    if seen_revision is not None and row["revision"] != seen_revision:
        raise StaleFormError(at=row["saved_at"], by=row["saved_by"])


async def require_groups(
    connection: "Connection[Any]", form: MeetingForm, authority: Authority
) -> None:
    """Raise unless all groups of the form are there and may be changed."""
    rights.require_change(authority, form.group_ids)
    known = await connection.fetch(_KNOWN_GROUPS, list(form.group_ids))
    if len(known) != len(set(form.group_ids)):
        raise FieldsError({"group": ("plan.err_group", {})})


async def without_strangers(
    connection: "Connection[Any]", meeting_id: UUID, form: MeetingForm, authority: Authority
) -> MeetingForm:
    """Return the form without people whom its sender must not ask: a lead asks the own group.

    Whom the office put on the list stays on it. Strangers fall away as unknown ids do.
    """
    if authority.is_office or not form.person_ids:
        return form
    known = await connection.fetch(
        _KNOWN_PEOPLE, list(form.person_ids), meeting_id, list(form.group_ids)
    )
    return replace(form, person_ids=frozenset(row["id"] for row in known))


async def complete_title(connection: "Connection[Any]", form: MeetingForm) -> MeetingForm:
    """Return the form with a title from the group's pattern when none was typed."""
    if form.title or not form.group_ids:
        return form
    group = await connection.fetchrow(_KNOWN_GROUPS, list(form.group_ids[:1]))
    if group is None:
        return form
    number = form.number or group["next_number"] if form.is_numbered else None
    return replace(form, title=titles.fill(group["title_pattern"], number))


async def find_deadline(
    connection: "Connection[Any]", group_id: UUID, starts_local: datetime
) -> datetime | None:
    """Return the deadline that the group's rule gives for a start, None without such a group."""
    group = await connection.fetchrow(_GROUP, group_id, starts_local.date())
    if group is None:
        return None
    return reminders.group_deadline(
        starts_local,
        group["answer_working_days_before"],
        group["answer_by_time"],
        obstacles.is_holiday(await find_region(connection)),
    )


async def find_region(connection: "Connection[Any]") -> Region:
    """Return where the office is, for its holidays."""
    row = await connection.fetchrow(_REGION)
    return Region() if row is None else Region(*row.values())


def form_of(row: Record) -> MeetingForm:
    """Return the form that would save the row as it stands."""
    stands = facts.read(row)
    starts, ends = stands.starts_local, stands.ends_local
    is_exact = stands.precision is Precision.TIME
    copied = (*_PLACE, "mode", "capacity", "description", "agenda", "visibility")
    return MeetingForm(
        group_ids=tuple(row["group_ids"]),
        title=stands.title,
        status=State.CONFIRMED if stands.state is State.CONFIRMED else State.TENTATIVE,
        is_numbered=row["is_numbered"],
        precision=stands.precision,
        start_on=None if starts is None else starts.date(),
        start_time=_time_of(starts) if is_exact else None,
        end_on=_last_day(stands),
        end_time=_time_of(ends) if is_exact else None,
        zone=stands.zone,
        answer_by=stands.answer_by_local,
        chair=row["chair"],
        organiser=row["organiser"],
        outward_url=row["outward_url"],
        audience=Audience(row["audience"]),
        person_ids=frozenset(row["audience_ids"]),
        extra_emails=row["extra_emails"],
        seats_per_partner=row["seats_per_partner"],
        **{name: getattr(stands, name) for name in copied},
    )


def _time_of(local: datetime | None) -> time | None:
    return None if local is None else local.time()


def _last_day(stands: MeetingFacts) -> date | None:
    """Return the day of the end when it is not the day of the start."""
    if stands.starts_local is None or stands.ends_local is None:
        return None
    # A rough date ends at midnight after its last day.
    rest = timedelta(0) if stands.precision is Precision.TIME else timedelta(days=1)
    last = (stands.ends_local - rest).date()
    return None if last == stands.starts_local.date() else last


def _like_the_last(form: MeetingForm, group: Record) -> MeetingForm:
    if group["starts_local"] is None:
        return form
    copied = {name: group[name] for name in (*_PLACE, "chair")}
    return replace(form, mode=Mode(group["mode"]), **copied)


def values_of(form: MeetingForm, values: MeetingFacts) -> tuple[Any, ...]:
    """Return the values of the form's columns as the statements take them."""
    return meeting_statements.form_values(
        values,
        is_numbered=form.is_numbered,
        chair=form.chair,
        organiser=form.organiser,
        outward_url=form.outward_url,
        audience=form.audience,
        extra_emails=form.extra_emails,
        seats_per_partner=form.seats_per_partner,
    )


async def save_groups(
    connection: "Connection[Any]", meeting_id: UUID, group_ids: tuple[UUID, ...]
) -> None:
    """Keep which groups meet, in the form's order; a group whose number is drawn stays."""
    await connection.execute(meeting_statements.FORGET_GROUPS, meeting_id, list(group_ids))
    await connection.execute(meeting_statements.SET_GROUPS, meeting_id, list(group_ids))


async def save_audience(
    connection: "Connection[Any]", meeting_id: UUID, person_ids: Collection[UUID]
) -> list[UUID]:
    """Keep who is asked by name, and return who is new on that list."""
    ids = list(person_ids)
    await connection.execute(meeting_statements.FORGET_AUDIENCE, meeting_id, ids)
    rows = await connection.fetch(meeting_statements.SET_AUDIENCE, meeting_id, ids)
    return [row["person_id"] for row in rows]


async def _insert(
    connection: "Connection[Any]", actor: Actor, meeting_id: UUID, form: MeetingForm, now: datetime
) -> bool:
    values = values_of(form, form.facts(State.DRAFT))
    inserted = await connection.fetchval(
        meeting_statements.INSERT_DRAFT, meeting_id, actor.id, actor.name, now, *values
    )
    if inserted is None:
        return False
    await save_groups(connection, meeting_id, form.group_ids)
    await save_audience(connection, meeting_id, form.person_ids)
    return True


async def _change(  # noqa: PLR0917 - a row and what becomes of it
    connection: "Connection[Any]",
    actor: Actor,
    row: Record,
    form: MeetingForm,
    now: datetime,
    seen_revision: int | None,
) -> int:
    """Save a kept draft anew unless nothing is changed; return its revision."""
    if row["state"] != State.DRAFT:
        raise IllegalMoveError(state=row["state"], move="save_draft")
    if replace(form_of(row), number=form.number, status=form.status) == form:
        return int(row["revision"])
    require_fresh(row, seen_revision)
    return await _update(connection, actor, row, form, now)


async def _update(
    connection: "Connection[Any]", actor: Actor, row: Record, form: MeetingForm, now: datetime
) -> int:
    await save_groups(connection, row["id"], form.group_ids)
    await save_audience(connection, row["id"], form.person_ids)
    revision = await connection.fetchval(
        meeting_statements.SAVE,
        *(row["id"], row["revision"], actor.name, now, State.DRAFT, 0, 0, "", True, None, False),
        *values_of(form, form.facts(State.DRAFT)),
    )
    await auditing.record(connection, actor, "edited_draft", "meeting", row["id"])
    return int(revision)
