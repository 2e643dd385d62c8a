"""Hear of the office's edits in other processes at once: a hint, never the truth.

Without it, or behind a pooler that does not pass it on, copies are found to be old by the look at
their rows that comes every second.
"""

import asyncio
from collections.abc import Callable

import asyncpg
import structlog

from service.tables import feed_rows

RETRY_SECONDS = 2.0

_log = structlog.get_logger(__name__)


async def listen(dsn: str, on_hint: Callable[[], None], on_loss: Callable[[], None]) -> None:
    """Call `on_hint` after each edit until cancelled; connect again when the connection is lost.

    `on_loss` is called after each loss, once it hears again: nobody knows what it missed.
    """
    was_lost = False
    while True:
        try:
            await _hear(dsn, on_hint, on_loss if was_lost else None)
        except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError) as error:
            _log.info("feeds.hints_lost", kind=type(error).__name__)
        was_lost = True
        await asyncio.sleep(RETRY_SECONDS)


async def _hear(dsn: str, on_hint: Callable[[], None], on_begin: Callable[[], None] | None) -> None:
    """Listen on a connection of its own until that ends."""
    connection = await asyncpg.connect(
        dsn, timeout=10, server_settings={"application_name": "terminbuch feeds"}
    )
    ended = asyncio.Event()
    connection.add_termination_listener(lambda _: ended.set())
    try:
        await connection.add_listener(feed_rows.CHANNEL, lambda *_: on_hint())
        if on_begin is not None:
            on_begin()
        await ended.wait()
    finally:
        connection.terminate()
