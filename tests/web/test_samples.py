"""A test letter to oneself: marked, to one's own address alone, with nobody's link in it."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from email.message import EmailMessage

import pytest

from service import noticing, reminding, sampling, scheduling
from service.auditing import Actor
from service.database import Database
from service.domain.reminders import COMING, Kind, Rule
from service.services import Services
from tests import builders
from tests.builders import Row
from tests.web import mailbox
from tests.web.conftest import Browser, Clock, SignIn
from tests.web.test_office import a_group_of, a_session, opened, pressed

pytestmark = pytest.mark.usefixtures("ready")
HOUR_BEFORE = Rule(kind=Kind.REMINDER, audience=COMING, minutes_before=60)


async def a_planned_session(services: Services, clock: Clock, of: Row | None = None) -> Row:
    """Insert a session in three days, an hour before which those who come are reminded."""
    database, told = services.database, clock.at - timedelta(days=20)
    group = of or await a_group_of(database, 1)
    meeting = await a_session(database, clock, of=group, days=3, invited_at=told)
    person = await builders.a_person(database, full_name="Ada Beispiel", email="ada@example.org")
    await builders.an_invitation(database, meeting, person, answer="in_person", invited_at=told)
    async with database.unit_of_work() as unit:
        await reminding.add_rule(unit.connection, HOUR_BEFORE)
        await reminding.plan_slots(unit.connection, meeting["id"], clock.at)
    return meeting


async def address_of(database: Database, browser: Browser) -> str:
    found = await database.fetchval("SELECT email FROM account WHERE id = $1", browser.account_id)
    return str(found)


async def the_one(services: Services) -> EmailMessage:
    [letter] = await mailbox.deliver(services)
    return letter


async def test_a_press_on_the_rules_of_a_session_sends_the_reminder_to_oneself_alone(
    sign_in: SignIn, services: Services, clock: Clock
) -> None:
    meeting = await a_planned_session(services, clock)
    browser = await sign_in("coordinator")
    page = await opened(browser, f"/buero/termin/{meeting['id']}/erinnerungen")
    page = await pressed(browser, page, "Testmail an mich")
    letter = await the_one(services)
    own = await address_of(services.database, browser)

    text = mailbox.text_of(letter)
    html = letter.get_body(("html",))
    assert html is not None
    assert f"unterwegs an {own}" in page.text
    assert own in str(letter["To"])
    assert str(letter["Subject"]).startswith("Test: ")
    assert text.startswith("Dies ist eine Testmail. Namen und Links sind Beispiele")
    assert "Dies ist eine Testmail." in html.get_content()
    assert letter["List-Unsubscribe"] is None
    for words in (text, html.get_content()):
        assert "Ada" not in words
        assert {"beispiel-link-oeffnet-nichts"} == set(re.findall(r"/a/([^\s?\"<]+)", words))
        assert "⟦" not in words
    assert ["text/plain", "text/html"] == [
        part.get_content_type() for part in letter.walk() if not part.is_multipart()
    ]


async def test_a_press_on_the_preview_of_the_next_days_sends_the_letter_in_its_language(
    sign_in: SignIn, services: Services, clock: Clock
) -> None:
    await a_planned_session(services, clock)
    await services.database.fetch("UPDATE person SET locale = 'en'")
    browser = await sign_in("coordinator")
    page = await opened(browser, "/buero/vorschau")
    page = await pressed(browser, page, "Testmail an mich")
    letter = await the_one(services)

    assert "Die Testmail ist unterwegs" in page.text
    assert mailbox.text_of(letter).startswith("This is a test email.")


async def test_a_press_on_a_drafts_preview_sends_what_publishing_would(
    sign_in: SignIn, services: Services, clock: Clock
) -> None:
    group = await a_group_of(services.database, 2)
    draft = await a_session(services.database, clock, of=group, state="draft", title="Frühjahr")
    browser = await sign_in("coordinator")
    page = await opened(browser, f"/buero/termin/{draft['id']}/vorschau?status=confirmed")
    page = await pressed(browser, page, "Testmail an mich")
    letter = await the_one(services)

    assert "Die Testmail ist unterwegs" in page.text
    assert "Frühjahr" in str(letter["Subject"])
    assert "draft" == await services.database.fetchval("SELECT state FROM meeting")


@dataclass(frozen=True)
class Look:
    """A preview of something that is not saved, what is typed and pressed, what letters say."""

    path: str
    state: str
    press: str = ""
    typed: Mapping[str, str] = field(default_factory=dict)
    subject: str = ""
    says: str = ""
    button: str = "Testmail an mich"


PREVIEWS = (
    Look(
        "bestaetigen",
        "tentative",
        subject="Der Termin steht fest",
        button="Testmail an mich: Mitteilung „Termin steht fest“",
    ),
    Look(
        "aussetzen",
        "confirmed",
        "E-Mail mit diesem Text ansehen",
        {"message": "Wir suchen einen Tag im März."},
        "Verschoben",
        "Wir suchen einen Tag im März.",
    ),
    Look(
        "absagen",
        "confirmed",
        "E-Mail mit diesem Grund ansehen",
        {"reason": "Der Saal ist gesperrt."},
        "Abgesagt",
        "Der Saal ist gesperrt.",
    ),
    Look(
        "doch-stattfinden",
        "cancelled",
        subject="findet doch statt",
        button="Testmail an mich: Mitteilung „findet doch statt“",
    ),
    Look(
        "verschieben",
        "confirmed",
        "Weiter zur Vorschau",
        {"start_time": "14:00", "end_time": "16:00", "message": "Der Zug kommt später."},
        "Termin geändert",
        "Der Zug kommt später.",
    ),
)


@pytest.mark.parametrize("look", PREVIEWS, ids=lambda look: look.path)
async def test_a_press_on_the_preview_of_a_move_sends_its_letter_and_moves_nothing(
    sign_in: SignIn, services: Services, clock: Clock, look: Look
) -> None:
    meeting = await a_known_session(services, clock, look.state)
    before = await everything(services.database)
    browser = await sign_in("coordinator")
    page = await opened(browser, f"/buero/termin/{meeting['id']}/{look.path}")
    if look.press:
        page = await pressed(browser, page, look.press, look.typed)
    held = [form.fields for form in page.forms]
    page = await pressed(browser, page, look.button)
    letter = await the_one(services)
    own = await address_of(services.database, browser)

    text = mailbox.text_of(letter)
    assert f"unterwegs an {own}" in page.text
    assert own in str(letter["To"])
    assert str(letter["Subject"]).startswith("Test: ")
    assert look.subject in str(letter["Subject"]) + text
    assert look.says in text
    assert "Ada" not in text
    assert {"beispiel-link-oeffnet-nichts"} >= set(re.findall(r"/a/([^\s?\"<]+)", text))
    assert held == [form.fields for form in page.forms]
    assert before == await everything(services.database)


@dataclass(frozen=True)
class Typed:
    """Something that is typed on a preview and not looked at yet, and where it is to be kept."""

    path: str
    state: str
    typed: Mapping[str, str]
    says: str = ""
    button: str = "Testmail an mich"


LATER = {"invite_on": "2027-01-20", "invite_time": "09:30"}
UNSEEN = (
    Typed("aussetzen", "confirmed", {"message": "Wir suchen noch."}, "Wir suchen noch."),
    Typed("absagen", "confirmed", {"reason": "Sturm.", "number_kept": "0"}, "Sturm."),
    Typed("bestaetigen", "tentative", LATER),
    Typed("vorschau?status=confirmed", "draft", LATER),
)


@pytest.mark.parametrize("look", UNSEEN, ids=lambda look: look.path.partition("?")[0])
async def test_what_is_typed_on_a_preview_is_in_its_test_letter_and_stays(
    sign_in: SignIn, services: Services, clock: Clock, look: Typed
) -> None:
    meeting = await a_known_session(services, clock, look.state)
    if look.state in {"draft", "tentative"}:
        await services.database.fetch(
            "UPDATE invitation SET state = 'planned', invited_at = NULL, answer = NULL"
        )
    before = await everything(services.database)
    browser = await sign_in("coordinator")
    page = await opened(browser, f"/buero/termin/{meeting['id']}/{look.path}")
    page = await pressed(browser, page, look.button, look.typed)
    letter = await the_one(services)

    form, _ = page.form(look.button)
    assert look.says in mailbox.text_of(letter)
    assert look.typed == {name: dict(form.fields)[name] for name in look.typed}
    assert before == await everything(services.database)


@pytest.mark.parametrize(
    ("path", "kind"), [("einladen", "Einladung"), ("erinnern", "Bitte um Antwort")]
)
async def test_whom_a_press_asks_and_with_which_words_stands_beside_the_button(
    sign_in: SignIn, services: Services, clock: Clock, path: str, kind: str
) -> None:
    meeting = await a_session(services.database, clock)
    asked: Mapping[str, object] = {"invited_at": clock.at - timedelta(days=5)}
    if path == "einladen":
        asked = {"state": "planned", "invited_at": None}
    for email in ("ada@example.org", "bea@example.org", None):
        person = await builders.a_person(services.database, email=email)
        await builders.an_invitation(services.database, meeting, person, **asked)
    before = await everything(services.database)
    browser = await sign_in("coordinator")
    path = f"/buero/termin/{meeting['id']}/{path}"
    markup = (await browser.get(path)).text
    words = re.findall(r'<pre lang="(\w+)">(.*?)</pre>', markup, re.DOTALL)
    page = await opened(browser, path)
    tested = await pressed(browser, page, "Testmail an mich")
    letter = await the_one(services)

    assert ["de", "en"] == [locale for locale, _ in words]
    assert all(meeting["title"] in text for _, text in words)
    assert f"{kind} auf Deutsch" in page.text
    assert "2 Personen bekommen eine E-Mail" in page.text
    assert "1 Person hat keine E-Mail-Adresse" in page.text
    assert "ist unterwegs an" in tested.text
    assert "Test: " == str(letter["Subject"])[:6]
    assert before == await everything(services.database)


async def test_another_word_on_the_answers_is_kept_when_a_test_letter_is_asked_for(
    sign_in: SignIn, services: Services, clock: Clock
) -> None:
    meeting = await a_known_session(services, clock, "confirmed")
    browser = await sign_in("coordinator")
    page = await opened(browser, f"/buero/termin/{meeting['id']}/verschieben")
    moved = {"start_time": "10:15", "end_time": "12:15"}
    page = await pressed(browser, page, "Weiter zur Vorschau", moved)
    page = await pressed(browser, page, "Testmail an mich", {"answers": "ask"})
    letter = await the_one(services)

    form, _ = page.form("Testmail an mich")
    assert "ask" == dict(form.fields)["answers"]
    assert "Ihre Antwort gilt weiter" not in mailbox.text_of(letter)


async def test_each_answer_of_a_change_has_a_letter_and_a_test_of_its_own(
    sign_in: SignIn, services: Services, clock: Clock
) -> None:
    meeting = await a_known_session(services, clock, "confirmed")
    person = await builders.a_person(services.database, full_name="Bo Beispiel")
    told = clock.at - timedelta(days=20)
    await builders.an_invitation(services.database, meeting, person, invited_at=told)
    browser = await sign_in("coordinator")
    page = await opened(browser, f"/buero/termin/{meeting['id']}/verschieben")
    moved = {"start_time": "14:00", "end_time": "16:00"}
    page = await pressed(browser, page, "Weiter zur Vorschau", moved)
    button = "Testmail an mich: Änderungsmitteilung, ohne Antwort"
    pressed_page = await pressed(browser, page, button)
    letter = await the_one(services)

    headings = ("auf Deutsch: 1 Person mit früherer Zusage, neu gefragt", "1 Person ohne Antwort")
    assert all(one in page.text for one in headings)
    assert "Die Testmail ist unterwegs" in pressed_page.text
    assert "galt dem früheren Termin" not in mailbox.text_of(letter)


async def test_a_test_letter_brings_an_entry_under_a_name_of_its_own(
    sign_in: SignIn, services: Services, clock: Clock
) -> None:
    group = await a_group_of(services.database, 2)
    draft = await a_session(services.database, clock, of=group, state="draft", title="Frühjahr")
    browser = await sign_in("coordinator")
    page = await opened(browser, f"/buero/termin/{draft['id']}/vorschau?status=confirmed")
    await pressed(browser, page, "Testmail an mich")
    letter = await the_one(services)

    [file] = [part for part in letter.walk() if part.get_content_type() == "text/calendar"]
    words = file.get_content()
    assert ("termin.ics", "PUBLISH") == (file.get_filename(), file.get_param("method"))
    assert str(draft["uid"]) not in words
    assert "SUMMARY:Test: " in words
    assert "ATTENDEE" not in words


async def a_known_session(services: Services, clock: Clock, state: str) -> Row:
    """Insert a session of which its one person has heard already."""
    database, told = services.database, clock.at - timedelta(days=20)
    group = await a_group_of(database, 1)
    known_state = "confirmed" if state == "cancelled" else state
    meeting = await a_session(
        database, clock, of=group, days=30, state=known_state, invited_at=told
    )
    person = await builders.a_person(database, full_name="Ada Beispiel", email="ada@example.org")
    answered = {"invited_at": told, "answered_at": told + timedelta(hours=1)}
    await builders.an_invitation(database, meeting, person, answer="in_person", **answered)
    if state == "cancelled":
        await scheduling.cancel(database, Actor("command"), meeting["id"], "Sturm", clock.at)
        await noticing.queue_due(database, clock.at + timedelta(days=1))
        await database.fetch("UPDATE outbox SET state = 'sent', accepted_at = now()")
    return meeting


async def everything(database: Database) -> list[Row]:
    """Return what a move would change."""
    tables = ("meeting", "invitation", "notice", "reminder_slot")
    return [row for each in tables for row in await database.fetch(f"TABLE {each}")]


async def test_test_letters_are_limited(sign_in: SignIn, services: Services, clock: Clock) -> None:
    meeting = await a_planned_session(services, clock)
    browser = await sign_in("coordinator")
    path = f"/buero/termin/{meeting['id']}/testmail"
    answers = [
        await browser.post(path, {"art": "reminder"}) for _ in range(sampling.LIMIT.hits + 1)
    ]

    assert [303] * sampling.LIMIT.hits + [429] == [one.status_code for one in answers]
    assert sampling.LIMIT.hits == await services.database.fetchval("SELECT count(*) FROM letter")


async def test_letters_that_need_more_than_a_session_are_not_sent_from_there(
    sign_in: SignIn, services: Services, clock: Clock
) -> None:
    meeting = await a_planned_session(services, clock)
    browser = await sign_in("coordinator")
    path = f"/buero/termin/{meeting['id']}/testmail"
    answers = [await browser.post(path, {"art": kind}) for kind in ("change", "sign_in", "")]

    assert [404] * 3 == [one.status_code for one in answers]


async def test_a_test_letter_whose_account_is_closed_stays(
    sign_in: SignIn, services: Services, clock: Clock
) -> None:
    meeting = await a_planned_session(services, clock)
    browser = await sign_in("coordinator")
    await browser.post(f"/buero/termin/{meeting['id']}/testmail", {"art": "reminder"})
    await services.database.fetch("UPDATE account SET disabled_at = now()")

    assert [] == await mailbox.deliver(services)
    assert ["no_access"] == [
        row["reason"] for row in await builders.letters(services.database, kind="test")
    ]
