"""Many fragments as one subscribed calendar: same entries, same bytes, same ETag."""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime

from calendars import fragment, lines, texts, zones
from calendars.entry import Entry, Organiser, Status, require_aware, require_uid

OPENING = ("BEGIN:VCALENDAR", "VERSION:2.0")
PRODUCT = "PRODID:-//Terminbuch//Terminbuch//DE"
# Google drops what lies beyond 1 MB or about 1,100 entries without a word.
LARGEST_FEED_BYTES = 800_000
LARGEST_FEED_COUNT = 1000

_TAG = re.compile(r'(?:W/)?"([^"]*)"')
_MONTHS_BACK = 6
_DAYS_CANCELLED = 14


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedProfile:
    """What a feed says of itself.

    `changed_at` is aware and never goes back; `url` is the page about the feed; `source` its own
    address, left empty where that address is a secret; `refresh` an RFC 5545 duration that some
    readers keep for ever from the first time they see it.
    """

    name: str
    description: str
    uid: str
    url: str
    colour_css: str
    colour_hex: str
    changed_at: datetime
    refresh: str = "PT1H"
    source: str = ""

    def __post_init__(self) -> None:
        require_uid(self.uid)
        require_aware(self.changed_at)
        if not re.fullmatch(r"[a-z]*", self.colour_css):
            raise ValueError("not a colour name of CSS")
        if not re.fullmatch(r"(#[0-9A-Fa-f]{6})?", self.colour_hex):
            raise ValueError("not a colour as #rrggbb")
        if not re.fullmatch(r"P(\d+D)?(T(\d+H)?(\d+M)?)?", self.refresh):
            raise ValueError("not a duration of RFC 5545 section 3.3.6")


def render_feed(profile: FeedProfile, fragments: Sequence[bytes]) -> bytes:
    """Return the whole calendar; the caller sorts the fragments by start and UID.

    The time zone is always there, so that a feed without entries still is a calendar.
    """
    head = lines.folded(_head(profile))
    return b"".join((head, zones.EUROPE_BERLIN, *fragments, b"END:VCALENDAR\r\n"))


def cut_to_size(fragments: Sequence[bytes]) -> Sequence[bytes]:
    """Return the first fragments that large readers still take; compare lengths to log a cut."""
    room = LARGEST_FEED_BYTES - 4096
    for count, piece in enumerate(fragments):
        room -= len(piece)
        if room < 0 or count == LARGEST_FEED_COUNT:
            return fragments[:count]
    return fragments


def tombstone(
    profile: FeedProfile,
    summary: str,
    ended_on: date,
    *,
    description: str = "",
    organiser: Organiser | None = None,
) -> bytes:
    """Return the feed of a revoked address: one all-day entry that says so.

    Readers clear their copy only when something arrives in its place; an empty calendar or an
    error leaves the old entries standing.
    """
    entry = Entry(
        uid=f"feed-{profile.uid}-ended",
        sequence=0,
        changed_at=profile.changed_at,
        created_at=profile.changed_at,
        status=Status.CONFIRMED,
        summary=summary,
        description=description,
        url=profile.url,
        starts=ended_on,
        ends=ended_on,
        organiser=organiser,
    )
    return render_feed(profile, [fragment.render_fragment(entry)])


def etag(body: bytes) -> str:
    """Return the strong entity tag of the bytes (RFC 9110 section 8.8.3)."""
    return f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'


def not_modified(
    etag: str, changed_at: datetime, if_none_match: str | None, if_modified_since: str | None
) -> bool:
    """Tell whether 304 answers the request (RFC 9110 section 13.2.2).

    If-None-Match rules alone where it is sent; compared weakly, as list or star, and without the
    suffix that a compressing proxy adds. A date that cannot be read is as good as none.
    """
    if if_none_match is not None:
        return if_none_match == etag or _matches(etag, if_none_match)
    return if_modified_since is not None and _unchanged_since(changed_at, if_modified_since)


def window_start(today: date) -> date:
    """Return the first day that a feed still shows: a month's edge, six months back."""
    months = today.year * 12 + today.month - 1 - _MONTHS_BACK
    return date(months // 12, months % 12 + 1, 1)


def cancelled_since(month_on: date) -> date:
    """Return the first day whose cancelled entries a feed of the month that begins then shows.

    An entry stays until the end of the month in which the fourteenth day after its date falls.
    """
    return month_on - timedelta(days=_DAYS_CANCELLED)


def _head(profile: FeedProfile) -> list[str]:
    name = lines.escape(texts.one_line(profile.name))
    description = lines.escape(texts.clean(profile.description))
    url, source = lines.uri(profile.url), lines.uri(profile.source)
    pairs = (
        ("UID", profile.uid),
        ("LAST-MODIFIED", lines.stamp(fragment.shown_change(profile.changed_at))),
        ("NAME", name),
        ("X-WR-CALNAME", name),
        ("DESCRIPTION", description),
        ("X-WR-CALDESC", description),
        ("COLOR", profile.colour_css),
        ("X-APPLE-CALENDAR-COLOR", profile.colour_hex),
        ("URL", url),
        ("SOURCE;VALUE=URI", source),
        ("REFRESH-INTERVAL;VALUE=DURATION", profile.refresh),
        ("X-PUBLISHED-TTL", profile.refresh),
    )
    known = [f"{key}:{value}" for key, value in pairs if value]
    return [*OPENING, PRODUCT, "CALSCALE:GREGORIAN", *known]


def _matches(etag: str, if_none_match: str) -> bool:
    if if_none_match.strip() == "*":
        return True
    ours = etag.strip('"')
    return any(ours == found.removesuffix("-gzip") for found in _TAG.findall(if_none_match))


def _unchanged_since(changed_at: datetime, if_modified_since: str) -> bool:
    try:
        since = parsedate_to_datetime(if_modified_since)
    except (ValueError, TypeError, IndexError, OverflowError):
        return False
    if since.tzinfo is None:
        since = since.replace(tzinfo=UTC)
    return fragment.shown_change(changed_at).replace(microsecond=0) <= since
