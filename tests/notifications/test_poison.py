"""Mail that fails by what is in it: it is kept for the office, and the next one is read."""

from dataclasses import replace
from datetime import UTC, datetime

import asyncpg
import pytest

from notifications import bounces, intake, storage, vouching
from notifications.intake import Heard
from notifications.storage import Connection
from service.database import Database
from tests.notifications.returned import OPTIONS, PLAIN, a_sent_letter, address, events, sample

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
WORDS = b"From: Eve <eve@evil.example>\r\nSubject: Frage\r\n\r\nWann?\r\n"


async def of_type(connection: Connection) -> None:
    await connection.execute("SELECT $1::text", "\x00")


async def of_driver(connection: Connection) -> None:
    await connection.execute("SELECT $1::int", 2**40)


async def of_rule(connection: Connection) -> None:
    await connection.execute("UPDATE mail_event SET kind = NULL")


async def of_us(_: Connection) -> None:
    raise RecursionError


async def away(_: Connection) -> None:
    raise asyncpg.ConnectionDoesNotExistError


async def busy(_: Connection) -> None:
    raise asyncpg.DeadlockDetectedError


async def cut(_: Connection) -> None:
    raise asyncpg.InternalClientError


@pytest.mark.parametrize("fail", [of_type, of_driver, of_rule, of_us])
async def test_words_that_cannot_be_heard_are_kept_as_what_nobody_understands(
    database: Database, fail: object
) -> None:
    async def hear(connection: Connection, _: Heard) -> None:
        await connection.execute("UPDATE mail_event SET details = '{}'")
        await fail(connection)  # type: ignore[operator]

    taken = await intake.take(database, replace(OPTIONS, hear=hear), WORDS, PLAIN, NOW)
    again = await intake.take(database, replace(OPTIONS, hear=hear), WORDS, PLAIN, NOW)

    [event] = await events(database)
    assert (bounces.Kind.UNKNOWN, True, False) == (taken.kind, taken.is_new, again.is_new)
    assert ("unknown", "Wann?") == (event["kind"], event["details"]["words"])


@pytest.mark.parametrize("fail", [away, busy, cut])
async def test_words_that_the_database_cannot_take_come_again(
    database: Database, fail: object
) -> None:
    async def hear(connection: Connection, _: Heard) -> None:
        await fail(connection)  # type: ignore[operator]

    with pytest.raises((asyncpg.PostgresError, ConnectionError)):
        await intake.take(database, replace(OPTIONS, hear=hear), WORDS, PLAIN, NOW)

    assert [] == await events(database)


async def test_a_mail_that_fails_on_the_way_is_kept_without_its_words(database: Database) -> None:
    def strike(_: str) -> str:
        return "\x00"

    options = replace(OPTIONS, strike=strike)
    letter = await a_sent_letter(database)
    raw = sample("postfix_unknown_user", letter)
    taken = await intake.take(database, options, raw, address(letter), NOW)
    again = await intake.take(database, options, raw, address(letter), NOW)

    [event] = await events(database)
    assert (True, False) == (taken.is_new, again.is_new)
    assert ("unknown", {}) == (event["kind"], event["details"])


@pytest.mark.parametrize(
    "line",
    [
        b"(" * 900,
        b"a\x00b@x.example",
        b"a\x1bb@x.example",
        b"g: a@x.example, b@x.example;",
        b'"' * 900,
        b"",
    ],
)
@pytest.mark.parametrize("name", [b"From", b"Reply-To"])
def test_an_address_that_cannot_be_written_down_is_none(name: bytes, line: bytes) -> None:
    found = vouching.read(b"%b: %b\r\nMessage-ID: <1@x>\r\n\r\n" % (name, line), None)

    assert ("", "") == (found.address, found.reply_to)


def test_a_machine_without_memory_is_no_fault_of_a_mail() -> None:
    assert not storage.is_of_content(MemoryError())
