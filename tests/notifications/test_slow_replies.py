"""While a server takes its time over one letter, nothing else that goes wrong stops the others."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from notifications.postman import Options, Postman
from service.database import Database
from tests.notifications import builders, smtp_servers
from tests.notifications.builders import a_letter
from tests.notifications.smtp_servers import HANG, Server, Session
from tests.notifications.test_postman import a_postman, states

PATIENCE_SECONDS = 300.0
CLAIM, LOOK_BACK, NOTE_OK = "WITH due AS", "FROM mail_attempt ORDER BY id", "last_ok_at) VALUES"


class Stumbling(Database):
    """Fails once for each of these words, at the first statement that has it."""

    def __init__(self, dsn: str) -> None:
        super().__init__(dsn, limits={"statement_timeout": "100s"}, acquire_seconds=100)
        self.stumbles: list[str] = []
        self.is_away = False

    async def fetch(self, sql: str, *args: object) -> list[Any]:
        """Return all rows, unless it stumbles."""
        word = next((word for word in self.stumbles if word in sql), None)
        if word is not None:
            self.stumbles.remove(word)
        if word is not None or (self.is_away and CLAIM in sql):
            raise asyncpg.ConnectionDoesNotExistError
        return await super().fetch(sql, *args)


@asynccontextmanager
async def stumbling(database: Database) -> AsyncIterator[Stumbling]:
    own = Stumbling(database.dsn)
    await own.open()
    try:
        yield own
    finally:
        await own.close()


class Slow:
    """Never answers the end of the first letter; refuses recipients as it is told."""

    def __init__(self) -> None:
        self.held = asyncio.Event()
        self.refused: set[str] = set()

    def __call__(self, line: str, _: Session) -> str | None:
        """Return what to answer instead of the usual."""
        if line == "." and not self.held.is_set():
            self.held.set()
            return HANG
        if line.startswith("RCPT") and any(one in line for one in self.refused):
            return "550 5.7.1 we do not want this"
        return None


@asynccontextmanager
async def waiting(
    database: Database, slow: Slow, server: Server, **options: Any
) -> AsyncIterator[Postman]:
    """Run a postman that has left one of two connections behind."""
    await builders.post(database, a_letter(0))
    options = {"drain_seconds": 0.1, **options}
    postman = a_postman(database, server, connections=2, options=Options(**options))
    running = asyncio.create_task(postman.run())
    await slow.held.wait()
    try:
        yield postman
    finally:
        await postman.stop()
        await running


async def until_sent(database: Database, postman: Postman, count: int) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while (await states(database))["sent"] < count:
            postman.wake()
            await asyncio.sleep(0.05)


@pytest.mark.long
async def test_a_database_that_stumbles_stops_nobody_while_a_server_is_slow(
    database: Database,
) -> None:
    slow = Slow()
    async with (
        smtp_servers.running(slow) as server,
        stumbling(database) as own,
        waiting(own, slow, server) as postman,
    ):
        for number, word in enumerate((CLAIM, NOTE_OK, LOOK_BACK), 1):
            own.stumbles.append(word)
            await builders.post(own, a_letter(2 * number), a_letter(2 * number + 1))
            await until_sent(own, postman, 2 * number)
        while_slow = await states(database)
        own.is_away = True

    assert Counter(sent=6, sending=1) == while_slow
    assert [] == own.stumbles
    assert Counter(sent=6, uncertain=1) == await states(database)


@pytest.mark.long
async def test_a_pause_stops_no_pressing_letter_while_a_server_is_slow(database: Database) -> None:
    slow = Slow()
    async with (
        smtp_servers.running(slow) as server,
        waiting(database, slow, server, pressing_kinds=("sign_in",)) as postman,
    ):
        ids = await builders.post(database, *(a_letter(number) for number in range(1, 9)))
        slow.refused = {f"p{one.hex[:12]}@" for one in ids}
        async with asyncio.timeout(PATIENCE_SECONDS):
            while await _pause(database) is None:
                postman.wake()
                await asyncio.sleep(0.05)
        [pressing] = await builders.post(database, a_letter(9, kind="sign_in", priority=0))
        await until_sent(database, postman, 1)
        found = await _pause(database), (await states(database))["sending"]

    assert ("policy_refused", 1) == found
    assert [_address(pressing)] == [mail.recipient for mail in server.mails[1:]]


async def _pause(database: Database) -> Any:
    return await database.fetchval("SELECT reason FROM relay_state WHERE paused_until > now()")


def _address(letter_id: UUID) -> str:
    return f"p{letter_id.hex[:12]}@example.org"
