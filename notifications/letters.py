"""A draft becomes a frozen prototype once, and a letter by putting values between its segments.

Slots are written `⟦name⟧`. In text and HTML they may stand anywhere: encoded they get lines of
their own (soft line breaks), so nothing around them is computed anew. A draft's header values may
hold slots as well, the subject may not. A calendar file with slots is a slot as a whole: it is
encoded anew for each letter, and its name is the file itself.
"""

import base64
import hashlib
import html
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from enum import StrEnum
from functools import cached_property, lru_cache
from typing import Any
from uuid import UUID

from notifications import gates, headers, printing
from notifications.gates import GateError

LINK_PREFIX = "link_"
"""Values with such names are web addresses with tokens: checked as such and never stored."""

EXTRA_HEADERS = ("List-Id", "In-Reply-To", "References", "Precedence", "List-Unsubscribe",
    "List-Unsubscribe-Post")  # fmt: skip
_FIXED = (("Auto-Submitted", "auto-generated"), ("X-Auto-Response-Suppress", "OOF, AutoReply"))
_SLOT = re.compile("⟦([a-z][a-z0-9_]*)⟧")
_HTML_SIGNS = re.compile("[&<>\"'\n]")
_PLAIN_HEADER = re.compile(r"[ !-~]{1,900}")


_JUST_USED = 64
"""Values of about one letter: each stands in the text and again in the HTML part."""


class Place(StrEnum):
    """Where a slot stands, and so how its value is encoded and checked."""

    TO = "to"
    DATE = "date"
    ID = "id"
    TEXT = "text"
    HTML = "html"
    HEADER = "header"
    CALENDAR = "calendar"


@dataclass(frozen=True, slots=True)
class Slot:
    """A gap between two segments; `name` is empty where the envelope fills it."""

    place: Place
    name: str = ""


@dataclass(frozen=True, slots=True)
class Sender:
    """Who writes: the From address and name, and the domain of our Message-IDs."""

    address: str
    name: str
    mail_domain: str


@dataclass(frozen=True, slots=True)
class Attachment:
    """A small static file; its name comes from a fixed set of ours, never from a person."""

    name: str
    content_type: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Draft:
    """A composed letter with slots; everything but the slots is the same for all recipients.

    Without `html` it goes as text alone. `locale` is the language that it is written in, "" the one
    that the letter was posted with.
    """

    subject: str
    text: str
    html: str
    calendar: bytes | None = None
    calendar_method: str = "PUBLISH"
    headers: tuple[tuple[str, str], ...] = ()
    reply_to: str | None = None
    references: str | None = None
    attachments: tuple[Attachment, ...] = ()
    locale: str = ""


@dataclass(frozen=True, slots=True)
class Envelope:
    """What differs in the headers of each letter: its id and its one recipient."""

    letter_id: UUID
    to_addr: str
    to_name: str = ""


@dataclass(frozen=True)
class Prototype:
    """Frozen segments and slots of a letter, and what the full gate expects of each copy."""

    pieces: tuple[bytes | Slot, ...]
    header_names: tuple[str, ...]
    subject: str
    shape: Sequence[Any]
    slots: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        names: set[str] = set()
        for piece in self.pieces:
            if isinstance(piece, Slot):
                is_file = piece.place is Place.CALENDAR
                names.update(_SLOT.findall(piece.name) if is_file else [piece.name])
        object.__setattr__(self, "slots", frozenset(names - {""}))

    @cached_property
    def sha256(self) -> bytes:
        """The identity of the prototype: the hash of its stored form."""
        return hashlib.sha256(self.as_json().encode()).digest()

    def as_json(self) -> str:
        """Write the form that is stored; it holds no value and no token."""
        pieces = [p.decode() if isinstance(p, bytes) else [p.place, p.name] for p in self.pieces]
        stored = {"pieces": pieces, "headers": self.header_names, "subject": self.subject}
        return json.dumps(stored | {"shape": self.shape}, separators=(",", ":"))


def from_json(stored: str | Mapping[str, Any]) -> Prototype:
    """Read a stored prototype; the caller compares its sha256."""
    found = json.loads(stored) if isinstance(stored, str) else stored
    return Prototype(
        pieces=tuple(
            p.encode() if isinstance(p, str) else Slot(Place(p[0]), p[1]) for p in found["pieces"]
        ),
        header_names=tuple(found["headers"]),
        subject=found["subject"],
        shape=found["shape"],
    )


def prototype(draft: Draft, sender: Sender, locale: str) -> Prototype:
    """Freeze a draft, and let one sample pass the full gate; raise `GateError` otherwise."""
    subject = headers.clean(draft.subject)
    if _SLOT.search(subject) or not subject:
        raise GateError("subject")
    pieces: list[bytes | Slot] = []
    names: list[str] = []
    for name, value in _headers(draft, sender, subject, locale):
        names.append(name)
        pieces += [f"{name}: ".encode(), *value, b"\r\n"]
    tree, body = _body(draft)
    # The outermost part's own headers end the letter's headers.
    pieces += body
    frozen = Prototype(_merged(pieces), (*names, *_part_headers(body)), subject, tree)
    _check_sample(frozen, sender)
    return frozen


def render(
    frozen: Prototype, values: Mapping[str, str], envelope: Envelope, dated_at: datetime
) -> bytes:
    """Put encoded values between the segments; same input, same bytes.

    Raise `GateError` when a value does not fit its place, KeyError when one is missing.
    """
    return b"".join(
        [
            piece
            if type(piece) is bytes
            else _ENCODERS[piece.place](piece.name, values, envelope, dated_at)  # type: ignore[union-attr]
            for piece in frozen.pieces
        ]
    )


def check(frozen: Prototype, raw: bytes, envelope: Envelope) -> None:
    """Let a finished letter pass the full gate, or raise `GateError`."""
    gates.check_whole(raw, frozen.header_names, frozen.subject, envelope.to_addr, frozen.shape)


def _headers(
    draft: Draft, sender: Sender, subject: str, locale: str
) -> Iterator[tuple[str, list[bytes | Slot]]]:
    """Yield headers in a fixed order, each with its value's pieces."""
    yield "From", [headers.encode_mailbox(sender.name, headers.check_address(sender.address))]
    yield "To", [Slot(Place.TO)]
    if draft.reply_to:
        yield "Reply-To", _header_value(draft.reply_to)
    yield "Subject", [headers.encode_text(subject, len("Subject: "))]
    yield "Date", [Slot(Place.DATE)]
    yield "Message-ID", [b"<", Slot(Place.ID), f"@{sender.mail_domain}>".encode()]
    yield "MIME-Version", [b"1.0"]
    yield "Content-Language", _header_value(locale)
    for name, value in _FIXED:
        yield name, [value.encode()]
    given = dict(draft.headers) | ({"References": draft.references} if draft.references else {})
    if not set(given) <= set(EXTRA_HEADERS):
        raise GateError("unknown header")
    for name in EXTRA_HEADERS:
        if name in given:
            yield name, _header_value(given[name])
    yield "X-Terminbuch-Mail", [Slot(Place.ID)]


def _header_value(value: str) -> list[bytes | Slot]:
    """Split a structured value at its slots; it is never folded, clients misread what is."""
    pieces: list[bytes | Slot] = []
    for index, part in enumerate(_SLOT.split(value)):
        if index % 2:
            pieces.append(Slot(Place.HEADER, part))
        elif part:
            if _PLAIN_HEADER.fullmatch(part) is None:
                raise GateError("header value")
            pieces.append(part.encode())
    return pieces


def _body(draft: Draft) -> tuple[list[Any], list[bytes | Slot]]:
    """Build the tree of the letter's occasion (calendars.md M2-M4)."""
    alternative = [_text_part("plain", draft.text, Place.TEXT)]
    if draft.html:
        alternative.append(_text_part("html", draft.html, Place.HTML))
    files = [_file_part(item) for item in draft.attachments]
    if draft.calendar is not None and draft.calendar_method == "PUBLISH":
        files.insert(0, _calendar_part(draft, "text/calendar", "termin.ics"))
    elif draft.calendar is not None:
        alternative.append(_calendar_part(draft, "text/calendar", ""))
        files.insert(0, _calendar_part(draft, "application/ics", "einladung.ics"))
    seed = hashlib.sha256(repr(draft).encode()).hexdigest()[:24]
    one, *more = alternative
    inner = _multipart("alternative", alternative, f"=_a{seed}") if more else one
    return _multipart("mixed", [inner, *files], f"=_m{seed}") if files else inner


Part = tuple[list[Any], list[bytes | Slot]]


def _multipart(kind: str, parts: Sequence[Part], boundary: str) -> Part:
    # "=_" occurs neither in quoted-printable nor in base64, so no value can end a part.
    pieces: list[bytes | Slot] = [
        f'Content-Type: multipart/{kind};\r\n boundary="{boundary}"\r\n\r\n'.encode()
    ]
    for _, part in parts:
        pieces += [f"--{boundary}\r\n".encode(), *part]
    pieces.append(f"--{boundary}--\r\n".encode())
    return [f"multipart/{kind}", *(shape for shape, _ in parts)], pieces


def _text_part(kind: str, text: str, place: Place) -> Part:
    head = (
        f'Content-Type: text/{kind}; charset="utf-8"\r\n'
        "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
    )
    pieces: list[bytes | Slot] = [head.encode()]
    for index, part in enumerate(_SLOT.split(text.replace("\r\n", "\n").rstrip("\n") + "\n")):
        if index % 2:
            pieces.append(Slot(place, part))
        else:
            pieces.append(printing.encode_static(part))
    return [f"text/{kind}"], pieces


def _calendar_part(draft: Draft, content_type: str, name: str) -> Part:
    kind = f'Content-Type: {content_type}; charset="utf-8"'
    if content_type == "text/calendar":
        kind += f';\r\n method="{draft.calendar_method}"'
    if name:
        kind += f';\r\n name="{name}"\r\nContent-Disposition: attachment; filename="{name}"'
    head = f"{kind}\r\nContent-Transfer-Encoding: base64\r\n\r\n".encode()
    file = (draft.calendar or b"").decode()
    block = Slot(Place.CALENDAR, file) if _SLOT.search(file) else _as_base64(file)
    return [content_type], [head, block]


def _file_part(item: Attachment) -> Part:
    # What a single letter's calendar file says of itself, those of a joint one say, too.
    kind = f'{item.content_type}; charset="utf-8"; method="PUBLISH"'
    kind = kind if item.content_type == "text/calendar" else item.content_type
    head = (
        f'Content-Type: {kind};\r\n name="{item.name}"\r\n'
        f'Content-Disposition: attachment; filename="{item.name}"\r\n'
        "Content-Transfer-Encoding: base64\r\n\r\n"
    )
    return [item.content_type], [
        head.encode() + base64.encodebytes(item.content).replace(b"\n", b"\r\n")
    ]


def _part_headers(body: list[bytes | Slot]) -> list[str]:
    head = body[0]
    lines = head.split(b"\r\n\r\n")[0].split(b"\r\n") if isinstance(head, bytes) else []
    return [line.split(b":")[0].decode() for line in lines if line[:1] != b" "]


def _merged(pieces: Sequence[bytes | Slot]) -> tuple[bytes | Slot, ...]:
    merged: list[bytes | Slot] = []
    for piece in pieces:
        if isinstance(piece, bytes) and merged and isinstance(merged[-1], bytes):
            merged[-1] += piece
        else:
            merged.append(piece)
    return tuple(merged)


def _check_sample(frozen: Prototype, sender: Sender) -> None:
    values = {name: f"https://example.org/{name}" for name in frozen.slots}
    envelope = Envelope(UUID(int=0), headers.check_address(sender.address), "Erika Müller, LEG")
    raw = render(frozen, values, envelope, datetime(2026, 1, 1, tzinfo=UTC))
    check(frozen, raw, envelope)


Encoder = Callable[[str, Mapping[str, str], Envelope, datetime], bytes]


def _to(_: str, __: Mapping[str, str], envelope: Envelope, ___: datetime) -> bytes:
    encoded = headers.encode_mailbox(envelope.to_name, envelope.to_addr)
    return gates.pass_to(encoded, envelope.to_addr)


def _date(_: str, __: Mapping[str, str], ___: Envelope, dated_at: datetime) -> bytes:
    return _write_date(dated_at)


@lru_cache(maxsize=64)
def _write_date(dated_at: datetime) -> bytes:
    # Letters of one batch share their second.
    return gates.pass_date(format_datetime(dated_at).encode())


def _id(_: str, __: Mapping[str, str], envelope: Envelope, ___: datetime) -> bytes:
    return str(envelope.letter_id).encode()


@lru_cache(maxsize=_JUST_USED)
def _encode(value: str) -> bytes:
    return gates.pass_body(printing.encode_value(value))


@lru_cache(maxsize=_JUST_USED)
def _encode_link(value: str) -> bytes:
    return gates.pass_body(printing.encode_value(gates.pass_link(value)))


def _text(name: str, values: Mapping[str, str], _: Envelope, __: datetime) -> bytes:
    return (_encode_link if name.startswith(LINK_PREFIX) else _encode)(values[name])


def _html(name: str, values: Mapping[str, str], _: Envelope, __: datetime) -> bytes:
    value = values[name]
    encoded = (_encode_link if name.startswith(LINK_PREFIX) else _encode)(value)
    if _HTML_SIGNS.search(value) is None:
        return encoded
    return _encode(html.escape(value).replace("\n", "<br>\n"))


def _header(name: str, values: Mapping[str, str], _: Envelope, __: datetime) -> bytes:
    return gates.pass_header_token(values[name])


def _calendar(name: str, values: Mapping[str, str], _: Envelope, __: datetime) -> bytes:
    return gates.pass_base64(_as_base64(_SLOT.sub(lambda slot: values[slot[1]], name)))


@lru_cache(maxsize=16)
def _as_base64(file: str) -> bytes:
    # The same file stands in a letter twice, as a part of its own and attached.
    return base64.encodebytes(file.encode()).replace(b"\n", b"\r\n")


_ENCODERS: dict[Place, Encoder] = {
    Place.TO: _to,
    Place.DATE: _date,
    Place.ID: _id,
    Place.TEXT: _text,
    Place.HTML: _html,
    Place.HEADER: _header,
    Place.CALENDAR: _calendar,
}
