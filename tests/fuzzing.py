"""Files of strangers, made from honest ones: cut, doubled, spliced, and blown up; and who watches.

The mutations are drawn from a seed, so that a finding comes back.
"""

import random
import sys
import sysconfig
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

_ZONE = (
    "BEGIN:VTIMEZONE\r\nTZID:Europe/Berlin\r\nBEGIN:STANDARD\r\nDTSTART:16010101T000000\r\n"
    "TZOFFSETFROM:+0000\r\nTZOFFSETTO:+0900\r\nRRULE:FREQ=SECONDLY\r\nEND:STANDARD\r\n"
    "END:VTIMEZONE\r\n"
)
# Words that formats and their readers give a meaning.
_WORDS = (
    "BEGIN:VCALENDAR\r\n",
    "END:VCALENDAR\r\n",
    "BEGIN:VEVENT\r\n",
    "END:VEVENT\r\n",
    _ZONE,
    "BEGIN:VALARM\r\n",
    "RRULE:FREQ=SECONDLY;INTERVAL=1\r\n",
    "RRULE:FREQ=DAILY;COUNT=99999\r\n",
    "RRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30\r\n",
    "RDATE:20270101T000000Z\r\n",
    "EXDATE:20270101,20270102\r\n",
    "DTSTART;TZID=/etc/passwd:20270121T100000\r\n",
    "DTSTART;VALUE=DATE:99991231\r\n",
    "DTSTAMP:20990101T000000Z\r\n",
    "SEQUENCE:2147483648\r\n",
    "ATTENDEE;PARTSTAT=ACCEPTED:mailto:",
    'ATTACH;FMTTYPE="text/plain":file:///etc/passwd\r\n',
    "METHOD:REPLY\r\n",
    "Content-Type: multipart/mixed; boundary=",
    "Content-Type: text/calendar; charset=punycode; method=REPLY\r\n\r\n",
    "Content-Type: text/calendar; charset=utf-7\r\n\r\n",
    "Content-Transfer-Encoding: base64\r\n",
    "Content-Type: message/rfc822\r\n\r\n",
    "=?utf-8?b?",
    "\r\n ",
    "\r\n",
    "\x00",
    "\ufeff",
    "\u2028",
    '"',
    '""',
    "\\",
    ";",
    ",",
    ":",
    "=",
    "{",
    "[",
    '{"a":',
    "1e999999",
    "-1",
    "NaN",
    "31.12.9999",
    "0000-00-00",
)
_BYTES = (b"\xff", b"\xff\xfe", b"\xc3", b"\xed\xa0\x80")
TOKENS = (*(word.encode() for word in _WORDS), *_BYTES)
_LARGEST = 400_000
# Reading codecs and modules is Python's own affair.
_PYTHON = (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"))
_WATCHED = ("open", "os.", "socket.", "subprocess.", "shutil.", "urllib.")


@dataclass
class Watch:
    """What readers did that no reader may do, and their longest time of CPU in seconds."""

    touched: list[str] = field(default_factory=list)
    slowest: float = 0.0
    slowest_input: bytes = b""
    thread: int | None = None

    def __call__(self, event: str, arguments: Sequence[Any]) -> None:
        """Take an event of the interpreter's audit (PEP 578)."""
        # What a thread that another test has left behind does is no reader's affair.
        if self.thread != threading.get_ident() or not event.startswith(_WATCHED):
            return
        named = str(arguments[0]) if arguments else ""
        if not named.startswith(_PYTHON):
            self.touched.append(f"{event} {named}")

    def run(self, reader: Callable[[bytes], object], raw: bytes) -> object:
        """Let a reader read, and keep how long it took."""
        self.thread = threading.get_ident()
        began = time.process_time()
        try:
            return reader(raw)
        finally:
            took = time.process_time() - began
            self.thread = None
            if took > self.slowest:
                self.slowest, self.slowest_input = took, raw

    def time_slowest_again(self, reader: Callable[[bytes], object]) -> float:
        """Return the CPU seconds of the slowest input, read once more.

        The machine may have been busy at one of thousands, but not at the same one again.
        """
        self.slowest, again = 0.0, self.slowest_input
        self.run(reader, again)
        return self.slowest


_watch = Watch()
_hooked: list[Watch] = []


@contextmanager
def watching() -> Iterator[Watch]:
    """Watch this process; a hook of the audit cannot be taken away, so there is one for all."""
    if not _hooked:
        sys.addaudithook(_watch)
        _hooked.append(_watch)
    _watch.touched, _watch.slowest = [], 0.0
    yield _watch
    _watch.thread = None


def mutants(samples: Sequence[bytes], count: int, seed: int) -> Iterator[bytes]:
    """Yield so many files, each an honest one with some mutations."""
    chance = random.Random(seed)  # noqa: S311 - it only has to come back
    for _ in range(count):
        raw = chance.choice(samples)
        for _ in range(chance.randint(1, 6)):
            raw = chance.choice(_MUTATIONS)(raw, samples, chance)[:_LARGEST]
        yield raw


def _cut(raw: bytes, _: Sequence[bytes], chance: random.Random) -> bytes:
    start, end = _range(raw, chance)
    return raw[:start] + raw[end:]


def _double(raw: bytes, _: Sequence[bytes], chance: random.Random) -> bytes:
    start, end = _range(raw, chance)
    return raw[:end] + raw[start:end] * chance.choice((1, 1, 2, 50, 5_000)) + raw[end:]


def _splice(raw: bytes, samples: Sequence[bytes], chance: random.Random) -> bytes:
    other = chance.choice(samples)
    return raw[: _range(raw, chance)[0]] + other[_range(other, chance)[0] :]


def _insert(raw: bytes, _: Sequence[bytes], chance: random.Random) -> bytes:
    place = _range(raw, chance)[0]
    many = chance.choice((1, 1, 1, 3, 100, 20_000))
    return raw[:place] + chance.choice(TOKENS) * many + raw[place:]


def _flip(raw: bytes, _: Sequence[bytes], chance: random.Random) -> bytes:
    changed = bytearray(raw)
    for _ in range(min(len(raw), chance.randint(1, 20))):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


def _swap_lines(raw: bytes, _: Sequence[bytes], chance: random.Random) -> bytes:
    lines = raw.split(b"\n")
    chance.shuffle(lines)
    return b"\n".join(lines)


def _range(raw: bytes, chance: random.Random) -> tuple[int, int]:
    start = chance.randint(0, len(raw))
    return start, min(len(raw), start + chance.choice((1, 8, 60, 500)))


_MUTATIONS = (_cut, _double, _splice, _insert, _flip, _swap_lines)
