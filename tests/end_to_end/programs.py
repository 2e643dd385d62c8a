"""The installed command as a subprocess."""

import asyncio
import os
import shutil
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

READY_SECONDS = 110
STOP_SECONDS = 110


def command() -> str:
    """Return the installed `terminbuch` of the environment that runs the tests."""
    beside = Path(sys.executable).with_name("terminbuch")
    return str(beside) if beside.exists() else shutil.which("terminbuch") or "terminbuch"


@dataclass
class Program:
    """One running `terminbuch`, and what it wrote."""

    process: asyncio.subprocess.Process
    lines: list[str] = field(default_factory=list)

    def tell(self, what: signal.Signals) -> None:
        """Send it a signal, unless it has ended.

        The process object would look for an end first, and so take the exit code away from
        whoever waits for it.
        """
        if self.process.returncode is None:
            with suppress(ProcessLookupError):
                os.kill(self.process.pid, what)

    async def kill(self) -> None:
        """End it as a power cut would."""
        self.tell(signal.SIGKILL)
        await self.process.wait()

    async def stop(self) -> int:
        """Ask it to stop, and return its exit code."""
        self.tell(signal.SIGTERM)
        return await asyncio.wait_for(self.process.wait(), STOP_SECONDS)


@asynccontextmanager
async def running(
    environment: Mapping[str, str], *arguments: str, folder: Path | None = None
) -> AsyncIterator[Program]:
    """Start the command, collect its log, and end it whatever happens."""
    process = await asyncio.create_subprocess_exec(
        command(),
        *arguments,
        cwd=folder,
        env={**os.environ, "TERMINBUCH_LOG_FORMAT": "text", **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    program = Program(process)
    reading = asyncio.create_task(_read(program))
    try:
        yield program
    finally:
        if process.returncode is None:
            program.tell(signal.SIGKILL)
            await process.wait()
        await reading


async def _read(program: Program) -> None:
    assert program.process.stdout is not None
    async for line in program.process.stdout:
        program.lines.append(line.decode(errors="replace").rstrip())


async def until(holds: Callable[[], bool], what: str, seconds: float = READY_SECONDS) -> None:
    """Wait until something holds; say what did not, if it never does."""
    try:
        async with asyncio.timeout(seconds):
            while not holds():
                await asyncio.sleep(0.05)
    except TimeoutError:
        pytest.fail(f"within {seconds} s this did not happen: {what}")


async def until_ready(base: str, program: Program) -> None:
    """Wait until the pages answer."""

    def answers() -> bool:
        if program.process.returncode is not None:
            pytest.fail("the command ended:\n" + "\n".join(program.lines))
        try:
            with urllib.request.urlopen(f"{base}/health/live", timeout=15) as answer:  # noqa: S310 - our own
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    async with asyncio.timeout(READY_SECONDS):
        while not await asyncio.to_thread(answers):
            await asyncio.sleep(0.1)
