"""F11: the way to the database is slow, loses what it carries, or goes dead without a word."""

import asyncio
import random
from contextlib import suppress

from tests import database as test_database
from tests.faults import harness, test_far_databases
from tests.faults.harness import Stage
from tests.faults.programme.tallies import Run, Tally
from tests.faults.proxy import Proxy
from tests.faults.test_far_databases import COUNT, a_far_worker
from tests.notifications import smtp_servers

MILLISECONDS = 300
# A packet that is lost is sent again by TCP, at the earliest after a fifth of a second, then twice
# that; whoever waits for it sees only that it comes late.
LOSS, AGAIN_SECONDS, LOOK_SECONDS = 0.05, (0.2, 0.4, 0.8), 0.05
CONNECTIONS = 5
TITLES = (
    f"{MILLISECONDS} ms there and back",
    f"{LOSS:.0%} of what passes comes late",
    "half open",
)


async def play(tally: Tally) -> None:
    """Play all runs."""
    tally.plan(TITLES)
    slow, losing, dead = TITLES
    folder = test_database.make_folder()
    try:
        async with harness.open_stage(folder, people=2 * COUNT) as stage:
            async with tally.run(slow) as run:
                await test_far_databases.test_f11_a_slow_way_costs_time_and_no_letter(
                    stage, MILLISECONDS
                )
                run.notes.append(f"{2 * COUNT} letters, each once")
            async with tally.run(losing) as run:
                await stage.clean()
                await _lose(run, stage, random.Random(tally.seed))  # noqa: S311 - repeatable
            async with tally.run(dead) as run:
                await stage.clean()
                await test_far_databases.test_f11_a_connection_that_went_dead_without_a_word_holds_nobody_up(  # noqa: E501
                    stage
                )
                run.notes.append(f"{2 * COUNT} letters, each once")
    finally:
        test_database.remove_folder(folder)


async def _lose(run: Run, stage: Stage, dice: random.Random) -> None:
    async with smtp_servers.running() as server, a_far_worker(stage, server) as (program, network):
        losing = asyncio.create_task(_delay(network, dice))
        for _ in range(CONNECTIONS):
            await stage.post(COUNT)
        await stage.settled(hurry=False)
        losing.cancel()
        with suppress(asyncio.CancelledError):
            await losing
        run.judge(await stage.check(server))
        run.expect(holds=run.duplicates == 0, otherwise="somebody got two copies")
        run.expect(holds=program.process.returncode is None, otherwise="the worker ended")


async def _delay(network: Proxy, dice: random.Random) -> None:
    while True:
        is_lost = dice.random() < LOSS
        network.delay = dice.choice(AGAIN_SECONDS) if is_lost else 0.0
        await asyncio.sleep(network.delay or LOOK_SECONDS)
