"""A loop that stands still is noticed from outside it."""

import asyncio
import time
from collections.abc import Sequence
from typing import Any

from structlog.testing import capture_logs

from service import looking_after, watching
from service.watching import Watchdog


def of_the_loop(logs: Sequence[Any]) -> list[Any]:
    """Return what was logged about it; others of this process may log beside it."""
    return [each for each in logs if each["event"].startswith("loop.")]


def is_here(event: Any) -> bool:
    """Tell whether a standstill was found where we make one."""
    return "block_the_loop" in str(event.get("stack"))


def block_the_loop(watchdog: Watchdog, logs: Sequence[Any]) -> None:
    """Stand still until that was noticed and logged, and a little longer."""
    while not watchdog._is_blocked:
        time.sleep(0.01)
    while of_the_loop(logs)[-1:] == [] or of_the_loop(logs)[-1]["event"] == "loop.went_on":
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
            # A busy machine may hold the loop up before and after, too.
            while not any(map(is_here, of_the_loop(logs))):
                await until_it_runs(watchdog)
                block_the_loop(watchdog, logs)
            await until_it_runs(watchdog)
            stood_still = watching.stood_still()

    told = of_the_loop(logs)
    [ours] = [place for place, event in enumerate(told) if is_here(event)]
    still, went_on = told[ours : ours + 2]
    assert ("loop.stands_still", "loop.went_on") == (still["event"], went_on["event"])
    assert 0.4 < went_on["seconds"]
    assert stood_still


async def test_a_loop_that_runs_is_no_news() -> None:
    with capture_logs() as logs:
        async with watching.watched(Watchdog(limit=60, beat=0.02)):
            await asyncio.sleep(0.2)
            stood_still = watching.stood_still()

    assert ([], False) == (of_the_loop(logs), stood_still)


async def test_who_looks_while_the_end_of_a_standstill_is_logged_finds_no_second_one() -> None:
    watchdog = Watchdog(limit=60)
    watchdog._is_blocked, watchdog._beat_at = True, watchdog._beat_at - 100
    ages = []

    def look(_: object, __: str, event: Any) -> Any:
        ages.append(time.monotonic() - watchdog._beat_at)
        return event

    with capture_logs([look]) as logs:
        beating = asyncio.create_task(watchdog.beat())
        await asyncio.sleep(0)
        beating.cancel()

    [went_on] = of_the_loop(logs)
    assert 100 <= went_on["seconds"]
    assert max(ages) < 60


def test_readiness_says_whether_the_loop_stood_still() -> None:
    found = [looking_after.judge_loop(stood_still=still) for still in (False, True)]

    assert [True, False] == [condition.holds for condition in found]


def test_nothing_is_remembered_when_nobody_watches() -> None:
    assert not watching.stood_still()
