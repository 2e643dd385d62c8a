"""Start the embedded PostgreSQL again when it died: killed, or out of room for what it writes.

Every process that uses the server looks after it; who comes first starts it, with the gate in
hand, and the others find it running. One that was stopped on purpose stays as it is.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import structlog

from notifications.hurrying import hurried
from service.embedded import Server

LOOK_SECONDS = hurried(3.0, least=0.2)
LONGEST_PAUSE_SECONDS = hurried(60.0)
CALM_SECONDS = hurried(120.0)
"""A server that lives for less after it was started again has the same trouble still."""

START_SECONDS = 5.0
"""Whoever stops us waits for a start that is under way: this, and the start command's own time."""

_log = structlog.get_logger(__name__)


@asynccontextmanager
async def kept_alive(data_dir: Path) -> AsyncIterator[None]:
    """Look after the server under the folder while the block lasts; the caller has its share."""
    looking = asyncio.create_task(Guard(Server.under(data_dir)).watch())
    try:
        yield
    finally:
        looking.cancel()
        await asyncio.wait([looking])


class Guard:
    """Looks whether the server runs, and how long to wait before the next look."""

    def __init__(
        self, server: Server, *, fsync: bool = True, start_seconds: float = START_SECONDS
    ) -> None:
        self._server = server
        self._fsync = fsync
        self._start_seconds = start_seconds
        self._started_tick: float | None = None
        self._is_told = False
        self.pause_seconds = LOOK_SECONDS

    async def watch(self) -> None:
        """Look for ever."""
        while True:
            await asyncio.sleep(self.pause_seconds)
            try:
                await self.look()
            except Exception as error:  # noqa: BLE001 - whatever it was, the next look must come
                _log.error(
                    "database.does_not_start",
                    told=str(error),
                    next_try_after_seconds=self.pause_seconds,
                )

    async def look(self) -> bool:
        """Start the server if it died; return whether it was started.

        The pause grows while it does not start or dies again. Raise what its start raises.
        """
        if await asyncio.to_thread(self._is_running):
            return False
        async with self._server.gate():
            if self._is_running() or not await self._has_died():
                return False
            _log.error("database.died", told="The embedded PostgreSQL died; it is started again.")
            self._started_tick = time.monotonic()
            self.pause_seconds = min(2 * self.pause_seconds, LONGEST_PAUSE_SECONDS)
            await self._server.start_again(fsync=self._fsync, seconds=self._start_seconds)
            seconds = time.monotonic() - self._started_tick
        _log.warning("database.started_again", seconds=round(seconds, 1))
        return True

    def _is_running(self) -> bool:
        if not self._server.is_running:
            return False
        self._is_told = False
        started = self._started_tick
        if started is None or time.monotonic() - started > CALM_SECONDS:
            self.pause_seconds = LOOK_SECONDS
        return True

    async def _has_died(self) -> bool:
        if await asyncio.to_thread(self._server.lies_as_it_died):
            return True
        if not self._is_told:
            self._is_told = True
            _log.warning(
                "database.stopped",
                told="Somebody stopped the embedded PostgreSQL, or its data are gone. "
                "It is not started again before the next start of this command.",
            )
        return False
