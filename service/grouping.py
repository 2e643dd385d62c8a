"""Look after groups: names, title patterns, number counters and the rules of their sessions."""

import re
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any
from uuid import UUID

from asyncpg import Connection, UniqueViolationError

from service import auditing, comparing, publishing
from service.auditing import Actor
from service.database import Database
from service.domain import titles
from service.domain.errors import FieldsError, NotFoundError
from service.domain.words import Heading

_BRACES = re.compile(r"\{[^}]*\}|[{}]")

_COLUMNS = """
g.id, g.slug, g.heading, g.name, g.short_name, g.title_pattern, g.next_number, g.aim,
g.invite_weeks_before, g.answer_working_days_before, g.answer_by_time, g.revision,
g.is_everybody, (SELECT count(*) FROM membership s JOIN person p ON p.id = s.person_id
    WHERE s.group_id = g.id AND s.to_on IS NULL AND p.ended_on IS NULL) AS people
"""
_LIST = f"""
SELECT {_COLUMNS} FROM working_group g WHERE g.ended_on IS NULL
ORDER BY array_position(ARRAY['alliance', 'groups', 'other'], g.heading), g.position, g.name
"""
_ONE = f"SELECT {_COLUMNS} FROM working_group g WHERE g.id = $1 AND g.ended_on IS NULL"
_LOCK = "SELECT revision FROM working_group WHERE id = $1 AND ended_on IS NULL FOR UPDATE"
_HIGHEST = "SELECT max(number) FROM meeting_group WHERE group_id = $1"
_ADD = """
INSERT INTO working_group (id, slug, heading, name, short_name, title_pattern, next_number, aim,
    invite_weeks_before, answer_working_days_before, answer_by_time, position)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11,
    (SELECT coalesce(max(position), 0) + 1 FROM working_group))
ON CONFLICT (id) DO NOTHING RETURNING id
"""
_SAVE = """
UPDATE working_group SET heading = $2, name = $3, short_name = $4, title_pattern = $5,
    next_number = $6, aim = $7, invite_weeks_before = $8, answer_working_days_before = $9,
    answer_by_time = $10, revision = revision + 1 WHERE id = $1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupForm:
    """What the office typed of a group; `next_number` None is a group that counts nothing."""

    heading: Heading
    name: str
    short_name: str = ""
    title_pattern: str
    next_number: int | None = None
    aim: str = ""
    invite_weeks_before: int = 6
    answer_working_days_before: int = 5
    answer_by_time: time = time(12)

    @property
    def columns(self) -> tuple[Any, ...]:
        """Return the values in the statements' order."""
        return tuple(getattr(self, name) for name in self.__dataclass_fields__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """A group as it is kept, with how many people are in it."""

    id: UUID
    slug: str
    revision: int
    is_everybody: bool
    people: int
    form: GroupForm


async def list_groups(database: Database) -> list[Group]:
    """Return all groups in the order of the public list."""
    return [_read(row) for row in await database.fetch(_LIST)]


async def find_group(database: Database, group_id: UUID) -> Group:
    """Return a group; raises `NotFoundError`."""
    row = await database.fetchrow(_ONE, group_id)
    if row is None:
        raise NotFoundError
    return _read(row)


async def add_group(database: Database, actor: Actor, group_id: UUID, form: GroupForm) -> None:
    """Add a group under the id that the form brought; its short address is made from its name."""
    _check_pattern(form)
    slug = titles.slug(form.short_name or form.name)
    try:
        async with database.unit_of_work() as unit:
            if await unit.connection.fetchval(_ADD, group_id, slug, *form.columns):
                await publishing.ensure_feeds(unit.connection)
                await auditing.record(unit.connection, actor, "added", "working_group", group_id)
    except UniqueViolationError:
        raise FieldsError({"name": ("group.err_taken", {"slug": slug})}) from None


async def save_group(
    database: Database,
    actor: Actor,
    group_id: UUID,
    form: GroupForm,
    now: datetime,
    *,
    seen_revision: int | None = None,
) -> None:
    """Save a group; its short address stays, since calendars know it.

    Raises `FieldsError` for a pattern that cannot be filled and for a number that was drawn.
    """
    _check_pattern(form)
    async with database.unit_of_work() as unit:
        row = await unit.connection.fetchrow(_LOCK, group_id)
        if row is None:
            raise NotFoundError
        await comparing.check_fresh(unit.connection, group_id, row["revision"], seen_revision, now)
        await _check_number(unit.connection, group_id, form)
        await unit.connection.execute(_SAVE, group_id, *form.columns)
        await publishing.touch_all_feeds(unit.connection, now)
        await auditing.record(unit.connection, actor, "saved", "working_group", group_id)


def _check_pattern(form: GroupForm) -> None:
    odd = set(_BRACES.findall(form.title_pattern)) - {titles.NUMBER, titles.TITLE}
    if odd:
        raise FieldsError({"title_pattern": ("group.err_braces", {"found": min(odd)})})
    if (form.next_number is not None) != titles.has_number(form.title_pattern):
        raise FieldsError({"title_pattern": ("group.err_pattern", {})})


async def _check_number(connection: "Connection[Any]", group_id: UUID, form: GroupForm) -> None:
    """Numbers only rise: one that was drawn belongs to its session for life."""
    highest = await connection.fetchval(_HIGHEST, group_id)
    if form.next_number is not None and highest is not None and form.next_number <= highest:
        raise FieldsError({"next_number": ("group.err_number", {"highest": highest})})


def _read(row: Any) -> Group:
    names = GroupForm.__dataclass_fields__
    values = {name: row[name] for name in names} | {"heading": Heading(row["heading"])}
    others = ("id", "slug", "revision", "is_everybody", "people")
    return Group(form=GroupForm(**values), **{name: row[name] for name in others})
