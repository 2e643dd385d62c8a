"""Content lines read back into components: total, linear, and without any rule of a time zone.

Written here and not taken from icalendar: a mail of a stranger must not define zones for the whole
process, start a rule that never ends, or be taken for the path of a file. Definitions of zones and
alarms are skipped unread.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from calendars import charsets

LINES_LIMIT = 5_000
EVENTS_LIMIT = 50
DEPTH_LIMIT = 4
_PARAMETERS_LIMIT = 50

_SKIPPED = frozenset({"VTIMEZONE", "VALARM"})
_NAME = re.compile(r"[A-Za-z0-9-]{1,100}")
_VALUE_END = re.compile('[;:"]')
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_INSTANT = re.compile(r"(\d{8})T(\d{6})(Z?)")


class UnreadableError(ValueError):
    """These bytes are no calendar object that we take."""


@dataclass(frozen=True, slots=True)
class Property:
    """One content line: name and parameter names in capitals, the value as it was written."""

    name: str
    params: Mapping[str, str]
    value: str

    @property
    def text(self) -> str:
        r"""The value with the escapes of TEXT undone (RFC 5545 section 3.3.11)."""
        return _ESCAPED.sub(lambda found: "\n" if found[1] in "nN" else found[1], self.value)


@dataclass(slots=True)
class Component:
    """A component with its lines and those inside of it, both in their order."""

    name: str
    properties: list[Property] = field(default_factory=list)
    children: list["Component"] = field(default_factory=list)

    def all(self, name: str) -> list[Property]:
        """Return the lines of this name."""
        return [one for one in self.properties if one.name == name]

    def first(self, name: str) -> Property | None:
        """Return the first line of this name, None where there is none."""
        return next((one for one in self.properties if one.name == name), None)

    def value(self, name: str) -> str:
        """Return the value of the first line of this name, empty where there is none."""
        found = self.first(name)
        return "" if found is None else found.value.strip()


def read_calendar(
    raw: bytes,
    charset: str = "utf-8",
    *,
    most_lines: int = LINES_LIMIT,
    most_events: int = EVENTS_LIMIT,
) -> Component:
    """Return the one VCALENDAR of these bytes, or raise `UnreadableError`.

    Limits: those given, and four levels. What stands outside of the object is ignored.
    """
    open_ones: list[Component] = []
    skipped: list[str] = []
    events = 0
    for line in _lines(raw, charset, most_lines):
        found = _property(line)
        mark = found.value.strip().upper()
        if skipped:
            _follow(skipped, found.name, mark)
        elif found.name == "BEGIN" and mark in _SKIPPED:
            skipped.append(mark)
        elif found.name == "BEGIN":
            events += mark == "VEVENT"
            if len(open_ones) >= DEPTH_LIMIT or events > most_events:
                raise UnreadableError("too many components")
            open_ones.append(Component(mark))
        elif found.name == "END":
            whole = _end(open_ones, mark)
            if whole is not None:
                return whole
        elif open_ones:
            open_ones[-1].properties.append(found)
    raise UnreadableError("no whole calendar object")


def read_instant(value: str) -> datetime | None:
    """Return a UTC value as an aware moment; wall time is taken for UTC; None for neither."""
    found = _INSTANT.fullmatch(value.strip())
    if found is None:
        return None
    try:
        return datetime.strptime(found[1] + found[2], "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return None


def _lines(raw: bytes, charset: str, most_lines: int) -> Iterator[str]:
    """Unfold bytes before they become text: a fold may cut a character in two."""
    plain = raw.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    if plain.count(b"\n") > most_lines:
        raise UnreadableError("too many lines")
    for line in plain.replace(b"\n ", b"").replace(b"\n\t", b"").split(b"\n"):
        if line.strip():
            yield _text(line, charset)


def _text(line: bytes, charset: str) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        return line.decode(charsets.known(charset) or "latin-1", "replace")


def _property(line: str) -> Property:
    name = _NAME.match(line)
    if name is None:
        raise UnreadableError("no name")
    params: dict[str, str] = {}
    place = name.end()
    for _ in range(_PARAMETERS_LIMIT):
        if line[place : place + 1] != ";":
            break
        found = _NAME.match(line, place + 1)
        if found is None or line[found.end() : found.end() + 1] != "=":
            raise UnreadableError("no parameter")
        place = _value_end(line, found.end() + 1)
        params[found[0].upper()] = line[found.end() + 1 : place].replace('"', "")
    if line[place : place + 1] != ":":
        raise UnreadableError("no value")
    return Property(name[0].upper(), params, line[place + 1 :])


def _value_end(line: str, place: int) -> int:
    """Return where a parameter's value ends; between quotes everything belongs to it."""
    while True:
        if line[place : place + 1] == '"':
            place = line.find('"', place + 1) + 1
            if place == 0:
                raise UnreadableError("no closing quote")
        end = _VALUE_END.search(line, place)
        if end is None:
            raise UnreadableError("no value")
        place = end.start()
        if end[0] != '"':
            return place


def _follow(skipped: list[str], name: str, mark: str) -> None:
    """Keep count of what is open inside a skipped component."""
    if name == "BEGIN":
        skipped.append(mark)
        if len(skipped) > DEPTH_LIMIT:
            raise UnreadableError("too deep")
    elif name == "END" and mark == skipped[-1]:
        skipped.pop()


def _end(open_ones: list[Component], mark: str) -> Component | None:
    """Close the innermost component; return the whole object with its last line."""
    if not open_ones or open_ones[-1].name != mark:
        raise UnreadableError("wrong end")
    ended = open_ones.pop()
    if open_ones:
        open_ones[-1].children.append(ended)
        return None
    if ended.name != "VCALENDAR":
        raise UnreadableError("no calendar object")
    return ended
