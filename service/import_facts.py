"""Compare the alliance's facts with what is there, and save all of them but the sessions."""

from datetime import datetime
from typing import Any

from asyncpg import Connection

from service.domain import titles
from service.domain.imports import FieldChange, Line, Note, Verdict
from service.reading_facts import (
    Facts,
    ListedDocument,
    ListedGroup,
    ListedInstance,
    ListedProject,
)

_INSTANCE_FIELDS = (
    "name",
    "short_name",
    "aim",
    "office_name",
    "street",
    "postcode",
    "town",
    "email",
    "phone",
)

_INSTANCE = "SELECT * FROM instance"
_ADD_INSTANCE = """
INSERT INTO instance (name, short_name, aim, office_name, street, postcode, town, email, phone,
    time_zone, holiday_country, holiday_subdivision)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
"""
# What the office wrote itself stays; only gaps are filled.
_FILL_INSTANCE = """
UPDATE instance SET short_name = coalesce(nullif(short_name, ''), $2),
    aim = coalesce(nullif(aim, ''), $3), office_name = coalesce(nullif(office_name, ''), $4),
    street = coalesce(nullif(street, ''), $5), postcode = coalesce(nullif(postcode, ''), $6),
    town = coalesce(nullif(town, ''), $7), email = coalesce(nullif(email, ''), $8),
    phone = coalesce(nullif(phone, ''), $9)
"""
_GROUPS = "SELECT slug, name, short_name, title_pattern, aim, next_number FROM working_group"
_ADD_GROUP = """
INSERT INTO working_group (slug, heading, name, short_name, title_pattern, next_number, aim,
    is_everybody, position)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""
_CHANGE_GROUP = """
UPDATE working_group SET name = $2, short_name = $3, title_pattern = $4, aim = $5,
    next_number = greatest(next_number, $6), revision = revision + 1
WHERE slug = $1
"""
_ADD_PROJECT = """
INSERT INTO pilot_project (name, town, group_id)
VALUES ($1, $2, (SELECT id FROM working_group WHERE slug = $3))
"""
_ADD_DOCUMENT = """
INSERT INTO document (title, media_type, size_text, accessibility, published_at, created_at)
VALUES ($1, $2, $3, $4, $5, $5)
"""


async def plan(connection: "Connection[Any]", facts: Facts) -> list[Line]:
    """Return the lines of all but the sessions; what is there and the same says so."""
    lines = [await _plan_instance(connection, facts.instance)] if facts.instance else []
    groups = {row["slug"]: row for row in await connection.fetch(_GROUPS)}
    lines += [_plan_group(group, groups.get(group.slug)) for group in facts.groups]
    names = await connection.fetch("SELECT name FROM pilot_project")
    papers = await connection.fetch("SELECT title FROM document WHERE meeting_id IS NULL")
    projects = {row["name"] for row in names}
    documents = {row["title"] for row in papers}
    lines += [_plan_other(one, one.name, one.name in projects) for one in facts.projects]
    lines += [_plan_other(one, one.title, one.title in documents) for one in facts.documents]
    return lines


async def save(connection: "Connection[Any]", line: Line, now: datetime) -> None:
    """Write one line."""
    row = line.row
    if isinstance(row, ListedInstance):
        await _save_instance(connection, row, is_known=line.known is not None)
    elif isinstance(row, ListedGroup):
        await _save_group(connection, row, is_known=line.known is not None)
    elif isinstance(row, ListedProject):
        await connection.execute(_ADD_PROJECT, row.name, row.town, row.group)
    elif isinstance(row, ListedDocument):
        values = (row.title, row.media_type, row.size, row.accessibility)
        await connection.execute(_ADD_DOCUMENT, *values, now)


async def _save_instance(
    connection: "Connection[Any]", row: ListedInstance, *, is_known: bool
) -> None:
    if is_known:
        await connection.execute(_FILL_INSTANCE, *row.values)
        return
    where = (row.time_zone, row.region.country, row.region.subdivision)
    await connection.execute(_ADD_INSTANCE, *row.values, *where)


async def _save_group(connection: "Connection[Any]", row: ListedGroup, *, is_known: bool) -> None:
    if is_known:
        values = (row.slug, row.name, row.short_name, row.title_pattern, row.aim, row.next_number)
        await connection.execute(_CHANGE_GROUP, *values)
        return
    await connection.execute(
        _ADD_GROUP,
        *(row.slug, row.heading, row.name, row.short_name, row.title_pattern),
        *(row.next_number, row.aim, row.is_everybody, row.position),
    )


async def _plan_instance(connection: "Connection[Any]", listed: ListedInstance) -> Line:
    known = await connection.fetchrow(_INSTANCE)
    line = Line(number=0, verdict=Verdict.NEW, label=listed.values[0], row=listed, known=known)
    if known is None:
        return line
    changes = tuple(
        FieldChange(name, "", new)
        for name, new in zip(_INSTANCE_FIELDS, listed.values, strict=True)
        if new and not known[name]
    )
    verdict = Verdict.CHANGED if changes else Verdict.SAME
    return Line(
        number=0, verdict=verdict, label=listed.values[0], changes=changes, row=listed, known=known
    )


def _plan_group(listed: ListedGroup, known: Any) -> Line:
    if not listed.slug or not listed.name or titles.slug(listed.slug) != listed.slug:
        note = Note("imp.err_slug", {"value": listed.slug or listed.name})
        return Line(number=0, verdict=Verdict.ERROR, label=listed.name, errors=(note,), row=listed)
    if known is None:
        return Line(number=0, verdict=Verdict.NEW, label=listed.name, row=listed)
    pairs = [
        (name, known[name], getattr(listed, name))
        for name in ("name", "short_name", "title_pattern", "aim")
    ]
    changes = [FieldChange(*pair) for pair in pairs if pair[1] != pair[2]]
    # The counter only rises: a number that was drawn is never drawn again.
    if listed.next_number is not None and (known["next_number"] or 0) < listed.next_number:
        old = str(known["next_number"] or "")
        changes.append(FieldChange("next_number", old, str(listed.next_number)))
    verdict = Verdict.CHANGED if changes else Verdict.SAME
    return Line(
        number=0,
        verdict=verdict,
        label=listed.name,
        changes=tuple(changes),
        row=listed,
        known=known,
    )


def _plan_other(row: ListedProject | ListedDocument, label: str, is_known: bool) -> Line:  # noqa: FBT001
    verdict = Verdict.SAME if is_known else Verdict.NEW
    return Line(number=0, verdict=verdict, label=label, row=row)
