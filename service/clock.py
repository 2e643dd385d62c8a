"""The one source of the present instant."""

import asyncio
import contextvars
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import structlog

Clock = Callable[[], datetime]
"""What a process asks for the instant; use cases and pure code get the instant itself."""

APART = timedelta(seconds=5)
"""Clocks that are no farther apart tell the same time."""

ASK_SECONDS = 30.0
"""So long a machine that slept may tell an old time; ticks ask before each run anyway."""

_log = structlog.get_logger(__name__)


def now() -> datetime:
    """Return the present instant, aware, in UTC."""
    return datetime.now(UTC)


class SharedClock:
    """The time of the database that all processes share, whatever this machine's clock says.

    Between two readings time goes on by the clock that nobody sets. As long as this machine's own
    clock agrees it is taken; before the first reading there is no other.
    """

    def __init__(
        self,
        read: Callable[[], Awaitable[datetime]],
        own: Clock = now,
        tick: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read = read
        self._own = own
        self._tick = tick
        self._reading: tuple[datetime, float] | None = None

    def __call__(self) -> datetime:
        """Return the present instant, aware, in UTC."""
        own = self._own()
        if self._reading is None:
            return own
        read_at, tick = self._reading
        shared = read_at + timedelta(seconds=self._tick() - tick)
        return own if abs(own - shared) <= APART else shared

    async def ask(self) -> datetime:
        """Read the database's clock and return what it says."""
        read_at = await self._read()
        self._reading = read_at, self._tick()
        return read_at

    @asynccontextmanager
    async def kept(self) -> AsyncIterator["SharedClock"]:
        """Read the database's clock now and then again and again, until the block ends."""
        await self.ask()
        # No run inherits a transaction of whoever opened this.
        asking = asyncio.create_task(self._ask_on(), context=contextvars.Context())
        try:
            yield self
        finally:
            asking.cancel()

    async def _ask_on(self) -> None:
        while True:
            await asyncio.sleep(ASK_SECONDS)
            try:
                await self.ask()
            except Exception as error:  # noqa: BLE001 - it may be away; the last reading counts
                _log.info("clock.not_read", kind=type(error).__name__)
