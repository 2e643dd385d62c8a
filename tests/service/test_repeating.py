"""Letters once more to one person: which one, by the guard's own word, and what then arrives."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID

import icalendar
import pytest

from service import judging, noticing, repeating, scheduling
from service.database import Database
from service.domain.words import State
from service.repeating import ON_ITS_WAY, Chance
from service.services import Services
from tests import builders
from tests.builders import Row
from tests.service import test_requesting
from tests.service.test_composing import NOW, STARTS, a_session, opened, part, ready
from tests.service.test_judging import GOOD
from tests.service.test_judging import NOW as LETTERS_NOW
from tests.service.test_scheduling import OFFICE
from tests.web.mailbox import deliver_raw

__all__ = ["ready"]
services = test_requesting.services


async def invited(database: Database, **columns: Any) -> tuple[Row, Row]:
    """Insert a session and somebody who has had the invitation."""
    meeting = await a_session(database)
    person = await builders.a_person(database, full_name="Mira Muster")
    invitation = await builders.an_invitation(
        database, meeting, person, state="planned", invited_at=None, **columns
    )
    await noticing.invite(database, OFFICE, meeting["id"], NOW)
    await sweep(database)
    return meeting, invitation


async def sweep(database: Database) -> None:
    """Let every countdown end."""
    await noticing.queue_due(database, NOW + timedelta(minutes=11))
    await database.fetch("UPDATE outbox SET next_attempt_at = now() WHERE state = 'queued'")


async def left(services: Services) -> list[Any]:
    """Let all that is due leave, and return the messages that arrived."""
    await sweep(services.database)
    return [opened(mail) for mail in await deliver_raw(services)]


async def again(database: Database, invitation: Row) -> bool:
    found: UUID = invitation["meeting_id"]
    return await repeating.send_again(database, OFFICE, found, invitation["id"], NOW)


async def chance(database: Database, invitation: Row, later: timedelta = timedelta()) -> Chance:
    found: UUID = invitation["meeting_id"]
    return await repeating.find_chance(database, found, invitation["id"], NOW + later)


def method(message: Any) -> str:
    [calendar] = [each for each in message.walk() if each.get_content_type() == "text/calendar"]
    return str(calendar.get_param("method"))


async def test_a_lost_cancellation_arrives_once_more_and_takes_the_entry_out(
    services: Services,
) -> None:
    database = services.database
    meeting, invitation = await invited(database)
    [first] = await left(services)
    await scheduling.cancel(database, OFFICE, meeting["id"], "Der Saal ist gesperrt.", NOW)
    [told] = await left(services)

    is_sent = await again(database, invitation)
    [repeated] = await left(services)

    assert is_sent
    assert ("REQUEST", "CANCEL") == (method(first), method(repeated))
    assert [told["Subject"], part(told, "text/plain")] == [
        repeated["Subject"],
        part(repeated, "text/plain"),
    ]
    assert "Der Saal ist gesperrt." in part(repeated, "text/plain")
    assert test_requesting.entry(told)["UID"] == test_requesting.entry(repeated)["UID"]


async def test_a_cancellation_among_several_is_repeated_alone_with_its_entry(
    services: Services,
) -> None:
    database = services.database
    meeting, invitation = await invited(database)
    await left(services)
    of = await database.fetchval("SELECT group_id FROM meeting_group")
    other = await builders.a_meeting(
        database,
        of=await builders.read(database, "working_group", of),
        number=17,
        starts_local=STARTS + timedelta(weeks=4),
    )
    person = await builders.read(database, "person", invitation["person_id"])
    await builders.an_invitation(database, other, person, channel="request")
    for one in (meeting, other):
        await scheduling.cancel(database, OFFICE, one["id"], "Streik.", NOW)
    await left(services)

    is_sent = await again(database, invitation)
    [repeated] = await left(services)

    assert is_sent
    assert "CANCEL" == method(repeated)
    [event] = icalendar.Calendar.from_ical(test_requesting.calendar_of(repeated)).events
    assert str(test_requesting.entry(repeated)["UID"]) == str(event["UID"])
    assert meeting["title"] in repeated["Subject"]


async def test_a_lost_postponement_and_what_follows_it_are_each_the_last_word(
    services: Services,
) -> None:
    database = services.database
    meeting, invitation = await invited(database)
    await left(services)
    subjects = []
    await scheduling.postpone(database, OFFICE, meeting["id"], NOW)
    await left(services)
    assert await again(database, invitation)
    subjects += [each["Subject"] for each in await left(services)]
    await scheduling.cancel(database, OFFICE, meeting["id"], "Streik.", NOW)
    await left(services)
    await scheduling.make(database, OFFICE, meeting["id"], None, NOW)
    await left(services)
    assert await again(database, invitation)
    subjects += [each["Subject"] for each in await left(services)]

    assert ["Verschoben", "Findet doch statt"] == [one.partition(":")[0] for one in subjects]


@pytest.mark.parametrize("act", ["cancel", "postpone"])
async def test_what_was_never_told_cannot_be_repeated(services: Services, act: str) -> None:
    """The invitation would be stopped, and somebody would believe that it left."""
    database = services.database
    meeting, invitation = await invited(database)
    await left(services)
    if act == "cancel":
        await scheduling.cancel(database, OFFICE, meeting["id"], "Streik.", NOW)
    else:
        await scheduling.postpone(database, OFFICE, meeting["id"], NOW)

    is_sent = await again(database, invitation)

    assert not is_sent
    assert Chance(None) == await chance(database, invitation)
    assert 1 == len(await builders.letters(database))


async def test_an_older_cancellation_is_not_taken_for_the_one_that_still_waits(
    services: Services,
) -> None:
    database = services.database
    meeting, invitation = await invited(database)
    await left(services)
    await scheduling.cancel(database, OFFICE, meeting["id"], "Streik.", NOW)
    await left(services)
    await scheduling.make(database, OFFICE, meeting["id"], None, NOW)
    await left(services)
    await scheduling.cancel(database, OFFICE, meeting["id"], "Hochwasser.", NOW)

    assert not await again(database, invitation)

    await sweep(database)
    assert Chance(None, ON_ITS_WAY) == await chance(database, invitation)
    [last] = await left(services)
    assert "Hochwasser." in part(last, "text/plain")
    assert await again(database, invitation)


async def test_whoever_answered_gets_the_letter_before_the_nudge(services: Services) -> None:
    database = services.database
    meeting, invitation = await invited(database)
    await left(services)
    await noticing.remind(database, OFFICE, meeting["id"], NOW)
    await left(services)
    nudged = await chance(database, invitation)
    await database.fetch(
        "UPDATE invitation SET answer = 'in_person', answer_way = 'link', answer_rev = 1,"
        " answered_at = $1, given_starts_local = $2, given_mode = 'hybrid', given_town = 'Erfurt'",
        *(NOW, STARTS),
    )

    is_sent = await again(database, invitation)
    [repeated] = await left(services)

    assert (Chance("nudge"), True) == (nudged, is_sent)
    assert repeated["Subject"].startswith("Einladung")


async def test_an_address_that_does_not_work_is_said_and_nothing_is_posted(
    services: Services,
) -> None:
    database = services.database
    _, invitation = await invited(database)
    await left(services)
    await database.fetch(
        "INSERT INTO address_state (address_normal, state)"
        " SELECT email_normal, 'undeliverable' FROM person"
    )

    assert not await again(database, invitation)

    assert Chance(None, "undeliverable") == await chance(database, invitation)
    assert 1 == len(await builders.letters(database))


async def test_a_cancellation_can_be_repeated_until_an_hour_into_the_session(
    services: Services,
) -> None:
    database = services.database
    meeting, invitation = await invited(database)
    await left(services)
    await scheduling.cancel(database, OFFICE, meeting["id"], "Streik.", NOW)
    await left(services)
    to_start = meeting["starts_at"] - NOW

    found = [
        await chance(database, invitation, to_start + timedelta(minutes=minutes))
        for minutes in (59, 60)
    ]

    assert [Chance("cancellation"), Chance(None)] == found


async def test_two_presses_at_once_send_one_letter(services: Services) -> None:
    database = services.database
    _, invitation = await invited(database)
    await left(services)

    presses = await asyncio.gather(*(again(database, invitation) for _ in range(4)))

    assert [False, False, False, True] == sorted(presses)
    assert 2 == len(await builders.letters(database))


@pytest.mark.parametrize("state", list(State))
def test_what_is_offered_is_what_the_guard_lets_leave(state: State) -> None:
    kinds = {kind for each in repeating.KINDS.values() for kind in each}
    row = GOOD | {"meeting_state": state.value}
    holds = {one for one in kinds if judging.judge(row | {"kind": one}, LETTERS_NOW) is None}

    offered = {one for one in kinds if repeating.fitting(state, [one], [one])}

    assert holds == offered
