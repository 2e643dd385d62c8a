"""The command starts before its database does, or is told to stop before that."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
import httpx
import pytest
import pytest_asyncio

from notifications import hurrying
from service import embedded, migrations
from service.domain.reminders import DEFAULT_RULES
from tests import database as test_database
from tests.end_to_end.programs import READY_SECONDS, Program, running, until, until_ready
from tests.ports import free_port

pytestmark = pytest.mark.xdist_group("faults")


@dataclass(frozen=True)
class Place:
    """A PostgreSQL that was made and stopped again, and where the pages will be."""

    server: embedded.Server
    port: int

    def settings(self, role: str = embedded.ROLE, database: str = embedded.ROLE) -> dict[str, str]:
        """Return an environment that names this server."""
        return {
            "TERMINBUCH_DATABASE_URL": self.server.dsn(role=role, database=database),
            "TERMINBUCH_TOKEN_KEY": "t1:" + "5a" * 32,
            "TERMINBUCH_PORT": str(self.port),
            hurrying.VARIABLE: "10",
        }

    @property
    def base(self) -> str:
        """Return the address of the pages."""
        return f"http://127.0.0.1:{self.port}"

    async def ask(self, path: str) -> httpx.Response:
        """Ask for a page."""
        async with httpx.AsyncClient() as client:
            return await client.get(self.base + path, timeout=60)

    async def begin(self) -> None:
        """Start PostgreSQL."""
        await self.server.run_until_ready(fsync=False)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def _place() -> AsyncIterator[Place]:
    folder = test_database.make_folder()
    try:
        async with embedded.running(folder / "data", fsync=False):
            pass
        yield Place(embedded.Server.under(folder / "data"), free_port())
    finally:
        test_database.remove_folder(folder)


@pytest_asyncio.fixture(loop_scope="session")
async def place(_place: Place) -> Place:
    """Lend the place while its PostgreSQL is away."""
    await asyncio.to_thread(_place.server.stop)
    return _place


@asynccontextmanager
async def waiting(place: Place, role: str) -> AsyncIterator[Program]:
    """Start a role while PostgreSQL is away, and wait until it has said so."""
    async with running(place.settings(), "serve", "--role", role) as program:
        await until(lambda: told(program, "database.away") == 1, "it says that it waits")
        yield program


def told(program: Program, event: str) -> int:
    return sum(f" {event} " in line for line in program.lines)


@pytest.mark.long
async def test_pages_that_start_before_their_database_say_so_and_begin_when_it_is_there(
    place: Place,
) -> None:
    async with waiting(place, "all") as program:
        await until_ready(place.base, program)
        answers = [await place.ask(path) for path in ("/health/live", "/health/ready", "/")]
        knocking = asyncio.create_task(knock(place))
        await place.begin()
        await until(lambda: told(program, "started") == 1, "it begins")
        words = await asyncio.wait_for(knocking, READY_SECONDS)
        page = await place.ask("/health/ready")
        code = await program.stop()

    assert [200, 503, 503] == [answer.status_code for answer in answers]
    assert "does not answer" in answers[1].text
    assert "30" == answers[2].headers["retry-after"]
    assert '"database":{"ok":true' in page.text
    assert {"503", "200"} == words
    assert (0, 1, 1) == (code, told(program, "database.away"), told(program, "database.there"))


async def knock(place: Place) -> set[str]:
    """Come with a new connection again and again until all is well; return what was heard."""
    heard: set[str] = set()
    while "200" not in heard:
        try:
            heard.add(str((await place.ask("/health/ready")).status_code))
        except httpx.TransportError as error:
            heard.add(type(error).__name__)
    return heard


@pytest.mark.parametrize("role", ["worker", pytest.param("web", marks=pytest.mark.long)])
async def test_who_waits_for_a_database_can_be_stopped(place: Place, role: str) -> None:
    async with waiting(place, role) as program:
        await insist(program)
        code = await program.stop()

    assert (0, 1) == (code, told(program, "stopping"))


@pytest.mark.long
async def test_a_waiting_room_whose_port_is_taken_ends_at_once(place: Place) -> None:
    with socket.create_server(("127.0.0.1", place.port)):
        async with running(place.settings(), "serve", "--role", "web") as program:
            code = await asyncio.wait_for(program.process.wait(), READY_SECONDS)

    assert 1 == code
    assert 1 == told(program, "database.away")


async def insist(program: Program) -> None:
    """Ask it to stop again and again until it has ended."""
    while program.process.returncode is None:
        program.tell(signal.SIGTERM)
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("which", "words"),
    [
        ({"database": "gone"}, 'database "gone" does not exist'),
        pytest.param({"role": "nobody"}, 'role "nobody" does not exist', marks=pytest.mark.long),
    ],
)
async def test_a_database_that_refuses_is_told_at_once(
    place: Place, which: dict[str, str], words: str
) -> None:
    await place.begin()
    async with running(place.settings(**which), "serve", "--role", "worker") as program:
        code = await asyncio.wait_for(program.process.wait(), READY_SECONDS)

    assert 1 == code
    assert (1, 0) == (told(program, "database.refused"), told(program, "database.away"))
    assert words in "\n".join(program.lines)
    assert "Traceback" not in "\n".join(program.lines)


# A process that opens everything, and so makes what an empty database lacks.
_CHILD = """
import asyncio, os
from service import app
from service.settings import Settings

async def main():
    async with app.open_services(Settings.read(os.environ)):
        pass

asyncio.run(main())
"""
_WAITING = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
_RULES = """
SELECT count(*), count(DISTINCT (kind, audience, anchor, days_before, minutes_before))
FROM reminder_rule
"""
_FEEDS = "SELECT array_agg(kind) FROM feed"


@pytest.mark.long
async def test_f9_replicas_that_start_together_on_an_empty_database_make_everything_once(
    place: Place,
) -> None:
    await place.begin()
    async with an_empty_database(place) as (name, connection):
        # All of them set out at one moment, as when whoever migrated lets go.
        await connection.execute("SELECT pg_advisory_lock($1)", migrations.LOCK)
        starts = [asyncio.create_task(start_once(place.settings(database=name))) for _ in "abc"]
        while await connection.fetchval(_WAITING) < len(starts):
            assert not any(start.done() for start in starts)
            await asyncio.sleep(0.05)
        await connection.execute("SELECT pg_advisory_unlock($1)", migrations.LOCK)
        codes = await asyncio.gather(*starts)
        rules, feeds = await connection.fetchrow(_RULES), await connection.fetchval(_FEEDS)

    assert [0, 0, 0] == codes
    assert (len(DEFAULT_RULES), len(DEFAULT_RULES)) == tuple(rules)
    assert ["public"] == feeds


async def start_once(settings: dict[str, str]) -> int:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _CHILD), env=os.environ | settings
    )
    return await process.wait()


@asynccontextmanager
async def an_empty_database(place: Place) -> AsyncIterator[tuple[str, asyncpg.Connection]]:
    """Make a database without any table, and yield its name and a connection to it."""
    owner = await asyncpg.connect(place.server.dsn())
    await owner.execute("CREATE DATABASE replicas")
    connection = await asyncpg.connect(place.server.dsn(database="replicas"))
    try:
        yield "replicas", connection
    finally:
        await connection.close()
        await test_database.drop(owner, "replicas")
        await owner.close()
