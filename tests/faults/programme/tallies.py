"""What the runs of one part of the programme came to, and how each of them is told."""

import time
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest

from tests.faults.history import History

STUCK = "I8"


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
    """All runs of one part, printed as they end."""

    part: str
    seed: int = 1
    limit: int | None = None
    runs: list[Run] = field(default_factory=list)

    def turns(self, promised: int) -> range:
        """Return how often each fault is played: as promised, or as the command line says."""
        return range(promised if self.limit is None else self.limit)

    @contextmanager
    def run(self, title: str) -> Iterator[Run]:
        """Play one run in the block: whatever it raises is a finding, and the next run begins."""
        run, started = Run(title), time.monotonic()
        try:
            yield run
        except pytest.skip.Exception as reason:
            run.notes.append(f"skipped: {reason}")
        except (Exception, pytest.fail.Exception) as error:  # noqa: BLE001 - it is a finding
            place = traceback.extract_tb(error.__traceback__)[-1]
            run.wrong.append(f"{type(error).__name__} in {place.name}: {place.line} {error}"[:3000])
        self.runs.append(run)
        words = [_figures([run]), *run.notes, f"{time.monotonic() - started:.1f} s"]
        print(f"{self.part} {title:<44} {', '.join(word for word in words if word)}", flush=True)
        for each in run.wrong[:5]:
            print(f"    {each}", flush=True)

    @property
    def wrong(self) -> int:
        """Return how much was found wrong."""
        return sum(len(run.wrong) for run in self.runs)

    def line(self) -> str:
        """Return the sum for people."""
        figures = _figures(self.runs)
        return f"{self.part}: {len(self.runs)} runs{', ' + figures if figures else ''}"


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
