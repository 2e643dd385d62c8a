"""A mail that came in, taken apart with patience: only nesting without end is refused."""

import email
import email.header
import email.utils
import re
from collections.abc import Iterator
from dataclasses import dataclass
from email.errors import HeaderParseError
from email.message import Message
from functools import cached_property
from html import unescape
from itertools import islice
from typing import Any, TypeAlias
from uuid import UUID

from calendars import charsets, normal_form
from notifications import thinning

HEAD_LIMIT = 64 * 1024
"""Bytes of a mail's head that are looked at."""

_PARTS_LIMIT = 40
# Foreign detectors search lines in quadratic time.
_LINE_LIMIT = 2000
# Characters of a header whose encoded words are read.
_HEADER_LIMIT = 8_000
# The parser compares each line with every open boundary.
_BOUNDARIES_LIMIT = 24
_BOUNDARY = re.compile(rb"boundary", re.IGNORECASE)
_UUID = r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"
_MARK = re.compile(rf"^X-Terminbuch-Mail:\s*({_UUID})\s*$", re.IGNORECASE | re.MULTILINE)
_ENVELOPE_ID = re.compile(rf"^\s*({_UUID})\s*$", re.IGNORECASE)
# Where a mail went to, as the servers on its way noted it.
_TO_HEADERS = ("X-Original-To", "Delivered-To", "Envelope-To", "Apparently-To", "To")
_CONTROLS = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]")
_TAGS = re.compile(r"<[^<>]{0,2000}>")
_HIDDEN = re.compile(r"<(style|script)\b", re.IGNORECASE)
_QUOTE = re.compile(
    r"^(?:>|-{2,}\s*(?:original|ursprüngliche|weitergeleitete)|_{10,}|"
    r"(?:on|am) .{5,200}(?:wrote|schrieb).{0,80}:\s*$|(?:von|from):\s.*@)",
    re.IGNORECASE,
)

AnyMessage: TypeAlias = "Message[Any, Any]"


@dataclass(frozen=True)
class Mail:
    """One mail, with its parts decoded when they are asked for."""

    message: AnyMessage

    @cached_property
    def parts(self) -> tuple[AnyMessage, ...]:
        """All parts of the mail itself, in their order; those of a returned letter are not."""
        return tuple(_walk(self.message))

    def part(self, kind: str) -> "AnyMessage | None":
        """Return the first part of a media type."""
        return next((one for one in self.parts if one.get_content_type() == kind), None)

    @property
    def is_single(self) -> bool:
        """Whether it has no parts."""
        return len(self.parts) == 1

    @cached_property
    def subject(self) -> str:
        """The decoded subject on one line."""
        return one_line(header(self.message, "Subject"), 1000)

    @cached_property
    def sender(self) -> str:
        """The address in From, empty where there is none."""
        return email.utils.parseaddr(one_line(header(self.message, "From"), 1000))[1]

    @cached_property
    def null_sender(self) -> bool:
        """Whether nobody is to answer: the envelope sender was empty, as Return-Path tells."""
        path = self.message.get("Return-Path")
        return path is not None and str(path).strip().strip("<>").strip() == ""

    @cached_property
    def sent_to(self) -> tuple[str, ...]:
        """The addresses this mail went to, those noted by servers first."""
        values = [str(value) for name in _TO_HEADERS for value in self.message.get_all(name) or ()]
        found = [address for _, address in email.utils.getaddresses(values[:20]) if address]
        return tuple(dict.fromkeys(found))

    @cached_property
    def text(self) -> str:
        """The words of the mail: its plain text, or its HTML without marks."""
        for kind in ("text/plain", "text/html"):
            found = [one for one in self.parts if one.get_content_type() == kind]
            if found:
                words = "\n".join(decoded(one) for one in found[:3])
                return words if kind == "text/plain" else _without_marks(words)
        return ""

    @cached_property
    def lines(self) -> int:
        """How many lines the bodies of all parts have together, those of a returned letter too."""
        bodies = (one.get_payload() for one in self.message.walk())
        return sum(body.count("\n") for body in bodies if isinstance(body, str))

    @cached_property
    def status_blocks(self) -> tuple[AnyMessage, ...]:
        """The blocks of delivery-status parts: one about the mail, then one a recipient."""
        blocks: list[AnyMessage] = []
        for one in self.parts:
            if one.get_content_type() in _STATUS_KINDS:
                blocks += _blocks(one)
        return tuple(blocks)

    def fields(self, kind: str) -> "AnyMessage | None":
        """Return the fields of a part that consists of fields; None where there is none."""
        part = self.part(kind)
        return next(iter(_blocks(part)), Message()) if part is not None else None

    @cached_property
    def returned(self) -> str:
        """The text in which a returned letter, or its head, may be found."""
        kinds = ("message/rfc822", "message/global", "text/", "message/global-headers")
        found = [one for one in self.parts if one.get_content_type().startswith(kinds)]
        return "\n".join(_text_with_head(one) for one in found)


_STATUS_KINDS = frozenset({"message/delivery-status", "message/global-delivery-status"})


def parse(raw: bytes) -> Mail:
    """Take a mail apart; of a long, long-lined or deeply nested one the beginning is read."""
    head, gap, body = raw.partition(b"\r\n\r\n" if b"\r\n\r\n" in raw else b"\n\n")
    head = head[:HEAD_LIMIT]
    begun = head + gap + thinning.thin(head, body)
    for found in islice(_BOUNDARY.finditer(begun), _BOUNDARIES_LIMIT, _BOUNDARIES_LIMIT + 1):
        begun = begun[: found.start()]
    lines = [line[:_LINE_LIMIT] for line in begun.replace(b"\r\n", b"\n").split(b"\n")]
    message = email.message_from_bytes(b"\n".join(lines))
    charsets.settle(message)
    return Mail(message)


def header(message: AnyMessage, name: str) -> str:
    """Return a header with its encoded words decoded, cut; empty where it is missing."""
    value = str(message.get(name, ""))[:_HEADER_LIMIT]
    try:
        words = email.header.decode_header(value)
        if any(charset and charsets.known(charset) is None for _, charset in words):
            return value
        return str(email.header.make_header(words))
    except (HeaderParseError, LookupError, UnicodeError, ValueError):
        return value


def decoded(part: AnyMessage) -> str:
    """Return the text of a part in the character set it claims, if mail has such a one."""
    content = part.get_payload(decode=True)
    if not isinstance(content, bytes):
        return str(part.get_payload() or "") if not part.is_multipart() else ""
    return content.decode(charsets.known(part.get_content_charset() or "") or "utf-8", "replace")


def one_line(text: str, limit: int) -> str:
    """Return the text on one line, without controls, cut."""
    return " ".join(clean_text(text, limit * 2).split())[:limit]


def clean_text(text: str, limit: int) -> str:
    """Return text as the database takes it and a page may show it."""
    plain = normal_form.compose(text[: limit * 4]).replace("\r\n", "\n")
    return _BIDI.sub("", _CONTROLS.sub(" ", plain)).strip()[:limit]


def without_quotes(text: str) -> str:
    """Return what somebody wrote above the letter that is answered to."""
    kept: list[str] = []
    for line in text.splitlines():
        if _QUOTE.match(line.strip()):
            break
        kept.append(line)
    written = "\n".join(kept).strip()
    # Who answers below the quotation has it above.
    return written or "\n".join(one for one in text.splitlines() if not one.startswith(">"))


def is_own(mail: Mail, mail_domain: str) -> bool:
    """Tell whether this is a letter of ours as it left."""
    found = _message_ids(mail_domain).search(str(mail.message.get("Message-ID", "")))
    return found is not None and mail.message.get("X-Terminbuch-Mail") is not None


def is_answer(mail: Mail, mail_domain: str) -> bool:
    """Tell whether the head of a mail says that it answers to a letter of ours."""
    return bool(_answered(mail, _message_ids(mail_domain)))


def letters_named(mail: Mail, mail_domain: str) -> Iterator[UUID]:
    """Yield the letters that a mail names, the best ground first, each once.

    A report names its envelope (RFC 3461), then comes what it returned; an answer names what it
    answers to. An address alone names no letter.
    """
    seen: set[UUID] = set()
    for text in _namings(mail, mail_domain):
        letter = UUID(text)
        if letter not in seen:
            seen.add(letter)
            yield letter


def _namings(mail: Mail, mail_domain: str) -> Iterator[str]:
    ids = _message_ids(mail_domain)
    if is_own(mail, mail_domain):
        yield from ids.findall(str(mail.message["Message-ID"]))
    for block in mail.status_blocks:
        found = _ENVELOPE_ID.match(str(block.get("Original-Envelope-Id", "")))
        if found:
            yield found[1]
    is_report = bool(mail.status_blocks) or mail.part("message/feedback-report") is not None
    answered = _answered(mail, ids)
    returned = [*_MARK.findall(mail.returned), *ids.findall(mail.returned)]
    yield from (*returned, *answered) if is_report else (*answered, *returned)


def _answered(mail: Mail, ids: "re.Pattern[str]") -> list[str]:
    """Return the ids that an answer names, its parent before its elders."""
    parent = ids.findall(str(mail.message.get("In-Reply-To", "")))
    return parent + ids.findall(str(mail.message.get("References", "")))[::-1]


def _message_ids(mail_domain: str) -> "re.Pattern[str]":
    return re.compile(rf"<({_UUID})@{re.escape(mail_domain)}>", re.IGNORECASE)


def _walk(message: AnyMessage) -> Iterator[AnyMessage]:
    """Yield parts, but never those of a returned letter, and not without end."""
    waiting = [message]
    for _ in range(_PARTS_LIMIT):
        if not waiting:
            return
        part = waiting.pop(0)
        yield part
        if part.get_content_maintype() == "multipart":
            waiting[:0] = _children(part)


def _children(part: AnyMessage) -> list[AnyMessage]:
    payload = part.get_payload()
    return [one for one in payload if isinstance(one, Message)] if isinstance(payload, list) else []


def _blocks(part: AnyMessage) -> list[AnyMessage]:
    """Return blocks of fields; only those of the oldest kind does the parser know as such."""
    if part.get_content_type() == "message/delivery-status" and part.is_multipart():
        return _children(part)
    texts = re.split(r"\r?\n[ \t]*\r?\n", _text_with_head(part))
    return [email.message_from_string(text.lstrip()) for text in texts if text.strip()]


def _without_marks(html: str) -> str:
    kept: list[str] = []
    at = 0
    hidden = _HIDDEN.search(html)
    while hidden is not None:
        kept.append(html[at : hidden.start()])
        close = html.find(f"</{hidden[1]}", hidden.end())
        end = html.find(">", close) if close >= 0 else -1
        at = end + 1 if end >= 0 else len(html)
        hidden = _HIDDEN.search(html, at)
    return unescape(_TAGS.sub(" ", " ".join([*kept, html[at:]])))


def _text_with_head(part: AnyMessage) -> str:
    inner = _children(part)
    if not inner:
        return decoded(part)
    head = "\n".join(f"{name}: {value}" for name, value in inner[0].items())
    return f"{head}\n\n{decoded(inner[0])}"
