"""Joining and leaving groups: one letter a person, and what it would be, told before."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from service import enrolling, importing, inviting, joining, noticing
from service.auditing import Actor
from service.composing import Clerk
from service.database import Database
from service.domain.imports import Choice
from service.enrolling import MemberForm
from service.services import Services
from tests import builders
from tests.builders import Row
from tests.service import test_composing
from tests.service.test_writing_together import opened, posted, text_of

ready, services = test_composing.ready, test_composing.services

OFFICE = Actor("account", uuid4(), "Frau Koordinatorin")
NOW = test_composing.NOW
LATER = NOW + timedelta(minutes=11)


async def a_group_with_sessions(database: Database, name: str = "Klima", count: int = 3) -> Row:
    """Insert a group whose members are invited to its sessions."""
    group = await builders.a_group(database, name=f"Arbeitsgruppe {name}", slug=name.lower())
    old = await builders.a_person(database, member_of=group)
    for n in range(count):
        session = await builders.a_meeting(
            database,
            of=group,
            number=16 + n,
            title=f"{16 + n}. Arbeitsgruppensitzung {name}",
            starts_local=test_composing.STARTS + timedelta(weeks=4 * n),
            invited_at=NOW - timedelta(days=1),
        )
        await builders.an_invitation(database, session, old)
    return group


def a_form(*groups: Row, **more: Any) -> MemberForm:
    given: dict[str, Any] = {
        "full_name": "Nina Neu",
        "email": "nina@example.org",
        "group_ids": frozenset(group["id"] for group in groups),
        "with_letters": True,
    }
    return MemberForm(**given | more)


async def join(database: Database, form: MemberForm) -> UUID:
    person_id = uuid4()
    await enrolling.add_member(database, OFFICE, person_id, form, NOW)
    return person_id


async def test_a_newcomer_gets_one_welcome_with_a_link_for_each_open_session(
    services: Services, database: Database
) -> None:
    group = await a_group_with_sessions(database)
    await join(database, a_form(group))

    await noticing.queue_due(database, LATER)

    assert [("Nina Neu", "welcome", 3)] == await posted(database)
    letter = await database.fetchval("SELECT id FROM letter")
    message, values = await opened(services, letter)
    text = text_of(message)
    first = await database.fetchval("SELECT uid FROM meeting ORDER BY starts_at LIMIT 1")
    assert message["subject"] == "Willkommen: Arbeitsgruppe Klima, 3 Sitzungen"
    assert f"<meeting-{first}@" in message["references"]
    assert 3 == len({values[f"link_answer_{n}"] for n in (1, 2, 3)})
    assert all(values[f"link_answer_{n}"] in text for n in (1, 2, 3))
    assert "Dies ist unsere erste E-Mail an Sie." in text


async def test_a_welcome_to_one_session_is_a_welcome(
    services: Services, database: Database
) -> None:
    group = await a_group_with_sessions(database, count=1)
    await join(database, a_form(group))

    await noticing.queue_due(database, LATER)

    assert [("Nina Neu", "welcome", 1)] == await posted(database)


async def test_nobody_is_written_to_unless_the_office_says_so(
    services: Services, database: Database
) -> None:
    group = await a_group_with_sessions(database)
    await join(database, a_form(group, with_letters=False))

    await noticing.queue_due(database, LATER)

    assert [] == await posted(database)
    assert "planned" == await database.fetchval(
        "SELECT max(i.state) FROM invitation i JOIN person p ON p.id = i.person_id"
        " WHERE p.full_name = 'Nina Neu'"
    )


async def test_sessions_whose_invitations_still_wait_invite_newcomers_with_everybody(
    services: Services, database: Database
) -> None:
    group = await a_group_with_sessions(database)
    await database.fetch("UPDATE meeting SET invited_at = NULL WHERE title LIKE '18.%'")
    await join(database, a_form(group))

    await noticing.queue_due(database, LATER)

    assert [("Nina Neu", "welcome", 2)] == await posted(database)


async def test_one_press_sends_the_whole_welcome(services: Services, database: Database) -> None:
    group = await a_group_with_sessions(database)
    await join(database, a_form(group))
    notice = await database.fetchval("SELECT id FROM notice LIMIT 1")

    count = await noticing.send_now(database, OFFICE, notice, NOW)

    assert 1 == count
    assert [("Nina Neu", "welcome", 3)] == await posted(database)


async def test_whoever_leaves_gets_one_farewell_and_is_invited_no_more(
    services: Services, database: Database
) -> None:
    group = await a_group_with_sessions(database)
    person = await join(database, a_form(group))
    await noticing.queue_due(database, LATER)
    await database.fetch("UPDATE outbox SET state = 'sent', accepted_at = now()")
    await database.fetch("UPDATE letter SET created_at = now() - interval '1 hour'")

    later = LATER + timedelta(days=1)
    await enrolling.save_member(database, OFFICE, person, a_form(), later)
    await noticing.queue_due(database, later + timedelta(minutes=11))

    assert [("Nina Neu", "farewell", 3), ("Nina Neu", "welcome", 3)] == await posted(database)
    letter = await database.fetchval("SELECT id FROM letter WHERE kind = 'farewell'")
    message, _ = await opened(services, letter)
    assert message["subject"] == "Nicht mehr eingeladen: Arbeitsgruppe Klima, 3 Sitzungen"
    assert "link_answer" not in str((await Clerk(services).look_up([letter]))[letter]) or (
        "/a/" not in text_of(message)
    )
    states = await database.fetch(
        "SELECT DISTINCT state FROM invitation WHERE person_id = $1", person
    )
    assert ["uninvited"] == [row["state"] for row in states]


async def test_of_a_session_of_several_groups_letters_name_those_of_their_reader(
    services: Services, database: Database
) -> None:
    climate = await a_group_with_sessions(database, count=2)
    other = await a_second_group(database)
    person = await join(database, a_form(climate))
    await noticing.queue_due(database, LATER)
    welcome = await text_of_kind(services, "welcome")
    later = LATER + timedelta(days=1)
    await enrolling.save_member(database, OFFICE, person, a_form(), later)
    await noticing.queue_due(database, later + timedelta(minutes=11))
    farewell = await text_of_kind(services, "farewell")

    assert [False, False] == [other["name"] in text for text in (welcome, farewell)]
    assert [True, True] == [climate["name"] in text for text in (welcome, farewell)]


async def a_second_group(database: Database) -> Row:
    """Insert a group that all sessions are of, too."""
    other = await builders.a_group(database)
    await database.fetch(
        "INSERT INTO meeting_group (meeting_id, group_id) SELECT id, $1 FROM meeting", other["id"]
    )
    return other


async def text_of_kind(services: Services, kind: str) -> str:
    letter = await services.database.fetchval("SELECT id FROM letter WHERE kind = $1", kind)
    message, _ = await opened(services, letter)
    return text_of(message)


async def farewell(database: Database, group: Row) -> UUID:
    """Let somebody join a group and leave it, each with its letter, and return the person."""
    person = await join(database, a_form(group))
    await noticing.queue_due(database, LATER)
    await database.fetch("UPDATE outbox SET state = 'sent', accepted_at = now()")
    await enrolling.save_member(database, OFFICE, person, a_form(), LATER)
    await noticing.queue_due(database, LATER + timedelta(minutes=11))
    await database.fetch("UPDATE outbox SET state = 'sent', accepted_at = now()")
    return person


INVITATIONS = "SELECT id, handle, epoch, state, answer FROM invitation WHERE person_id = $1"


@pytest.mark.parametrize("with_letters", [True, False])
async def test_whoever_comes_back_is_asked_again_by_the_same_links(
    services: Services, database: Database, *, with_letters: bool
) -> None:
    group = await a_group_with_sessions(database)
    person = await farewell(database, group)
    before = await database.fetch(f"{INVITATIONS} ORDER BY id", person)
    back = LATER + timedelta(days=1)
    form = a_form(group, with_letters=with_letters)
    await enrolling.save_member(database, OFFICE, person, form, back)
    await noticing.queue_due(database, back + timedelta(minutes=11))

    after = await database.fetch(f"{INVITATIONS} ORDER BY id", person)
    state = "invited" if with_letters else "planned"
    links = ("id", "handle", "epoch")
    assert [[row[one] for one in links] for row in before] == [
        [row[one] for one in links] for row in after
    ]
    assert [(state, None)] * 3 == [(row["state"], row["answer"]) for row in after]
    assert (2 if with_letters else 1) == (
        [kind for _, kind, _ in await posted(database)].count("welcome")
    )
    actions = await database.fetch("SELECT action FROM audit WHERE action = 'invited_again'")
    assert 3 == len(actions)


async def test_whom_the_office_took_off_a_list_stays_off_it_when_another_group_is_joined(
    services: Services, database: Database
) -> None:
    climate = await a_group_with_sessions(database, count=1)
    other = await a_second_group(database)
    person = await join(database, a_form(climate))
    await noticing.queue_due(database, LATER)
    invitation = await database.fetchval("SELECT id FROM invitation WHERE person_id = $1", person)
    await inviting.uninvite(database, OFFICE, invitation, LATER)
    await enrolling.save_member(database, OFFICE, person, a_form(climate, other), LATER)

    [row] = await database.fetch(INVITATIONS, person)
    assert "uninvited" == row["state"]


async def test_who_stays_invited_by_another_group_keeps_the_invitation(
    services: Services, database: Database
) -> None:
    climate = await a_group_with_sessions(database)
    other = await builders.a_group(database)
    await database.fetch(
        "INSERT INTO meeting_group (meeting_id, group_id) SELECT id, $1 FROM meeting"
        " WHERE title LIKE '16.%'",
        other["id"],
    )
    person = await join(database, a_form(climate, other))
    await noticing.queue_due(database, LATER)

    await enrolling.save_member(database, OFFICE, person, a_form(other), LATER)

    states = await database.fetch(
        "SELECT i.state FROM invitation i JOIN meeting m ON m.id = i.meeting_id"
        " WHERE i.person_id = $1 ORDER BY m.title",
        person,
    )
    assert ["invited", "uninvited", "uninvited"] == [row["state"] for row in states]


async def test_leaving_one_group_for_another_is_one_letter(
    services: Services, database: Database
) -> None:
    climate = await a_group_with_sessions(database)
    vacancy = await a_group_with_sessions(database, "Leerstand", 2)
    person = await join(database, a_form(climate))
    await noticing.queue_due(database, LATER)
    await database.fetch("UPDATE outbox SET state = 'sent', accepted_at = now()")

    await enrolling.save_member(database, OFFICE, person, a_form(vacancy), LATER)
    await noticing.queue_due(database, LATER + timedelta(minutes=11))

    assert ("Nina Neu", "several", 5) in await posted(database)


async def test_what_would_leave_is_told_before_and_nothing_is_kept(
    services: Services, database: Database
) -> None:
    group = await a_group_with_sessions(database)
    form = replace(a_form(group), with_letters=False)

    tally = await enrolling.foresee(database, OFFICE, uuid4(), form, NOW)

    assert [("Nina Neu", "welcome", 3)] == [
        (one.name, one.kind, len(one.titles)) for one in tally.letters
    ]
    assert (1, False, {"welcome": 1}) == (tally.most, tally.is_many, tally.kinds)
    assert 0 == await database.fetchval("SELECT count(*) FROM person WHERE full_name = 'Nina Neu'")
    assert [] == await posted(database)


LIST = "Name;E-Mail;Gruppen\nNina Neu;nina@example.org;klima\nNils Neu;nils@example.org;klima\n"


@pytest.mark.parametrize("with_letters", [True, False])
async def test_a_list_welcomes_each_newcomer_once_where_the_office_says_so(
    services: Services, database: Database, *, with_letters: bool
) -> None:
    await a_group_with_sessions(database)
    foreseen = await importing.foresee(database, OFFICE, "members", LIST, NOW)
    choice = Choice(with_letters=with_letters)
    await importing.apply(database, OFFICE, "members", LIST, NOW, choice=choice)

    await noticing.queue_due(database, LATER)

    letters = [("Nils Neu", "welcome", 3), ("Nina Neu", "welcome", 3)]
    assert {"welcome": 2} == foreseen.kinds
    assert (letters if with_letters else []) == await posted(database)


async def test_nothing_to_tell_is_nothing_put_down(services: Services, database: Database) -> None:
    group = await builders.a_group(database)
    person = await builders.a_person(database)

    async with database.unit_of_work() as unit:
        found = await joining.regroup(
            unit.connection, OFFICE, {person["id"]: {group["id"]}}, NOW, with_letters=True
        )

    assert not found.notice_ids
