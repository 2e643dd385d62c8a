"""What feeds run beside the requests ends when they are closed, and begins again when asked."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import pytest_asyncio

from service.database import Database
from service.services import Services
from service.web.feeds import FeedApplication
from tests import shown
from tests.web.conftest import Clock, open_program, patient_feeds

PUBLIC = "/ics/alle/termine.ics"


class Held(Database):
    """A database that says who listens and who asks, and answers when it may."""

    listeners = 0
    asking = 0

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn, acquire_seconds=100)
        self.was_asked = asyncio.Event()
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def listen(
        self, channel: str, on_message: Callable[[], None], on_begin: Callable[[], None]
    ) -> None:
        """Count whoever has begun and not ended."""
        self.listeners += 1
        try:
            await super().listen(channel, on_message, on_begin)
        finally:
            self.listeners -= 1

    async def _run(self, kind: str, sql: str, args: Sequence[object]) -> Any:
        self.was_asked.set()
        self.asking += 1
        try:
            await self.may_answer.wait()
            return await super()._run(kind, sql, args)
        finally:
            self.asking -= 1


@pytest.fixture
def clock() -> Clock:
    return Clock(datetime(2027, 1, 20, 9, 0, tzinfo=UTC))


@pytest_asyncio.fixture(loop_scope="session")
async def held(database: Database, ready: None) -> AsyncIterator[Held]:
    await shown.make_feeds(database)
    async with Held(database.dsn) as opened:
        yield opened


@pytest.fixture
def feeds(services: Services, held: Held) -> FeedApplication:
    """Look at the rows when somebody asks, and not by themselves."""
    return patient_feeds(replace(services, database=held), poll_seconds=3600)


async def test_a_copy_that_is_being_made_is_made_before_the_end_and_nobody_listens_after_it(
    held: Held, feeds: FeedApplication
) -> None:
    async with open_program(feeds) as program:
        held.may_answer.clear()
        held.was_asked.clear()
        asking = asyncio.create_task(program.get(PUBLIC))
        await held.was_asked.wait()
        closing = asyncio.create_task(feeds.cache.close())
        await asyncio.sleep(0)
        held.may_answer.set()
        await closing
        left = (held.asking, held.listeners)
        answer = await asking

    assert (0, 0) == left
    assert 200 == answer.status_code


async def test_feeds_closed_at_their_first_step_begin_again(
    database: Database, feeds: FeedApplication
) -> None:
    async with open_program(feeds):
        await feeds.cache.find(PUBLIC)
        await feeds.cache.close()
        asking = asyncio.create_task(feeds.cache.find(PUBLIC))
        await asyncio.sleep(0)
        await feeds.cache.close()
        await asking
        was_watching = feeds.cache.is_watching
        await shown.a_meeting(database, await shown.a_group(database), title="Klima")
        await database.fetch("UPDATE feed SET revision = revision + 1")
        entry = await feeds.cache.find(PUBLIC)
        is_watching = feeds.cache.is_watching

    assert entry is not None
    assert b"SUMMARY:Klima\r\n" in entry.copy.body
    assert (False, True) == (was_watching, is_watching)
