"""Group commit: what piles up while one commit runs leaves together with the next one."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

import asyncpg
import structlog

Item = TypeVar("Item")
Write = Callable[[Sequence[Item]], Awaitable[Sequence[bool]]]

RETRY_SECONDS = (0.1, 0.3, 1.0, 2.0, 5.0)
# These say something about a row; whatever else fails is a matter of the database.
_OF_A_ROW = (asyncpg.DataError, asyncpg.IntegrityConstraintViolationError)

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Entry(Generic[Item]):
    """An item that waits, until when at most, and who is told."""

    item: Item
    row_id: UUID
    give_up_at: float
    future: "asyncio.Future[bool]"


class Group(Generic[Item]):
    """Writes items of many tasks in few transactions; each waits for its own result only."""

    def __init__(self, write: Write[Item], identify: Callable[[Item], UUID]) -> None:
        """`identify` names an item's row: two items of one row never leave together."""
        self._write = write
        self._identify = identify
        self._waiting: list[_Entry[Item]] = []
        self._in_flight: list[_Entry[Item]] = []
        self._worker: asyncio.Task[None] | None = None

    def submit(self, item: Item, *, patience: float) -> "asyncio.Future[bool]":
        """Queue an item; the future tells whether the row was still ours, False on a lost cause.

        `patience` is for how many seconds a failing database is asked again.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[bool] = loop.create_future()
        self._waiting.append(_Entry(item, self._identify(item), loop.time() + patience, future))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        return future

    async def make_room(self, limit: int) -> None:
        """Wait while more items than the limit are not written yet."""
        while len(self._waiting) + len(self._in_flight) > limit:
            last = (self._in_flight or self._waiting)[-1].future
            await asyncio.wait([last])

    async def flush(self) -> None:
        """Wait until everything that was submitted is written or given up."""
        while self._worker is not None and not self._worker.done():
            await asyncio.shield(self._worker)

    async def _work(self) -> None:
        failed = 0
        while self._waiting:
            self._take()
            try:
                done = await self._insist([entry.item for entry in self._in_flight])
            except Exception as error:  # noqa: BLE001  # whatever failed, the letters were sent
                pause = RETRY_SECONDS[min(failed, len(RETRY_SECONDS) - 1)]
                _log.warning("outbox.write_failed", error=type(error).__name__, tries=failed)
                failed += 1
                self._put_back(pause)
                await asyncio.sleep(pause)
            else:
                failed = 0
                self._settle(done)

    def _take(self) -> None:
        """Take what waits, but of each row the oldest item only."""
        oldest: dict[UUID, _Entry[Item]] = {}
        self._waiting = [
            entry for entry in self._waiting if oldest.setdefault(entry.row_id, entry) is not entry
        ]
        self._in_flight = list(oldest.values())

    def _settle(self, done: Sequence[bool]) -> None:
        entries, self._in_flight = self._in_flight, []
        for entry, is_ours in zip(entries, done, strict=True):
            if not entry.future.done():
                entry.future.set_result(is_ours)

    def _put_back(self, pause: float) -> None:
        """Let those try again, with what came meanwhile, who have the time."""
        next_at = asyncio.get_running_loop().time() + pause
        entries = [*self._in_flight, *self._waiting]
        self._waiting = [entry for entry in entries if entry.give_up_at >= next_at]
        self._in_flight = [entry for entry in entries if entry.give_up_at < next_at]
        self._settle([False] * len(self._in_flight))

    async def _insist(self, items: Sequence[Item]) -> Sequence[bool]:
        try:
            return await self._write(items)
        except _OF_A_ROW:
            return [await self._write_alone(item) for item in items]

    async def _write_alone(self, item: Item) -> bool:
        """Let one unwritable value spoil its own row only."""
        try:
            return (await self._write([item]))[0]
        except Exception as error:  # noqa: BLE001  # the row stays leased and is reaped
            _log.error("outbox.row_unwritable", error=type(error).__name__)
            return False
