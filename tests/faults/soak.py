"""Everything at once for a long time: `python -m tests.faults.soak --seconds 1800 --seed 7`.

Four workers and two processes of the pages; letters all the time; people who answer, plan, move,
cancel and read calendars over HTTP; and every few seconds a fault that the seed draws: refusals,
lost and late replies, cuts, resets, frozen networks, killed, stopped and frozen processes, clocks
that step, and a database that dies, hangs up or is away. At the end everything is healed, and the
whole history has to be true: what clients were told, what mail servers took, what rows say.
`--only kill_worker kill_pages` draws from these faults alone.
"""

import argparse
import asyncio
import random
import secrets
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from notifications import hurrying, outbox
from tests import database as test_database
from tests.faults import crew, fleet, harness, proxy, servers
from tests.faults.harness import Stage
from tests.faults.history import History
from tests.faults.servers import Faulty
from tests.faults.storm import Storm
from tests.notifications import smtp_servers
from tests.notifications.smtp_servers import Server
from tests.ports import free_port

WORKERS, PAGES = 4, 2
AT_ONCE = 40
# More than that need not wait at once: it is the faults that are to be many.
OPEN_AT_MOST = 200
# Fifteen seconds of a lease: on a busy machine a worker in more of a hurry never keeps one.
HASTE = 8
TELLS_SECONDS = 30.0
CALM_SECONDS = 240.0


async def post_always(stage: Stage, dice: random.Random) -> None:
    """Post letters again and again; a database that is away gets them next time."""
    while True:
        # The database is shot down on purpose.
        with suppress(Exception):
            states = await stage.states()
            if sum(states.get(each, 0) for each in outbox.OPEN) < OPEN_AT_MOST:
                await stage.post(dice.randint(1, AT_ONCE))
            await stage.end_holds()
        await asyncio.sleep(dice.uniform(0.5, 3.0))


@asynccontextmanager
async def brewing(
    stage: Stage, server: Server, seed: int, *, workers: int = WORKERS, pages: int = PAGES
) -> AsyncIterator[Storm]:
    """Start everybody, let faults happen in the block, then heal and hear everybody out."""
    dice = random.Random(seed)  # noqa: S311 - a run is to be repeatable
    server.script = script = Faulty()
    ports = [free_port() for _ in range(pages)]
    more = {hurrying.VARIABLE: str(HASTE)}
    clock = stage.server.cluster.parent / "clock"
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        network = await enter(proxy.running(server.port))
        way, dsn = await enter(stage.far_way())
        far = more | {"TERMINBUCH_DATABASE_URL": dsn}
        web = await enter(fleet.serving(stage, ports, dice, **far))
        faked = harness.faked(clock) | more
        post = await enter(fleet.sailing(stage, network.port, workers, dice, **faked))
        async with crew.working(stage, ports, seed) as people:
            posting = asyncio.create_task(post_always(stage, random.Random(seed)))  # noqa: S311
            storm = Storm(stage, server, script, network, way, post, web, people, dice, clock)
            try:
                yield storm
            finally:
                storm.heal()
                posting.cancel()
            await storm.revive()
            flows = await storm.let_flow(CALM_SECONDS)
            assert flows, f"nothing flows, and all is healed: {await storm.sessions()}"


async def clear_up(storm: Storm) -> History:
    """Let the rest leave once all workers are dead, and return what there is to judge."""
    stage, server = storm.stage, storm.server
    await stage.hear_last_words()
    await stage.rescue(server.port)
    await stage.rescue(server.port)
    return await stage.history(servers.copies(server), storm.crew.told)


async def rage(stage: Stage, seconds: float, seed: int, only: Sequence[str] = ()) -> int:
    """Let it rage, heal, and return how many violations there are."""
    async with smtp_servers.running() as server:
        async with brewing(stage, server, seed) as storm:
            told = time.monotonic()
            end = told + seconds
            while time.monotonic() < end:
                await storm.strike(only or list(storm.faults))
                if time.monotonic() - told > TELLS_SECONDS:
                    told = time.monotonic()
                    print(f"{end - told:.0f} s left, {storm.progress()}", flush=True)
        found = await clear_up(storm)
    tell(storm, found)
    return len(found.violations())


def tell(storm: Storm, found: History) -> None:
    """Print what happened."""
    gave_up = storm.workers.gave_up, storm.pages.gave_up
    print(f"faults: {dict(storm.struck)}, workers and pages that found no database: {gave_up}")
    print(f"states: {dict(Counter(row['state'] for row in found.rows))}")
    print(harness.describe(found))
    print(harness.describe_clients(found), flush=True)
    for each in [*found.violations()[:20], *storm.crew.odd[:10]]:
        print(f"    {each}")


async def run(seconds: float, seed: int, only: Sequence[str] = ()) -> int:
    """Build the stage, and take it down again."""
    print(f"seed {seed}, {seconds:.0f} s", flush=True)
    folder = test_database.make_folder()
    try:
        async with harness.open_stage(folder, people=AT_ONCE) as stage:
            return await rage(stage, seconds, seed, only)
    finally:
        test_database.remove_folder(folder)


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1800)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    parser.add_argument("--only", nargs="*", default=())
    given = parser.parse_args()
    return 1 if asyncio.run(run(given.seconds, given.seed, given.only)) else 0


if __name__ == "__main__":
    sys.exit(main())
