"""A loop that stands still is noticed from outside it."""

import asyncio
import time

from structlog.testing import capture_logs

from service import looking_after, watching
from service.watching import Watchdog


def block_the_loop(watchdog: Watchdog) -> None:
    """Stand still until that was noticed, and a little longer."""
    while not watchdog._is_blocked:
        time.sleep(0.01)
    time.sleep(0.2)


async def until_it_runs(watchdog: Watchdog) -> None:
    while watchdog._is_blocked:
        await asyncio.sleep(0.01)


async def test_a_standstill_is_logged_once_with_the_place_and_its_end() -> None:
    watchdog = Watchdog(limit=0.3, beat=0.02)
    with capture_logs() as logs:
        async with watching.watched(watchdog):
            await asyncio.sleep(0.05)
            await until_it_runs(watchdog)
            block_the_loop(watchdog)
            await until_it_runs(watchdog)
            stood_still = watching.stood_still()

    # A busy machine may hold the loop up before and after, too.
    places = [str(each.get("stack")) for each in logs]
    [ours] = [place for place, stack in enumerate(places) if "block_the_loop" in stack]
    still, went_on = logs[ours : ours + 2]
    assert ("loop.stands_still", "loop.went_on") == (still["event"], went_on["event"])
    assert 0.4 < went_on["seconds"] < 60
    assert stood_still


async def test_a_loop_that_runs_is_no_news() -> None:
    with capture_logs() as logs:
        async with watching.watched(Watchdog(limit=60, beat=0.02)):
            await asyncio.sleep(0.2)
            stood_still = watching.stood_still()

    assert ([], False) == (logs, stood_still)


def test_readiness_says_whether_the_loop_stood_still() -> None:
    found = [looking_after.judge_loop(stood_still=still) for still in (False, True)]

    assert [True, False] == [condition.holds for condition in found]


def test_nothing_is_remembered_when_nobody_watches() -> None:
    assert not watching.stood_still()
