"""Who is taken off a list and put on it again before anybody was told stands as before."""

from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from notifications import outbox
from service import enrolling, inviting, noticing, replying
from service.auditing import COMMAND, Actor
from service.database import Database
from service.domain.words import Answer
from service.replying import Reply
from tests import builders
from tests.invited import KEYS, NOW, Invited, a_person, invite, somebody_invited
from tests.service import test_joining

MINUTE = timedelta(minutes=1)
LATER = NOW + timedelta(days=1)
OFFICE = Actor("account", uuid4(), "Kim Koordination")
YES = Reply(answer=Answer.IN_PERSON, note="mit Rad", access_needs="Rampe")


async def answered(database: Database, **meeting: int) -> Invited:
    """Return somebody who comes, and was taken off the list a minute ago."""
    invited = await somebody_invited(database, **meeting)
    await replying.record_reply(database, KEYS, invited.token, YES, NOW)
    await inviting.uninvite(database, OFFICE, invited.invitation_id, NOW)
    return invited


async def put_back(database: Database, invited: Invited) -> UUID:
    return await inviting.invite_one_more(
        database, OFFICE, invited.meeting_id, invited.person_id, NOW + MINUTE
    )


async def standing(database: Database) -> tuple[str, str | None, str, bool]:
    row = await database.fetchrow("SELECT state, answer, note, has_seat FROM invitation")
    assert row is not None
    return tuple(row)


async def letters_of_the_office(database: Database) -> list[str]:
    await noticing.queue_due(database, LATER)
    rows = await builders.letters(database)
    return [row["kind"] for row in rows if row["kind"] != "receipt"]


async def test_the_answer_stands_and_nobody_reads_anything(database: Database) -> None:
    invited = await answered(database, capacity=3)

    found = await put_back(database, invited)

    assert invited.invitation_id == found
    assert ("invited", "in_person", "mit Rad", True) == await standing(database)
    assert 1 == await database.fetchval("SELECT taken FROM meeting_seats")
    assert 0 == await database.fetchval("SELECT count(*) FROM notice WHERE state = 'pending'")
    assert [] == await letters_of_the_office(database)


async def test_others_who_were_taken_off_with_them_are_told_all_the_same(
    database: Database,
) -> None:
    invited = await answered(database)
    other = await invite(database, invited.meeting_id, await a_person(database, "Omar Oder"))
    await inviting.uninvite(database, OFFICE, other.invitation_id, NOW)

    await put_back(database, invited)

    assert ["uninvited"] == await letters_of_the_office(database)
    told = await database.fetchval("SELECT recipient_id FROM letter WHERE kind = 'uninvited'")
    assert other.person_id == told


async def test_the_answer_stands_where_the_news_of_it_was_taken_back(database: Database) -> None:
    invited = await answered(database)
    notice = await database.fetchval("SELECT id FROM notice")
    await noticing.withdraw(database, OFFICE, notice, NOW)

    await put_back(database, invited)

    assert ("invited", "in_person", "mit Rad", True) == await standing(database)
    assert [] == await letters_of_the_office(database)


async def test_who_comes_back_again_and_again_stands_as_before(database: Database) -> None:
    invited = await answered(database)
    await put_back(database, invited)
    await inviting.uninvite(database, OFFICE, invited.invitation_id, NOW + 2 * MINUTE)
    await put_back(database, invited)

    assert ("invited", "in_person", "mit Rad", True) == await standing(database)
    assert [] == await letters_of_the_office(database)


async def test_who_has_read_of_it_is_asked_afresh(database: Database) -> None:
    invited = await answered(database)
    await noticing.queue_due(database, LATER)

    await inviting.invite_one_more(database, OFFICE, invited.meeting_id, invited.person_id, LATER)

    assert ("planned", None, "", False) == await standing(database)


@pytest.mark.parametrize("kind", ["invitation", "change"])
async def test_who_missed_a_letter_meanwhile_is_asked_afresh(database: Database, kind: str) -> None:
    invited = await somebody_invited(database)
    async with database.unit_of_work() as unit:
        await outbox.post(
            unit.connection,
            outbox.NewLetter(
                dedupe_key="waits",
                kind=kind,
                recipient_id=invited.person_id,
                subject_id=invited.meeting_id,
                ordering_key="k",
                not_before=NOW,
                expires_at=LATER,
            ),
        )
    await inviting.uninvite(database, OFFICE, invited.invitation_id, NOW)

    await put_back(database, invited)

    assert "planned" == (await standing(database))[0]


async def test_a_member_who_is_put_into_the_group_again_keeps_the_answers(
    database: Database,
) -> None:
    group = await test_joining.a_group_with_sessions(database, count=2)
    form = test_joining.a_form(group)
    person = await test_joining.join(database, form)
    now = test_joining.LATER
    await noticing.queue_due(database, now)
    await database.fetch("UPDATE outbox SET state = 'sent'")
    await database.fetch(
        "UPDATE invitation SET answer = 'online', answer_way = 'link' WHERE person_id = $1", person
    )
    await enrolling.save_member(database, COMMAND, person, test_joining.a_form(), now)
    left = await database.fetch("SELECT state FROM invitation WHERE person_id = $1", person)
    await enrolling.save_member(database, COMMAND, person, form, now + 2 * MINUTE)
    await noticing.queue_due(database, now + timedelta(days=1))

    rows = await database.fetch("SELECT state, answer FROM invitation WHERE person_id = $1", person)
    assert ["uninvited"] * 2 == [row["state"] for row in left]
    assert [("invited", "online")] * 2 == [tuple(row) for row in rows]
    assert ["welcome"] == [row["kind"] for row in await builders.letters(database)]
