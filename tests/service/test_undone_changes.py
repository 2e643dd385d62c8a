"""What is due while a change waits that is undone before anybody was told of it."""

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest

from service import noticing, reminding, scheduling
from service.auditing import COMMAND
from service.database import Database
from service.domain.reminders import Audience, Kind
from tests.builders import START, Row
from tests.service.test_late_reminders import DAY, HOUR, MINUTE, NUDGE_AT, change, newest
from tests.service.test_reminding import (
    A_DAY_BEFORE,
    DAY_BEFORE,
    HOUR_BEFORE,
    NUDGE,
    a_session,
    invited,
    recipients,
)
from tests.service.test_what_people_know import invite

# The countdown is a minute, because the session is near.
JUST_BEFORE = A_DAY_BEFORE - timedelta(seconds=20)
JUST_AFTER = A_DAY_BEFORE + timedelta(seconds=20)
HOME = START.date()
AWAY = date(2027, 3, 16)


async def there_and_back(database: Database, meeting: Row, there: datetime, back: datetime) -> int:
    """Move the session and move it back; return how many letters of any kind leave then."""
    await change(database, meeting, there, start_on=AWAY)
    assert 0 == await reminding.queue_due(database, back)
    await change(database, meeting, back, start_on=HOME)
    told = await noticing.queue_due(database, back + HOUR)
    return told + await reminding.queue_due(database, back)


async def test_a_reminder_that_falls_due_meanwhile_leaves_when_the_session_is_moved_back(
    database: Database,
) -> None:
    meeting = await a_session(database, DAY_BEFORE)
    person = (await invited(database, meeting, "in_person"))["person_id"]

    assert 1 == await there_and_back(database, meeting, JUST_BEFORE, JUST_AFTER)
    assert [person] == await recipients(database)


async def test_a_reminder_that_counts_minutes_leaves_likewise(database: Database) -> None:
    meeting = await a_session(database, replace(HOUR_BEFORE, minutes_before=24 * 60 + 120))
    person = (await invited(database, meeting, "in_person"))["person_id"]
    due = A_DAY_BEFORE - HOUR

    assert 1 == await there_and_back(database, meeting, due - MINUTE / 3, due + MINUTE / 3)
    assert [person] == await recipients(database)


async def test_a_reminder_leaves_when_the_session_is_cancelled_and_takes_place_after_all(
    database: Database,
) -> None:
    meeting = await a_session(database, DAY_BEFORE)
    person = (await invited(database, meeting, "in_person"))["person_id"]
    await scheduling.cancel(database, COMMAND, meeting["id"], "Grund", JUST_BEFORE)
    await reminding.queue_due(database, A_DAY_BEFORE)
    await scheduling.uncancel(database, COMMAND, meeting["id"], None, JUST_AFTER)
    await noticing.queue_due(database, JUST_AFTER + HOUR)
    await reminding.queue_due(database, JUST_AFTER)

    assert [person] == await recipients(database)


async def test_a_request_that_falls_due_meanwhile_leaves_when_the_session_is_moved_back(
    database: Database,
) -> None:
    meeting = await a_session(database, NUDGE)
    person = (await invited(database, meeting))["person_id"]
    deadline = START - timedelta(days=7)
    await change(database, meeting, NUDGE_AT - DAY, answer_by=deadline)
    await change(database, meeting, NUDGE_AT - 3 * MINUTE, start_on=AWAY)
    await change(database, meeting, NUDGE_AT + 3 * MINUTE, start_on=HOME, answer_by=deadline)
    await reminding.queue_due(database, NUDGE_AT + 3 * MINUTE)

    assert [person] == await recipients(database, "nudge")


async def test_what_lay_behind_when_the_session_was_moved_away_is_not_sent_once_more(
    database: Database,
) -> None:
    meeting = await a_session(database, replace(DAY_BEFORE, days_before=2), DAY_BEFORE)
    await invited(database, meeting, "in_person")
    await reminding.queue_due(database, A_DAY_BEFORE - DAY)
    now = A_DAY_BEFORE - 2 * HOUR

    assert 0 == await there_and_back(database, meeting, now, now + MINUTE / 2)
    assert [
        (A_DAY_BEFORE - DAY, "skipped", "planned_late"),
        (A_DAY_BEFORE, "planned", None),
    ] == await newest(database, meeting)


async def test_a_summary_that_falls_due_meanwhile_leaves_when_the_session_is_moved_back(
    database: Database,
) -> None:
    rule = replace(DAY_BEFORE, kind=Kind.SUMMARY, audience=(Audience.OFFICE,))
    meeting = await a_session(database, rule)
    await invited(database, meeting, "in_person")
    await there_and_back(database, meeting, JUST_BEFORE, JUST_AFTER)

    assert [(A_DAY_BEFORE, "expanded", None)] == await newest(database, meeting)


@pytest.mark.parametrize("undone_after", [3 * MINUTE, 8 * MINUTE])
async def test_a_request_that_was_left_to_a_change_leaves_when_the_change_is_undone(
    database: Database, undone_after: timedelta
) -> None:
    """The deadline stays where it was put; only the room is as before."""
    meeting = await a_session(database, NUDGE)
    person = (await invited(database, meeting))["person_id"]
    now = NUDGE_AT - 5 * MINUTE - DAY
    earlier = START - timedelta(days=8)
    await change(database, meeting, now, room="Saal 2", answer_by=earlier)
    await change(database, meeting, now + undone_after, room="Saal 1")
    await noticing.queue_due(database, now + HOUR)
    await reminding.queue_due(database, now + HOUR)

    assert [person] == await recipients(database, "nudge")


async def test_the_others_are_reminded_where_only_a_newcomer_is_told_of_the_way_back(
    database: Database,
) -> None:
    meeting = await a_session(database, DAY_BEFORE)
    person = (await invited(database, meeting, "in_person"))["person_id"]
    await change(database, meeting, JUST_BEFORE, start_on=AWAY)
    newcomer = await invite(database, meeting, JUST_BEFORE)
    await change(database, meeting, JUST_AFTER, start_on=HOME)
    await reminding.queue_due(database, JUST_AFTER)
    await noticing.queue_due(database, JUST_AFTER + MINUTE)

    assert [person] == await recipients(database)
    assert [newcomer] == await recipients(database, "change")
