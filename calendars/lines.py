"""Content lines: escaping, quoting and folding as RFC 5545 section 3.1 and 3.3.11 ask.

Written here and not taken from icalendar, whose folding walks every character and whose escaping
turns a backslash before a capital N into a line break; the tests hold both against each other.
"""

import re
from collections.abc import Iterable
from datetime import UTC, date, datetime
from urllib.parse import quote

from calendars import texts, zones

_FOLD_AT = 74
_CONTINUATION = 0b1000_0000
_ESCAPE_PREFIXES = b"\\^"
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s\x00-\x20\x7f-\x9f]+")
_LONGEST_URI = 900
_URI_CHARACTERS = ":/?#[]@!$&'()*+,;=%~"
# RFC 6068: these would end or split the address of a mailto URI.
_ADDRESS_CHARACTERS = "@!$'*+~=&"


def escape(text: str) -> str:
    r"""Escape backslash, semicolon, comma and newline of cleaned text, never the colon."""
    return text.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,").replace("\n", "\\n")


def quoted(text: str) -> str:
    """Return a parameter value between quotes, without the characters it cannot carry.

    A quote or caret is dropped: the escapes of RFC 6868 are shown literally by Outlook.
    """
    return '"' + texts.one_line(text.replace('"', "").replace("^", "")) + '"'


def uri(text: str) -> str:
    """Return the address with everything but URI characters percent-encoded.

    What is no URI, is longer than a description could repeat, or holds blanks or line ends comes
    back empty: it must not become a new line.
    """
    if not _URI.fullmatch(text):
        return ""
    address = quote(text, safe=_URI_CHARACTERS)
    return address if len(address) <= _LONGEST_URI else ""


def mailto(address: str) -> str:
    """Return the address as a CAL-ADDRESS (RFC 5545 section 3.3.3, RFC 6068)."""
    return "mailto:" + quote(address, safe=_ADDRESS_CHARACTERS)


def stamp(moment: datetime) -> str:
    """Return the aware moment as a UTC value, whole seconds."""
    utc = moment.astimezone(UTC)
    return f"{utc.year:04}{utc.month:02}{utc.day:02}T{utc.hour:02}{utc.minute:02}{utc.second:02}Z"


def time_line(name: str, moment: datetime | date, *, in_utc: bool) -> str:
    """Return DTSTART or DTEND as date, as wall time with TZID, or in UTC."""
    if not isinstance(moment, datetime):
        return f"{name};VALUE=DATE:{moment.year:04}{moment.month:02}{moment.day:02}"
    if in_utc:
        return f"{name}:{stamp(moment)}"
    return f"{name};TZID={zones.TZID}:{moment:%Y%m%dT%H%M%S}"


def folded(lines: Iterable[str]) -> bytes:
    """Return the lines as UTF-8 with CRLF, none longer than 75 octets, no character cut."""
    return b"".join([_fold(line) for line in lines])


def _fold(line: str) -> bytes:
    raw = line.encode()
    if len(raw) <= _FOLD_AT:
        return raw + b"\r\n"
    pieces = []
    start = 0
    while len(raw) - start > _FOLD_AT:
        end = _fold_end(raw, start + _FOLD_AT)
        pieces.append(raw[start:end])
        start = end
    pieces.append(raw[start:])
    return b"\r\n ".join(pieces) + b"\r\n"


def _fold_end(raw: bytes, end: int) -> int:
    while raw[end] & 0b1100_0000 == _CONTINUATION:
        end -= 1
    # Some readers unescape before they unfold, so an escape keeps its two characters together.
    return end - 1 if raw[end - 1] in _ESCAPE_PREFIXES else end
