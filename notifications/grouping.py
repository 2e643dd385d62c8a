"""Group commit: what piles up while one commit runs leaves together with the next one."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Generic, TypeVar
from uuid import UUID

import asyncpg
import structlog

Item = TypeVar("Item")
Write = Callable[[Sequence[Item]], Awaitable[Sequence[bool]]]
OpenWriter = Callable[[], AbstractAsyncContextManager[Write[Item]]]

RETRY_SECONDS = (0.1, 0.3, 1.0, 2.0, 5.0)
GATHER_SECONDS = 0.005
"""So long a commit waits for company: a fraction of its own time, and of a letter's."""

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

    def __init__(self, open_writer: OpenWriter[Item], identify: Callable[[Item], UUID]) -> None:
        """`identify` names an item's row: two items of one row never leave together.

        With `enough` items a commit waits for no more company, and for so many seconds at most.
        `meanwhile` is called while one runs, for work that would otherwise be done after it.
        """
        self.enough = 1
        self.gather_seconds = GATHER_SECONDS
        self.meanwhile: Callable[[], object] = _nothing
        self._open_writer = open_writer
        self._identify = identify
        self._gathering: asyncio.Future[None] | None = None
        self._waiting: list[_Entry[Item]] = []
        self._in_flight: list[_Entry[Item]] = []
        self._worker: asyncio.Task[None] | None = None
        self._is_failing = False
        self._tried = asyncio.Event()

    def __len__(self) -> int:
        """Return how many items are not written yet."""
        return len(self._waiting) + len(self._in_flight)

    def submit(self, item: Item, *, patience: float) -> "asyncio.Future[bool]":
        """Queue an item; the future tells whether the row was still ours, False on a lost cause.

        `patience` is for how many seconds a failing database is asked again.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[bool] = loop.create_future()
        self._waiting.append(_Entry(item, self._identify(item), loop.time() + patience, future))
        if self._worker is None or self._worker.done():
            self._is_failing = False
            self._worker = asyncio.create_task(self._work())
        elif len(self._waiting) >= self.enough:
            self._end_gathering()
        return future

    async def make_room(self, limit: int) -> None:
        """Wait while more items than the limit are not written yet."""
        while len(self) > limit:
            last = (self._in_flight or self._waiting)[-1].future
            await asyncio.wait([last])

    async def attempt(self, limit: int = 0) -> None:
        """Wait as `make_room` does, but no longer for what was tried in vain: it goes on alone."""
        while len(self) > limit and not self._is_failing:
            await self._tried.wait()

    async def let_pass(self, row_ids: Collection[UUID]) -> None:
        """Wait until nothing of these rows is on its way here."""
        entries = [*self._in_flight, *self._waiting]
        ahead = [entry.future for entry in entries if entry.row_id in row_ids]
        if ahead:
            await asyncio.wait(ahead)

    async def flush(self) -> None:
        """Wait until everything that was submitted is written or given up."""
        while self._worker is not None and not self._worker.done():
            await asyncio.shield(self._worker)

    async def _work(self) -> None:
        failed = 0
        while self._waiting:
            try:
                async with self._open_writer() as write:
                    while self._waiting:
                        await self._gather()
                        self._take()
                        done = await self._insist(write, [entry.item for entry in self._in_flight])
                        self._settle(done)
                        failed = 0
                        self._end_try(failed=False)
            except Exception as error:  # noqa: BLE001  # whatever failed, the letters were sent
                pause = RETRY_SECONDS[min(failed, len(RETRY_SECONDS) - 1)]
                _log.warning("outbox.write_failed", error=type(error).__name__, tries=failed)
                failed += 1
                self._put_back(pause)
                self._end_try(failed=True)
                await asyncio.sleep(pause)

    async def _gather(self) -> None:
        """Wait a moment for company, until there is enough of it."""
        if len(self._waiting) >= self.enough:
            return
        loop = asyncio.get_running_loop()
        self._gathering = loop.create_future()
        timer = loop.call_later(self.gather_seconds, self._end_gathering)
        try:
            await self._gathering
        finally:
            timer.cancel()
            self._gathering = None

    def _end_gathering(self) -> None:
        if self._gathering is not None and not self._gathering.done():
            self._gathering.set_result(None)

    def _take(self) -> None:
        """Take what waits, but of each row the oldest item only."""
        oldest: dict[UUID, _Entry[Item]] = {}
        self._waiting = [
            entry for entry in self._waiting if oldest.setdefault(entry.row_id, entry) is not entry
        ]
        self._in_flight = list(oldest.values())

    def _end_try(self, *, failed: bool) -> None:
        """Let go of those who wait for the end of a try."""
        self._is_failing = failed
        self._tried.set()
        self._tried.clear()

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

    async def _insist(self, write: Write[Item], items: Sequence[Item]) -> Sequence[bool]:
        try:
            return await self._use_the_wait(write(items))
        except _OF_A_ROW:
            return [await _write_alone(write, item) for item in items]

    async def _use_the_wait(self, writing: Awaitable[Sequence[bool]]) -> Sequence[bool]:
        """Let a commit run, and get on with other work meanwhile."""
        commit = asyncio.ensure_future(writing)
        try:
            # Its statement leaves first.
            await asyncio.sleep(0)
            self.meanwhile()
            return await commit
        finally:
            commit.cancel()


def _nothing() -> None:
    """Do nothing: there is no other work."""


async def _write_alone(write: Write[Item], item: Item) -> bool:
    """Let one unwritable value spoil its own row only."""
    try:
        return (await write([item]))[0]
    except Exception as error:  # noqa: BLE001  # the row stays leased and is reaped
        _log.error("outbox.row_unwritable", error=type(error).__name__)
        return False
