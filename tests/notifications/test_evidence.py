"""What comes back decides about letters whose delivery is unclear."""

import asyncio
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from notifications import evidence
from notifications.evidence import How
from service.database import Database
from tests.notifications import builders, smtp_servers
from tests.notifications.builders import a_letter
from tests.notifications.test_postman import a_postman, deliver, make_due

AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
_SET = """
UPDATE outbox SET state = $2, uncertain_count = $3, reason = $4,
    data_started_at = CASE WHEN $5 THEN now() END
"""


async def a_letter_that_is(
    database: Database,
    state: str,
    *,
    unclear: int = 0,
    reason: str | None = None,
    in_data: bool = False,
) -> UUID:
    [one] = await builders.post(database, a_letter())
    sql = f"{_SET} WHERE id = $1"
    await database.fetch(sql, one, state, unclear, reason, in_data)
    return one


async def delivered(database: Database, letter_id: UUID, how: How = "dsn") -> bool:
    async with database.unit_of_work() as unit:
        return await evidence.delivered(unit.connection, letter_id, how=how, at=AT)


async def failed(database: Database, letter_id: UUID, text: str = "no such user") -> bool:
    async with database.unit_of_work() as unit:
        return await evidence.failed(
            unit.connection, letter_id, how="dsn", status="5.1.1", text=text, at=AT
        )


def facts(row: Any) -> tuple[str, str | None, str]:
    return row["state"], row["reason"], row["dsn_state"]


@pytest.mark.parametrize(
    ("how", "dsn"),
    [
        ("dsn", "delivered"),
        ("relayed", "relayed"),
        ("delayed", "delayed"),
        ("reply", "none"),
        ("click", "none"),
        ("auto_reply", "none"),
    ],
)
async def test_whatever_proves_arrival_settles_an_unclear_letter(
    database: Database, how: How, dsn: str
) -> None:
    one = await a_letter_that_is(database, "uncertain", unclear=1)

    changed = await delivered(database, one, how)

    row = await builders.state_of(database, one)
    assert changed
    assert facts(row) == ("sent", "proved", dsn)
    assert row["accepted_at"] == AT


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"state": "queued", "unclear": 1}, "sent"),
        ({"state": "sending", "unclear": 1}, "sent"),
        ({"state": "sending", "unclear": 1, "in_data": True}, "sending"),
        ({"state": "dead", "unclear": 2, "reason": "delivery_unclear"}, "sent"),
        ({"state": "dead", "reason": "gave_up"}, "dead"),
        ({"state": "queued"}, "queued"),
        ({"state": "cancelled", "reason": "meeting_cancelled"}, "cancelled"),
        ({"state": "failed", "reason": "policy"}, "failed"),
    ],
)
async def test_only_what_is_unclear_changes(
    database: Database, given: dict[str, Any], expected: str
) -> None:
    one = await a_letter_that_is(database, **given)

    await delivered(database, one)

    assert expected == (await builders.state_of(database, one))["state"]


async def test_a_report_about_a_sent_letter_is_kept_and_told_once(database: Database) -> None:
    one = await a_letter_that_is(database, "sent")

    found = [await delivered(database, one, how) for how in ("delayed", "dsn", "dsn", "delayed")]

    assert found == [True, True, False, False]
    assert facts(await builders.state_of(database, one)) == ("sent", None, "delivered")


async def test_a_letter_that_bounced_is_failed_with_the_words_of_the_report(
    database: Database,
) -> None:
    one = await a_letter_that_is(database, "sent")

    found = [await failed(database, one, "u" * 900), await failed(database, one)]

    row = await builders.state_of(database, one)
    assert found == [True, False]
    assert facts(row) == ("failed", "bounced", "failed")
    assert (row["bounced_at"], row["last_enhanced"], len(row["last_text"])) == (AT, "5.1.1", 500)


async def test_an_unclear_letter_that_bounced_is_not_sent_again(database: Database) -> None:
    one = await a_letter_that_is(database, "queued", unclear=1)

    await failed(database, one)

    assert (await builders.state_of(database, one))["state"] == "failed"


async def test_a_bounce_is_the_last_word(database: Database) -> None:
    one = await a_letter_that_is(database, "sent")
    await failed(database, one)

    changed = await delivered(database, one)

    assert not changed
    assert facts(await builders.state_of(database, one)) == ("failed", "bounced", "failed")


async def test_a_letter_that_never_left_cannot_bounce(database: Database) -> None:
    one = await a_letter_that_is(database, "queued")

    assert not await failed(database, one)


async def test_with_proof_no_second_copy_leaves(database: Database) -> None:
    [one] = await builders.post(database, a_letter())
    async with smtp_servers.running(
        lambda line, _: smtp_servers.CLOSE if line == "." else None
    ) as server:
        await deliver(a_postman(database, server))
        proved = await delivered(database, one)
        await make_due(database)
        await deliver(a_postman(database, server))

    assert (True, 1) == (proved, len(server.mails))
    assert facts(await builders.state_of(database, one)) == ("sent", "proved", "delivered")


async def test_proof_for_a_copy_about_to_leave_stops_it_before_the_mark(
    database: Database,
) -> None:
    [one] = await builders.post(database, a_letter())
    answers = iter([smtp_servers.CLOSE])
    reached = asyncio.Event()

    def script(line: str, _: smtp_servers.Session) -> str | None:
        return next(answers, None) if line == "." else None

    async with smtp_servers.running(script) as server:
        await deliver(a_postman(database, server))
        await make_due(database)
        greeting = server.held["CONNECT"] = asyncio.Event()
        server.reached["CONNECT"] = reached
        copying = asyncio.create_task(deliver(a_postman(database, server)))
        await reached.wait()
        await delivered(database, one)
        greeting.set()
        await copying

    assert len(server.mails) == 1
    assert (await builders.state_of(database, one))["state"] == "sent"
