"""What the end-to-end tests share: ports, a real SMTP server, the running demo."""

import asyncio
import signal
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from service.database import Database
from service.demo.catcher import MailCatcher
from tests import database as test_database
from tests.end_to_end.programs import STOP_SECONDS, running, until, until_ready
from tests.end_to_end.stage import Demo, announced
from tests.ports import free_port

# Alone it takes ten seconds; other tests may use both cores.
DEMO_SECONDS = 150


@pytest.fixture
def port() -> int:
    """Lend a free port."""
    return free_port()


@pytest_asyncio.fixture(loop_scope="session")
async def catcher() -> AsyncIterator[MailCatcher]:
    """Run a real SMTP server that keeps what it gets."""
    box = MailCatcher()
    await box.start()
    yield box
    await box.stop()


@pytest_asyncio.fixture(loop_scope="session")
async def environment(
    database: Database, database_url: str, port: int, catcher: MailCatcher
) -> AsyncIterator[dict[str, str]]:
    """Yield the settings of a process at this worker's own database."""
    yield {
        "TERMINBUCH_DATABASE_URL": database_url,
        "TERMINBUCH_TOKEN_KEY": "t1:" + "5a" * 32,
        "TERMINBUCH_PORT": str(port),
        "TERMINBUCH_PUBLIC_URL": f"http://localhost:{port}",
        "TERMINBUCH_SMTP_HOST": "127.0.0.1",
        "TERMINBUCH_SMTP_PORT": str(catcher.port),
        "TERMINBUCH_SMTP_MODE": "plain",
        "TERMINBUCH_MAIL_FROM": "termine@example.org",
        "TERMINBUCH_PACE_PER_DOMAIN": "10000",
        "TERMINBUCH_SMTP_CONNECTIONS": "4",
    }
    # Before all of it is deleted: what a process that was killed had said is still carried out.
    await test_database.hear_last_words(database)


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def demo(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Demo]:
    """Run `terminbuch demo` once for all tests that walk through it, and end it by Ctrl-C."""
    folder = tmp_path_factory.mktemp("demo")
    async with running({}, "demo", "--port", str(free_port()), folder=folder) as program:
        process = program.process
        await until(
            lambda: announced(program) is not None or process.returncode is not None,
            "the demo is up",
            DEMO_SECONDS,
        )
        said = announced(program)
        assert said is not None, "\n".join(program.lines)
        base, path = said
        # It says where to click a moment before it listens.
        await until_ready(base, program)
        async with httpx.AsyncClient(base_url=base, timeout=100) as client:
            data_dir = folder / "var" / f"demo-{program.process.pid}"
            yield Demo(program, base, path, data_dir, client)
        program.tell(signal.SIGINT)
        code = await asyncio.wait_for(program.process.wait(), STOP_SECONDS)
    assert 0 == code
    assert [] == list((folder / "var").glob("*"))
