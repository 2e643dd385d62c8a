"""F1 and F3: workers die at every named point, pages and workers at random moments."""

import random
import time

from notifications import crashing
from tests import database as test_database
from tests.faults import crew, harness, kill_points, soak
from tests.faults.harness import Stage
from tests.faults.ledger import Heard
from tests.faults.programme.tallies import Run, Tally
from tests.notifications import smtp_servers
from tests.notifications.smtp_servers import Server

RUNS, LETTERS = 5, 100
# A lease of two minutes is one of four seconds here; so much is left to a busy machine.
RECOVERY_SECONDS = 30.0
SEEDS, REPLICAS, SECONDS, PEOPLE = 10, 3, 60.0, 40
FEWEST_KILLS = 6
KILLS = ("kill_worker", "kill_pages")
CLEAR_SECONDS = 200.0

# What may have arrived waits for proof, or for its turn behind one that does.
_WAITING = """
SELECT count(*) FROM outbox o JOIN letter l USING (id) WHERE l.kind <> 'alarm' AND (
    state = 'sending' AND data_started_at IS NULL
    OR state = 'queued' AND attempts = 0)
"""


async def play_points(tally: Tally) -> None:
    """F1: let a worker die at each point, at a pass that the seed draws."""
    plan = {
        f"{point}, run {turn + 1}": (point, f"{tally.seed}:{point}:{turn}")
        for turn in tally.turns(RUNS)
        for point in crashing.POINTS
    }
    tally.plan(plan)
    folder = test_database.make_folder()
    try:
        async with harness.open_stage(folder, people=LETTERS) as stage:
            for title, (point, seed) in plan.items():
                async with tally.run(title) as run:
                    await _die_at(run, stage, point, seed)
    finally:
        test_database.remove_folder(folder)


async def _die_at(run: Run, stage: Stage, point: str, seed: str) -> None:
    async def recover(server: Server) -> None:
        """Measure how long it takes until what surely did not arrive has left."""
        died = time.monotonic()

        async def has_left() -> bool:
            return not await stage.database.fetchval(_WAITING)

        async with stage.worker(server.port):
            await stage.until(has_left, "what was leased has left")
        seconds = time.monotonic() - died
        run.recoveries.append(seconds)
        run.expect(holds=seconds < RECOVERY_SECONDS, otherwise=f"recovered after {seconds:.0f} s")

    dice = random.Random(seed)  # noqa: S311 - a run is to be repeatable
    run.judge(await kill_points.kill_at(stage, point, LETTERS, dice, recover))


async def play_at_random(tally: Tally) -> None:
    """F3: kill pages and workers for a minute, ten times, each on a stage of its own."""
    plan = {f"kills at random, seed {tally.seed + turn}": turn for turn in tally.turns(SEEDS)}
    tally.plan(plan)
    for title, turn in plan.items():
        one = tally.seed + turn
        async with tally.run(title) as run:
            folder = test_database.make_folder()
            try:
                async with harness.open_stage(folder, people=PEOPLE) as stage:
                    await _rage(run, stage, one)
            finally:
                test_database.remove_folder(folder)


async def _rage(run: Run, stage: Stage, seed: int) -> None:
    async with smtp_servers.running() as server:
        sizes = {"workers": REPLICAS, "pages": REPLICAS}
        async with soak.brewing(stage, server, seed, **sizes) as storm:
            end = time.monotonic() + SECONDS
            # A busy machine gets to two deaths in a minute, which would say little.
            while time.monotonic() < end or storm.struck.total() < FEWEST_KILLS:
                await storm.strike(KILLS)
        found = await soak.clear_up(storm)
    run.judge(found)
    run.wrong += storm.crew.odd
    run.notes += [
        ", ".join(f"{count} x {name}" for name, count in sorted(storm.struck.items())),
        harness.describe_clients(found),
    ]
    answers, presses = found.told.count(Heard.YES)
    run.expect(holds=min(answers, presses) > 0, otherwise="nobody was at work")
    run.expect(holds=storm.workers.deaths + storm.pages.deaths > 0, otherwise="nobody died")
    run.expect(holds=len(storm.crew.members) == crew.MEMBERS, otherwise="nobody was there")
