"""Plan and save lists of partners: matched by the list's id, else by name."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

from asyncpg import Connection

from service import auditing
from service.auditing import Actor
from service.domain import titles
from service.domain.imports import FieldChange, Line, Note, Verdict
from service.domain.matching import partner_key
from service.import_files import Row, Table

MOST_NAME = 200
_FIELDS = ("ref", "name", "short_name", "kind", "town", "phone", "website")

_PARTNERS = """
SELECT o.id, coalesce(o.external_ref, '') AS ref, o.name, o.short_name, o.kind, o.town, o.phone,
    o.website, o.ended_on IS NOT NULL AS has_ended,
    (SELECT count(*) FROM affiliation a
        WHERE a.organisation_id = o.id AND a.to_on IS NULL) AS people
FROM organisation o ORDER BY o.ended_on IS NOT NULL, o.sort_key, o.id
"""
_ADD = """
INSERT INTO organisation
    (id, external_ref, name, sort_key, short_name, kind, town, phone, website)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
"""
_CHANGE = """
UPDATE organisation SET external_ref = $2, name = $3, sort_key = $4, short_name = $5, kind = $6,
    town = $7, phone = $8, website = $9, ended_on = NULL, revision = revision + 1
WHERE id = $1
"""

Values = Mapping[str, Any]


async def plan(connection: "Connection[Any]", table: Table, columns: Sequence[str]) -> list[Line]:
    """Return what the list would do, a line for each row and each partner it does not name."""
    known = [dict(row) for row in await connection.fetch(_PARTNERS)]
    by_ref = {one["ref"]: one for one in known if one["ref"]}
    by_name: dict[str, Values] = {}
    for one in known:
        by_name.setdefault(partner_key(one["name"]), one)
    seen: dict[str, int] = {}
    lines = [_judge(_read(row, columns), by_ref, by_name, seen) for row in table.rows]
    meant = {line.known["id"] for line in lines if line.known}
    return lines + [
        _missing(one) for one in known if one["id"] not in meant and not one["has_ended"]
    ]


async def save(connection: "Connection[Any]", lines: Sequence[Line], actor: Actor) -> None:
    """Write new and changed partners; a line without `known` is a new one."""
    ids = {line.number: line.known["id"] if line.known else uuid4() for line in lines}
    new = [_columns(ids[line.number], line) for line in lines if not line.known]
    old = [_columns(ids[line.number], line) for line in lines if line.known]
    await connection.executemany(_ADD, new)
    await connection.executemany(_CHANGE, old)
    for line in lines:
        fields = [change.name for change in line.changes]
        action = "imported_change" if line.known else "imported"
        await auditing.record(
            connection, actor, action, "organisation", ids[line.number], fields=fields
        )


def _read(row: Row, columns: Sequence[str]) -> Line:
    cells = dict(zip(columns, row.cells, strict=False))
    values = {name: cells.get(name, "") for name in _FIELDS}
    errors: tuple[Note, ...] = ()
    if not values["name"] or len(values["name"]) > MOST_NAME:
        text = "imp.err_name_long" if values["name"] else "imp.err_partner"
        errors = (Note(text, {"n": row.number, "most": MOST_NAME}),)
    if any(row.cells[len(columns) :]):
        errors = (*errors, Note("imp.err_cells", {"n": row.number}))
    return Line(
        number=row.number,
        verdict=Verdict.ERROR if errors else Verdict.SAME,
        label=values["name"],
        errors=errors,
        row=values,
    )


def _judge(
    draft: Line, by_ref: Mapping[str, Values], by_name: Mapping[str, Values], seen: dict[str, int]
) -> Line:
    row: Values = draft.row
    named = by_name.get(partner_key(row["name"]))
    known = by_ref.get(row["ref"]) or named
    if known is not None and known is named and _is_other(row, known):
        known = None
    draft = replace(draft, known=known)
    errors = [*draft.errors, *_find_clash(draft, named), *_find_double(draft, seen)]
    if errors:
        return replace(draft, verdict=Verdict.ERROR, errors=tuple(errors))
    if known is None:
        return replace(draft, verdict=Verdict.NEW)
    changes = _compare(row, known)
    return replace(draft, verdict=Verdict.CHANGED if changes else Verdict.SAME, changes=changes)


def _is_other(row: Values, known: Values) -> bool:
    """Another id is another partner, but then its name has to be another one too."""
    return bool(row["ref"] and known["ref"] and row["ref"] != known["ref"])


def _find_clash(draft: Line, named: Values | None) -> list[Note]:
    """Two present partners never share a name."""
    if named is None or named["has_ended"] or draft.known is named:
        return []
    return [Note("imp.err_taken", {"n": draft.number, "value": draft.label})]


def _find_double(draft: Line, seen: dict[str, int]) -> list[Note]:
    keys = [partner_key(draft.row["name"])] + (
        [f"\0{draft.row['ref']}"] if draft.row["ref"] else []
    )
    doubles = [seen[key] for key in keys if key in seen]
    seen.update({key: draft.number for key in keys if key not in seen})
    return [Note("imp.err_dup_partner", {"n": draft.number, "m": one}) for one in doubles[:1]]


def _compare(row: Values, known: Values) -> tuple[FieldChange, ...]:
    changes = [
        FieldChange(name, known[name], row[name])
        for name in _FIELDS
        if row[name] and row[name] != known[name]
    ]
    if known["has_ended"]:
        changes.append(FieldChange("ended", "1", ""))
    return tuple(changes)


def _missing(known: Values) -> Line:
    notes = (Note("imp.note_has_people", {"n": known["people"]}),) if known["people"] else ()
    return Line(number=0, verdict=Verdict.MISSING, label=known["name"], notes=notes, known=known)


def _columns(partner_id: UUID, line: Line) -> tuple[Any, ...]:
    """Lay the row over what is known: an empty cell leaves what is there."""
    known = line.known or dict.fromkeys(_FIELDS, "")
    values = {name: line.row[name] or known[name] for name in _FIELDS}
    return (
        partner_id,
        values["ref"] or None,
        values["name"],
        titles.sort_key(values["name"]),
        *(values[name] for name in _FIELDS[2:]),
    )
