"""The office's own address takes no mail any more: alarms stop, and the office believes in it."""

from service import alarming
from service.database import Database
from service.services import Services
from tests.web.conftest import SignIn
from tests.web.test_returns import give_up, plain

OFFICE = "buero@example.org"
TRY = "/buero/adressen/eigene/erneut-versuchen"


async def test_the_office_sees_that_it_gets_no_alarms_and_why(
    sign_in: SignIn, database: Database
) -> None:
    await give_up(database, OFFICE)
    browser = await sign_in("coordinator")
    german = plain(await browser.get("/buero/adressen"))
    english = plain(await browser.get("/en/buero/adressen"))
    board = plain(await browser.get("/buero"))

    wanted = (
        "Adresse der Geschäftsstelle", OFFICE, "unzustellbar", "Die Adresse gibt es nicht.",
        "Erneut versuchen", "Soweit wir wissen, nehmen sie alle E-Mails an.",
    )  # fmt: skip
    assert [] == [words for words in wanted if words not in german]
    assert "No alarm goes to an undeliverable address." in english
    assert "1 Adresse nimmt keine E-Mails an." in board


async def test_one_press_believes_in_it_again(
    sign_in: SignIn, database: Database, services: Services
) -> None:
    await give_up(database, OFFICE)
    browser = await sign_in("coordinator")
    before = await alarming.is_reachable(database, OFFICE)
    answers = [(await browser.post(TRY)).headers["location"] for _ in range(2)]
    after = await alarming.is_reachable(database, OFFICE)
    who = await database.fetchval("SELECT actor_id FROM audit WHERE action LIKE 'own_address%'")
    page = plain(await browser.get(answers[0]))

    assert (False, True) == (before, after)
    assert ["tried", "too_late"] == [one.partition("getan=")[2] for one in answers]
    assert browser.account_id == who
    assert "Adresse der Geschäftsstelle" not in page


async def test_one_that_complained_stays_blocked(sign_in: SignIn, database: Database) -> None:
    await give_up(database, OFFICE)
    await database.fetch("UPDATE address_state SET state = 'blocked'")
    browser = await sign_in("coordinator")
    page = plain(await browser.get("/buero/adressen"))
    answer = (await browser.post(TRY)).headers["location"]

    assert (True, False) == ("gesperrt" in page, "Erneut versuchen" in page.split(OFFICE)[1])
    assert answer.endswith("too_late")
    assert "blocked" == await database.fetchval("SELECT state FROM address_state")


async def test_an_address_of_somebody_else_is_none_of_the_office(
    sign_in: SignIn, database: Database
) -> None:
    await give_up(database, "fremd@example.org")
    browser = await sign_in("coordinator")
    page = plain(await browser.get("/buero/adressen"))
    await browser.post(TRY)

    assert "Adresse der Geschäftsstelle" not in page
    assert "undeliverable" == await database.fetchval("SELECT state FROM address_state")
