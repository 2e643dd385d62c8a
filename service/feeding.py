"""Make the finished bytes of one calendar address, and tell which of them have moved on."""

import asyncio
import re
from collections import OrderedDict
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from threading import Lock
from uuid import UUID
from zoneinfo import ZoneInfo

import structlog
from asyncpg import Connection, Record

from calendars import feed, fragment, zones
from calendars.entry import Entry
from calendars.feed import FeedProfile
from service import describing, tokens
from service.database import Database
from service.describing import Reader, Voice
from service.domain.shown import OwnAnswer, ShownMeeting
from service.feed_cache import FeedCopy, Version
from service.pages.catalogue import texts
from service.pages.rendering import localised
from service.settings import Settings
from service.tables import shown_meetings
from service.tokens import Keys, Purpose

# A replaced or ended address says so for this long, then it is gone for good.
TOMBSTONE_DAYS = 30
# Entries of calendars with colour when the group has none of its own.
COLOUR_CSS, COLOUR_HEX = "steelblue", "#4682B4"

# Months begin at midnight there; it is the zone that every feed defines.
_ZONE = ZoneInfo(zones.TZID)

_log = structlog.get_logger(__name__)

_FIND = """
SELECT feed.id, feed.kind, feed.group_id, feed.person_id, feed.handle, feed.epoch, feed.profile,
    feed.revision, feed.changed_at, feed.revoked_at,
    working_group.slug AS group_slug, working_group.name AS group_name, working_group.colour,
    person.full_name, person.email, person.anonymised_at,
    coalesce(person.locale, account.locale, 'de') AS locale, account.disabled_at,
    instance.name, instance.short_name, instance.office_name, instance.phone,
    instance.email AS office_email
FROM feed
LEFT JOIN working_group ON working_group.id = feed.group_id
LEFT JOIN person ON person.id = feed.person_id
LEFT JOIN account ON account.id = feed.account_id
LEFT JOIN instance ON instance.id = 1
"""
_FIND_PUBLIC = f"{_FIND} WHERE feed.kind = 'public'"
_FIND_GROUP = f"{_FIND} WHERE feed.kind = 'group' AND working_group.slug = $1"
_FIND_HANDLE = f"{_FIND} WHERE feed.kind = $1 AND feed.handle = $2"
_VERSIONS = "SELECT id, revision, epoch, revoked_at FROM feed WHERE id = ANY($1)"
_NOTE_FETCHES = """
UPDATE feed SET last_fetch_on = $1, client_family = seen.family
FROM unnest($2::uuid[], $3::text[]) AS seen (id, family)
WHERE feed.id = seen.id
    AND (feed.last_fetch_on IS DISTINCT FROM $1 OR feed.client_family <> seen.family)
"""
# Looked up for what is no token at all, so that it takes as long as an unknown one.
_NOBODY = UUID(int=0)
_PIECE_OVERHEAD_BYTES = 1024

Pair = tuple[ShownMeeting, OwnAnswer | None]


@dataclass(frozen=True, slots=True)
class Address:
    """What a feed's path names: its kind, and the group's slug or the token."""

    kind: str
    key: str = ""


class Kitchen:
    """Makes feeds of one process and keeps the bytes of single entries, up to `max_bytes`."""

    def __init__(self, database: Database, settings: Settings, keys: Keys, max_bytes: int) -> None:
        self._database = database
        self._settings = settings
        self._keys = keys
        self._pieces = _Pieces(max_bytes)

    async def make(self, address: Address, now: datetime) -> FeedCopy | None:
        """Return the feed as it is now, a tombstone for a former address, None for an unknown one.

        All rows are read in one snapshot, so that equal versions mean equal bytes.
        """
        async with self._database.unit_of_work(isolation="repeatable_read") as unit:
            row = await _find(unit.connection, address)
            if row is None:
                return None
            ended_at = self._ended_at(row, address)
            if ended_at is not None:
                return self._tombstone(row, ended_at, now)
            if address.kind in {"personal", "office"} and not self._opens(row, address):
                return None
            month_on = month_of(now)
            pairs = await self._pairs(unit.connection, row, month_on)
        # Folding thousands of lines takes a while that other requests need not wait for.
        body = await asyncio.to_thread(self._render, row, pairs, month_on)
        return self._copy(row, body, month_on)

    async def versions(self, feed_ids: Sequence[UUID]) -> Mapping[UUID, Version]:
        """Return the present versions of the feeds; a deleted one is missing."""
        rows = await self._database.fetch(_VERSIONS, feed_ids)
        return {
            row["id"]: Version(row["revision"], row["epoch"], row["revoked_at"]) for row in rows
        }

    def _opens(self, row: Record, address: Address) -> bool:
        return tokens.matches(self._keys, address.key, Purpose.FEED, row["handle"], row["epoch"])

    def _ended_at(self, row: Record, address: Address) -> datetime | None:
        """Return since when this address is no longer the feed's, None while it is or never was."""
        if address.kind in {"public", "group"}:
            return _first(row["revoked_at"])
        if self._opens(row, address):
            return _first(row["revoked_at"], row["anonymised_at"], row["disabled_at"])
        for epoch, ended_at in row["profile"].get("ended", {}).items():
            if tokens.matches(self._keys, address.key, Purpose.FEED, row["handle"], int(epoch)):
                return datetime.fromisoformat(ended_at)
        return None

    async def _pairs(self, connection: Connection, row: Record, month_on: date) -> list[Pair]:
        """Return the meetings of this feed in order, each with the reader's own answer."""
        window = (feed.window_start(month_on), _ZONE)
        match row["kind"]:
            case "personal":
                pairs = await shown_meetings.of_person(connection, *window, row["person_id"])
            case "office":
                pairs = _alone(await shown_meetings.of_office(connection, *window))
            case "group":
                pairs = _alone(await shown_meetings.of_group(connection, *window, row["group_id"]))
            case _:
                pairs = _alone(await shown_meetings.public(connection, *window))
        return [pair for pair in pairs if describing.is_shown_on(pair[0], month_on)]

    def _render(self, row: Record, pairs: Sequence[Pair], month_on: date) -> bytes:
        voice = self._voice(row)
        pieces = [self._piece(row, meeting, own, voice) for meeting, own in pairs]
        whole = [piece for piece in pieces if piece]
        kept = feed.cut_to_size(whole)
        if len(kept) < len(whole):
            _log.warning("feeds.cut", feed=str(row["id"]), left_off=len(whole) - len(kept))
        return feed.render_feed(self._profile(row, month_on), kept)

    def _piece(
        self, row: Record, meeting: ShownMeeting, own: OwnAnswer | None, voice: Voice
    ) -> bytes:
        """Render one meeting; whatever is wrong with it never takes the feed down."""
        try:
            if row["kind"] == "personal":
                return _rendered(_personal(row, meeting, own, voice))
            return self._shared_piece(row["kind"] == "office", meeting, voice)
        except ValueError:
            _log.exception("feeds.entry_left_out", meeting=str(meeting.id))
            return b""

    def _shared_piece(self, for_office: bool, meeting: ShownMeeting, voice: Voice) -> bytes:  # noqa: FBT001
        key = (meeting.id, meeting.revision, meeting.changed_at, meeting.groups, voice, for_office)
        piece = self._pieces.find(key)
        if piece is None:
            entries = (
                describing.office_entries(meeting, voice)
                if for_office
                else [describing.public_entry(meeting, voice)]
            )
            piece = self._pieces.keep(key, b"".join(map(_rendered, entries)))
        return piece

    def _voice(self, row: Record) -> Voice:
        return describing.voice_of(self._settings, row["locale"], row["office_name"], row["phone"])

    def _profile(self, row: Record, month_on: date) -> FeedProfile:
        name, about = _words(row)
        colour = row["colour"] or ""
        own_colour = re.fullmatch("#[0-9A-Fa-f]{6}", colour) is not None
        path = "/kalender"
        source = ""
        if row["kind"] == "group":
            path = f"/kalender?gruppe={row['group_slug']}"
        if row["kind"] in {"public", "group"}:
            source = self._settings.public_url + address_path(
                Address(row["kind"], row["group_slug"] or "")
            )
        return FeedProfile(
            name=name,
            description=about,
            uid=str(row["id"]),
            url=self._settings.public_url + localised(path, row["locale"]),
            colour_css="" if own_colour else COLOUR_CSS,
            colour_hex=colour if own_colour else COLOUR_HEX,
            changed_at=_changed_at(row, month_on),
            source=source,
        )

    def _copy(self, row: Record, body: bytes, month_on: date) -> FeedCopy:
        return FeedCopy(
            feed_id=row["id"],
            version=Version(row["revision"], row["epoch"], row["revoked_at"]),
            month_on=month_on,
            status=200,
            body=body,
            etag=feed.etag(body),
            changed_at=_changed_at(row, month_on),
            filename=_filename(row),
            is_private=row["kind"] in {"personal", "office"},
        )

    def _tombstone(self, row: Record, ended_at: datetime, now: datetime) -> FeedCopy:
        """Say in one entry that the address ended; thirty days later nothing is left but 410."""
        month_on = month_of(now)
        t = texts(row["locale"]).t
        until = ended_at + timedelta(days=TOMBSTONE_DAYS)
        profile = replace(self._profile(row, month_on), changed_at=ended_at)
        ended_on = ended_at.astimezone(_ZONE).date()
        body = b""
        if now < until:
            body = feed.tombstone(
                profile,
                t("feed.ended"),
                ended_on,
                description=t("feed.ended_text"),
                organiser=self._voice(row).organiser,
            )
        copy = self._copy(row, body, month_on)
        return replace(
            copy,
            status=200 if now < until else 410,
            changed_at=ended_at,
            until=until if now < until else None,
        )


class _Pieces:
    """Bytes of single entries by what they were made from; the oldest leave beyond the limit."""

    def __init__(self, max_bytes: int) -> None:
        self._kept: OrderedDict[Hashable, bytes] = OrderedDict()
        self._room = max_bytes
        # Several feeds may be rendered at a time, each in a thread.
        self._lock = Lock()

    def find(self, key: Hashable) -> bytes | None:
        """Return the bytes of a key, None when they are not kept."""
        return self._kept.get(key)

    def keep(self, key: Hashable, piece: bytes) -> bytes:
        """Keep the bytes and return them."""
        with self._lock:
            self._room += self._size(self._kept.pop(key, None))
            self._kept[key] = piece
            self._room -= self._size(piece)
            while self._room < 0:
                self._room += self._size(self._kept.popitem(last=False)[1])
        return piece

    @staticmethod
    def _size(piece: bytes | None) -> int:
        return 0 if piece is None else len(piece) + _PIECE_OVERHEAD_BYTES


def read_path(path: str) -> Address | None:
    """Read what an address below /ics/ names; None for what no feed lies under."""
    match path.split("/"):
        case ["", "ics", "alle", "termine.ics"]:
            return Address("public")
        case ["", "ics", "g", slug, name] if slug and name == f"{slug}.ics":
            return Address("group", slug)
        case ["", "ics", "p", token, "meine-termine.ics"]:
            return Address("personal", token)
        case ["", "ics", "b", token, "buero.ics"]:
            return Address("office", token)
    return None


def address_path(address: Address) -> str:
    """Write the path of an address; its last part is what programs show as name."""
    match address.kind:
        case "public":
            return "/ics/alle/termine.ics"
        case "group":
            return f"/ics/g/{address.key}/{address.key}.ics"
        case "personal":
            return f"/ics/p/{address.key}/meine-termine.ics"
    return f"/ics/b/{address.key}/buero.ics"


def month_of(now: datetime) -> date:
    """Return the first day of the month that it is in Germany."""
    return now.astimezone(_ZONE).date().replace(day=1)


async def note_fetches(database: Database, fetched: Mapping[UUID, str], now: datetime) -> None:
    """Write on which day and by what kind of program feeds were fetched: one statement for all."""
    if fetched:
        async with database.unit_of_work() as unit:
            await unit.connection.execute(
                _NOTE_FETCHES, now.date(), list(fetched), list(fetched.values())
            )


async def _find(connection: Connection, address: Address) -> Record | None:
    if address.kind == "public":
        return await connection.fetchrow(_FIND_PUBLIC)
    if address.kind == "group":
        return await connection.fetchrow(_FIND_GROUP, address.key)
    handle = tokens.read_handle(address.key)
    # One token has one spelling; a second one would be a second copy in memory.
    is_token = handle is not None and address.key == address.key.lower()
    return await connection.fetchrow(_FIND_HANDLE, address.kind, handle if is_token else _NOBODY)


def _alone(meetings: Iterable[ShownMeeting]) -> list[Pair]:
    return [(meeting, None) for meeting in meetings]


def _personal(
    row: Record, meeting: ShownMeeting, own: OwnAnswer | None, voice: Voice
) -> Entry | None:
    profile = row["profile"]
    if profile.get("leaves_out_mailed") and own is not None and own.channel != "plain":
        return None
    reader = Reader(
        name=row["full_name"],
        email=row["email"] or "",
        shows_answer=profile.get("shows_answer", True),
        shows_declined=profile.get("shows_declined", False),
        alarm_minutes=profile.get("alarm_minutes"),
    )
    return describing.personal_entry(meeting, own, reader, voice)


def _rendered(entry: Entry | None) -> bytes:
    return b"" if entry is None else fragment.render_fragment(entry)


def _changed_at(row: Record, month_on: date) -> datetime:
    """Return when the feed last changed: by its row, by the month's edge or by new wording."""
    midnight = datetime(month_on.year, month_on.month, 1, tzinfo=_ZONE)
    changed_at: datetime = row["changed_at"]
    return max(changed_at, midnight.astimezone(UTC), describing.RENDER_EPOCH)


def _first(*moments: datetime | None) -> datetime | None:
    return next((moment for moment in moments if moment is not None), None)


def _words(row: Record) -> tuple[str, str]:
    """Return the name of the feed and the sentence about it."""
    t = texts(row["locale"]).t
    name = row["name"] or "Terminbuch"
    values = {
        "name": name,
        "short_name": row["short_name"] or name,
        "group": row["group_name"] or "",
        "person": row["full_name"] or "",
    }
    return t(f"feed.{row['kind']}_name", **values), t(f"feed.{row['kind']}_about", **values)


def _filename(row: Record) -> str:
    address = Address(row["kind"], row["group_slug"] or "")
    return address_path(address).rsplit("/", 1)[-1]
