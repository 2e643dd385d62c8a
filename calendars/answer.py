"""What a calendar program answers to an invitation (RFC 5546 section 3.2.3): a mail to values.

Total: whatever comes, a value comes back, and what cannot be believed has an oddity. Nothing here
knows whether the sender may say so.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from urllib.parse import unquote

from calendars import mail_parts, properties, texts
from calendars.entry import Answer
from calendars.mail_parts import Part, TooLargeError
from calendars.properties import Component, Property, UnreadableError

COMMENT_LIMIT = 1_000
_WORD_LIMIT = 300
_ADDRESS_LIMIT = 500
# A name with umlauts costs the language's codec a hundredth of a millisecond a sign.
_ODD_DOMAIN_LIMIT = 100
# Whoever answers names themselves; some programs name the others, too.
ATTENDEES_LIMIT = 50
_SEQUENCE_LIMIT = 2**31 - 1


class Method(StrEnum):
    """What comes to an organiser and is looked at."""

    REPLY = "REPLY"
    COUNTER = "COUNTER"
    REFRESH = "REFRESH"


class Oddity(StrEnum):
    """Why a mail is no answer that could be applied as it is."""

    NO_CALENDAR = "no_calendar"
    OTHER_METHOD = "other_method"
    TOO_LARGE = "too_large"
    UNREADABLE = "unreadable"
    OUTLOOK_FILE = "outlook_file"
    METHODS_DIFFER = "methods_differ"
    NO_EVENT = "no_event"
    SEVERAL_UIDS = "several_uids"
    NO_UID = "no_uid"
    RECURRENCE = "recurrence"
    NO_ATTENDEE = "no_attendee"


@dataclass(frozen=True, slots=True, kw_only=True)
class Attendance:
    """What one attendee says: all addresses by which the line names them, in small letters.

    `sent_by` is who answered in their place, `delegated_to` who shall come instead; "" for nobody.
    """

    addresses: tuple[str, ...]
    answer: Answer
    name: str = ""
    sent_by: str = ""
    delegated_to: str = ""
    comment: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """Another time or place that somebody proposes, as words; times as the program wrote them."""

    starts: str = ""
    ends: str = ""
    zone: str = ""
    location: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarAnswer:
    """One answer; with an oddity the other values are as far as they were read.

    `sequence` is that of the entry that was answered to, zero where nothing is said, `stamped_at`
    when the answer was made, None where that cannot be read. `failed` tells that the program could
    not take the entry in (REQUEST-STATUS 3.x to 5.x).
    """

    oddity: Oddity | None = None
    method: Method | None = None
    uid: str = ""
    sequence: int = 0
    stamped_at: datetime | None = None
    people: tuple[Attendance, ...] = ()
    comment: str = ""
    proposal: Proposal | None = None
    failed: bool = False
    part_sha256: bytes = b""

    @property
    def is_there(self) -> bool:
        """Whether a calendar program wrote this for an organiser, in whatever state it is."""
        return self.oddity not in {Oddity.NO_CALENDAR, Oddity.OTHER_METHOD}

    def of(self, addresses: Sequence[str]) -> Attendance | None:
        """Return what the person with these addresses says, None where nobody speaks for them."""
        wanted = {normal_address(one) for one in addresses}
        return next((one for one in self.people if wanted.intersection(one.addresses)), None)


def read(raw: bytes) -> CalendarAnswer:
    """Return what a mail answers; never raises."""
    try:
        found = mail_parts.find(raw)
        if not found.parts:
            is_file = found.has_winmail
            return CalendarAnswer(oddity=Oddity.OUTLOOK_FILE if is_file else Oddity.NO_CALENDAR)
        answers = [_read_part(part) for part in found.parts]
    except TooLargeError:
        return CalendarAnswer(oddity=Oddity.TOO_LARGE)
    except Exception:  # noqa: BLE001 - strangers choose these bytes; somebody looks at the mail
        return CalendarAnswer(oddity=Oddity.UNREADABLE)
    return min(answers, key=lambda one: one.oddity is not None)


def normal_address(text: str) -> str:
    """Return a calendar address or mail address in the form that its spellings share."""
    address = text[:_ADDRESS_LIMIT].strip()
    if address[:7].lower() == "mailto:":
        address = unquote(address[7:]).partition("?")[0].strip()
    local, mark, domain = texts.one_line(address).lower().rpartition("@")
    if not domain.isascii():
        domain = _ascii(domain)
        if not domain:
            return ""
    return f"{local}{mark}{domain}"


def _ascii(domain: str) -> str:
    if len(domain) > _ODD_DOMAIN_LIMIT:
        return ""
    try:
        return domain.encode("idna").decode("ascii")
    except UnicodeError:
        return ""


def _read_part(part: Part) -> CalendarAnswer:
    digest = hashlib.sha256(part.content).digest()
    try:
        calendar = properties.read_calendar(part.content, part.charset)
    except UnreadableError:
        return CalendarAnswer(oddity=Oddity.UNREADABLE, part_sha256=digest)
    said = calendar.value("METHOD").upper()
    method = said or part.method
    if method not in set(Method):
        return CalendarAnswer(oddity=Oddity.OTHER_METHOD, part_sha256=digest)
    if part.method not in {"", method}:
        return CalendarAnswer(oddity=Oddity.METHODS_DIFFER, part_sha256=digest)
    return _read_object(calendar, Method(method), digest)


def _read_object(calendar: Component, method: Method, digest: bytes) -> CalendarAnswer:
    events = [one for one in calendar.children if one.name == "VEVENT"]
    if not events:
        return CalendarAnswer(oddity=Oddity.NO_EVENT, method=method, part_sha256=digest)
    event = events[0]
    people = tuple(_attendance(line) for line in event.all("ATTENDEE")[:ATTENDEES_LIMIT])
    return CalendarAnswer(
        oddity=_oddity(events, people),
        method=method,
        uid=_word(event.value("UID")),
        sequence=_sequence(event.value("SEQUENCE")),
        stamped_at=properties.read_instant(event.value("DTSTAMP")),
        people=people,
        comment=_comment(event, people),
        proposal=_proposal(event) if method is Method.COUNTER else None,
        failed=any(one.value.strip()[:1] in set("345") for one in event.all("REQUEST-STATUS")),
        part_sha256=digest,
    )


def _oddity(events: Sequence[Component], people: Sequence[Attendance]) -> Oddity | None:
    uids = {one.value("UID") for one in events}
    if "" in uids:
        return Oddity.NO_UID
    if len(uids) > 1:
        return Oddity.SEVERAL_UIDS
    # Our entries never recur, so this is about something else.
    if len(events) > 1 or any(one.first("RECURRENCE-ID") is not None for one in events):
        return Oddity.RECURRENCE
    return None if people else Oddity.NO_ATTENDEE


def _attendance(line: Property) -> Attendance:
    named = (line.value, line.params.get("EMAIL", ""))
    addresses = tuple(found for one in named if "@" in (found := normal_address(one)))
    said = line.params.get("PARTSTAT", "").strip().upper()
    sent_by = normal_address(line.params.get("SENT-BY", ""))
    return Attendance(
        addresses=addresses,
        # An unknown word stands for no answer (RFC 5545 section 3.2.12).
        answer=Answer(said) if said in set(Answer) else Answer.NEEDS_ACTION,
        name=_word(line.params.get("CN", "")),
        # Some programs name the attendee once more.
        sent_by="" if sent_by in addresses else sent_by,
        delegated_to=normal_address(line.params.get("DELEGATED-TO", "")),
        comment=_words(line.params.get("X-RESPONSE-COMMENT", "")),
    )


def _comment(event: Component, people: Sequence[Attendance]) -> str:
    """Return the first words of the person; Outlook sends an empty line where there are none."""
    said = [_words(line.text) for line in event.all("COMMENT")]
    return next((one for one in (*said, *(each.comment for each in people)) if one), "")


def _proposal(event: Component) -> Proposal:
    starts = event.first("DTSTART")
    location = event.first("LOCATION")
    return Proposal(
        starts=_word(event.value("DTSTART")),
        ends=_word(event.value("DTEND")),
        zone="" if starts is None else _word(starts.params.get("TZID", "")),
        location="" if location is None else _word(location.text),
    )


def _sequence(value: str) -> int:
    digits = value.strip()
    if not (digits.isascii() and digits.isdigit()):
        return 0
    return min(int(digits[:12]), _SEQUENCE_LIMIT)


# What is cut is cut before it is cleaned, with room for what cleaning leaves out.


def _word(text: str) -> str:
    return texts.clip(texts.one_line(text[: 4 * _WORD_LIMIT]), _WORD_LIMIT)


def _words(text: str) -> str:
    return texts.clip(texts.clean(text[: 4 * COMMENT_LIMIT]).strip(), COMMENT_LIMIT)
