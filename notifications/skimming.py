"""Keep of a large mail what has words, while it comes: its files are let pass, whatever their size.

People answer with a photo below their name. What is read of such a mail is its head, the beginning
of each part of words, and its calendar parts; the same mail leaves the same bytes each time.
"""

import re

from notifications import thinning

WHOLE_LIMIT = 1_000_000
"""Bytes of a mail that is kept as it came, and of what is kept of a larger one."""

LARGEST = 100_000_000
"""Bytes after which a mail is at its end for us: no mail server takes more by itself."""

_HEAD_LIMIT = 64 * 1024
# What `calendars` reads of one part, in base64.
_CALENDAR_LIMIT = 360 * 1024
_EPILOGUE_LIMIT = 1000
_LINE_LIMIT = 16 * 1024
_PARTS_LIMIT = 100
_BOUNDARIES_LIMIT = 24
_FLAGS = re.IGNORECASE | re.MULTILINE
_CALENDAR = re.compile(rb"^content-type:\s*(?:text/calendar|application/ics)\b|\.ics\b", _FLAGS)
_LETTER = re.compile(rb"^content-type:\s*message/(?:rfc822|global)\s*(?:;|$)", _FLAGS)


class Skimmer:
    """One mail that comes in pieces."""

    def __init__(self) -> None:
        self._whole = bytearray()
        self._kept: _Kept | None = None

    @property
    def held(self) -> int:
        """Bytes of memory that the mail takes just now."""
        return len(self._whole) + (self._kept.held if self._kept else 0)

    def add(self, piece: bytes) -> None:
        """Take the next piece, of any length, in."""
        if self._kept is not None:
            self._kept.add(piece)
            return
        self._whole += piece
        if len(self._whole) > WHOLE_LIMIT:
            self._kept = _Kept()
            self._kept.add(bytes(self._whole))
            self._whole.clear()

    def finish(self) -> bytes:
        """Return the mail as it came, or what was kept of it."""
        return bytes(self._whole) if self._kept is None else self._kept.finish()


class _Kept:
    """What is kept of a mail that is too large, line by line."""

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._line = b""
        self._head: bytearray | None = bytearray()
        self._room = 0
        self._edges: set[bytes] = set()
        self._parts = 0

    @property
    def held(self) -> int:
        return len(self._bytes) + len(self._line) + len(self._head or b"")

    def add(self, piece: bytes) -> None:
        *lines, self._line = (self._line + piece).split(b"\n")
        for line in lines:
            self._take(line + b"\n")
        if len(self._line) > _LINE_LIMIT:
            # No edge of a part is that long.
            self._take(self._line)
            self._line = b""

    def finish(self) -> bytes:
        self._take(self._line)
        self._line = b""
        return bytes(self._bytes)

    def _take(self, line: bytes) -> None:
        if line.startswith(b"--") and self._begins_part(line.rstrip()):
            return
        if self._head is None:
            if self._room:
                self._keep(line[: self._room])
                self._room -= min(self._room, len(line))
        elif line.strip():
            begun = line[: _HEAD_LIMIT - len(self._head)]
            self._head += begun
            self._keep(begun)
        else:
            self._keep(line)
            self._end_head(bytes(self._head))

    def _begins_part(self, edge: bytes) -> bool:
        """Take an edge between parts, or the last one; tell whether it was one."""
        is_last = edge.endswith(b"--") and edge[2:-2] in self._edges
        if not is_last and edge[2:] not in self._edges:
            return False
        self._parts += 1
        self._room = _EPILOGUE_LIMIT if is_last else 0
        self._head = None if is_last or self._parts > _PARTS_LIMIT else bytearray()
        self._keep(edge + b"\r\n")
        return True

    def _end_head(self, head: bytes) -> None:
        """Settle how much of the part is kept; a letter in it has a head of its own."""
        for found in thinning.boundaries(head):
            if len(self._edges) < _BOUNDARIES_LIMIT:
                self._edges.add(found)
        self._head = bytearray() if _LETTER.search(head) else None
        if _CALENDAR.search(head):
            self._room = _CALENDAR_LIMIT
        else:
            self._room = thinning.room_of(head)

    def _keep(self, line: bytes) -> None:
        self._bytes += line[: max(0, WHOLE_LIMIT - len(self._bytes))]
