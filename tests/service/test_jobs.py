import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from apscheduler.events import EVENT_JOB_MAX_INSTANCES

from service.database import Database
from service.jobs import APART_SECONDS, Tick, Ticks
from tests.builders import Row

Work = Callable[[datetime], Awaitable[object]]


def now() -> datetime:
    return datetime.now(UTC)


async def health(database: Database, job: str) -> Row:
    row = await database.fetchrow("SELECT * FROM job_health WHERE job = $1", job)
    return dict(row) if row else {}


def a_clockwork(database: Database, *works: Work, every: float = 0.05) -> Ticks:
    ticks = [Tick(f"tick{number}", every, work) for number, work in enumerate(works)]
    return Ticks(database, ticks, now)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(100):
        while not condition():
            await asyncio.sleep(0.01)


async def test_a_tick_runs_at_once_and_then_at_its_interval(database: Database) -> None:
    runs: list[datetime] = []

    async def work(at: datetime) -> None:
        runs.append(at)

    clockwork = a_clockwork(database, work)
    clockwork.start()
    await until(lambda: len(runs) > 2)
    await clockwork.stop()

    assert (await health(database, "tick0"))["last_ok_at"] is not None


async def test_ticks_begin_one_after_the_other_so_that_a_small_pool_serves_them(
    database: Database,
) -> None:
    begun: list[tuple[int, datetime]] = []

    def work(number: int) -> Work:
        async def note(_: datetime) -> None:
            begun.append((number, now()))

        return note

    clockwork = a_clockwork(database, *map(work, range(4)), every=600)
    started_at = now()
    clockwork.start()
    await until(lambda: len(begun) == 4)
    await clockwork.stop()

    delays = {number: (at - started_at).total_seconds() for number, at in begun}
    # A machine that was busy meanwhile may begin two of them late, and then in any order.
    assert {0, 1, 2, 3} == set(delays)
    assert all(number * APART_SECONDS <= each for number, each in delays.items())


async def test_what_was_missed_while_the_clock_stepped_is_made_up_for_by_one_run(
    database: Database,
) -> None:
    async def work(_: datetime) -> None:
        pass

    clockwork = a_clockwork(database, work, every=60)
    clockwork.start()
    job = clockwork._scheduler.get_job("tick0")
    due = job.next_run_time
    missed = job._get_run_times(due + timedelta(days=3, seconds=1))
    following = job.trigger.get_next_fire_time(due, due + timedelta(days=3, seconds=1))
    in_time = job.trigger.get_next_fire_time(due, due)
    await clockwork.stop()

    assert [due] == missed
    assert due + timedelta(days=3, minutes=1) == following
    assert due + timedelta(minutes=1) == in_time


async def test_a_failing_tick_is_noted_and_runs_again_and_stops_no_other(
    database: Database,
) -> None:
    tries: list[datetime] = []
    others: list[datetime] = []

    async def fail(at: datetime) -> None:
        tries.append(at)
        raise RuntimeError("the relay is on fire")

    async def work(at: datetime) -> None:
        others.append(at)

    clockwork = a_clockwork(database, fail, work)
    clockwork.start()
    await until(lambda: len(tries) > 2 and len(others) > 2)
    await clockwork.stop()

    noted = await health(database, "tick0")
    # The words of an error may name a person; its class does not.
    assert ("RuntimeError", None) == (noted["last_error"], noted["last_ok_at"])


async def test_a_tick_that_failed_once_recovers(database: Database) -> None:
    runs = 0

    async def work(_: datetime) -> None:
        nonlocal runs
        runs += 1
        if runs == 1:
            raise RuntimeError

    clockwork = a_clockwork(database, work)
    await clockwork.run_all_once()
    await clockwork.run_all_once()

    noted = await health(database, "tick0")
    assert noted["last_ok_at"] > noted["last_error_at"]


async def test_a_tick_that_runs_seldom_and_failed_is_tried_again_soon(database: Database) -> None:
    """Until it has ended well, readiness says that it fails."""
    runs: list[datetime] = []

    async def work(at: datetime) -> None:
        runs.append(at)
        if len(runs) == 1:
            raise RuntimeError

    clockwork = Ticks(database, [Tick("tick0", 3600, work)], now, again_seconds=0.05)
    clockwork.start()
    await until(lambda: len(runs) > 1)
    await clockwork.stop()

    noted = await health(database, "tick0")
    assert noted["last_ok_at"] > noted["last_error_at"]


async def test_runs_of_one_tick_never_overlap(database: Database) -> None:
    at_once, most, runs = 0, 0, 0

    async def slow(_: datetime) -> None:
        nonlocal at_once, most, runs
        at_once += 1
        most = max(most, at_once)
        await asyncio.sleep(0.2)
        at_once -= 1
        runs += 1

    clockwork = a_clockwork(database, slow, every=0.02)
    clockwork.start()
    await until(lambda: runs > 1)
    await clockwork.stop()

    assert 1 == most


async def test_a_tick_that_hangs_keeps_no_other_from_its_turn(
    database: Database,
) -> None:
    """A wake that finds it still running is left out; when it has ended, the next one comes."""
    lasting, begun, others = asyncio.Event(), 0, 0
    left_out: list[object] = []

    async def hang(_: datetime) -> None:
        nonlocal begun
        begun += 1
        await lasting.wait()

    async def work(_: datetime) -> None:
        nonlocal others
        others += 1

    clockwork = a_clockwork(database, hang, work)
    clockwork._scheduler.add_listener(left_out.append, EVENT_JOB_MAX_INSTANCES)
    clockwork.start()
    await until(lambda: others > 2 and len(left_out) > 2)
    hanging = begun
    noted = await health(database, "tick0")
    lasting.set()
    await until(lambda: begun > 1)
    await clockwork.stop()

    assert 1 == hanging
    assert (True, None) == (noted["last_start_at"] is not None, noted["last_ok_at"])


async def test_stopping_waits_for_what_is_running_and_starts_nothing_new(
    database: Database,
) -> None:
    begun, ended = 0, 0
    running = asyncio.Event()

    async def slow(_: datetime) -> None:
        nonlocal begun, ended
        begun += 1
        running.set()
        await asyncio.sleep(0.3)
        ended += 1

    clockwork = a_clockwork(database, slow, every=0.01)
    clockwork.start()
    await running.wait()
    await clockwork.stop()
    after = begun
    await asyncio.sleep(0.1)

    assert (1, 1, 1) == (after, begun, ended)


async def test_a_tick_inherits_no_transaction(database: Database) -> None:
    """A scheduler that was started inside a unit of work would otherwise write into it."""
    seen: list[object] = []

    async def work(_: datetime) -> None:
        seen.append(await database.fetchval("SELECT pg_current_xact_id_if_assigned() IS NULL"))

    clockwork = a_clockwork(database, work)
    async with database.unit_of_work() as unit:
        await unit.connection.fetchval("SELECT pg_current_xact_id()")
        clockwork.start()
        await until(lambda: bool(seen))
    await clockwork.stop()

    assert all(seen)


async def test_a_database_that_is_away_is_survived() -> None:
    """The tick's own work still runs; only the note of it is lost."""
    runs: list[datetime] = []

    async def work(at: datetime) -> None:
        runs.append(at)

    gone = Database("postgresql://127.0.0.1:1/nowhere")
    await a_clockwork(gone, work).run_all_once()

    assert 1 == len(runs)
