"""The office and the person speak of one doubted answer at the same moment."""

import asyncio
from uuid import uuid4

import pytest

from service import doubting, replying
from service.auditing import Actor
from service.database import Database
from service.domain.errors import StaleFormError
from service.domain.words import Answer
from service.replying import Reply
from tests import builders
from tests.invited import KEYS, NOW, Invited, a_meeting, a_person, invite

OFFICE = Actor("account", uuid4(), "Kim Koordination")
ROUNDS = 6


async def _doubted(database: Database, name: str, **meeting: object) -> Invited:
    """Insert somebody whose seat a scanner took."""
    invited = await invite(
        database, await a_meeting(database, **meeting), await a_person(database, name)
    )
    await _answer(database, invited, Answer.IN_PERSON, looks_automatic=True)
    return invited


async def _answer(
    database: Database, invited: Invited, answer: Answer, *, looks_automatic: bool = False
) -> None:
    reply = Reply(answer=answer, seen_revision=1)
    await replying.record_reply(
        database, KEYS, invited.token, reply, NOW, looks_automatic=looks_automatic
    )


async def _reset(database: Database, invited: Invited) -> bool:
    ids = (invited.meeting_id, invited.invitation_id)
    try:
        await doubting.reset(database, OFFICE, *ids, 1, NOW)
    except StaleFormError:
        return False
    return True


@pytest.mark.parametrize("limit", [None, 1])
async def test_an_answer_and_a_reset_at_once_leave_the_answer_and_one_seat(
    database: Database, limit: int | None
) -> None:
    for number in range(ROUNDS):
        invited = await _doubted(database, f"Mira{number} Muster", seats_per_partner=limit)
        own = _answer(database, invited, Answer.REPRESENTED)
        both = (_reset(database, invited), own)
        await asyncio.gather(*(both if number % 2 else both[::-1]))
        row = await builders.read(database, "invitation", invited.invitation_id)
        seats = await database.fetchrow(
            "SELECT taken, by_partner FROM meeting_seats WHERE meeting_id = $1", invited.meeting_id
        )

        assert ("represented", False, True) == (
            row["answer"],
            row["looks_automatic"],
            row["has_seat"],
        )
        assert seats is not None
        assert (1, [1] if limit else []) == (seats["taken"], list(seats["by_partner"].values()))


async def test_of_two_presses_at_once_one_resets(database: Database) -> None:
    invited = await _doubted(database, "Mira Muster")
    done = await asyncio.gather(*(_reset(database, invited) for _ in range(3)))

    assert [False, False, True] == sorted(done)
    assert 0 == await database.fetchval("SELECT taken FROM meeting_seats")
    assert 1 == await database.fetchval("SELECT count(*) FROM audit WHERE action = 'answer_reset'")


async def test_a_reset_stays_in_the_history_of_answers(database: Database) -> None:
    invited = await _doubted(database, "Mira Muster")
    await _reset(database, invited)
    history = await replying.list_answers(database, invited.invitation_id)

    assert [("in_person", True)] == [(row["answer"], row["looks_automatic"]) for row in history]


async def test_nobody_confirms_an_answer_that_is_not_doubted(database: Database) -> None:
    invited = await _doubted(database, "Mira Muster")
    await _answer(database, invited, Answer.DECLINED)
    ids = (invited.meeting_id, invited.invitation_id)

    with pytest.raises(StaleFormError):
        await doubting.confirm(database, OFFICE, *ids, 2)


async def test_an_answer_of_another_session_is_not_touched(database: Database) -> None:
    invited = await _doubted(database, "Mira Muster")

    with pytest.raises(StaleFormError):
        await doubting.confirm(database, OFFICE, uuid4(), invited.invitation_id, 1)
    with pytest.raises(StaleFormError):
        await doubting.reset(database, OFFICE, uuid4(), invited.invitation_id, 1, NOW)
