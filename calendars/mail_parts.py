"""The parts of a mail in which a calendar program answers, decoded; those of forwarded mail not."""

import email
from collections.abc import Iterator
from dataclasses import dataclass
from email.message import Message
from typing import Any, TypeAlias

from calendars import charsets

MAIL_LIMIT = 2 * 1024 * 1024
PART_LIMIT = 256 * 1024
PARTS_LIMIT = 40
CALENDARS_LIMIT = 4
# The parser compares each line with every open boundary, and splits heads in quadratic time.
LINES_LIMIT = 50_000
_BOUNDARIES_LIMIT = 24
_HEAD_LIMIT = 1_000
# Without one of these words there is nothing to take apart.
_MARKS = (b"text/calendar", b"application/ics", b".ics", b"ms-tnef", b"winmail.dat")

AnyMessage: TypeAlias = "Message[Any, Any]"


class TooLargeError(ValueError):
    """This mail, or its calendar part, is larger than any answer."""


@dataclass(frozen=True, slots=True)
class Part:
    """One calendar part: its bytes, the METHOD of its type in capitals, and its character set."""

    content: bytes
    method: str
    charset: str


@dataclass(frozen=True, slots=True)
class Found:
    """The calendar parts of a mail, and whether Outlook wrapped one in a file of its own."""

    parts: tuple[Part, ...]
    has_winmail: bool = False


def find(raw: bytes) -> Found:
    """Return the calendar parts of a mail, at any depth, four at most (RFC 6047 section 2.4).

    Attached files count only where no part says text/calendar. Raise `TooLargeError` beyond 2 MiB,
    or 256 KiB for one part.
    """
    lower = raw.lower()
    if not any(mark in lower for mark in _MARKS):
        return Found(())
    if len(raw) > MAIL_LIMIT or raw.count(b"\n") > LINES_LIMIT:
        raise TooLargeError
    if lower.count(b"boundary") > _BOUNDARIES_LIMIT:
        raise TooLargeError
    mail = email.message_from_bytes(raw)
    charsets.settle(mail)
    parts = list(_walk(mail))
    kinds = [(one, _kind(one)) for one in parts]
    chosen = [one for one, kind in kinds if kind == "text/calendar"]
    if not chosen:
        chosen = [one for one, kind in kinds if kind == "application/ics" or _is_file(one, ".ics")]
    winmail = any(kind == "application/ms-tnef" or _is_file(one, "winmail.dat")
        for one, kind in kinds)  # fmt: skip
    return Found(tuple(_read(one) for one in chosen[:CALENDARS_LIMIT]), winmail)


def _walk(message: AnyMessage) -> Iterator[AnyMessage]:
    waiting = [message]
    for _ in range(PARTS_LIMIT):
        if not waiting:
            return
        part = waiting.pop(0)
        yield part
        payload = part.get_payload()
        if isinstance(payload, list) and part.get_content_maintype() == "multipart":
            waiting[:0] = [one for one in payload if isinstance(one, Message)]


def _kind(part: AnyMessage) -> str:
    return part.get_content_type() if _is_short(part, "Content-Type") else ""


def _is_short(part: AnyMessage, name: str) -> bool:
    return len(str(part.get(name, ""))) <= _HEAD_LIMIT


def _is_file(part: AnyMessage, ending: str) -> bool:
    if not (_is_short(part, "Content-Type") and _is_short(part, "Content-Disposition")):
        return False
    return str(part.get_filename() or "").lower().endswith(ending)


def _read(part: AnyMessage) -> Part:
    content = part.get_payload(decode=True)
    if not isinstance(content, bytes):
        content = b""
    if len(content) > PART_LIMIT:
        raise TooLargeError
    method = part.get_param("method")
    said = method.strip().upper() if isinstance(method, str) else ""
    return Part(content, said, part.get_content_charset() or "utf-8")
