"""Lists of days on which nobody meets: take one in, replace it, take it away, ask it about a day.

A file becomes spans of days at once and is not kept. A dry run tells beforehand what it would add
and what would fall away.
"""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from asyncpg import Connection, Record, UniqueViolationError

from calendars.obstacles import DayList, Refusal, Span
from service import auditing, comparing, furnishing, obstacles
from service.auditing import Actor
from service.database import Database
from service.domain import instants
from service.domain.errors import FieldsError, NotFoundError
from service.domain.obstacles import Kind, Obstacle, Treatment

_LIST = """
SELECT id, name, treatment, covered_until_on, file_name, uploaded_at, uploaded_by, revision,
    (SELECT count(*) FROM day_list_span WHERE list_id = day_list.id) AS spans
FROM day_list
"""
_LISTS = f"{_LIST} ORDER BY lower(name)"
_ONE = f"{_LIST} WHERE id = $1"
_LOCK = "SELECT revision FROM day_list WHERE id = $1 FOR UPDATE"
_SPANS = """
SELECT first_on, last_on, name FROM day_list_span WHERE list_id = $1
ORDER BY first_on, last_on, name
"""
_ADD = """
INSERT INTO day_list (id, name, treatment, covered_until_on, file_name, uploaded_at, uploaded_by)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO NOTHING RETURNING id
"""
_DESCRIBE = """
UPDATE day_list SET name = $2, treatment = $3, revision = revision + 1,
    covered_until_on = greatest($4, (
        SELECT max(last_on) FROM day_list_span WHERE list_id = day_list.id))
WHERE id = $1
"""
_UPLOADED = "UPDATE day_list SET file_name = $2, uploaded_at = $3, uploaded_by = $4 WHERE id = $1"
_CLEAR = "DELETE FROM day_list_span WHERE list_id = $1"
_FILL = """
INSERT INTO day_list_span (list_id, first_on, last_on, name)
SELECT $1, * FROM unnest($2::date[], $3::date[], $4::text[])
"""
_REMOVE = "DELETE FROM day_list WHERE id = $1 RETURNING name"
_BARRED = """
SELECT s.first_on, s.last_on, s.name, l.name AS source, l.treatment
FROM day_list_span s JOIN day_list l ON l.id = s.list_id
WHERE s.last_on >= $1 AND s.first_on <= $2
"""
_ENDED = "SELECT name, covered_until_on FROM day_list WHERE covered_until_on < $1 ORDER BY name"
_LAST_PLANNED = """
SELECT max(starts_local)::date FROM meeting
WHERE state IN ('draft', 'tentative', 'confirmed') AND starts_local >= $1::date
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListForm:
    """What is said about a list; without `covered_until_on` it speaks until its last day."""

    name: str
    treatment: Treatment
    covered_until_on: date | None = None


@dataclass(frozen=True, slots=True)
class File:
    """A calendar file or a table that somebody uploaded."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptList:
    """A list as it is kept; `spans` counts its entries."""

    id: UUID
    name: str
    treatment: Treatment
    covered_until_on: date
    file_name: str
    uploaded_at: datetime
    uploaded_by: str
    revision: int
    spans: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DryRun:
    """What a file would do; `read` tells what of it was not understood."""

    read: DayList
    added: tuple[Span, ...]
    dropped: tuple[Span, ...]
    same: int
    covered_until_on: date


@dataclass(frozen=True, slots=True)
class EndedList:
    """A list that says nothing about a day because it ends before it."""

    name: str
    covered_until_on: date


async def list_lists(database: Database) -> list[KeptList]:
    """Return all lists by name."""
    return [_kept(row) for row in await database.fetch(_LISTS)]


async def find_list(database: Database, list_id: UUID) -> KeptList:
    """Return one list, or raise `NotFoundError`."""
    row = await database.fetchrow(_ONE, list_id)
    if row is None:
        raise NotFoundError
    return _kept(row)


async def list_spans(database: Database, list_id: UUID) -> tuple[Span, ...]:
    """Return the days of a list in their order."""
    return tuple(Span(**dict(row)) for row in await database.fetch(_SPANS, list_id))


async def last_planned_day(database: Database, today: date) -> date | None:
    """Return the last day on which a session is planned, None when none is."""
    found: date | None = await database.fetchval(_LAST_PLANNED, today)
    return found


async def rehearse(
    database: Database, list_id: UUID | None, form: ListForm, file: File, now: datetime
) -> DryRun:
    """Tell what a file would do to a list, None for a new one; raises `FieldsError`."""
    read = await _read(database, file, now)
    covered = _covered(form, read)
    kept = set(await list_spans(database, list_id)) if list_id is not None else set()
    found = set(read.spans)
    return DryRun(
        read=read,
        added=tuple(sorted(found - kept)),
        dropped=tuple(sorted(kept - found)),
        same=len(kept & found),
        covered_until_on=covered,
    )


async def add_list(  # noqa: PLR0917 - a form, its file and who sent it
    database: Database, actor: Actor, list_id: UUID, form: ListForm, file: File, now: datetime
) -> None:
    """Take a list in under the id that its form brought; sent twice, it is there once.

    Raises `FieldsError` for a file without days and for a name that another list has.
    """
    read = await _read(database, file, now)
    values = (form.name, form.treatment, _covered(form, read), file.name, now, actor.name)
    try:
        async with database.unit_of_work() as unit:
            if await unit.connection.fetchval(_ADD, list_id, *values):
                await _fill(unit.connection, list_id, read)
                await auditing.record(unit.connection, actor, "added", "day_list", list_id)
    except UniqueViolationError:
        raise _taken() from None


async def save_list(  # noqa: PLR0917 - a form, its file and what it was filled in over
    database: Database,
    actor: Actor,
    list_id: UUID,
    form: ListForm,
    file: File | None,
    now: datetime,
    *,
    seen_revision: int | None = None,
) -> None:
    """Save what is said about a list; a file takes the place of all its days.

    Raises as `add_list` does, and `StaleFormError` when somebody else saved it meanwhile.
    """
    read = None if file is None else await _read(database, file, now)
    covered = form.covered_until_on if read is None else _covered(form, read)
    try:
        async with database.unit_of_work() as unit:
            connection = unit.connection
            revision = await connection.fetchval(_LOCK, list_id)
            if revision is None:
                raise NotFoundError
            await comparing.check_fresh(connection, list_id, revision, seen_revision, now)
            if file is not None and read is not None:
                await connection.execute(_CLEAR, list_id)
                await _fill(connection, list_id, read)
                await connection.execute(_UPLOADED, list_id, file.name, now, actor.name)
            await connection.execute(_DESCRIBE, list_id, form.name, form.treatment, covered)
            action = "saved" if read is None else "replaced"
            await auditing.record(connection, actor, action, "day_list", list_id)
    except UniqueViolationError:
        raise _taken() from None


async def remove_list(database: Database, actor: Actor, list_id: UUID) -> None:
    """Take a list away with its days; one that is gone already stays gone."""
    async with database.unit_of_work() as unit:
        if await unit.connection.fetchval(_REMOVE, list_id) is not None:
            await auditing.record(unit.connection, actor, "removed", "day_list", list_id)


async def find_barred(database: Database, first_on: date, last_on: date) -> tuple[Obstacle, ...]:
    """Return what the office's lists say about these days, for `obstacles.find`."""
    return _obstacles(await database.fetch(_BARRED, first_on, last_on))


async def list_barred(connection: "Connection[Any]", first_on: date) -> tuple[Obstacle, ...]:
    """Return what the office's lists say about all days from one on."""
    return _obstacles(await connection.fetch(_BARRED, first_on, date.max))


def _obstacles(rows: Iterable[Record]) -> tuple[Obstacle, ...]:
    return tuple(
        Obstacle(
            *(row["first_on"], row["last_on"], Kind.BLACK_OUT, row["name"], row["source"]),
            treatment=Treatment(row["treatment"]),
        )
        for row in rows
    )


async def find_ended(database: Database, day: date) -> tuple[EndedList, ...]:
    """Return the lists that end before a day, which is not the same as a free day."""
    return tuple(EndedList(*row.values()) for row in await database.fetch(_ENDED, day))


async def _read(database: Database, file: File, now: datetime) -> DayList:
    """Read a file beside the loop: a hostile one may take a fifth of a second."""
    zone = (await furnishing.read(database)).time_zone
    today = instants.to_local(now, zone).date()
    read = await asyncio.to_thread(obstacles.read_list, file.content, today, zone)
    if read.refusal is not None:
        raise FieldsError({"source": (_REFUSALS[read.refusal], {})})
    return read


_REFUSALS = {
    Refusal.TOO_LARGE: "bar.err_too_large",
    Refusal.UNREADABLE: "bar.err_unreadable",
    Refusal.EMPTY: "bar.err_empty",
}


def _covered(form: ListForm, read: DayList) -> date:
    last_on = max(span.last_on for span in read.spans)
    return max(form.covered_until_on or last_on, last_on)


async def _fill(connection: "Connection[Any]", list_id: UUID, read: DayList) -> None:
    columns = zip(*((one.first_on, one.last_on, one.name) for one in read.spans), strict=True)
    await connection.execute(_FILL, list_id, *map(list, columns))


def _taken() -> FieldsError:
    return FieldsError({"name": ("bar.err_taken", {})})


def _kept(row: Record) -> KeptList:
    return KeptList(**{**row, "treatment": Treatment(row["treatment"])})
