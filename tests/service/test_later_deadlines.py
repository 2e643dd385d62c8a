"""Requests for an answer when the deadline is put off."""

from dataclasses import replace
from datetime import timedelta

from service import reminding, ruling
from service.auditing import COMMAND
from service.database import Database
from service.ruling import Scope
from tests import builders
from tests.builders import NOW, START
from tests.service.test_late_reminders import DAY, HOUR, NUDGE_AT, change, newest
from tests.service.test_reminding import (
    NUDGE,
    a_session,
    invited,
    plan,
    recipients,
)


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
