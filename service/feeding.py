"""Make the finished bytes of one calendar address, and tell which of them have moved on."""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import cache
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

import structlog
from asyncpg import Connection, Record

from calendars import feed, zones
from calendars.feed import FeedProfile
from service import assembling, describing, feed_paths, tokens
from service.assembling import Portion, Reader, Shelf, Style, View
from service.database import Database
from service.describing import Look, Said, Voice
from service.domain.changes import MeetingFacts
from service.domain.feed_profiles import Extent, Fallen, Profile
from service.domain.shown import OwnAnswer
from service.domain.words import Answer, Mode, State
from service.feed_cache import FeedCopy, Fetch, Version
from service.feed_paths import Address, address_path
from service.pages.catalogue import texts
from service.pages.rendering import localised
from service.settings import Settings
from service.tables import shown_meetings
from service.tables.shown_meetings import Wanted
from service.tokens import Keys, Purpose

# A replaced or ended address says so for this long, then it is gone for good.
TOMBSTONE_DAYS = 30
# Entries of calendars with colour when the group has none of its own.
COLOUR_CSS, COLOUR_HEX = "steelblue", "#4682B4"

# Months begin at midnight there; it is the zone that every feed defines.
_ZONE = ZoneInfo(zones.TZID)

Styling = Callable[[Said | None], tuple[Style, int]]

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
UPDATE feed SET last_fetch_on = $1, client_family = seen.family,
    fetched_state_at = greatest(feed.fetched_state_at, seen.state_at)
FROM unnest($2::uuid[], $3::text[], $4::timestamptz[]) AS seen (id, family, state_at)
WHERE feed.id = seen.id AND (feed.last_fetch_on IS DISTINCT FROM $1
    OR feed.client_family <> seen.family OR feed.fetched_state_at IS DISTINCT FROM seen.state_at)
"""
_GROUP_NAMES = """
SELECT string_agg(name, ', ' ORDER BY position, name) FROM working_group WHERE id = ANY($1)
"""
# Looked up for what is no token at all, so that it takes as long as an unknown one.
_NOBODY = UUID(int=0)
# One above what a feed takes, so that a cut is noticed.
_MOST_ENTRIES = feed.LARGEST_FEED_COUNT + 1
_FIRST_DAY = date(2000, 1, 1)


class Kitchen:
    """Makes feeds of one process and keeps the bytes of single entries, up to `max_bytes`.

    `is_bounded` is False in benchmarks only: no window of months, and no limit of a feed's size.
    """

    def __init__(
        self,
        database: Database,
        settings: Settings,
        keys: Keys,
        *,
        max_bytes: int,
        is_bounded: bool = True,
    ) -> None:
        self._database = database
        self._settings = settings
        self._keys = keys
        self._shelf = Shelf(max_bytes)
        self._is_bounded = is_bounded

    async def make(self, address: Address, now: datetime) -> FeedCopy | None:
        """Return the feed as it is now, a tombstone for a former address, None for an unknown one.

        All rows are read in one snapshot, so that equal versions mean equal bytes.
        """
        async with self._database.unit_of_work(isolation="repeatable_read") as unit:
            row = await _find(unit.connection, address)
            profile = None if row is None else self._profile(row, address)
            if row is None or profile is None:
                return None
            ended_at = self._ended_at(row, address)
            if ended_at is not None:
                return self._tombstone(row, address, profile, ended_at, now)
            if address.kind in {"personal", "office"} and not self._opens(row, address):
                return None
            month_on = month_of(now)
            portions = await self._portions(unit.connection, row, address, profile, month_on)
            meetings = await shown_meetings.load(unit.connection, assembling.missing(portions))
            about = await self._about(unit.connection, row, address, profile, month_on)
        reader = Reader(row["full_name"], row["email"] or "") if row["full_name"] else None

        def put_together() -> FeedCopy:
            pieces = assembling.assemble(self._shelf, portions, meetings, reader)
            return _copy(row, address, about, self._bound(row, pieces), month_on)

        # Folding and hashing thousands of lines takes a while that others need not wait for.
        return await asyncio.to_thread(put_together)

    async def versions(self, feed_ids: Sequence[UUID]) -> Mapping[UUID, Version]:
        """Return the present versions of the feeds; a deleted one is missing."""
        rows = await self._database.fetch(_VERSIONS, feed_ids)
        return {
            row["id"]: Version(row["revision"], row["epoch"], row["revoked_at"]) for row in rows
        }

    def _profile(self, row: Record, address: Address) -> Profile | None:
        """Return the feed's choices, None where they are in the path and not signed by us."""
        if address.kind == "chosen":
            return feed_paths.read_choices(self._keys, address.key)
        return Profile.read(row["profile"])

    def _opens(self, row: Record, address: Address) -> bool:
        return tokens.matches(self._keys, address.key, Purpose.FEED, row["handle"], row["epoch"])

    def _ended_at(self, row: Record, address: Address) -> datetime | None:
        """Return since when this address is no longer the feed's, None while it is or never was."""
        if address.kind in {"public", "group", "chosen"}:
            return _first(row["revoked_at"])
        if self._opens(row, address):
            return _first(row["revoked_at"], row["anonymised_at"], row["disabled_at"])
        for epoch, ended_at in row["profile"].get("ended", {}).items():
            if tokens.matches(self._keys, address.key, Purpose.FEED, row["handle"], int(epoch)):
                return datetime.fromisoformat(ended_at)
        return None

    async def _portions(
        self, connection: Connection, row: Record, address: Address, profile: Profile, month: date
    ) -> "list[bytes | Portion]":
        """Return the meetings of this feed in order, those that are kept as their bytes."""
        style = Style(
            view=View.OFFICE if address.kind == "office" else View.PUBLIC,
            voice=self._voice(row, profile),
            look=Look(profile.fallen, profile.shows_rough),
            names=await shown_meetings.find_names(connection),
            with_deadline=profile.shows_deadlines,
        )
        wanted = self._wanted(row, address, profile, month)
        if address.kind == "personal":
            heads = await shown_meetings.list_of_person(connection, wanted, row["person_id"])
            styled = self._styling(style)
            found = (self._own_portion(head, styled, profile) for head in heads)
            return [portion for portion in found if portion is not None]
        if address.kind == "office":
            drafts = profile.shows_drafts
            all_alike = await shown_meetings.list_of_office(connection, wanted, with_drafts=drafts)
        else:
            all_alike = await shown_meetings.list_public(connection, wanted)
        return self._shelf.find_all(all_alike, style)

    def _wanted(self, row: Record, address: Address, profile: Profile, month: date) -> Wanted:
        shows_fallen = profile.fallen is not Fallen.LEFT_OUT
        return Wanted(
            window_on=feed.window_start(month) if self._is_bounded else _FIRST_DAY,
            zone=_ZONE,
            rough=profile.shows_rough,
            tentative=profile.shows_tentative,
            fallen_since=feed.cancelled_since(month) if shows_fallen else None,
            limit=_MOST_ENTRIES if self._is_bounded else 1_000_000,
            group_ids=(row["group_id"],) if address.kind == "group" else profile.group_ids,
        )

    def _styling(self, style: Style) -> Styling:
        """Return what makes a style of what somebody said, with its number, each only once."""

        @cache
        def styled(said: Said | None) -> tuple[Style, int]:
            own = style if said is None else replace(style, view=View.INVITED, said=said)
            return own, self._shelf.number(own)

        return styled

    def _own_portion(self, head: Record, styled: Styling, profile: Profile) -> Portion | None:
        """Return a meeting's place in a person's feed, None where it is not to be shown."""
        own = shown_meetings.own_answer(head)
        if own is None or own.state != "invited":
            # Whoever is not yet invited sees what everybody sees.
            return self._portion(head, styled(None), None) if profile.extent is Extent.ALL else None
        answer = describing.holding_answer(own, _stands(head))
        if not _is_wanted(own, answer, profile):
            return None
        deputy = own.deputy_name if answer is Answer.REPRESENTED and profile.shows_answer else ""
        said = Said(answer, deputy, profile.shows_answer, profile.alarm_minutes)
        changed_at = max(head["changed_at"], own.changed_at, describing.RENDER_EPOCH)
        return self._portion(head, styled(said), changed_at)

    def _portion(
        self, head: Record, styled: tuple[Style, int], changed_at: datetime | None
    ) -> Portion:
        style, number = styled
        key = (head["head"], number)
        return Portion(key, style, self._shelf.find(key), changed_at)

    def _bound(self, row: Record, pieces: Sequence[bytes]) -> Sequence[bytes]:
        if not self._is_bounded:
            return pieces
        kept = feed.cut_to_size(pieces)
        if len(kept) < len(pieces):
            _log.warning("feeds.cut", feed=str(row["id"]), left_off=len(pieces) - len(kept))
        return kept

    def _voice(self, row: Record, profile: Profile) -> Voice:
        locale = profile.locale or row["locale"]
        return describing.voice_of(self._settings, locale, row["office_name"], row["phone"])

    async def _about(
        self, connection: Connection, row: Record, address: Address, profile: Profile, month: date
    ) -> FeedProfile:
        """Return what the feed says of itself."""
        names = ""
        if address.kind == "chosen" and profile.group_ids:
            names = await connection.fetchval(_GROUP_NAMES, profile.group_ids) or ""
        return self._head(row, address, profile, month, names)

    def _head(
        self, row: Record, address: Address, profile: Profile, month_on: date, groups: str = ""
    ) -> FeedProfile:
        locale = profile.locale or row["locale"]
        name, about = _words(row, locale, groups)
        colour = row["colour"] or ""
        own_colour = re.fullmatch("#[0-9A-Fa-f]{6}", colour) is not None
        path = f"/kalender?gruppe={row['group_slug']}" if row["group_slug"] else "/kalender"
        is_public = address.kind in {"public", "group", "chosen"}
        return FeedProfile(
            name=name,
            description=about,
            uid=str(uuid5(row["id"], address.key) if address.kind == "chosen" else row["id"]),
            url=self._settings.public_url + localised(path, locale),
            colour_css="" if own_colour else COLOUR_CSS,
            colour_hex=colour if own_colour else COLOUR_HEX,
            changed_at=_changed_at(row, month_on),
            source=self._settings.public_url + address_path(address) if is_public else "",
        )

    def _tombstone(
        self, row: Record, address: Address, profile: Profile, ended_at: datetime, now: datetime
    ) -> FeedCopy:
        """Say in one entry that the address ended; thirty days later nothing is left but 410."""
        month_on = month_of(now)
        t = texts(profile.locale or row["locale"]).t
        until = ended_at + timedelta(days=TOMBSTONE_DAYS)
        about = replace(self._head(row, address, profile, month_on), changed_at=ended_at)
        body = feed.tombstone(
            about,
            t("feed.ended"),
            ended_at.astimezone(_ZONE).date(),
            description=t("feed.ended_text"),
            organiser=self._voice(row, profile).organiser,
        )
        is_over = now >= until
        copy = _copy(row, address, about, (), month_on)
        return replace(
            copy,
            status=410 if is_over else 200,
            body=b"" if is_over else body,
            etag=feed.etag(b"" if is_over else body),
            changed_at=ended_at,
            until=None if is_over else until,
        )


def month_of(now: datetime) -> date:
    """Return the first day of the month that it is in Germany."""
    return now.astimezone(_ZONE).date().replace(day=1)


async def note_fetches(database: Database, fetched: Mapping[UUID, Fetch], now: datetime) -> None:
    """Write on which day, by what kind of program and in which state feeds were fetched.

    It is one statement for all of them.
    """
    if not fetched:
        return
    families = [each.family for each in fetched.values()]
    states = [each.state_at for each in fetched.values()]
    async with database.unit_of_work() as unit:
        await unit.connection.execute(_NOTE_FETCHES, now.date(), list(fetched), families, states)


async def _find(connection: Connection, address: Address) -> Record | None:
    if address.kind in {"public", "chosen"}:
        return await connection.fetchrow(_FIND_PUBLIC)
    if address.kind == "group":
        return await connection.fetchrow(_FIND_GROUP, address.key)
    handle = tokens.read_handle(address.key)
    # One token has one spelling; a second one would be a second copy in memory.
    is_token = handle is not None and address.key == address.key.lower()
    return await connection.fetchrow(_FIND_HANDLE, address.kind, handle if is_token else _NOBODY)


def _stands(head: Record) -> MeetingFacts:
    """Return as much of the meeting as decides whether an answer still holds."""
    return MeetingFacts(
        state=State(head["state"]),
        title="",
        starts_local=head["starts_local"],
        mode=Mode(head["mode"]),
        town=head["town"],
    )


def _is_wanted(own: OwnAnswer, answer: Answer | None, profile: Profile) -> bool:
    if profile.leaves_out_mailed and own.channel == "request":
        # The invitation made an entry of its own, which follows every change by mail.
        return False
    if answer is Answer.DECLINED:
        return profile.shows_declined
    return answer is not None or profile.extent is not Extent.ANSWERED


def _copy(
    row: Record, address: Address, about: FeedProfile, pieces: Sequence[bytes], month_on: date
) -> FeedCopy:
    body = feed.render_feed(about, pieces)
    return FeedCopy(
        feed_id=row["id"],
        version=Version(row["revision"], row["epoch"], row["revoked_at"]),
        month_on=month_on,
        status=200,
        body=body,
        etag=feed.etag(body),
        changed_at=about.changed_at,
        state_at=row["changed_at"],
        filename=address_path(address).rsplit("/", 1)[-1],
        is_private=address.kind in {"personal", "office"},
    )


def _changed_at(row: Record, month_on: date) -> datetime:
    """Return when the feed last changed: by its row, by the month's edge or by new wording."""
    midnight = datetime(month_on.year, month_on.month, 1, tzinfo=_ZONE)
    changed_at: datetime = row["changed_at"]
    return max(changed_at, midnight.astimezone(UTC), describing.RENDER_EPOCH)


def _first(*moments: datetime | None) -> datetime | None:
    return next((moment for moment in moments if moment is not None), None)


def _words(row: Record, locale: str, groups: str) -> tuple[str, str]:
    """Return the name of the feed and the sentence about it."""
    t = texts(locale).t
    name = row["name"] or "Terminbuch"
    values = {
        "name": name,
        "short_name": row["short_name"] or name,
        "group": row["group_name"] or "",
        "person": row["full_name"] or "",
    }
    kind = "chosen" if groups else row["kind"]
    values["groups"] = groups
    return t(f"feed.{kind}_name", **values), t(f"feed.{kind}_about", **values)
