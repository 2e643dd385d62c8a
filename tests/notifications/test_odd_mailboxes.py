"""A mailbox whose server refuses single mails, or answers byte by byte."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from notifications import mailbox
from notifications.imap import MailboxError
from service import mending
from service.database import Database
from tests.notifications import imap_servers
from tests.notifications.imap_servers import REFUSED, ImapServer
from tests.notifications.returned import OPTIONS, a_sent_letter, events, sample

NOW = datetime.now(UTC)


async def read(database: Database, server: ImapServer) -> int:
    return await mailbox.read_new(database, server.mailbox, OPTIONS, NOW)


async def cursor(database: Database) -> Any:
    return await database.fetchval("SELECT last_uid FROM mailbox_cursor")


@pytest.mark.parametrize("refusal", ["NO", "BAD"])
async def test_behind_a_mail_that_the_server_refuses_reading_goes_on_and_the_office_sees_it(
    database: Database, refusal: str
) -> None:
    bounce = sample("postfix_unknown_user", await a_sent_letter(database))
    mails = {1: f"{refusal} {REFUSED}\0", 2: bounce}
    async with imap_servers.serving(ImapServer(mails)) as server:
        taken = [await read(database, server), await read(database, server)]

    kinds = [event["kind"] for event in await events(database)]
    [seen] = await mending.list_unmatched(database)
    assert [1, 0] == taken
    assert ["unknown", "bounce"] == kinds
    assert seen.diagnostic.startswith(REFUSED)
    assert ("rueck", "", "") == (seen.recipient, seen.subject, seen.words)
    assert 2 == await cursor(database)


async def test_a_refused_mail_at_the_end_is_passed_over_while_an_older_one_is_handed_out(
    database: Database,
) -> None:
    bounce = sample("postfix_unknown_user", await a_sent_letter(database))
    async with imap_servers.serving(ImapServer({1: bounce})) as server:
        await read(database, server)
        server.mails[2] = f"NO {REFUSED}"
        await read(database, server)

    assert ["bounce", "unknown"] == [event["kind"] for event in await events(database)]
    assert 2 == await cursor(database)


async def test_a_server_that_refuses_everything_for_a_while_costs_no_mail(
    database: Database,
) -> None:
    bounce = sample("postfix_unknown_user", await a_sent_letter(database))
    async with imap_servers.serving(ImapServer({1: bounce})) as server:
        await read(database, server)
        server.mails = dict.fromkeys((1, 2, 3), "NO [UNAVAILABLE] later")
        with pytest.raises(MailboxError, match="later"):
            await read(database, server)
        before = await cursor(database)
        server.mails = {1: bounce, 2: bounce + b"!", 3: bounce + b"?"}
        found = await read(database, server)

    assert (1, 2) == (before, found)
    assert ["bounce"] * 3 == [event["kind"] for event in await events(database)]


async def test_a_mail_that_is_gone_is_no_ground_to_stop_or_to_pass_over_another(
    database: Database,
) -> None:
    bounce = sample("postfix_unknown_user", await a_sent_letter(database))
    async with imap_servers.serving(ImapServer({1: b"", 2: bounce})) as server:
        first = await read(database, server)
        server.mails = {2: "NO later", 3: "NO later", 4: b""}
        with pytest.raises(MailboxError):
            await read(database, server)

    assert 1 == first
    assert 2 == await cursor(database)


@pytest.mark.parametrize("drips_at", ["", "STATUS"])
async def test_a_server_that_answers_byte_by_byte_is_left_after_a_while(drips_at: str) -> None:
    async with imap_servers.serving(ImapServer(drips_at=drips_at)) as server:
        with pytest.raises(MailboxError):
            await mailbox.try_out(replace(server.mailbox, step_seconds=0.2))
        async with asyncio.timeout(30):
            await server.is_left.wait()


async def test_a_process_that_is_told_to_stop_leaves_such_a_server_at_once(
    database: Database,
) -> None:
    async with imap_servers.serving(ImapServer({1: b"x"}, drips_at="UID FETCH")) as server:
        reading = asyncio.create_task(read(database, server))
        async with asyncio.timeout(100):
            await server.drips.wait()
        reading.cancel()
        async with asyncio.timeout(30):
            await server.is_left.wait()
            with pytest.raises(asyncio.CancelledError):
                await reading
    free_at = await database.fetchval("SELECT lease_until <= now() FROM mailbox_cursor")

    assert free_at
