"""Fixtures for everybody: a real database, clean for each test, and settings."""

import os
import re
from collections.abc import AsyncIterator
from functools import cache
from pathlib import Path
from typing import Any

import hypothesis
import pytest
import pytest_asyncio
from playwright.async_api import Browser
from xdist.scheduler import LoadGroupScheduling

from service import furnishing
from service.database import Database
from service.settings import Settings
from tests import chromium as test_chromium
from tests import database as test_database

_FOLDER = "TERMINBUCH_TESTS_FOLDER"

# How long one example takes says something about the machine, and nothing about the code. The same
# examples come each time: what another draw would find is no fault of the change at hand. Whoever
# goes looking for it takes `pytest --hypothesis-profile=by_chance`.
hypothesis.settings.register_profile(
    "by_chance", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.register_profile(
    "any_machine", hypothesis.settings.get_profile("by_chance"), derandomize=True
)
hypothesis.settings.load_profile("any_machine")


def pytest_configure(config: pytest.Config) -> None:
    """Give all workers of this run one folder; only the controller makes and removes it."""
    if not hasattr(config, "workerinput"):
        test_database.remove_leftovers()
        os.environ[_FOLDER] = str(test_database.make_folder())


def pytest_unconfigure(config: pytest.Config) -> None:
    """Leave nothing behind."""
    if not hasattr(config, "workerinput") and _FOLDER in os.environ:
        test_database.remove_folder(Path(os.environ.pop(_FOLDER)))


class _ByGroup(LoadGroupScheduling):
    """Keep the tests of a group on one worker.

    From pytest 9.2 on pytest-xdist 3.8 cannot pass the mark on in a test's name any more, so the
    group is read from the file: all groups here are those of whole files.
    """

    def _split_scope(self, nodeid: str) -> str:
        return _group_of(nodeid.partition("::")[0]) or nodeid


@cache
def _group_of(path: str) -> str | None:
    text = (Path(__file__).parents[1] / path).read_text("utf-8")
    found = re.search(r"xdist_group\(\"(\w+)\"\)", text)
    return None if found is None else found[1]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> _ByGroup | None:
    """Schedule by group where the command line asks for it."""
    return _ByGroup(config, log) if config.getvalue("dist") == "loadgroup" else None


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
    async with test_database.patient(database_url, pool_size=8) as database:
        yield database, cleaning


@pytest_asyncio.fixture(loop_scope="session")
async def database(_open_database: tuple[Database, str]) -> AsyncIterator[Database]:
    """Yield this worker's open, migrated database; what the test writes is removed after it."""
    database, cleaning = _open_database
    yield database
    async with database.reading() as connection:
        if cleaning:
            await connection.execute(cleaning)
    # The next test may have no office, and what is known of one is kept for seconds.
    furnishing.forget(database)


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


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with the tests of the whole program, so that no worker is left alone with them."""
    items.sort(key=lambda item: "end_to_end" not in item.nodeid)
