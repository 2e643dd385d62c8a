"""Everything at once for a long time: `python -m tests.faults.soak --seconds 1800 --seed 7`.

Four workers, letters all the time, and every few seconds a fault that the seed draws: refusals,
lost and late replies, cuts, resets, frozen networks, killed, stopped and frozen workers, clocks
that step, and a database that dies or is away. At the end everything is healed, and the whole
history has to be true.
"""

import argparse
import asyncio
import random
import secrets
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from notifications import hurrying, outbox
from tests import database as test_database
from tests.faults import fleet, harness, proxy, servers
from tests.faults.fleet import Fleet
from tests.faults.harness import Stage
from tests.faults.proxy import Proxy
from tests.faults.servers import Fault, Faulty
from tests.notifications import smtp_servers
from tests.notifications.smtp_servers import Server

WORKERS = 4
AT_ONCE = 40
# More than that need not wait at once: it is the faults that are to be many.
OPEN_AT_MOST = 200
# Fifteen seconds of a lease: on a busy machine a worker in more of a hurry never keeps one.
HASTE = 8
# Between two faults some letters leave, or the workers have had so much time for it.
LETTERS_BETWEEN = 10
PATIENCE_SECONDS = 30.0
HEAL_SECONDS = (0.3, 3.0)
PAUSE_SECONDS = (0.2, 3.0)
REFUSALS = (
    ("RCPT", "451 4.3.0 later"),
    ("RCPT", "550 5.1.1 no such user"),
    ("MAIL", "421 4.3.2 going down"),
    ("DATA", "451 4.3.0 later"),
    (".", "451 4.3.0 later"),
    (".", "554 5.7.1 looks like spam"),
    (".", smtp_servers.CLOSE),
    ("CONNECT", "421 4.3.2 too many connections"),
    ("RCPT", "hello"),
)
SLOW = ("CONNECT", ".")
SLOW_SECONDS = (0.5, 4.0)
AWAY_SECONDS = (1.0, 8.0)
STEPS = ("-1h", "+3h", "+0")


@dataclass
class Storm:
    """The faults, and how often each struck."""

    stage: Stage
    server: Server
    script: Faulty
    network: Proxy
    workers: Fleet
    dice: random.Random
    clock: Path
    struck: Counter[str] = field(default_factory=Counter)

    async def strike(self) -> None:
        """Let one fault happen, and heal it."""
        await self.workers.revive()
        await self.let_flow()
        faults: list[Callable[[], Awaitable[None]]] = [
            self.refuse,
            self.refuse,
            self.cut,
            self.freeze_network,
            self.workers.kill_one,
            self.workers.stop_one,
            self.workers.freeze_one,
            self.stage.restart_at_once,
            self.be_slow,
            self.be_away,
            self.step_clocks,
        ]
        fault = self.dice.choice(faults)
        self.struck[fault.__name__] += 1
        await fault()
        await asyncio.sleep(self.dice.uniform(*PAUSE_SECONDS))

    async def let_flow(self) -> None:
        """Wait until some letters have left: workers that only ever start meet no fault."""
        wanted, end = len(self.server.mails) + LETTERS_BETWEEN, time.monotonic() + PATIENCE_SECONDS
        while len(self.server.mails) < wanted and time.monotonic() < end:
            await asyncio.sleep(0.1)

    async def refuse(self) -> None:
        """Let the mail server refuse, or lose, one to three letters."""
        phase, answer = self.dice.choice(REFUSALS)
        self.script.faults = [Fault(phase, answer, times=self.dice.randint(1, 3))]
        await asyncio.sleep(self.dice.uniform(*HEAL_SECONDS))
        self.script.faults = []

    async def cut(self) -> None:
        """Cut connections after some bytes, by FIN or RST."""
        self.network.reset = self.dice.random() < 0.5
        limit = self.dice.randint(1, 30000)
        if self.dice.random() < 0.3:
            self.network.cut_reply_after = limit % 600
        else:
            self.network.cut_after = limit
        await asyncio.sleep(self.dice.uniform(*HEAL_SECONDS))
        self.network.heal()

    async def freeze_network(self) -> None:
        """Let nothing pass for a while."""
        self.network.frozen = True
        await asyncio.sleep(self.dice.uniform(*HEAL_SECONDS))
        self.network.heal()

    async def be_slow(self) -> None:
        """Let the mail server take its time for a while."""
        self.server.delays = {self.dice.choice(SLOW): self.dice.uniform(*SLOW_SECONDS)}
        await asyncio.sleep(self.dice.uniform(*HEAL_SECONDS))
        self.server.delays = {}

    async def be_away(self) -> None:
        """Let the database be away for longer than a restart takes."""
        await asyncio.to_thread(self.stage.postgres, "stop", "-m", "immediate")
        await asyncio.sleep(self.dice.uniform(*AWAY_SECONDS))
        await asyncio.to_thread(self.stage.server.start, fsync=True)

    async def step_clocks(self) -> None:
        """Set the clocks of all workers to another hour; without libfaketime nothing happens."""
        self.clock.write_text(self.dice.choice(STEPS) + "\n")


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


async def storm(stage: Stage, seconds: float, seed: int) -> int:
    """Let it rage, heal, and return how many violations there are."""
    dice = random.Random(seed)  # noqa: S311 - a run is to be repeatable
    script, end, told = Faulty(), time.monotonic() + seconds, time.monotonic()
    more = {hurrying.VARIABLE: str(HASTE)}
    clock = stage.server.cluster.parent / "clock"
    async with smtp_servers.running(script) as server:
        async with (
            proxy.running(server.port) as network,
            fleet.sailing(
                stage, network.port, WORKERS, dice, **harness.faked(clock), **more
            ) as workers,
        ):
            posting = asyncio.create_task(post_always(stage, random.Random(seed)))  # noqa: S311
            raging = Storm(stage, server, script, network, workers, dice, clock)
            while time.monotonic() < end:
                await raging.strike()
                if time.monotonic() - told > 30:
                    told = time.monotonic()
                    print(f"{end - told:.0f} s left, {len(server.mails)} mails", flush=True)
            posting.cancel()
        await stage.hear_last_words()
        await stage.rescue(server.port)
        await stage.rescue(server.port)
        found = await stage.history(servers.copies(server))
    print(f"faults: {dict(raging.struck)}, workers that found no database: {workers.gave_up}")
    print(f"states: {dict(Counter(row['state'] for row in found.rows))}")
    print(harness.describe(found), flush=True)
    for each in found.violations()[:20]:
        print(f"    {each}")
    return len(found.violations())


async def run(seconds: float, seed: int) -> int:
    """Build the stage, and take it down again."""
    print(f"seed {seed}, {seconds:.0f} s", flush=True)
    folder = test_database.make_folder()
    try:
        async with harness.open_stage(folder, people=AT_ONCE) as stage:
            return await storm(stage, seconds, seed)
    finally:
        test_database.remove_folder(folder)


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1800)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    given = parser.parse_args()
    return 1 if asyncio.run(run(given.seconds, given.seed)) else 0


if __name__ == "__main__":
    sys.exit(main())
