"""Give out calendar addresses, renew them and end them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from asyncpg import Record

from service import auditing, feed_cache, feeding, tokens
from service.auditing import Actor
from service.database import Database
from service.domain.errors import NotFoundError
from service.feeding import Address
from service.tokens import Keys, Purpose

_GROUPS = """
SELECT slug, name, heading FROM working_group WHERE ended_on IS NULL
ORDER BY array_position(ARRAY['alliance', 'groups', 'other'], heading), position, name
"""
_OF_PERSON = "SELECT * FROM feed WHERE kind = 'personal' AND person_id = $1 AND revoked_at IS NULL"
_OF_ACCOUNT = "SELECT * FROM feed WHERE kind = 'office' AND account_id = $1 AND revoked_at IS NULL"
# The old address says for a while that it ended; that needs to know since when.
_RENEW = """
UPDATE feed SET epoch = epoch + 1, revision = revision + 1,
    changed_at = greatest(date_trunc('second', $2::timestamptz), changed_at + interval '1 second'),
    profile = jsonb_set(profile, '{ended}', coalesce(profile->'ended', '{}')
        || jsonb_build_object(epoch::text, to_jsonb(date_trunc('second', $2::timestamptz)))),
    last_fetch_on = NULL, client_family = ''
WHERE id = $1 AND revoked_at IS NULL
RETURNING id
"""
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
    """A public calendar that the subscribe page offers; the slug is empty for all dates."""

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


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a person decides about the own calendar."""

    shows_answer: bool = True
    shows_declined: bool = False
    leaves_out_mailed: bool = False
    alarm_minutes: int | None = None


async def list_offers(database: Database) -> Sequence[Offer]:
    """Return the calendars of the groups that go on, in the order of the public list."""
    rows = await database.fetch(_GROUPS)
    return [
        Offer(row["slug"], row["name"], row["heading"], group_path(row["slug"])) for row in rows
    ]


def public_path() -> str:
    """Return the path of the calendar with all public dates."""
    return feeding.address_path(Address("public"))


def group_path(slug: str) -> str:
    """Return the path of one group's calendar."""
    return feeding.address_path(Address("group", slug))


async def find_personal(database: Database, keys: Keys, person_id: UUID) -> OwnFeed | None:
    """Return a person's calendar with its secret path, None where it ended or never was."""
    return _own_feed(keys, "personal", await database.fetchrow(_OF_PERSON, person_id))


async def find_office(database: Database, keys: Keys, account_id: UUID) -> OwnFeed | None:
    """Return a coordinator's calendar with its secret path, None where there is none."""
    return _own_feed(keys, "office", await database.fetchrow(_OF_ACCOUNT, account_id))


async def renew(database: Database, actor: Actor, feed_id: UUID, now: datetime) -> None:
    """Give a feed a new address; the old one says for thirty days that it ended.

    Raises NotFoundError for a feed that does not exist or has ended.
    """
    await _change(database, actor, feed_id, "renew_feed", _RENEW, [now])


async def revoke(database: Database, actor: Actor, feed_id: UUID, now: datetime) -> None:
    """End a feed for good; its address says so for thirty days."""
    await _change(database, actor, feed_id, "revoke_feed", _REVOKE, [now])


async def set_wishes(
    database: Database, actor: Actor, feed_id: UUID, wishes: Wishes, now: datetime
) -> None:
    """Save what a person wants to see in the own calendar."""
    values = {
        "shows_answer": wishes.shows_answer,
        "shows_declined": wishes.shows_declined,
        "leaves_out_mailed": wishes.leaves_out_mailed,
        "alarm_minutes": wishes.alarm_minutes,
    }
    await _change(database, actor, feed_id, "set_feed_wishes", _SET_PROFILE, [now, values])


async def _change(  # noqa: PLR0917
    database: Database,
    actor: Actor,
    feed_id: UUID,
    action: str,
    sql: str,
    values: Sequence[object],
) -> None:
    async with database.unit_of_work() as unit:
        if await unit.connection.fetchval(sql, feed_id, *values) is None:
            raise NotFoundError
        await auditing.record(unit.connection, actor, action, "feed", feed_id)
    feed_cache.expect_changes([feed_id])


def _own_feed(keys: Keys, kind: str, row: Record | None) -> OwnFeed | None:
    if row is None:
        return None
    token = tokens.derive(keys, Purpose.FEED, row["handle"], row["epoch"])
    path = feeding.address_path(Address(kind, token))
    return OwnFeed(row["id"], path, row["last_fetch_on"], row["client_family"])
