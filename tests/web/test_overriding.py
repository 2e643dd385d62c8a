"""The preview of a change lets the coordinator decide what becomes of the answers."""

from datetime import timedelta

from service.database import Database
from tests import builders
from tests.builders import Row
from tests.web.conftest import Browser, Clock, SignIn
from tests.web.test_office import a_group_of, a_session, in_days, opened, path_of, pressed

_PREVIEW = "Weiter zur Vorschau"


async def an_answered_session(database: Database, clock: Clock) -> Row:
    group = await a_group_of(database, 0)
    meeting = await a_session(database, clock, of=group, invited_at=clock.at)
    await builders.an_invitation(database, meeting, answer="in_person", answered_at=clock.at)
    await builders.an_invitation(database, meeting, answer="declined", answered_at=clock.at)
    return meeting


def another_day(clock: Clock) -> dict[str, str]:
    return {"start_date": in_days(clock, 31).date().isoformat()}


async def answers(browser: Browser, meeting: Row) -> str:
    return (await opened(browser, path_of(meeting))).text


async def test_the_table_s_answer_is_chosen_and_another_is_shown_before_it_is_saved(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    meeting = await an_answered_session(database, clock)
    browser = await sign_in("coordinator")
    move = await opened(browser, path_of(meeting, "/verschieben"))
    by_rule = await pressed(browser, move, _PREVIEW, another_day(clock))
    form, _ = by_rule.form("Speichern und 2 Personen")
    shown = await pressed(browser, by_rule, "Speichern und 2 Personen", {"answers": "keep"})
    unsaved = await database.fetchval("SELECT starts_local FROM meeting")
    await pressed(browser, shown, "Speichern und 1 Person")

    assert dict(form.fields)["answers"] == "ask"
    assert "2 Antworten werden neu erfragt" in by_rule.text
    assert "wenn die Antworten weiter gelten" in shown.text
    assert meeting["starts_local"] == unsaved
    assert "vor Ort : 1 Person" in await answers(browser, meeting)
    assert "keine Antwort: 0 Personen" in await answers(browser, meeting)


async def test_a_small_change_can_ask_everybody_again(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    meeting = await an_answered_session(database, clock)
    browser = await sign_in("coordinator")
    clock.go_on(timedelta(minutes=5))
    page = await opened(browser, path_of(meeting, "/bearbeiten"))
    page = await pressed(browser, page, _PREVIEW, {"room": "Zelt im Hof"})
    page = await pressed(browser, page, "Folgen dieser Wahl zeigen", {"answers": "ask"})
    await pressed(browser, page, "Speichern und 2 Personen")

    assert "2 Antworten werden neu erfragt" in page.text
    assert "keine Antwort : 2 Personen" in await answers(browser, meeting)


async def test_before_anybody_was_invited_nothing_is_asked_about_answers(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    meeting = await a_session(database, clock, of=await a_group_of(database, 1))
    browser = await sign_in("coordinator")
    page = await opened(browser, path_of(meeting, "/bearbeiten"))
    page = await pressed(browser, page, _PREVIEW, {"room": "Zelt im Hof"})

    assert "Was wird aus den Antworten?" not in page.text
