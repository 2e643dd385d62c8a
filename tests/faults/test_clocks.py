"""The wall clock of a worker steps while it runs, or a zone gets other rules before it starts."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from importlib import resources
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from service import reminding, scheduling
from service.domain import instants as instants_of
from service.domain.reminders import Audience, Kind, Rule
from tests import builders
from tests.builders import Row
from tests.faults import harness
from tests.faults.harness import Stage
from tests.notifications import smtp_servers

pytestmark = pytest.mark.xdist_group("faults")

COUNT = 10
# Without the watch over the clock they would wait for an hour.
TICK_SECONDS = 240.0
_behind = count(harness.PEOPLE + 1)


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
        soon = await a_session_that_tells(stage, timedelta(seconds=600))
        due = await a_session_that_tells(stage, timedelta(seconds=-1))
        await stage.post(COUNT)
        await stage.post(COUNT, due_in=600)
        await stage.until(ticks_go_on(stage), "the next ticks", TICK_SECONDS)
        # What is due by the database's clock is not late, either.
        await stage.in_state("sent", 2 * COUNT + 2)
        await stage.until(ticks_go_on(stage), "further ticks", TICK_SECONDS)
        found = await stage.check(server)
        told = {one: await told_about(stage, one) for one in (soon, due)}
        await stage.database.fetch("DELETE FROM meeting WHERE id = ANY ($1)", [soon, due])

    assert {"sent": 2 * COUNT + 2, "queued": COUNT} == await stage.states()
    assert (2 * COUNT + 2, 0) == (len(found.copies), found.duplicates)
    assert {soon: ("pending", "planned", 0), due: ("sent", "expanded", 2)} == told


async def a_session_that_tells(stage: Stage, wait: timedelta) -> UUID:
    """Open a session that asks one and reminds another of two people after a while."""
    now = datetime.now(UTC)
    starts = instants_of.to_local(now + wait + timedelta(hours=2), "Europe/Berlin")
    meeting = await builders.a_meeting(
        stage.database,
        starts_local=starts,
        answer_by_local=starts - timedelta(minutes=30),
        invited_at=now - timedelta(days=1),
    )
    for answer in (None, "in_person"):
        # Behind everybody who gets the letters of the stage.
        email = f"m{next(_behind)}@example.org"
        person = await builders.a_person(stage.database, email=email)
        await builders.an_invitation(
            *(stage.database, meeting, person), answer=answer, invited_at=now - timedelta(days=1)
        )
    await builders.a_notice(stage.database, meeting, kind="nudge", due_at=now + wait)
    rule = Rule(kind=Kind.REMINDER, audience=(Audience.ACCEPTED,), minutes_before=120)
    async with stage.database.unit_of_work() as unit:
        await reminding.ensure_rules(unit.connection)
        await reminding.add_rule(unit.connection, rule, meeting_id=meeting["id"])
        await reminding.plan_slots(unit.connection, meeting["id"], now - timedelta(hours=1))
    meeting_id: UUID = meeting["id"]
    return meeting_id


_TOLD = """
SELECT (SELECT state FROM notice WHERE meeting_id = $1) AS notice,
    (SELECT s.state FROM reminder_slot s JOIN reminder_rule r ON r.id = s.rule_id
        WHERE s.meeting_id = $1 AND r.minutes_before = 120) AS slot,
    (SELECT count(*) FROM letter WHERE subject_id = $1) AS letters
"""


async def told_about(stage: Stage, meeting_id: UUID) -> tuple[str, str, int]:
    """Return what became of a session's notice and slot, and how many letters there are."""
    row = await stage.database.fetchrow(_TOLD, meeting_id)
    assert row is not None
    return row["notice"], row["slot"], row["letters"]


def ticks_go_on(stage: Stage) -> Callable[[], Awaitable[object]]:
    """Return whether the ticks that look for due rows have ended a run that began from now on."""
    asked: list[datetime] = []

    async def have_run() -> bool:
        if not asked:
            asked.append(await stage.database.fetchval("SELECT now()"))
        return await stage.database.fetchval(_HAVE_ENDED, asked[0]) == 2

    return have_run


_HAVE_ENDED = """
SELECT count(*) FROM job_health
WHERE job IN ('notices', 'reminders') AND last_start_at > $1 AND last_ok_at >= last_start_at
"""
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
