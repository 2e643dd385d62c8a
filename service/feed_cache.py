"""Finished feeds in memory: a request for one of them touches a dictionary and nothing else.

One query a second for all cached feeds of the process finds the rows that moved on; what is
changed in this process is looked at on the next request. While the database is away the last good
bytes are served.
"""

import asyncio
import contextvars
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeVar
from uuid import UUID
from weakref import WeakSet

import structlog

POLL_SECONDS = 1.0
# After so many polls without a request nobody needs the next; a request starts them again.
IDLE_ROUNDS = 30
# The days of fetches are written once in so many polls.
NOTE_ROUNDS = 60
# A unit of work ends within this time; until then its feeds are looked at with every request.
EXPECT_SECONDS = 5.0
# A caller waits this long for news before it takes the last good copy.
PATIENCE_SECONDS = 2.0
# Copies that are being made when all ends may take so long.
CLOSE_SECONDS = 5.0
# Finished copies are made by so many tasks at once, so that feeds never use up the pool.
LOADERS = 3
_ENTRY_OVERHEAD_BYTES = 2048

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Version:
    """What of a feed's row decides whether a copy is still true."""

    revision: int
    epoch: int
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class FeedCopy:
    """One feed as it was at a version; `until` is when its answer changes by itself."""

    feed_id: UUID
    version: Version
    month_on: date
    status: int
    body: bytes
    etag: str
    changed_at: datetime
    # The row's own time of change, by which one tells what a reader has seen.
    state_at: datetime
    filename: str
    is_private: bool
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Fetch:
    """By what kind of program a feed was fetched, and in which state of it."""

    family: str
    state_at: datetime


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer to a request, ready to be sent; nobody may change its headers."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Answers:
    """What a request for a copy gets: all of it, or the news that it is unchanged since `tag`."""

    full: Answer
    unchanged: Answer
    tag: str


@dataclass(slots=True)
class Entry:
    """A copy under its address; suspect ones are compared with their row before they are used."""

    copy: FeedCopy
    answers: Answers
    is_stale: bool = False
    suspect_until: float = 0.0
    retry_at: float = 0.0
    fetched_by: str | None = None

    @property
    def is_doubtful(self) -> bool:
        """Tell whether the copy needs a further look before it is served."""
        return self.is_stale or self.suspect_until > 0


Result = TypeVar("Result")
Load = Callable[[str], Awaitable[FeedCopy | None]]
Poll = Callable[[Sequence[UUID]], Awaitable[Mapping[UUID, Version]]]
Prepare = Callable[[FeedCopy], Answers]
# Runs until cancelled; calls the first for every hint, the second when hints may have been missed.
Listen = Callable[[Callable[[], None], Callable[[], None]], Coroutine[Any, Any, None]]
Note = Callable[[Mapping[UUID, Fetch]], Awaitable[None]]

_caches: "WeakSet[FeedCache]" = WeakSet()


def expect_changes(feed_ids: Collection[UUID]) -> None:
    """Let the next requests for these feeds look at the row first; called inside the change."""
    for cache in _caches:
        cache.expect(feed_ids)


def refresh_soon() -> None:
    """Let the next request for any feed look at its row first; called after a commit."""
    for cache in _caches:
        cache.expect(None)


class FeedCache:
    """Copies by address, the least recently served thrown out beyond `max_bytes`.

    All runs on the event loop but `at_hand`, which the server's own thread calls too: it moves
    entries about, so that nobody may walk over `entries` but in one step.
    """

    def __init__(
        self,
        *,
        load: Load,
        poll: Poll,
        prepare: Prepare,
        note: Note,
        now: Callable[[], datetime],
        month_of: Callable[[datetime], date],
        max_bytes: int,
        listen: Listen | None = None,
        poll_seconds: float = POLL_SECONDS,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        self.entries: OrderedDict[str, Entry] = OrderedDict()
        self.is_watching = False
        self.was_used = False
        self._load = load
        self._poll = poll
        self._prepare = prepare
        self._note = note
        self._now = now
        self._month_of = month_of
        self._max_bytes = max_bytes
        self._listen = listen
        self._poll_seconds = poll_seconds
        self._patience_seconds = patience_seconds
        self._bytes = 0
        self._loading: dict[str, asyncio.Task[Entry | None]] = {}
        self._running: set[asyncio.Task[Any]] = set()
        self._checking: asyncio.Task[None] | None = None
        self._watcher: asyncio.Task[None] | None = None
        self._loaders = asyncio.Semaphore(LOADERS)
        self._is_cut_off = False
        _caches.add(self)

    def expect(self, feed_ids: Collection[UUID] | None) -> None:
        """Mark the copies of these feeds, or all, as suspect for a while."""
        until = time.monotonic() + EXPECT_SECONDS
        wanted = None if feed_ids is None else frozenset(feed_ids)
        for entry in list(self.entries.values()):
            if wanted is None or entry.copy.feed_id in wanted:
                entry.suspect_until = until

    def at_hand(self, address: str) -> Entry | None:
        """Return the entry of an address when it can be served without a look at the database."""
        entry = self.entries.get(address)
        if entry is None or entry.is_doubtful or not self.is_watching:
            return None
        self.was_used = True
        try:  # noqa: SIM105 - suppressing costs as much as all of the rest
            self.entries.move_to_end(address)
        except KeyError:
            # The loop has thrown it out in this moment; it is as good as a moment ago.
            pass
        return entry

    async def find(self, address: str) -> Entry | None:
        """Return the entry of an address, None where there is none.

        Raise the loader's error only while no copy is there to serve instead.
        """
        self._watch()
        entry = self.entries.get(address)
        if entry is not None and not entry.is_stale:
            await self._check_soon()
            entry = self.entries.get(address, entry)
        if entry is None:
            return await self._loaded(address)
        if entry.is_stale and time.monotonic() >= entry.retry_at:
            return await self._renewed(address, entry)
        return entry

    def look_soon(self) -> None:
        """Compare all copies with their rows without waiting for the next round."""
        if self._checking is None:
            self._checking = self._start(self._check_once())
        else:
            # The look that is under way may have begun too early.
            self.expect(None)

    def drop_all(self) -> None:
        """Trust no copy any more; they are served only while no new ones can be made."""
        for entry in list(self.entries.values()):
            entry.is_stale = True

    async def check(self) -> None:
        """Compare every copy with its row in one query; errors leave all as it is."""
        entries = list(self.entries.values())
        started = time.monotonic()
        rows = await self._poll(list({entry.copy.feed_id for entry in entries}))
        now = self._now()
        month_on = self._month_of(now)
        for entry in entries:
            copy = entry.copy
            late = copy.until is not None and now >= copy.until
            if late or copy.month_on != month_on or rows.get(copy.feed_id) != copy.version:
                entry.is_stale = True
            elif entry.suspect_until and entry.suspect_until < started:
                entry.suspect_until = 0.0

    async def close(self) -> None:
        """End all that runs here, and return when it has; the next request starts it again.

        Whoever waits for a copy still gets it, unless it takes long.
        """
        if self._loading:
            await asyncio.wait(set(self._loading.values()), timeout=CLOSE_SECONDS)
        while running := set(self._running):
            for task in running:
                task.cancel()
            await asyncio.wait(running)
            # What was ended before its first step has not said so itself.
            if self._watcher in running:
                self.is_watching = False
            if self._checking in running:
                self._checking = None

    async def note_fetches(self) -> None:
        """Hand over which feeds were fetched since the last call; a failure tries again later."""
        entries = list(self.entries.values())
        fetched = [entry for entry in entries if entry.fetched_by is not None]
        try:
            await self._note(
                {
                    entry.copy.feed_id: Fetch(entry.fetched_by or "", entry.copy.state_at)
                    for entry in fetched
                }
            )
        except Exception:  # noqa: BLE001 - the day of a fetch is not worth an error
            _log.warning("feeds.fetches_not_noted")
            return
        for entry in fetched:
            entry.fetched_by = None

    async def _check_soon(self) -> None:
        """Wait for one shared comparison that begins after now; give up after a while."""
        if self._checking is not None:
            await self._patiently(self._checking)
        if self._checking is None:
            self._checking = self._start(self._check_once())
        await self._patiently(self._checking)

    async def _patiently(self, task: "asyncio.Task[None]") -> None:
        await asyncio.wait({task}, timeout=self._patience_seconds)

    async def _check_once(self) -> None:
        try:
            await self.check()
            self._is_cut_off = False
        except Exception as error:  # noqa: BLE001 - whatever keeps the database away, copies serve
            if not self._is_cut_off:
                _log.warning("feeds.check_failed", kind=type(error).__name__)
            self._is_cut_off = True
        finally:
            self._checking = None

    async def _renewed(self, address: str, entry: Entry) -> Entry | None:
        try:
            return await asyncio.wait_for(self._loaded(address), self._patience_seconds)
        except Exception as error:  # noqa: BLE001 - the last good copy is better than any error
            _log.warning("feeds.stale_copy_served", kind=type(error).__name__)
            entry.retry_at = time.monotonic() + POLL_SECONDS
            return entry

    async def _loaded(self, address: str) -> Entry | None:
        task = self._loading.get(address)
        if task is None:
            task = self._loading[address] = self._start(self._load_one(address))
            task.add_done_callback(lambda done: self._end_loading(address, done))
        return await asyncio.shield(task)

    def _end_loading(self, address: str, task: "asyncio.Task[Entry | None]") -> None:
        self._loading.pop(address, None)
        if not task.cancelled():
            # Whoever still waits gets the error; nobody may be left when all gave up.
            task.exception()

    async def _load_one(self, address: str) -> Entry | None:
        async with self._loaders:
            copy = await self._load(address)
        self._let_go(self.entries.pop(address, None))
        if copy is None:
            return None
        entry = Entry(copy, self._prepare(copy))
        self.entries[address] = entry
        self._bytes += len(copy.body) + _ENTRY_OVERHEAD_BYTES
        while self._bytes > self._max_bytes and len(self.entries) > 1:
            self._let_go(self.entries.popitem(last=False)[1])
        return entry

    def _let_go(self, entry: Entry | None) -> None:
        if entry is not None:
            self._bytes -= len(entry.copy.body) + _ENTRY_OVERHEAD_BYTES

    def _watch(self) -> None:
        self.was_used = True
        if not self.is_watching:
            self.is_watching = True
            self._watcher = self._start(self._keep_watching())

    def _start(self, work: Coroutine[Any, Any, Result]) -> "asyncio.Task[Result]":
        """Start a task that inherits no unit of work, and that `close` ends."""
        task = asyncio.create_task(work, context=contextvars.Context())
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        return task

    async def _keep_watching(self) -> None:
        idle_rounds = rounds = 0
        hints = None if self._listen is None else self._start(self._hear(self._listen))
        try:
            while idle_rounds < IDLE_ROUNDS:
                await asyncio.sleep(self._poll_seconds)
                await self._check_once()
                rounds += 1
                if rounds % NOTE_ROUNDS == 0:
                    await self.note_fetches()
                idle_rounds = 0 if self.was_used else idle_rounds + 1
                self.was_used = False
        finally:
            self.is_watching = False
            if hints is not None:
                hints.cancel()
        await self.note_fetches()

    async def _hear(self, listen: Listen) -> None:
        try:
            await listen(self.look_soon, self.drop_all)
        except Exception:  # noqa: BLE001 - without hints the rounds still come
            _log.warning("feeds.hints_ended", exc_info=True)
