"""F8: the clocks of workers step, and whole installations live through odd nights.

First the clocks of one worker alone: an hour forward and back, three hours, three days. Then nights
in which everybody's clocks go over a change of the hour, or over a leap day: PostgreSQL and worker
read the same faked clock. It is set to right before each reminder is due and runs on, so that hours
go by as in a machine that slept.
"""

import asyncio
import os
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

from notifications import hurrying
from service import embedded, reminding
from service.domain.reminders import Audience, Kind, Rule
from service.embedded import Server
from tests import builders
from tests import database as test_database
from tests.faults import harness, servers
from tests.faults.harness import Stage
from tests.faults.history import Copy
from tests.faults.programme.tallies import Run, Tally
from tests.faults.test_clocks import (
    test_31_a_clock_that_steps_stops_no_tick_and_sends_nothing_early_or_twice as step_the_clock,
)
from tests.faults.test_clocks import ticks_go_on
from tests.notifications import smtp_servers

STEPS = ("+1h", "-1h", "+3h", "+3d")
PEOPLE, EACH = 80, 20
HASTE = 8
# So long before a reminder is due the clock is set.
BEFORE = timedelta(seconds=4)
PATIENCE_SECONDS = 240.0

NIGHTS: dict[str, dict[str, str]] = {
    # An hour before a session that begins then on the clocks of that day: due at this instant.
    "2026-03-29": {"02:30": "00:30", "04:00": "01:00", "10:00": "07:00"},
    "2026-10-25": {"02:30": "23:30", "04:00": "02:00", "10:00": "08:00"},
    "2027-03-28": {"02:30": "00:30", "04:00": "01:00", "10:00": "07:00"},
    "2028-02-29": {"02:30": "00:30", "04:00": "02:00", "10:00": "08:00"},
}
"""Days, and the sessions of each: local starts, and when their reminders are due in UTC."""

_SLOTS = """
SELECT s.id, s.due_at, s.meeting_id FROM reminder_slot s
JOIN reminder_rule r ON r.id = s.rule_id AND r.kind = 'reminder'
WHERE s.meeting_id = ANY ($1) AND s.state = 'planned' AND s.due_at > now() ORDER BY s.due_at
"""
_LETTERS = """
SELECT l.id, s.due_at, s.id AS slot_id FROM letter l JOIN reminder_slot s
    ON l.dedupe_key LIKE 'rem:' || s.meeting_id || ':' || s.rule_id || ':%'
"""
_SENT = f"""
SELECT count(*) FROM ({_LETTERS}) AS l JOIN outbox o USING (id)
WHERE l.slot_id = ANY ($1) AND o.state = 'sent'
"""
_NOTHING_IS_OVERDUE = """
UPDATE reminder_slot SET state = 'missed', reason = 'too_late'
WHERE meeting_id = $1 AND due_at <= $2 AND state = 'planned'
"""
_ON_THE_WAY = """
SELECT count(*) FROM outbox
WHERE state = 'sending' OR state = 'queued' AND next_attempt_at <= now()
"""
_ACCEPT = """
INSERT INTO invitation (meeting_id, person_id, state, invited_at, told_rev, answer, answer_way,
    answered_at, answer_rev, given_starts_local, given_mode, given_town, has_seat)
SELECT m.id, p.id, 'invited', $3, m.revision, 'in_person', 'link', $3, 1, m.starts_local, m.mode,
    m.town, true
FROM (SELECT id FROM person WHERE email LIKE 'm%@example.org' ORDER BY email
    LIMIT $4 OFFSET $2) p, meeting m WHERE m.id = $1
"""


async def play(tally: Tally) -> None:
    """Play all runs."""
    if harness.FAKETIME is None:
        print("F8 libfaketime (Debian package faketime) is missing: nothing is played")
        return
    tally.plan([*map(_step_title, STEPS), *map(_night_title, NIGHTS)])
    folder = test_database.make_folder()
    try:
        async with harness.open_stage(folder, people=PEOPLE) as stage:
            for step in STEPS:
                async with tally.run(_step_title(step)):
                    await stage.clean()
                    await step_the_clock(stage, step, folder)
    finally:
        test_database.remove_folder(folder)
    for day in NIGHTS:
        async with tally.run(_night_title(day)) as run:
            await _live_through(run, day)


def _step_title(step: str) -> str:
    return f"the clock of a worker steps by {step}"


def _night_title(day: str) -> str:
    return f"everybody's clocks in the night to {day}"


@dataclass(frozen=True)
class FakedServer(Server):
    """An embedded PostgreSQL whose programs read a faked clock."""

    environment: Mapping[str, str] = field(default_factory=dict)

    def _run(self, name: str, *args: str | Path) -> subprocess.CompletedProcess[str]:
        other = {"user": self.user, "group": self.group, "extra_groups": []}
        with tempfile.TemporaryFile("w+") as output:
            done = subprocess.run(
                [embedded.tool(name), *args],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.data_dir,
                env={"PATH": os.defpath, "LC_ALL": "C.UTF-8", **self.environment},
                start_new_session=True,
                check=False,
                **(other if self.user != os.geteuid() else {}),  # type: ignore[call-overload]
            )
            output.seek(0)
            return subprocess.CompletedProcess(done.args, done.returncode, "", output.read())


@dataclass
class World:
    """A stage whose database and workers have another time than we."""

    stage: Stage
    clock: Path
    environment: Mapping[str, str]
    steps: list[tuple[float, timedelta]]

    def set(self, instant: datetime) -> None:
        """Set everybody's clock."""
        offset = instant - datetime.now(UTC)
        # Whoever reads half a file goes by the true time, months away.
        fresh = self.clock.with_suffix(".new")
        fresh.write_text(f"{offset.total_seconds():+.0f}\n")
        fresh.chmod(0o644)
        fresh.replace(self.clock)
        self.steps.append((time.time(), offset))

    def instant(self, at: float) -> float:
        """Return what their clocks said when ours said this."""
        offset = next(offset for since, offset in reversed(self.steps) if since <= at)
        return at + offset.total_seconds()

    async def until(self, instant: datetime) -> None:
        """Wait until the clock of the database has passed an instant."""
        while await self.stage.database.fetchval("SELECT now()") <= instant:
            await asyncio.sleep(0.1)

    def copies(self, server: smtp_servers.Server) -> list[Copy]:
        """Return what left, by their clocks."""
        return [replace(one, at=self.instant(one.at)) for one in servers.copies(server)]


@asynccontextmanager
async def _a_world(begins: datetime) -> AsyncIterator[World]:
    """Start a PostgreSQL in another time, and furnish it."""
    folder = test_database.make_folder()
    try:
        clock = folder / "clock"
        # A signal that comes while the file is read is answered by the true time: months later
        # all time limits of PostgreSQL are over. So it is read once a second, not at each look.
        faked = harness.faked(clock) | {"FAKETIME_CACHE_DURATION": "1"}
        del faked["FAKETIME_NO_CACHE"]
        world = World(None, clock, faked, [])  # type: ignore[arg-type]
        world.set(begins)
        plain = Server.under(folder / "data")
        server = FakedServer(plain.data_dir, plain.user, plain.group, faked)
        await server.run_until_ready(fsync=False)
        async with harness.open_stage(folder, people=PEOPLE) as stage:
            world.stage = stage
            yield world
    finally:
        test_database.remove_folder(folder)


async def _live_through(run: Run, day: str) -> None:
    """Let a worker live from one evening to the next, and see what left when."""
    midnight = datetime.fromisoformat(f"{day}T00:00+00:00")
    begins = midnight - timedelta(hours=5)
    async with _a_world(begins) as world, smtp_servers.running() as server:
        stage = world.stage
        faked = {**world.environment, hurrying.VARIABLE: str(HASTE)}
        meetings = [
            await _a_session(world, begins, f"{day}T{starts}", place)
            for place, starts in enumerate(NIGHTS[day])
        ]
        meetings.append(
            await _a_session(world, begins, f"{_after(day)}T10:00", 3, by_minutes=False)
        )
        slots = [
            row
            for row in await stage.database.fetch(_SLOTS, meetings)
            if row["due_at"] < midnight + timedelta(hours=20)
        ]
        by_minutes = {
            row["due_at"].strftime("%H:%M") for row in slots if row["meeting_id"] != meetings[3]
        }
        wanted = set(NIGHTS[day].values())
        run.expect(holds=wanted <= by_minutes, otherwise=f"due {by_minutes}, wanted {wanted}")
        async with stage.worker(server.port, **faked) as program:
            await stage.until(ticks_go_on(stage), "the worker is there")
            for due in sorted({row["due_at"] for row in slots}):
                world.set(due - BEFORE)
                await world.until(due)
                await stage.until(ticks_go_on(stage), f"ticks after {due}", PATIENCE_SECONDS)
                ids = [row["id"] for row in slots if row["due_at"] <= due]
                await stage.until(_are_sent(stage, ids), f"sent at {due}", PATIENCE_SECONDS)
            world.set(midnight + timedelta(hours=20))
            await stage.until(ticks_go_on(stage), "ticks in the evening", PATIENCE_SECONDS)
            await stage.until(_has_left(stage), "what is due has left", PATIENCE_SECONDS)
            run.expect(holds=program.process.returncode is None, otherwise="the worker ended")
        of_slot = {}
        for row in await stage.database.fetch(_LETTERS):
            stage.due[row["id"]] = row["due_at"]
            of_slot[row["id"]] = row["slot_id"]
        found = await stage.history(world.copies(server))
        run.judge(found)
        run.expect(holds=run.duplicates == 0, otherwise="somebody got two copies")
        left = Counter(of_slot.get(each) for each in {copy.letter_id for copy in found.copies})
        for row in slots:
            told = f"{left[row['id']]} of {EACH} letters due {row['due_at']} left"
            run.expect(holds=left[row["id"]] == EACH, otherwise=told)
        run.notes.append(
            f"{len(slots)} reminders: " + ", ".join(f"{row['due_at']:%d %H:%M}" for row in slots)
        )


def _are_sent(stage: Stage, slots: Sequence[UUID]) -> Callable[[], Awaitable[object]]:
    async def are_sent() -> bool:
        return bool(await stage.database.fetchval(_SENT, slots) == EACH * len(slots))

    return are_sent


def _has_left(stage: Stage) -> Callable[[], Awaitable[object]]:
    async def has_left() -> bool:
        return not await stage.database.fetchval(_ON_THE_WAY)

    return has_left


def _after(day: str) -> str:
    return (datetime.fromisoformat(day) + timedelta(days=1)).date().isoformat()


async def _a_session(
    world: World, now: datetime, starts: str, place: int, *, by_minutes: bool = True
) -> object:
    """Open a session that reminds twenty people of their own an hour, or a day, before."""
    database, local = world.stage.database, datetime.fromisoformat(starts)
    meeting = await builders.a_meeting(
        database,
        starts_local=local,
        answer_by_local=local - timedelta(minutes=30),
        published_at=now - timedelta(days=20),
        # Without it what is due within a day is left to an invitation that is to come.
        invited_at=None if by_minutes else now - timedelta(days=20),
    )
    await database.fetch(_ACCEPT, meeting["id"], place * EACH, now - timedelta(days=20), EACH)
    async with database.unit_of_work() as unit:
        await reminding.ensure_rules(unit.connection)
        if by_minutes:
            rule = Rule(kind=Kind.REMINDER, audience=(Audience.ACCEPTED,), minutes_before=60)
            await reminding.add_rule(unit.connection, rule, meeting_id=meeting["id"])
        await reminding.plan_slots(unit.connection, meeting["id"], now)
        # An overdue reminder leaves the next morning, and nobody gets a second one that day.
        await unit.connection.execute(_NOTHING_IS_OVERDUE, meeting["id"], now)
    return meeting["id"]
