"""A postman's process dies at every named point: nothing is lost, and copies are the same bytes."""

import asyncio
import os
import sys
from collections import Counter
from pathlib import Path

import pytest

from notifications import crashing
from notifications.postman import UNWRITTEN_PER_LINK, Postman
from service.database import Database
from tests import database as test_database
from tests.notifications import builders, smtp_servers
from tests.notifications.builders import AClerk, a_letter
from tests.notifications.smtp_servers import Session
from tests.notifications.test_postman import make_due

ROOT = Path(__file__).parents[2]
COUNT = 40
CONNECTIONS = 2
# Of each connection the letter in DATA and the one marked ahead; then the ends not yet written.
MARKED = 2 * CONNECTIONS
UNWRITTEN = MARKED + (UNWRITTEN_PER_LINK + 1) * CONNECTIONS


async def let_die(database_url: str, port: int, point: str) -> int | None:
    environment = os.environ | {crashing.VARIABLE: point, "PYTHONPATH": str(ROOT)}
    program = ROOT / "tests" / "notifications" / "dying_postman.py"
    process = await asyncio.create_subprocess_exec(
        sys.executable, program, database_url, str(port), cwd=ROOT, env=environment
    )
    return await process.wait()


@pytest.mark.parametrize(
    ("point", "unclear_at_most"),
    [
        ("after_claim", 0),
        ("after_rcpt", 0),
        pytest.param("after_rcpt:5", UNWRITTEN, marks=pytest.mark.long),
        ("after_mark:1", MARKED),
        pytest.param("after_mark:30", UNWRITTEN, marks=pytest.mark.long),
        pytest.param("after_dot:1", MARKED, marks=pytest.mark.long),
        ("after_dot:30", UNWRITTEN),
        ("after_reply:1", MARKED),
        pytest.param("after_reply:30", UNWRITTEN, marks=pytest.mark.long),
        ("after_end:1", UNWRITTEN),
        pytest.param("after_end:2", UNWRITTEN, marks=pytest.mark.long),
    ],
)
async def test_no_letter_is_lost_and_copies_are_the_same_bytes(
    database: Database, database_url: str, point: str, unclear_at_most: int
) -> None:
    await builders.post(database, *(a_letter(number) for number in range(COUNT)))
    async with smtp_servers.running() as server:
        code = await let_die(database_url, server.port, point)
        await test_database.hear_last_words(database)
        await make_due(database)
        await make_due(database)
        postman = Postman(database, server.relay(), AClerk(), builders.SENDER)
        await postman.deliver()
        await postman.stop()

    assert code == crashing.EXIT_CODE
    rows = await database.fetch("SELECT id, state, uncertain_count FROM outbox")
    assert Counter(row["state"] for row in rows) == {"sent": COUNT}
    unclear = {f"p{row['id'].hex[:12]}@example.org" for row in rows if row["uncertain_count"]}
    assert len(unclear) <= unclear_at_most
    copies = Counter(mail.recipient for mail in server.mails)
    assert len(copies) == COUNT
    assert {address for address, count in copies.items() if count > 1} <= unclear
    assert max(copies.values()) <= 2
    assert len({mail.raw for mail in server.mails}) == COUNT


@pytest.mark.parametrize(
    ("point", "left_behind"),
    [("in_refusal", ("sending", None)), ("after_end", ("failed", "undeliverable"))],
)
async def test_a_refusal_and_what_it_says_of_the_address_stand_together_or_not_at_all(
    database: Database, database_url: str, point: str, left_behind: tuple[str, str | None]
) -> None:
    await builders.post(database, a_letter())
    async with smtp_servers.running(_refuse) as server:
        code = await let_die(database_url, server.port, point)
        await test_database.hear_last_words(database)
        found = await _letter_and_address(database)
        await make_due(database)
        postman = Postman(database, server.relay(), AClerk(), builders.SENDER)
        await postman.deliver()
        await postman.stop()

    assert code == crashing.EXIT_CODE
    assert left_behind == found
    assert ("failed", "undeliverable") == await _letter_and_address(database)


def _refuse(line: str, _: Session) -> str | None:
    return "550 5.1.1 no such user" if line.startswith("RCPT") else None


async def _letter_and_address(database: Database) -> tuple[str, str | None]:
    return (
        await database.fetchval("SELECT state FROM outbox"),
        await database.fetchval("SELECT state FROM address_state"),
    )
