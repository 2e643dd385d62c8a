"""A move whose notice was taken back is known to nobody: what letters say of it afterwards."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

import pytest

from notifications import outbox
from service import noticing, reminding, scheduling
from service.auditing import COMMAND
from service.composing import Clerk
from service.database import Database
from tests import builders
from tests.builders import NOW, START, Row
from tests.service import test_composing
from tests.service.test_reminding import A_DAY_BEFORE, DAY_BEFORE, a_session, invited
from tests.service.test_what_people_know import (
    A_WEEK_LATER,
    COUNTDOWN,
    DAY,
    change,
    change_letters,
    clerk,
    invite,
    who_reads_the_old_date,
    withdraw,
)

ready, services = test_composing.ready, test_composing.services
__all__ = ["clerk"]

HOME = START.date()


async def an_untold_move(database: Database, **invitation: Any) -> tuple[Row, Row]:
    """Move a session a week, and tell nobody of it; return it and who is invited."""
    meeting = await builders.a_meeting(database)
    somebody = await builders.an_invitation(database, meeting, **invitation)
    await change(database, meeting, NOW, start_on=A_WEEK_LATER)
    await withdraw(database, meeting, NOW)
    return meeting, somebody


async def put_down(
    database: Database, meeting: Row, reader: Row, kind: str, state: str = "sent"
) -> None:
    """Put a letter of the present revision where the postman would leave it."""
    revision = (await builders.read(database, "meeting", meeting["id"]))["revision"]
    async with database.unit_of_work() as unit:
        posted = await outbox.post(
            unit.connection,
            outbox.NewLetter(
                dedupe_key=f"{kind}:{state}",
                kind=kind,
                recipient_id=reader["person_id"],
                subject_id=meeting["id"],
                subject_rev=revision,
                ordering_key="k",
                not_before=NOW,
                expires_at=NOW + 60 * DAY,
            ),
        )
        await unit.connection.execute("UPDATE outbox SET state = $2 WHERE id = $1", posted, state)


async def told(database: Database) -> list[UUID]:
    await noticing.queue_due(database, NOW + 2 * DAY)
    return [row["recipient_id"] for row in await builders.letters(database, kind="change")]


async def test_nobody_reads_of_the_way_back(database: Database) -> None:
    meeting, _ = await an_untold_move(database, answer="in_person")
    await change(database, meeting, NOW + DAY, start_on=HOME)

    assert [] == await noticing.find_pending(database, meeting["id"])
    assert [] == await told(database)


async def test_nobody_reads_that_a_cancelled_session_takes_place_after_all(
    database: Database,
) -> None:
    meeting = await builders.a_meeting(database)
    await builders.an_invitation(database, meeting, answer="in_person")
    await scheduling.cancel(database, COMMAND, meeting["id"], "Grund", NOW)
    await withdraw(database, meeting, NOW)
    await scheduling.uncancel(database, COMMAND, meeting["id"], None, NOW + DAY)

    assert 0 == await noticing.queue_due(database, NOW + 2 * DAY)


async def test_whoever_was_invited_meanwhile_reads_of_the_way_back(
    database: Database, clerk: Clerk
) -> None:
    meeting, _ = await an_untold_move(database)
    newcomer = await invite(database, meeting, NOW + DAY / 2)
    await change(database, meeting, NOW + DAY, start_on=HOME)

    assert [newcomer] == await told(database)
    assert "11. März 2027, 10:00 bis" in (await change_letters(clerk, database))[newcomer]


@pytest.mark.parametrize("kind", ["reminder", "receipt"])
async def test_whoever_read_the_date_in_another_letter_reads_of_the_way_back(
    database: Database, kind: str
) -> None:
    meeting, reader = await an_untold_move(database)
    await builders.an_invitation(database, meeting)
    await put_down(database, meeting, reader, kind)
    await change(database, meeting, NOW + DAY, start_on=HOME)

    assert [reader["person_id"]] == await told(database)


@pytest.mark.parametrize("state", ["queued", "cancelled", "failed"])
async def test_a_letter_that_never_left_has_told_nobody(database: Database, state: str) -> None:
    meeting, reader = await an_untold_move(database)
    await put_down(database, meeting, reader, "reminder", state)
    await change(database, meeting, NOW + DAY, start_on=HOME)

    assert [] == await told(database)


async def test_a_letter_from_before_the_move_has_told_nobody_of_it(database: Database) -> None:
    meeting = await builders.a_meeting(database)
    reader = await builders.an_invitation(database, meeting)
    await put_down(database, meeting, reader, "receipt")
    await change(database, meeting, NOW, start_on=A_WEEK_LATER)
    await withdraw(database, meeting, NOW)
    await change(database, meeting, NOW + DAY, start_on=HOME)

    assert [] == await told(database)


async def test_a_second_move_starts_from_the_date_that_people_know(
    database: Database, clerk: Clerk
) -> None:
    meeting, somebody = await an_untold_move(database, answer="declined")
    await change(database, meeting, NOW + DAY, start_on=HOME + 14 * DAY)
    (planned,) = await noticing.find_pending(database, meeting["id"])
    await noticing.queue_due(database, NOW + DAY + COUNTDOWN)
    read = await change_letters(clerk, database)

    assert planned.asks_again
    assert {somebody["person_id"]} == who_reads_the_old_date(read)
    assert "11. März 2027, 10:00" not in read[somebody["person_id"]]


async def test_a_way_almost_back_does_not_ask_whose_answer_never_fell(database: Database) -> None:
    """Half an hour later than people know is not another day, as it is after the untold move."""
    meeting, _ = await an_untold_move(database, answer="declined")
    other = await builders.an_invitation(database, meeting, answer="in_person")
    later = (START + timedelta(minutes=30)).time()
    await change(database, meeting, NOW + DAY, start_on=HOME, start_time=later)
    (planned,) = await noticing.find_pending(database, meeting["id"])

    assert not planned.asks_again
    assert [other["person_id"]] == [one.person_id for one in planned.recipients]


async def test_a_reminder_that_fell_due_meanwhile_leaves_late(database: Database) -> None:
    meeting = await a_session(database, DAY_BEFORE)
    await invited(database, meeting, "in_person")
    moved_at = A_DAY_BEFORE - DAY
    await change(database, meeting, moved_at, start_on=date(2027, 3, 16))
    await withdraw(database, meeting, moved_at)
    early = await reminding.queue_due(database, A_DAY_BEFORE)
    await change(database, meeting, A_DAY_BEFORE + DAY / 24, start_on=HOME)

    assert (0, 1) == (early, await reminding.queue_due(database, A_DAY_BEFORE + DAY / 24))
