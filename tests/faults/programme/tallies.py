"""What the runs of one part of the programme came to, and how each of them is told."""

import asyncio
import time
import traceback
from collections import Counter
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from tests.faults.history import History

STUCK = "I8"
RUN_SECONDS = 900.0
WAY = 6


@dataclass
class Run:
    """One run: what was found, and how long it took until all went well again."""

    title: str
    wrong: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    recoveries: list[float] = field(default_factory=list)
    letters: int = 0
    lost: int = 0
    duplicates: int = 0
    unclear: int = 0
    stuck: int = 0

    def judge(self, found: History) -> None:
        """Add what a history says."""
        self.letters += len(found.rows)
        self.lost += len(found.lost)
        self.duplicates += found.duplicates
        self.unclear += sum(row["uncertain_count"] > 0 for row in found.rows)
        self.wrong += found.violations()
        self.stuck += sum(each.startswith(STUCK) for each in found.violations())

    def expect(self, *, holds: bool, otherwise: str) -> None:
        """Note what does not hold."""
        if not holds:
            self.wrong.append(otherwise)


@dataclass
class Tally:
    """All runs of one part, printed as they end, and those that it did not get to."""

    part: str
    seed: int = 1
    limit: int | None = None
    run_seconds: float = RUN_SECONDS
    planned: list[str] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)

    def turns(self, promised: int) -> range:
        """Return how often each fault is played: as promised, or as the command line says."""
        return range(promised if self.limit is None else self.limit)

    def plan(self, titles: Iterable[str]) -> None:
        """Say which runs are to come."""
        self.planned += titles

    @asynccontextmanager
    async def run(self, title: str) -> AsyncIterator[Run]:
        """Play one run in the block: whatever it raises is a finding, and the next run begins.

        One that takes longer than `run_seconds` is cut off, which is a finding, too.
        """
        run, started = Run(title), time.monotonic()
        try:
            async with asyncio.timeout(self.run_seconds):
                yield run
        except pytest.skip.Exception as reason:
            run.notes.append(f"skipped: {reason}")
        except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001 - it is a finding
            run.wrong.append(_describe(error))
        self.add(run, time.monotonic() - started)

    def fail(self, error: BaseException) -> None:
        """Note what went wrong between the runs: there was no stage for those that are left."""
        self.add(Run("between the runs", [_describe(error)]), 0.0)

    def add(self, run: Run, seconds: float) -> None:
        """Count a run, and print it."""
        self.runs.append(run)
        words = [_figures([run]), *run.notes, f"{seconds:.1f} s"]
        print(
            f"{self.part} {run.title:<44} {', '.join(word for word in words if word)}", flush=True
        )
        for each in run.wrong[:5]:
            print(f"    {each}", flush=True)

    @property
    def wrong(self) -> int:
        """Return how much was found wrong."""
        return sum(len(run.wrong) for run in self.runs)

    @property
    def missed(self) -> list[str]:
        """Return which planned runs have not ended."""
        left = Counter(self.planned) - Counter(run.title for run in self.runs)
        return list(left.elements())

    def line(self) -> str:
        """Return the sum for people."""
        words = [f"{len(self.runs)} runs", _figures(self.runs)]
        if self.missed:
            words.append(f"did not get to {len(self.missed)}: {'; '.join(self.missed)}")
        return f"{self.part}: {', '.join(word for word in words if word)}"


def _describe(error: BaseException) -> str:
    """Say what was raised, and by which way it came: the last step alone is often the engine's."""
    places = traceback.extract_tb(error.__traceback__)[-WAY:]
    way = " > ".join(f"{place.name}: {place.line}" for place in places)
    return f"{type(error).__name__}: {error}; {way}"[:3000]


def _figures(runs: Sequence[Run]) -> str:
    letters = sum(run.letters for run in runs)
    recoveries = sorted(seconds for run in runs for seconds in run.recoveries)
    words = []
    if letters:
        words += [
            f"{letters} letters",
            f"lost {sum(run.lost for run in runs)}",
            f"duplicates {sum(run.duplicates for run in runs)}",
            f"unclear {sum(run.unclear for run in runs)}",
            f"stuck {sum(run.stuck for run in runs)}",
        ]
    if recoveries:
        middle = recoveries[len(recoveries) // 2]
        words.append(f"well again after {middle:.1f} s, at most {recoveries[-1]:.1f} s")
    return ", ".join([*words, f"wrong {sum(len(run.wrong) for run in runs)}"])
