"""Reminders whose time lies behind: after a move, after a standstill, in the night."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

import pytest

from service import noticing, planning, reminding, ruling, scheduling
from service.auditing import COMMAND
from service.database import Database
from service.domain.reminders import Audience, Rule
from service.ruling import Scope
from service.saving import Letters, Options
from tests import builders
from tests.builders import NOW, START, Row
from tests.service.test_reminding import (
    A_DAY_BEFORE,
    AN_HOUR_BEFORE,
    DAY_BEFORE,
    HOUR_BEFORE,
    NUDGE,
    a_session,
    invited,
    left_out,
    plan,
    recipients,
    slots,
)
from tests.service.test_summarising import AT_DEADLINE

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
NUDGE_AT = datetime(2027, 2, 23, 8, tzinfo=UTC)
SILENT = Options(letters=Letters.NONE)


async def change(
    database: Database, meeting: Row, now: datetime, options: Options | None = None, **fields: Any
) -> UUID | None:
    """Save some fields of a session anew; return the notice that it gives rise to."""
    form, _ = await planning.load_form(database, meeting["id"])
    saved = await scheduling.change(
        *(database, COMMAND, meeting["id"], replace(form, **fields), now),
        options=options or Options(),
    )
    return saved.notice_ids[0] if saved.notice_ids else None


async def newest(database: Database, meeting: Row) -> list[tuple[Any, ...]]:
    """Return due time, state and reason of the slots of the session's present times."""
    every = await slots(database, meeting)
    return [row[1:] for row in every if row[0] == max(row[0] for row in every)]


# After a move.


async def test_what_is_overdue_at_the_new_time_is_left_to_the_notice_of_the_move(
    database: Database,
) -> None:
    meeting = await a_session(database, replace(NUDGE, days_before=4), NUDGE, DAY_BEFORE)
    silent = await invited(database, meeting)
    await reminding.queue_due(database, NUDGE_AT)
    late = NUDGE_AT + timedelta(hours=14)
    await change(database, meeting, late, start_time=time(10, 30), end_time=time(12, 30))

    assert 0 == await reminding.queue_due(database, late)
    assert [
        (NUDGE_AT - timedelta(days=4), "skipped", "merged_in_change"),
        (NUDGE_AT, "skipped", "merged_in_change"),
        (A_DAY_BEFORE, "planned", None),
    ] == await newest(database, meeting)
    rows = await builders.letters(database, kind="nudge")
    assert [(silent["person_id"], "cancelled")] == [
        (row["recipient_id"], row["state"]) for row in rows
    ]


@pytest.mark.parametrize(
    ("before", "fate"),
    [
        (24 * HOUR + MINUTE, ("skipped", "merged_in_change")),
        (24 * HOUR + 2 * MINUTE, ("planned", None)),
    ],
)
async def test_a_rule_of_days_is_left_to_the_notice_that_leaves_within_a_day_before(
    database: Database, before: timedelta, fate: tuple[str, str | None]
) -> None:
    meeting = await a_session(database, DAY_BEFORE)
    await invited(database, meeting, "in_person")
    # The former start is near: the countdown is a minute.
    await change(
        *(database, meeting, A_DAY_BEFORE + DAY - before), start_on=date(2027, 3, 5), end_on=None
    )

    assert [(A_DAY_BEFORE + DAY, *fate)] == await newest(database, meeting)


@pytest.mark.parametrize(
    ("before", "fate"),
    [(MINUTE, ("skipped", "merged_in_change")), (2 * MINUTE, ("planned", None))],
)
async def test_a_rule_of_minutes_is_left_to_a_notice_that_leaves_after_it_fell_due(
    database: Database, before: timedelta, fate: tuple[str, str | None]
) -> None:
    meeting = await a_session(database, HOUR_BEFORE)
    await invited(database, meeting, "in_person")
    due = AN_HOUR_BEFORE + HOUR / 2
    await change(*(database, meeting, due - before), start_time=time(10, 30), end_time=time(12, 30))

    assert [(due, *fate)] == await newest(database, meeting)


async def test_without_a_notice_only_what_lies_behind_is_left_out(database: Database) -> None:
    meeting = await a_session(database, replace(DAY_BEFORE, days_before=2), DAY_BEFORE)
    await invited(database, meeting, "in_person")
    await change(
        *(database, meeting, A_DAY_BEFORE - HOUR, SILENT),
        start_time=time(10, 30),
        end_time=time(12, 30),
    )

    assert [
        (A_DAY_BEFORE - DAY, "skipped", "planned_late"),
        (A_DAY_BEFORE, "planned", None),
    ] == await newest(database, meeting)


async def test_a_deadline_that_is_brought_forward_presses_nobody_at_once(
    database: Database,
) -> None:
    meeting = await a_session(database, NUDGE)
    await invited(database, meeting)
    now = NUDGE_AT - 4 * DAY
    await change(database, meeting, now, answer_by=START - timedelta(days=12))

    assert 0 == await reminding.queue_due(database, now)
    assert [("skipped", "planned_late")] == [row[1:] for row in await newest(database, meeting)]


async def test_a_session_that_takes_place_after_all_sends_nothing_late(database: Database) -> None:
    meeting = await a_session(database, NUDGE, DAY_BEFORE)
    await invited(database, meeting)
    await scheduling.cancel(database, COMMAND, meeting["id"], "Grund", NUDGE_AT - DAY)
    await noticing.queue_due(database, NUDGE_AT - DAY + HOUR)
    await scheduling.uncancel(database, COMMAND, meeting["id"], None, NUDGE_AT + HOUR)

    assert 0 == await reminding.queue_due(database, NUDGE_AT + HOUR)
    assert [
        (NUDGE_AT, "skipped", "merged_in_change"),
        (A_DAY_BEFORE, "planned", None),
    ] == await newest(database, meeting)


async def test_a_likely_date_that_is_confirmed_sends_nothing_late(database: Database) -> None:
    meeting = await a_session(database, NUDGE, state="tentative")
    await invited(database, meeting)
    now = NUDGE_AT + HOUR
    await scheduling.confirm(database, COMMAND, meeting["id"], None, now)

    assert 0 == await reminding.queue_due(database, now)
    assert [(NUDGE_AT, "skipped", "merged_in_change")] == await newest(database, meeting)


async def test_what_was_overdue_before_another_room_was_named_still_leaves(
    database: Database,
) -> None:
    """After a standstill somebody saves before the next tick."""
    meeting = await a_session(database, DAY_BEFORE)
    person = (await invited(database, meeting, "in_person"))["person_id"]
    now = A_DAY_BEFORE + 2 * HOUR
    await change(database, meeting, now, room="Saal 2")
    await reminding.queue_due(database, now)

    assert [person] == await recipients(database)


async def test_what_was_overdue_before_the_deadlines_hour_changed_still_leaves(
    database: Database,
) -> None:
    meeting = await a_session(database, NUDGE)
    person = (await invited(database, meeting))["person_id"]
    now = NUDGE_AT + 2 * HOUR
    await change(database, meeting, now, answer_by=START - timedelta(days=7, hours=-3))
    await reminding.queue_due(database, now)

    assert [person] == await recipients(database, "nudge")


@pytest.mark.parametrize(
    ("withdrawn_at", "fate"),
    [
        (A_DAY_BEFORE - 2 * HOUR, ("planned", None)),
        (A_DAY_BEFORE + MINUTE, ("skipped", "merged_in_change")),
    ],
)
async def test_a_notice_that_is_taken_back_leaves_the_reminder_to_itself(
    database: Database, withdrawn_at: datetime, fate: tuple[str, str | None]
) -> None:
    meeting = await a_session(database, DAY_BEFORE)
    await invited(database, meeting, "in_person")
    now = A_DAY_BEFORE - 3 * HOUR
    notice = await change(database, meeting, now, start_time=time(10, 30), end_time=time(12, 30))
    assert notice is not None
    await noticing.withdraw(database, COMMAND, notice, withdrawn_at)

    assert [(A_DAY_BEFORE, *fate)] == await newest(database, meeting)


async def test_what_a_notice_has_said_stays_said_when_the_next_one_is_taken_back(
    database: Database,
) -> None:
    meeting = await a_session(database, DAY_BEFORE)
    await invited(database, meeting, "in_person")
    now = A_DAY_BEFORE - 3 * HOUR
    await change(database, meeting, now, start_time=time(10, 30), end_time=time(12, 30))
    await noticing.queue_due(database, now + MINUTE)
    notice = await change(database, meeting, now + HOUR, room="Saal 2")
    assert notice is not None
    await noticing.withdraw(database, COMMAND, notice, now + HOUR)

    assert [(A_DAY_BEFORE, "skipped", "merged_in_change")] == await newest(database, meeting)


async def test_a_notice_that_is_taken_back_brings_no_switched_off_rule_back(
    database: Database,
) -> None:
    meeting = await a_session(database, DAY_BEFORE)
    await invited(database, meeting, "in_person")
    now = A_DAY_BEFORE - 3 * HOUR
    notice = await change(database, meeting, now, start_time=time(10, 30), end_time=time(12, 30))
    assert notice is not None
    scope = Scope(meeting_id=meeting["id"])
    (known,) = await ruling.list_rules(database, scope)
    await ruling.switch_rule(database, COMMAND, scope, known.id, now, is_enabled=False)
    await noticing.withdraw(database, COMMAND, notice, now)

    assert 0 == await reminding.queue_due(database, A_DAY_BEFORE)
    assert "planned" not in {row[1] for row in await newest(database, meeting)}


async def test_a_sweep_brings_nothing_back_that_was_left_to_a_notice(database: Database) -> None:
    meeting = await a_session(database, DAY_BEFORE)
    await invited(database, meeting, "in_person")
    now = A_DAY_BEFORE - HOUR
    await change(database, meeting, now, start_time=time(10, 30), end_time=time(12, 30))
    await noticing.queue_due(database, now + MINUTE)
    await reminding.plan_all(database, now + 2 * MINUTE)

    assert [(A_DAY_BEFORE, "skipped", "merged_in_change")] == await newest(database, meeting)


async def test_a_rule_of_minutes_that_fell_due_before_the_invitation_is_left_to_it(
    database: Database,
) -> None:
    meeting = await a_session(database, HOUR_BEFORE, invited_at=AN_HOUR_BEFORE + MINUTE)

    assert [(AN_HOUR_BEFORE, "skipped", "merged_in_invitation")] == await newest(database, meeting)


# In the night.

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


# A deadline that is put off.


async def test_a_deadline_that_is_put_off_is_asked_for_anew(database: Database) -> None:
    meeting = await a_session(database, NUDGE)
    person = (await invited(database, meeting))["person_id"]
    await reminding.queue_due(database, NUDGE_AT)
    await database.fetch("UPDATE letter SET created_at = $1", NUDGE_AT)
    later = START - timedelta(days=3)
    await change(database, meeting, NUDGE_AT + DAY, answer_by=later)
    planned = await newest(database, meeting)
    again = NUDGE_AT + 2 * DAY
    await reminding.queue_due(database, again)
    once_more = await reminding.queue_due(database, again + HOUR)

    assert [(again, "planned", None)] == planned
    assert ([person] * 2, 0) == (await recipients(database, "nudge"), once_more)


async def test_a_changed_request_that_has_fired_is_not_sent_once_more(database: Database) -> None:
    """Only another deadline is another question."""
    meeting = await a_session(database, replace(NUDGE, days_before=7))
    await invited(database, meeting)
    fired_at = NUDGE_AT - 5 * DAY
    await reminding.queue_due(database, fired_at)
    scope = Scope(meeting_id=meeting["id"])
    (known,) = await ruling.list_rules(database, scope)
    await ruling.save_rule(database, COMMAND, scope, NUDGE, fired_at + HOUR, rule_id=known.id)

    assert ["expanded"] == [row[1] for row in await newest(database, meeting)]


async def test_the_key_of_a_request_names_its_deadline(database: Database) -> None:
    meeting = await a_session(database, NUDGE)
    person = (await invited(database, meeting))["person_id"]
    await reminding.queue_due(database, NUDGE_AT)
    rule = await database.fetchval("SELECT id FROM reminder_rule")
    (letter,) = await builders.letters(database)

    deadline = int(meeting["answer_by"].timestamp())
    assert f"ndg:{meeting['id']}:{rule}:0:{deadline}:{person}" == letter["dedupe_key"]


async def test_a_request_of_an_earlier_version_is_known_by_its_key_without_a_deadline(
    database: Database,
) -> None:
    meeting = await a_session(database, NUDGE)
    person = (await invited(database, meeting))["person_id"]
    await reminding.queue_due(database, NUDGE_AT)
    rule = await database.fetchval("SELECT id FROM reminder_rule")
    await database.fetch(
        "UPDATE letter SET created_at = $1, dedupe_key = $2",
        *(NUDGE_AT - 2 * DAY, f"ndg:{meeting['id']}:{rule}:0:{person}"),
    )
    await database.fetch("UPDATE reminder_slot SET state = 'planned'")
    same_deadline = await reminding.queue_due(database, NUDGE_AT)
    await change(database, meeting, NUDGE_AT + HOUR, answer_by=START - timedelta(days=3))
    another = await reminding.queue_due(database, NUDGE_AT + 3 * DAY)

    assert (0, 1) == (same_deadline, another)


async def test_a_deadline_that_is_put_off_and_back_again_sends_nothing_late(
    database: Database,
) -> None:
    meeting = await a_session(database, NUDGE)
    await invited(database, meeting)
    await reminding.queue_due(database, NUDGE_AT)
    await change(database, meeting, NUDGE_AT + HOUR, answer_by=START - timedelta(days=3))
    deadline = meeting["answer_by_local"]
    await change(database, meeting, NUDGE_AT + 2 * HOUR, answer_by=deadline)

    assert 0 == await reminding.queue_due(database, NUDGE_AT + 2 * HOUR)
    assert [(NUDGE_AT, "skipped", "planned_late")] == await newest(database, meeting)


async def test_what_is_planned_at_the_same_deadline_stays_as_it_is(database: Database) -> None:
    meeting = await a_session(database, NUDGE)
    await plan(database, meeting, NOW + HOUR)

    assert NOW == await database.fetchval("SELECT computed_at FROM reminder_slot")
