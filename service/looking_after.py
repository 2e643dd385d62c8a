"""Tell whether everything that runs without a person still runs."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import asyncpg
from asyncpg import Record

from notifications import log
from service import watching
from service.database import Database, DatabaseError

# Some tick wakes every few seconds; five quiet minutes mean that no worker is there.
QUIET = timedelta(minutes=5)
# The longest honest run is the nightly clean-up.
STUCK = timedelta(minutes=15)
LATE_LETTER = timedelta(minutes=15)
# What ended further ahead ended by a clock that was wrong: nobody knows when that was.
AHEAD = timedelta(minutes=1)
_PATIENCE_SECONDS = 3.0

_JOBS = "SELECT job, last_start_at, last_ok_at, last_error_at FROM job_health ORDER BY job"


# A new table takes new pages; rows of an old one may find room that was left in theirs.
_TRY_ROOM = """
CREATE TEMPORARY TABLE trial_of_room ON COMMIT DROP AS
SELECT repeat('x', 1000) FROM generate_series(1, 100)
"""


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that must hold; the detail names no address, no host and no person."""

    name: str
    holds: bool
    detail: str


async def examine(database: Database, now: datetime) -> list[Condition]:
    """Look at the database, its disk, this process, the ticks, the oldest letter and the relay."""
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            await database.fetchval("SELECT 1")
            return [
                Condition("database", holds=True, detail="answers"),
                judge_storage(is_full=not await has_room(database)),
                judge_loop(stood_still=watching.stood_still()),
                judge_migrations(await database.pending_migrations()),
                judge_ticks(await database.fetch(_JOBS), now),
                judge_letters(await log.oldest_due_age(database)),
                tell_relay(await log.resting_relays(database)),
            ]
    except (OSError, TimeoutError, DatabaseError, asyncpg.PostgresError, asyncpg.InterfaceError):
        return [Condition("database", holds=False, detail="does not answer")]


async def has_room(database: Database) -> bool:
    """Tell whether the server takes what is written, as far as this process knows.

    From a minute after a write found no room a table that nobody keeps is tried, whenever this is
    asked next: who hears that this process is not ready sends it nothing to write any more.
    """
    full_tick = database.full_tick
    if full_tick is None:
        return True
    if database.is_full:
        return False
    try:
        async with database.rehearsal() as unit:
            await unit.connection.execute(_TRY_ROOM)
    except asyncpg.DiskFullError:
        return False
    database.note_room(full_tick)
    return True


def judge_loop(*, stood_still: bool) -> Condition:
    """Tell whether this process answered all the time within the last minute."""
    return Condition("loop", not stood_still, "stood still" if stood_still else "runs")


def judge_storage(*, is_full: bool) -> Condition:
    """Tell whether the database has room for what this process writes."""
    return Condition("storage", not is_full, "the disk is full" if is_full else "has room")


def judge_migrations(pending: Iterable[str]) -> Condition:
    """Tell whether the schema is the one that this code was written for."""
    count = len(list(pending))
    return Condition("migrations", not count, f"{count} pending" if count else "current")


def judge_ticks(jobs: Iterable[Record], now: datetime) -> Condition:
    """Tell whether some tick ended lately and none failed or hangs in its last run."""
    found = list(jobs)
    if all(row["last_ok_at"] is None for row in found):
        return Condition("ticks", holds=False, detail="none has ended well yet")
    rows = [_as_known(row, now) for row in found]
    ended = [row["last_ok_at"] for row in rows if row["last_ok_at"] is not None]
    if not ended or max(ended) < now - QUIET:
        return Condition("ticks", holds=False, detail="none has ended for five minutes")
    bad = [row["job"] for row in rows if _has_failed(row) or _is_stuck(row, now)]
    return Condition("ticks", not bad, f"failing: {', '.join(bad)}" if bad else "running")


def judge_letters(oldest: timedelta | None) -> Condition:
    """Tell whether letters leave when they are due."""
    if oldest is None:
        return Condition("letters", holds=True, detail="none waits")
    seconds = int(oldest.total_seconds())
    return Condition("letters", oldest < LATE_LETTER, f"oldest due for {seconds} s")


def tell_relay(reasons: Iterable[str]) -> Condition:
    """Tell why the mail server is left alone; that turns no visitor away, so it always holds."""
    resting = ", ".join(reasons)
    return Condition("relay", holds=True, detail=f"rests: {resting}" if resting else "works")


def _as_known(row: Record, now: datetime) -> Mapping[str, Any]:
    """Return a job without the instants that lie ahead."""
    return {
        name: None if isinstance(value, datetime) and value > now + AHEAD else value
        for name, value in row.items()
    }


def _has_failed(row: Mapping[str, Any]) -> bool:
    failed, ended = row["last_error_at"], row["last_ok_at"]
    return failed is not None and (ended is None or failed > ended)


def _is_stuck(row: Mapping[str, Any], now: datetime) -> bool:
    started = row["last_start_at"]
    if started is None or started > now - STUCK:
        return False
    ends = [at for at in (row["last_ok_at"], row["last_error_at"]) if at is not None]
    return not ends or max(ends) < started
