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
from service.tables import shown_meetings

# So many ways of looking at a meeting are told apart before all are forgotten: deputies' names
# are among them.
MOST_STYLES = 10_000
_OVERHEAD_BYTES = 1024

Piece = bytes | Cut
# The head of a meeting, which names a version of it, and the number of a style.
Key = tuple[bytes, int]

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
    """One meeting's place in a feed, where its bytes are still to be made or to be filled in.

    `piece` is None until it is made; `changed_at` is when the entry changed for its one reader,
    None where all read the same bytes.
    """

    key: Key
    style: Style
    piece: Piece | None = None
    changed_at: datetime | None = None


class Shelf:
    """Entries of one process, each as it was last made; the oldest leave beyond the limit."""

    def __init__(self, max_bytes: int) -> None:
        self._kept: OrderedDict[Key, Piece] = OrderedDict()
        # By the bytes of a meeting's id and the style.
        self._newest: dict[Key, Key] = {}
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

    def find(self, key: Key) -> Piece | None:
        """Return the entry that was made from this version, None when it is not kept."""
        return self._kept.get(key)

    def find_all(self, heads: Iterable[bytes], style: Style) -> "list[bytes | Portion]":
        """Return the entries of a feed in which all look alike, and what has to be made."""
        number, kept = self.number(style), self._kept.get
        found: list[bytes | Portion] = []
        for head in heads:
            piece = kept((head, number))
            found.append(piece if isinstance(piece, bytes) else Portion((head, number), style))
        return found

    def keep(self, key: Key, piece: Piece) -> Piece:
        """Keep an entry in the place of its former version, and return it."""
        with self._lock:
            place = _place(key)
            former = self._newest.get(place)
            if former is not None:
                self._room += _size(self._kept.pop(former, None))
            self._newest[place] = key
            self._kept[key] = piece
            self._room -= _size(piece)
            while self._room < 0:
                gone, oldest = self._kept.popitem(last=False)
                del self._newest[_place(gone)]
                self._room += _size(oldest)
        return piece


def missing(portions: Iterable[bytes | Portion]) -> list[UUID]:
    """Return the meetings that have to be read and rendered."""
    return [
        _meeting_id(portion)
        for portion in portions
        if isinstance(portion, Portion) and portion.piece is None
    ]


def assemble(
    shelf: Shelf,
    portions: Sequence[bytes | Portion],
    meetings: Mapping[UUID, ShownMeeting],
    reader: Reader | None,
) -> list[bytes]:
    """Return the entries of a feed in their order; those that cannot be made are left out."""
    lines: dict[Answer | None, bytes] = {}

    def finished(portion: Portion) -> bytes:
        piece = portion.piece
        if piece is None:
            piece = _made(shelf, portion, meetings.get(_meeting_id(portion)))
        if isinstance(piece, bytes):
            return piece
        if portion.changed_at is None:
            return b""
        answer = portion.style.said.answer if portion.style.said else None
        if answer not in lines:
            lines[answer] = _attendee(reader, answer)
        return piece.filled(fragment.stamp_bytes(portion.changed_at), lines[answer])

    pieces = (each if isinstance(each, bytes) else finished(each) for each in portions)
    return [piece for piece in pieces if piece]


def _made(shelf: Shelf, portion: Portion, meeting: ShownMeeting | None) -> Piece:
    """Render one meeting; whatever is wrong with it never takes the feed down."""
    if meeting is None:
        return b""
    try:
        return shelf.keep(portion.key, _rendered(portion.style, meeting))
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


def _meeting_id(portion: Portion) -> UUID:
    return UUID(bytes=shown_meetings.id_bytes(portion.key[0]))


def _place(key: Key) -> Key:
    return shown_meetings.id_bytes(key[0]), key[1]


def _size(piece: Piece | None) -> int:
    return 0 if piece is None else len(piece) + _OVERHEAD_BYTES
