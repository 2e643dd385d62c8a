"""Rules that several starts made at once are there once after the upgrade."""

from datetime import time
from typing import Any
from uuid import UUID

import pytest

from service import reminding, ruling
from service.auditing import COMMAND
from service.database import Database
from service.domain.reminders import DEFAULT_RULES
from service.ruling import Scope
from tests import builders
from tests.builders import NOW, Row

pytestmark = pytest.mark.xdist_group("database")

NAME = "service_0017_doubled_rules"
EVE: dict[str, Any] = {"minutes_before": None, "days_before": 1, "at_local_time": time(9)}


async def upgrade(database: Database) -> None:
    """Run the migration on what is there now."""
    await database.fetch("DELETE FROM migration WHERE name = $1", NAME)
    assert [f"service.{NAME}"] == await database.migrate()


async def doubles(database: Database, count: int = 2) -> list[Row]:
    """Insert rules that are all the same; return them in the order of their ids."""
    rules = [await builders.a_reminder_rule(database, **EVE) for _ in range(count)]
    return sorted(rules, key=lambda rule: rule["id"])


async def a_slot(database: Database, meeting: Row, rule: Row, state: str) -> None:
    columns = {"meeting_id": meeting["id"], "rule_id": rule["id"], "state": state}
    await builders.insert(
        database, "reminder_slot", time_rev=1, due_at=NOW, not_after=NOW, **columns
    )


async def a_letter(database: Database, state: str, rule: Row) -> UUID:
    """Insert a letter and a part of it that both stand for the rule."""
    cause = {"rule": str(rule["id"]), "slot": "s"}
    letter = await builders.insert(
        *(database, "letter"),
        dedupe_key=f"rem:{state}",
        kind="reminder",
        ordering_key="",
        locale="de",
        cause=cause,
    )
    letter_id: UUID = letter["id"]
    await builders.insert(
        database, "letter_subject", letter_id=letter_id, subject_id=letter_id, cause=cause
    )
    await builders.insert(
        database, "outbox", id=letter_id, state=state, ordering_key="", expires_at=NOW
    )
    return letter_id


async def causes(database: Database, letter_id: UUID) -> list[str]:
    sql = """SELECT cause ->> 'rule' AS rule FROM letter WHERE id = $1
        UNION ALL SELECT cause ->> 'rule' FROM letter_subject WHERE letter_id = $1"""
    return [row["rule"] for row in await database.fetch(sql, letter_id)]


async def left(database: Database) -> set[UUID]:
    return {row["id"] for row in await database.fetch("SELECT id FROM reminder_rule")}


async def test_what_three_starts_made_is_there_once(database: Database) -> None:
    async with database.unit_of_work() as unit:
        for rule in DEFAULT_RULES * 3:
            await reminding.add_rule(unit.connection, rule)

    await upgrade(database)

    found = [each.rule for each in await ruling.list_rules(database)]
    assert len(DEFAULT_RULES) == len(found)
    assert set(DEFAULT_RULES) == set(found)


async def test_what_somebody_changed_or_chose_stays(database: Database) -> None:
    group, meeting = await builders.a_group(database), await builders.a_meeting(database)
    first, second = await doubles(database)
    others = [
        await builders.a_reminder_rule(database, **EVE | changed)
        for changed in (
            {"revision": 2},
            {"is_enabled": False},
            {"is_choice": True},
            {"audience": ["undecided"]},
            {"days_before": 2},
            {"group_id": group["id"]},
            {"meeting_id": meeting["id"]},
        )
    ]

    await upgrade(database)

    assert {first["id"], *(rule["id"] for rule in others)} == await left(database)
    assert second["id"] not in await left(database)


async def test_what_a_double_sent_the_one_that_stays_does_not_send_again(
    database: Database,
) -> None:
    meetings = [await builders.a_meeting(database) for _ in range(3)]
    first, second = await doubles(database)
    await a_slot(database, meetings[0], first, "planned")
    await a_slot(database, meetings[0], second, "expanded")
    await a_slot(database, meetings[1], first, "planned")
    await a_slot(database, meetings[1], second, "planned")
    await a_slot(database, meetings[2], second, "skipped")

    await upgrade(database)

    slots = await database.fetch("SELECT meeting_id, rule_id, state FROM reminder_slot")
    states = ("expanded", "planned", "skipped")
    assert {
        (meeting["id"], first["id"], state) for meeting, state in zip(meetings, states, strict=True)
    } == {tuple(slot) for slot in slots}
    assert len(meetings) == len(slots)


async def test_a_letter_that_waits_knows_whom_it_is_for(database: Database) -> None:
    first, second = await doubles(database)
    waits = await a_letter(database, "queued", second)
    left_already = await a_letter(database, "sent", second)

    await upgrade(database)

    assert [str(first["id"])] * 2 == await causes(database, waits)
    assert [str(second["id"])] * 2 == await causes(database, left_already)


async def test_own_copies_of_doubles_can_be_given_back(database: Database) -> None:
    group = await builders.a_group(database)
    meeting = await builders.a_meeting(database, of=group)
    first, second, third = await doubles(database, 3)
    copies = [
        await builders.a_reminder_rule(
            database, **EVE, group_id=group["id"], copied_from=rule["id"], revision=revision
        )
        for revision, rule in ((2, second), (3, third))
    ]
    for copy in copies:
        await a_slot(database, meeting, copy, "expanded")

    await upgrade(database)
    sql = "SELECT copied_from FROM reminder_rule WHERE group_id IS NOT NULL"
    lineage = [row["copied_from"] for row in await database.fetch(sql)]
    await ruling.inherit_rules(database, COMMAND, Scope(group_id=group["id"]), NOW)
    slots = await database.fetch(
        "SELECT rule_id, state FROM reminder_slot WHERE state = 'expanded'"
    )

    assert sorted([first["id"], None], key=str) == sorted(lineage, key=str)
    assert {first["id"]} == await left(database)
    assert [(first["id"], "expanded")] == [tuple(slot) for slot in slots]


async def test_own_copies_that_nobody_changed_are_there_once(database: Database) -> None:
    group = await builders.a_group(database)
    first, second = await doubles(database)
    for rule in (first, second):
        await builders.a_reminder_rule(
            database, **EVE, group_id=group["id"], copied_from=rule["id"]
        )

    await upgrade(database)

    rows = await database.fetch("SELECT copied_from FROM reminder_rule ORDER BY group_id")
    assert [first["id"], None] == [row["copied_from"] for row in rows]
