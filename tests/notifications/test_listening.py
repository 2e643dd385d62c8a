"""A mail server hands returned mail over by LMTP: by Postfix's own client, and by raw sockets."""

import asyncio
import shutil
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from socket import AF_UNIX, SO_LINGER, SOL_SOCKET, socket

import pytest

from notifications import listening, skimming
from notifications.intake import Heard, IntakeOptions
from notifications.listening import Listener, Place, PlaceTakenError
from notifications.storage import Connection
from service.database import Database
from tests.notifications.large_mails import with_photos
from tests.notifications.returned import (
    ERIKA,
    OPTIONS,
    PLAIN,
    a_sent_letter,
    address,
    events,
    sample,
)

needs_smtp_source = pytest.mark.skipif(
    shutil.which("smtp-source") is None, reason="Postfix's smtp-source is not installed"
)


@asynccontextmanager
async def listening_at(
    database: Database,
    place: Place | None = None,
    options: IntakeOptions = OPTIONS,
    largest: int = skimming.LARGEST,
) -> AsyncIterator[Listener]:
    listener = Listener(
        place or Place(), database, options, lambda: datetime.now(UTC), largest=largest
    )
    await listener.open()
    try:
        yield listener
    finally:
        await listener.close()


class Client:
    """Speaks LMTP line by line, as it is told."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def say(self, line: bytes) -> str:
        """Say something and return the last line of the reply."""
        self.writer.write(line + b"\r\n")
        return await self.hear()

    async def hear(self) -> str:
        """Return the last line of the next reply."""
        while True:
            line = (await asyncio.wait_for(self.reader.readline(), 100)).decode().strip()
            if line[3:4] != "-":
                return line

    async def hand_over(self, raw: bytes, *recipients: str, sender: bytes = b"") -> list[str]:
        """Hand a mail over and return one reply a recipient."""
        await self.begin(*recipients, sender=sender)
        self.writer.write(raw.replace(b"\r\n.", b"\r\n..") + b"\r\n.\r\n")
        return [await self.hear() for _ in recipients]

    async def begin(self, *recipients: str, sender: bytes = b"") -> None:
        """Go as far as the mail itself."""
        replies = [await self.say(b"LHLO mx.example"), await self.say(b"MAIL FROM:<%b>" % sender)]
        replies += [await self.say(b"RCPT TO:<%b>" % one.encode()) for one in recipients]
        assert [reply for reply in replies if not reply.startswith("250")] == []
        assert (await self.say(b"DATA")).startswith("354")


@asynccontextmanager
async def connected(listener: Listener) -> AsyncIterator[Client]:
    reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
    client = Client(reader, writer)
    await client.hear()
    try:
        yield client
    finally:
        writer.close()


async def wait_for_events(database: Database, count: int) -> None:
    async with asyncio.timeout(100):
        while len(await events(database)) < count:
            await asyncio.sleep(0.05)


@needs_smtp_source
async def test_what_postfix_hands_over_twice_is_one_event(
    database: Database, tmp_path: Path
) -> None:
    letter = await a_sent_letter(database)
    file = tmp_path / "report.eml"
    file.write_bytes(sample("postfix_unknown_user", letter).replace(b"\r\n", b"\n"))
    place = Place(path=tmp_path / "lmtp.sock")
    codes = []
    async with listening_at(database, place):
        for _ in range(2):
            source = await asyncio.create_subprocess_exec(
                "smtp-source", "-L", "-f", "", "-t", address(letter), "-F", str(file),
                f"unix:{place.path}",
            )  # fmt: skip
            codes.append(await asyncio.wait_for(source.wait(), 100))

    [event] = await events(database)
    assert [0, 0] == codes
    assert ("bounce", letter) == (event["kind"], event["letter_id"])


async def test_each_recipient_gets_an_answer_and_a_session_goes_on(database: Database) -> None:
    letters = [await a_sent_letter(database) for _ in range(2)]
    raw = b"From: a@x.example\r\nSubject: Abwesend\r\n\r\n..\r\n" + b"long " * 10_000
    async with listening_at(database) as listener, connected(listener) as client:
        both = await client.hand_over(raw, *map(address, letters))
        again = await client.hand_over(raw + b"!", PLAIN)

    assert ["250 2.0.0 kept"] * 3 == [*both, *again]
    assert [*letters, None] == [event["letter_id"] for event in await events(database)]


async def test_unknown_and_forged_addresses_are_refused_at_once(database: Database) -> None:
    letter = await a_sent_letter(database)
    forged = address(letter).replace("rueck+", "rueck+a")
    async with listening_at(database) as listener, connected(listener) as client:
        await client.say(b"LHLO mx.example")
        await client.say(b"MAIL FROM:<>")
        replies = [
            await client.say(b"RCPT TO:<%b>" % one.encode())
            for one in (forged, "office@alliance.example.org", PLAIN)
        ]

    assert ["550 5.1.1", "550 5.1.1", "250 2.1.5"] == [reply[:9] for reply in replies]


@pytest.mark.parametrize("size", [5_000_000, pytest.param(30_000_000, marks=pytest.mark.long)])
async def test_of_a_mail_with_large_files_words_and_answer_are_read(
    database: Database, size: int
) -> None:
    letter = await a_sent_letter(database)
    heard: list[Heard] = []

    async def hear(_: Connection, one: Heard) -> None:
        heard.append(one)

    options = replace(OPTIONS, hear=hear)
    async with listening_at(database, options=options) as listener, connected(listener) as client:
        replies = await client.hand_over(
            with_photos(size, "..Ich komme."), address(letter), sender=ERIKA.encode()
        )
        replies += await client.hand_over(b"Subject: Noch etwas\r\n\r\nJa", PLAIN)

    assert ["250 2.0.0 kept"] * 2 == replies
    [event, _] = await events(database)
    assert ("answer", letter) == (event["kind"], event["letter_id"])
    assert ["ACCEPTED"] == [one.answer.value for one in heard[0].answer.people]
    assert b"\r\n..Ich komme.\r\n" in heard[0].raw
    assert len(heard[0].raw) < 10_000


async def test_a_mail_beyond_all_measure_is_refused_and_the_session_goes_on(
    database: Database,
) -> None:
    raw = b"From: a@x.example\r\n\r\n" + (b"x" * 70 + b"\r\n") * 40
    async with listening_at(database, largest=1000) as listener, connected(listener) as client:
        [reply] = await client.hand_over(raw, PLAIN)
        [after] = await client.hand_over(b"Subject: Klein\r\n\r\nJa", PLAIN)

    assert ["552", "250"] == [reply[:3], after[:3]]
    assert 1 == len(await events(database))


async def test_a_server_that_hangs_up_in_the_middle_of_a_large_mail_leaves_nothing(
    database: Database,
) -> None:
    async with listening_at(database) as listener:
        async with connected(listener) as client:
            await client.begin(PLAIN)
            client.writer.write(with_photos(3_000_000, "Ja")[:-500])
            await client.writer.drain()
        async with connected(listener) as client:
            [after] = await client.hand_over(with_photos(3_000_000, "Ja"), PLAIN)

    assert "250 2.0.0 kept" == after
    assert 1 == len(await events(database))


async def test_while_the_database_is_away_the_server_is_asked_to_come_again(
    database: Database,
) -> None:
    letter = await a_sent_letter(database)
    raw = sample("postfix_unknown_user", letter)
    never_opened = Database(database.dsn)
    async with listening_at(never_opened) as listener, connected(listener) as client:
        refused = await client.hand_over(raw, address(letter))
    async with listening_at(database) as listener, connected(listener) as client:
        kept = await client.hand_over(raw, address(letter))

    assert ["451 4.3.0", "250 2.0.0"] == [reply[:9] for reply in (*refused, *kept)]
    assert 1 == len(await events(database))


async def test_a_server_that_hangs_up_too_early_hands_over_again_and_there_is_one_event(
    database: Database,
) -> None:
    letter = await a_sent_letter(database)
    raw = sample("words_outlook", letter)
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def dawdle(_: Connection, __: Heard) -> None:
        begun.set()
        await go_on.wait()

    async with listening_at(database, options=replace(OPTIONS, hear=dawdle)) as listener:
        async with connected(listener) as client:
            await client.begin(address(letter), sender=ERIKA.encode())
            client.writer.write(raw + b"\r\n.\r\n")
            await asyncio.wait_for(begun.wait(), 100)
            socket = client.writer.get_extra_info("socket")
            socket.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
        await asyncio.sleep(0.2)
        go_on.set()
        await wait_for_events(database, 1)
        async with connected(listener) as client:
            [again] = await client.hand_over(raw, address(letter), sender=ERIKA.encode())

    assert "250 2.0.0 kept" == again
    assert 1 == len(await events(database))


async def test_a_connection_too_many_is_asked_to_come_later(database: Database) -> None:
    async with listening_at(database) as listener:
        pairs = [
            await asyncio.open_connection("127.0.0.1", listener.port)
            for _ in range(listening.CONNECTIONS)
        ]
        for reader, _ in pairs:
            await reader.readline()
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.port)
        busy = await asyncio.wait_for(reader.readline(), 100)
        pairs[0][1].close()
        after = await _say_hello_again(listener)
        for _, one in [*pairs, (reader, writer)]:
            one.close()

    assert b"421 4.3.2 too many connections\r\n" == busy
    assert after.startswith("250")


async def _say_hello_again(listener: Listener) -> str:
    """Come again and again, as Postfix does, until the server has seen that a place is free."""
    async with asyncio.timeout(100):
        while True:
            async with connected(listener) as client:
                if (said := await client.say(b"LHLO mx.example")) != "":
                    return said
            await asyncio.sleep(0.05)


async def test_one_process_listens_and_the_next_one_takes_over(
    database: Database, tmp_path: Path
) -> None:
    place = Place(path=tmp_path / "lmtp.sock")
    second = Listener(place, database, OPTIONS, lambda: datetime.now(UTC))
    async with listening_at(database, place):
        with pytest.raises(PlaceTakenError):
            await second.open()
        taken = await listening.answers(place)
    left = await listening.answers(place)
    await second.open()
    over = await listening.answers(place)
    await second.close()

    assert (True, False, True) == (taken, left, over)


async def test_a_listener_that_still_keeps_a_mail_leaves_its_successor_the_place(
    database: Database, tmp_path: Path
) -> None:
    place = Place(path=tmp_path / "lmtp.sock")
    letter = await a_sent_letter(database)
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def dawdle(_: Connection, __: Heard) -> None:
        begun.set()
        await go_on.wait()

    old = Listener(place, database, replace(OPTIONS, hear=dawdle), lambda: datetime.now(UTC))
    await old.open()
    reader, writer = await asyncio.open_unix_connection(place.path)
    client = Client(reader, writer)
    await client.hear()
    await client.begin(address(letter), sender=ERIKA.encode())
    writer.write(sample("words_outlook", letter) + b"\r\n.\r\n")
    await asyncio.wait_for(begun.wait(), 100)
    closing = asyncio.create_task(old.close())
    while await listening.answers(place):
        await asyncio.sleep(0)
    async with listening_at(database, place):
        go_on.set()
        kept = await client.hear()
        await asyncio.wait_for(closing, 100)
        is_there = await listening.answers(place)
    writer.close()

    assert ("250 2.0.0 kept", True) == (kept, is_there)


async def test_a_listener_whose_socket_was_swept_away_or_replaced_listens_again(
    database: Database, tmp_path: Path
) -> None:
    path = tmp_path / "lmtp.sock"
    place = Place(path=path)
    async with listening_at(database, place) as listener:
        path.unlink()
        await listener.open()
        after_sweep = await listening.answers(place)
        path.unlink()
        with socket(AF_UNIX) as stranger:
            stranger.bind(str(path))
        await listener.open()
        after_stranger = await listening.answers(place)
        path.chmod(0o600)
        before = path.stat().st_ino
        await listener.open()
        after_chmod = path.stat().st_ino

    assert (True, True) == (after_sweep, after_stranger)
    assert before == after_chmod
    assert not path.exists()


async def test_who_lost_the_place_to_another_listener_stops_and_leaves_it(
    database: Database, tmp_path: Path
) -> None:
    place = Place(path=tmp_path / "lmtp.sock")
    async with listening_at(database, place) as first:
        (tmp_path / "lmtp.sock").unlink()
        async with listening_at(database, place):
            with pytest.raises(PlaceTakenError):
                await first.open()
            await first.close()
            is_there = await listening.answers(place)

    assert (True, False) == (is_there, first.is_open)
