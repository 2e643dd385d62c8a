"""Count what kills cost: `python -m tests.faults.kill_points [--runs 5] [--seeds 10] ...`.

First a worker dies at each named point, several times, at a pass that the seed draws. Then three
workers are killed at random moments while 2,000 letters leave. Every run prints a line; the sum
says how many letters were lost, and how many copies were one too many.
"""

import argparse
import asyncio
import random
import signal
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from notifications import crashing
from tests import database as test_database
from tests.faults import fleet, harness, servers
from tests.faults.harness import Stage
from tests.faults.history import History
from tests.faults.servers import Fault, Faulty
from tests.faults.test_kills import a_notice
from tests.notifications import smtp_servers
from tests.notifications.smtp_servers import Server

REPLICAS = 3
# So long each final reply takes, or all letters would have left before the second kill.
REPLY_SECONDS = 0.04
# Between two kills some letters leave: who dies before has nothing in its hands.
LETTERS_BETWEEN_KILLS = 20
# These are passed once a round or once a process, all others once a letter.
RARE = {"in_posting", "before_wake", "before_claim", "after_claim", "after_connect", "in_reap",
    "in_drain", "in_refusal", "after_end"}  # fmt: skip

# What a server says, so that the point is passed at all.
REFUSALS = {"in_retry": "451 4.3.0 later", "in_refusal": "550 5.1.1 unknown"}


@dataclass
class Sum:
    """What all runs together came to."""

    runs: int = 0
    letters: int = 0
    lost: int = 0
    duplicates: int = 0
    unclear: int = 0
    violations: int = 0

    def add(self, title: str, found: History, seconds: float) -> None:
        """Count a run, and print it."""
        self.runs += 1
        self.letters += len(found.rows)
        self.lost += len(found.lost)
        self.duplicates += found.duplicates
        self.unclear += sum(row["uncertain_count"] > 0 for row in found.rows)
        self.violations += len(found.violations())
        print(f"{title:<34} {harness.describe(found)}, {seconds:.1f} s", flush=True)
        for each in found.violations()[:5]:
            print(f"    {each}", flush=True)


Recover = Callable[[Server], Awaitable[object]]


async def kill_at(
    stage: Stage,
    point: str,
    letters: int,
    dice: random.Random,
    recover: Recover | None = None,
) -> History:
    """Let a worker die at the point, and another one do the rest; at first in its own time."""
    await stage.clean()
    passes = 1 if point in RARE else dice.randint(1, letters // 2)
    if point in {"in_posting", "before_wake"}:
        await a_notice(stage, letters)
    else:
        await stage.post(letters)
    fault = REFUSALS.get(point)
    faults = [Fault("RCPT", fault, times=letters)] if fault else []
    async with smtp_servers.running(Faulty(faults)) as server:
        await _die(stage, server, point, passes)
        if point in {"in_posting", "before_wake"}:
            async with stage.worker(server.port):
                await stage.in_state("sent", letters)
        server.script, server.delays = servers.NOTHING, {}
        if recover is not None:
            await recover(server)
        await stage.rescue(server.port)
        return await stage.history(servers.copies(server))


async def _die(stage: Stage, server: Server, point: str, passes: int) -> None:
    async with stage.worker(server.port, crash=f"{point}:{passes}") as program:
        if point == "in_drain":
            server.delays["."] = 0.05
            await stage.in_state("sent", 3)
            program.tell(signal.SIGTERM)
        code = await program.process.wait()
    if code != crashing.EXIT_CODE:
        said = "\n".join(program.lines[-20:])
        raise RuntimeError(
            f"the worker never passed {point}:{passes}, it ended with {code}\n{said}"
        )
    await stage.hear_last_words()


async def kill_at_random(stage: Stage, letters: int, kills: int, seed: int) -> History:
    """Kill one of three workers again and again while the letters leave."""
    await stage.clean()
    dice = random.Random(seed)  # noqa: S311 - a run is to be repeatable
    await stage.post(letters)
    async with smtp_servers.running() as server:
        server.delays["."] = REPLY_SECONDS
        async with fleet.sailing(stage, server.port, REPLICAS, dice) as workers:
            for _ in range(kills):
                # Counted in letters, or on a fast machine none would be left for the last kills.
                more = LETTERS_BETWEEN_KILLS + dice.randint(0, letters // kills // 2)
                await _let_leave(stage, len(server.mails) + more)
                await workers.kill_one()
        server.delays.clear()
        await stage.hear_last_words()
        await stage.rescue(server.port)
        return await stage.history(servers.copies(server))


async def _let_leave(stage: Stage, count: int) -> None:
    """Wait until so many letters are sent, or none waits any more."""

    async def have_left() -> bool:
        states = await stage.states()
        return states.get("sent", 0) >= count or not states.get("queued")

    await stage.until(have_left, f"{count} letters are sent")


async def run(given: argparse.Namespace) -> int:
    """Play all runs; 1 when anything was lost or broken."""
    total, folder = Sum(), test_database.make_folder()
    print(f"seed {given.seed}", flush=True)
    try:
        async with harness.open_stage(folder) as stage:
            for point in given.points:
                for turn in range(given.runs):
                    dice = random.Random(f"{given.seed}:{point}:{turn}")  # noqa: S311 - as above
                    started = time.monotonic()
                    found = await kill_at(stage, point, given.point_letters, dice)
                    total.add(f"{point}, run {turn + 1}", found, time.monotonic() - started)
            for seed in range(given.seed, given.seed + given.seeds):
                started = time.monotonic()
                found = await kill_at_random(stage, given.letters, given.kills, seed)
                total.add(f"random kills, seed {seed}", found, time.monotonic() - started)
    finally:
        test_database.remove_folder(folder)
    print(total, flush=True)
    return 1 if total.lost or total.violations else 0


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default in (
        ("runs", 5),
        ("point-letters", 100),
        ("seeds", 10),
        ("letters", 2000),
        ("kills", 8),
        ("seed", 1),
    ):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--points", nargs="*", default=list(crashing.POINTS))
    return asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    sys.exit(main())
