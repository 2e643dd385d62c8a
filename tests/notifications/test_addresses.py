"""When an address counts as undeliverable, and what makes it count again."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from notifications import addresses
from notifications.addresses import Standing, Verdict
from service.database import Database

AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
ADDRESS = "Erika@Example.org"


async def note(
    database: Database,
    verdict: Verdict,
    letter_id: UUID | None = None,
    at: datetime = AT,
    address: str = ADDRESS,
) -> str:
    async with database.unit_of_work() as unit:
        return await addresses.note(
            unit.connection, address, verdict, letter_id=letter_id, status="5.1.2", at=at
        )


async def row(database: Database) -> Any:
    return await database.fetchrow("SELECT * FROM address_state")


async def test_one_refusal_is_a_suspicion_and_a_second_letter_decides(database: Database) -> None:
    first, second = uuid4(), uuid4()

    found = [await note(database, Verdict.HARD, letter) for letter in (first, first, second)]

    assert found == ["soft", "soft", "undeliverable"]
    assert (await row(database))["address_normal"] == "erika@example.org"


async def test_a_refusal_and_the_report_about_it_are_one_letter(database: Database) -> None:
    letter = uuid4()
    await note(database, Verdict.HARD, letter)

    async with database.unit_of_work() as unit:
        await addresses.note(
            unit.connection, ADDRESS, Verdict.HARD, letter_id=letter, status="5.1.1", at=AT
        )

    assert (await row(database))["state"] == "soft"


async def test_a_confirmed_refusal_decides_at_once(database: Database) -> None:
    assert await note(database, Verdict.HARD_CONFIRMED, uuid4()) == "undeliverable"


async def test_passing_failures_count_once_a_day_and_five_days_decide(database: Database) -> None:
    found = []
    for day in range(5):
        at = AT + timedelta(days=day)
        found += [await note(database, Verdict.SOFT, uuid4(), at) for _ in range(2)]

    assert found == ["soft"] * 8 + ["undeliverable"] * 2


async def test_passing_failures_are_forgotten_after_two_quiet_weeks(database: Database) -> None:
    for day in range(4):
        await note(database, Verdict.SOFT, uuid4(), AT + timedelta(days=day))
    await note(database, Verdict.SOFT, uuid4(), AT + timedelta(days=30))

    assert (await row(database))["score"] == 1


async def test_a_delivery_clears_an_address(database: Database) -> None:
    await note(database, Verdict.HARD, uuid4())
    await note(database, Verdict.HARD, uuid4())

    state = await note(database, Verdict.DELIVERED, uuid4())

    assert state == "ok"
    # What was refused before does not count with the next refusal.
    assert await note(database, Verdict.HARD, uuid4()) == "soft"


async def test_a_delivery_to_an_address_without_history_writes_nothing(database: Database) -> None:
    assert await note(database, Verdict.DELIVERED, uuid4()) == "ok"
    assert await row(database) is None


async def test_a_complaint_blocks_and_neither_delivery_nor_the_office_lifts_it(
    database: Database,
) -> None:
    await note(database, Verdict.COMPLAINT, uuid4())
    later = await note(database, Verdict.DELIVERED, uuid4())
    async with database.unit_of_work() as unit:
        is_cleared = await addresses.clear(unit.connection, ADDRESS, by=uuid4(), at=AT)

    assert (later, is_cleared) == ("blocked", False)


async def test_the_office_believes_in_an_address_again(database: Database) -> None:
    await note(database, Verdict.HARD_CONFIRMED, uuid4())
    who = uuid4()
    async with database.unit_of_work() as unit:
        await addresses.clear(unit.connection, ADDRESS.lower(), by=who, at=AT)

    found = await row(database)
    assert (found["state"], found["cleared_by"], found["last_status"]) == ("ok", who, "5.1.2")
    assert await note(database, Verdict.HARD, uuid4()) == "soft"


async def test_one_letter_probes_an_address_and_no_other(database: Database) -> None:
    await note(database, Verdict.HARD_CONFIRMED, uuid4())
    first, second = uuid4(), uuid4()
    async with database.unit_of_work() as unit:
        found = [
            await addresses.probe(unit.connection, ADDRESS, letter)
            for letter in (first, second, first)
        ]

    assert found == [True, False, True]


async def test_two_reports_at_once_are_both_counted(database: Database) -> None:
    found = await asyncio.gather(
        *(asyncio.create_task(note(database, Verdict.HARD, uuid4())) for _ in range(2))
    )

    assert sorted(found) == ["soft", "undeliverable"]


def test_an_undeliverable_address_does_not_become_better_by_a_passing_failure() -> None:
    standing = Standing("undeliverable", 0, AT)

    assert addresses.judge(standing, Verdict.SOFT, 0, AT).state == "undeliverable"
    assert addresses.judge(standing, Verdict.HARD, 1, AT).state == "undeliverable"
