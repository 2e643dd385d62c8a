"""Show to the world what is planned: the public list, the session page, and who hears of edits."""

from datetime import datetime
from uuid import UUID

from asyncpg import Connection

from service.tables import feeds


async def touch_feeds(connection: Connection, meeting_id: UUID, now: datetime) -> None:
    """Let the feeds follow a saved meeting; call it after its own rows, in the same transaction."""
    await feeds.touch_meeting(connection, meeting_id, now)


async def touch_person_feed(connection: Connection, person_id: UUID, now: datetime) -> None:
    """Let a person's own feed follow an answer, in the transaction of the answer."""
    await feeds.touch_person(connection, person_id, now)


async def touch_all_feeds(connection: Connection, now: datetime) -> None:
    """Let every feed follow a change of the office's own data."""
    await feeds.touch_all(connection, now)


async def ensure_feeds(connection: Connection) -> None:
    """Make the feed rows that are missing; safe to repeat at any time."""
    await feeds.ensure(connection)
