"""Reminders whose time lies behind after a move, and what the notice of a change says."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

import pytest

from service import noticing, planning, reminding, ruling, scheduling
from service.auditing import COMMAND
from service.database import Database
from service.ruling import Scope
from service.saving import Letters, Options
from tests import builders
from tests.builders import START, Row
from tests.service.test_reminding import (
    A_DAY_BEFORE,
    AN_HOUR_BEFORE,
    DAY_BEFORE,
    HOUR_BEFORE,
    NUDGE,
    a_session,
    invited,
    recipients,
    slots,
)

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
