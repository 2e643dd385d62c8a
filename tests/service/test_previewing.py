"""The preview shows the letters that leave: their words, their buttons, who reads them how."""

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import icalendar
import pytest

from notifications import intake, letters
from service import (
    furnishing,
    noticing,
    planning,
    previewing,
    rehearsing,
    relaying,
    sampling,
    scheduling,
)
from service.database import Database
from service.domain.meetings import Move
from service.hearing import Ear
from service.moving import Ending
from service.previewing import ShownLetter
from service.rehearsing import Wish
from service.scheduling import Options
from service.services import Services
from tests import builders
from tests.builders import Row
from tests.service.test_composing import NOW, STARTS, a_session, opened, part, ready
from tests.service.test_requesting import deliver_later, services
from tests.service.test_scheduling import OFFICE

__all__ = ["ready", "services"]
ACCOUNT = UUID(int=7)
TOLD = {"told_rev": 1, "invited_at": NOW - timedelta(days=9)}
ANSWERED = {**TOLD, "answered_at": NOW - timedelta(days=8)}


async def shown(services: Services, meeting: Row, wish: Wish) -> list[ShownLetter]:
    found = await rehearsing.rehearse(services.database, OFFICE, meeting["id"], wish, NOW)
    instance = (await furnishing.look(services.database)).instance
    return previewing.show_letters(services, instance, found)


async def moved(services: Services, meeting: Row) -> Wish:
    """Wish the session a week later."""
    form, revision = await planning.load_form(services.database, meeting["id"])
    assert form.start_on is not None
    later = replace(form, start_on=form.start_on + timedelta(days=7))
    return Wish(move=Move.CHANGE, form=later, options=Options(seen_revision=revision))


async def a_known_session(services: Services, answers: list[str | None], **more: Any) -> Row:
    """Insert a session whose people have heard of it, each with an answer."""
    database = services.database
    meeting = await a_session(database)
    of = await builders.an_organisation(database, name="Stadtverwaltung Musterstadt")
    for answer in answers:
        person = await builders.a_person(
            database, full_name="Erika Muster", first_letter_on=(NOW - timedelta(days=9)).date()
        )
        given = (ANSWERED if answer else TOLD) | more | {"organisation_id": of["id"]}
        await builders.an_invitation(database, meeting, person, answer=answer, **given)
    return meeting


def plain(text: str) -> list[str]:
    """Return words without the links, which differ for each person."""
    return re.sub(r"\S+/[abu]/\S+", "LINK", text).split()


async def test_the_invitation_is_shown_as_it_leaves(services: Services) -> None:
    database = services.database
    of = await builders.an_organisation(database, name="Stadtverwaltung Musterstadt")
    group = await builders.a_group(database)
    for _ in range(2):
        await builders.a_person(database, of=of, member_of=group, full_name="Erika Muster")
    meeting = await builders.a_meeting(database, of=group, state="draft", starts_local=STARTS)
    wish = Wish(move=Move.PUBLISH_CONFIRMED)
    [german, english] = await shown(services, meeting, wish)
    await scheduling.make(database, OFFICE, meeting["id"], wish.move, NOW)
    await database.fetch("UPDATE notice SET due_at = $1", NOW)
    await noticing.queue_due(database, NOW)
    messages = [opened(mail) for mail in await deliver_later(services)]

    assert ["de", "en"] == [german.locale, english.locale]
    assert "Knöpfen Ihres Kalenderprogramms" in " ".join(german.text.split())
    assert "Woher wir Ihre Angaben haben" in german.text
    assert not german.standing.is_first_for_some
    assert [german.subject] * 2 == [str(message["Subject"]) for message in messages]
    assert [plain(german.text)] * 2 == [plain(part(one, "text/plain")) for one in messages]


@pytest.mark.parametrize(
    ("heard", "says"),
    [
        (NOW - timedelta(hours=25), "Die Kalenderdatei im Anhang trägt den Termin"),
        (NOW - timedelta(hours=1), "Knöpfen Ihres Kalenderprogramms"),
    ],
)
async def test_buttons_are_shown_while_they_would_be_heard(
    services: Services, heard: Any, says: str
) -> None:
    await services.database.fetch("UPDATE ear SET heard_at = $1", heard)
    group = await builders.a_group(services.database)
    await builders.a_person(services.database, member_of=group)
    meeting = await builders.a_meeting(
        services.database, of=group, state="draft", starts_local=STARTS
    )
    [letter, _] = await shown(services, meeting, Wish(move=Move.PUBLISH_CONFIRMED))

    assert says in " ".join(letter.text.split())


async def test_what_only_newcomers_are_told_is_shown_and_said_to_be_so(
    services: Services,
) -> None:
    database = services.database
    group = await builders.a_group(database)
    for known in (None, NOW.date(), NOW.date()):
        await builders.a_person(database, member_of=group, first_letter_on=known)
    meeting = await builders.a_meeting(database, of=group, state="draft", starts_local=STARTS)
    [letter, _] = await shown(services, meeting, Wish(move=Move.PUBLISH_CONFIRMED))
    await database.fetch("UPDATE person SET first_letter_on = now()")
    [later, _] = await shown(services, meeting, Wish(move=Move.PUBLISH_CONFIRMED))

    told = "Woher wir Ihre Angaben haben"
    assert (True, True) == (told in letter.text, letter.standing.is_first_for_some)
    assert (3, 1) == (letter.standing.readers, letter.standing.newcomers)
    assert (False, False) == (told in later.text, later.standing.is_first_for_some)


async def test_a_change_is_shown_once_for_each_answer_and_reads_as_it_leaves(
    services: Services,
) -> None:
    answers = ["in_person", "in_person", "online", "declined", None]
    meeting = await a_known_session(services, answers, channel="request")
    wish = await moved(services, meeting)
    found = [each for each in await shown(services, meeting, wish) if each.locale == "de"]
    assert wish.form is not None
    await scheduling.change(
        services.database, OFFICE, meeting["id"], wish.form, NOW, options=wish.options
    )
    await noticing.queue_due(services.database, NOW + timedelta(minutes=11))
    messages = [opened(mail) for mail in await deliver_later(services)]

    left = {tuple(plain(part(one, "text/plain"))) for one in messages}
    assert [("accepted_again", 3), ("none", 1), ("declined", 1)] == [
        (each.readers, each.standing.readers) for each in found
    ]
    assert 3 == len({each.name for each in found})
    assert {tuple(plain(each.text)) for each in found} <= left
    assert "„vor Ort“ galt dem früheren" in " ".join(found[0].text.split())


async def test_answers_that_still_count_are_shown_as_such(services: Services) -> None:
    meeting = await a_known_session(services, ["undecided", "online"])
    form, revision = await planning.load_form(services.database, meeting["id"])
    wish = Wish(
        move=Move.CHANGE,
        form=replace(form, room="Saal 9"),
        options=Options(seen_revision=revision),
    )
    found = await shown(services, meeting, wish)

    assert ["accepted", "undecided"] == [each.readers for each in found if each.locale == "de"]
    assert "Ihre Antwort gilt weiter: online." in found[0].text


async def test_a_letter_that_speaks_of_no_answer_is_shown_once(services: Services) -> None:
    meeting = await a_known_session(services, ["in_person", None])
    wish = Wish(move=Move.CANCEL, ending=Ending("Sturm"))
    found = await shown(services, meeting, wish)

    assert [("", "de"), ("", "en")] == [(each.readers, each.locale) for each in found]


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("reminder", "wir freuen uns, dass Sie teilnehmen"),
        ("nudge", "Falls Sie in Ihrem Kalender schon zugesagt haben"),
        ("date_confirmed", "Ihre Antwort gilt weiter"),
        ("uninvited", "Ihre Einladung zu dieser Sitzung wurde zurückgenommen"),
    ],
)
async def test_letters_of_a_session_read_as_most_get_them(
    services: Services, kind: str, says: str
) -> None:
    answers = ["in_person", "in_person", "declined", None]
    meeting = await a_known_session(services, answers, channel="request")
    letter = await previewing.show_of_session(services, kind, "de", meeting["id"])

    assert says in " ".join(letter.text.split())
    letters.prototype(letter.draft, relaying.sender(services.settings), "de")


async def test_a_reminder_that_nobody_gets_so_far_reads_as_for_who_accepts(
    services: Services,
) -> None:
    meeting = await a_known_session(services, [None])
    letter = await previewing.show_of_session(services, "reminder", "de", meeting["id"])

    assert "wir freuen uns, dass Sie teilnehmen" in " ".join(letter.text.split())


# What a test letter brings to a calendar.


async def a_life_of_tests(services: Services, meeting: Row) -> list[Any]:
    """Return the entries of test letters: of the session as it is, moved, and cancelled."""
    moving = await moved(services, meeting)
    cancelling = Wish(move=Move.CANCEL, ending=Ending("Sturm"))
    found = [
        await previewing.show_of_session(services, "invitation", "de", meeting["id"]),
        *(await shown(services, meeting, moving))[:1],
        *(await shown(services, meeting, cancelling))[:1],
    ]
    samples = [sampling.sample(each, services.settings.public_url, ACCOUNT) for each in found]
    return [icalendar.Calendar.from_ical(each.calendar) for each in samples]


async def test_a_test_letter_has_an_entry_of_its_own_that_can_be_moved_and_cancelled(
    services: Services,
) -> None:
    meeting = await a_known_session(services, ["in_person"], channel="request")
    calendars = await a_life_of_tests(services, meeting)

    events = [event for one in calendars for event in one.walk("VEVENT")]
    assert ["PUBLISH"] * 3 == [one["METHOD"] for one in calendars]
    assert 1 == len({str(event["UID"]) for event in events})
    assert str(meeting["uid"]) not in str(events[0]["UID"])
    assert [True] * 3 == [str(event["SUMMARY"]).startswith("Test: ") for event in events]
    assert [False] * 3 == ["ATTENDEE" in event for event in events]
    assert ["CONFIRMED", "CONFIRMED", "CANCELLED"] == [event["STATUS"] for event in events]
    assert sorted({event["SEQUENCE"] for event in events}) == [0, 1]


async def test_what_a_program_answers_to_a_test_counts_for_nobody(services: Services) -> None:
    database = services.database
    meeting = await a_known_session(services, [None], channel="request")
    [calendar, *_] = await a_life_of_tests(services, meeting)
    [event] = calendar.walk("VEVENT")
    person = await database.fetchrow("SELECT email FROM person")
    assert person is not None
    calendar["METHOD"] = "REPLY"
    event.add("ATTENDEE", f"mailto:{person['email']}", parameters={"PARTSTAT": "ACCEPTED"})
    raw = (
        f"From: {person['email']}\r\nTo: termine@alliance.example.org\r\n"
        "Content-Type: text/calendar; method=REPLY; charset=utf-8\r\n\r\n"
    ).encode() + calendar.to_ical()
    await intake.take(database, Ear(services).options, raw, "termine@alliance.example.org", NOW)

    rows = await database.fetch("SELECT answer FROM invitation")
    assert [None] == [row["answer"] for row in rows]


async def test_a_letter_without_an_entry_brings_none_as_a_test(
    services: Services, database: Database
) -> None:
    meeting = await a_known_session(services, [None])
    letter = await previewing.show_of_session(services, "nudge", "de", meeting["id"])
    sample = sampling.sample(letter, services.settings.public_url, ACCOUNT)

    assert "" == sample.calendar
    assert "Kalenderdatei" not in sample.text.split("\n\n")[0]
