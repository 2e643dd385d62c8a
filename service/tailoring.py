"""Let readers choose what their calendar shows: by a link of its own, or through the office.

The link opens the choices and never shows the calendar's address; that goes by mail to the
registered address. The address stays what it is whatever is chosen, so nobody subscribes again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from asyncpg import Record

from service import resending, subscribing, tokens
from service.auditing import Actor
from service.database import Database
from service.domain.errors import LinkReplacedError, LinkUnknownError, NotFoundError
from service.domain.feed_profiles import Profile
from service.subscribing import FeedUse, Owner, Wish
from service.tokens import Keys, Purpose

# Who has not fetched for so long does not read the calendar any more.
READS_WITHIN = timedelta(days=30)

_FIND = """
SELECT feed.id, feed.kind, feed.person_id, feed.account_id, feed.handle, feed.epoch, feed.profile,
    feed.revoked_at, feed.last_fetch_on, feed.client_family,
    coalesce(person.full_name, account.full_name) AS full_name
FROM feed
LEFT JOIN person ON person.id = feed.person_id
LEFT JOIN account ON account.id = feed.account_id
WHERE person.anonymised_at IS NULL AND person.ended_on IS NULL AND account.disabled_at IS NULL
"""
_FIND_BY_HANDLE = f"{_FIND} AND feed.kind = 'personal' AND feed.handle = $1"
_FIND_BY_PERSON = f"{_FIND} AND feed.kind = 'personal' AND feed.person_id = $1"
_FIND_BY_ACCOUNT = f"{_FIND} AND feed.kind = 'office' AND feed.account_id = $1"
_GROUPS = """
SELECT g.id, g.name, g.is_everybody OR EXISTS (
    SELECT FROM membership m
    WHERE m.group_id = g.id AND m.person_id = $1 AND m.to_on IS NULL) AS is_own
FROM working_group g WHERE g.ended_on IS NULL
ORDER BY array_position(ARRAY['alliance', 'groups', 'other'], g.heading), g.position, g.name
"""
_SPREAD = """
SELECT count(*) AS calendars, count(*) FILTER (WHERE f.fetched_state_at >= m.changed_at) AS shown
FROM meeting m
JOIN invitation i ON i.meeting_id = m.id AND i.state = 'invited'
JOIN feed f ON f.kind = 'personal' AND f.person_id = i.person_id AND f.revoked_at IS NULL
WHERE m.id = $1 AND f.last_fetch_on >= $2
"""


@dataclass(frozen=True, slots=True)
class GroupChoice:
    """A group whose sessions a calendar may show; `is_own` where the reader belongs to it."""

    id: UUID
    name: str
    is_own: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnCalendar:
    """One reader's calendar as the page of choices shows it."""

    owner: Owner
    full_name: str
    use: FeedUse
    profile: Profile
    groups: Sequence[GroupChoice]

    @property
    def chosen_ids(self) -> Sequence[UUID]:
        """The groups that the calendar shows now."""
        if self.profile.group_ids is not None:
            return self.profile.group_ids
        return [group.id for group in self.groups if group.is_own or self.owner.kind == "office"]


@dataclass(frozen=True, slots=True)
class Spread:
    """How many of the calendars of invited people show a session as it stands."""

    shown: int
    calendars: int


def page_token(keys: Keys, handle: UUID, epoch: int) -> str:
    """Write the token of the page of choices; a renewed calendar has another one."""
    return tokens.derive(keys, Purpose.CALENDAR_PAGE, handle, epoch)


def page_path(token: str) -> str:
    """Return the path of the page of choices."""
    return f"/meine/kalender/{token}"


async def find_page(database: Database, keys: Keys, person_id: UUID) -> str | None:
    """Return the path of a person's page of choices, None where there is no calendar."""
    row = await database.fetchrow(_FIND_BY_PERSON, person_id)
    if row is None:
        return None
    return page_path(page_token(keys, row["handle"], row["epoch"]))


async def find(database: Database, keys: Keys, token: str) -> OwnCalendar:
    """Return the calendar that a link is about; `LinkUnknownError`, `LinkReplacedError`."""
    handle = tokens.read_handle(token)
    row = None if handle is None else await database.fetchrow(_FIND_BY_HANDLE, handle)
    if row is None or handle is None:
        raise LinkUnknownError
    purpose, epoch = Purpose.CALENDAR_PAGE, row["epoch"]
    if tokens.matches(keys, token, purpose, handle, epoch):
        return await _read(database, row)
    if tokens.was_derived(keys, token, purpose, handle, range(1, epoch)):
        raise LinkReplacedError
    raise LinkUnknownError


async def find_of(database: Database, owner: Owner) -> OwnCalendar:
    """Return somebody's calendar for the office; NotFoundError where there is none."""
    sql = _FIND_BY_PERSON if owner.kind == "personal" else _FIND_BY_ACCOUNT
    row = await database.fetchrow(sql, owner.id)
    if row is None:
        raise NotFoundError
    return await _read(database, row)


async def save_by_link(
    database: Database, keys: Keys, token: str, profile: Profile, now: datetime
) -> None:
    """Store what a reader chose; the errors are those of `find`, NotFoundError once it ended."""
    found = await find(database, keys, token)
    actor = Actor("person", found.owner.id)
    await save(database, actor, found, profile, now)


async def save(
    database: Database, actor: Actor, calendar: OwnCalendar, profile: Profile, now: datetime
) -> None:
    """Store what was chosen for somebody's calendar."""
    await subscribing.set_profile(database, actor, calendar.use.id, profile, now)


async def change_by_link(
    database: Database, keys: Keys, token: str, wish: Wish, now: datetime
) -> bool:
    """Renew, end or begin anew the reader's own calendar; True when a letter tells the address."""
    found = await find(database, keys, token)
    actor = Actor("person", found.owner.id)
    return await subscribing.change_own(database, actor, found.owner, wish, now)


async def mail_address(database: Database, keys: Keys, token: str, now: datetime) -> None:
    """Mail the calendar's address, with all links, to the registered address and to no other."""
    found = await find(database, keys, token)
    await resending.mail_links_to(database, found.owner.id, now)


async def count_shown(database: Database, meeting_id: UUID, now: datetime) -> Spread:
    """Count the calendars of invited people that were fetched lately, and since the last change."""
    day = (now - READS_WITHIN).date()
    row = await database.fetchrow(_SPREAD, meeting_id, day)
    return Spread(row["shown"], row["calendars"]) if row else Spread(0, 0)


async def _read(database: Database, row: Record) -> OwnCalendar:
    is_personal = row["kind"] == "personal"
    owner = Owner(row["kind"], row["person_id"] if is_personal else row["account_id"])
    groups: Sequence[Any] = await database.fetch(_GROUPS, row["person_id"])
    return OwnCalendar(
        owner=owner,
        full_name=row["full_name"],
        use=FeedUse(row["id"], row["revoked_at"], row["last_fetch_on"], row["client_family"]),
        profile=Profile.read(row["profile"]),
        groups=[GroupChoice(each["id"], each["name"], each["is_own"]) for each in groups],
    )
