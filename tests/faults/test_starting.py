"""The command starts before its database does, or is told to stop before that."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import httpx
import pytest
import pytest_asyncio

from notifications import hurrying
from service import embedded
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


async def test_pages_that_start_before_their_database_say_so_and_begin_when_it_is_there(
    place: Place,
) -> None:
    async with waiting(place, "all") as program:
        await until_ready(place.base, program)
        answers = [await place.ask(path) for path in ("/health/live", "/health/ready", "/")]
        await place.begin()
        await until(lambda: told(program, "started") == 1, "it begins")
        await until_ready(place.base, program)
        page = await place.ask("/health/ready")
        code = await program.stop()

    assert [200, 503, 503] == [answer.status_code for answer in answers]
    assert "does not answer" in answers[1].text
    assert "30" == answers[2].headers["retry-after"]
    assert '"database":{"ok":true' in page.text
    assert (0, 1, 1) == (code, told(program, "database.away"), told(program, "database.there"))


@pytest.mark.parametrize("role", ["worker", pytest.param("web", marks=pytest.mark.long)])
async def test_who_waits_for_a_database_can_be_stopped(place: Place, role: str) -> None:
    async with waiting(place, role) as program:
        await insist(program)
        code = await program.stop()

    assert (0, 1) == (code, told(program, "stopping"))


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
