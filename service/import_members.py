"""Plan and save lists of members: read rows, match them, say what changes, write it in sets."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from asyncpg import Connection, Record

from service import addressing, auditing, joining, keeping_people
from service.auditing import Actor
from service.domain import matching, titles
from service.domain.imports import Line, Note, Verdict
from service.domain.matching import KnownPerson, ListedPerson, Match
from service.import_files import Row, Table
from service.joining import Regrouped
from service.keeping_people import Belonging, PersonData

LOCALES: Mapping[str, str] = {
    "de": "de",
    "deutsch": "de",
    "german": "de",
    "en": "en",
    "englisch": "en",
    "english": "en",
}
_GROUP_SEPARATORS = str.maketrans({",": ";", "|": ";", "/": ";"})
MOST_NAME = 120
_CHUNK = 250

_PEOPLE = """
SELECT p.id, p.full_name, p.external_ref, p.email, p.phone, p.locale, p.ended_on,
    coalesce(o.name, '') AS partner, coalesce(a.role_title, '') AS role_title,
    ARRAY(SELECT f.email_normal FROM former_address f WHERE f.person_id = p.id) AS former,
    ARRAY(SELECT s.group_id FROM membership s
        WHERE s.person_id = p.id AND s.to_on IS NULL) AS groups
FROM person p
LEFT JOIN LATERAL (SELECT organisation_id, role_title FROM affiliation
    WHERE person_id = p.id AND to_on IS NULL ORDER BY from_on DESC, id LIMIT 1) a ON true
LEFT JOIN organisation o ON o.id = a.organisation_id
WHERE p.anonymised_at IS NULL
ORDER BY p.sort_key, p.id
"""
_GROUPS = "SELECT id, slug, name, short_name FROM working_group WHERE ended_on IS NULL"
_PARTNERS = "SELECT name FROM organisation WHERE ended_on IS NULL"

Groups = dict[str, UUID]
Progress = Callable[[int], object]
"""Is told how many more lines are written."""


async def plan(connection: "Connection[Any]", table: Table, columns: Sequence[str]) -> list[Line]:
    """Return what the list would do, a line for each row and each person it does not name."""
    groups = await connection.fetch(_GROUPS)
    names = {row["id"]: row["name"] for row in groups}
    partners = {matching.partner_key(row["name"]) for row in await connection.fetch(_PARTNERS)}
    known = [_known(row) for row in await connection.fetch(_PEOPLE)]
    drafts = [_read(row, columns, _group_words(groups)) for row in table.rows]
    drafts = _find_doubles(drafts)
    matches = matching.match([draft.row for draft in drafts], known)
    lines = [_judge(draft, matches.get(draft.number), names, partners) for draft in drafts]
    meant = {one.person.id for one in matches.values()}
    return lines + [_missing(one) for one in known if one.id not in meant and not one.has_ended]


def _known(row: Record) -> KnownPerson:
    return KnownPerson(
        id=row["id"],
        name=row["full_name"],
        ref=row["external_ref"] or "",
        email=row["email"] or "",
        former=frozenset(row["former"]),
        partner=row["partner"],
        role_title=row["role_title"],
        phone=row["phone"],
        locale=row["locale"],
        groups=frozenset(row["groups"]),
        has_ended=row["ended_on"] is not None,
    )


def _group_words(groups: Iterable[Record]) -> Groups:
    """Return the groups by all they are called: short address, name, short name."""
    words: Groups = {}
    for row in groups:
        for word in (row["slug"], row["name"], row["short_name"]):
            if word:
                words[word.casefold()] = row["id"]
    return words


def _read(row: Row, columns: Sequence[str], groups: Groups) -> Line:
    """Read one row; what is wrong with it stands in `errors`, what is only odd in `notes`."""
    cells = dict(zip(columns, row.cells, strict=False))
    cells.pop("", None)
    errors: list[Note] = []
    if any(row.cells[len(columns) :]):
        errors.append(Note("imp.err_cells", {"n": row.number}))
    name = _read_name(cells)
    if not name or len(name) > MOST_NAME:
        text = "imp.err_name_long" if name else "imp.err_name"
        errors.append(Note(text, {"n": row.number, "most": MOST_NAME}))
    listed = ListedPerson(
        number=row.number,
        name=name or "?",
        ref=cells.get("ref", ""),
        email=_read_address(row.number, cells.get("email", ""), errors),
        partner=cells.get("partner", ""),
        role_title=cells.get("role_title", ""),
        phone=cells.get("phone", ""),
        locale=_read_locale(row.number, cells.get("locale", ""), errors),
        groups=_read_groups(row.number, cells.get("groups", ""), groups, errors),
    )
    return Line(
        number=row.number, verdict=Verdict.SAME, label=name, errors=tuple(errors), row=listed
    )


def _read_name(cells: Mapping[str, str]) -> str:
    if turned := cells.get("last_first"):
        last, comma, first = turned.partition(",")
        return f"{first.strip()} {last.strip()}" if comma else turned
    if "last" in cells:
        return f"{cells.get('first', '')} {cells['last']}".strip()
    return cells.get("name", "")


def _read_address(number: int, typed: str, errors: list[Note]) -> str:
    if not typed:
        return ""
    address = addressing.read_address(typed)
    if address is None:
        is_odd = addressing.refusal_of(typed) == "err.email_signs"
        reason = "imp.err_mail_signs" if is_odd else "imp.err_mail"
        errors.append(Note(reason, {"n": number, "value": typed}))
    return address or ""


def _read_locale(number: int, typed: str, errors: list[Note]) -> str:
    if not typed:
        return ""
    locale = LOCALES.get(typed.casefold())
    if locale is None:
        errors.append(Note("imp.err_locale", {"n": number, "value": typed}))
    return locale or ""


def _read_groups(number: int, typed: str, groups: Groups, errors: list[Note]) -> frozenset[UUID]:
    whole = groups.get(typed.casefold())
    if whole is not None:
        return frozenset({whole})
    words = [word.strip() for word in typed.translate(_GROUP_SEPARATORS).split(";")]
    found: set[UUID] = set()
    for word in filter(None, words):
        group = groups.get(word.casefold()) or groups.get(
            word.casefold().removeprefix("ag ").strip()
        )
        if group is None:
            errors.append(Note("imp.err_group", {"n": number, "value": word}))
        else:
            found.add(group)
    return frozenset(found)


def _find_doubles(drafts: list[Line]) -> list[Line]:
    """Refuse a row that says an earlier one again; one address beside two names is only noted."""
    first_of: dict[tuple[str, ...], int] = {}
    owner: dict[str, int] = {}
    checked: list[Line] = []
    for draft in drafts:
        row: ListedPerson = draft.row
        double = [(text, first_of[key]) for text, key in _keys(row) if key in first_of]
        if double:
            text, number = double[0]
            note = Note(text, {"n": row.number, "m": number, "value": row.ref})
            checked.append(replace(draft, errors=(*draft.errors, note)))
            continue
        notes = draft.notes
        if row.email and row.email_normal in owner:
            values = {"n": row.number, "m": owner[row.email_normal]}
            notes = (*notes, Note("imp.note_shared", values))
        first_of |= {key: row.number for _, key in _keys(row)}
        owner.setdefault(row.email_normal, row.number)
        checked.append(replace(draft, notes=notes))
    return checked


def _keys(row: ListedPerson) -> list[tuple[str, tuple[str, ...]]]:
    """Return what no two rows may share, each with the sentence for a row that does."""
    name = titles.sort_key(row.name)
    keys: list[tuple[str, tuple[str, ...]]] = []
    if row.ref:
        keys.append(("imp.err_dup_ref", ("ref", row.ref)))
    if row.email:
        keys.append(("imp.err_dup", ("email", row.email_normal, name)))
    if not row.email and not row.ref:
        keys.append(("imp.err_dup_name", ("name", name, matching.partner_key(row.partner))))
    return keys


def _judge(draft: Line, match: Match | None, groups: matching.Groups, partners: set[str]) -> Line:
    if draft.errors:
        return replace(draft, verdict=Verdict.ERROR)
    row: ListedPerson = draft.row
    notes = draft.notes
    if row.partner and matching.partner_key(row.partner) not in partners:
        notes = (*notes, Note("imp.note_new_partner", {"n": row.number, "value": row.partner}))
    if not row.email and not (match and match.person.email):
        notes = (*notes, Note("imp.note_no_mail", {"n": row.number}))
    draft = replace(draft, notes=notes)
    if match is None:
        return replace(draft, verdict=Verdict.NEW)
    changes = matching.compare(row, match.person, groups)
    verdict = Verdict.CHANGED if match.is_certain else Verdict.UNCERTAIN
    # Where nothing would change there is nothing to ask.
    verdict = verdict if changes else Verdict.SAME
    return replace(draft, verdict=verdict, changes=changes, known=match.person)


def _missing(person: KnownPerson) -> Line:
    return Line(number=0, verdict=Verdict.MISSING, label=person.name, known=person)


async def save(
    connection: "Connection[Any]",
    lines: Sequence[Line],
    actor: Actor,
    now: datetime,
    progress: Progress,
    *,
    with_letters: bool = False,
) -> Regrouped:
    """Write new and changed people; a line without `known` is a new one."""
    ids = {line.number: line.known.id if line.known else uuid4() for line in lines}
    partners = await keeping_people.ensure_partners(connection, [one.row.partner for one in lines])
    for first in range(0, len(lines), _CHUNK):
        chunk = lines[first : first + _CHUNK]
        await _save_people(connection, chunk, ids, now)
        await keeping_people.set_partners(connection, _belongings(chunk, ids, partners), now)
        await _record(connection, chunk, ids, actor)
        progress(len(chunk))
    groups = {ids[line.number]: line.row.groups for line in lines if _moves_groups(line)}
    return await joining.regroup(connection, actor, groups, now, with_letters=with_letters)


async def _save_people(
    connection: "Connection[Any]", lines: Sequence[Line], ids: Mapping[int, UUID], now: datetime
) -> None:
    new = [_data(ids[line.number], line.row, None) for line in lines if line.known is None]
    old = [_data(ids[line.number], line.row, line.known) for line in lines if line.known]
    await keeping_people.add_people(connection, new)
    await keeping_people.change_people(connection, old, now)


async def _record(
    connection: "Connection[Any]", lines: Sequence[Line], ids: Mapping[int, UUID], actor: Actor
) -> None:
    rows = [
        (
            "imported_change" if line.known else "imported",
            ids[line.number],
            {"fields": [change.name for change in line.changes]},
        )
        for line in lines
    ]
    await auditing.record_many(connection, actor, "person", rows)


def _data(person_id: UUID, row: ListedPerson, known: KnownPerson | None) -> PersonData:
    """Lay the row over what is known: an empty cell leaves what is there."""
    return PersonData(
        id=person_id,
        name=row.name,
        ref=row.ref or (known.ref if known else ""),
        email=row.email or (known.email if known else ""),
        phone=row.phone or (known.phone if known else ""),
        locale=row.locale or (known.locale if known else "de"),
    )


def _belongings(
    lines: Sequence[Line], ids: Mapping[int, UUID], partners: Mapping[str, UUID]
) -> list[Belonging]:
    """Return where people belong from now on, for those of whom the list changes it."""
    found = []
    for line in lines:
        row: ListedPerson = line.row
        partner = row.partner or (line.known.partner if line.known else "")
        role_title = row.role_title or (line.known.role_title if line.known else "")
        is_other = not line.known or {c.name for c in line.changes} & {
            "partner",
            "role_title",
            "ended",
        }
        if partner and is_other:
            partner_id = partners.get(matching.partner_key(partner))
            found.append(Belonging(ids[line.number], partner_id, role_title))
    return found


def _moves_groups(line: Line) -> bool:
    return bool(line.row.groups) and (not line.known or line.row.groups != line.known.groups)
