"""A partner has so many seats in the room and not one more, however many press at once."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest

from service import inviting, planning, replying, scheduling, tokens
from service.auditing import Actor
from service.database import Database
from service.domain.errors import FieldsError, PartnerSeatsTakenError, SeatsTakenError
from service.domain.words import Answer, Way
from service.replying import Recorded, Reply
from service.tokens import Purpose
from tests.builders import NOW, Row, a_meeting, a_person, an_invitation, an_organisation
from tests.invited import KEYS

OFFICE = Actor("account", uuid4(), "Frau Koordinatorin")
YES, NO = Reply(answer=Answer.IN_PERSON), Reply(answer=Answer.DECLINED)


async def by_link(database: Database, invitation: Row, reply: Reply) -> Recorded:
    token = tokens.derive(KEYS, Purpose.ANSWER, invitation["handle"], 1)
    revision = await database.fetchval(
        "SELECT revision FROM meeting WHERE id = $1", invitation["meeting_id"]
    )
    seen = replace(reply, seen_revision=revision)
    return await replying.record_reply(database, KEYS, token, seen, NOW)


async def by_office(database: Database, invitation: Row, reply: Reply) -> Recorded:
    return await replying.enter_reply(database, OFFICE, invitation["id"], reply, Way.PHONE, NOW)


BOTH = pytest.mark.parametrize("answering", [by_link, by_office])


async def colleagues(database: Database, meeting: Row, number: int) -> list[Row]:
    """Invite so many people of one partner."""
    partner = await an_organisation(database)
    return [
        await an_invitation(
            database, meeting, await a_person(database), organisation_id=partner["id"]
        )
        for _ in range(number)
    ]


async def seats(database: Database) -> tuple[int, list[int], int]:
    """Return how many are counted, by partner, and how many there are."""
    row = await database.fetchrow("SELECT taken, by_partner FROM meeting_seats")
    seated = await database.fetchval("SELECT count(*) FROM invitation WHERE has_seat")
    assert row is not None
    return row["taken"], sorted(row["by_partner"].values()), seated


async def change(database: Database, meeting: Row, **entries: Any) -> None:
    form, _ = await planning.load_form(database, meeting["id"])
    form = replace(form, **entries)
    await scheduling.change(database, OFFICE, meeting["id"], form, NOW)


def refusals(done: Sequence[object], kind: type) -> int:
    return sum(type(one) is kind for one in done)


@BOTH
async def test_the_partner_s_last_seat_goes_once(database: Database, answering: Any) -> None:
    meeting = await a_meeting(database, seats_per_partner=2)
    rivals = await colleagues(database, meeting, 8)
    done = await asyncio.gather(
        *(answering(database, one, YES) for one in rivals), return_exceptions=True
    )

    assert (2, 6) == (refusals(done, Recorded), refusals(done, PartnerSeatsTakenError))
    assert (2, [2], 2) == await seats(database)


@BOTH
async def test_room_and_partners_are_both_kept_to_at_once(
    database: Database, answering: Any
) -> None:
    meeting = await a_meeting(database, capacity=5, seats_per_partner=2)
    teams = [await colleagues(database, meeting, 4) for _ in range(4)]
    rivals = [one for people in zip(*teams, strict=True) for one in people]
    done = await asyncio.gather(
        *(answering(database, one, YES) for one in rivals), return_exceptions=True
    )
    taken, by_partner, seated = await seats(database)

    assert (5, 5, 5) == (taken, seated, refusals(done, Recorded))
    assert (sum(by_partner), max(by_partner)) == (5, 2)
    assert 11 == refusals(done, SeatsTakenError) + refusals(done, PartnerSeatsTakenError)


@BOTH
async def test_who_changes_away_frees_the_seat_for_a_colleague(
    database: Database, answering: Any
) -> None:
    meeting = await a_meeting(database, seats_per_partner=1)
    first, second = await colleagues(database, meeting, 2)
    await answering(database, first, YES)
    await answering(database, first, NO)
    await answering(database, second, YES)

    assert (1, [1], 1) == await seats(database)


async def test_a_deputy_takes_the_partner_s_seat_too(database: Database) -> None:
    meeting = await a_meeting(database, seats_per_partner=1)
    first, second = await colleagues(database, meeting, 2)
    await by_link(database, first, Reply(answer=Answer.REPRESENTED, deputy_name="Dana"))
    with pytest.raises(PartnerSeatsTakenError):
        await by_link(database, second, YES)

    assert (1, [1], 1) == await seats(database)


async def test_who_has_the_seat_may_say_it_again_in_a_full_partner(database: Database) -> None:
    meeting = await a_meeting(database, seats_per_partner=1)
    first, _ = await colleagues(database, meeting, 2)
    await by_link(database, first, YES)
    await by_link(database, first, replace(YES, note="Ich komme mit dem Rad."))

    assert (1, [1], 1) == await seats(database)


async def test_who_belongs_to_no_partner_is_not_limited_by_one(database: Database) -> None:
    meeting = await a_meeting(database, seats_per_partner=1)
    people = [await an_invitation(database, meeting) for _ in range(3)]
    for one in people:
        await by_link(database, one, YES)

    assert (3, [], 3) == await seats(database)


async def test_online_nobody_takes_a_seat(database: Database) -> None:
    meeting = await a_meeting(database, mode="hybrid", seats_per_partner=1)
    people = await colleagues(database, meeting, 3)
    for one in people:
        await by_link(database, one, Reply(answer=Answer.ONLINE))

    assert (0, [], 0) == await seats(database)


async def test_an_uninvited_person_frees_the_partner_s_seat(database: Database) -> None:
    meeting = await a_meeting(database, seats_per_partner=1)
    first, second = await colleagues(database, meeting, 2)
    await by_link(database, first, YES)
    await inviting.uninvite(database, OFFICE, first["id"], NOW)
    await by_link(database, second, YES)

    assert (1, [1], 1) == await seats(database)


async def test_a_limit_set_later_counts_those_who_have_accepted(database: Database) -> None:
    meeting = await a_meeting(database)
    first, second, third = await colleagues(database, meeting, 3)
    for one in (first, second):
        await by_link(database, one, YES)
    await change(database, meeting, seats_per_partner=2)
    with pytest.raises(PartnerSeatsTakenError):
        await by_link(database, third, YES)

    assert (2, [2], 2) == await seats(database)


async def test_a_limit_below_what_a_partner_has_accepted_is_refused(database: Database) -> None:
    meeting = await a_meeting(database, seats_per_partner=3)
    for one in await colleagues(database, meeting, 3):
        await by_link(database, one, YES)
    with pytest.raises(FieldsError) as refused:
        await change(database, meeting, seats_per_partner=2)

    assert {"seats_per_partner": ("plan.err_partner_seats", {"n": 3})} == refused.value.fields


async def test_a_limit_that_comes_while_people_answer_is_never_passed(database: Database) -> None:
    meeting = await a_meeting(database)
    rivals = await colleagues(database, meeting, 6)

    async def limit() -> None:
        await change(database, meeting, seats_per_partner=2)

    work = [by_link(database, one, YES) for one in rivals]
    done = await asyncio.gather(*work[:1], limit(), *work[1:], return_exceptions=True)
    limited = await database.fetchval("SELECT seats_per_partner FROM meeting")
    taken, by_partner, seated = await seats(database)
    expected = (Recorded, type(None), PartnerSeatsTakenError, FieldsError)
    odd = [one for one in done if not isinstance(one, expected)]

    assert [] == [one for one in odd if type(one).__name__ != "MeetingChangedError"]
    assert taken == seated
    assert limited is None or by_partner in ([], [1], [2])


async def test_the_view_says_what_the_partner_has_left(database: Database) -> None:
    meeting = await a_meeting(database, seats_per_partner=2)
    first, second, _ = await colleagues(database, meeting, 3)
    left = []
    for one in (first, second):
        await by_link(database, one, YES)
        view = await replying.load_invitation(database, UUID(str(second["id"])), NOW)
        left.append(view.partner_seats_left)

    assert left == [1, 0]
