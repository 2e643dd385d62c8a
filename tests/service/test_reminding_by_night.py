"""After a standstill: reminders of days wait for the morning, and none is lost."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, date, datetime, time
from uuid import UUID

import pytest

from service import reminding, ruling
from service.auditing import COMMAND
from service.database import Database
from service.domain.reminders import Audience, Rule
from service.ruling import Scope
from tests import builders
from tests.builders import START, Row
from tests.service.test_late_reminders import HOUR, MINUTE, change, newest
from tests.service.test_reminding import (
    DAY_BEFORE,
    HOUR_BEFORE,
    a_session,
    invited,
    left_out,
    recipients,
)
from tests.service.test_summarising import AT_DEADLINE

SATURDAY = datetime(2027, 3, 6, 20, tzinfo=UTC)
"""Nine in the evening."""
MONDAY = datetime.combine(date(2027, 3, 8), time(10))


async def a_monday(database: Database, *rules: Rule) -> Row:
    """Insert a session on a Monday; its reminder of the day before is due on Friday at nine."""
    return await a_session(database, *rules, starts_local=MONDAY)


async def test_after_a_standstill_nothing_leaves_on_a_saturday_evening(database: Database) -> None:
    meeting = await a_monday(database, DAY_BEFORE)
    person = (await invited(database, meeting, "in_person"))["person_id"]
    morning = datetime(2027, 3, 8, 6, tzinfo=UTC)

    assert 0 == await reminding.queue_due(database, SATURDAY)
    assert [(morning, "planned", "quiet_hours")] == await newest(database, meeting)
    assert 0 == await reminding.queue_due(database, morning - MINUTE)
    assert 1 == await reminding.queue_due(database, morning)
    assert [person] == await recipients(database)
    assert [("expanded", None)] == [row[1:] for row in await newest(database, meeting)]


async def test_in_the_night_before_the_session_it_waits_for_the_morning(database: Database) -> None:
    meeting = await a_session(database, DAY_BEFORE)
    await invited(database, meeting, "in_person")
    await reminding.queue_due(database, datetime(2027, 3, 4, 2, tzinfo=UTC))

    assert [(datetime(2027, 3, 4, 6, tzinfo=UTC), "planned", "quiet_hours")] == await newest(
        database, meeting
    )


async def test_what_would_be_of_no_use_in_the_morning_leaves_in_the_night(
    database: Database,
) -> None:
    meeting = await a_session(
        database, DAY_BEFORE, starts_local=datetime.combine(START.date(), time(7, 15))
    )
    person = (await invited(database, meeting, "in_person"))["person_id"]
    await reminding.queue_due(database, datetime(2027, 3, 4, 2, tzinfo=UTC))

    assert [person] == await recipients(database)


async def test_rules_of_minutes_know_no_night(database: Database) -> None:
    night = datetime.combine(START.date(), time(6, 30))
    meeting = await a_session(database, HOUR_BEFORE, starts_local=night)
    person = (await invited(database, meeting, "in_person"))["person_id"]
    await reminding.queue_due(database, datetime(2027, 3, 4, 5, tzinfo=UTC))

    assert [person] == await recipients(database)


async def test_what_leaves_a_little_late_is_on_time_when_the_night_begins(
    database: Database,
) -> None:
    evening = replace(DAY_BEFORE, at_local_time=time(19, 59))
    meeting = await a_session(database, evening)
    person = (await invited(database, meeting, "in_person"))["person_id"]
    await reminding.queue_due(database, datetime(2027, 3, 3, 19, 5, tzinfo=UTC))

    assert [person] == await recipients(database)


async def test_the_offices_summary_waits_for_the_morning_too(database: Database) -> None:
    meeting = await a_session(database, AT_DEADLINE)
    await invited(database, meeting)
    await builders.an_account(database)
    count = await reminding.queue_due(database, datetime(2027, 2, 25, 22, tzinfo=UTC))

    morning = datetime(2027, 2, 26, 6, tzinfo=UTC)
    assert 0 == count
    assert [(morning, "planned", "quiet_hours")] == await newest(database, meeting)
    assert 1 == await reminding.queue_due(database, morning)


async def _sweep(database: Database, _: Row, now: datetime) -> None:
    await reminding.plan_all(database, now)


async def _another_room(database: Database, meeting: Row, now: datetime) -> None:
    await change(database, meeting, now, room="Saal 2")


async def _another_rule(database: Database, meeting: Row, now: datetime) -> None:
    scope = Scope(meeting_id=meeting["id"])
    await ruling.save_rule(database, COMMAND, scope, HOUR_BEFORE, now)


@pytest.mark.parametrize("meanwhile", [_sweep, _another_room, _another_rule])
@pytest.mark.parametrize("at", [SATURDAY + HOUR, datetime(2027, 3, 8, 6, 0, 1, tzinfo=UTC)])
async def test_what_waits_for_the_morning_is_neither_lost_nor_sent_before(
    database: Database,
    meanwhile: Callable[[Database, Row, datetime], Awaitable[None]],
    at: datetime,
) -> None:
    meeting = await a_monday(database, DAY_BEFORE)
    person = (await invited(database, meeting, "in_person"))["person_id"]
    await reminding.queue_due(database, SATURDAY)
    await meanwhile(database, meeting, at)
    state = "SELECT due_at, reason FROM reminder_slot WHERE reason IS NOT NULL"
    waiting = [tuple(row) for row in await database.fetch(state)]
    await reminding.queue_due(database, datetime(2027, 3, 8, 6, 0, 2, tzinfo=UTC))

    assert [(datetime(2027, 3, 8, 6, tzinfo=UTC), "quiet_hours")] == waiting
    assert [person] == await recipients(database)


async def test_of_those_that_waited_for_one_morning_each_person_gets_the_newest(
    database: Database,
) -> None:
    """The older rule is for more people, so its slot is not overtaken as a whole."""
    afternoon = replace(DAY_BEFORE, audience=(Audience.ACCEPTED,), at_local_time=time(15))
    meeting = await a_monday(database, DAY_BEFORE, afternoon)
    coming = (await invited(database, meeting, "in_person"))["person_id"]
    undecided = (await invited(database, meeting, "undecided"))["person_id"]
    rows = await database.fetch(
        "SELECT id, at_local_time FROM reminder_rule ORDER BY at_local_time"
    )
    older, newer = (str(row["id"]) for row in rows)
    # Ids that would have the older one come last.
    await database.fetch(
        "UPDATE reminder_slot SET id = CASE WHEN rule_id = $1 THEN $2::uuid ELSE $3 END",
        *(rows[0]["id"], UUID(int=9), UUID(int=1)),
    )
    await reminding.queue_due(database, SATURDAY)
    await reminding.queue_due(database, datetime(2027, 3, 8, 6, tzinfo=UTC))

    letters = await builders.letters(database)
    got = {row["recipient_id"]: row["cause"]["rule"] for row in letters if row["state"] == "queued"}
    assert {coming: newer, undecided: older} == got
    assert {coming: "newer_is_due"} == await left_out(database)
