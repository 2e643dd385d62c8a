"""One stage for all faults of a test worker, clean for each test."""

from collections.abc import AsyncIterator

import pytest_asyncio

from tests import database as test_database
from tests.faults import harness
from tests.faults.harness import Stage


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def _stage() -> AsyncIterator[Stage]:
    folder = test_database.make_folder()
    try:
        async with harness.open_stage(folder) as stage:
            yield stage
    finally:
        test_database.remove_folder(folder)


@pytest_asyncio.fixture(loop_scope="session")
async def stage(_stage: Stage) -> AsyncIterator[Stage]:
    """Lend the stage without letters, once nobody of a former test can write any more."""
    if not _stage.workers:
        await _stage.hear_last_words()
    await _stage.clean()
    yield _stage
