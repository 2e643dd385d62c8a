"""What the office sees of mail that came back, and how it mends addresses."""

import re
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from notifications import addresses, intake
from notifications.addresses import Verdict
from service import housekeeping
from service.database import Database
from tests import builders
from tests.notifications import returned
from tests.notifications.returned import OPTIONS, PLAIN, a_sent_letter, sample
from tests.web.conftest import SignIn

NOW = datetime.now(UTC)


async def a_member(database: Database, email: str = "erika@town.example") -> builders.Row:
    partner = await builders.an_organisation(database, name="Stadt Gotha", phone="03621 1")
    return await builders.a_person(database, of=partner, full_name="Erika Muster", email=email)


async def a_letter_to(database: Database, person: builders.Row, state: str = "sent") -> UUID:
    letter = await a_sent_letter(database, state, person["email"])
    await database.fetch("UPDATE letter SET recipient_id = $2 WHERE id = $1", letter, person["id"])
    return letter


async def give_up(database: Database, address: str, status: str = "5.1.1") -> None:
    async with database.unit_of_work() as unit:
        await addresses.note(
            unit.connection,
            address,
            Verdict.HARD_CONFIRMED,
            letter_id=None,
            status=status,
            at=NOW,
        )


def plain(page: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.text))


async def test_the_office_sees_whom_to_call_and_why(sign_in: SignIn, database: Database) -> None:
    person = await a_member(database)
    letter = await a_letter_to(database, person)
    await database.fetch(
        "UPDATE outbox SET state = 'held', reason = 'undeliverable' WHERE id = $1", letter
    )
    await give_up(database, person["email"])
    browser = await sign_in("coordinator")
    german = plain(await browser.get("/buero/adressen"))
    english = plain(await browser.get("/en/buero/adressen"))
    board = plain(await browser.get("/buero"))

    wanted = (
        "Erika Muster", "Stadt Gotha", "03621 1", "Zentrale des Partners", "unzustellbar",
        "Die Adresse gibt es nicht.", "1 E-Mail wartet.", "Adresse ändern", "Erneut versuchen",
    )  # fmt: skip
    assert [] == [words for words in wanted if words not in german]
    assert "The address does not exist." in english
    assert "1 Adresse nimmt keine E-Mails an." in board


async def test_where_all_addresses_work_the_page_says_so(sign_in: SignIn) -> None:
    browser = await sign_in("coordinator")

    assert "nehmen alle Adressen E-Mails an" in plain(await browser.get("/buero/adressen"))


async def test_an_address_is_marked_from_a_letter_on_a_press_and_letters_to_it_stay_back(
    sign_in: SignIn, database: Database
) -> None:
    person = await a_member(database)
    letter = await a_letter_to(database, person)
    browser = await sign_in("coordinator")
    shown = plain(await browser.get(f"/buero/versand/{letter}"))
    path = f"/buero/versand/{letter}/adresse-gestoert"
    answers = [(await browser.post(path)).headers["location"] for _ in range(2)]
    after = plain(await browser.get(f"/buero/versand/{letter}"))
    said = plain(await browser.get(answers[0]))
    state = await database.fetchval("SELECT state FROM address_state")
    who = await database.fetchval("SELECT actor_id FROM audit WHERE action = 'address_marked'")
    await browser.post(f"/buero/adressen/{person['id']}/erneut-versuchen")
    again = plain(await browser.get("/buero/adressen"))

    assert "Adresse als gestört markieren" in shown
    assert "Adresse als gestört markieren" not in after
    assert ["marked", "too_late"] == [one.partition("getan=")[2] for one in answers]
    words = ("Die Geschäftsstelle hat die Adresse als gestört markiert.", "Erika Muster")
    assert [] == [one for one in words if one not in said]
    assert ("undeliverable", browser.account_id) == (state, who)
    assert "Erika Muster" not in again


async def test_a_block_stays_a_block_when_somebody_marks_the_address(
    sign_in: SignIn, database: Database
) -> None:
    person = await a_member(database)
    letter = await a_letter_to(database, person)
    async with database.unit_of_work() as unit:
        await addresses.note(
            unit.connection,
            person["email"],
            Verdict.COMPLAINT,
            letter_id=letter,
            status=None,
            at=NOW,
        )
    browser = await sign_in("coordinator")
    await browser.post(f"/buero/versand/{letter}/adresse-gestoert")

    assert await database.fetchval("SELECT state FROM address_state") == "blocked"


async def test_an_address_is_tried_again_on_a_press(sign_in: SignIn, database: Database) -> None:
    person = await a_member(database)
    await give_up(database, person["email"])
    browser = await sign_in("coordinator")
    path = f"/buero/adressen/{person['id']}/erneut-versuchen"
    page = f"/buero/mitglied/{person['id']}"
    before = plain(await browser.get(page))
    answers = [(await browser.post(path)).headers["location"] for _ in range(2)]
    said = plain(await browser.get(answers[0]))
    after = plain(await browser.get(page))

    warning = f"E-Mails an {person['email']} kommen nicht oder nicht sicher an"
    assert (True, False) == (warning in before, warning in after)
    row = await database.fetchrow("SELECT state, cleared_by FROM address_state")
    audit = await database.fetchval("SELECT object_id FROM audit WHERE action LIKE 'address%'")
    assert ["tried", "too_late"] == [answer.rpartition("=")[2] for answer in answers]
    assert ("ok", browser.account_id, person["id"]) == (*(row or ()), audit)
    assert "Wir versuchen es wieder." in said


async def test_whoever_reported_spam_is_not_tried_again(
    sign_in: SignIn, database: Database
) -> None:
    person = await a_member(database)
    letter = await a_letter_to(database, person)
    await intake.take(database, OPTIONS, sample("arf_complaint", letter), None, NOW)
    browser = await sign_in("coordinator")
    page = plain(await browser.get("/buero/adressen"))
    await browser.post(f"/buero/adressen/{person['id']}/erneut-versuchen")

    assert "als Spam gemeldet" in page
    assert "Erneut versuchen" not in page.partition("Erika")[2]
    assert "blocked" == await returned.standing(database)


async def test_what_came_back_stands_with_its_letter(sign_in: SignIn, database: Database) -> None:
    # One of them names a day of December without its year.
    at = datetime(2026, 11, 22, 12, tzinfo=UTC)
    letter = await a_letter_to(database, await a_member(database))
    for name in ("out_of_office_german", "words_outlook", "exim_mailbox_full"):
        await intake.take(database, OPTIONS, sample(name, letter), None, at)
    browser = await sign_in("coordinator")
    german = plain(await browser.get(f"/buero/versand/{letter}"))
    english = plain(await browser.get(f"/en/buero/versand/{letter}"))

    wanted = (
        "Was zurückkam", "automatische Antwort", "abwesend, wieder da am", "ich komme gern",
        "Das Postfach ist voll.", "retry timeout exceeded",
    )  # fmt: skip
    assert [] == [words for words in wanted if words not in german]
    assert "Operation" not in german
    assert [] == [words for words in ("away, back on", "mailbox is full") if words not in english]


async def test_what_names_no_letter_is_listed_until_somebody_looked(
    sign_in: SignIn, database: Database
) -> None:
    raw = sample("exim_mailbox_full", UUID(int=1))
    taken = await intake.take(database, OPTIONS, raw, PLAIN, NOW)
    browser = await sign_in("coordinator")
    before = plain(await browser.get("/buero/versand"))
    path = f"/buero/ruecklauf/{taken.event_id}/erledigt"
    answers = [
        (await browser.post(path, {"von": von})).headers["location"]
        for von in ("versand", "adressen")
    ]
    after = plain(await browser.get("/buero/versand"))

    assert "Nicht zugeordnete Rückläufer" in before
    assert "Das Postfach ist voll." in before
    assert ["/buero/versand?getan=settled", "/buero/adressen?getan=too_late"] == answers
    assert "Nicht zugeordnete Rückläufer" not in after


async def test_people_who_are_gone_are_listed_until_somebody_looked(
    sign_in: SignIn, database: Database
) -> None:
    letter = await a_letter_to(database, await a_member(database))
    taken = await intake.take(database, OPTIONS, sample("address_left", letter), None, NOW)
    browser = await sign_in("coordinator")
    before = plain(await browser.get("/buero/adressen"))
    answer = await browser.post(f"/buero/ruecklauf/{taken.event_id}/erledigt", {"von": "adressen"})
    after = plain(await browser.get(answer.headers["location"]))

    assert "Nicht mehr da" in before
    assert "Erika Muster" in before
    assert "Als erledigt vermerkt." in after
    assert "Nicht mehr da" not in after


async def test_automatic_answers_go_after_14_days_words_after_30_and_the_rest_after_90(
    database: Database,
) -> None:
    letter = await a_letter_to(database, await a_member(database))
    for name in ("out_of_office_german", "words_outlook", "postfix_unknown_user"):
        await intake.take(database, OPTIONS, sample(name, letter), None, NOW)
    gone = [
        await housekeeping.forget_returns(database, NOW + timedelta(days=days))
        for days in (13, 15, 29, 31, 89, 91)
    ]

    assert [0, 1, 0, 1, 0, 1] == gone
