"""`make faults`: the faults that the promises name, as often as they name them, with figures.

python -m tests.faults.programme [--only F2 F4] [--seed 1] [--runs 1] plays the parts one after the
other, prints a line a run, and the sum of each part. It ends with 1 when anything was wrong.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Awaitable, Callable

from tests.benchmarks.__main__ import describe_machine
from tests.faults.programme import clocks, deaths, disks, far, outages, pages, relays, rolling
from tests.faults.programme.borrowed import tests_of
from tests.faults.programme.tallies import Tally

Play = Callable[[Tally], Awaitable[None]]

PARTS: dict[str, tuple[str, Play]] = {
    "F1": ("a worker dies at each named point, five times", deaths.play_points),
    "F2": (
        "the pages die in every table of six acts, and at forty bytes of each reply",
        pages.play,
    ),
    "F3": ("three workers and three pages die at random for a minute", deaths.play_at_random),
    "F4": ("the database dies, hangs up or is away under full load", outages.play),
    "F5": ("twenty commits fail", tests_of("F5")),
    "F6": ("mail servers refuse, hang, lose, strip and lie", relays.play),
    "F7": ("disks are full, or may only be read", disks.play),
    "F8": ("clocks step, and go over changes of the hour", clocks.play),
    "F9": ("two replicas do the same at the same moment, 200 times each", tests_of("F9")),
    "F10": ("three replicas are restarted in turns under traffic", rolling.play),
    "F11": ("the way to the database is slow, loses, or is dead", far.play),
    "F12": ("one of a hundred letters cannot be written", tests_of("F12")),
}


async def play(names: list[str], seed: int, runs: int | None) -> int:
    """Play these parts and print what they came to; 1 when anything was wrong."""
    tallies = []
    print(f"{describe_machine()}; seed {seed}", flush=True)
    for name in names:
        words, part = PARTS[name]
        print(f"\n{name}: {words}", flush=True)
        tally, started = Tally(name, seed, runs), time.monotonic()
        await part(tally)
        print(f"{tally.line()}, {time.monotonic() - started:.0f} s", flush=True)
        tallies.append(tally)
    print()
    for tally in tallies:
        print(tally.line(), flush=True)
    return 1 if any(tally.wrong for tally in tallies) else 0


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--runs", type=int, help="play each fault so often, instead of as promised")
    parser.add_argument("--only", nargs="*", choices=list(PARTS), default=list(PARTS))
    given = parser.parse_args()
    return asyncio.run(play(given.only, given.seed, given.runs))


if __name__ == "__main__":
    sys.exit(main())
