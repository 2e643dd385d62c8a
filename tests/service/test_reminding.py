import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pytest

from service import noticing, planning, reminding, ruling, scheduling
from service.auditing import COMMAND
from service.database import Database
from service.domain.errors import NotFoundError
from service.domain.reminders import COMING, Anchor, Audience, Kind, Rule
from service.ruling import Scope
from tests import builders
from tests.builders import NOW, START, Row, read
from tests.service.test_planning import OnlyGroup

HOUR_BEFORE = Rule(kind=Kind.REMINDER, audience=COMING, minutes_before=60)
DAY_BEFORE = Rule(kind=Kind.REMINDER, audience=COMING, days_before=1, at_local_time=time(9))
NUDGE = Rule(
    kind=Kind.NUDGE,
    audience=(Audience.NO_ANSWER,),
    anchor=Anchor.ANSWER_BY,
    days_before=2,
    at_local_time=time(9),
)
AN_HOUR_BEFORE = datetime(2027, 3, 4, 8, 0, tzinfo=UTC)
_RULES = "SELECT rule_id, due_at FROM reminder_slot"
A_DAY_BEFORE = datetime(2027, 3, 3, 8, 0, tzinfo=UTC)


async def a_session(database: Database, *rules: Rule, **columns: Any) -> Row:
    """Insert a session that people were invited to long ago, with its own rules alone."""
    given = {"invited_at": NOW - timedelta(days=20)}
    meeting = await builders.a_meeting(database, **given | columns)
    async with database.unit_of_work() as unit:
        for rule in rules:
            await reminding.add_rule(unit.connection, rule, meeting_id=meeting["id"])
    await plan(database, meeting)
    return meeting


async def plan(database: Database, meeting: Row, now: datetime = NOW) -> None:
    async with database.unit_of_work() as unit:
        await reminding.plan_slots(unit.connection, meeting["id"], now)


async def slots(database: Database, meeting: Row) -> list[tuple[Any, ...]]:
    rows = await database.fetch(
        "SELECT time_rev, due_at, state, reason FROM reminder_slot WHERE meeting_id = $1"
        " ORDER BY time_rev, due_at",
        meeting["id"],
    )
    return [tuple(row) for row in rows]


async def invited(database: Database, meeting: Row, answer: str | None = None, **more: Any) -> Row:
    columns = {"answer": answer, "invited_at": NOW - timedelta(days=20), **more}
    return await builders.an_invitation(database, meeting, **columns)


async def recipients(database: Database, kind: str = "reminder") -> list[Any]:
    rows = await builders.letters(database, kind=kind)
    return sorted(row["recipient_id"] for row in rows if row["state"] != "cancelled")


async def left_out(database: Database) -> dict[Any, str]:
    rows = await builders.letters(database)
    return {row["recipient_id"]: row["reason"] for row in rows if row["state"] == "cancelled"}


# Planning.


async def test_a_slot_lies_at_the_meetings_wall_time(database: Database) -> None:
    meeting = await a_session(database, DAY_BEFORE)

    assert [(0, A_DAY_BEFORE, "planned", None)] == await slots(database, meeting)


@pytest.mark.parametrize(
    ("day", "due"),
    [
        (date(2027, 3, 30), datetime(2027, 3, 25, 8, tzinfo=UTC)),
        (date(2027, 4, 1), datetime(2027, 3, 31, 7, tzinfo=UTC)),
        (date(2027, 10, 29), datetime(2027, 10, 28, 7, tzinfo=UTC)),
        (date(2027, 11, 3), datetime(2027, 11, 2, 8, tzinfo=UTC)),
    ],
)
async def test_nine_oclock_stays_nine_oclock_over_a_change_of_the_clocks(
    database: Database, day: date, due: datetime
) -> None:
    starts = datetime.combine(day, time(10))
    meeting = await a_session(database, DAY_BEFORE, starts_local=starts)

    assert [due] == [row[1] for row in await slots(database, meeting)]


async def test_an_hour_before_is_an_hour_of_real_time(database: Database) -> None:
    """The clocks jump from two to three on 28 March 2027."""
    starts = datetime.combine(date(2027, 3, 28), time(3, 30))
    meeting = await a_session(database, HOUR_BEFORE, starts_local=starts)

    assert [datetime(2027, 3, 28, 0, 30, tzinfo=UTC)] == [
        row[1] for row in await slots(database, meeting)
    ]


async def test_a_day_based_slot_that_is_due_with_the_invitation_is_left_to_it(
    database: Database,
) -> None:
    meeting = await a_session(database, DAY_BEFORE, invited_at=A_DAY_BEFORE - timedelta(hours=23))

    assert [(0, A_DAY_BEFORE, "skipped", "merged_in_invitation")] == await slots(database, meeting)


async def test_a_minute_based_slot_is_sent_right_after_the_invitation(database: Database) -> None:
    told = AN_HOUR_BEFORE - timedelta(minutes=30)
    meeting = await a_session(database, HOUR_BEFORE, invited_at=told)

    assert [(0, AN_HOUR_BEFORE, "planned", None)] == await slots(database, meeting)


async def test_a_slot_whose_use_is_over_is_missed(database: Database) -> None:
    meeting = await a_session(database)
    async with database.unit_of_work() as unit:
        await reminding.add_rule(unit.connection, DAY_BEFORE, meeting_id=meeting["id"])
    await plan(database, meeting, datetime(2027, 3, 4, 8, 45, tzinfo=UTC))

    assert [(0, A_DAY_BEFORE, "missed", "too_late")] == await slots(database, meeting)


@pytest.mark.parametrize("state", ["tentative", "postponed", "cancelled", "held"])
async def test_only_a_date_that_stands_is_reminded_of(database: Database, state: str) -> None:
    meeting = await a_session(database, DAY_BEFORE)
    await database.fetch("UPDATE meeting SET state = $2 WHERE id = $1", meeting["id"], state)
    await plan(database, meeting)

    assert [(0, A_DAY_BEFORE, "cancelled", "not_confirmed")] == await slots(database, meeting)


async def test_a_move_plans_anew_and_what_was_planned_is_cancelled(database: Database) -> None:
    meeting = await a_session(database, DAY_BEFORE)
    form, _ = await planning.load_form(database, meeting["id"])
    form = replace(form, start_on=date(2027, 3, 11))
    await scheduling.change(database, COMMAND, meeting["id"], form, NOW)

    assert [
        (0, A_DAY_BEFORE, "cancelled", "superseded"),
        (1, A_DAY_BEFORE + timedelta(days=7), "planned", None),
    ] == await slots(database, meeting)


async def test_a_deadline_that_goes_away_takes_its_nudges_along(database: Database) -> None:
    meeting = await a_session(database, NUDGE)
    await database.fetch(
        "UPDATE meeting SET answer_by = NULL, answer_by_local = NULL WHERE id = $1", meeting["id"]
    )
    await plan(database, meeting)

    assert ["cancelled"] == [row[2] for row in await slots(database, meeting)]


async def test_a_sweep_plans_what_a_crash_left_undone(database: Database) -> None:
    meeting = await a_session(database, DAY_BEFORE)
    await database.fetch("DELETE FROM reminder_slot")
    looked_at = await reminding.plan_all(database, NOW)

    assert 1 == looked_at
    assert [(0, A_DAY_BEFORE, "planned", None)] == await slots(database, meeting)


# Expanding.


async def test_nothing_is_queued_before_its_time(database: Database) -> None:
    meeting = await a_session(database, DAY_BEFORE)
    await invited(database, meeting, "in_person")

    early = await reminding.queue_due(database, A_DAY_BEFORE - timedelta(seconds=1))

    assert 0 == early
    assert ["planned"] == [row[2] for row in await slots(database, meeting)]


async def test_a_reminder_is_for_those_who_come_or_are_undecided(database: Database) -> None:
    meeting = await a_session(database, DAY_BEFORE)
    wanted = [
        (await invited(database, meeting, answer))["person_id"]
        for answer in ("in_person", "online", "represented", "undecided")
    ]
    await invited(database, meeting, "declined")
    await invited(database, meeting)
    await invited(database, meeting, "in_person", state="uninvited")
    await invited(database, meeting, "in_person", given_starts_local=START - timedelta(days=7))

    count = await reminding.queue_due(database, A_DAY_BEFORE)

    # "online" no longer holds: the meeting is on site.
    assert sorted([wanted[0], *wanted[2:]]) == await recipients(database)
    assert 3 == count


async def test_a_reminder_for_the_lead_is_for_whoever_leads_a_group_of_the_session_then(
    database: Database,
) -> None:
    rule = replace(DAY_BEFORE, audience=(Audience.LEAD,))
    group, other = await builders.a_group(database), await builders.a_group(database)
    meeting = await a_session(database, rule, of=group)
    today = START.date()
    roles: list[tuple[Row, str | None, Row]] = [
        (group, None, {"role": "lead"}),
        (group, "online", {"role": "lead", "to_on": today}),
        (group, "declined", {"role": "lead"}),
        (group, None, {"role": "lead", "to_on": today - timedelta(days=1)}),
        (group, None, {"role": "lead", "from_on": today + timedelta(days=1)}),
        (group, None, {"role": "deputy"}),
        (other, None, {"role": "lead"}),
    ]
    people = []
    for of, answer, membership in roles:
        person = await builders.a_person(database)
        await builders.a_membership(database, person, of, **membership)
        people.append(await invited(database, meeting, answer, person_id=person["id"]))
    count = await reminding.queue_due(database, A_DAY_BEFORE)

    assert sorted(each["person_id"] for each in people[:2]) == await recipients(database)
    assert 2 == count


async def test_a_nudge_is_for_those_without_an_answer_that_holds_but_never_after_a_no(
    database: Database,
) -> None:
    meeting = await a_session(database, NUDGE)
    silent = await invited(database, meeting)
    before = START - timedelta(days=7)
    outdated = await invited(database, meeting, "in_person", given_starts_local=before)
    await invited(database, meeting, "declined", given_starts_local=before)
    await invited(database, meeting, "in_person")

    await reminding.queue_due(database, datetime(2027, 2, 23, 9, 0, tzinfo=UTC))

    expected = sorted([silent["person_id"], outdated["person_id"]])
    assert expected == await recipients(database, "nudge")


async def test_who_was_invited_only_just_before_is_not_pressed(database: Database) -> None:
    meeting = await a_session(database, replace(NUDGE, min_days_invited=2))
    due = datetime(2027, 2, 23, 8, 0, tzinfo=UTC)
    lately = await invited(database, meeting, invited_at=due - timedelta(hours=47))
    patient = await invited(database, meeting, invited_at=due - timedelta(hours=48))

    await reminding.queue_due(database, due)

    assert [patient["person_id"]] == await recipients(database, "nudge")
    assert {lately["person_id"]: "invited_lately"} == await left_out(database)


async def test_a_rule_for_online_people_leaves_those_on_site_alone(database: Database) -> None:
    rule = replace(HOUR_BEFORE, only_online=True)
    meeting = await a_session(database, rule, mode="hybrid")
    online = await invited(database, meeting, "online")
    await invited(database, meeting, "in_person")

    await reminding.queue_due(database, AN_HOUR_BEFORE)

    assert [online["person_id"]] == await recipients(database)


@pytest.mark.parametrize(
    ("zone", "reasons"), [("Europe/Berlin", []), ("Pacific/Pago_Pago", ["paused"])]
)
async def test_a_pause_lasts_as_long_as_the_offices_day(
    database: Database, zone: str, reasons: list[str]
) -> None:
    await builders.an_instance(database, time_zone=zone)
    meeting = await a_session(database, HOUR_BEFORE)
    person = (await invited(database, meeting, "in_person"))["person_id"]
    last_on = AN_HOUR_BEFORE.date() - timedelta(days=1)
    await builders.insert(database, "preference", person_id=person, paused_until=last_on)

    await reminding.queue_due(database, AN_HOUR_BEFORE)

    assert reasons == list((await left_out(database)).values())


async def test_nobody_gets_two_reminders_of_a_session_within_20_hours(database: Database) -> None:
    meeting = await a_session(database, DAY_BEFORE)
    person = await invited(database, meeting, "in_person")
    await reminding.queue_due(database, A_DAY_BEFORE)
    await database.fetch("UPDATE letter SET created_at = $1", A_DAY_BEFORE)
    other = replace(DAY_BEFORE, at_local_time=time(15))
    async with database.unit_of_work() as unit:
        await reminding.add_rule(unit.connection, other, meeting_id=meeting["id"])
        await reminding.add_rule(unit.connection, HOUR_BEFORE, meeting_id=meeting["id"])
    await plan(database, meeting)
    same_day = await reminding.queue_due(database, A_DAY_BEFORE + timedelta(hours=6))
    minute_based = await reminding.queue_due(database, AN_HOUR_BEFORE)

    assert (0, 1) == (same_day, minute_based)
    assert [person["person_id"]] * 2 == await recipients(database)
    assert {person["person_id"]: "too_soon"} == await left_out(database)


async def test_two_expanders_at_once_write_each_letter_once(database: Database) -> None:
    for _ in range(3):
        meeting = await a_session(database, DAY_BEFORE)
        for _ in range(5):
            await invited(database, meeting, "in_person")

    counts = await asyncio.gather(*(reminding.queue_due(database, A_DAY_BEFORE) for _ in range(4)))

    rows = await builders.letters(database, kind="reminder")
    assert 15 == sum(counts) == len(rows) == len({row["recipient_id"] for row in rows})


async def test_a_slot_that_is_expanded_again_after_a_crash_writes_nothing_new(
    database: Database,
) -> None:
    meeting = await a_session(database, DAY_BEFORE)
    await invited(database, meeting, "in_person")
    await reminding.queue_due(database, A_DAY_BEFORE)
    await database.fetch("UPDATE reminder_slot SET state = 'planned'")

    assert 0 == await reminding.queue_due(database, A_DAY_BEFORE)
    assert 1 == len(await recipients(database))


async def test_the_key_names_session_rule_date_revision_and_person(database: Database) -> None:
    meeting = await a_session(database, DAY_BEFORE)
    invitation = await invited(database, meeting, "in_person")
    await reminding.queue_due(database, A_DAY_BEFORE)
    rule_id = await database.fetchval("SELECT id FROM reminder_rule")

    (letter,) = await builders.letters(database)
    assert f"rem:{meeting['id']}:{rule_id}:0:{invitation['person_id']}" == letter["dedupe_key"]


async def test_a_moved_session_reminds_again_of_its_new_date(database: Database) -> None:
    meeting = await a_session(database, DAY_BEFORE)
    await invited(database, meeting, "in_person")
    await reminding.queue_due(database, A_DAY_BEFORE)
    form, _ = await planning.load_form(database, meeting["id"])
    form = replace(form, start_on=date(2027, 3, 11))
    await scheduling.change(database, COMMAND, meeting["id"], form, A_DAY_BEFORE)
    again = START + timedelta(days=7)
    await database.fetch("UPDATE invitation SET given_starts_local = $1", again)
    await reminding.queue_due(database, A_DAY_BEFORE + timedelta(days=7))

    rows = await builders.letters(database, kind="reminder")
    assert [(0, "cancelled"), (1, "queued")] == [(row["time_rev"], row["state"]) for row in rows]


async def test_a_cancelled_session_reminds_nobody(database: Database) -> None:
    meeting = await a_session(database, DAY_BEFORE)
    await invited(database, meeting, "in_person")
    await scheduling.cancel(database, COMMAND, meeting["id"], "Grund", NOW)

    assert 0 == await reminding.queue_due(database, A_DAY_BEFORE)
    assert [] == await recipients(database)


async def test_after_a_standstill_only_the_newest_reminder_leaves(database: Database) -> None:
    week = replace(DAY_BEFORE, days_before=7)
    meeting = await a_session(database, week, DAY_BEFORE, HOUR_BEFORE)
    await invited(database, meeting, "in_person")

    count = await reminding.queue_due(database, AN_HOUR_BEFORE + timedelta(minutes=5))

    assert 1 == count
    assert [("missed", "newer_is_due"), ("missed", "newer_is_due"), ("expanded", None)] == [
        row[2:] for row in await slots(database, meeting)
    ]


async def test_after_a_standstill_each_person_gets_the_newest_reminder_that_is_for_them(
    database: Database,
) -> None:
    """The older rule is for more people, so its slot is not overtaken as a whole."""
    afternoon = replace(DAY_BEFORE, audience=(Audience.ACCEPTED,), at_local_time=time(15))
    meeting = await a_session(database, DAY_BEFORE, afternoon)
    coming = await invited(database, meeting, "in_person")
    undecided = await invited(database, meeting, "undecided")
    due = {row["due_at"]: str(row["rule_id"]) for row in await database.fetch(_RULES)}

    await reminding.queue_due(database, A_DAY_BEFORE + timedelta(hours=8))

    got = {
        row["recipient_id"]: row["cause"]["rule"]
        for row in await builders.letters(database)
        if row["state"] == "queued"
    }
    assert {
        coming["person_id"]: due[A_DAY_BEFORE + timedelta(hours=6)],
        undecided["person_id"]: due[A_DAY_BEFORE],
    } == got
    assert {coming["person_id"]: "newer_is_due"} == await left_out(database)


async def test_a_newer_reminder_for_fewer_people_silences_nobody_else(database: Database) -> None:
    online_only = replace(HOUR_BEFORE, only_online=True)
    meeting = await a_session(database, DAY_BEFORE, online_only, mode="hybrid")
    on_site = await invited(database, meeting, "in_person")

    await reminding.queue_due(database, AN_HOUR_BEFORE)

    assert [on_site["person_id"]] == await recipients(database)


async def test_a_reminder_that_comes_too_late_is_missed(database: Database) -> None:
    meeting = await a_session(database, DAY_BEFORE)
    await invited(database, meeting, "in_person")

    count = await reminding.queue_due(database, datetime(2027, 3, 4, 8, 30, tzinfo=UTC))

    assert 0 == count
    assert [("missed", "too_late")] == [row[2:] for row in await slots(database, meeting)]


async def test_the_session_page_sees_what_is_planned_and_for_how_many(database: Database) -> None:
    meeting = await a_session(database, NUDGE, DAY_BEFORE)
    await invited(database, meeting)
    await invited(database, meeting, "in_person")
    await invited(database, meeting, "undecided")

    planned = await reminding.planned_letters(database, meeting["id"])

    assert [(Kind.NUDGE, 1), (Kind.REMINDER, 2)] == [(each.kind, each.letters) for each in planned]


async def test_invited_people_find_their_own_entry_in_their_calendar_at_once(
    database: Database,
) -> None:
    """Their feed changes with the letters, not with the next edit."""
    meeting = await builders.a_meeting(database)
    invitation = await builders.an_invitation(database, meeting, state="planned")
    feed = await builders.insert(
        database, "feed", kind="personal", person_id=invitation["person_id"]
    )
    await noticing.invite(database, COMMAND, meeting["id"], NOW)
    await noticing.queue_due(database, NOW + timedelta(minutes=10))

    assert feed["revision"] + 1 == (await read(database, "feed", feed["id"]))["revision"]


# Rules.


async def test_everybody_starts_with_two_rules_of_each_kind(
    database: Database,
) -> None:
    async with database.unit_of_work() as unit:
        await reminding.ensure_rules(unit.connection)
        await reminding.ensure_rules(unit.connection)

    rules = await ruling.list_rules(database)

    assert [kind for kind in (Kind.NUDGE, Kind.REMINDER, Kind.SUMMARY) for _ in range(2)] == [
        known.rule.kind for known in rules
    ]
    assert all(known.is_own and known.is_enabled for known in rules)


async def _two_rules(database: Database) -> None:
    async with database.unit_of_work() as unit:
        await reminding.add_rule(unit.connection, NUDGE)
        await reminding.add_rule(unit.connection, DAY_BEFORE)


async def test_a_changed_rule_of_a_group_is_its_own_and_others_keep_theirs(
    database: Database,
) -> None:
    await _two_rules(database)
    group, other = await builders.a_group(database), await builders.a_group(database)
    scope = Scope(group_id=group["id"])
    meeting = await a_session(database, of=group)
    foreign = await a_session(database, of=other)
    inherited = (await ruling.list_rules(database, scope))[1]
    afternoon = replace(DAY_BEFORE, at_local_time=time(15))
    await ruling.save_rule(database, COMMAND, scope, afternoon, NOW, rule_id=inherited.id)

    assert [(NUDGE, False), (afternoon, True)] == [
        (known.rule, known.is_own) for known in await ruling.list_rules(database, scope)
    ]
    assert A_DAY_BEFORE + timedelta(hours=6) in {
        due for _, due, state, _ in await slots(database, meeting) if state == "planned"
    }
    assert A_DAY_BEFORE in {row[1] for row in await slots(database, foreign)}
    assert ["planned"] == [
        state for _, due, state, _ in await slots(database, meeting) if due.day == A_DAY_BEFORE.day
    ]


async def test_a_rule_that_is_switched_off_sends_nothing_and_the_farther_ones_stay_silent(
    database: Database,
) -> None:
    await _two_rules(database)
    meeting = await a_session(database)
    scope = Scope(meeting_id=meeting["id"])
    known = (await ruling.list_rules(database, scope))[1]
    await ruling.save_rule(
        database, COMMAND, scope, known.rule, NOW, rule_id=known.id, is_enabled=False
    )
    await invited(database, meeting, "in_person")

    assert 0 == await reminding.queue_due(database, A_DAY_BEFORE)


async def test_a_rule_is_added_beside_the_inherited_ones(database: Database) -> None:
    await _two_rules(database)
    meeting = await a_session(database)
    scope = Scope(meeting_id=meeting["id"])
    await ruling.save_rule(database, COMMAND, scope, HOUR_BEFORE, NOW)

    assert {NUDGE, DAY_BEFORE, HOUR_BEFORE} == {
        known.rule for known in await ruling.list_rules(database, scope)
    }


async def test_dropping_own_rules_lets_the_inherited_ones_count_again(database: Database) -> None:
    await _two_rules(database)
    meeting = await a_session(database)
    scope = Scope(meeting_id=meeting["id"])
    await ruling.save_rule(database, COMMAND, scope, HOUR_BEFORE, NOW)
    await ruling.inherit_rules(database, COMMAND, scope, NOW)

    rules = await ruling.list_rules(database, scope)

    assert [(NUDGE, False), (DAY_BEFORE, False)] == [(each.rule, each.is_own) for each in rules]
    assert A_DAY_BEFORE in {
        due for _, due, state, _ in await slots(database, meeting) if state == "planned"
    }


async def test_a_changed_rule_that_has_fired_is_not_sent_once_more(database: Database) -> None:
    meeting = await a_session(database, DAY_BEFORE)
    await invited(database, meeting, "in_person")
    await reminding.queue_due(database, A_DAY_BEFORE)
    scope = Scope(meeting_id=meeting["id"])
    (known,) = await ruling.list_rules(database, scope)
    later = replace(DAY_BEFORE, at_local_time=time(15))
    await ruling.save_rule(database, COMMAND, scope, later, A_DAY_BEFORE, rule_id=known.id)

    assert 0 == await reminding.queue_due(database, A_DAY_BEFORE + timedelta(hours=21))


async def test_rules_of_a_foreign_group_are_not_to_be_seen(database: Database) -> None:
    group = await builders.a_group(database)
    meeting = await a_session(database, of=group)
    for scope in (Scope(group_id=group["id"]), Scope(meeting_id=meeting["id"])):
        with pytest.raises(NotFoundError):
            await ruling.list_rules(
                database, scope, authority=OnlyGroup((await builders.a_group(database))["id"])
            )
