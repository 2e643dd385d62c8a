"""Whatever the clocks of machines say, the database's counts."""

from datetime import UTC, datetime, timedelta

import pytest

from service.clock import SharedClock
from service.database import Database
from service.jobs import Tick, Ticks

NOW = datetime(2027, 1, 4, 7, tzinfo=UTC)


class Hands:
    """A machine's own clock, the one that nobody sets, and the database's."""

    def __init__(self, ahead: timedelta = timedelta(0)) -> None:
        self.own_at = NOW + ahead
        self.ticks = 1000.0
        self.shared_at = NOW
        self.is_away = False

    async def read(self) -> datetime:
        """Return the database's time, or fail as if it were away."""
        if self.is_away:
            raise ConnectionError
        return self.shared_at

    def go_on(self, seconds: float) -> None:
        """Let time go by for all of them."""
        self.own_at += timedelta(seconds=seconds)
        self.shared_at += timedelta(seconds=seconds)
        self.ticks += seconds

    def clock(self) -> SharedClock:
        """Return a clock with these hands."""
        return SharedClock(self.read, lambda: self.own_at, lambda: self.ticks)


@pytest.mark.parametrize("hours", [3, -1])
async def test_a_machine_whose_clock_is_wrong_tells_the_databases_time(hours: int) -> None:
    hands = Hands(timedelta(hours=hours))
    clock = hands.clock()
    first = await clock.ask()
    hands.go_on(90)

    assert (NOW, NOW + timedelta(seconds=90)) == (first, clock())


@pytest.mark.parametrize("hours", [3, -1])
async def test_a_step_of_the_machines_clock_moves_nothing(hours: int) -> None:
    hands = Hands()
    clock = hands.clock()
    await clock.ask()
    hands.go_on(10)
    hands.own_at += timedelta(hours=hours)

    assert NOW + timedelta(seconds=10) == clock()


async def test_a_step_of_the_databases_clock_is_followed_when_it_is_read() -> None:
    hands = Hands()
    clock = hands.clock()
    await clock.ask()
    hands.shared_at += timedelta(hours=1)
    await clock.ask()

    assert NOW + timedelta(hours=1) == clock()


async def test_a_machine_that_agrees_keeps_its_own_time() -> None:
    hands = Hands(timedelta(seconds=2))
    clock = hands.clock()
    before = clock()
    await clock.ask()

    assert NOW + timedelta(seconds=2) == before == clock()


@pytest.mark.parametrize("hours", [3, -1])
async def test_a_tick_gets_the_databases_time_from_a_worker_whose_clock_is_wrong(
    database: Database, hours: int
) -> None:
    runs: list[datetime] = []

    async def work(at: datetime) -> None:
        runs.append(at)

    async def read() -> datetime:
        at: datetime = await database.fetchval("SELECT now()")
        return at

    wrong = SharedClock(read, lambda: datetime.now(UTC) + timedelta(hours=hours))
    before = await read()
    await Ticks(database, [Tick("tick", 60, work)], wrong).run_all_once()
    after = await read()
    noted = await database.fetchval("SELECT last_ok_at FROM job_health WHERE job = 'tick'")

    assert before <= runs[0] <= after
    assert abs(noted - after) < timedelta(minutes=30)


async def test_while_the_database_is_away_time_goes_on_and_ticks_run(database: Database) -> None:
    runs: list[datetime] = []
    hands = Hands(timedelta(hours=3))

    async def work(at: datetime) -> None:
        runs.append(at)

    async with hands.clock().kept() as clock:
        hands.go_on(60)
        hands.is_away = True
        await Ticks(database, [Tick("tick", 60, work)], clock).run_all_once()

    assert [NOW + timedelta(minutes=1)] == runs
