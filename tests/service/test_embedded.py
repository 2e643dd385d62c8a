"""The embedded PostgreSQL, started for real in folders of its own."""

import asyncio
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from service import embedded

pytestmark = pytest.mark.xdist_group("embedded")

# A process that uses the server, writes a row and then waits for its end.
CLIENT = """
import asyncio, sys
from pathlib import Path
import asyncpg
from service import embedded

async def main():
    async with embedded.running(Path(sys.argv[1])) as dsn:
        connection = await asyncpg.connect(dsn)
        await connection.execute("CREATE TABLE IF NOT EXISTS kept (x int)")
        await connection.execute("INSERT INTO kept VALUES (1)")
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.read)
        await connection.close()

asyncio.run(main())
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    """Yield a folder that the server's system user reaches; its server is stopped afterwards."""
    base = Path(tempfile.mkdtemp(prefix="terminbuch-embedded-"))
    base.chmod(0o755)
    yield base / "var"
    if (base / "var" / "postgres").exists():
        embedded.Server.under(base / "var").stop()
    shutil.rmtree(base)


@pytest.fixture(scope="module")
def finished_cluster() -> Iterator[Path]:
    """Yield the data of a server that was started and stopped once."""
    base = Path(tempfile.mkdtemp(prefix="terminbuch-embedded-"))
    base.chmod(0o755)
    _end(_start_client(base / "var"))
    yield base / "var"
    shutil.rmtree(base)


@pytest.fixture
def used_folder(folder: Path, finished_cluster: Path) -> Path:
    """Return a folder with data in it, which starts faster than an empty one."""
    subprocess.run(["cp", "-a", finished_cluster, folder], check=True)
    return folder


def _start_client(folder: Path) -> subprocess.Popen[str]:
    client = subprocess.Popen(
        [sys.executable, "-c", CLIENT, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert client.stdout is not None
    assert client.stdout.readline() == "ready\n"
    return client


def _end(client: subprocess.Popen[str]) -> None:
    client.communicate(timeout=100)
    assert client.returncode == 0


def _kill(client: subprocess.Popen[str]) -> None:
    client.kill()
    client.communicate(timeout=100)


def _owner(pid: int | None) -> int:
    return Path(f"/proc/{pid}").stat().st_uid


def _postmaster(folder: Path) -> int | None:
    return embedded.Server.under(folder)._postmaster()


async def _ask(dsn: str, sql: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def test_it_starts_as_version_18_with_our_own_role_and_stops_at_the_end(
    folder: Path,
) -> None:
    async with embedded.running(folder) as dsn:
        version = await _ask(dsn, "SELECT current_setting('server_version_num')::int / 10000")
        superuser = await _ask(dsn, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
        order = await _ask(dsn, "SELECT datcollate FROM pg_database WHERE datname = 'terminbuch'")
        synced = await _ask(dsn, "SHOW fsync")

    assert (version, superuser, order, synced) == (18, False, "C.UTF-8", "on")
    assert _postmaster(folder) is None


async def test_only_its_user_reaches_the_folder_and_the_socket(used_folder: Path) -> None:
    async with embedded.running(used_folder, fsync=False):
        cluster = used_folder / "postgres"
        modes = [
            stat.S_IMODE(path.stat().st_mode)
            for path in (used_folder, cluster, cluster / ".s.PGSQL.5432")
        ]
        listening = (cluster / "postmaster.pid").read_text().splitlines()[5]

    assert modes == [0o700, 0o700, 0o700]
    assert listening == ""


async def test_it_never_runs_as_root(used_folder: Path) -> None:
    async with embedded.running(used_folder, fsync=False):
        owner = _owner(_postmaster(used_folder))

    assert owner != 0


async def test_several_processes_share_it_and_the_last_one_stops_it(used_folder: Path) -> None:
    first = await asyncio.to_thread(_start_client, used_folder)
    second = await asyncio.to_thread(_start_client, used_folder)

    await asyncio.to_thread(_end, first)
    assert _postmaster(used_folder) is not None
    await asyncio.to_thread(_end, second)

    assert _postmaster(used_folder) is None


@pytest.mark.long
async def test_two_users_in_one_process_count_as_two(used_folder: Path) -> None:
    async with embedded.running(used_folder, fsync=False) as dsn:
        async with embedded.running(used_folder, fsync=False) as same:
            assert same == dsn

        assert await _ask(dsn, "SELECT 1") == 1


@pytest.mark.long
async def test_four_starts_at_the_same_time_make_one_server(folder: Path) -> None:
    async def use() -> object:
        async with embedded.running(folder, fsync=False) as dsn:
            return await _ask(dsn, "SELECT 1")

    assert await asyncio.gather(*(use() for _ in range(4))) == [1, 1, 1, 1]


async def test_a_killed_client_does_not_keep_it_running_for_ever(used_folder: Path) -> None:
    client = await asyncio.to_thread(_start_client, used_folder)
    await asyncio.to_thread(_kill, client)
    assert _postmaster(used_folder) is not None

    async with embedded.running(used_folder) as dsn:
        assert await _ask(dsn, "SELECT count(*) FROM kept") == 2

    assert _postmaster(used_folder) is None


async def test_a_killed_client_and_a_killed_server_lose_nothing_that_was_committed(
    used_folder: Path,
) -> None:
    client = await asyncio.to_thread(_start_client, used_folder)
    pid = _postmaster(used_folder)
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    await asyncio.to_thread(_kill, client)

    async with embedded.running(used_folder) as dsn:
        assert await _ask(dsn, "SELECT count(*) FROM kept") == 2


async def test_a_server_that_dies_while_it_is_asked_is_started_again(used_folder: Path) -> None:
    client = await asyncio.to_thread(_start_client, used_folder)
    pid = _postmaster(used_folder)
    assert pid is not None
    # Halted it is there at the first look, and takes a connection that nobody will serve.
    os.kill(pid, signal.SIGSTOP)
    await asyncio.to_thread(_kill, client)
    asyncio.get_running_loop().call_later(0.5, os.kill, pid, signal.SIGKILL)

    async with embedded.running(used_folder) as dsn:
        assert await _ask(dsn, "SELECT count(*) FROM kept") == 2


async def test_a_left_over_pid_file_with_a_number_of_somebody_else_is_ignored(
    used_folder: Path,
) -> None:
    async with embedded.running(used_folder, fsync=False):
        text = (used_folder / "postgres" / "postmaster.pid").read_text()
    other = text.replace(text.split("\n", 1)[0], str(os.getpid()), 1)
    (used_folder / "postgres" / "postmaster.pid").write_text(other)

    async with embedded.running(used_folder, fsync=False) as dsn:
        assert await _ask(dsn, "SELECT 1") == 1


async def test_data_of_another_version_are_refused_with_the_way_out(used_folder: Path) -> None:
    async with embedded.running(used_folder, fsync=False):
        pass
    (used_folder / "postgres" / "PG_VERSION").write_text("16\n")

    with pytest.raises(embedded.EmbeddedServerError) as caught:
        async with embedded.running(used_folder):
            pass

    assert "terminbuch backup" in str(caught.value)
    assert "PostgreSQL 16" in str(caught.value)


@pytest.mark.long
async def test_a_start_that_was_killed_half_way_is_begun_anew(folder: Path) -> None:
    (folder / "postgres.unfinished").mkdir(parents=True)
    (folder / "postgres.unfinished" / "PG_VERSION").write_text("18\n")

    async with embedded.running(folder, fsync=False) as dsn:
        assert await _ask(dsn, "SELECT 1") == 1

    assert not (folder / "postgres.unfinished").exists()


@pytest.mark.long
async def test_a_path_too_long_for_a_socket_gets_a_private_folder(folder: Path) -> None:
    deep = folder.parent / ("long name's " * 8).strip()
    async with embedded.running(deep, fsync=False) as dsn:
        assert await _ask(dsn, "SELECT 1") == 1
        socket_folder = embedded.Server.under(deep)._socket_folder()

        assert stat.S_IMODE(socket_folder.stat().st_mode) == 0o700
    shutil.rmtree(socket_folder)


@pytest.mark.long
async def test_settings_of_a_foreign_environment_do_not_reach_it(used_folder: Path) -> None:
    used_folder.parent.mkdir(exist_ok=True)
    client = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-c", CLIENT, str(used_folder)],
        input="",
        capture_output=True,
        text=True,
        env={
            **os.environ,
            "PGPORT": "1",
            "PGHOST": "nowhere.example",
            "PGDATA": "/nowhere",
            "LC_ALL": "xx_XX",
            "PGSERVER_POSTGRES_VERSION": "16",
        },
        check=False,
    )

    assert (client.returncode, client.stdout) == (0, "ready\n"), client.stderr


async def test_a_cancelled_start_leaves_no_server(folder: Path) -> None:
    async def use() -> None:
        async with embedded.running(folder, fsync=False):
            await asyncio.sleep(60)

    task = asyncio.create_task(use())
    await asyncio.sleep(0.3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert _postmaster(folder) is None


@pytest.mark.parametrize("name", ["pg_dump", "pg_restore", "pgbench", "psql"])
def test_the_tools_of_the_wheel_run(name: str) -> None:
    shown = subprocess.run(
        [embedded.tool(name), "--version"], capture_output=True, text=True, check=True
    )

    assert "(PostgreSQL) 18" in shown.stdout


def test_an_unknown_tool_is_refused() -> None:
    with pytest.raises(embedded.EmbeddedServerError, match="no program pg_nothing"):
        embedded.tool("pg_nothing")


class Dying(embedded.Server):
    """A server that dies while it is asked for the first time."""

    async def _ask(self, sql: str, *args: object) -> object:
        dies = self.data_dir / "dies"
        if dies.exists():
            dies.unlink()
            raise asyncpg.InternalClientError("got result for unknown protocol state 3")
        return await super()._ask(sql, *args)


async def test_a_server_that_dies_in_odd_words_is_asked_again(used_folder: Path) -> None:
    server = Dying.under(used_folder)
    (used_folder / "dies").touch()

    await server.run_until_ready(fsync=False)

    assert server.is_running
    assert not (used_folder / "dies").exists()
