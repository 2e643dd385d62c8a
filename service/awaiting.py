"""Wait for a PostgreSQL that is away; tell one that is away from one that refuses us."""

import asyncio
import ssl
import time
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, TypeVar

import asyncpg
import structlog

from notifications.hurrying import hurried
from service.engine import OUTAGES

FIRST_PAUSE_SECONDS = hurried(1.0)
LONGEST_PAUSE_SECONDS = hurried(30.0)

REFUSALS: tuple[type[Exception], ...] = (
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
    asyncpg.InsufficientPrivilegeError,
    asyncpg.exceptions.ClientConfigurationError,
    ssl.SSLCertVerificationError,
)
"""What a database says that will not let us in later either: somebody has to change something."""

# A name that is not known yet, or a socket that is not there yet, is an OSError of its own kind.
_AWAY: tuple[type[Exception], ...] = (*OUTAGES, OSError)

Opened = TypeVar("Opened")
_log = structlog.get_logger(__name__)


async def open_patiently(
    opens: Callable[[], Coroutine[Any, Any, Opened]],
    stopping: asyncio.Event,
    on_away: Callable[[], Awaitable[object]],
) -> Opened | None:
    """Try until the database lets us in, after pauses of 1 s to 30 s; None once told to stop.

    The first failure is logged, and `on_away` is called then. One of `REFUSALS` is raised at once.
    """
    pause = FIRST_PAUSE_SECONDS
    away_since: float | None = None
    while not stopping.is_set():
        try:
            opened = await unless_stopped(opens(), stopping)
        except REFUSALS:
            raise
        except _AWAY as error:
            if away_since is None:
                away_since = time.monotonic()
                _tell_away(error)
                await on_away()
        else:
            if opened is not None and away_since is not None:
                _log.info("database.there", after_seconds=round(time.monotonic() - away_since, 1))
            return opened
        with suppress(TimeoutError):
            await asyncio.wait_for(stopping.wait(), pause)
        pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
    return None


async def unless_stopped(
    work: Coroutine[Any, Any, Opened], stopping: asyncio.Event
) -> Opened | None:
    """Return what the work returns; when told to stop meanwhile, end it and return None."""
    doing = asyncio.create_task(work)
    told = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait({doing, told}, return_when=asyncio.FIRST_COMPLETED)
        if doing.done():
            return doing.result()
        doing.cancel()
        with suppress(asyncio.CancelledError):
            await doing
        return None
    finally:
        told.cancel()


def describe(error: Exception) -> str:
    """Return what the database or the network said, for people; it holds no password."""
    return str(error).strip() or type(error).__name__


def _tell_away(error: Exception) -> None:
    _log.warning(
        "database.away",
        told="PostgreSQL is away or too busy. Waiting for it, and beginning when it answers.",
        reason=describe(error),
    )
