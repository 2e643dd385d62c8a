"""A lead ends the reminders of the own group, sees before what falls away, and goes back."""

import pytest

from service import reminding, ruling
from service.database import Database
from service.domain.reminders import DEFAULT_RULES, Kind
from service.ruling import Scope
from tests import builders
from tests.web.conftest import Clock, SignIn
from tests.web.test_office import a_group_of, opened, pressed
from tests.web.test_reminder_rules import a_ruled_session, states_of_letters


async def test_a_lead_ends_the_reminders_of_the_group_and_takes_them_up_again(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    group = await a_group_of(database, 1)
    meeting = await a_ruled_session(database, clock, group)
    before = await states_of_letters(database, meeting)
    browser = await sign_in("lead", groups=(group["id"],))
    rules = await opened(browser, f"/buero/gruppe/{group['id']}/erinnerungen")
    asked = await opened(browser, rules.link("Keine Erinnerungen für diese Gruppe"))
    untouched = await states_of_letters(database, meeting)
    silent = await pressed(browser, asked, "Alle Erinnerungen ausschalten")
    ended = await states_of_letters(database, meeting)
    waking = await opened(browser, silent.link("Wieder erinnern"))
    woken = await pressed(browser, waking, "Erinnerungen wieder einschalten")

    count = before.count("planned")
    assert f"{count} geplante Versandtermine fallen weg" in asked.text
    assert meeting["title"] in asked.text
    assert before == untouched
    assert "planned" not in ended
    assert "Alle Erinnerungen dieser Gruppe sind ausgeschaltet." in silent.text
    assert "Keine Erinnerungen für diese Gruppe" not in silent.text
    assert f"{count} Versandtermine kommen dazu" in waking.text
    assert "Die Erinnerungen dieser Gruppe sind wieder eingeschaltet." in woken.text
    assert count == (await states_of_letters(database, meeting)).count("planned")


async def test_the_office_keeps_its_summary_of_a_silent_group_in_english_too(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    group = await a_group_of(database, 1)
    await a_ruled_session(database, clock, group)
    browser = await sign_in("coordinator")
    asked = await opened(browser, f"/en/buero/gruppe/{group['id']}/erinnerungen/keine")
    await pressed(browser, asked, "Switch off all reminders")
    known = await ruling.list_rules(database, Scope(group_id=group["id"]))

    assert "the state of the answers for the office still leave" in asked.text
    assert {Kind.SUMMARY} == {each.rule.kind for each in known if each.is_enabled}


@pytest.mark.parametrize("has_rules", [False, True])
async def test_where_nothing_reminds_nothing_is_to_be_ended(
    sign_in: SignIn, database: Database, *, has_rules: bool
) -> None:
    group = await builders.a_group(database)
    if has_rules:
        async with database.unit_of_work() as unit:
            for rule in DEFAULT_RULES:
                if rule.kind is Kind.SUMMARY:
                    await reminding.add_rule(unit.connection, rule)
    browser = await sign_in("coordinator")
    path = f"/buero/gruppe/{group['id']}/erinnerungen"
    answer = await browser.get(f"{path}/keine")

    assert (303, path) == (answer.status_code, answer.headers["location"])
    assert "Keine Erinnerungen" not in (await browser.get(path)).text
