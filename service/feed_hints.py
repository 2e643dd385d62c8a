"""Hear of the office's edits in other processes at once: a hint, never the truth.

Without it, or behind a pooler that does not pass it on, copies are found to be old by the look at
their rows that comes every second.
"""

import asyncio
from collections.abc import Callable

import structlog

from service.database import Database, NoDatabaseError
from service.tables import feed_rows

RETRY_SECONDS = 2.0

_log = structlog.get_logger(__name__)


async def listen(
    database: Database, on_hint: Callable[[], None], on_loss: Callable[[], None]
) -> None:
    """Call `on_hint` after each edit until cancelled; connect again when the connection is lost.

    `on_loss` is called after each loss, once it hears again: nobody knows what it missed. The end
    of the database is the end of it.
    """
    on_begin = _nothing
    while True:
        try:
            await database.listen(feed_rows.CHANNEL, on_hint, on_begin)
        except NoDatabaseError:
            return
        except Exception as error:  # noqa: BLE001 - the driver has many words for a loss, some odd
            _log.info("feeds.hints_lost", kind=type(error).__name__)
        on_begin = on_loss
        await asyncio.sleep(RETRY_SECONDS)


def _nothing() -> None:
    """At the beginning no copy is older than the listening."""
