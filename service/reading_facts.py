"""Read the alliance's facts from JSON: what the file says, cleaned, before anything is compared."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, time
from typing import Any, TypeVar

from service.domain import titles
from service.domain.errors import FieldsError
from service.domain.imports import Note
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
