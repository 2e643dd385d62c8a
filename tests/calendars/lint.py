"""A lint over the bytes of a calendar: what no reader complains about and some get wrong."""

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

_VALUE = r'(?:"[^"]*"|[^";:,]*)'
_LINE = re.compile(rf"([A-Z0-9-]+)((?:;[A-Z0-9-]+={_VALUE}(?:,{_VALUE})*)*):(.*)", re.DOTALL)
_PARAMETER = re.compile(rf";([A-Z0-9-]+)=({_VALUE}(?:,{_VALUE})*)")
_ONCE = ("UID", "DTSTAMP", "DTSTART", "DTEND", "SUMMARY", "SEQUENCE", "CREATED", "LAST-MODIFIED")
_AT_MOST_ONCE = ("STATUS", "LOCATION", "DESCRIPTION", "URL", "ORGANIZER", "TRANSP", "DURATION")
_STATUSES = {"TENTATIVE", "CONFIRMED", "CANCELLED"}
_UTC_ONLY = ("DTSTAMP", "CREATED", "LAST-MODIFIED")
# What comes after our mailbox's plus sign, and the paths of ours that end in a secret.
_TOKEN = re.compile(r"\+r[a-z2-7]{16,}@|/(?:a|b|u|meine|umfrage)/[A-Za-z0-9_-]{16,}|/ics/[pb]/")
_LISTS = {"MEMBER", "DELEGATED-TO", "DELEGATED-FROM", "FEATURE"}

Moment = tuple[str, datetime]


@dataclass
class Property:
    """One content line."""

    name: str
    parameters: dict[str, str]
    value: str


@dataclass
class Component:
    """What stands between BEGIN and END."""

    name: str
    properties: list[Property] = field(default_factory=list)
    children: list["Component"] = field(default_factory=list)

    def all(self, name: str) -> list[Property]:
        """Return the properties of that name."""
        return [found for found in self.properties if found.name == name]


def find_defects(body: bytes, *, public: bool = False) -> list[str]:
    """Return the names of all defects, an empty list for a calendar as we want it."""
    defects = _physical_defects(body)
    lines = re.sub(r"\r?\n[ \t]", "", body.decode("utf-8", "replace")).splitlines()
    root = _parse([line.lstrip("\ufeff") for line in lines], defects)
    calendars = [child for child in root.children if child.name == "VCALENDAR"]
    if len(calendars) != 1:
        return [*defects, "not one VCALENDAR"]
    defects += _calendar_defects(calendars[0])
    if public:
        defects += _public_defects(calendars[0])
    return defects


def properties(body: bytes, name: str, component: str = "VEVENT") -> list[Property]:
    """Return the properties of that name in all components of that name, in order."""
    root = _parse(re.sub(r"\r\n ", "", body.decode()).split("\r\n")[:-1], [])
    found = []
    queue = [root]
    while queue:
        one = queue.pop(0)
        queue += one.children
        found += one.all(name) if one.name == component else []
    return found


def _physical_defects(body: bytes) -> list[str]:
    defects = []
    if body.startswith(b"\xef\xbb\xbf"):
        defects.append("byte order mark")
    if re.search(rb"(?<!\r)\n|\r(?!\n)", body) or not body.endswith(b"\r\n"):
        defects.append("line end is not CRLF")
    for line in re.split(rb"\r?\n", body):
        if len(line) > 75:
            defects.append("line above 75 octets")
        if re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", line):
            defects.append("control character")
        try:
            line.decode()
        except UnicodeDecodeError:
            defects.append("physical line is not UTF-8")
    return defects


def _parse(lines: list[str], defects: list[str]) -> Component:
    root = Component("")
    stack = [root]
    for line in lines:
        matched = _LINE.fullmatch(line)
        if matched is None:
            defects.append("not a content line")
        elif matched[1] == "BEGIN":
            stack.append(Component(matched[3]))
            stack[-2].children.append(stack[-1])
        elif matched[1] == "END":
            if stack.pop().name != matched[3] or not stack:
                return _broken(root, defects)
        else:
            stack[-1].properties.append(_property(matched, defects))
    return root if len(stack) == 1 else _broken(root, defects)


def _broken(root: Component, defects: list[str]) -> Component:
    defects.append("BEGIN without END")
    return root


def _property(matched: re.Match[str], defects: list[str]) -> Property:
    parameters = {}
    for name, value in _PARAMETER.findall(matched[2]):
        if name not in _LISTS and "," in re.sub(r'"[^"]*"', "", value):
            defects.append("unquoted comma in a parameter")
        parameters[name] = value
    return Property(matched[1], parameters, matched[3])


def _calendar_defects(calendar: Component) -> list[str]:
    defects = [f"not one {name}" for name in ("PRODID", "VERSION") if len(calendar.all(name)) != 1]
    events = [child for child in calendar.children if child.name == "VEVENT"]
    zones = [
        found.value
        for child in calendar.children
        if child.name == "VTIMEZONE"
        for found in child.all("TZID")
    ]
    for event in events:
        defects += _count_defects(event) + _value_defects(event) + _time_defects(event, zones)
    uids = [found.value for event in events for found in event.all("UID")]
    if len(set(uids)) != len(uids):
        defects.append("UID twice")
    methods = [found.value for found in calendar.all("METHOD")]
    if methods in (["REQUEST"], ["CANCEL"]) and any(len(e.all("ATTENDEE")) != 1 for e in events):
        defects.append("not one ATTENDEE")
    return defects


def _count_defects(event: Component) -> list[str]:
    defects = [f"not one {name}" for name in _ONCE if len(event.all(name)) != 1]
    defects += [f"more than one {name}" for name in _AT_MOST_ONCE if len(event.all(name)) > 1]
    if event.all("DURATION"):
        defects.append("DURATION")
    if event.all("RRULE"):
        defects.append("RRULE")
    return defects


def _value_defects(event: Component) -> list[str]:
    defects: list[str] = []
    if any(found.value not in _STATUSES for found in event.all("STATUS")):
        defects.append("unknown STATUS")
    if not all(re.fullmatch(r"[0-9]+", found.value) for found in event.all("SEQUENCE")):
        defects.append("SEQUENCE is no number")
    people = event.all("ORGANIZER") + event.all("ATTENDEE")
    if not all(re.fullmatch(r"mailto:[^\s:]+@[^\s:]+", found.value) for found in people):
        defects.append("address is no mailto URI")
    return defects


def _time_defects(event: Component, zones: list[str]) -> list[str]:
    defects = [
        f"{name} is not UTC"
        for name in _UTC_ONLY
        if not all(re.fullmatch(r"\d{8}T\d{6}Z", found.value) for found in event.all(name))
    ]
    instants = []
    for found in event.all("DTSTART")[:1] + event.all("DTEND")[:1]:
        if found.parameters.get("TZID") not in (None, *zones):
            defects.append("TZID without VTIMEZONE")
        try:
            instants.append(_instant(found))
        except ValueError:
            defects.append("not a date")
    if len(instants) == 2:
        defects += _order_defects(*instants)
    return defects


def _order_defects(start: Moment, end: Moment) -> list[str]:
    if start[0] != end[0]:
        return ["DTSTART and DTEND differ in type"]
    return [] if start[1] < end[1] else ["DTEND is not after DTSTART"]


def _instant(found: Property) -> Moment:
    if found.parameters.get("VALUE") == "DATE":
        return "date", datetime.strptime(found.value, "%Y%m%d").replace(tzinfo=UTC)
    if found.value.endswith("Z"):
        return "instant", datetime.strptime(found.value, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    zone = ZoneInfo(found.parameters["TZID"]) if "TZID" in found.parameters else UTC
    wall = datetime.strptime(found.value, "%Y%m%dT%H%M%S").replace(tzinfo=zone)
    return "instant", wall.astimezone(UTC)


def _public_defects(calendar: Component) -> list[str]:
    defects = ["METHOD in a public feed"] if calendar.all("METHOD") else []
    for event in calendar.children:
        defects += [
            f"{name} in a public feed" for name in ("ATTENDEE", "CONFERENCE") if event.all(name)
        ]
        if any(_TOKEN.search(found.value) for found in event.properties):
            defects.append("token in a public feed")
    return defects
