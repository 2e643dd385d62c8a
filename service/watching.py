"""Notice when the event loop stands still: whatever blocks it blocks every visitor and letter."""

import asyncio
import sys
import threading
import time
import traceback
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

LIMIT_SECONDS = 5.0
"""No honest step of ours takes a tenth of this."""

BEAT_SECONDS = 1.0
REMEMBERED_SECONDS = 60.0
_STACK_LINES = 12

_log = structlog.get_logger(__name__)


class Watchdog:
    """Compares, from a thread of its own, the time with the last beat of the loop."""

    def __init__(self, limit: float = LIMIT_SECONDS, beat: float = BEAT_SECONDS) -> None:
        self._limit = limit
        self._beat_seconds = beat
        self._beat_at = time.monotonic()
        self._loop_thread = threading.get_ident()
        self._is_blocked = False
        self._blocked_at: float | None = None
        self._stopping = threading.Event()

    @property
    def stood_still(self) -> bool:
        """Tell whether the loop stands still, or did within the last minute."""
        at = self._blocked_at
        return at is not None and time.monotonic() - at < REMEMBERED_SECONDS

    async def beat(self) -> None:
        """Note for ever that the loop runs; belongs into a task on it."""
        while True:
            now = time.monotonic()
            # Whoever looks from now on, while it is logged, too, finds no second standstill.
            seconds, self._beat_at = now - self._beat_at, now
            if self._is_blocked:
                self._is_blocked = False
                _log.error("loop.went_on", seconds=round(seconds, 1))
            await asyncio.sleep(self._beat_seconds)

    def watch(self) -> None:
        """Look until stopped; the first look at a standstill logs what the loop is doing."""
        while not self._stopping.wait(self._beat_seconds):
            if time.monotonic() - self._beat_at <= self._limit:
                continue
            self._blocked_at = time.monotonic()
            if not self._is_blocked:
                self._is_blocked = True
                _log.error("loop.stands_still", stack=self._stack())

    def stop(self) -> None:
        """End the thread."""
        self._stopping.set()

    def _stack(self) -> list[str]:
        """Return places in the code, and no values: those may be anybody's."""
        frame = sys._current_frames().get(self._loop_thread)  # noqa: SLF001  # the documented way
        places = traceback.extract_stack(frame)[-_STACK_LINES:] if frame else []
        return [f"{place.filename}:{place.lineno} {place.name}" for place in places]


_running: list[Watchdog] = []
"""The watchdog of this process; there is one loop, and so at most one of these."""


@asynccontextmanager
async def watched(watchdog: Watchdog | None = None) -> AsyncIterator[Watchdog]:
    """Watch the running loop while the block lasts."""
    found = watchdog or Watchdog()
    beating = asyncio.create_task(found.beat())
    thread = threading.Thread(target=found.watch, name="watchdog", daemon=True)
    thread.start()
    _running.append(found)
    try:
        yield found
    finally:
        _running.remove(found)
        found.stop()
        beating.cancel()
        await asyncio.to_thread(thread.join)


def stood_still() -> bool:
    """Tell whether the loop of this process stood still within the last minute."""
    return any(watchdog.stood_still for watchdog in _running)
