"""Answers, changes and expansions at the same moment: no deadlock, no seat too many."""

import asyncio
from collections.abc import Awaitable
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

from service import moving, noticing, planning, replying, scheduling
from service.auditing import Actor
from service.database import Database
from service.domain.errors import FieldsError, MeetingChangedError, SeatsTakenError
from service.domain.meetings import Move
from service.domain.words import Answer, Way
from service.moving import Saving
from service.replying import Reply
from tests import database as test_database
from tests.builders import NOW, Row, a_group, a_meeting, a_person, an_invitation, insert

OFFICE = Actor("account", uuid4(), "Frau Koordinatorin")
_SEATS = """
SELECT taken, (SELECT count(*) FROM invitation WHERE has_seat) AS seated FROM meeting_seats
"""


async def accept(database: Database, invitation: Row) -> None:
    await replying.enter_reply(
        database, OFFICE, invitation["id"], Reply(answer=Answer.IN_PERSON), Way.PHONE, NOW
    )


async def change(database: Database, meeting: Row, **entries: Any) -> None:
    form, _ = await planning.load_form(database, meeting["id"])
    form = replace(form, **entries)
    await scheduling.change(database, OFFICE, meeting["id"], form, NOW)


async def unexpected(work: list[Awaitable[Any]]) -> list[BaseException]:
    """Do everything at once and return what should not have happened."""
    results = await asyncio.gather(*work, return_exceptions=True)
    known = (SeatsTakenError, MeetingChangedError, FieldsError)
    return [
        each for each in results if isinstance(each, BaseException) and not isinstance(each, known)
    ]


async def test_answers_changes_and_expansions_never_stand_in_each_other_s_way(
    database: Database,
) -> None:
    group = await a_group(database)
    meeting = await a_meeting(database, of=group, capacity=10)
    people = [await a_person(database, member_of=group) for _ in range(16)]
    for person in people:
        await insert(database, "feed", kind="personal", person_id=person["id"])
    invitations = [await an_invitation(database, meeting, person) for person in people]
    work: list[Awaitable[Any]] = [accept(database, each) for each in invitations]
    for place in range(4):
        work.insert(place * 4, change(database, meeting, room=f"Saal {place}"))
        work.append(noticing.queue_due(database, NOW + timedelta(minutes=10)))
    problems = await unexpected(work)
    seats = await database.fetchrow(_SEATS)

    assert problems == []
    assert seats is not None
    assert seats["taken"] == seats["seated"] <= 10


async def test_a_lower_limit_and_the_last_seats_never_overbook(database: Database) -> None:
    for _ in range(5):
        group = await a_group(database)
        meeting = await a_meeting(database, of=group, capacity=6)
        for _ in range(3):
            await an_invitation(database, meeting, answer="in_person")
        invitations = [await an_invitation(database, meeting) for _ in range(3)]
        work: list[Awaitable[Any]] = [accept(database, each) for each in invitations]
        work.insert(1, change(database, meeting, capacity=4))
        problems = await unexpected(work)
        row = await database.fetchrow(
            "SELECT capacity, taken FROM meeting JOIN meeting_seats ON meeting_id = id"
            " WHERE id = $1",
            meeting["id"],
        )

        assert problems == []
        assert row is not None
        assert row["taken"] <= row["capacity"]


async def test_an_answer_that_waits_for_a_lower_limit_obeys_it(database: Database) -> None:
    meeting = await a_meeting(database, capacity=6)
    for _ in range(3):
        await an_invitation(database, meeting, answer="in_person")
    invitation = await an_invitation(database, meeting)
    form, _ = await planning.load_form(database, meeting["id"])
    saving = Saving(OFFICE, NOW)
    started = asyncio.Event()

    async def accept_meanwhile() -> list[BaseException]:
        await started.wait()
        return await unexpected([accept(database, invitation)])

    answering = asyncio.create_task(accept_meanwhile())
    async with database.unit_of_work() as unit:
        lower = replace(form, capacity=3)
        await moving.make_move(unit.connection, meeting["id"], Move.CHANGE, saving, form=lower)
        started.set()
        # The answer has to reach the lock of the seats before this transaction ends.
        await test_database.until_blocked(unit.connection, [answering])
    problems = await answering
    taken = await database.fetchval("SELECT taken FROM meeting_seats")

    assert (problems, taken) == ([], 3)
