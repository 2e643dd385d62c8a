"""The disk of the database is full for a while: nothing is lost, and whoever asks is told.

Root may mount a small file system; where nobody may, this is skipped, in the gate too: it is about
PostgreSQL's own files, for which there is no other way to run out of room.
"""

import asyncio
import errno
import shutil
import subprocess
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import asyncpg
import httpx
import pytest

from service import embedded
from service.database import FULL_SECONDS
from service.embedded import Server
from tests import database as test_database
from tests.end_to_end.programs import Program, running, until_ready
from tests.faults import harness
from tests.faults.harness import Stage
from tests.faults.test_databases import ready
from tests.notifications import smtp_servers
from tests.ports import free_port

pytestmark = [pytest.mark.xdist_group("faults"), pytest.mark.long]

COUNT = 300
# So long a reply takes, or all letters would have left before the disk is full.
REPLY_SECONDS = 0.05
SEGMENT_MEGABYTES = 16
PATIENCE_SECONDS = 300.0

_MOVES = (
    "CREATE TABLESPACE small LOCATION '{disk}'",
    f"GRANT CREATE ON TABLESPACE small TO {embedded.ROLE}",
    "ALTER TABLE ALL IN TABLESPACE pg_default SET TABLESPACE small",
    "ALTER INDEX ALL IN TABLESPACE pg_default SET TABLESPACE small",
)
_OPEN_TRANSACTIONS = """
SELECT count(*) FROM pg_stat_activity
WHERE state LIKE 'idle in transaction%' AND now() - state_change > interval '5 seconds'
"""
_ENDED_BY_SERVER = "due to idle-in-transaction timeout"


@dataclass(frozen=True)
class Disk:
    """A small file system, and a file on it that takes all the room there is."""

    path: Path

    def fill(self) -> None:
        """Leave no room at all."""
        with (self.path / "junk").open("ab", buffering=0) as file:
            for size in (1 << 20, 1 << 12):
                try:
                    while True:
                        file.write(b"\0" * size)
                except OSError as error:
                    assert errno.ENOSPC == error.errno  # noqa: PT017 - the loop ends by it

    def make_room(self) -> None:
        """Take the file away."""
        (self.path / "junk").unlink()


@contextmanager
def a_disk(path: Path, megabytes: int) -> Iterator[Disk]:
    path.mkdir()
    mount = shutil.which("mount", path="/usr/bin:/bin:/usr/sbin:/sbin")
    if mount is None or not _runs(mount, "-t", "tmpfs", "-o", f"size={megabytes}m", "none", path):
        pytest.skip("no file system may be mounted here, and PostgreSQL needs a small one")
    try:
        yield Disk(path)
    finally:
        _runs("umount", "-l", path)


def _runs(*command: str | Path) -> bool:
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


@asynccontextmanager
async def a_stage(megabytes: int) -> AsyncIterator[tuple[Stage, Disk]]:
    """Build a stage of its own beside a small disk that belongs to its server."""
    folder = test_database.make_folder()
    try:
        with a_disk(folder / "small", megabytes) as disk:
            async with harness.open_stage(folder, people=COUNT) as stage:
                _hand_over(disk.path, stage.server)
                yield stage, disk
    finally:
        test_database.remove_folder(folder)


def _hand_over(path: Path, server: Server) -> None:
    shutil.chown(path, server.user, server.group)
    path.chmod(0o700)


async def move_tables(stage: Stage, disk: Disk) -> None:
    """Let all rows and indexes lie on the small disk; what PostgreSQL itself needs stays."""
    connection = await asyncpg.connect(stage.server.dsn(role="postgres"))
    try:
        for sql in _MOVES:
            await connection.execute(sql.format(disk=disk.path))
    finally:
        await connection.close()


async def move_log(stage: Stage, disk: Disk) -> None:
    """Let what PostgreSQL writes ahead lie on the small disk, as many installations have it."""
    wal = stage.server.cluster / "pg_wal"
    await asyncio.to_thread(stage.postgres, "stop", "-m", "fast")
    moved = disk.path / "pg_wal"
    shutil.copytree(wal, moved)
    for each in (moved, *moved.rglob("*")):
        shutil.chown(each, stage.server.user, stage.server.group)
    moved.chmod(0o700)
    shutil.rmtree(wal)
    wal.symlink_to(moved)
    await asyncio.to_thread(stage.server.start, fsync=True)
    await stage.until(lambda: _answers(stage), "the database answers")


async def _answers(stage: Stage) -> bool:
    return bool(await stage.database.fetchval("SELECT 1"))


@asynccontextmanager
async def a_program(stage: Stage, smtp_port: int) -> AsyncIterator[tuple[Program, int]]:
    """Run pages and worker together, and wait until they are ready."""
    port = free_port()
    await stage.trust(smtp_port)
    settings = stage.environment(smtp_port) | {"TERMINBUCH_PORT": str(port)}
    async with running(settings, "serve", "--role", "all") as program:
        await until_says(stage, port, 200)
        yield program, port


async def until_says(stage: Stage, port: int, status: int) -> None:
    """Wait until readiness answers so, however busy the machine is."""
    await stage.until(lambda: ready(port, status), f"readiness is {status}", PATIENCE_SECONDS)


async def test_f7_a_disk_without_room_for_rows_costs_no_letter_and_no_process() -> None:
    async with a_stage(64) as (stage, disk), smtp_servers.running() as server:
        await move_tables(stage, disk)
        server.delays["."] = REPLY_SECONDS
        async with a_program(stage, server.port) as (program, port):
            await stage.post(COUNT)
            await stage.in_state("sent", 5, PATIENCE_SECONDS)
            disk.fill()
            await until_says(stage, port, 503)
            sent_meanwhile = len(server.mails)
            # That of a process which stood still ends with it, a forgotten one by the server only.
            await stage.until(lambda: _forgot_none(stage), "no transaction is left open")
            forgotten = _ENDED_BY_SERVER in (stage.server.cluster / "server.log").read_text()
            disk.make_room()
            await until_says(stage, port, 200)
            await stage.settled(PATIENCE_SECONDS)
            found = await stage.check(server)
            still_runs = program.process.returncode is None

    assert (False, True) == (forgotten, still_runs)
    assert sent_meanwhile < COUNT
    assert {"sent": COUNT} == Counter(row["state"] for row in found.rows)
    assert found.duplicates <= sum(row["uncertain_count"] for row in found.rows)


async def _forgot_none(stage: Stage) -> bool:
    return await stage.database.fetchval(_OPEN_TRANSACTIONS) == 0


async def test_f7_a_disk_without_room_to_write_ahead_costs_no_letter() -> None:
    """PostgreSQL itself goes down then; it is started again once there is room."""
    async with a_stage(6 * SEGMENT_MEGABYTES) as (stage, disk), smtp_servers.running() as server:
        await move_log(stage, disk)
        server.delays["."] = REPLY_SECONDS
        async with a_program(stage, server.port) as (program, port):
            await stage.post(COUNT)
            await stage.in_state("sent", 5, PATIENCE_SECONDS)
            disk.fill()
            await _use_up_segments(stage)
            await until_says(stage, port, 503)
            disk.make_room()
            await asyncio.to_thread(stage.server.start, fsync=True)
            await until_says(stage, port, 200)
            await stage.settled(PATIENCE_SECONDS)
            found = await stage.check(server)
            still_runs = program.process.returncode is None

    assert still_runs
    assert {"sent": COUNT} == Counter(row["state"] for row in found.rows)
    assert found.duplicates <= sum(row["uncertain_count"] for row in found.rows)


async def _use_up_segments(stage: Stage) -> None:
    """Begin new segments until there is none: each takes its room before it is written to."""
    with pytest.raises((OSError, asyncpg.PostgresError, asyncpg.InterfaceError)):
        await _write_segments(stage, 20)


async def _write_segments(stage: Stage, count: int) -> None:
    connection = await asyncpg.connect(stage.server.dsn(role="postgres"), command_timeout=60)
    try:
        for _ in range(count):
            await connection.execute("SELECT pg_logical_emit_message(true, 'x', 'y')")
            await connection.execute("SELECT pg_switch_wal()")
    finally:
        connection.terminate()


async def test_f7_pages_alone_hear_of_a_full_disk_by_what_they_write() -> None:
    """No worker runs beside them, and its ticks tell nothing."""
    async with a_stage(64) as (stage, disk):
        await move_tables(stage, disk)
        await stage.database.fetch("ALTER DATABASE terminbuch SET temp_tablespaces = small")
        port = free_port()
        settings = stage.environment(free_port()) | {"TERMINBUCH_PORT": str(port)}
        async with running(settings, "serve", "--role", "web") as program:
            await until_ready(f"http://127.0.0.1:{port}", program)
            disk.fill()
            await stage.until(lambda: _fails_to_sign_in(port), "writing fails")
            told = await storage(port)
            # Longer than what failed is remembered; by then a trial has to tell it.
            await asyncio.sleep(2 * FULL_SECONDS / harness.HASTE + 10)
            still_told = await storage(port)
            disk.make_room()
            await stage.until(lambda: storage(port), "it has room", PATIENCE_SECONDS)

    assert (False, False) == (told, still_told)


async def _fails_to_sign_in(port: int) -> bool:
    base = f"http://127.0.0.1:{port}"
    async with httpx.AsyncClient(base_url=base, headers={"origin": base}, timeout=60) as client:
        answer = await client.post("/anmelden", data={"email": f"{uuid4().hex}@example.org"})
        return answer.status_code == 503


async def storage(port: int) -> bool:
    """Tell what readiness says of the disk."""
    async with httpx.AsyncClient(timeout=60) as client:
        checks = (await client.get(f"http://127.0.0.1:{port}/health/ready")).json()["checks"]
        return bool(checks["storage"]["ok"])
