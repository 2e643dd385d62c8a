"""One's own access to the office: what it says, and the letters one can switch off there."""

import pytest

from service import ruling
from service.database import Database
from service.domain.reminders import DEFAULT_RULES, Kind
from tests.web.conftest import Clock, SignIn
from tests.web.test_office import opened, path_of, pressed
from tests.web.test_reminder_rules import a_ruled_session

pytestmark = pytest.mark.usefixtures("ready")


async def test_an_account_switches_its_summaries_off_and_on(
    sign_in: SignIn, database: Database
) -> None:
    browser = await sign_in("coordinator")
    page = await opened(browser, "/buero")
    page = await opened(browser, "/buero/zugang")
    form, _ = page.form("Speichern")
    was = dict(form.fields)
    off = await pressed(browser, page, "Speichern", {"summaries": ""})
    wanted = await database.fetchval("SELECT summaries FROM account")
    again = await pressed(browser, off, "Speichern", {"summaries": "1"})

    assert "1" == was["summaries"]
    assert "Ihre Wahl ist gespeichert" in off.text
    assert wanted is False
    assert await database.fetchval("SELECT bool_and(summaries) FROM account")
    assert "summaries" in dict(again.form("Speichern")[0].fields)


async def test_who_only_reads_gets_none(sign_in: SignIn) -> None:
    page = await opened(await sign_in("reader"), "/en/buero/zugang")

    assert "With this access you get only emails that you ask for yourself." in page.text
    assert "State of the answers" not in page.text


# The rules behind them.


async def test_the_rules_of_summaries_are_said_and_changed_like_all_others(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    meeting = await a_ruled_session(database, clock)
    browser = await sign_in("coordinator")
    page = await opened(browser, path_of(meeting, "/erinnerungen"))
    form = await opened(browser, page.link("Regel 5 ändern"))
    unchanged = await pressed(browser, form, "Speichern")
    changed = await pressed(browser, form, "Speichern", {"amount": "120"}, 409)
    saved = await pressed(browser, changed, "Speichern")
    rules = [one.rule for one in await ruling.list_rules(database) if one.rule.kind is Kind.SUMMARY]

    at_deadline = "zum Ablauf der Antwortfrist, Stand der Antworten an Geschäftsstelle"
    assert at_deadline in page.text
    assert "1 Arbeitstag vorher um 09:00 Uhr, Stand der Antworten an Geschäftsstelle" in page.text
    assert at_deadline in unchanged.text
    assert "120 Minuten vor der Antwortfrist, Stand der Antworten" in saved.text
    assert [rule for rule in DEFAULT_RULES if rule.kind is Kind.SUMMARY] == rules


async def test_a_moment_itself_is_for_the_office_alone(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    meeting = await a_ruled_session(database, clock)
    browser = await sign_in("coordinator")
    page = await opened(browser, path_of(meeting, "/erinnerungen/neu"))
    typed = {"audience": "coming", "amount": "0", "unit": "minutes"}
    refused = await pressed(browser, page, "Speichern", typed, 422)
    typed |= {"audience": "office"}
    too_late = await pressed(browser, page, "Speichern", typed, 422)
    saved = await pressed(browser, page, "Speichern", {**typed, "anchor": "answer_by"})

    assert "Geben Sie 1 bis 1440 Minuten an" in refused.text
    assert "Geben Sie 1 bis 1440 Minuten an" in too_late.text
    assert "zum Ablauf der Antwortfrist, Stand der Antworten" in saved.text
