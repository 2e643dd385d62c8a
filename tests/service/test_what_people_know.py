"""What a letter says that it was before, to people who were told of different states of things."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

from service import inviting, noticing, planning, scheduling
from service.auditing import COMMAND
from service.database import Database
from tests import builders
from tests.builders import NOW, START, Row

COUNTDOWN = timedelta(minutes=10)
DAY = timedelta(days=1)
A_WEEK_LATER = date(2027, 3, 11)
MOVED = START + timedelta(days=7)


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
