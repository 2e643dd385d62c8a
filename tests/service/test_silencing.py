"""A group whose reminders end by one press, and go on by another."""

import asyncio
from datetime import timedelta
from uuid import uuid4

import pytest

from service import reminding, ruling, silencing
from service.auditing import COMMAND
from service.database import Database
from service.domain.accounts import Account
from service.domain.errors import NotFoundError
from service.domain.reminders import DEFAULT_RULES, Kind, Rule
from service.domain.words import Role
from service.ruling import Scope
from tests import builders
from tests.builders import NOW, Row
from tests.service.test_reminding import DAY_BEFORE, HOUR_BEFORE, NUDGE
from tests.service.test_ruling import a_session, of_session

SUMMARY = next(rule for rule in DEFAULT_RULES if rule.kind is Kind.SUMMARY)
EVERY = (NUDGE, DAY_BEFORE, HOUR_BEFORE, SUMMARY)


def of_group(group: Row) -> Scope:
    return Scope(group_id=group["id"])


async def a_ruled_group(database: Database, *rules: Rule) -> tuple[Row, Row]:
    """Insert a group with a session under rules for everybody."""
    group = await builders.a_group(database)
    return group, await a_session(database, *rules, of=group)


async def enabled(database: Database, scope: Scope) -> set[Rule]:
    return {each.rule for each in await ruling.list_rules(database, scope) if each.is_enabled}


async def planned(database: Database, meeting: Row) -> set[Rule]:
    slots = await reminding.planned_letters(database, meeting["id"])
    return {each.rule for each in slots if each.state == "planned"}


async def test_one_press_ends_all_that_speaks_to_people_and_leaves_the_office_its_summary(
    database: Database,
) -> None:
    group, meeting = await a_ruled_group(database, *EVERY)
    other = await builders.a_meeting(database, invited_at=NOW - timedelta(days=20))
    before = await planned(database, meeting)
    count = await silencing.silence(database, COMMAND, group["id"], NOW)
    again = await silencing.silence(database, COMMAND, group["id"], NOW)

    assert {DAY_BEFORE, HOUR_BEFORE} <= before
    assert (3, 0) == (count, again)
    assert {SUMMARY} == await enabled(database, of_group(group))
    assert before - {NUDGE, DAY_BEFORE, HOUR_BEFORE} == await planned(database, meeting)
    assert set(EVERY) == await enabled(database, of_session(other))


async def test_the_way_back_takes_up_what_the_press_ended_and_not_what_was_off_before(
    database: Database,
) -> None:
    group, meeting = await a_ruled_group(database, *EVERY)
    scope = of_group(group)
    [hour] = [each for each in await ruling.list_rules(database, scope) if each.rule == HOUR_BEFORE]
    await ruling.switch_rule(database, COMMAND, scope, hour.id, NOW, is_enabled=False)
    before = await planned(database, meeting)
    await silencing.silence(database, COMMAND, group["id"], NOW)
    count = await silencing.wake(database, COMMAND, group["id"], NOW)

    assert 2 == count
    assert set(EVERY) - {HOUR_BEFORE} == await enabled(database, scope)
    assert before == await planned(database, meeting)


async def test_without_a_press_that_is_known_the_way_back_takes_up_everything(
    database: Database,
) -> None:
    group, _ = await a_ruled_group(database, *EVERY)
    await silencing.silence(database, COMMAND, group["id"], NOW)
    await database.fetch("DELETE FROM audit")
    count = await silencing.wake(database, COMMAND, group["id"], NOW)

    assert 3 == count
    assert set(EVERY) == await enabled(database, of_group(group))


async def test_what_was_sent_before_is_not_sent_again_after_the_way_back(
    database: Database,
) -> None:
    group, meeting = await a_ruled_group(database, DAY_BEFORE)
    [slot] = await reminding.planned_letters(database, meeting["id"])
    sent = await reminding.queue_due(database, slot.due_at)
    later = slot.due_at + timedelta(minutes=5)
    await silencing.silence(database, COMMAND, group["id"], later)
    await silencing.wake(database, COMMAND, group["id"], later)
    again = await reminding.queue_due(database, later)

    assert (1, 0) == (sent, again)


async def test_what_falls_due_while_a_group_is_silent_is_not_sent_late(
    database: Database,
) -> None:
    group, meeting = await a_ruled_group(database, DAY_BEFORE)
    [slot] = await reminding.planned_letters(database, meeting["id"])
    await silencing.silence(database, COMMAND, group["id"], NOW)
    silent = await reminding.queue_due(database, slot.due_at)
    later = slot.due_at + timedelta(minutes=5)
    await silencing.wake(database, COMMAND, group["id"], later)

    assert (0, 0) == (silent, await reminding.queue_due(database, later))


async def test_a_session_with_rules_of_its_own_goes_on(database: Database) -> None:
    group, meeting = await a_ruled_group(database, DAY_BEFORE)
    await ruling.save_rule(database, COMMAND, of_session(meeting), HOUR_BEFORE, NOW)
    await silencing.silence(database, COMMAND, group["id"], NOW)

    assert {DAY_BEFORE, HOUR_BEFORE} == await planned(database, meeting)


@pytest.mark.parametrize("on", [False, True])
async def test_a_look_names_what_goes_or_comes_and_changes_nothing(
    database: Database, *, on: bool
) -> None:
    group, meeting = await a_ruled_group(database, *EVERY)
    if on:
        await silencing.silence(database, COMMAND, group["id"], NOW)
    before = await database.fetch("SELECT * FROM reminder_slot ORDER BY id")
    rules = await ruling.list_rules(database, of_group(group))
    outlook = await silencing.rehearse(database, COMMAND, group["id"], NOW, on=on)

    assert {NUDGE, DAY_BEFORE, HOUR_BEFORE} == {each.rule for each in outlook.rules}
    assert {DAY_BEFORE, HOUR_BEFORE} <= {each.slot.rule for each in outlook.mailings}
    assert SUMMARY not in {each.slot.rule for each in outlook.mailings}
    assert {meeting["id"]} == {each.meeting_id for each in outlook.mailings}
    assert rules == await ruling.list_rules(database, of_group(group))
    assert before == await database.fetch("SELECT * FROM reminder_slot ORDER BY id")


async def test_presses_at_once_end_where_one_of_them_ends(database: Database) -> None:
    group, _ = await a_ruled_group(database, *EVERY)
    counts = await asyncio.gather(
        *(silencing.silence(database, COMMAND, group["id"], NOW) for _ in range(3))
    )
    rows = await database.fetch("SELECT FROM audit WHERE action = 'silenced_rules'")

    assert [0, 0, 3] == sorted(counts)
    assert 1 == len(rows)
    assert 3 == await silencing.wake(database, COMMAND, group["id"], NOW)


async def test_a_lead_of_another_group_ends_nothing(database: Database) -> None:
    group, _ = await a_ruled_group(database, *EVERY)
    account = Account(uuid4(), "x@example.org", "Lena Leitung", Role.LEAD, "de", frozenset())
    for act in (silencing.silence, silencing.wake):
        with pytest.raises(NotFoundError):
            await act(database, COMMAND, group["id"], NOW, authority=account)

    assert set(EVERY) == await enabled(database, of_group(group))
