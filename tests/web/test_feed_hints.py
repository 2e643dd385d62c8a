"""Edits of the office reach the feeds of other processes at once; answers within a second."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from datetime import UTC, datetime

import asyncpg
import httpx
import pytest
import pytest_asyncio

from service import feed_hints, publishing
from service.database import Database
from service.services import Services
from service.tables import feed_rows
from service.web.feeds import FeedApplication
from tests import shown
from tests.web.conftest import Clock, patient_feeds

PUBLIC = "/ics/alle/termine.ics"
NOW = datetime(2027, 1, 20, 9, 0, tzinfo=UTC)
_END_LISTENERS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE application_name = 'terminbuch listener' AND datname = current_database()
"""


class Counting(Database):
    """A database whose own listening is seen: other applications of the tests listen on it too."""

    began = 0

    async def listen(
        self, channel: str, on_message: Callable[[], None], on_begin: Callable[[], None]
    ) -> None:
        """Count each beginning after it was told."""

        def begin() -> None:
            on_begin()
            self.began += 1

        await super().listen(channel, on_message, begin)


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


@pytest_asyncio.fixture(loop_scope="session")
async def counting(database: Database) -> AsyncIterator[Counting]:
    async with Counting(database.dsn) as opened:
        yield opened


@pytest_asyncio.fixture(loop_scope="session")
async def patient(
    services: Services, counting: Counting, ready: None
) -> AsyncIterator[FeedApplication]:
    """Run the feeds of a process that looks at the rows once an hour only."""
    await shown.make_feeds(services.database)
    application = patient_feeds(replace(services, database=counting), poll_seconds=3600)
    yield application
    await application.cache.close()


async def _fetch(application: FeedApplication) -> bytes:
    transport = httpx.ASGITransport(application)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return (await client.get(PUBLIC)).content


async def _until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(100):
        while not holds():
            await asyncio.sleep(0.02)


async def _edit_elsewhere(database: Database, title: str, *, told: bool) -> None:
    """Change what another process would change: rows, and perhaps the word that they changed."""
    async with database.unit_of_work() as unit:
        await unit.connection.execute(
            "UPDATE meeting SET title = $1, revision = revision + 1", title
        )
        await unit.connection.execute("UPDATE feed SET revision = revision + 1")
        if told:
            await feed_rows.tell(unit.connection)


async def test_an_edit_in_another_process_is_heard_of_at_once(
    database: Database, counting: Counting, patient: FeedApplication
) -> None:
    await shown.a_meeting(database, await shown.a_group(database))
    await _fetch(patient)
    await _until(lambda: counting.began == 1)
    entry = patient.cache.entries[PUBLIC]

    await _edit_elsewhere(database, "Ohne Wort", told=False)
    unheard = await _fetch(patient)
    await _edit_elsewhere(database, "Mit Wort", told=True)
    await _until(lambda: entry.is_stale)
    heard = await _fetch(patient)

    assert b"Ohne Wort" not in unheard
    assert b"SUMMARY:Mit Wort" in heard


async def test_a_listener_that_was_lost_listens_again_and_trusts_no_copy(
    database: Database, counting: Counting, patient: FeedApplication
) -> None:
    await shown.a_meeting(database, await shown.a_group(database))
    await _fetch(patient)
    await _until(lambda: counting.began == 1)
    entry = patient.cache.entries[PUBLIC]

    await database.fetch(_END_LISTENERS)
    await _edit_elsewhere(database, "Verpasst", told=False)
    await _until(lambda: entry.is_stale)
    after = await _fetch(patient)

    assert b"SUMMARY:Verpasst" in after
    assert counting.began == 2


class Breaking(Database):
    """A database that ends its first listener in the driver's odd words."""

    has_broken = False

    async def listen(
        self, channel: str, on_message: Callable[[], None], on_begin: Callable[[], None]
    ) -> None:
        """Break once."""
        if not self.has_broken:
            self.has_broken = True
            raise asyncpg.InternalClientError("got result for unknown protocol state 3")
        await super().listen(channel, on_message, on_begin)


async def test_whatever_a_lost_listener_raises_another_one_begins(database: Database) -> None:
    began = asyncio.Event()
    async with Breaking(database.dsn) as opened:
        listening = asyncio.create_task(feed_hints.listen(opened, began.set, began.set))
        async with asyncio.timeout(100):
            await began.wait()
        listening.cancel()

    assert opened.has_broken


async def test_edits_tell_and_answers_do_not(services: Services, ready: None) -> None:
    database = services.database
    meeting_id = await shown.a_meeting(database, await shown.a_group(database))
    person_id = await shown.a_person(database)
    await shown.make_feeds(database)
    heard: list[str] = []
    connection = await asyncpg.connect(database.dsn)
    await connection.add_listener(feed_rows.CHANNEL, lambda *_: heard.append("edit"))

    async with database.unit_of_work() as unit:
        await publishing.touch_person_feed(unit.connection, person_id, NOW)
    await connection.fetchval("SELECT 1")
    after_answer = list(heard)
    await shown.save(database, meeting_id, NOW, title="Neu")
    await _until(lambda: bool(heard))
    await connection.close()

    assert after_answer == []
    assert heard == ["edit"]
