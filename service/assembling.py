"""Put feeds together from kept entries: what did not change is never rendered again."""

from collections import OrderedDict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from threading import Lock
from uuid import UUID

import structlog

from calendars import fragment
from calendars.entry import Attendee, Entry
from calendars.fragment import Cut
from service import describing
from service.describing import Look, Said, Voice
from service.domain.shown import ShownMeeting
from service.domain.words import Answer

# So many ways of looking at a meeting are told apart before all are forgotten: deputies' names
# are among them.
MOST_STYLES = 10_000
_OVERHEAD_BYTES = 1024

Piece = bytes | Cut
# A meeting looked at in a style, and the version of it that the bytes were made from.
Key = tuple[UUID, int]
Made = tuple[int, int, str]

_log = structlog.get_logger(__name__)


class View(StrEnum):
    """For whom an entry is described."""

    PUBLIC = "public"
    INVITED = "invited"
    OFFICE = "office"


@dataclass(frozen=True, slots=True)
class Style:
    """All that the bytes of an entry depend on beside the meeting; `names` are those of groups."""

    view: View
    voice: Voice
    look: Look
    names: str
    said: Said | None = None
    with_deadline: bool = True


@dataclass(frozen=True, slots=True)
class Reader:
    """The one person that a personal feed is for; without an address no attendee is written."""

    name: str
    email: str


@dataclass(slots=True)
class Portion:
    """One meeting's place in a feed; `piece` is None until it is made.

    `changed_at` is when the entry changed for its one reader, None where all read the same bytes.
    """

    key: Key
    made: Made
    style: Style
    piece: Piece | None
    changed_at: datetime | None = None


class Shelf:
    """Entries of one process, each as it was last made; the oldest leave beyond the limit."""

    def __init__(self, max_bytes: int) -> None:
        self._kept: OrderedDict[Key, tuple[Made, Piece]] = OrderedDict()
        self._styles: dict[Hashable, int] = {}
        self._next_style = 0
        self._room = max_bytes
        # Several feeds may be rendered at a time, each in a thread.
        self._lock = Lock()

    def number(self, style: Style) -> int:
        """Return the number of a style, so that a key is compared in no time."""
        found = self._styles.get(style)
        if found is None:
            if len(self._styles) >= MOST_STYLES:
                self._styles.clear()
            found = self._styles[style] = self._next_style
            self._next_style += 1
        return found

    def find(self, key: Key, made: Made) -> Piece | None:
        """Return the entry that was made from this version, None when it is not kept."""
        kept = self._kept.get(key)
        return kept[1] if kept is not None and kept[0] == made else None

    def keep(self, key: Key, made: Made, piece: Piece) -> Piece:
        """Keep an entry in the place of its former version, and return it."""
        with self._lock:
            self._room += _size(self._kept.pop(key, None))
            self._kept[key] = (made, piece)
            self._room -= len(piece) + _OVERHEAD_BYTES
            while self._room < 0:
                self._room += _size(self._kept.popitem(last=False)[1])
        return piece


def missing(portions: Iterable[Portion]) -> list[UUID]:
    """Return the meetings that have to be read and rendered."""
    return [portion.key[0] for portion in portions if portion.piece is None]


def assemble(
    shelf: Shelf,
    portions: Sequence[Portion],
    meetings: Mapping[UUID, ShownMeeting],
    reader: Reader | None,
) -> list[bytes]:
    """Return the entries of a feed in their order; those that cannot be made are left out."""
    lines: dict[Answer | None, bytes] = {}
    found = []
    for portion in portions:
        piece = portion.piece
        if piece is None:
            piece = _made(shelf, portion, meetings.get(portion.key[0]))
        if isinstance(piece, Cut) and portion.changed_at is not None:
            answer = portion.style.said.answer if portion.style.said else None
            if answer not in lines:
                lines[answer] = _attendee(reader, answer)
            piece = piece.filled(fragment.stamp_bytes(portion.changed_at), lines[answer])
        if piece and isinstance(piece, bytes):
            found.append(piece)
    return found


def _made(shelf: Shelf, portion: Portion, meeting: ShownMeeting | None) -> Piece:
    """Render one meeting; whatever is wrong with it never takes the feed down."""
    if meeting is None:
        return b""
    try:
        return shelf.keep(portion.key, portion.made, _rendered(portion.style, meeting))
    except ValueError:
        _log.exception("feeds.entry_left_out", meeting=str(meeting.id))
        return b""


def _rendered(style: Style, meeting: ShownMeeting) -> Piece:
    voice, look = style.voice, style.look
    if style.said is not None:
        entry = describing.answered_entry(meeting, style.said, voice, look)
        return b"" if entry is None else fragment.cut_fragment(entry)
    if style.view is View.OFFICE:
        entries: Sequence[Entry | None] = describing.office_entries(
            meeting, voice, look, with_deadline=style.with_deadline
        )
    else:
        entries = [describing.public_entry(meeting, voice, look)]
    return b"".join(fragment.render_fragment(entry) for entry in entries if entry is not None)


def _attendee(reader: Reader | None, answer: Answer | None) -> bytes:
    if reader is None or not reader.email:
        return b""
    partstat = describing.partstat(answer)
    try:
        return fragment.attendee_bytes(Attendee(reader.name, reader.email, partstat))
    except ValueError:
        # An address that no calendar can carry: the entry is right without it.
        return b""


def _size(kept: tuple[Made, Piece] | None) -> int:
    return 0 if kept is None else len(kept[1]) + _OVERHEAD_BYTES
