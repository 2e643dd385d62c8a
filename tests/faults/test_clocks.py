"""The wall clock of a worker steps while it runs."""

from datetime import datetime
from pathlib import Path

import pytest

from tests.faults.harness import Stage
from tests.notifications import smtp_servers

pytestmark = pytest.mark.xdist_group("faults")

LIBRARY = next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)
COUNT = 10
TICK_SECONDS = 10.0


@pytest.mark.long
@pytest.mark.skipif(LIBRARY is None, reason="libfaketime (Debian package faketime) is missing")
@pytest.mark.parametrize("step", ["-1h", "+3h"])
async def test_31_a_clock_that_steps_stops_no_tick_and_sends_nothing_early_or_twice(
    stage: Stage, step: str, tmp_path: Path
) -> None:
    file = tmp_path / "clock"
    file.write_text("+0\n")
    faked = {
        "LD_PRELOAD": str(LIBRARY),
        "FAKETIME_TIMESTAMP_FILE": str(file),
        "FAKETIME_NO_CACHE": "1",
        "DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }
    async with smtp_servers.running() as server, stage.worker(server.port, **faked):
        await stage.post(COUNT)
        await stage.in_state("sent", COUNT)
        file.write_text(step + "\n")
        before = await _beat(stage)

        async def ticks_go_on() -> bool:
            found = await _beat(stage)
            # One run may have begun before the step; the next ones bear the new time.
            return abs((found - before).total_seconds()) > 1800

        await stage.until(ticks_go_on, "the next tick", TICK_SECONDS)
        await stage.post(COUNT)
        await stage.post(COUNT, due_in=600)
        await stage.in_state("sent", 2 * COUNT)
        found = await stage.check(server)

    assert {"sent": 2 * COUNT, "queued": COUNT} == await stage.states()
    assert (2 * COUNT, 0) == (len(found.copies), found.duplicates)


async def _beat(stage: Stage) -> datetime:
    found: datetime = await stage.database.fetchval(
        "SELECT last_ok_at FROM job_health WHERE job = 'notices'"
    )
    return found
