"""The mail headers that the standard library gets wrong, written as bytes that need no second look.

An encoded word with CRLF inside becomes a header of its own there, a display name with a comma
becomes three addresses, a long List-Unsubscribe becomes an encoded word that no client reads.
"""

import base64
import re
import unicodedata

from email_validator import EmailNotValidError, validate_email

from calendars import normal_form

TEXT_LIMIT = 200
"""Characters of a subject; longer ones are cut, nobody reads on."""

NAME_LIMIT = 45
"""Characters of a display name: with its address it stays within three lines."""

# 36 bytes make 60 characters of encoded word: a line with the longest header name stays below 76.
_WORD_BYTES = 36
_LINE = 76
_ADDRESS_LIMIT = 254
_LOCAL_LIMIT = 64

_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_BIDI = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]|[\ud800-\udfff]")
_PHRASE_BREAKERS = re.compile(r'[@:,;"<>()\[\]\\]+')
_SPACES = re.compile(r"\s+")
# Most names: there is nothing to clean.
_PLAIN_NAME = re.compile(r"[\w.'-]+(?: [\w.'-]+)*")
_ATOM = r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+"
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS = re.compile(rf"({_ATOM}(?:\.{_ATOM})*)@({_LABEL}(?:\.{_LABEL})*)")


class AddressError(ValueError):
    """This is not one plain mail address."""

    def __init__(self) -> None:
        # The address itself stays out of the message: it would end up in logs.
        super().__init__(type(self).__doc__)


def check_address(address: str) -> str:
    """Return the address as it may stand on an SMTP line, or raise `AddressError`.

    The domain comes back lower-case and in ASCII, the local part as it was. Quoted local parts,
    routes, blanks, lists and non-ASCII local parts are refused.
    """
    if not address.isascii():
        address = _to_ascii(address)
    found = _ADDRESS.fullmatch(address)
    if found is None or len(address) > _ADDRESS_LIMIT or len(found[1]) > _LOCAL_LIMIT:
        raise AddressError
    return f"{found[1]}@{found[2].lower()}"


def clean(text: str, limit: int = TEXT_LIMIT) -> str:
    """Return the text on one line, normalised (NFC), without controls and bidi marks, cut."""
    text = _BIDI.sub("", _CONTROLS.sub(" ", normal_form.compose(text)))
    return _SPACES.sub(" ", text).strip()[:limit].rstrip()


def clean_name(name: str) -> str:
    """Return a display name that cannot be read as more than one mailbox."""
    if (
        len(name) <= NAME_LIMIT
        and _PLAIN_NAME.fullmatch(name)
        and unicodedata.is_normalized("NFC", name)
    ):
        return name
    return clean(_PHRASE_BREAKERS.sub(" ", name), NAME_LIMIT)


def encode_text(text: str, used: int) -> bytes:
    """Write an unstructured value; `used` is the length of the header's name with colon and blank.

    Whatever is not plain ASCII, or only looks like an encoded word, is encoded as a whole.
    """
    if not text.isascii() or "=?" in text:
        return _encode_words(text)
    return _fold(text, used)


def encode_mailbox(name: str, address: str) -> bytes:
    """Write one mailbox: a quoted or encoded name, and the address in angle brackets."""
    name = clean_name(name)
    if not name:
        return b"<%b>" % address.encode()
    if name.isascii() and "=?" not in name:
        return b'"%b"%b<%b>' % (name.encode(), _gap(name, address), address.encode())
    return b"%b\r\n <%b>" % (_encode_words(name), address.encode())


def _gap(name: str, address: str) -> bytes:
    return b" " if len(name) + len(address) < _LINE - len('To: "" <>') else b"\r\n "


def _to_ascii(address: str) -> str:
    try:
        found = validate_email(address, check_deliverability=False, allow_smtputf8=False)
    except EmailNotValidError:
        raise AddressError from None
    return found.ascii_email or ""


def _encode_words(text: str) -> bytes:
    return b"\r\n ".join(
        b"=?utf-8?b?%b?=" % base64.b64encode(chunk) for chunk in _cut(text, _WORD_BYTES)
    )


def _cut(text: str, size: int) -> list[bytes]:
    """Cut into pieces of at most so many bytes, never within a character (RFC 2047 section 5)."""
    whole = text.encode("utf-8", "replace")
    if len(whole) <= size:
        return [whole]
    pieces = [b""]
    for sign in text:
        raw = sign.encode("utf-8", "replace")
        if len(pieces[-1]) + len(raw) > size:
            pieces.append(b"")
        pieces[-1] += raw
    return pieces


def _fold(text: str, used: int) -> bytes:
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        if line and used + len(line) + 1 + len(word) > _LINE:
            lines.append(line)
            line, used = word, 1
        else:
            line = f"{line} {word}" if line else word
    return "\r\n ".join([*lines, line]).encode()
