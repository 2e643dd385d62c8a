"""Fixtures for everybody: a real database, clean for each test, and settings."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser

from service.database import Database
from service.settings import Settings
from tests import chromium as test_chromium
from tests import database as test_database

_FOLDER = "TERMINBUCH_TESTS_FOLDER"


def pytest_configure(config: pytest.Config) -> None:
    """Give all workers of this run one folder; only the controller makes and removes it."""
    if not hasattr(config, "workerinput"):
        test_database.remove_leftovers()
        os.environ[_FOLDER] = str(test_database.make_folder())


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave nothing behind."""
    if not hasattr(config, "workerinput") and _FOLDER in os.environ:
        test_database.remove_folder(Path(os.environ.pop(_FOLDER)))


@pytest.fixture(scope="session")
def server_folder() -> Path:
    """Return the folder of this run's PostgreSQL server, shared by all workers."""
    return Path(os.environ[_FOLDER])


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def database_url(server_folder: Path) -> AsyncIterator[str]:
    """Yield the address of this worker's own migrated database."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "alone")
    async with test_database.cloned(server_folder, f"clone_{worker}") as dsn:
        yield dsn


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def _open_database(database_url: str) -> AsyncIterator[tuple[Database, str]]:
    cleaning = await test_database.compose_cleaning(database_url)
    async with Database(database_url, pool_size=8) as database:
        yield database, cleaning


@pytest_asyncio.fixture(loop_scope="session")
async def database(_open_database: tuple[Database, str]) -> AsyncIterator[Database]:
    """Yield this worker's open, migrated database; what the test writes is removed after it."""
    database, cleaning = _open_database
    yield database
    async with database.reading() as connection:
        if cleaning:
            await connection.execute(cleaning)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return settings as the demo has them: nothing leaves this machine."""
    return Settings.read(
        {
            "TERMINBUCH_DATA_DIR": str(tmp_path / "var"),
            "TERMINBUCH_TOKEN_KEY": "t1:" + "5a" * 32,
            "TERMINBUCH_SMTP_HOST": "localhost",
            "TERMINBUCH_SMTP_MODE": "plain",
            "TERMINBUCH_MAIL_FROM": "termine@alliance.example.org",
        }
    )


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """Run one Chromium for all tests of this worker; each page has a profile of its own."""
    async with test_chromium.launched() as browser:
        yield browser
