"""F5, F9, F12 and part of F6: tests play them as often as it was promised, and run as they are."""

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from tests.faults.catalogue import PROMISED
from tests.faults.programme.tallies import Tally

ROOT = Path(__file__).parents[3]


def tests_of(part: str) -> Callable[[Tally], Coroutine[Any, Any, None]]:
    """Return what plays the tests of this part, each test a run."""

    async def play(tally: Tally) -> None:
        await asyncio.to_thread(_run, tally, PROMISED[part])

    return play


def _run(tally: Tally, tests: Sequence[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        command = [sys.executable, "-m", "pytest", "-q", "-m", "", f"--junitxml={report}", *tests]
        done = subprocess.run(
            command, cwd=ROOT, env=os.environ, capture_output=True, text=True, check=False
        )
        if not report.exists():
            with tally.run("the tests did not start") as run:
                run.wrong.append(done.stdout[-2000:] + done.stderr[-2000:])
            return
        for case in ET.parse(report).iter("testcase"):  # noqa: S314 - pytest wrote it
            with tally.run(str(case.get("name"))) as run:
                run.notes.append(f"{float(case.get('time') or 0):.1f} s by itself")
                for kind in ("failure", "error"):
                    run.wrong += [(found.get("message") or kind) for found in case.iter(kind)]
                if case.find("skipped") is not None:
                    run.notes.append("skipped")
