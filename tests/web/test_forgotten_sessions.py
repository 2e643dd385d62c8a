"""The office's pages of a session whose answers are forgotten."""

from datetime import timedelta

import pytest

from service import housekeeping
from service.database import Database
from service.domain import retention
from tests import builders
from tests.builders import Row
from tests.web.conftest import Browser, Clock, SignIn


async def _open_old(sign_in: SignIn, database: Database, clock: Clock) -> tuple[Browser, Row]:
    ended_at = clock.at - retention.ANSWERS.period - timedelta(days=1)
    starts = (ended_at - timedelta(hours=2)).replace(tzinfo=None)
    meeting = await builders.a_meeting(database, starts_local=starts, time_zone="UTC", state="held")
    for name, answer in (("Ada", "in_person"), ("Bea", "declined"), ("Cleo", None)):
        partner = await builders.an_organisation(database, name=f"Stadt {name}")
        person = await builders.a_person(database, full_name=name)
        given = {"organisation_id": partner["id"], "answer": answer}
        await builders.an_invitation(database, meeting, person, **given)
    await housekeeping.forget_answers(database, clock.at)
    return await sign_in("coordinator"), meeting


async def test_the_session_page_shows_the_figures_and_no_answers(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    office, meeting = await _open_old(sign_in, database, clock)
    page = (await office.get(f"/buero/termin/{meeting['id']}")).text
    people = page[page.index("<table") :]

    assert "Die einzelnen Rückmeldungen sind nach Ablauf der Frist gelöscht." in page
    assert "vor Ort: 1 Person" in page
    assert "Partner mit Zusage: Stadt Ada" in page
    assert "Partner ohne Zusage: Stadt Bea, Stadt Cleo" in page
    assert 3 == people.count("nicht mehr gespeichert")
    assert "keine Antwort" not in people
    assert '/erinnern"' not in page
    assert "/antwort/" not in page


@pytest.mark.parametrize("part", ["drucken", "tabelle"])
async def test_lists_to_print_and_for_elsewhere_say_that_answers_are_gone(
    sign_in: SignIn, database: Database, clock: Clock, part: str
) -> None:
    office, meeting = await _open_old(sign_in, database, clock)
    text = (await office.get(f"/buero/termin/{meeting['id']}/{part}")).text

    assert 3 == text.count("nicht mehr gespeichert")
    assert ("vor Ort: 1" in text) == (part == "drucken")


async def test_the_page_says_it_in_english_too(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    office, meeting = await _open_old(sign_in, database, clock)
    page = (await office.get(f"/en/buero/termin/{meeting['id']}")).text

    assert "These figures stay." in page
    assert "no longer stored" in page
