"""The product on the oldest PostgreSQL that the README promises."""

import asyncio
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.database import Database
from tests import database as test_database
from tests import older_server
from tests.end_to_end.programs import command, running, until_ready
from tests.ports import free_port

# Alone on two cores it takes some minutes.
SECONDS = 3600
# What speaks to the database: rules, tables, use cases and the letters' queue. Pages say nothing to
# it but by use cases; every one of them is opened and every form sent, by each role.
CORE = ("tests/tables", "tests/notifications", "tests/service", "tests/web/test_matrix.py")
PROGRAMS = older_server.programs()

pytestmark = [
    pytest.mark.long,
    pytest.mark.xdist_group("older_postgresql"),
    pytest.mark.timeout(SECONDS + 60),
    # Not every distribution has that version any more.
    pytest.mark.skipif(
        PROGRAMS is None,
        reason=f"PostgreSQL {older_server.VERSION} is not installed: nothing was tried on it",
    ),
]


@pytest.fixture(scope="module")
def older_url() -> Iterator[str]:
    """Yield the address of an empty database of the older server."""
    assert PROGRAMS is not None, f"PostgreSQL {older_server.VERSION} is not installed"
    with older_server.running(PROGRAMS) as dsn:
        yield dsn


async def _run(environment: dict[str, str], *arguments: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        *arguments,
        cwd=Path(__file__).parents[2],
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), SECONDS)
    return process.returncode, output.decode(errors="replace")


async def test_the_installed_command_migrates_and_serves_an_external_postgresql_15(
    older_url: str, tmp_path: Path
) -> None:
    port = free_port()
    settings = {
        "TERMINBUCH_DATABASE_URL": older_url,
        "TERMINBUCH_DATA_DIR": str(tmp_path / "var"),
        "TERMINBUCH_TOKEN_KEY": "t1:" + "5a" * 32,
        "TERMINBUCH_PORT": str(port),
        "TERMINBUCH_PUBLIC_URL": f"http://localhost:{port}",
    }
    migrated, said = await _run(os.environ | settings, command(), "migrate")
    again, nothing = await _run(os.environ | settings, command(), "migrate")
    async with Database(older_url, pool_size=2) as database:
        version = await database.fetchval("SHOW server_version_num")
    async with running(settings, "serve") as program:
        await until_ready(f"http://localhost:{port}", program)
        code = await program.stop()

    assert (0, 0, 0) == (migrated, again, code), said + nothing
    assert "migrated: " in said
    assert "migrated: " not in nothing
    assert version.startswith(str(older_server.VERSION))


async def test_tables_use_cases_letters_and_pages_hold_on_postgresql_15(older_url: str) -> None:
    # What the outer run tells its workers is not meant for this one.
    outer = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    environment = outer | {test_database.SERVER: older_url}
    wanted = ("-m", "pytest", "-q", "-p", "no:cacheprovider", "-m", "not long and not browser")
    deselected = ("--ignore=tests/service/test_embedded.py", "--ignore=tests/service/test_house.py")

    # Without a folder of its own it would close the one of all runs to the servers of the others,
    # which are another system user's. A short one: the paths of sockets are limited.
    with tempfile.TemporaryDirectory(prefix="tb-") as folder:
        place = f"--basetemp={folder}/t"
        code, said = await _run(environment, sys.executable, *wanted, place, *deselected, *CORE)

    assert 0 == code, said[-6000:]
