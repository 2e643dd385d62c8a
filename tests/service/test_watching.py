"""A loop that stands still is noticed from outside it."""

import asyncio
import time

from structlog.testing import capture_logs

from service import looking_after, watching
from service.watching import Watchdog


def block_the_loop(seconds: float) -> None:
    time.sleep(seconds)


async def test_a_standstill_is_logged_once_with_the_place_and_its_end() -> None:
    with capture_logs() as logs:
        async with watching.watched(Watchdog(limit=0.1, beat=0.02)):
            await asyncio.sleep(0.05)
            block_the_loop(0.4)
            await asyncio.sleep(0.1)
            stood_still = watching.stood_still()

    still, went_on = logs
    assert ("loop.stands_still", "loop.went_on") == (still["event"], went_on["event"])
    assert "block_the_loop" in str(still["stack"])
    assert 0.3 < went_on["seconds"] < 5
    assert stood_still


async def test_a_loop_that_runs_is_no_news() -> None:
    with capture_logs() as logs:
        async with watching.watched(Watchdog(limit=1, beat=0.02)):
            await asyncio.sleep(0.2)
            stood_still = watching.stood_still()

    assert ([], False) == (logs, stood_still)


def test_readiness_says_whether_the_loop_stood_still() -> None:
    found = [looking_after.judge_loop(stood_still=still) for still in (False, True)]

    assert [True, False] == [condition.holds for condition in found]


def test_nothing_is_remembered_when_nobody_watches() -> None:
    assert not watching.stood_still()
