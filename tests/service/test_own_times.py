"""Reminders at times that people chose for themselves, and whom a slot leaves out and why."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service import preferring, reminding
from service.auditing import COMMAND
from service.database import Database
from service.domain.errors import FieldsError
from service.domain.preferences import OwnTimes, Preferences
from service.domain.reminders import (
    COMING,
    DEFAULT_RULES,
    OWN_DAYS,
    OWN_MINUTES,
    Audience,
    Kind,
    Rule,
)
from service.reminding import PlannedLetters
from tests import builders
from tests.builders import NOW, Row
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
)

IN_THE_AFTERNOON = OwnTimes(days=(1,), at=time(15))
AFTERNOON_BEFORE = A_DAY_BEFORE + timedelta(hours=6)
SAME_DAY = OwnTimes(days=(0,), at=time(8))
SAME_MORNING = datetime(2027, 3, 4, 7, 0, tzinfo=UTC)
# What is overdue is counted as of the present instant of the database.
STILL_PAUSED = max(date(2027, 3, 3), datetime.now(UTC).date() + timedelta(days=2))


async def wish(
    database: Database, invitation: Row, now: datetime = NOW, **wished: Any
) -> Preferences:
    chosen = Preferences(**wished)
    await preferring.save(database, COMMAND, invitation["person_id"], chosen, now)
    return chosen


async def planned(database: Database, meeting: Row) -> list[PlannedLetters]:
    return await reminding.planned_letters(database, meeting["id"])


async def test_own_times_take_the_place_of_what_is_planned_for_this_person_alone(
    database: Database,
) -> None:
    meeting = await a_session(database, DAY_BEFORE)
    own = await invited(database, meeting, "in_person")
    usual = await invited(database, meeting, "in_person")
    await wish(database, own, own_times=IN_THE_AFTERNOON)

    counts = [
        await reminding.queue_due(database, due)
        for due in (A_DAY_BEFORE, AFTERNOON_BEFORE, AN_HOUR_BEFORE)
    ]

    assert [1, 1, 0] == counts
    assert sorted([own["person_id"], usual["person_id"]]) == await recipients(database)
    assert {own["person_id"]: "own_times"} == await left_out(database)


async def test_the_session_page_shows_own_times_as_one_slot_with_their_number(
    database: Database,
) -> None:
    meeting = await a_session(database, DAY_BEFORE)
    for times in (IN_THE_AFTERNOON, IN_THE_AFTERNOON, None, SAME_DAY):
        await wish(database, await invited(database, meeting, "in_person"), own_times=times)

    assert [
        (False, 1, A_DAY_BEFORE, 1),
        (True, 2, AFTERNOON_BEFORE, 1),
        (True, 1, SAME_MORNING, 0),
    ] == [
        (each.is_choice, each.letters, each.due_at, each.rule.days_before)
        for each in await planned(database, meeting)
    ]


async def test_minutes_of_ones_own_fall_due_in_real_time(database: Database) -> None:
    meeting = await a_session(database)
    person = await invited(database, meeting, "in_person")
    await wish(database, person, own_times=OwnTimes(minutes=(60, 15)))

    early = await reminding.queue_due(database, AN_HOUR_BEFORE)
    late = await reminding.queue_due(database, AN_HOUR_BEFORE + timedelta(minutes=45))

    assert (1, 1) == (early, late)


async def test_nobody_is_asked_for_an_answer_by_own_times(database: Database) -> None:
    meeting = await a_session(database, NUDGE)
    person = await invited(database, meeting)
    await wish(database, person, own_times=IN_THE_AFTERNOON)

    nudged = await reminding.queue_due(database, datetime(2027, 2, 23, 9, tzinfo=UTC))
    reminded = await reminding.queue_due(database, AFTERNOON_BEFORE)

    assert (1, 0) == (nudged, reminded)


async def test_a_time_that_lies_behind_when_it_is_chosen_is_not_sent_late(
    database: Database,
) -> None:
    meeting = await a_session(database)
    person = await invited(database, meeting, "in_person")
    chosen_at = AFTERNOON_BEFORE + timedelta(minutes=1)
    await wish(database, person, chosen_at, own_times=IN_THE_AFTERNOON)
    await reminding.plan_all(database, chosen_at)

    assert 0 == await reminding.queue_due(database, chosen_at)
    assert ["rule_is_newer"] == [each.reason for each in await planned(database, meeting)]


async def test_choosing_a_time_again_never_sends_it_twice(database: Database) -> None:
    meeting = await a_session(database)
    person = await invited(database, meeting, "in_person")
    counts = []
    for times in (IN_THE_AFTERNOON, None, IN_THE_AFTERNOON):
        await wish(database, person, AFTERNOON_BEFORE - timedelta(hours=1), own_times=times)
        counts.append(await reminding.queue_due(database, AFTERNOON_BEFORE))

    assert [1, 0, 0] == counts


async def test_whoever_gives_own_times_up_gets_what_is_planned(database: Database) -> None:
    meeting = await a_session(database, DAY_BEFORE)
    person = await invited(database, meeting, "in_person")
    await wish(database, person, own_times=SAME_DAY)
    await wish(database, person)

    assert 1 == await reminding.queue_due(database, A_DAY_BEFORE)
    assert 0 == await reminding.queue_due(database, SAME_MORNING)


async def test_whoever_is_invited_after_the_others_planned_is_reminded_at_own_times(
    database: Database,
) -> None:
    meeting = await a_session(database)
    first, late = await invited(database, meeting, "in_person"), await builders.a_person(database)
    await wish(database, first, own_times=IN_THE_AFTERNOON)
    await wish(database, {"person_id": late["id"]}, own_times=IN_THE_AFTERNOON)
    await builders.an_invitation(database, meeting, late, answer="in_person", invited_at=NOW)

    assert 2 == await reminding.queue_due(database, AFTERNOON_BEFORE)


async def test_a_newcomer_with_a_time_of_his_own_gets_a_slot_with_the_next_plan(
    database: Database,
) -> None:
    meeting, person = await a_session(database), await builders.a_person(database)
    await wish(database, {"person_id": person["id"]}, own_times=IN_THE_AFTERNOON)
    await builders.an_invitation(database, meeting, person, answer="in_person", invited_at=NOW)
    await reminding.plan_all(database, NOW)

    assert 1 == await reminding.queue_due(database, AFTERNOON_BEFORE)


async def test_a_moved_session_reminds_at_own_times_before_its_new_date(
    database: Database,
) -> None:
    meeting = await a_session(database)
    person = await invited(database, meeting, "in_person")
    await wish(database, person, own_times=IN_THE_AFTERNOON)
    await database.fetch(
        "UPDATE meeting SET time_rev = 1, starts_local = starts_local + interval '1 day',"
        " ends_local = ends_local + interval '1 day', starts_at = starts_at + interval '1 day',"
        " ends_at = ends_at + interval '1 day'"
    )
    await plan(database, meeting)
    rows = await database.fetch("SELECT time_rev, state, due_at FROM reminder_slot ORDER BY 1")

    later = AFTERNOON_BEFORE + timedelta(days=1)
    assert [(0, "cancelled", AFTERNOON_BEFORE), (1, "planned", later)] == [
        tuple(row) for row in rows
    ]


async def test_two_who_choose_the_same_time_at_once_share_one_rule(database: Database) -> None:
    meeting = await a_session(database)
    people = [await invited(database, meeting, "in_person") for _ in range(4)]
    await asyncio.gather(*(wish(database, one, own_times=IN_THE_AFTERNOON) for one in people))
    counts = await asyncio.gather(
        *(reminding.queue_due(database, AFTERNOON_BEFORE) for _ in range(3))
    )

    assert 1 == await database.fetchval("SELECT count(*) FROM reminder_rule WHERE is_choice")
    assert [(True, 4)] == [
        (each.is_choice, each.letters) for each in await planned(database, meeting)
    ]
    assert 4 == sum(counts)


@pytest.mark.parametrize(
    "times",
    [OwnTimes(), OwnTimes(days=(3,)), OwnTimes(days=(1,), at=time(3)), OwnTimes(minutes=(7,))],
)
async def test_times_that_nobody_offers_are_refused(database: Database, times: OwnTimes) -> None:
    person = await builders.a_person(database)
    with pytest.raises(FieldsError):
        await wish(database, {"person_id": person["id"]}, own_times=times)

    assert 0 == await database.fetchval("SELECT count(*) FROM preference")


async def test_times_of_ones_own_are_rules_for_nobody_else(database: Database) -> None:
    async with database.unit_of_work() as unit:
        await reminding.ensure_rules(unit.connection)
    meeting = await a_session(database)
    person = await invited(database, meeting, "in_person")
    await wish(database, person, own_times=IN_THE_AFTERNOON)
    other = await a_session(database)
    await invited(database, other, "in_person")
    await plan(database, other)

    assert not any(each.is_choice for each in await planned(database, other))
    assert len(DEFAULT_RULES) == len(await planned(database, other))


@pytest.mark.parametrize(
    ("wished", "reason"),
    [
        ({"reminders": False}, "unsubscribed"),
        ({"paused_until": STILL_PAUSED}, "paused"),
        ({"paused_until": date(2027, 3, 2)}, None),
        ({"digest_only": True}, "digest_only"),
        ({"own_times": SAME_DAY}, "own_times"),
        ({"nudges": False, "papers": False, "text_only": True}, None),
    ],
)
async def test_whoever_is_left_out_stands_in_the_log_with_the_reason_and_in_no_count(
    database: Database, wished: dict[str, Any], reason: str | None
) -> None:
    meeting = await a_session(database, DAY_BEFORE)
    person = await invited(database, meeting, "in_person")
    said_on = wished.get("paused_until", NOW.date()) - timedelta(days=1)
    await wish(database, person, datetime.combine(said_on, time(8), UTC), **wished)
    expected = next(each for each in await planned(database, meeting) if not each.is_choice)

    assert (
        (reason is None)
        == bool(expected.letters)
        == bool(await reminding.queue_due(database, A_DAY_BEFORE))
    )
    assert [reason] == [row["reason"] for row in await builders.letters(database)]


async def test_whoever_has_no_address_is_left_out_and_said_to_have_none(
    database: Database,
) -> None:
    meeting = await a_session(database, DAY_BEFORE)
    person = await builders.a_person(database, email=None, email_normal=None)
    await builders.an_invitation(
        database, meeting, person, answer="in_person", invited_at=NOW - timedelta(days=20)
    )

    assert 0 == await reminding.queue_due(database, A_DAY_BEFORE)
    assert {person["id"]: "no_address"} == await left_out(database)


async def test_whoever_is_left_out_has_one_row_however_often_the_slot_is_tried(
    database: Database,
) -> None:
    meeting = await a_session(database, DAY_BEFORE)
    await wish(database, await invited(database, meeting, "in_person"), reminders=False)
    for _ in range(3):
        await reminding.queue_due(database, A_DAY_BEFORE)
        await database.fetch("UPDATE reminder_slot SET state = 'planned'")

    assert 1 == len(await builders.letters(database))


async def test_no_copy_goes_to_the_secretariat_of_who_is_left_out(database: Database) -> None:
    meeting = await a_session(database, DAY_BEFORE)
    person = await builders.a_person(database, copy_email="vorzimmer@example.org")
    invitation = await builders.an_invitation(
        database, meeting, person, answer="in_person", invited_at=NOW - timedelta(days=20)
    )
    await wish(database, invitation, digest_only=True)
    await reminding.queue_due(database, A_DAY_BEFORE)

    assert ["reminder"] == [row["kind"] for row in await builders.letters(database)]


# Whoever counts beforehand and whoever writes letters must agree, whatever people chose.

_OWN = st.builds(
    OwnTimes,
    days=st.sets(st.sampled_from(OWN_DAYS), min_size=1).map(tuple),
    at=st.sampled_from([time(8), time(9), time(15)]),
    minutes=st.sets(st.sampled_from(OWN_MINUTES)).map(tuple),
)
_WISHES = st.none() | st.builds(
    Preferences,
    reminders=st.booleans(),
    nudges=st.booleans(),
    digest_only=st.sampled_from([False, False, True]),
    paused_until=st.none() | st.dates(date(2027, 2, 20), date(2027, 3, 5)),
    own_times=st.none() | _OWN,
)
_PERSON = st.tuples(
    st.sampled_from([None, "in_person", "online", "undecided", "declined"]),
    st.sampled_from([20, -48, -57]),
    _WISHES,
)
_RULES: Sequence[Rule] = (
    NUDGE,
    DAY_BEFORE,
    replace(DAY_BEFORE, at_local_time=time(15), audience=(Audience.ACCEPTED,)),
    replace(DAY_BEFORE, days_before=7, min_days_invited=10),
    replace(HOUR_BEFORE, only_online=True),
    Rule(kind=Kind.REMINDER, audience=COMING, days_before=0, at_local_time=time(8)),
)


@settings(
    max_examples=15,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    people=st.lists(_PERSON, min_size=1, max_size=4),
    rules=st.sets(st.sampled_from(_RULES), min_size=1, max_size=4),
)
async def test_every_slot_writes_as_many_letters_as_were_counted_before(
    database: Database,
    people: list[tuple[str | None, int, Preferences | None]],
    rules: set[Rule],
) -> None:
    meeting = await a_session(database, *rules, mode="hybrid")
    for answer, days_ago, wished in people:
        one = await invited(database, meeting, answer, invited_at=NOW - timedelta(days=days_ago))
        if wished is not None:
            await preferring.save(database, COMMAND, one["person_id"], wished, NOW)
    counted, written, passed = {}, {}, []
    for due_at in sorted({each.due_at for each in await planned(database, meeting)}):
        before = await planned(database, meeting)
        counted |= {each.id: each.letters for each in before if each.due_at == due_at}
        await reminding.queue_due(database, due_at)
        after = await planned(database, meeting)
        written |= {each.id: each.letters for each in after if each.due_at == due_at}
        # What was written just now bears the time of this machine.
        passed.append(due_at)
        await database.fetch(
            "UPDATE letter SET created_at = $1 WHERE created_at <> ALL ($2)", due_at, passed
        )
    left = await database.fetchval(
        "SELECT count(*) FROM letter l JOIN outbox o USING (id)"
        " WHERE l.subject_id = $1 AND (o.state = 'cancelled') <> (o.reason IS NOT NULL)",
        meeting["id"],
    )

    assert counted == written
    assert 0 == left
