"""What the office sees of answers of calendar programs, and the button that removes an entry."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest

from service import checking, housekeeping, probing
from service.database import Database
from service.probing import Hearing
from service.services import Services
from tests.invited import Invited, a_meeting, a_meeting_to_come, a_person, invite
from tests.web.conftest import SignIn
from tests.web.test_replies import SAME_ORIGIN, make_link

NOW = datetime.now(UTC)


async def an_answer(database: Database, invited: Invited | None, **columns: Any) -> int:
    given = {
        "message_sha256": uuid4().bytes,
        "part_sha256": b"p",
        "received_at": NOW,
        "outcome": "unconfirmed",
        "needs_look": True,
        "trust": 4,
        "invitation_id": invited and invited.invitation_id,
        "meeting_id": invited and invited.meeting_id,
        "attendee": "mira@partner.example.org",
        "partstat": "ACCEPTED",
    } | columns
    places = ", ".join(f"${number}" for number in range(1, len(given) + 1))
    found: int = await database.fetchval(
        f"INSERT INTO calendar_answer ({', '.join(given)}) VALUES ({places}) RETURNING id",
        *given.values(),
    )
    return found


async def somebody(database: Database) -> Invited:
    meeting = await a_meeting_to_come(database, NOW, mode="on_site")
    return await invite(database, meeting, await a_person(database))


def plain(page: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.text))


async def test_the_office_sees_who_answered_what_and_why_it_waits(
    sign_in: SignIn, database: Database
) -> None:
    await an_answer(database, await somebody(database), comment="<b>später</b>")
    proposal = {"starts": "20270305T140000", "zone": "W. Europe Standard Time"}
    await an_answer(database, None, outcome="counter", details=proposal, sender="eve@x.example")
    await an_answer(database, None, outcome="odd", details={"oddity": "no_attendee"}, partstat="")
    browser = await sign_in("coordinator")
    german = await browser.get("/buero/kalenderantworten")
    english = plain(await browser.get("/en/buero/kalenderantworten"))

    for words in (
        "Mira Muster",
        "Zusage",
        "Freitag, 5. März 2027, 14:00 Uhr",
        "Sie nennt keine Person",
    ):
        assert words in plain(german)
    assert "<b>später" not in german.text
    assert "It is not proved who sent this answer" in english
    assert 1 == german.text.count("/uebernehmen")


async def test_the_office_reads_a_proposal_beside_the_date_that_stands(
    sign_in: SignIn, database: Database
) -> None:
    meeting = await a_meeting(database, title="17. Sitzung")
    invited = await invite(database, meeting, await a_person(database))
    await database.fetch("UPDATE invitation SET answer = 'undecided', answered_at = $1", NOW)
    proposal = {"starts": "20270122T083000Z", "ends": "20270122T100000Z", "location": "Rathaus"}
    await an_answer(database, invited, outcome="counter", partstat="TENTATIVE", details=proposal)
    unknown = {"starts": "20270122T083000", "zone": "Customized Time Zone"}
    await an_answer(database, None, outcome="counter", partstat="TENTATIVE", details=unknown)
    browser = await sign_in("coordinator")
    german = plain(await browser.get("/buero/kalenderantworten"))
    english = plain(await browser.get("/en/buero/kalenderantworten"))

    for words in (
        "17. Sitzung , Donnerstag, 21. Januar 2027, 10:00 bis 12:00 Uhr",
        "Vorgeschlagene Zeit Freitag, 22. Januar 2027, 09:30 bis 11:00 Uhr",
        "Vorgeschlagener Ort Rathaus",
        "Zurzeit gilt unentschieden",
        "20270122T083000 Customized Time Zone",
    ):
        assert words in german
    assert "Proposed time Friday, 22 January 2027, 09:30 to 11:00 (German time)" in english


@pytest.mark.parametrize("outcome", ["counter", "delegation", "failed", "odd", "unknown_entry"])
async def test_what_is_no_answer_cannot_be_applied(
    sign_in: SignIn, database: Database, outcome: str
) -> None:
    answer_id = await an_answer(database, await somebody(database), outcome=outcome)
    browser = await sign_in("coordinator")
    page = await browser.get("/buero/kalenderantworten")
    answer = await browser.post(f"/buero/kalenderantworten/{answer_id}/uebernehmen", {})

    assert "/uebernehmen" not in page.text
    assert 404 == answer.status_code
    assert None is await database.fetchval("SELECT answer FROM invitation")


async def test_an_invitation_that_was_passed_on_is_shown_as_the_answer_of_another(
    sign_in: SignIn, database: Database
) -> None:
    await an_answer(
        database,
        await somebody(database),
        outcome="somebody_else",
        attendee="bob@partner.example.org",
        attendee_name="Bob Baum",
    )
    page = await (await sign_in("coordinator")).get("/buero/kalenderantworten")

    assert re.search(r'<h2 id="antwort-\d+">Bob Baum</h2>', page.text)
    assert "Eingeladen war Mira Muster" in plain(page)
    assert "Als Antwort von Mira Muster übernehmen" in plain(page)


async def test_the_office_applies_one_and_dismisses_another(
    sign_in: SignIn, database: Database
) -> None:
    invited = await somebody(database)
    first, second = [await an_answer(database, invited) for _ in range(2)]
    browser = await sign_in("coordinator")
    answers = [
        await browser.post(f"/buero/kalenderantworten/{first}/uebernehmen", {}),
        await browser.post(f"/buero/kalenderantworten/{first}/uebernehmen", {}),
        await browser.post(f"/buero/kalenderantworten/{second}/verwerfen", {}),
    ]
    row = await database.fetchrow("SELECT answer, answer_way FROM invitation")
    page = plain(await browser.get("/buero/kalenderantworten?getan=applied"))

    assert ["applied", "too_late", "dismissed"] == [
        one.headers["location"].rpartition("=")[2] for one in answers
    ]
    assert row is not None
    assert ("in_person", "calendar") == tuple(row)
    assert "Die Antwort zählt jetzt" in page


async def test_an_answer_to_a_cancelled_session_cannot_be_applied(
    sign_in: SignIn, database: Database
) -> None:
    answer_id = await an_answer(database, await somebody(database))
    await database.fetch("UPDATE meeting SET state = 'cancelled'")
    browser = await sign_in("coordinator")
    answer = await browser.post(f"/buero/kalenderantworten/{answer_id}/uebernehmen", {})

    assert answer.headers["location"].endswith("getan=closed")
    assert None is await database.fetchval("SELECT settled_at FROM calendar_answer")


def test_the_ear_has_four_states_and_the_check_says_them() -> None:
    heard = Hearing(is_set_up=True, posted_at=NOW, heard_at=NOW)
    findings = [
        checking.look_at_ear(ear, now)
        for ear, now in (
            (Hearing(is_set_up=False), NOW),
            (Hearing(is_set_up=True), NOW),
            (heard, NOW),
            (heard, NOW + probing.HEARS_FOR + timedelta(seconds=1)),
        )
    ]

    assert [True, True, True, False] == [one.is_well for one in findings]
    assert 4 == len({one.sentence for one in findings})


async def test_the_page_says_that_nobody_hears(sign_in: SignIn) -> None:
    browser = await sign_in("coordinator")

    assert "ohne Knöpfe" in plain(await browser.get("/buero/kalenderantworten"))


async def test_what_programs_answered_is_forgotten_after_thirty_days(database: Database) -> None:
    await an_answer(database, None, received_at=NOW - timedelta(days=31))
    kept = await an_answer(database, None)
    count = await housekeeping.forget_calendar_answers(database, NOW)

    rows = await database.fetch("SELECT id FROM calendar_answer")
    assert (1, [kept]) == (count, [row["id"] for row in rows])


async def pressed(services: Services, client: httpx.AsyncClient, channel: str) -> tuple[str, Any]:
    """Decline as somebody whose entry went out on this way; return the page and what a press says.

    Pressed twice, as by an impatient hand.
    """
    link = await make_link(services, client)
    await services.database.fetch("UPDATE invitation SET channel = $1", channel)
    await link.answer(answer="declined")
    page = (await link.get("/danke")).text
    found = re.search(r'name="ft" value="([^"]+)"', page)
    assert found is not None
    said = None
    for _ in range(2):
        said = await client.post(
            f"{link.path}/kalender", data={"ft": found[1]}, headers=SAME_ORIGIN
        )
    return page, said


async def test_who_declined_an_entry_with_buttons_may_have_it_taken_out(
    services: Services, ready: None, anonymous: httpx.AsyncClient
) -> None:
    page, said = await pressed(services, anonymous, "request")
    kinds = await services.database.fetch("SELECT kind FROM letter ORDER BY kind")
    after = plain(await anonymous.get(said.headers["location"]))

    assert "Aus meinem Kalender entfernen" in page
    assert ["entry_removed", "receipt"] == [row["kind"] for row in kinds]
    assert "Eine E-Mail nimmt den Termin aus Ihrem Kalender" in after


async def test_an_entry_that_came_as_a_file_is_not_ours_to_take_out(
    services: Services, ready: None, anonymous: httpx.AsyncClient
) -> None:
    page, said = await pressed(services, anonymous, "publish")
    kinds = await services.database.fetch("SELECT kind FROM letter")

    assert "Aus meinem Kalender entfernen" not in page
    assert ["receipt"] == [row["kind"] for row in kinds]
    assert said.headers["location"].endswith("/danke")
