"""F5, F9, F12 and part of F6: tests play them as often as it was promised, and run as they are."""

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import Callable, Coroutine
from contextlib import suppress
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

from tests.faults.catalogue import PROMISED
from tests.faults.programme.tallies import Run, Tally

ROOT = Path(__file__).parents[3]
END_SECONDS = 30.0


def tests_of(part: str) -> Callable[[Tally], Coroutine[Any, Any, None]]:
    """Return what plays the tests of this part, each test a run."""

    async def play(tally: Tally) -> None:
        titles = {test: test.rpartition("::")[2] for test in PROMISED[part]}
        tally.plan(titles.values())
        for test, title in titles.items():
            async with tally.run(title) as run:
                await _play(run, test)

    return play


async def _play(run: Run, test: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        said = await _execute("-q", "-m", "", f"--junitxml={report}", test)
        if not report.exists():
            run.wrong.append(f"the tests did not start: {said[-3000:]}")
            return
        cases = list(ET.parse(report).iter("testcase"))  # noqa: S314 - pytest wrote it
    run.expect(holds=bool(cases), otherwise=f"there is no such test: {said[-3000:]}")
    for case in cases:
        for kind in ("failure", "error"):
            run.wrong += [(found.get("message") or kind) for found in case.iter(kind)]
        if case.find("skipped") is not None:
            run.notes.append("skipped")
    if len(cases) > 1:
        run.notes.append(f"{len(cases)} cases")


async def _execute(*arguments: str) -> str:
    """Run pytest and return what it said; with whoever waits for it, all it started ends."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pytest", *arguments),
        cwd=ROOT,
        env=os.environ,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        said, _ = await process.communicate()
    finally:
        # Asked to, pytest ends its database, too.
        for what in (signal.SIGINT, signal.SIGKILL):
            await _end(process, what)
    return said.decode(errors="replace")


async def _end(process: asyncio.subprocess.Process, what: signal.Signals) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, what)
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), END_SECONDS)
