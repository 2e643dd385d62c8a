"""Read the alliance's facts from JSON, and save all of them but the sessions."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any, TypeVar

from asyncpg import Connection

from service.domain import titles
from service.domain.errors import FieldsError
from service.domain.imports import FieldChange, Line, Note, Verdict
from service.domain.texts import clean_line
from service.domain.words import Heading, Precision, State
from service.import_files import MOST_CHARACTERS, MOST_ROWS, SOURCE
from service.obstacles import Region

_HEADINGS = {
    "Bündnis": Heading.ALLIANCE,
    "Arbeitsgruppen": Heading.GROUPS,
    "Sonstige": Heading.OTHER,
} | {heading.value: heading for heading in Heading}
_STATES = {state.value: state for state in (State.TENTATIVE, State.CONFIRMED, State.HELD)}
_ACCESSIBLE = {True: "yes", False: "no"}
_LARGEST = 100_000
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


_Listed = TypeVar("_Listed")


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedInstance:
    """Whose book it is."""

    values: tuple[str, ...]
    """Name, short name, aim, office, street, postcode, town, address, telephone."""
    time_zone: str
    region: Region


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedGroup:
    """A group of the file; `next_number` None is a group that counts nothing."""

    slug: str
    heading: Heading
    name: str
    short_name: str
    title_pattern: str
    next_number: int | None
    aim: str
    is_everybody: bool
    position: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedMeeting:
    """A session of the file; `day` None was published without a date."""

    group: str
    number: int | None
    title: str
    status: State
    day: date | None
    start: time | None = None
    end: time | None = None
    precision: Precision = Precision.TIME
    place: str = ""
    town: str = ""
    errors: tuple[Note, ...] = ()

    @property
    def order(self) -> tuple[int, str]:
        """Return what sorts sessions within their group, and those of all groups stably."""
        return (self.number or 0, self.title)


@dataclass(frozen=True, slots=True)
class ListedProject:
    """A pilot project of the file."""

    name: str
    town: str
    group: str


@dataclass(frozen=True, slots=True)
class ListedDocument:
    """A document of the file, known by its title."""

    title: str
    media_type: str
    size: str
    accessibility: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that the file says, read and cleaned."""

    instance: ListedInstance | None
    groups: tuple[ListedGroup, ...]
    meetings: tuple[ListedMeeting, ...]
    projects: tuple[ListedProject, ...]
    documents: tuple[ListedDocument, ...]

    @property
    def region(self) -> Region:
        """Return where the office is, for its holidays."""
        return Region() if self.instance is None else self.instance.region


def read(text: str) -> Facts:
    """Read the file; raises `FieldsError` when it is no such file at all."""
    try:
        raw = json.loads(text)
    except (ValueError, RecursionError):
        raise FieldsError({SOURCE: ("imp.err_json", {})}) from None
    if not isinstance(raw, dict) or not {"groups", "meetings"} & raw.keys():
        raise FieldsError({SOURCE: ("imp.err_facts", {})})
    groups = [_group(one, place) for place, one in enumerate(_list(raw, "groups"))]
    patterns = {group.slug: group.title_pattern for group in groups}
    projects = [
        ListedProject(_text(one, "name"), _text(one, "town"), _text(one, "group"))
        for one in _list(raw, "pilot_projects")
    ]
    documents = [_document(one) for one in _list(raw, "documents")]
    return Facts(
        instance=_instance(raw["alliance"]) if isinstance(raw.get("alliance"), dict) else None,
        groups=_once(groups, "slug"),
        meetings=tuple(_meeting(one, patterns) for one in _list(raw, "meetings")),
        projects=_once(projects, "name"),
        documents=_once(documents, "title"),
    )


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


def _instance(raw: Mapping[str, Any]) -> ListedInstance:
    office, holidays = _object(raw, "office"), _object(raw, "holidays")
    own = tuple(_text(raw, name) for name in ("name", "short", "aim"))
    names = ("name", "street", "postcode", "town", "email", "phone")
    return ListedInstance(
        values=own + tuple(_text(office, name) for name in names),
        time_zone=_text(raw, "timezone") or "Europe/Berlin",
        region=Region(_text(holidays, "country") or "DE", _text(holidays, "subdivision")),
    )


def _group(raw: Mapping[str, Any], position: int) -> ListedGroup:
    name = _text(raw, "name")
    return ListedGroup(
        slug=_text(raw, "slug"),
        heading=_HEADINGS.get(_text(raw, "heading"), Heading.GROUPS),
        name=name,
        short_name=_text(raw, "short"),
        title_pattern=_text(raw, "title_pattern") or f"{{number}}. Sitzung {name}",
        next_number=_number(raw, "next_number"),
        aim=_text(raw, "aim"),
        is_everybody=raw.get("everybody") is True,
        position=position,
    )


def _meeting(raw: Mapping[str, Any], patterns: Mapping[str, str]) -> ListedMeeting:
    group, number = _text(raw, "group"), _number(raw, "number")
    title = _text(raw, "title")
    if not title and number is not None:
        title = titles.fill(patterns.get(group, "{number}. Sitzung"), number)
    place, _, town = _text(raw, "place").rpartition(", ")
    status = _STATES.get(_text(raw, "status"))
    day, start, end = _day(raw), _clock(raw, "start"), _clock(raw, "end")
    errors = []
    if status is None or (status is State.HELD and day is None):
        errors.append(Note("imp.err_status", {"value": title}))
    if raw.get("date") and day is None:
        errors.append(Note("imp.err_date", {"value": str(raw["date"])[:40]}))
    if not title:
        errors.append(Note("imp.err_title", {"value": group}))
    return ListedMeeting(
        group=group,
        number=number,
        title=title,
        status=status or State.TENTATIVE,
        day=day,
        start=start,
        end=end,
        place=place or town,
        town=town if place else "",
        errors=tuple(errors),
    )


def _document(raw: Mapping[str, Any]) -> ListedDocument:
    accessible = raw.get("accessible")
    known = _ACCESSIBLE.get(accessible, "unknown") if isinstance(accessible, bool) else "unknown"
    return ListedDocument(_text(raw, "title"), _text(raw, "type"), _text(raw, "size"), known)


def _once(found: Sequence[_Listed], name: str) -> tuple[_Listed, ...]:
    """Return what has a name, each name once."""
    first: dict[str, _Listed] = {}
    for one in found:
        if key := getattr(one, name):
            first.setdefault(key, one)
    return tuple(first.values())


def _list(raw: Mapping[str, Any], name: str) -> Sequence[Mapping[str, Any]]:
    found = raw.get(name, [])
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise FieldsError({SOURCE: ("imp.err_facts", {})})
    if len(found) > MOST_ROWS:
        raise FieldsError({SOURCE: ("imp.err_rows", {"n": MOST_ROWS})})
    return found


def _object(raw: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = raw.get(name)
    return found if isinstance(found, dict) else {}


def _text(raw: Mapping[str, Any], name: str) -> str:
    found = raw.get(name)
    return clean_line(found)[:MOST_CHARACTERS] if isinstance(found, str) else ""


def _number(raw: Mapping[str, Any], name: str) -> int | None:
    found = raw.get(name)
    if not isinstance(found, int) or isinstance(found, bool):
        return None
    return found if 0 < found <= _LARGEST else None


def _day(raw: Mapping[str, Any]) -> date | None:
    try:
        return date.fromisoformat(_text(raw, "date"))
    except ValueError:
        return None


def _clock(raw: Mapping[str, Any], name: str) -> time | None:
    try:
        return time.fromisoformat(_text(raw, name)).replace(tzinfo=None)
    except ValueError:
        return None
