"""The office's pages as a coordinator walks them, by the words on links and buttons."""

import re
from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from service.database import Database
from service.demo.visitor import Page, read_page
from service.web.meeting_page import ROWS_A_PAGE
from tests import builders, invited
from tests.builders import Row
from tests.web.conftest import PUBLIC_URL, Browser, Clock, SignIn

NOTHING: Mapping[str, str] = {}


async def opened(browser: Browser, path: str, expects: int = 200) -> Page:
    answer = await browser.client.get(path, follow_redirects=True)
    assert expects == answer.status_code, answer.text
    return read_page(str(answer.url), answer)


async def pressed(
    browser: Browser,
    page: Page,
    button: str,
    entries: Mapping[str, str] = NOTHING,
    expects: int = 200,
) -> Page:
    """Fill in the form with that button and press it, as a browser would."""
    form, (name, value) = page.form(button)
    assert set(entries) <= {field for field, _ in form.fields} | set(form.choices)
    sent = {**dict(form.fields), **entries}
    if name:
        sent[name] = value
    headers = {"sec-fetch-site": "same-origin", "origin": PUBLIC_URL}
    answer = await browser.client.post(
        form.action, data=sent, headers=headers, follow_redirects=True
    )
    assert expects == answer.status_code, answer.text
    return read_page(str(answer.url), answer)


async def sent(browser: Browser, database: Database, page: Page) -> Page:
    """End the countdown, and let the mail server accept what waits."""
    page = await pressed(browser, page, "jetzt senden")
    await database.fetch(
        "UPDATE outbox SET state = 'sent', accepted_at = now() WHERE state = 'queued'"
    )
    return page


async def a_group_of(database: Database, people: int = 3) -> Row:
    group = await builders.a_group(database, name="Klima")
    partner = await builders.an_organisation(database, name="Stadt Gotha")
    for number in range(people):
        await builders.a_person(database, of=partner, member_of=group, full_name=f"Person {number}")
    return group


def in_days(clock: Clock, days: int) -> datetime:
    """Return ten o'clock of a day to come, as wall time."""
    return datetime.combine(clock.at.date() + timedelta(days=days), datetime.min.time()).replace(
        hour=10
    )


async def a_session(database: Database, clock: Clock, days: int = 30, **columns: object) -> Row:
    starts = columns.pop("starts_local", in_days(clock, days))
    return await builders.a_meeting(database, starts_local=starts, **columns)  # type: ignore[arg-type]


def filled_in(clock: Clock, **others: str) -> dict[str, str]:
    return {
        "start_date": in_days(clock, 60).date().isoformat(),
        "start_time": "10:00",
        "end_time": "12:00",
        "town": "Erfurt",
        "status": "confirmed",
        **others,
    }


def path_of(meeting: Row, tail: str = "") -> str:
    return f"/buero/termin/{meeting['id']}{tail}"


async def test_a_coordinator_walks_a_session_through_its_life(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    group = await a_group_of(database)
    await builders.a_group(database, name="Wohnen")
    browser = await sign_in("coordinator")
    page = await opened(browser, "/buero")
    page = await opened(browser, page.link("Neue Sitzung"))
    page = await opened(browser, page.link("Klima"))
    page = await pressed(browser, page, "Weiter zur Vorschau", filled_in(clock))
    page = await pressed(browser, page, "Jetzt einladen (3 Personen)")
    invited_page = await sent(browser, database, page)
    page = await opened(browser, invited_page.link("Antwort eintragen"))
    reply = {"answer": "in_person", "way": "phone"}
    answered = await pressed(browser, page, "Antwort speichern", reply)
    page = await opened(browser, answered.link("Verschieben"))
    day = {"start_date": in_days(clock, 61).date().isoformat()}
    moving = await pressed(browser, page, "Weiter zur Vorschau", day)
    page = await pressed(browser, moving, "Speichern und 3 Personen benachrichtigen")
    moved = await sent(browser, database, page)
    page = await opened(browser, moved.link("Absagen"))
    page = await pressed(browser, page, "Sitzung absagen und 3", {"reason": "Krankheit"})
    cancelled = await sent(browser, database, page)
    page = await opened(browser, cancelled.link("Findet doch statt"))
    page = await pressed(browser, page, "Absage zurücknehmen und 3")
    back = await sent(browser, database, page)

    assert "3 E-Mails sind jetzt im Versand" in invited_page.text
    assert "vor Ort : 1 Person (von 1 Partner)" in answered.text
    assert "1 Antwort wird neu erfragt" in moving.text
    assert "Zusage vor Ort zum" in moved.text
    assert "Grund Krankheit" in cancelled.text
    assert "Die Sitzung findet doch statt" not in back.text
    assert group["next_number"] + 1 == await database.fetchval(
        "SELECT next_number FROM working_group WHERE id = $1", group["id"]
    )


async def test_a_new_session_gets_the_deadline_of_its_group(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    await a_group_of(database, 1)
    browser = await sign_in("coordinator")
    page = await opened(browser, "/buero/termin/neu")
    await pressed(browser, page, "Entwurf speichern", filled_in(clock))
    deadline = await database.fetchval("SELECT answer_by_local FROM meeting")

    # Five working days at noon are four days and some hours before a Saturday at ten.
    assert timedelta(days=4) < in_days(clock, 60) - deadline < timedelta(days=14)


async def test_after_an_error_everything_typed_still_stands(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    await a_group_of(database, 1)
    browser = await sign_in("coordinator")
    page = await opened(browser, "/buero/termin/neu")
    typed = filled_in(clock, end_time="9 Uhr früh", agenda="1. <b>Eins</b>\n2. Zwei", capacity="0")
    page = await pressed(browser, page, "Weiter zur Vorschau", typed, 422)
    form, _ = page.form("Weiter zur Vorschau")
    kept = dict(form.fields)

    assert typed == {name: kept[name] for name in typed}
    assert "Geben Sie die Uhrzeit in der Form 10:00 ein" in page.text
    assert await database.fetchval("SELECT count(*) FROM meeting") == 0


async def test_what_the_rules_refuse_is_said_at_the_field(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    await a_group_of(database, 1)
    browser = await sign_in("coordinator")
    page = await opened(browser, "/buero/termin/neu")
    typed = filled_in(clock, mode="online", end_time="09:00", title="x" * 5000)
    page = await pressed(browser, page, "Weiter zur Vorschau", typed, 422)

    assert "Geben Sie für eine Online-Sitzung den Zugang an" in page.text
    assert "Das Ende muss nach dem Beginn liegen" in page.text
    assert "Der Text darf höchstens 200 Zeichen haben" in page.text


async def test_a_stale_form_shows_both_entries_and_the_next_press_saves(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    meeting = await a_session(database, clock)
    browser = await sign_in("coordinator")
    mine = await opened(browser, path_of(meeting, "/bearbeiten"))
    theirs = await opened(browser, path_of(meeting, "/bearbeiten"))
    page = await pressed(browser, theirs, "Weiter zur Vorschau", {"room": "Saal 9"})
    await pressed(browser, page, "Änderung speichern")
    stale = await pressed(browser, mine, "Weiter zur Vorschau", {"room": "Saal 3"}, 409)
    page = await pressed(browser, stale, "Weiter zur Vorschau")
    await pressed(browser, page, "Änderung speichern")

    assert "hat diesen Eintrag um" in stale.text
    assert "Raum Saal 3 Saal 9" in stale.text
    assert await database.fetchval("SELECT room FROM meeting") == "Saal 3"


async def test_two_presses_publish_one_session_with_one_number(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    group = await a_group_of(database, 1)
    browser = await sign_in("coordinator")
    page = await opened(browser, "/buero/termin/neu")
    preview = await pressed(browser, page, "Weiter zur Vorschau", filled_in(clock))
    await pressed(browser, preview, "Jetzt einladen (1 Person)")
    await pressed(browser, preview, "Jetzt einladen (1 Person)")
    number = "SELECT next_number FROM working_group WHERE id = $1"

    assert await database.fetchval("SELECT count(*) FROM meeting") == 1
    assert await database.fetchval("SELECT count(*) FROM notice") == 1
    assert await database.fetchval(number, group["id"]) == group["next_number"] + 1


async def test_the_preview_shows_letters_in_both_languages_and_writes_nothing(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    group = await a_group_of(database, 2)
    await builders.a_person(database, member_of=group, full_name="Ohne Adresse", email=None)
    browser = await sign_in("coordinator")
    page = await opened(browser, "/buero/termin/neu")
    preview = await pressed(browser, page, "Weiter zur Vorschau", filled_in(clock))
    before = await invited.snapshot(database)
    again = await opened(browser, preview.address)

    assert "Einladung auf Deutsch" in again.text
    assert "Erika Muster" in again.text
    assert "Invitation: 17. Arbeitsgruppensitzung" in again.text
    assert "BEGIN:VEVENT" in again.text
    assert "1 Person hat keine E-Mail-Adresse Ohne Adresse" in again.text
    assert before == await invited.snapshot(database)


async def test_publishing_as_provisional_mails_nobody(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    await a_group_of(database, 1)
    browser = await sign_in("coordinator")
    page = await opened(browser, "/buero/termin/neu")
    entries = filled_in(clock, precision="month", status="tentative")
    page = await pressed(browser, page, "Weiter zur Vorschau", entries)
    page = await pressed(browser, page, "Als voraussichtlich veröffentlichen")

    assert "voraussichtlich" in page.text
    assert await database.fetchval("SELECT count(*) FROM notice") == 0


async def test_a_rough_date_goes_to_the_form_before_it_is_confirmed(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    meeting = await a_session(database, clock, state="tentative", date_precision="month")
    browser = await sign_in("coordinator")
    page = await opened(browser, path_of(meeting, "/bestaetigen"))
    form, _ = page.form("Weiter zur Vorschau")
    fields = dict(form.fields)

    assert ("confirmed", "time", "") == tuple(
        fields[name] for name in ("status", "precision", "start_date")
    )
    assert page.text.startswith("Termin bestätigen: ")
    assert "Bisher voraussichtlich:" in page.text


async def test_checking_the_day_names_what_stands_in_its_way(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    group = await a_group_of(database, 2)
    christmas = date(clock.at.year + 1, 12, 25)
    ten = datetime.combine(christmas, datetime.min.time()).replace(hour=10)
    await a_session(database, clock, of=group, starts_local=ten, title="Nachbarin")
    browser = await sign_in("coordinator")
    page = await opened(browser, "/buero/termin/neu")
    entries = filled_in(clock, start_date=christmas.isoformat())
    page = await pressed(browser, page, "Termin prüfen", entries)

    assert "Feiertag: Erster Weihnachtstag" in page.text
    assert "Am selben Tag: Nachbarin (bestätigt) um 10:00" in page.text
    assert "2 Personen gehören zu beiden Gruppen" in page.text


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        ({"state": "draft"}, "eine Sitzung einer anderen Gruppe (Entwurf)"),
        ({"visibility": "internal"}, "eine Sitzung einer anderen Gruppe (bestätigt)"),
        ({}, "Geheimplan (bestätigt)"),
    ],
)
async def test_a_lead_is_told_no_titles_of_other_groups_that_are_not_public(
    sign_in: SignIn, database: Database, clock: Clock, shown: Any, said: str
) -> None:
    group = await builders.a_group(database)
    meeting = await a_session(database, clock, of=group)
    other = await builders.a_group(database)
    await a_session(database, clock, of=other, title="Geheimplan", **shown)
    lead, office = await sign_in("lead", groups=(group["id"],)), await sign_in("coordinator")
    pages = [await opened(each, path_of(meeting)) for each in (lead, office)]

    assert f"Am selben Tag: {said}" in pages[0].text
    assert "Am selben Tag: Geheimplan" in pages[1].text


async def test_a_lead_sees_answers_but_neither_notes_nor_telephones(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    group = await builders.a_group(database)
    meeting = await a_session(database, clock, of=group)
    person = await builders.a_person(database, phone="0361 998877")
    # A shorter one may stand in somebody's id.
    numbers = ("0361 998877", "0361998877", "361998877")
    note = {"answer": "in_person", "note": "Rollstuhl", "access_needs": "Rampe"}
    await builders.an_invitation(database, meeting, person, **note)
    lead = await sign_in("lead", groups=(group["id"],))
    texts = [(await lead.get(path_of(meeting, tail))).text for tail in ("", "/drucken", "/tabelle")]

    assert [
        [word for word in ("Rollstuhl", "Rampe", *numbers, person["email"]) if word in text]
        for text in texts
    ] == [[], [], []]
    assert all(person["full_name"] in text for text in texts)


async def test_what_a_lead_enters_keeps_the_note_that_the_lead_does_not_see(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    group = await builders.a_group(database)
    meeting = await a_session(database, clock, of=group)
    kept = await builders.an_invitation(
        database, meeting, answer="in_person", note="Rollstuhl", access_needs="Rampe"
    )
    lead = await sign_in("lead", groups=(group["id"],))
    page = await opened(lead, path_of(meeting, f"/antwort/{kept['id']}"))
    await pressed(lead, page, "Antwort speichern", {"answer": "declined", "way": "post"})
    row = await builders.read(database, "invitation", kept["id"])

    assert ("declined", "post") == (row["answer"], row["answer_way"])
    assert ("Rollstuhl", "Rampe") == (row["note"], row["access_needs"])


async def test_a_long_list_of_invited_people_has_pages_that_keep_the_filter(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    group = await a_group_of(database, 0)
    meeting = await a_session(database, clock, of=group, invited_at=clock.at)
    for number in range(ROWS_A_PAGE + 2):
        person = await builders.a_person(database, full_name=f"Person {number:03}")
        answer = "declined" if number == 0 else "in_person"
        await builders.an_invitation(database, meeting, person, answer=answer)
    browser = await sign_in("coordinator")
    pages = {
        query: (await browser.client.get(f"/buero/termin/{meeting['id']}{query}")).text
        for query in ("", "?seite=2", "?antwort=in_person", "?antwort=in_person&seite=99")
    }
    name = re.compile(r'<th scope="row"[^>]*><a [^>]*>(Person \d+)')
    shown = [name.findall(text) for text in pages.values()]

    assert [ROWS_A_PAGE, 2, ROWS_A_PAGE, 1] == [len(names) for names in shown]
    assert [["Person 100", "Person 101"], ["Person 101"]] == [shown[1], shown[3]]
    assert "?antwort=in_person&amp;seite=2#people" in pages["?antwort=in_person"]
    assert [True] * 4 == ["101 Personen" in text for text in pages.values()]


async def test_counts_filter_the_list(sign_in: SignIn, database: Database, clock: Clock) -> None:
    meeting = await a_session(database, clock)
    for name, answer in (("Anna Ja", "in_person"), ("Bert Nein", "declined"), ("Carl", None)):
        person = await builders.a_person(database, full_name=name)
        await builders.an_invitation(database, meeting, person, answer=answer)
    browser = await sign_in("coordinator")
    page = await opened(browser, path_of(meeting))
    declined = await opened(browser, page.link("abgesagt"))
    shown = [name for name in ("Anna Ja", "Bert Nein", "Carl") if name in declined.text]

    assert shown == ["Bert Nein"]


async def test_the_table_holds_no_formulas(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    meeting = await a_session(database, clock)
    for name in ("=1+1", "+49", "-2", "@SUM(A1)", "\tTab", 'Anna "A"; B'):
        person = await builders.a_person(database, full_name=name)
        await builders.an_invitation(database, meeting, person)
    browser = await sign_in("coordinator")
    answer = await browser.get(path_of(meeting, "/tabelle"))
    cells = [line.split(";")[1] for line in answer.text.splitlines()[1:] if "Anna" not in line]

    assert sorted(["'=1+1", "'+49", "'-2", "'@SUM(A1)", "'\tTab"]) == sorted(cells)
    assert '"Anna ""A""; B"' in answer.text
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"


async def test_a_code_to_read_out_is_made_on_the_press_only(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    meeting = await a_session(database, clock)
    await builders.an_invitation(database, meeting)
    browser = await sign_in("coordinator")
    page = await opened(browser, path_of(meeting))
    page = await opened(browser, page.link("Link am Telefon vorlesen"))
    before = await database.fetchval("SELECT count(*) FROM phone_code")
    page = await pressed(browser, page, "Code erzeugen")

    assert (before, await database.fetchval("SELECT count(*) FROM phone_code")) == (0, 1)
    assert "Zeichen für Zeichen" in page.text


async def test_a_reminder_reaches_only_those_without_an_answer(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    meeting = await a_session(database, clock)
    for answer in ("in_person", "declined", None, None):
        await builders.an_invitation(database, meeting, answer=answer)
    browser = await sign_in("coordinator")
    page = await opened(browser, path_of(meeting))
    page = await opened(browser, page.link("an 2 ohne Antwort erinnern"))
    page = await pressed(browser, page, "2 Personen erinnern")
    page = await pressed(browser, page, "jetzt senden")

    assert "2 E-Mails sind jetzt im Versand" in page.text
    assert len(await builders.letters(database, kind="nudge")) == 2


async def test_whoever_was_reminded_within_20_hours_is_left_out_and_the_page_says_so(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    meeting = await a_session(database, clock)
    for _ in range(3):
        await builders.an_invitation(database, meeting)
    browser = await sign_in("coordinator")
    page = await opened(browser, path_of(meeting) + "/erinnern")
    page = await pressed(browser, page, "3 Personen erinnern")
    await pressed(browser, page, "jetzt senden")
    await database.fetch("UPDATE letter SET created_at = $1", clock.at)
    none_left = await opened(browser, path_of(meeting))
    await builders.an_invitation(database, meeting)
    one_left = await opened(browser, path_of(meeting) + "/erinnern")

    spared = "3 Personen ohne Antwort haben in den letzten 20 Stunden schon eine Erinnerung"
    assert spared in none_left.text
    assert "ohne Antwort erinnern" not in none_left.text
    assert spared in one_left.text
    assert "1 Person erinnern" in one_left.text


async def test_a_lost_invitation_is_sent_again(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    group = await a_group_of(database, 1)
    meeting = await a_session(database, clock, of=group, state="tentative")
    browser = await sign_in("coordinator")
    page = await opened(browser, path_of(meeting, "/bestaetigen"))
    page = await pressed(browser, page, "Bestätigen und 1 Person benachrichtigen")
    page = await sent(browser, database, page)
    page = await opened(browser, page.link("erneut senden"))
    page = await pressed(browser, page, "Erneut senden")

    assert "Die E-Mail geht noch einmal hinaus" in page.text
    assert len(await builders.letters(database, kind="invitation")) == 2


async def test_a_lost_cancellation_is_offered_and_sent_again_and_an_untold_one_is_not(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    group = await a_group_of(database, 1)
    meeting = await a_session(database, clock, of=group, state="tentative")
    browser = await sign_in("coordinator")
    page = await opened(browser, path_of(meeting, "/bestaetigen"))
    page = await pressed(browser, page, "Bestätigen und 1 Person benachrichtigen")
    page = await sent(browser, database, page)
    way = page.link("erneut senden")
    page = await opened(browser, path_of(meeting, "/absagen"))
    page = await pressed(
        browser, page, "Sitzung absagen und 1 Person benachrichtigen", {"reason": "Streik."}
    )
    untold = await opened(browser, way)
    assert "erneut senden" not in page.text
    assert "Keine E-Mail an diese Person passt zum Stand der Sitzung." in untold.text
    posted = await browser.post(way)
    assert posted.headers["location"].endswith("getan=repeated_none")
    page = await sent(browser, database, page)
    page = await opened(browser, page.link("erneut senden"))
    assert "Diese E-Mail geht noch einmal hinaus: Absage." in page.text
    page = await pressed(browser, page, "Erneut senden")

    assert "Die E-Mail geht noch einmal hinaus" in page.text
    assert len(await builders.letters(database, kind="cancellation")) == 2


async def test_taking_letters_back_keeps_the_change(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    meeting = await a_session(database, clock)
    await builders.an_invitation(database, meeting, answer="in_person")
    browser = await sign_in("coordinator")
    page = await opened(browser, path_of(meeting, "/aussetzen"))
    page = await pressed(browser, page, "Verschieben und 1 Person benachrichtigen")
    page = await pressed(browser, page, "Zurücknehmen")

    assert "Die E-Mails gehen nicht hinaus" in page.text
    assert await database.fetchval("SELECT state FROM meeting") == "postponed"
    assert await builders.letters(database) == []


async def test_who_is_cancelled_at_short_notice_is_called(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    soon = (clock.at + timedelta(hours=20)).replace(tzinfo=None)
    meeting = await a_session(database, clock, starts_local=soon, state="cancelled")
    for name, answer in (("Anna Ja", "in_person"), ("Bert Nein", "declined")):
        person = await builders.a_person(database, full_name=name, phone="0361 55")
        await builders.an_invitation(database, meeting, person, answer=answer)
    browser = await sign_in("coordinator")
    page = await opened(browser, path_of(meeting))
    calls = await opened(browser, page.link("Zur Anrufliste"))

    assert [name for name in ("Anna Ja", "Bert Nein") if name in calls.text] == ["Anna Ja"]
    assert "0361 55" in calls.text


async def test_a_long_reason_is_refused_and_kept(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    meeting = await a_session(database, clock)
    browser = await sign_in("coordinator")
    page = await opened(browser, path_of(meeting, "/absagen"))
    page = await pressed(browser, page, "Sitzung absagen", {"reason": "x" * 2001}, 422)

    assert "Der Text darf höchstens 2000 Zeichen haben" in page.text
    assert "x" * 2001 in page.text
    assert await database.fetchval("SELECT state FROM meeting") == "confirmed"


async def test_a_draft_is_thrown_away_after_a_question(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    meeting = await a_session(database, clock, state="draft")
    browser = await sign_in("coordinator")
    page = await opened(browser, path_of(meeting))
    page = await opened(browser, page.link("Entwurf verwerfen"))
    page = await pressed(browser, page, "Entwurf verwerfen")

    assert "Der Entwurf ist verworfen" in page.text
    assert await database.fetchval("SELECT count(*) FROM meeting") == 0


async def test_a_postponed_session_gets_a_new_date(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    meeting = await a_session(database, clock)
    await builders.an_invitation(database, meeting, answer="in_person")
    browser = await sign_in("coordinator")
    page = await opened(browser, path_of(meeting, "/aussetzen"))
    page = await pressed(browser, page, "Ohne E-Mail")
    page = await opened(browser, page.link("Neuen Termin festlegen"))
    entries = filled_in(clock)
    del entries["town"]
    page = await pressed(browser, page, "Weiter zur Vorschau", entries)
    page = await pressed(browser, page, "Speichern und 1 Person benachrichtigen")
    row = await builders.read(database, "meeting", UUID(str(meeting["id"])))

    assert ("confirmed", in_days(clock, 60)) == (row["state"], row["starts_local"])


async def test_every_page_speaks_english(sign_in: SignIn, database: Database, clock: Clock) -> None:
    meeting = await a_session(database, clock)
    invitation = await builders.an_invitation(database, meeting, answer="in_person")
    browser = await sign_in("coordinator")
    tails = ("", "/bearbeiten", "/verschieben", "/aussetzen", "/absagen", "/erinnern")
    paths = ["/buero", *(path_of(meeting, tail) for tail in tails)]
    pages = [await opened(browser, f"/en{path}") for path in paths]
    entry = await opened(browser, f"/en{path_of(meeting, '/antwort/')}{invitation['id']}")

    assert [page.text for page in pages if "Zurück" in page.text] == []
    assert "Save answer" in [text for text, _, _ in entry.forms[-1].buttons]


async def test_one_person_more_and_one_less(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    meeting = await a_session(database, clock)
    there = await builders.a_person(database, full_name="Anna Da")
    await builders.an_invitation(database, meeting, there)
    await builders.a_person(database, full_name="Bert 100%")
    browser = await sign_in("coordinator")
    page = await opened(browser, path_of(meeting))
    search = await opened(browser, page.link("Weitere Person einladen"))
    found = await opened(browser, f"{search.address}?suche=%25")
    page = await pressed(browser, found, "Bert 100% einladen")
    page = await opened(browser, page.link("ausladen"))
    page = await pressed(browser, page, "Einladung zurücknehmen")
    states = await database.fetch(
        "SELECT full_name, state FROM invitation JOIN person ON person.id = person_id ORDER BY 1"
    )

    assert "Anna Da einladen" not in found.text
    assert [("Anna Da", "uninvited"), ("Bert 100%", "planned")] == [tuple(row) for row in states]
