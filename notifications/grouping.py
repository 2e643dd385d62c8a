"""Group commit: what piles up while one commit runs leaves together with the next one."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar
from uuid import UUID

import asyncpg
import structlog

Item = TypeVar("Item")
Write = Callable[[Sequence[Item]], Awaitable[set[UUID]]]

RETRY_SECONDS = (0.1, 0.3, 1.0, 2.0, 5.0)

_log = structlog.get_logger(__name__)


class Group(Generic[Item]):
    """Writes items of many tasks in few transactions; each waits for its own result only."""

    def __init__(
        self, write: Write[Item], identify: Callable[[Item], UUID], *, patience: float
    ) -> None:
        """`patience` is for how many seconds a failing database is asked again."""
        self._write = write
        self._identify = identify
        self._patience = patience
        self._waiting: list[tuple[Item, asyncio.Future[bool]]] = []
        self._in_flight: list[tuple[Item, asyncio.Future[bool]]] = []
        self._worker: asyncio.Task[None] | None = None

    def submit(self, item: Item) -> asyncio.Future[bool]:
        """Queue an item; the future tells whether the row was still ours, False on a lost cause."""
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, future))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        return future

    async def make_room(self, limit: int) -> None:
        """Wait while more items than the limit are not written yet."""
        while len(self._waiting) + len(self._in_flight) > limit:
            last = (self._in_flight or self._waiting)[-1][1]
            await asyncio.wait([last])

    async def flush(self) -> None:
        """Wait until everything that was submitted is written or given up."""
        while self._worker is not None and not self._worker.done():
            await asyncio.shield(self._worker)

    async def _work(self) -> None:
        while self._waiting:
            self._in_flight, self._waiting = self._waiting, []
            await self._settle(self._in_flight)
            self._in_flight = []

    async def _settle(self, batch: list[tuple[Item, asyncio.Future[bool]]]) -> None:
        done: set[UUID] = set()
        try:
            done = await self._insist([item for item, _ in batch])
        finally:
            for item, future in batch:
                if not future.done():
                    future.set_result(self._identify(item) in done)

    async def _insist(self, items: Sequence[Item]) -> set[UUID]:
        loop = asyncio.get_running_loop()
        give_up_at = loop.time() + self._patience
        tries = 0
        while True:
            try:
                return await self._write(items)
            except asyncpg.DataError:
                return await self._one_by_one(items)
            except Exception as error:  # noqa: BLE001  # whatever failed, the letters were sent
                pause = RETRY_SECONDS[min(tries, len(RETRY_SECONDS) - 1)]
                _log.warning("outbox.write_failed", error=type(error).__name__, tries=tries)
                if loop.time() + pause > give_up_at:
                    return set()
                tries += 1
                await asyncio.sleep(pause)

    async def _one_by_one(self, items: Sequence[Item]) -> set[UUID]:
        """Let one unwritable value spoil its own row only."""
        done: set[UUID] = set()
        for item in items:
            try:
                done |= await self._write([item])
            except Exception as error:  # noqa: BLE001  # the row stays leased and is reaped
                _log.error("outbox.row_unwritable", error=type(error).__name__)
        return done
