"""Show to the world what is planned: the public list, the session page, and who hears of edits."""

from datetime import datetime
from uuid import UUID

from asyncpg import Connection

from service import feed_cache
from service.database import Database
from service.tables import feed_rows


async def touch_feeds(connection: Connection, meeting_id: UUID, now: datetime) -> None:
    """Let the feeds follow a saved meeting; call it after its own rows, in the same transaction."""
    feed_cache.expect_changes(await feed_rows.touch_meeting(connection, meeting_id, now))


async def touch_person_feed(connection: Connection, person_id: UUID, now: datetime) -> None:
    """Let a person's own feed follow an answer, in the transaction of the answer."""
    feed_cache.expect_changes(await feed_rows.touch_person(connection, person_id, now))


async def touch_all_feeds(connection: Connection, now: datetime) -> None:
    """Let every feed follow a change of the office's own data."""
    feed_cache.expect_changes(await feed_rows.touch_all(connection, now))


async def ensure_all_feeds(database: Database) -> None:
    """Make the feed rows that are missing, in a transaction of its own."""
    async with database.unit_of_work() as unit:
        await feed_rows.ensure(unit.connection)


async def ensure_feeds(connection: Connection) -> None:
    """Make the feed rows that are missing; safe to repeat at any time."""
    await feed_rows.ensure(connection)
