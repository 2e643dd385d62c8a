"""Give out calendar addresses, renew them and end them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Self
from uuid import UUID

from asyncpg import Connection, Record

from service import auditing, feed_cache, feed_paths, resending, tokens
from service.auditing import Actor
from service.database import Database
from service.domain.errors import NotFoundError
from service.domain.feed_profiles import Profile
from service.feed_paths import Address
from service.tokens import Keys, Purpose

_GROUPS = """
SELECT id, slug, name, heading FROM working_group WHERE ended_on IS NULL
ORDER BY array_position(ARRAY['alliance', 'groups', 'other'], heading), position, name
"""
_OF = {
    "personal": "SELECT * FROM feed WHERE kind = 'personal' AND person_id = $1",
    "office": "SELECT * FROM feed WHERE kind = 'office' AND account_id = $1",
}
# The old address says for a while that it ended; that needs to know since when.
_NEW_ADDRESS = """
UPDATE feed SET epoch = epoch + 1, revision = revision + 1, revoked_at = NULL,
    changed_at = greatest(date_trunc('second', $2::timestamptz), changed_at + interval '1 second'),
    profile = jsonb_set(profile, '{ended}', coalesce(profile->'ended', '{}') || jsonb_build_object(
        epoch::text, to_jsonb(coalesce(revoked_at, date_trunc('second', $2::timestamptz))))),
    last_fetch_on = NULL, client_family = ''
"""
_RENEW = f"{_NEW_ADDRESS} WHERE id = $1 AND revoked_at IS NULL RETURNING id"
_REOPEN = f"{_NEW_ADDRESS} WHERE id = $1 AND revoked_at IS NOT NULL RETURNING id"
_REVOKE = """
UPDATE feed SET revoked_at = date_trunc('second', $2::timestamptz), revision = revision + 1,
    changed_at = greatest(date_trunc('second', $2::timestamptz), changed_at + interval '1 second')
WHERE id = $1 AND revoked_at IS NULL
RETURNING id
"""
_SET_PROFILE = """
UPDATE feed SET profile = profile || $3::jsonb, revision = revision + 1,
    changed_at = greatest(date_trunc('second', $2::timestamptz), changed_at + interval '1 second')
WHERE id = $1 AND revoked_at IS NULL
RETURNING id
"""


@dataclass(frozen=True, slots=True)
class Offer:
    """A group's calendar that the subscribe page offers."""

    id: UUID
    slug: str
    name: str
    heading: str
    path: str


@dataclass(frozen=True, slots=True)
class OwnFeed:
    """One person's or account's calendar address, with what is known of its use."""

    id: UUID
    path: str
    last_fetch_on: object | None
    client_family: str


class Wish(StrEnum):
    """What may be done with a calendar's address."""

    RENEW = "renew"
    END = "end"
    REOPEN = "reopen"


_ACTS = {
    Wish.RENEW: ("renew_feed", _RENEW),
    Wish.END: ("revoke_feed", _REVOKE),
    Wish.REOPEN: ("reopen_feed", _REOPEN),
}


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose address: that of a person who is invited, or of an account of the office."""

    kind: str
    id: UUID

    @classmethod
    def person(cls, person_id: UUID) -> Self:
        """Return somebody who is invited."""
        return cls("personal", person_id)

    @classmethod
    def account(cls, account_id: UUID) -> Self:
        """Return somebody of the office."""
        return cls("office", account_id)


@dataclass(frozen=True, slots=True)
class FeedUse:
    """Whether somebody's calendar goes on, and who fetches it; without the secret address."""

    id: UUID
    ended_at: datetime | None
    last_fetch_on: date | None
    client_family: str


async def list_offers(database: Database) -> Sequence[Offer]:
    """Return the calendars of the groups that go on, in the order of the public list."""
    rows = await database.fetch(_GROUPS)
    return [
        Offer(row["id"], row["slug"], row["name"], row["heading"], group_path(row["slug"]))
        for row in rows
    ]


def public_path() -> str:
    """Return the path of the calendar with all public dates."""
    return feed_paths.address_path(Address("public"))


def group_path(slug: str) -> str:
    """Return the path of one group's calendar."""
    return feed_paths.address_path(Address("group", slug))


def chosen_path(keys: Keys, profile: Profile) -> tuple[str, str]:
    """Return the path of a public calendar with these choices, and how they are spelled in it."""
    spelled = feed_paths.sign_choices(keys, profile)
    return feed_paths.address_path(Address("chosen", spelled)), spelled


def find_choices(keys: Keys, spelled: str) -> Profile | None:
    """Read the choices in such a path; None for what we did not sign."""
    return feed_paths.read_choices(keys, spelled)


async def find_personal(database: Database, keys: Keys, person_id: UUID) -> OwnFeed | None:
    """Return a person's calendar with its secret path, None where it ended or never was."""
    return _own_feed(keys, await database.fetchrow(_OF["personal"], person_id))


async def find_office(database: Database, keys: Keys, account_id: UUID) -> OwnFeed | None:
    """Return a coordinator's calendar with its secret path, None where there is none."""
    return _own_feed(keys, await database.fetchrow(_OF["office"], account_id))


async def find_use(database: Database, owner: Owner) -> FeedUse | None:
    """Return what is known of somebody's calendar, None where there never was one."""
    row = await database.fetchrow(_OF[owner.kind], owner.id)
    if row is None:
        return None
    return FeedUse(row["id"], row["revoked_at"], row["last_fetch_on"], row["client_family"])


async def renew(database: Database, actor: Actor, feed_id: UUID, now: datetime) -> None:
    """Give a feed a new address; the old one says for thirty days that it ended.

    Raises NotFoundError for a feed that does not exist or has ended.
    """
    async with database.unit_of_work() as unit:
        await _apply(unit.connection, actor, feed_id, _ACTS[Wish.RENEW], now)
    feed_cache.expect_changes([feed_id])


async def revoke(database: Database, actor: Actor, feed_id: UUID, now: datetime) -> None:
    """End a feed for good; its address says so for thirty days."""
    async with database.unit_of_work() as unit:
        await _apply(unit.connection, actor, feed_id, _ACTS[Wish.END], now)
    feed_cache.expect_changes([feed_id])


async def change_own(
    database: Database, actor: Actor, owner: Owner, wish: Wish, now: datetime
) -> bool:
    """Renew, end or begin anew somebody's calendar, found by its owner.

    A person is told the new address by mail, with all links; True when that letter leaves. Raises
    NotFoundError where there is no calendar, or where it is not in the state for this.
    """
    use = await find_use(database, owner)
    if use is None:
        raise NotFoundError
    async with database.unit_of_work() as unit:
        await _apply(unit.connection, actor, use.id, _ACTS[wish], now)
        tells = wish is not Wish.END and owner.kind == "personal"
        told = tells and await resending.post_links_to(unit.connection, owner.id, now)
    feed_cache.expect_changes([use.id])
    return told


async def find_profile(database: Database, owner: Owner) -> Profile:
    """Return what somebody's calendar shows; NotFoundError where there never was one."""
    row = await database.fetchrow(_OF[owner.kind], owner.id)
    if row is None:
        raise NotFoundError
    return Profile.read(row["profile"])


async def set_profile(
    database: Database, actor: Actor, feed_id: UUID, profile: Profile, now: datetime
) -> None:
    """Save what somebody wants to see in the own calendar; the address stays as it is.

    Raises NotFoundError for a feed that does not exist or has ended.
    """
    async with database.unit_of_work() as unit:
        act = ("set_feed_profile", _SET_PROFILE)
        await _apply(unit.connection, actor, feed_id, act, now, profile.kept())
    feed_cache.expect_changes([feed_id])


async def _apply(
    connection: "Connection[Any]",
    actor: Actor,
    feed_id: UUID,
    act: tuple[str, str],
    *values: object,
) -> None:
    """Run a statement that finds the feed or nothing; `act` is what the audit calls it, and it."""
    action, sql = act
    if await connection.fetchval(sql, feed_id, *values) is None:
        raise NotFoundError
    await auditing.record(connection, actor, action, "feed", feed_id)


def _own_feed(keys: Keys, row: Record | None) -> OwnFeed | None:
    if row is None or row["revoked_at"] is not None:
        return None
    token = tokens.derive(keys, Purpose.FEED, row["handle"], row["epoch"])
    path = feed_paths.address_path(Address(row["kind"], token))
    return OwnFeed(row["id"], path, row["last_fetch_on"], row["client_family"])
