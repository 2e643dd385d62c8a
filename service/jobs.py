"""Which use case runs how often; the scheduler only wakes, the truth is rows.

Every tick is idempotent and safe on any number of replicas: its effects are guarded by row claims
and unique keys. A restart loses nothing, because nothing is kept here.
"""

import asyncio
import contextvars
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import structlog
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

from notifications.hurrying import hurried
from service.clock import Clock, SharedClock
from service.database import Database

# A step of the wall clock beyond this re-arms all ticks; APScheduler would wait it out otherwise.
CLOCK_STEP_SECONDS = hurried(5.0, least=1.0)
DRAIN_SECONDS = 30.0
# All at once would meet a small pool of connections at a start; a few seconds hurt nobody.
APART_SECONDS = hurried(0.4)
# What met a busy database once is through a minute later; readiness is not to wait for an hour.
AGAIN_SECONDS = hurried(60.0)

_log = structlog.get_logger(__name__)

_STARTED = """
INSERT INTO job_health (job, last_start_at) VALUES ($1, $2)
ON CONFLICT (job) DO UPDATE SET last_start_at = excluded.last_start_at
"""
_FINISHED = "UPDATE job_health SET last_ok_at = $2 WHERE job = $1"
_FAILED = "UPDATE job_health SET last_error_at = $2, last_error = $3 WHERE job = $1"


@dataclass(frozen=True, slots=True)
class Tick:
    """One use case and its interval; `work` takes the time of the run."""

    name: str
    every_seconds: float
    work: Callable[[datetime], Awaitable[object]]


class _Every(IntervalTrigger):  # type: ignore[misc]  # the library has no types
    """An interval that leaves out what was missed: one run makes up for all of it.

    The library would list each missed run before it joins them. After a machine slept for days, or
    its clock was set, these are thousands for each tick, and everything else stands still.
    """

    def get_next_fire_time(self, previous: datetime | None, now: datetime) -> datetime | None:
        """Return the first instant of the interval after now."""
        if previous is None:
            first: datetime | None = super().get_next_fire_time(previous, now)
            return first
        missed = max(0, (now - previous) // self.interval)
        following: datetime = previous + (1 + missed) * self.interval
        return following


class Ticks:
    """Runs ticks until stopped; a failing tick is logged, counted and soon tried again.

    It runs again at its next time, but after `again_seconds` at the latest.
    """

    def __init__(
        self,
        database: Database,
        ticks: Sequence[Tick],
        clock: Clock,
        *,
        again_seconds: float = AGAIN_SECONDS,
    ) -> None:
        self._database = database
        self._ticks = ticks
        self._clock = clock
        self._again_seconds = again_seconds
        self._running: set[asyncio.Task[bool]] = set()
        self._guard: asyncio.Task[None] | None = None
        self._scheduler = AsyncIOScheduler(
            timezone=UTC,
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )

    def start(self) -> None:
        """Run every tick once soon, one after the other, then at its interval."""
        for tick, first_at in self._first_runs():
            self._scheduler.add_job(
                self._wake,
                _Every(seconds=hurried(tick.every_seconds, least=0.5), timezone=UTC),
                args=[tick],
                id=tick.name,
                next_run_time=first_at,
            )
        self._scheduler.start()
        self._guard = asyncio.create_task(self._watch_clock(), context=contextvars.Context())

    async def stop(self) -> None:
        """Let running ticks finish, then stop; a scheduler's own waiting would cancel them."""
        self._scheduler.pause()
        if self._guard is not None:
            self._guard.cancel()
        if self._running:
            await asyncio.wait(self._running, timeout=DRAIN_SECONDS)
        self._scheduler.shutdown(wait=False)

    async def run_all_once(self) -> None:
        """Run every tick one time, in order; for the demo's check and the tests."""
        for tick in self._ticks:
            await self._run(tick)

    async def _wake(self, tick: Tick) -> None:
        # A task of its own with an empty context: no run inherits another's transaction.
        task = asyncio.create_task(self._run(tick), context=contextvars.Context())
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        await asyncio.wait({task})
        if not task.cancelled() and not task.result():
            self._wake_soon(tick)

    def _wake_soon(self, tick: Tick) -> None:
        # Whoever stops meanwhile has no jobs any more.
        with suppress(JobLookupError):
            again_at = datetime.now(UTC) + timedelta(seconds=self._again_seconds)
            job = self._scheduler.get_job(tick.name)
            if job is not None and job.next_run_time is not None and job.next_run_time > again_at:
                self._scheduler.modify_job(tick.name, next_run_time=again_at)

    async def _run(self, tick: Tick) -> bool:
        """Tell whether it ended well."""
        await self._note(_STARTED, tick, self._clock())
        try:
            await tick.work(await self._tell_time())
        except Exception as error:  # noqa: BLE001 - whatever it was, the next run must come
            _log.exception("tick.failed", tick=tick.name)
            await self._note(_FAILED, tick, self._clock(), type(error).__name__)
            return False
        await self._note(_FINISHED, tick, self._clock())
        return True

    async def _tell_time(self) -> datetime:
        """Return the instant of a run, as the database has it: due times are compared with that.

        While it is away the last reading counts; the work itself will say what is wrong.
        """
        if isinstance(self._clock, SharedClock):
            with suppress(Exception):
                return await self._clock.ask()
        return self._clock()

    async def _note(self, sql: str, tick: Tick, *values: object) -> None:
        try:
            async with self._database.reading() as connection:
                await connection.execute(sql, tick.name, *values)
        except Exception:  # noqa: BLE001 - the database may be away; the next run notes again
            _log.exception("tick.not_noted", tick=tick.name)

    async def _watch_clock(self) -> None:
        """Re-arm all ticks when the wall clock steps; monotonic time never does."""
        offset = time.time() - time.monotonic()
        while True:
            await asyncio.sleep(CLOCK_STEP_SECONDS)
            fresh = time.time() - time.monotonic()
            if abs(fresh - offset) > CLOCK_STEP_SECONDS:
                _log.warning("clock.stepped", seconds=round(fresh - offset, 1))
                for tick, first_at in self._first_runs():
                    self._scheduler.modify_job(tick.name, next_run_time=first_at)
            offset = fresh

    def _first_runs(self) -> Iterator[tuple[Tick, datetime]]:
        now = datetime.now(UTC)
        for place, tick in enumerate(self._ticks):
            yield tick, now + timedelta(seconds=place * APART_SECONDS)
