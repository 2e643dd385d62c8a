"""Take the bulk out of a mail before it is parsed: pictures and files have no words to read."""

import re
from collections.abc import Iterator
from itertools import islice

TEXT_LIMIT = 64 * 1024
"""Bytes of one part that are looked at."""

HTML_LIMIT = 160 * 1024
"""The same of HTML: some programs put 70,000 of styles before the first word."""

BODY_LIMIT = 192 * 1024
"""Bytes of all parts together."""

LINES_LIMIT = 20_000
"""Lines of all parts together: the parser compares each with every open boundary."""

_BOUNDARIES_LIMIT = 24
_PIECES_LIMIT = 100
_HEAD_LIMIT = 8 * 1024
_BOUNDARY = re.compile(
    rb'boundary[ \t]*=[ \t]*(?:"([^"\r\n]{1,70})"|([^\s;"]{1,70}))', re.IGNORECASE
)
_BULKY = re.compile(
    rb"^content-type:\s*(?:application|image|audio|video|font|model)/", re.IGNORECASE | re.MULTILINE
)
_HTML = re.compile(rb"^content-type:\s*text/html\b", re.IGNORECASE | re.MULTILINE)
_GAP = re.compile(rb"\r?\n\r?\n")


def thin(head: bytes, body: bytes) -> bytes:
    """Return the body with the beginning of each part of words, and of others the head alone."""
    if _HTML.search(head):
        return _cut_lines(body[:HTML_LIMIT])
    edges = _edges(head, body)
    kept: list[bytes] = []
    room = BODY_LIMIT
    for start, end in zip([0, *edges], [*edges, len(body)], strict=True):
        piece = _thinned(body[start:end])[:room]
        kept.append(piece)
        room -= len(piece)
    return _cut_lines(b"".join(kept))


def boundaries(text: bytes) -> Iterator[bytes]:
    """Yield what stands between parts, as heads name it."""
    return (one[1] or one[2] for one in _BOUNDARY.finditer(text))


def room_of(head: bytes) -> int:
    """Return how many bytes of a part with this head are looked at."""
    if _BULKY.search(head):
        return 0
    return HTML_LIMIT if _HTML.search(head) else TEXT_LIMIT


def _cut_lines(body: bytes) -> bytes:
    return b"\n".join(body.split(b"\n", LINES_LIMIT)[:LINES_LIMIT])


def _edges(head: bytes, body: bytes) -> list[int]:
    """Return where the parts begin and the last ones end."""
    found = [*boundaries(head), *islice(boundaries(body), _BOUNDARIES_LIMIT)]
    names = set(found[:_BOUNDARIES_LIMIT])
    if not names:
        return []
    lines = b"|".join(map(re.escape, sorted(names)))
    edge = re.compile(rb"^--(?:%b)(?:--)?[ \t]*\r?$" % lines, re.MULTILINE)
    return [one.start() for one in islice(edge.finditer(body), _PIECES_LIMIT)]


def _thinned(piece: bytes) -> bytes:
    gap = _GAP.search(piece, 0, _HEAD_LIMIT)
    if gap is None:
        return piece[:TEXT_LIMIT]
    room = room_of(piece[: gap.start()])
    return piece[:room] if room else piece[: gap.end()]
