"""What a letter says that it was before, to people who were told of different states of things."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from notifications.clerk import Go
from service import inviting, noticing, planning, scheduling
from service.auditing import COMMAND
from service.composing import Clerk
from service.database import Database
from service.services import Services
from tests import builders
from tests.builders import NOW, START, Row
from tests.service import test_composing

ready, services = test_composing.ready, test_composing.services

COUNTDOWN = timedelta(minutes=10)
DAY = timedelta(days=1)
A_WEEK_LATER = date(2027, 3, 11)


async def change(database: Database, meeting: Row, now: datetime, **fields: Any) -> None:
    form, _ = await planning.load_form(database, meeting["id"])
    form = replace(form, **fields)
    await scheduling.change(database, COMMAND, meeting["id"], form, now)


async def withdraw(database: Database, meeting: Row, now: datetime) -> None:
    (pending,) = await noticing.find_pending(database, meeting["id"])
    await noticing.withdraw(database, COMMAND, pending.id, now)


async def invite(database: Database, meeting: Row, now: datetime) -> UUID:
    """Invite one person more and let the invitation leave at once; return who it is."""
    person = await builders.a_person(database)
    await inviting.invite_one_more(database, COMMAND, meeting["id"], person["id"], now)
    (notice_id,) = [
        each.id
        for each in await noticing.find_pending(database, meeting["id"])
        if each.kind == "invitation"
    ]
    await noticing.send_now(database, COMMAND, notice_id, now)
    await database.fetch(
        "UPDATE outbox SET state = 'sent', finished_at = now(), accepted_at = now()"
        " WHERE state = 'queued' RETURNING id"
    )
    return UUID(str(person["id"]))


async def pending_before(database: Database) -> tuple[str, str]:
    """Return start and room that the waiting notice of a change gives as the former ones."""
    before = await database.fetchval(
        "SELECT before FROM notice WHERE state = 'pending' AND kind = 'change'"
    )
    return before["starts_local"], before["room"]


async def test_an_invitation_to_somebody_else_is_no_word_of_a_move_that_was_not_told(
    database: Database,
) -> None:
    meeting = await builders.a_meeting(database)
    await builders.an_invitation(database, meeting)
    await change(database, meeting, NOW, start_on=A_WEEK_LATER)
    await withdraw(database, meeting, NOW)
    await invite(database, meeting, NOW + DAY)
    await change(database, meeting, NOW + 2 * DAY, room="Saal 2")

    assert (START.isoformat(), "Saal 1") == await pending_before(database)


async def test_a_request_for_answers_is_no_word_of_a_move_that_was_not_told(
    database: Database,
) -> None:
    meeting = await builders.a_meeting(database)
    await builders.an_invitation(database, meeting)
    await change(database, meeting, NOW, start_on=A_WEEK_LATER)
    await withdraw(database, meeting, NOW)
    await noticing.remind(database, COMMAND, meeting["id"], NOW + DAY)
    await noticing.queue_due(database, NOW + DAY + COUNTDOWN)
    await change(database, meeting, NOW + 2 * DAY, room="Saal 2")

    assert (START.isoformat(), "Saal 1") == await pending_before(database)


@pytest.fixture
def clerk(services: Services) -> Clerk:
    """Judge and compose in the time in which these sessions take place."""
    return Clerk(replace(services, clock=lambda: NOW))


async def change_letters(clerk: Clerk, database: Database) -> dict[UUID, str]:
    """Return what each reads of a change that waits, as far as it differs from what was."""
    rows = await builders.letters(database, kind="change", state="queued")
    verdicts = await clerk.look_up([row["id"] for row in rows])
    texts = {}
    for row in rows:
        verdict = verdicts[row["id"]]
        assert isinstance(verdict, Go)
        texts[row["recipient_id"]] = (await clerk.compose(verdict.prototype_key)).text
    return texts


def who_reads_the_old_date(read: dict[UUID, str]) -> set[UUID]:
    return {person for person, text in read.items() if "4. März 2027, 10:00 bis" in text}


async def test_whoever_is_invited_after_a_change_was_saved_is_not_told_of_it_again(
    database: Database,
) -> None:
    meeting = await builders.a_meeting(database)
    of_old = await builders.an_invitation(database, meeting)
    await change(database, meeting, NOW, start_on=A_WEEK_LATER)
    await invite(database, meeting, NOW)
    planned = [
        each.person_id
        for notice in await noticing.find_pending(database, meeting["id"])
        for each in notice.recipients
    ]
    await noticing.queue_due(database, NOW + COUNTDOWN)
    told = await builders.letters(database, kind="change")

    assert [of_old["person_id"]] == planned
    assert [of_old["person_id"]] == [row["recipient_id"] for row in told]


async def test_whoever_was_invited_between_two_changes_reads_only_of_the_second(
    database: Database, clerk: Clerk
) -> None:
    meeting = await builders.a_meeting(database)
    of_old = await builders.an_invitation(database, meeting)
    await change(database, meeting, NOW, start_on=A_WEEK_LATER)
    newcomer = await invite(database, meeting, NOW + COUNTDOWN / 2)
    await change(database, meeting, NOW + COUNTDOWN / 2, room="Saal 2")
    await noticing.queue_due(database, NOW + 2 * COUNTDOWN)
    read = await change_letters(clerk, database)

    assert {of_old["person_id"], newcomer} == set(read)
    assert {of_old["person_id"]} == who_reads_the_old_date(read)
    assert all("Saal 1" in text and "Saal 2" in text for text in read.values())


async def test_whoever_was_invited_after_a_move_that_was_not_told_reads_no_date_they_never_had(
    database: Database, clerk: Clerk
) -> None:
    meeting = await builders.a_meeting(database)
    of_old = await builders.an_invitation(database, meeting)
    await change(database, meeting, NOW, start_on=A_WEEK_LATER)
    await withdraw(database, meeting, NOW)
    newcomer = await invite(database, meeting, NOW + DAY)
    await change(database, meeting, NOW + 2 * DAY, room="Saal 2")
    await noticing.queue_due(database, NOW + 3 * DAY)
    read = await change_letters(clerk, database)

    assert {of_old["person_id"], newcomer} == set(read)
    assert {of_old["person_id"]} == who_reads_the_old_date(read)
    assert all("Saal 1" in text and "Saal 2" in text for text in read.values())


async def test_an_invitation_that_waited_knows_what_it_said_when_it_left(
    database: Database, clerk: Clerk
) -> None:
    """The room changed while it waited, and changes once more after it has left."""
    meeting = await builders.a_meeting(database)
    newcomer = await builders.an_invitation(database, meeting, state="planned")
    await builders.an_invitation(database, meeting)
    invitation = await noticing.invite(database, COMMAND, meeting["id"], NOW)
    assert invitation is not None
    await change(database, meeting, NOW, room="Saal 2")
    await noticing.send_now(database, COMMAND, invitation, NOW)
    await change(database, meeting, NOW, room="Saal 3")
    await noticing.queue_due(database, NOW + COUNTDOWN)
    read = (await change_letters(clerk, database))[newcomer["person_id"]]

    assert ("Saal 1" in read, "Saal 2" in read, "Saal 3" in read) == (False, True, True)


async def test_whoever_was_invited_with_a_date_that_is_taken_back_is_told(
    database: Database, clerk: Clerk
) -> None:
    """All others know the date to which the session came back."""
    meeting = await builders.a_meeting(database)
    await builders.an_invitation(database, meeting)
    await change(database, meeting, NOW, start_on=A_WEEK_LATER)
    newcomer = await invite(database, meeting, NOW)
    await change(database, meeting, NOW + COUNTDOWN / 2, start_on=START.date())
    (planned,) = await noticing.find_pending(database, meeting["id"])
    await noticing.queue_due(database, NOW + 2 * COUNTDOWN)
    read = await change_letters(clerk, database)

    assert [newcomer] == [each.person_id for each in planned.recipients]
    assert [newcomer] == list(read)
    assert "11. März 2027, 10:00 bis" in read[newcomer]


async def test_after_a_way_back_that_concerns_one_person_a_change_is_told_to_all(
    database: Database, clerk: Clerk
) -> None:
    meeting = await builders.a_meeting(database)
    of_old = await builders.an_invitation(database, meeting)
    await change(database, meeting, NOW, start_on=A_WEEK_LATER)
    newcomer = await invite(database, meeting, NOW)
    await change(database, meeting, NOW, start_on=START.date())
    await change(database, meeting, NOW, room="Saal 2")
    await noticing.queue_due(database, NOW + COUNTDOWN)
    read = await change_letters(clerk, database)

    assert {of_old["person_id"], newcomer} == set(read)
    assert (False, True) == tuple(
        "11. März 2027, 10:00 bis" in read[each] for each in (of_old["person_id"], newcomer)
    )


async def test_a_way_back_that_concerns_one_person_leaves_texts_to_the_page(
    database: Database,
) -> None:
    meeting = await builders.a_meeting(database)
    await builders.an_invitation(database, meeting)
    await change(database, meeting, NOW, start_on=A_WEEK_LATER)
    newcomer = await invite(database, meeting, NOW)
    await change(database, meeting, NOW, start_on=START.date())
    await change(database, meeting, NOW, description="Mit Kaffee.")
    await noticing.queue_due(database, NOW + COUNTDOWN)
    told = await builders.letters(database, kind="change")

    assert [newcomer] == [row["recipient_id"] for row in told]


async def test_whoever_was_invited_with_what_stands_in_the_end_reads_nothing(
    database: Database,
) -> None:
    meeting = await builders.a_meeting(database)
    of_old = await builders.an_invitation(database, meeting)
    await change(database, meeting, NOW, start_on=A_WEEK_LATER)
    await invite(database, meeting, NOW)
    await change(database, meeting, NOW, room="Saal 2")
    await change(database, meeting, NOW, room="Saal 1")
    await noticing.queue_due(database, NOW + COUNTDOWN)
    told = await builders.letters(database, kind="change")

    assert [of_old["person_id"]] == [row["recipient_id"] for row in told]
