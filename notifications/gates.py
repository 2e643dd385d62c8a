"""Two gates, one safety: a letter leaves only when its bytes say what was meant, and no more.

The slot gate looks at every value of every letter, already encoded for its place. The full gate
parses a whole letter again; it runs for the first letter of each prototype and one in a hundred.
Static segments cannot change between letters, so headers, their order and the tree cannot either.
"""

import email
import email.header
import email.message
import email.policy
import email.utils
import re
from collections.abc import Sequence

LINE_LIMIT = 998
"""Characters of a line without its end (RFC 5322 section 2.1.1)."""

PRINTED_LIMIT = 76
"""Characters of a quoted-printable line (RFC 2045 section 6.7)."""

ONCE = ("From", "To", "Subject", "Date", "Message-ID")

_PHRASE = re.compile(
    rb'(?:"[ !#-\[\]-~]{0,64}"(?: |\r\n )'
    rb"|=\?utf-8\?b\?[A-Za-z0-9+/=]+\?=(?:\r\n =\?utf-8\?b\?[A-Za-z0-9+/=]+\?=)*\r\n )?"
)
# Possessive, so that it never tries a second way.
_QUOTED_PRINTABLE = re.compile(rb"(?:[!-<>-~\t ]++|=[0-9A-F]{2})*+=?")
_BASE64 = re.compile(rb"(?:[A-Za-z0-9+/]{1,76}={0,2}\r\n)+")
_DATE = re.compile(rb"[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} [+-]\d{4}")
_URL = re.compile(r"https?://[A-Za-z0-9!#$%&()*+,./:;=?@_~\[\]-]+")
_HEADER_TOKEN = re.compile(r"[!#-+\x2d-:=?-~]{1,900}")


def python_guards_headers(policy: object = email.policy.default) -> bool:
    """Tell whether this Python, too, refuses to write a header that a value would split in two.

    Versions without the repair of CVE-2024-6923 do not; the gates stand before them.
    """
    return hasattr(policy, "verify_generated_headers")


class GateError(Exception):
    """This letter would not say what was meant, so it does not leave."""

    def __init__(self, what: str) -> None:
        # Only the check's name: the value could be a token or an address.
        super().__init__(what)


def pass_to(encoded: bytes, address: str) -> bytes:
    """Let a To value through: at most one name, then exactly this address."""
    end = b"<%b>" % address.encode()
    if not encoded.endswith(end) or _PHRASE.fullmatch(encoded[: -len(end)]) is None:
        raise GateError("to")
    return encoded


def pass_body(encoded: bytes) -> bytes:
    """Let a quoted-printable value through: lines of its own, no bare CR or LF (RFC 2045)."""
    if encoded and not encoded.endswith(b"\r\n"):
        raise GateError("body")
    # Splitting first keeps the grammar free of alternatives, so it never backtracks.
    for line in encoded.split(b"\r\n"):
        if len(line) > PRINTED_LIMIT or _QUOTED_PRINTABLE.fullmatch(line) is None:
            raise GateError("body")
    return encoded


def pass_base64(encoded: bytes) -> bytes:
    """Let a base64 block through."""
    if _BASE64.fullmatch(encoded) is None:
        raise GateError("base64")
    return encoded


def pass_date(encoded: bytes) -> bytes:
    """Let a Date through (RFC 5322 section 3.3)."""
    if _DATE.fullmatch(encoded) is None:
        raise GateError("date")
    return encoded


def pass_link(value: str) -> str:
    """Let a web address through: printable ASCII without blanks, quotes and angle brackets."""
    if _URL.fullmatch(value) is None:
        raise GateError("link")
    return value


def pass_header_token(value: str) -> bytes:
    """Let a value into a header: one word without blanks, commas, quotes and angle brackets."""
    if _HEADER_TOKEN.fullmatch(value) is None:
        raise GateError("header")
    return value.encode()


def check_whole(
    raw: bytes, names: Sequence[str], subject: str, address: str, shape: Sequence[object]
) -> None:
    """Parse a finished letter again, and raise `GateError` where it differs from what was meant."""
    _check_lines(raw)
    message = email.message_from_bytes(raw)
    if list(names) != message.keys():
        raise GateError("header names")
    if any(len(message.get_all(name, [])) != 1 for name in ONCE):
        raise GateError("header twice")
    if _decode(message["Subject"]) != subject:
        raise GateError("subject")
    if [address] != [found for _, found in email.utils.getaddresses([_unfold(message["To"])])]:
        raise GateError("recipient")
    if shape_of(message) != _as_lists(shape):
        raise GateError("tree")


def shape_of(message: email.message.Message) -> list[object]:
    """Return the tree of a message: the type, then the children of a multipart."""
    children = message.get_payload() if message.is_multipart() else []
    return [message.get_content_type(), *(shape_of(child) for child in children)]  # type: ignore[arg-type]


def _check_lines(raw: bytes) -> None:
    if not raw.isascii() or b"\x00" in raw:
        raise GateError("ascii")
    if raw.count(b"\n") != raw.count(b"\r\n") or raw.count(b"\r") != raw.count(b"\r\n"):
        raise GateError("line ends")
    if max(map(len, raw.split(b"\r\n"))) > LINE_LIMIT:
        raise GateError("line length")


def _unfold(value: str) -> str:
    return value.replace("\r\n", "").replace("\n", "")


def _decode(value: str) -> str:
    return str(email.header.make_header(email.header.decode_header(_unfold(value))))


def _as_lists(shape: Sequence[object]) -> list[object]:
    return [_as_lists(part) if isinstance(part, (list, tuple)) else part for part in shape]
