"""Quoted-printable (RFC 2045 section 6.7) in a form that lets values stand between segments."""

import re

_UNSAFE = re.compile(rb"[^!-<>-~\t ]")
# A line that starts so could be taken for a boundary, an end of mail or an mbox separator.
_RISKY_STARTS = (b"-", b".", b"From ")
_BLANK_END = re.compile(rb"[\t ]$")
_CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)
# RFC 2045 allows 76; an escaped first sign, an escaped last one and the soft end need five.
_SIZE = 71
_SOFT = b"=\r\n"


def encode_static(text: str) -> bytes:
    """Encode a stretch of template text; an open last line ends softly, for the slot behind it."""
    lines = [_encode_line(line) for line in text.split("\n")]
    last = lines.pop()
    done = b"".join(_hard(line) for line in lines)
    return done + (last + _SOFT if last else b"")


def encode_value(value: str) -> bytes:
    """Encode a value on lines of its own; its end is soft, so the text goes on behind it.

    Controls and bidi overrides are dropped: they would hide what the letter says.
    """
    if value and value.isascii() and value.isprintable():
        # Most are one line of ASCII; within it only the sign "=" is written as its number.
        return _wrap(value.encode().replace(b"=", b"=3D")) + _SOFT
    *lines, last = _CONTROLS.sub("", value).split("\n")
    done = b"".join(_hard(_encode_line(line)) for line in lines)
    return done + (_encode_line(last) + _SOFT if last else b"")


def _hard(line: bytes) -> bytes:
    """Write a blank before the line end as its number: it would be lost on the way."""
    if _BLANK_END.search(line):
        line = b"%b=%02X" % (line[:-1], line[-1])
    return line + b"\r\n"


def _encode_line(line: str) -> bytes:
    return _wrap(_UNSAFE.sub(_number, line.encode()))


def _wrap(raw: bytes) -> bytes:
    lines = _cut(raw)
    for index, line in enumerate(lines):
        if line.startswith(_RISKY_STARTS):
            lines[index] = b"=%02X%b" % (line[0], line[1:])
    return _SOFT.join(lines)


def _number(found: re.Match[bytes]) -> bytes:
    return b"=%02X" % found[0][0]


def _cut(raw: bytes) -> list[bytes]:
    """Cut into lines, never within an escape."""
    lines = []
    start = 0
    while len(raw) - start > _SIZE:
        end = start + _SIZE
        # An escape has three signs: step back when one of its first two would end the line.
        escape = raw.rfind(b"=", end - 2, end)
        end = escape if escape >= 0 else end
        lines.append(raw[start:end])
        start = end
    lines.append(raw[start:])
    return lines
