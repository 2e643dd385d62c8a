"""Plan and save the alliance's facts: instance, groups, meetings, pilot projects, documents.

What the book already has stays as it is; sessions are changed on their own pages. Sessions that
were published without a date get a sensible one in the future, and the plan says so. Of dates to
come it says what stands in their way: holidays and the days of the office's own lists.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4

from asyncpg import Connection

from service import (
    auditing,
    barring,
    import_facts,
    keeping_people,
    moving,
    obstacles,
    planning,
    publishing,
    reading_facts,
)
from service.auditing import Actor
from service.domain import titles
from service.domain.imports import Line, Note, Verdict
from service.domain.meeting_forms import MeetingForm
from service.domain.meetings import Move
from service.domain.obstacles import USUAL, Obstacle, Treatment
from service.domain.words import Precision, State
from service.moving import Letters, Options, Saving
from service.reading_facts import Facts, ListedMeeting
from service.tables import meeting_statements

START, END = time(10), time(12)
_SOONEST = timedelta(weeks=6)
_APART = timedelta(weeks=1)
_MONTHS_APART = 3
# Nobody meets in the summer break; September is the first month after it.
_SUMMER = (7, 8)
_AFTER_SUMMER = 9
# Mondays and Fridays are for travelling and for finishing.
_GOOD_DAYS = (1, 2, 3)
_LONGEST_SEARCH_DAYS = 200

_MEETINGS = """
SELECT g.slug, mg.number, m.title, m.starts_local::date AS day
FROM meeting m JOIN meeting_group mg ON mg.meeting_id = m.id
JOIN working_group g ON g.id = mg.group_id
WHERE m.state <> 'cancelled' OR mg.number IS NOT NULL
"""
_GROUP = "SELECT id FROM working_group WHERE slug = $1"
_HOLD = """
UPDATE meeting SET state = 'held', held_at = coalesce(ends_at, $2) WHERE id = $1
"""

IsFree = Callable[[date], bool]
Find = Callable[[date], tuple[Obstacle, ...]]


@dataclass(frozen=True, slots=True)
class _Known:
    """The sessions that the book has, and the days on which something is."""

    numbers: frozenset[tuple[str, int]]
    titles: frozenset[tuple[str, str]]
    days: frozenset[date]


async def plan(connection: "Connection[Any]", text: str, now: datetime) -> list[Line]:
    """Return what the facts would do, a line for each of them."""
    facts = reading_facts.read(text)
    lines = await import_facts.plan(connection, facts)
    lines += await _plan_meetings(connection, facts, now)
    return [replace(line, number=number) for number, line in enumerate(lines, start=1)]


async def save(
    connection: "Connection[Any]", lines: Sequence[Line], actor: Actor, now: datetime
) -> None:
    """Write what is new: groups before their sessions. No letter leaves."""
    for line in lines:
        if isinstance(line.row, ListedMeeting):
            await _add_meeting(connection, line.row, actor, now)
        else:
            await import_facts.save(connection, line, now)
    # Groups may have got other names, and the office its own.
    await publishing.ensure_feeds(connection)
    await publishing.touch_all_feeds(connection, now)


async def _plan_meetings(connection: "Connection[Any]", facts: Facts, now: datetime) -> list[Line]:
    rows = await connection.fetch(_MEETINGS)
    known = _Known(
        numbers=frozenset((row["slug"], row["number"]) for row in rows if row["number"]),
        titles=frozenset((row["slug"], titles.sort_key(row["title"])) for row in rows),
        days=frozenset(row["day"] for row in rows if row["day"]),
    )
    slugs = {row["slug"] for row in await connection.fetch("SELECT slug FROM working_group")}
    slugs |= {group.slug for group in facts.groups}
    seen: set[tuple[str, int | str]] = set()
    lines = [_judge(meeting, known, slugs, seen) for meeting in facts.meetings]
    listed = await barring.list_barred(connection, keeping_people.today(now))

    def find(day: date) -> tuple[Obstacle, ...]:
        return obstacles.find(facts.region, day, day, listed=listed)

    days = _good_days(find, known.days)
    placed = _place([line.row for line in lines if line.verdict is Verdict.NEW], days, now)
    return [_warn(_show(line, placed), find, now) for line in lines]


def _judge(
    meeting: ListedMeeting, known: _Known, slugs: set[str], seen: set[tuple[str, int | str]]
) -> Line:
    errors = meeting.errors
    key = (meeting.group, meeting.number or titles.sort_key(meeting.title))
    if key in seen:
        errors = (*errors, Note("imp.err_dup_meeting", {"value": meeting.title}))
    seen.add(key)
    if meeting.group not in slugs:
        errors = (*errors, Note("imp.err_group_facts", {"value": meeting.group}))
    line = Line(number=0, verdict=Verdict.NEW, label=meeting.title, errors=errors, row=meeting)
    if errors:
        return replace(line, verdict=Verdict.ERROR)
    is_there = (meeting.group, titles.sort_key(meeting.title)) in known.titles
    if meeting.number is not None:
        is_there = (meeting.group, meeting.number) in known.numbers
    return replace(line, verdict=Verdict.SAME) if is_there else line


def _show(line: Line, placed: Mapping[int, ListedMeeting]) -> Line:
    meeting = placed.get(id(line.row))
    if meeting is None or meeting.day is None:
        return line
    is_rough = meeting.precision is Precision.MONTH
    shown = f"{meeting.day:%m/%Y}" if is_rough else f"{meeting.day:%d.%m.%Y}"
    notes = line.notes
    if line.row.day is None:
        notes = (*notes, Note("imp.note_placed", {"date": shown}))
    elif meeting.start is None:
        notes = (*notes, Note("imp.note_time", {"start": f"{START:%H:%M}", "end": f"{END:%H:%M}"}))
    return replace(line, label=f"{line.label} ({shown})", notes=notes, row=meeting)


def _warn(line: Line, find: Find, now: datetime) -> Line:
    """Say what stands in the way of a new session whose day is known and still to come."""
    day = line.row.day if line.verdict is Verdict.NEW else None
    if day is None or line.row.precision not in {Precision.TIME, Precision.DAY}:
        return line
    found = find(day) if day >= keeping_people.today(now) else ()
    if not found:
        return line
    names = (
        f"{one.name} ({one.source})" if one.name and one.source else one.name or one.source
        for one in found
    )
    return replace(line, notes=(*line.notes, Note("imp.note_obstacle", {"what": ", ".join(names)})))


def _good_days(find: Find, taken: frozenset[date]) -> IsFree:
    """Return the question whether a session may be put on a day."""

    def is_good(day: date) -> bool:
        treatments = {one.treatment or USUAL[one.kind] for one in find(day)}
        is_free = treatments <= {Treatment.NOTE}
        return day.weekday() in _GOOD_DAYS and is_free and day not in taken

    return is_good


def _place(
    meetings: Sequence[ListedMeeting], is_good: IsFree, now: datetime
) -> dict[int, ListedMeeting]:
    """Give dates to those without: firm ones a week apart, rough ones by month, by number."""
    next_day = keeping_people.today(now) + _SOONEST
    last: dict[str, date] = {}
    placed: dict[int, ListedMeeting] = {}
    for meeting in sorted(meetings, key=lambda one: (one.status is State.TENTATIVE, one.order)):
        found = meeting
        if meeting.day is None and meeting.status is State.TENTATIVE:
            month = _month_after(max(last.get(meeting.group, next_day), next_day))
            found = replace(meeting, day=month, precision=Precision.MONTH)
        elif meeting.day is None:
            day = _find_day(next_day, is_good)
            next_day = day + _APART
            found = replace(meeting, day=day)
        if found.day is not None:
            last[meeting.group] = max(last.get(meeting.group, found.day), found.day)
        placed[id(meeting)] = found
    return placed


def _find_day(first: date, is_good: IsFree) -> date:
    days = (first + timedelta(days=n) for n in range(_LONGEST_SEARCH_DAYS))
    return next((day for day in days if is_good(day)), first)


def _month_after(day: date) -> date:
    months = day.year * 12 + day.month - 1 + _MONTHS_APART
    month = date(months // 12, months % 12 + 1, 1)
    return month.replace(month=_AFTER_SUMMER) if month.month in _SUMMER else month


async def _add_meeting(
    connection: "Connection[Any]", meeting: ListedMeeting, actor: Actor, now: datetime
) -> None:
    group_id: UUID = await connection.fetchval(_GROUP, meeting.group)
    form = await _form(connection, meeting, group_id, now)
    meeting_id = uuid4()
    values = planning.values_of(form, form.facts(State.DRAFT))
    await connection.execute(
        meeting_statements.INSERT_DRAFT, meeting_id, actor.id, actor.name, now, *values
    )
    await planning.save_groups(connection, meeting_id, form.group_ids)
    is_rough = meeting.status is State.TENTATIVE
    move = Move.PUBLISH_TENTATIVE if is_rough else Move.PUBLISH_CONFIRMED
    saving = Saving(actor, now, Options(letters=Letters.NONE))
    await moving.make_move(connection, meeting_id, move, saving, form=form)
    if meeting.status is State.HELD:
        await connection.execute(_HOLD, meeting_id, now)
    await auditing.record(connection, actor, "imported", "meeting", meeting_id)


async def _form(
    connection: "Connection[Any]", meeting: ListedMeeting, group_id: UUID, now: datetime
) -> MeetingForm:
    form = MeetingForm(
        group_ids=(group_id,),
        title=meeting.title,
        status=State.TENTATIVE if meeting.status is State.TENTATIVE else State.CONFIRMED,
        is_numbered=meeting.number is not None,
        number=meeting.number,
        precision=meeting.precision,
        start_on=meeting.day,
        start_time=meeting.start or START,
        end_time=meeting.end or END,
        place_name=meeting.place,
        town=meeting.town,
    )
    starts = form.starts_local
    if starts is None or meeting.status is not State.CONFIRMED:
        return form
    deadline = await planning.find_deadline(connection, group_id, starts)
    is_ahead = deadline is not None and deadline.date() > keeping_people.today(now)
    return replace(form, answer_by=deadline if is_ahead else None)
