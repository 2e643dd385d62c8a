from datetime import timedelta
from uuid import uuid4

import pytest

from service import asking, inviting, noticing, planning
from service.auditing import Actor
from service.database import Database
from service.domain.errors import AnsweringClosedError
from tests.builders import (
    LONG_AGO,
    NOW,
    a_group,
    a_meeting,
    a_membership,
    a_person,
    an_invitation,
    an_organisation,
    insert,
    letters,
    read,
)

OFFICE = Actor("account", uuid4(), "Frau Koordinatorin")
LATER = NOW + timedelta(minutes=10)


async def test_one_more_person_gets_a_letter_and_nobody_else_does(database: Database) -> None:
    meeting = await a_meeting(database)
    await an_invitation(database, meeting)
    city = await an_organisation(database)
    guest = await a_person(database, of=city, role_title="Dezernat III")
    added = await inviting.invite_one_more(database, OFFICE, meeting["id"], guest["id"], NOW)
    await noticing.queue_due(database, LATER)
    after = await read(database, "invitation", added)

    assert [row["recipient_id"] for row in await letters(database)] == [guest["id"]]
    assert (after["state"], after["organisation_id"], after["role_title"]) == (
        "invited",
        city["id"],
        "Dezernat III",
    )


async def test_who_is_uninvited_is_told_and_frees_the_seat(database: Database) -> None:
    meeting = await a_meeting(database, capacity=1)
    person = await a_person(database)
    invitation = await an_invitation(database, meeting, person, answer="in_person")
    await an_invitation(database, meeting)
    await inviting.uninvite(database, OFFICE, invitation["id"], NOW)
    await noticing.queue_due(database, LATER)
    after = await read(database, "invitation", invitation["id"])

    assert [(row["kind"], row["recipient_id"]) for row in await letters(database)] == [
        ("uninvited", person["id"])
    ]
    assert (after["state"], after["answer"], after["has_seat"]) == ("uninvited", "in_person", False)
    assert await database.fetchval("SELECT taken FROM meeting_seats") == 0
    assert (await read(database, "meeting", meeting["id"]))["sequence"] == 1


async def test_letters_that_wait_for_somebody_uninvited_do_not_leave(database: Database) -> None:
    meeting = await a_meeting(database)
    people = [await a_person(database) for _ in range(2)]
    for person in people:
        await an_invitation(database, meeting, person)
    await noticing.remind(database, OFFICE, meeting["id"], NOW)
    await noticing.queue_due(database, LATER)
    first = await database.fetchval(
        "SELECT id FROM invitation WHERE person_id = $1", people[0]["id"]
    )
    await inviting.uninvite(database, OFFICE, first, LATER)
    states = {row["recipient_id"]: row["state"] for row in await letters(database)}

    assert states == {people[0]["id"]: "cancelled", people[1]["id"]: "queued"}


async def test_who_was_only_planned_never_hears_of_it_and_is_not_added_again(
    database: Database,
) -> None:
    group = await a_group(database)
    meeting = await a_meeting(database, of=group)
    person = await a_person(database, member_of=group)
    invitation = await an_invitation(database, meeting, person, state="planned")
    await an_invitation(database, meeting, state="planned")
    await noticing.invite(database, OFFICE, meeting["id"], NOW)
    notice_id = await inviting.uninvite(database, OFFICE, invitation["id"], NOW)
    await noticing.queue_due(database, LATER)

    assert notice_id is None
    assert person["id"] not in {row["recipient_id"] for row in await letters(database)}
    assert (await read(database, "meeting", meeting["id"]))["revision"] == 1


async def test_the_own_calendar_follows_when_somebody_is_uninvited(database: Database) -> None:
    meeting = await a_meeting(database)
    person = await a_person(database)
    invitation = await an_invitation(database, meeting, person)
    feed = await insert(database, "feed", kind="personal", person_id=person["id"])
    await inviting.uninvite(database, OFFICE, invitation["id"], NOW)

    assert (await read(database, "feed", feed["id"]))["revision"] == feed["revision"] + 1


async def test_the_own_calendar_follows_when_somebody_is_invited(database: Database) -> None:
    meeting = await a_meeting(database, state="tentative")
    person = await a_person(database)
    feed = await insert(database, "feed", kind="personal", person_id=person["id"])
    await inviting.invite_one_more(database, OFFICE, meeting["id"], person["id"], NOW)

    assert (await read(database, "feed", feed["id"]))["revision"] == feed["revision"] + 1


async def test_who_is_asked_by_name_stays_planned_though_the_group_was_left(
    database: Database,
) -> None:
    group = await a_group(database)
    meeting = await a_meeting(database, of=group, state="tentative")
    person = await a_person(database)
    await a_membership(database, person, group, to_on=LONG_AGO)
    added = await inviting.invite_one_more(database, OFFICE, meeting["id"], person["id"], NOW)
    async with database.unit_of_work() as unit:
        await asking.add_invitations(unit.connection, meeting["id"], NOW)

    assert (await read(database, "invitation", added))["state"] == "planned"


async def test_who_is_uninvited_stands_on_no_list_of_names(database: Database) -> None:
    meeting = await a_meeting(database, state="tentative")
    person = await a_person(database)
    added = await inviting.invite_one_more(database, OFFICE, meeting["id"], person["id"], NOW)
    listed, _ = await planning.load_form(database, meeting["id"])
    await inviting.uninvite(database, OFFICE, added, NOW)
    unlisted, _ = await planning.load_form(database, meeting["id"])

    assert (listed.person_ids, unlisted.person_ids) == ({person["id"]}, set())


async def test_nobody_is_invited_once_the_session_has_ended(database: Database) -> None:
    meeting = await a_meeting(database)
    person = await a_person(database)

    with pytest.raises(AnsweringClosedError):
        await inviting.invite_one_more(
            *(database, OFFICE, meeting["id"], person["id"]), meeting["ends_at"]
        )


async def test_who_was_uninvited_and_told_is_asked_again_by_a_letter(database: Database) -> None:
    meeting = await a_meeting(database)
    person = await a_person(database)
    await inviting.invite_one_more(database, OFFICE, meeting["id"], person["id"], NOW)
    await noticing.queue_due(database, LATER)
    invitation_id = await database.fetchval("SELECT id FROM invitation")
    await inviting.uninvite(database, OFFICE, invitation_id, LATER)
    await noticing.queue_due(database, LATER + timedelta(minutes=10))

    await inviting.invite_one_more(database, OFFICE, meeting["id"], person["id"], LATER)
    await noticing.queue_due(database, LATER + timedelta(minutes=20))

    kinds = sorted(row["kind"] for row in await letters(database))
    assert ["invitation", "invitation", "uninvited"] == kinds
