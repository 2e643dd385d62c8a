"""`terminbuch demo --check` as anybody runs it after the first set-up."""

import asyncio
import os
from pathlib import Path

import pytest

from tests.end_to_end.programs import running, until
from tests.ports import free_port

# Alone on two cores it takes far less than a minute; other tests may use both.
CHECK_SECONDS = 900


@pytest.mark.long
@pytest.mark.xdist_group("demo")
@pytest.mark.timeout(CHECK_SECONDS + 30)
async def test_the_check_plays_the_whole_chain_and_leaves_nothing_behind(tmp_path: Path) -> None:
    started = ("demo", "--check", "--port", str(free_port()))
    async with running({}, *started, folder=tmp_path) as program:
        code = await asyncio.wait_for(program.process.wait(), CHECK_SECONDS)

    assert 0 == code, "\n".join(program.lines)
    # The database has ended when it says so, and its process a moment later.
    await until(lambda: not _at_work(tmp_path), "no process works there any more")
    assert [] == _left_behind(tmp_path)


def _left_behind(folder: Path) -> list[Path]:
    return list(folder.rglob("*"))


def _at_work(folder: Path) -> list[str]:
    """Return the processes that work in a folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            where = str((process / "cwd").readlink())
            called = (process / "cmdline").read_bytes()
        except OSError:
            continue
        if where.startswith(str(folder)) or os.fsencode(folder) in called:
            found.append(called.replace(b"\0", b" ").decode())
    return found
