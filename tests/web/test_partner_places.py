"""What a partner's limit says on the answer page, in the office and in the form."""

import httpx

from service import tokens
from service.database import Database
from service.demo.visitor import read_page
from service.services import Services
from service.tokens import Purpose
from tests import builders
from tests.builders import Row
from tests.web.conftest import PUBLIC_URL, Clock, SignIn
from tests.web.test_office import a_session, opened, path_of, pressed


async def three_of_a_partner(database: Database, clock: Clock) -> tuple[Row, list[Row]]:
    """Return a session with two seats a partner, both taken, and the third who is asked."""
    meeting = await a_session(database, clock, seats_per_partner=2)
    partner = await builders.an_organisation(database)
    answers = ("in_person", "in_person", None)
    invited = [
        await builders.an_invitation(
            database, meeting, organisation_id=partner["id"], **({"answer": one} if one else {})
        )
        for one in answers
    ]
    await database.fetch(
        "UPDATE meeting_seats SET by_partner = jsonb_build_object($1::text, 2)",
        str(partner["id"]),
    )
    return meeting, invited


async def test_the_answer_page_says_that_both_are_taken_and_refuses_a_third(
    anonymous: httpx.AsyncClient, services: Services, database: Database, clock: Clock
) -> None:
    _, (*_, third) = await three_of_a_partner(database, clock)
    token = tokens.derive(services.keys, Purpose.ANSWER, third["handle"], 1)
    shown = await anonymous.get(f"/a/{token}")
    page = read_page(f"{PUBLIC_URL}/a/{token}", shown)
    form, _ = page.form("Antwort senden")
    answer = await anonymous.post(f"/a/{token}", data={**dict(form.fields), "answer": "in_person"})
    english = await anonymous.get(f"/en/a/{token}")

    assert "Ihr Partner hat 2 Plätze vor Ort, beide sind vergeben." in page.text
    assert "Your partner has 2 places on site, both are taken." in english.text
    assert answer.status_code == 409
    assert "Alle Plätze Ihres Partners vor Ort sind vergeben" in answer.text


async def test_the_office_meets_the_same_limit_and_sees_it_on_the_session_page(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    meeting, (*_, third) = await three_of_a_partner(database, clock)
    browser = await sign_in("coordinator")
    page = await opened(browser, path_of(meeting, f"/antwort/{third['id']}"))
    reply = {"answer": "in_person", "way": "phone"}
    refused = await pressed(browser, page, "Antwort speichern", reply, 409)
    session = await opened(browser, path_of(meeting))

    assert "Alle Plätze dieses Partners vor Ort sind vergeben." in refused.text
    assert "Plätze je Partner 2" in session.text


async def test_a_limit_below_the_answers_is_said_at_its_field(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    meeting, _ = await three_of_a_partner(database, clock)
    browser = await sign_in("coordinator")
    page = await opened(browser, path_of(meeting, "/bearbeiten"))
    low = {"seats_per_partner": "1"}
    page = await pressed(browser, page, "Weiter zur Vorschau", low, 422)

    assert "muss mindestens 2 sein, so viele haben bei einem Partner zugesagt" in page.text
    assert ("seats_per_partner", "1") in page.form("Weiter zur Vorschau")[0].fields
