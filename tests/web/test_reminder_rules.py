"""Reminder rules as coordinators and leads change them, by the words on links and buttons."""

from dataclasses import replace
from datetime import time, timedelta

import pytest

from service import reminding, ruling
from service.auditing import COMMAND
from service.database import Database
from service.demo.visitor import Page, read_page
from service.domain.reminders import (
    COMING,
    DAY_HOUR,
    DEFAULT_RULES,
    Anchor,
    Audience,
    Kind,
    Rule,
)
from service.ruling import Origin, Scope
from service.web import rule_words
from tests import builders
from tests.builders import Row
from tests.web.conftest import Browser, Clock, SignIn
from tests.web.test_office import (
    a_group_of,
    a_session,
    filled_in,
    opened,
    path_of,
    pressed,
)

NOT_ANSWERED = "an alle ohne Antwort, Einladung mindestens 2 Tage her"
NOT_ANSWERED_EN = "to everybody without an answer, invited at least 2 days earlier"
A_DAY_BEFORE = "1 Arbeitstag vorher um 09:00 Uhr, an alle, die zugesagt haben oder unentschieden"


async def a_ruled_session(database: Database, clock: Clock, of: Row | None = None) -> Row:
    """Insert a session with two guests, under the rules that everybody starts with."""
    group = of or await a_group_of(database, 2)
    invited_at = clock.at - timedelta(days=20)
    meeting = await a_session(database, clock, of=group, invited_at=invited_at)
    for answer in ("in_person", None):
        await builders.an_invitation(database, meeting, answer=answer, invited_at=invited_at)
    async with database.unit_of_work() as unit:
        await reminding.ensure_rules(unit.connection)
        await reminding.plan_slots(unit.connection, meeting["id"], clock.at)
    return meeting


async def test_a_rule_that_is_typed_shows_which_letters_would_leave_otherwise(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    """Where the time alone is new, a letter moves; nothing is saved, and nothing is sent."""
    await a_ruled_session(database, clock)
    known = next(
        each
        for each in await ruling.list_rules(database)
        if each.rule.kind is Kind.REMINDER and each.rule.days_before == 1
    )
    browser = await sign_in("coordinator")
    page = await opened(browser, f"/buero/erinnerungen/{known.id}")
    typed = {"at_time": "14:00", "look_days": "90"}
    moved = await pressed(browser, page, "Was ändert sich?", typed)
    page = await opened(browser, "/buero/erinnerungen/neu")
    typed = {"audience": "coming", "amount": "60", "unit": "minutes", "look_days": "90"}
    added = await pressed(browser, page, "Was ändert sich?", typed)

    assert "E-Mails der nächsten 90 Tage: der Unterschied" in moved.text
    assert "zu anderer Zeit" in moved.text
    assert "statt" in moved.text
    assert "neu" in added.text
    assert known in await ruling.list_rules(database)
    assert len(DEFAULT_RULES) == await database.fetchval("SELECT count(*) FROM reminder_rule")
    assert [] == await builders.letters(database)


@pytest.mark.parametrize(
    ("rule", "german", "english"),
    [
        (
            Rule(
                kind=Kind.NUDGE,
                audience=(Audience.NO_ANSWER,),
                days_before=3,
                at_local_time=DAY_HOUR,
            ),
            "3 Arbeitstage vorher um 09:00 Uhr, an alle ohne Antwort",
            "3 working days before at 09:00, to everybody without an answer",
        ),
        (
            Rule(
                kind=Kind.REMINDER,
                audience=(Audience.ACCEPTED,),
                minutes_before=60,
                only_online=True,
            ),
            "60 Minuten vorher, an alle, die online zugesagt haben",
            "60 minutes before, to everybody who accepted to join online",
        ),
        (
            Rule(
                kind=Kind.REMINDER,
                audience=(Audience.LEAD,),
                days_before=2,
                at_local_time=DAY_HOUR,
            ),
            "2 Arbeitstage vorher um 09:00 Uhr, an die Leitung der Gruppe",
            "2 working days before at 09:00, to whoever leads the group",
        ),
        (
            DEFAULT_RULES[0],
            f"1 Woche vor der Antwortfrist um 09:00 Uhr, {NOT_ANSWERED}",
            f"1 week before the answer deadline at 09:00, {NOT_ANSWERED_EN}",
        ),
        (
            Rule(kind=Kind.REMINDER, audience=COMING, days_before=10, at_local_time=DAY_HOUR),
            "10 Tage vorher um 09:00 Uhr, an alle, die zugesagt haben oder unentschieden sind",
            "10 days before at 09:00, to everybody who accepted or is undecided",
        ),
        (
            Rule(
                kind=Kind.REMINDER,
                audience=COMING,
                anchor=Anchor.END,
                days_before=0,
                at_local_time=DAY_HOUR,
                only_online=True,
            ),
            "am letzten Tag der Sitzung um 09:00 Uhr, an, soweit online: Zusagen, Unentschiedene",
            "on the last day of the session at 09:00, to, if online: accepted, undecided",
        ),
    ],
)
def test_a_rule_is_said_in_words(rule: Rule, german: str, english: str) -> None:
    assert (german, english) == (rule_words.say(rule, "de"), rule_words.say(rule, "en"))


async def test_a_coordinator_adds_a_rule_for_everybody(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    await a_ruled_session(database, clock)
    browser = await sign_in("coordinator")
    page = await opened(browser, "/buero/einstellungen")
    page = await opened(browser, page.link("Erinnerungsregeln für alle"))
    page = await opened(browser, page.link("Regel hinzufügen"))
    typed = {"audience": "online", "amount": "60", "unit": "minutes"}
    page = await pressed(browser, page, "Speichern", typed)

    assert "60 Minuten vorher, an alle, die online zugesagt haben eingeschaltet" in page.text
    assert len(DEFAULT_RULES) + 1 == len(await ruling.list_rules(database))


async def test_a_lead_changes_a_rule_of_a_session_and_goes_back(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    group = await a_group_of(database, 1)
    meeting = await a_ruled_session(database, clock, group)
    browser = await sign_in("lead", groups=(group["id"],))
    page = await opened(browser, path_of(meeting))
    page = await opened(browser, page.link("Erinnerungsregeln dieser Sitzung"))
    inherited = page.text
    page = await opened(browser, page.link("Regel 4 ändern"))
    typed = {"amount": "2", "at_time": "14:00"}
    shown = await pressed(browser, page, "Was ändert sich?", typed)
    unchanged = await ruling.list_rules(database, Scope(meeting_id=meeting["id"]))
    changed = await pressed(browser, shown, "Speichern")
    page = await opened(browser, changed.link("Eigene Regeln verwerfen"))
    back = await pressed(browser, page, "Eigene Regeln verwerfen")

    group_page = await opened(browser, back.link("Erinnerungsregeln der Gruppe Klima"))

    assert "Erinnerungen: Klima" in group_page.text
    assert "Erinnerungsregeln für alle" not in back.text
    assert "Herkunft: für alle Sitzungen" in inherited
    assert f"Regel 4: {A_DAY_BEFORE}" in inherited
    assert "2 Arbeitstage vorher um 14:00 Uhr" in shown.text
    assert "neu" in shown.text
    assert "entfällt" in shown.text
    assert all(each.origin is Origin.EVERYBODY for each in unchanged)
    assert "Herkunft: eigene Regeln dieser Sitzung" in changed.text
    assert "2 Arbeitstage vorher um 14:00 Uhr" in changed.text
    assert "entfällt" in page.text
    assert "Die eigenen Regeln sind verworfen" in back.text
    assert "Herkunft: eigene" not in back.text


async def states_of_letters(database: Database, meeting: Row) -> list[str]:
    """Return the states of what is planned for invited people."""
    planned = await reminding.planned_letters(database, meeting["id"])
    return [each.state for each in planned if each.kind is not Kind.SUMMARY]


async def test_a_group_switches_a_rule_off_and_its_session_plans_nothing_by_it(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    group = await a_group_of(database, 1)
    meeting = await a_ruled_session(database, clock, group)
    browser = await sign_in("coordinator")
    page = await opened(browser, f"/buero/gruppe/{group['id']}")
    page = await opened(browser, page.link("Erinnerungsregeln dieser Gruppe"))
    page = await pressed(browser, page, "Regel 4 ausschalten")
    session = await opened(browser, path_of(meeting, "/erinnerungen"))
    states = await states_of_letters(database, meeting)

    assert "Die Regel ist ausgeschaltet" in page.text
    assert "Herkunft: von der Gruppe" in session.text
    assert ["cancelled"] == [state for state in states if state != "planned"]
    page = await pressed(browser, page, "Regel 4 einschalten")
    assert {"planned"} == {*await states_of_letters(database, meeting)}


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ({"amount": "9"}, "Geben Sie 0 bis 6 Arbeitstage an"),
        ({"amount": "0", "unit": "weeks"}, "Geben Sie 1 bis 26 Wochen an"),
        ({"amount": "5", "unit": "days"}, "Geben Sie 8 bis 180 Kalendertage an"),
        ({"amount": "1441", "unit": "minutes"}, "Geben Sie 1 bis 1440 Minuten an"),
        ({"at_time": "22:00"}, "Nachts gehen keine Erinnerungen hinaus"),
        ({"at_time": ""}, "Uhrzeit"),
        ({"min_days": "99"}, "Geben Sie 0 bis 60 Tage an"),
    ],
)
async def test_what_is_wrong_is_said_and_what_was_typed_stays(
    sign_in: SignIn, database: Database, clock: Clock, typed: dict[str, str], sentence: str
) -> None:
    meeting = await a_ruled_session(database, clock)
    browser = await sign_in("coordinator")
    page = await opened(browser, path_of(meeting, "/erinnerungen/neu"))
    entries = {"audience": "accepted", "amount": "3", **typed}
    page = await pressed(browser, page, "Speichern", entries, 422)
    kept = dict(page.form("Speichern")[0].fields)

    assert sentence in page.text
    assert entries == {name: kept[name] for name in entries}
    rules = await ruling.list_rules(database, Scope(meeting_id=meeting["id"]))
    assert len(DEFAULT_RULES) == len(rules)


async def test_somebody_elses_change_is_shown_beside_what_was_typed(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    meeting = await a_ruled_session(database, clock)
    first, second = await sign_in("coordinator"), await sign_in("admin")
    rules = await opened(first, path_of(meeting, "/erinnerungen"))
    mine = await opened(first, rules.link("Regel 4 ändern"))
    theirs = await opened(second, rules.link("Regel 4 ändern"))
    await pressed(second, theirs, "Speichern", {"at_time": "11:00"})
    refused = await pressed(first, mine, "Speichern", {"at_time": "15:00"}, 409)
    saved = await pressed(first, refused, "Speichern")

    assert "Jemand hat diesen Eintrag um" in refused.text
    assert "Jetzt gespeichert 1 Arbeitstag vorher um 11:00 Uhr" in refused.text
    assert ("at_time", "15:00") in refused.form("Speichern")[0].fields
    assert "1 Arbeitstag vorher um 15:00 Uhr" in saved.text


async def test_what_was_typed_for_a_dropped_rule_can_be_added(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    meeting = await a_ruled_session(database, clock)
    browser = await sign_in("coordinator")
    rules = path_of(meeting, "/erinnerungen")
    page = await opened(browser, f"{rules}/neu")
    typed = {"audience": "accepted", "amount": "30", "unit": "minutes"}
    page = await pressed(browser, page, "Speichern", typed)
    page = await opened(browser, page.link("Regel 5 ändern"))
    await browser.post(f"{rules}/verwerfen")
    gone = await pressed(browser, page, "Speichern", {"amount": "45"}, 409)
    saved = await pressed(browser, gone, "Speichern")

    assert "Diese Regel gilt hier nicht mehr" in gone.text
    assert "45 Minuten vorher, an alle, die zugesagt haben" in saved.text


async def test_a_switch_of_a_rule_that_somebody_changed_is_refused(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    meeting = await a_ruled_session(database, clock)
    browser = await sign_in("coordinator")
    page = await opened(browser, path_of(meeting, "/erinnerungen"))
    other = await opened(browser, page.link("Regel 4 ändern"))
    await pressed(browser, other, "Speichern", {"amount": "3"})

    await pressed(browser, page, "Regel 4 ausschalten", expects=409)


async def test_nothing_to_drop_leads_back_to_the_list(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    meeting = await a_ruled_session(database, clock)
    browser = await sign_in("coordinator")
    answer = await browser.get(path_of(meeting, "/erinnerungen/verwerfen"))

    assert (303, path_of(meeting, "/erinnerungen")) == (
        answer.status_code,
        answer.headers["location"],
    )


async def test_the_pages_speak_english(sign_in: SignIn, database: Database, clock: Clock) -> None:
    meeting = await a_ruled_session(database, clock)
    browser = await sign_in("coordinator")
    page = await opened(browser, f"/en{path_of(meeting, '/erinnerungen')}")

    assert "Source: for all sessions." in page.text
    assert "1 working day before at 09:00, to everybody who accepted or is undecided" in page.text


# The scheduling form.


async def sent_with(
    browser: Browser, page: Page, button: str, rules: list[str], expects: int = 200, **typed: str
) -> Page:
    """Press a button of the scheduling form with these rules ticked, as a browser would."""
    form, (name, value) = page.form(button)
    lists = {"rules_seen", "rules_on"}
    data: dict[str, object] = {key: entry for key, entry in form.fields if key not in lists}
    for key in lists:
        data[key] = [entry for field, entry in form.fields if field == key]
    data |= {**typed, "reminder_rules": rules, name: value}
    answer = await browser.post(form.action, data)
    if answer.status_code == 303:
        return await opened(browser, answer.headers["location"])
    assert expects == answer.status_code, answer.text
    return read_page(str(answer.url), answer)


def ticked(page: Page) -> list[str]:
    form, _ = page.form("Weiter zur Vorschau")
    return [value for name, value in form.fields if name == "reminder_rules"]


async def test_unticking_in_the_form_of_a_session_switches_its_rule_off_alone(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    meeting = await a_ruled_session(database, clock)
    browser = await sign_in("coordinator")
    page = await opened(browser, path_of(meeting, "/bearbeiten"))
    shown = ticked(page)
    preview = await sent_with(browser, page, "Weiter zur Vorschau", shown[:-1])
    before = await ruling.list_rules(database, Scope(meeting_id=meeting["id"]))
    form, (name, value) = preview.form("Änderung speichern")
    data: dict[str, object] = {name: value}
    for key, entry in form.fields:
        data[key] = [*data[key], entry] if key in data else [entry]  # type: ignore[misc]
    await browser.post(form.action, data)
    after = await ruling.list_rules(database, Scope(meeting_id=meeting["id"]))

    assert len(DEFAULT_RULES) == len(shown)
    assert "1 Erinnerungsregel umgeschaltet" in preview.text
    assert "Ihre Eingaben ändern nichts" not in preview.text
    assert all(each.is_enabled for each in before)
    assert [shown[-1]] == [str(each.copied_from) for each in after if not each.is_enabled]
    assert all(each.is_enabled for each in await ruling.list_rules(database))


async def test_a_new_session_keeps_what_was_unticked_in_its_draft(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    await a_ruled_session(database, clock)
    browser = await sign_in("coordinator")
    page = await opened(browser, "/buero/termin/neu")
    typed = filled_in(clock)
    again = await sent_with(browser, page, "Termin prüfen", ticked(page)[1:], **typed)
    await sent_with(browser, again, "Entwurf speichern", ticked(again), **typed)
    draft = await database.fetchval("SELECT id FROM meeting WHERE state = 'draft'")
    rules = await ruling.list_rules(database, Scope(meeting_id=draft))

    assert ticked(page)[1:] == ticked(again)
    assert [False, *[True] * 5] == [each.is_enabled for each in rules]


async def test_a_form_that_was_sent_with_its_ticks_leaves_no_own_rules(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    await a_ruled_session(database, clock)
    browser = await sign_in("coordinator")
    page = await opened(browser, "/buero/termin/neu")
    await sent_with(browser, page, "Entwurf speichern", ticked(page), **filled_in(clock))

    assert len(DEFAULT_RULES) == await database.fetchval("SELECT count(*) FROM reminder_rule")


async def test_ticks_follow_a_rule_that_was_copied_while_the_form_was_open(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    meeting = await a_ruled_session(database, clock)
    scope = Scope(meeting_id=meeting["id"])
    browser = await sign_in("coordinator")
    page = await opened(browser, path_of(meeting, "/bearbeiten"))
    shown = ticked(page)
    last = (await ruling.list_rules(database, scope))[-1]
    later = replace(last.rule, at_local_time=time(15))
    await ruling.save_rule(database, COMMAND, scope, later, clock.at, rule_id=last.id)
    again = await sent_with(browser, page, "Termin prüfen", shown[:-1])

    rules = await ruling.list_rules(database, scope)

    assert [str(each.id) for each in rules[:-1]] == ticked(again)
