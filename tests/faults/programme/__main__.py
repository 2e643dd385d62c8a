"""`make faults`: the faults that the promises name, as often as they name them, with figures.

python -m tests.faults.programme [--only F2 F4] [--seed 1] [--runs 1] [--minutes 20] plays the parts
one after the other, prints a line a run, and the sum of each part. Each part and each run has a
bound: what a part did not get to is named. It ends with 1 when anything was wrong or left out.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.benchmarks.__main__ import describe_machine
from tests.faults.programme import clocks, deaths, disks, far, outages, pages, relays, rolling
from tests.faults.programme.borrowed import tests_of
from tests.faults.programme.tallies import Tally


@dataclass(frozen=True)
class Part:
    """What is played, and how long all of it, and one run of it, may take."""

    words: str
    play: Callable[[Tally], Awaitable[None]]
    minutes: float = 60.0
    run_minutes: float = 15.0


PARTS: dict[str, Part] = {
    "F1": Part("a worker dies at each named point, five times", deaths.play_points, 90.0),
    "F2": Part(
        "the pages die in every table of six acts, and at forty bytes of each reply",
        pages.play,
        90.0,
    ),
    "F3": Part("three workers and three pages die at random for a minute", deaths.play_at_random),
    "F4": Part("the database dies, hangs up or is away under full load", outages.play, 150.0, 30.0),
    "F5": Part("twenty commits fail", tests_of("F5")),
    "F6": Part("mail servers refuse, hang, lose, strip and lie", relays.play),
    "F7": Part("disks are full, or may only be read", disks.play),
    "F8": Part("clocks step, and go over changes of the hour", clocks.play),
    "F9": Part("two replicas do the same at the same moment, 200 times each", tests_of("F9")),
    "F10": Part("three replicas are restarted in turns under traffic", rolling.play),
    "F11": Part("the way to the database is slow, loses, or is dead", far.play),
    "F12": Part("one of a hundred letters cannot be written", tests_of("F12")),
}


async def play(names: list[str], seed: int, runs: int | None, minutes: float | None) -> int:
    """Play these parts and print what they came to; 1 when anything was wrong or left out."""
    tallies = []
    print(f"{describe_machine()}; seed {seed}", flush=True)
    for name in names:
        part = PARTS[name]
        print(f"\n{name}: {part.words}", flush=True)
        tally = Tally(name, seed, runs, 60 * part.run_minutes)
        tallies.append(tally)
        await play_part(tally, part, 60 * (minutes or part.minutes))
    print()
    for tally in tallies:
        print(tally.line(), flush=True)
    return 1 if any(tally.wrong or tally.missed for tally in tallies) else 0


async def play_part(tally: Tally, part: Part, seconds: float) -> None:
    """Play one part for so long at most, and print its sum whatever becomes of it."""
    started = time.monotonic()
    try:
        async with asyncio.timeout(seconds) as bound:
            await part.play(tally)
    except Exception as error:  # noqa: BLE001 - it is a finding, and other parts follow
        if not (isinstance(error, TimeoutError) and bound.expired()):
            tally.fail(error)
    finally:
        print(f"{tally.line()}, {time.monotonic() - started:.0f} s", flush=True)


def main() -> int:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--runs", type=int, help="play each fault so often, instead of as promised")
    parser.add_argument("--minutes", type=float, help="how long each part may take, at most")
    parser.add_argument("--only", nargs="*", choices=list(PARTS), default=list(PARTS))
    given = parser.parse_args()
    return asyncio.run(play(given.only, given.seed, given.runs, given.minutes))


if __name__ == "__main__":
    sys.exit(main())
