"""Refused addresses that somebody else works on hold up no other letter."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import asyncpg
import pytest

from service.database import Database
from tests.notifications import builders, smtp_servers
from tests.notifications.builders import a_letter
from tests.notifications.smtp_servers import Script, Session
from tests.notifications.test_postman import a_postman, states

PATIENCE_SECONDS = 300.0
# As in earnest a statement waits for a lock much shorter than for anything else.
LIMITS = {"statement_timeout": "100s", "lock_timeout": "500ms"}


def address_of(letter_id: UUID) -> str:
    return f"p{letter_id.hex[:12]}@example.org"


@asynccontextmanager
async def locked(database: Database, address: str) -> AsyncIterator[None]:
    """Work on an address elsewhere, and do not come to an end."""
    await database.fetch("INSERT INTO address_state (address_normal) VALUES ($1)", address)
    elsewhere = await asyncpg.connect(database.dsn)
    try:
        async with elsewhere.transaction():
            sql = "SELECT FROM address_state WHERE address_normal = $1 FOR UPDATE"
            await elsewhere.fetch(sql, address)
            yield
    finally:
        await elsewhere.close()


@asynccontextmanager
async def hasty(dsn: str) -> AsyncIterator[Database]:
    """Open the same database for somebody who does not wait long for a lock."""
    database = Database(dsn, limits=LIMITS, acquire_seconds=100)
    await database.open()
    try:
        yield database
    finally:
        await database.close()


def refusing(*addresses: str) -> Script:
    def script(line: str, _: Session) -> str | None:
        is_refused = line.startswith("RCPT") and any(one in line for one in addresses)
        return "550 5.1.1 no such user" if is_refused else None

    return script


@pytest.mark.parametrize("refused", [1, 3])
async def test_an_address_that_is_locked_holds_up_no_other_letter(
    database: Database, refused: int
) -> None:
    ids = await builders.post(database, *(a_letter(number) for number in range(24)))
    bad = [address_of(one) for one in ids[:refused]]
    async with (
        smtp_servers.running(refusing(*bad)) as server,
        hasty(database.dsn) as own,
    ):
        postman = a_postman(own, server, connections=2)
        async with locked(database, bad[0]), asyncio.timeout(PATIENCE_SECONDS):
            await postman.deliver()
            while_locked = await states(database)
        await postman.stop()

    assert Counter(sent=24 - refused, sending=refused) == while_locked
    assert Counter(sent=24 - refused, failed=refused) == await states(database)
    noted = await database.fetch("SELECT address_normal, state FROM address_state")
    assert dict.fromkeys(bad, "undeliverable") == {row[0]: row[1] for row in noted}


async def test_a_postman_ends_though_an_end_cannot_be_written(database: Database) -> None:
    (letter_id,) = await builders.post(database, a_letter(1))
    address = address_of(letter_id)
    async with (
        smtp_servers.running(refusing(address)) as server,
        hasty(database.dsn) as own,
        locked(database, address),
        asyncio.timeout(PATIENCE_SECONDS),
    ):
        postman = a_postman(own, server)
        await postman.deliver()
        await postman.stop()
        at_the_end = await states(database)

    assert Counter(sending=1) == at_the_end
