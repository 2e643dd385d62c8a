"""The wall clock of a worker steps while it runs, or a zone gets other rules before it starts."""

from datetime import UTC, datetime, timedelta
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from service import reminding, scheduling
from tests import builders
from tests.builders import Row
from tests.faults import harness
from tests.faults.harness import Stage
from tests.notifications import smtp_servers

pytestmark = pytest.mark.xdist_group("faults")

COUNT = 10
TICK_SECONDS = 10.0


@pytest.mark.long
@pytest.mark.skipif(
    harness.FAKETIME is None, reason="libfaketime (Debian package faketime) is missing"
)
@pytest.mark.parametrize("step", ["-1h", "+3h"])
async def test_31_a_clock_that_steps_stops_no_tick_and_sends_nothing_early_or_twice(
    stage: Stage, step: str, tmp_path: Path
) -> None:
    file = tmp_path / "clock"
    faked = harness.faked(file)
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


_HAVE_RUN = """
SELECT count(*) FROM job_health WHERE job IN ('zones', 'slots') AND last_ok_at > $1
"""
_SLOTS = "SELECT rule_id, state, due_at FROM reminder_slot WHERE meeting_id = $1"


def zones_where_berlin_is_helsinki(folder: Path) -> Path:
    """Make a folder of zones in which Germany has gone over to Eastern European Time."""
    helsinki = resources.files("tzdata") / "zoneinfo" / "Europe" / "Helsinki"
    (folder / "Europe").mkdir(parents=True)
    (folder / "Europe" / "Berlin").write_bytes(helsinki.read_bytes())
    return folder


async def instants(stage: Stage, meeting: Row) -> dict[Any, datetime]:
    """Return when a session begins and ends, and when its slots are due."""
    row = await builders.read(stage.database, "meeting", meeting["id"])
    slots = await stage.database.fetch(_SLOTS, meeting["id"])
    found = {name: row[name] for name in ("starts_at", "ends_at", "answer_by")}
    return found | {(slot["rule_id"], slot["state"]): slot["due_at"] for slot in slots}


async def a_planned_session(stage: Stage, days: int, now: datetime) -> Row:
    """Open a session so many days from now with the slots that everybody's rules give."""
    starts = now.replace(tzinfo=None, hour=10, minute=0, second=0, microsecond=0)
    meeting = await builders.a_meeting(stage.database, starts_local=starts + timedelta(days=days))
    async with stage.database.unit_of_work() as unit:
        await reminding.ensure_rules(unit.connection)
        await reminding.plan_slots(unit.connection, meeting["id"], now)
    return meeting


@pytest.mark.long
async def test_49_a_zone_with_other_rules_moves_what_comes_and_leaves_what_was(
    stage: Stage, tmp_path: Path
) -> None:
    now = datetime.now(UTC)
    # A clock that was ahead has left runs of hours to come.
    await stage.database.fetch("DELETE FROM job_health")
    coming = await a_planned_session(stage, 50, now)
    past = await a_planned_session(stage, -3, now)
    fire = "UPDATE reminder_slot SET state = 'expanded' WHERE id = $1"
    sql = "SELECT id FROM reminder_slot WHERE meeting_id = $1 ORDER BY due_at LIMIT 1"
    await stage.database.fetch(fire, await stage.database.fetchval(sql, coming["id"]))
    before, was = await instants(stage, coming), await instants(stage, past)
    changed = {"PYTHONTZPATH": str(zones_where_berlin_is_helsinki(tmp_path / "zones"))}
    async with smtp_servers.running() as server, stage.worker(server.port, **changed):

        async def has_followed() -> bool:
            return await stage.database.fetchval(_HAVE_RUN, now) == 2

        await stage.until(has_followed, "the worker has calculated anew")
        after, still = await instants(stage, coming), await instants(stage, past)
    await scheduling.follow_zones(stage.database, now)
    await reminding.plan_all(stage.database, now)
    again = await instants(stage, coming)

    hour = timedelta(hours=1)
    assert {key: at if "expanded" in key else at - hour for key, at in before.items()} == after
    assert {"expanded", "planned"} == {key[1] for key in before if isinstance(key, tuple)}
    assert was == still
    assert before == again
