from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest

from service import reminding, ruling
from service.auditing import COMMAND
from service.database import Database
from service.domain.errors import NotFoundError, StaleFormError
from service.domain.reminders import COMING, Kind, Rule
from service.ruling import EVERYBODY, Origin, Scope, Ticks
from tests import builders
from tests.builders import NOW, Row
from tests.service.test_reminding import A_DAY_BEFORE, DAY_BEFORE, HOUR_BEFORE, NUDGE, invited

WEEK_BEFORE = Rule(kind=Kind.REMINDER, audience=COMING, days_before=7, at_local_time=time(9))
A_WEEK_BEFORE = datetime(2027, 2, 25, 8, 0, tzinfo=UTC)
LATER = A_WEEK_BEFORE + timedelta(days=2)


async def rules_for_everybody(database: Database, *rules: Rule) -> None:
    async with database.unit_of_work() as unit:
        for rule in rules:
            await reminding.add_rule(unit.connection, rule)


async def a_session(database: Database, *rules: Rule, of: Row | None = None) -> Row:
    """Insert a session with one guest who comes, under rules for everybody, with its slots."""
    await rules_for_everybody(database, *rules)
    meeting = await builders.a_meeting(database, of=of, invited_at=NOW - timedelta(days=20))
    await invited(database, meeting, "in_person")
    async with database.unit_of_work() as unit:
        await reminding.plan_slots(unit.connection, meeting["id"], NOW)
    return meeting


def of_session(meeting: Row) -> Scope:
    return Scope(meeting_id=meeting["id"])


async def planned(database: Database, meeting: Row) -> list[tuple[datetime, str]]:
    return [
        (each.due_at, each.state)
        for each in await reminding.planned_letters(database, meeting["id"])
    ]


async def test_what_was_sent_is_not_sent_again_by_a_copy_of_its_rule(database: Database) -> None:
    meeting = await a_session(database, WEEK_BEFORE)
    sent = await reminding.queue_due(database, A_WEEK_BEFORE)
    await ruling.save_rule(database, COMMAND, of_session(meeting), HOUR_BEFORE, LATER)
    again = await reminding.queue_due(database, LATER)

    assert (1, 0) == (sent, again)
    assert (A_WEEK_BEFORE, "expanded") == (await planned(database, meeting))[0]


async def test_what_a_copy_has_sent_is_not_sent_again_by_the_rule_behind_it(
    database: Database,
) -> None:
    meeting = await a_session(database, WEEK_BEFORE)
    scope = of_session(meeting)
    await ruling.save_rule(database, COMMAND, scope, HOUR_BEFORE, NOW)
    sent = await reminding.queue_due(database, A_WEEK_BEFORE)
    await ruling.inherit_rules(database, COMMAND, scope, LATER)
    again = await reminding.queue_due(database, LATER)

    assert (1, 0) == (sent, again)
    assert [(A_WEEK_BEFORE, "expanded")] == await planned(database, meeting)


async def test_a_reminder_that_is_overdue_is_not_lost_when_its_rule_is_copied(
    database: Database,
) -> None:
    """A worker that stands still for an hour must not make an editor swallow a letter."""
    meeting = await a_session(database, WEEK_BEFORE)
    edited_at = A_WEEK_BEFORE + timedelta(hours=1)
    await ruling.save_rule(database, COMMAND, of_session(meeting), HOUR_BEFORE, edited_at)

    assert 1 == await reminding.queue_due(database, edited_at)


async def test_a_new_rule_sends_nothing_for_an_instant_that_lies_behind(
    database: Database,
) -> None:
    meeting = await a_session(database)
    await ruling.save_rule(database, COMMAND, of_session(meeting), WEEK_BEFORE, LATER)
    await reminding.plan_all(database, LATER + timedelta(hours=1))

    assert 0 == await reminding.queue_due(database, LATER + timedelta(hours=1))
    assert [(A_WEEK_BEFORE, "skipped")] == await planned(database, meeting)


async def test_a_copy_of_a_copy_finds_the_way_back_to_the_first_rule(database: Database) -> None:
    group = await builders.a_group(database)
    meeting = await a_session(database, WEEK_BEFORE, of=group)
    for scope in (Scope(group_id=group["id"]), of_session(meeting)):
        await ruling.save_rule(database, COMMAND, scope, HOUR_BEFORE, NOW)
    await reminding.queue_due(database, A_WEEK_BEFORE)
    for scope in (Scope(group_id=group["id"]), of_session(meeting)):
        await ruling.inherit_rules(database, COMMAND, scope, LATER)

    (known,) = await ruling.list_rules(database, of_session(meeting))

    assert (WEEK_BEFORE, Origin.EVERYBODY) == (known.rule, known.origin)
    assert 0 == await reminding.queue_due(database, LATER)
    assert [(A_WEEK_BEFORE, "expanded")] == await planned(database, meeting)


async def test_each_rule_says_whose_it_is(database: Database) -> None:
    group = await builders.a_group(database)
    meeting = await a_session(database, NUDGE, DAY_BEFORE, of=group)
    await ruling.save_rule(database, COMMAND, of_session(meeting), HOUR_BEFORE, NOW)
    nudge = replace(NUDGE, days_before=3)
    await ruling.save_rule(database, COMMAND, Scope(group_id=group["id"]), nudge, NOW)

    book = await ruling.open_book(database, of_session(meeting))

    assert [
        (NUDGE.kind, Origin.GROUP),
        (NUDGE.kind, Origin.GROUP),
        (DAY_BEFORE.kind, Origin.SESSION),
        (DAY_BEFORE.kind, Origin.SESSION),
    ] == [(each.rule.kind, each.origin) for each in book.rules]
    assert (meeting["title"], True) == (book.name, book.has_own)


async def test_a_rule_that_somebody_else_has_saved_is_not_saved_over(database: Database) -> None:
    meeting = await a_session(database, DAY_BEFORE)
    scope = of_session(meeting)
    (seen,) = await ruling.list_rules(database, scope)
    await ruling.switch_rule(database, COMMAND, scope, seen.id, NOW, is_enabled=False)
    afternoon = replace(DAY_BEFORE, at_local_time=time(15))
    with pytest.raises(StaleFormError) as refused:
        await ruling.save_rule(
            *(database, COMMAND, scope, afternoon, NOW),
            rule_id=seen.id,
            seen_revision=seen.revision,
        )

    assert "" == refused.value.values["by"]
    (stands,) = await ruling.list_rules(database, scope)
    assert (DAY_BEFORE, False) == (stands.rule, stands.is_enabled)


async def test_an_inherited_rule_keeps_its_name_after_it_was_copied(database: Database) -> None:
    """Two open pages of one lead: the second press changes the copy that the first one made."""
    meeting = await a_session(database, NUDGE, DAY_BEFORE)
    scope = of_session(meeting)
    known = (await ruling.list_rules(database, scope))[1]
    for day in (2, 3):
        changed = replace(DAY_BEFORE, days_before=day)
        await ruling.save_rule(database, COMMAND, scope, changed, NOW, rule_id=known.id)

    rules = [each.rule for each in await ruling.list_rules(database, scope)]

    assert [NUDGE, replace(DAY_BEFORE, days_before=3)] == rules


async def test_two_presses_add_one_rule(database: Database) -> None:
    meeting = await a_session(database)
    first, second = [
        await ruling.save_rule(database, COMMAND, of_session(meeting), HOUR_BEFORE, NOW)
        for _ in range(2)
    ]

    assert first == second
    assert 1 == len(await ruling.list_rules(database, of_session(meeting)))


async def test_everybody_has_nothing_to_go_back_to(database: Database) -> None:
    with pytest.raises(NotFoundError):
        await ruling.inherit_rules(database, COMMAND, EVERYBODY, NOW)


async def test_a_rehearsal_shows_what_would_be_planned_and_keeps_nothing(
    database: Database,
) -> None:
    meeting = await a_session(database, DAY_BEFORE)
    scope = of_session(meeting)
    before = await ruling.open_book(database, scope)
    afternoon = replace(DAY_BEFORE, at_local_time=time(15))
    seen = await ruling.rehearse_rule(
        database, COMMAND, scope, afternoon, NOW, rule_id=before.rules[0].id
    )

    assert [A_DAY_BEFORE + timedelta(hours=6)] == [each.due_at for each in seen.slots]
    assert before == await ruling.open_book(database, scope)


async def test_a_rehearsed_way_back_keeps_the_own_rules(database: Database) -> None:
    meeting = await a_session(database, DAY_BEFORE)
    scope = of_session(meeting)
    await ruling.save_rule(database, COMMAND, scope, HOUR_BEFORE, NOW)
    seen = await ruling.rehearse_inheriting(database, COMMAND, scope, NOW)

    assert [A_DAY_BEFORE] == [each.due_at for each in seen.slots]
    assert 2 == len(await ruling.list_rules(database, scope))


# Ticks of a session's form.


async def tick(database: Database, meeting: Row, ticks: Ticks) -> int:
    async with database.unit_of_work() as unit:
        return await ruling.tick_rules(unit.connection, COMMAND, of_session(meeting), ticks, NOW)


async def test_unticking_makes_the_sessions_own_copy_with_that_rule_off(
    database: Database,
) -> None:
    meeting = await a_session(database, NUDGE, DAY_BEFORE, WEEK_BEFORE)
    nudge, week, day = await ruling.list_rules(database, of_session(meeting))
    shown = frozenset({nudge.id, week.id, day.id})
    count = await tick(database, meeting, Ticks(shown, shown - {day.id}))

    rules = await ruling.list_rules(database, of_session(meeting))

    assert 1 == count
    assert [
        (NUDGE, True, Origin.EVERYBODY),
        (WEEK_BEFORE, True, Origin.SESSION),
        (DAY_BEFORE, False, Origin.SESSION),
    ] == [(each.rule, each.is_enabled, each.origin) for each in rules]


async def test_a_form_that_nobody_ticked_anything_in_leaves_the_rules_alone(
    database: Database,
) -> None:
    meeting = await a_session(database, DAY_BEFORE)
    (known,) = await ruling.list_rules(database, of_session(meeting))
    shown = frozenset({known.id})

    assert 0 == await tick(database, meeting, Ticks(shown, shown))
    assert [known] == await ruling.list_rules(database, of_session(meeting))


async def test_ticks_keep_what_somebody_else_has_switched_meanwhile(database: Database) -> None:
    meeting = await a_session(database, NUDGE, DAY_BEFORE)
    scope = of_session(meeting)
    nudge, day = await ruling.list_rules(database, scope)
    shown = frozenset({nudge.id, day.id})
    await ruling.switch_rule(database, COMMAND, scope, nudge.id, NOW, is_enabled=False)
    await tick(database, meeting, Ticks(shown, frozenset({nudge.id})))

    assert [(Kind.NUDGE, False), (Kind.REMINDER, False)] == [
        (each.rule.kind, each.is_enabled) for each in await ruling.list_rules(database, scope)
    ]


async def test_ticking_switches_a_silent_rule_on(database: Database) -> None:
    meeting = await a_session(database, NUDGE)
    scope = of_session(meeting)
    (known,) = await ruling.list_rules(database, scope)
    await ruling.switch_rule(database, COMMAND, scope, known.id, NOW, is_enabled=False)
    await tick(database, meeting, Ticks(frozenset(), frozenset({known.id})))

    assert [True] == [each.is_enabled for each in await ruling.list_rules(database, scope)]
