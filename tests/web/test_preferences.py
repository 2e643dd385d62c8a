"""The switches behind the link in a letter's foot, one press in a mail program, and the office."""

import re
from collections.abc import Mapping, Sequence
from datetime import time, timedelta
from typing import Any

import httpx
import pytest

from service import preferring
from service.database import Database
from service.domain.preferences import OwnTimes, Preferences, Topic
from service.services import Services
from tests import builders
from tests.builders import Row
from tests.web import mailbox
from tests.web.conftest import Clock, SignIn
from tests.web.test_office import opened, pressed

ONE_CLICK = {"List-Unsubscribe": "One-Click"}


def page_path(services: Services, person: Row) -> str:
    return f"/b/{preferring.page_token(services.keys, person['mail_handle'], 1)}"


def stop_path(services: Services, person: Row, topic: Topic = Topic.REMINDERS) -> str:
    handle = person["mail_handle"]
    return f"/u/{preferring.unsubscribe_token(services.keys, topic, handle, 1)}"


async def wished(database: Database, person: Row) -> Preferences:
    return (await preferring.find_of_person(database, person["id"])).preferences


async def send(
    client: httpx.AsyncClient,
    path: str,
    data: Mapping[str, str | Sequence[str]],
    locale: str = "",
) -> httpx.Response:
    page = await client.get(locale + path)
    found = re.search(r'name="ft" value="([^"]+)"', page.text)
    assert found is not None
    return await client.post(locale + path, data={"ft": found[1], **data})


@pytest.mark.parametrize(
    ("locale", "heading"), [("", "Benachrichtigungen ändern"), ("/en", "Change notifications")]
)
async def test_the_page_shows_the_switches_and_says_what_always_goes(
    services: Services, anonymous: httpx.AsyncClient, locale: str, heading: str
) -> None:
    person = await builders.a_person(services.database, full_name="Mira Muster")
    page = await anonymous.get(locale + page_path(services, person))

    assert 200 == page.status_code
    assert f"<h1>{heading}</h1>" in re.sub(r"<h1[^>]*>", "<h1>", page.text)
    assert "Mira Muster" in page.text
    assert ("Absagen schicken wir Ihnen immer" if not locale else "always reach you") in page.text
    assert "/meine/" not in page.text
    assert "no-referrer" == page.headers["referrer-policy"]
    assert "no-store" == page.headers["cache-control"]


async def test_looking_stores_nothing(services: Services, anonymous: httpx.AsyncClient) -> None:
    person = await builders.a_person(services.database)
    for path in (page_path(services, person), stop_path(services, person)):
        await anonymous.get(path)
        await anonymous.head(path)

    assert 0 == await services.database.fetchval("SELECT count(*) FROM preference")


@pytest.mark.parametrize("locale", ["", "/en"])
async def test_what_was_chosen_is_stored_and_shown(
    services: Services, anonymous: httpx.AsyncClient, locale: str
) -> None:
    person = await builders.a_person(services.database)
    path = page_path(services, person)
    until = (services.clock() + timedelta(days=9)).date()
    answer = await send(
        *(anonymous, path),
        {"reminders": "usual", "digest": "1", "paused_until": until.isoformat()},
        locale,
    )
    page = await anonymous.get(answer.headers["location"])

    chosen = Preferences(nudges=False, papers=False, digest=True, paused_until=until)
    assert (303, f"{locale}{path}?gespeichert=1") == (
        answer.status_code,
        answer.headers["location"],
    )
    assert chosen == await wished(services.database, person)
    assert until.isoformat() in page.text


@pytest.mark.parametrize("locale", ["", "/en"])
async def test_the_office_renews_the_links_and_the_old_page_shows_the_way_to_the_new(
    services: Services, anonymous: httpx.AsyncClient, sign_in: SignIn, locale: str
) -> None:
    database = services.database
    person = await builders.a_person(database)
    browser = await sign_in("coordinator")
    page = await opened(browser, f"/buero/mitglied/{person['id']}")
    assert "öffnen dann nichts mehr" in page.text
    done = await pressed(browser, page, "Links jetzt erneuern")

    old = await anonymous.get(locale + page_path(services, person))
    stop = await anonymous.post(stop_path(services, person), data=ONE_CLICK)
    form = {"email": str(person["email"])}
    await anonymous.post(f"{locale}/link-anfordern", data=form)
    [letter] = await mailbox.deliver(services)
    new = preferring.page_token(services.keys, person["mail_handle"], 2)

    assert "Die Links zu den Benachrichtigungen sind erneuert." in done.text
    assert (410, 410) == (old.status_code, stop.status_code)
    assert ("was replaced" if locale else "wurde ersetzt") in old.text
    assert f'href="{locale}/link-anfordern"' in old.text
    assert f"/b/{new}" in mailbox.text_of(letter)
    assert 200 == (await anonymous.get(f"/b/{new}")).status_code
    assert Preferences() == await wished(database, person)


@pytest.mark.parametrize("locale", ["", "/en"])
async def test_the_language_of_letters_is_chosen_shown_and_seen_by_the_office(
    services: Services, anonymous: httpx.AsyncClient, sign_in: SignIn, locale: str
) -> None:
    database = services.database
    person = await builders.a_person(database)
    path = page_path(services, person)
    browser = await sign_in("coordinator")
    office = f"/buero/mitglied/{person['id']}"
    before = await browser.get(office)

    await send(anonymous, path, {"reminders": "usual", "mail_lang": "en"}, locale)
    page, after = await anonymous.get(path), await browser.get(office)
    await browser.post(f"{office}/benachrichtigungen", {"reminders": "usual", "mail_lang": "de"})

    assert ["en"] == re.findall(r'name="mail_lang" value="([^"]+)" checked', page.text)
    assert [False, True] == [
        bool(re.search(r"Sprache der E-Mails</dt>\s*<dd[^>]*>English", one.text))
        for one in (before, after)
    ]
    assert "de" == (await builders.read(database, "person", person["id"]))["locale"]


async def test_a_form_that_was_opened_before_does_not_take_the_language_back(
    services: Services, anonymous: httpx.AsyncClient, sign_in: SignIn
) -> None:
    person = await builders.a_person(services.database)
    browser = await sign_in("coordinator")
    path = f"/buero/mitglied/{person['id']}"
    typed: dict[str, object] = {
        "full_name": "Mira Muster",
        "locale": "de",
        "revision": str(person["revision"]),
    }
    await send(
        anonymous, page_path(services, person), {"reminders": "usual", "mail_lang": "en"}, ""
    )

    answer = await browser.post(path, typed)

    assert 422 == answer.status_code
    assert re.search(r"Sprache der E-Mails</dt>\s*<dd[^>]*>English", answer.text)
    assert "en" == (await builders.read(services.database, "person", person["id"]))["locale"]


async def test_a_pause_in_the_past_is_refused_and_what_was_ticked_stays(
    services: Services, anonymous: httpx.AsyncClient
) -> None:
    person = await builders.a_person(services.database)
    page = await send(
        *(anonymous, page_path(services, person)),
        {"reminders": "none", "digest": "1", "paused_until": "2020-01-01"},
    )

    assert 422 == page.status_code
    assert "liegt in der Vergangenheit" in page.text
    assert ["digest"] == re.findall(r'type="checkbox" id="f-(\w+)"[^>]* checked', page.text)
    assert Preferences() == await wished(services.database, person)


async def test_one_click_takes_one_kind_off_without_cookie_form_token_or_origin(
    services: Services, anonymous: httpx.AsyncClient
) -> None:
    person = await builders.a_person(services.database)
    foreign = {"origin": "https://mail.example.net", "sec-fetch-site": "cross-site"}
    path = stop_path(services, person)
    answers = [
        await anonymous.post(path, data=ONE_CLICK, headers=foreign),
        await anonymous.post(path, files={"List-Unsubscribe": (None, "One-Click")}),
        await anonymous.post(path, data={**ONE_CLICK, "umfang": "nie gehört", "noch": "etwas"}),
        await anonymous.post(path, content=b"List-Unsubscribe=One-Click\r\n"),
    ]

    assert [200] * 4 == [one.status_code for one in answers]
    assert Preferences(reminders=False) == await wished(services.database, person)
    rows = await services.database.fetch("SELECT action FROM audit WHERE object_kind = 'person'")
    assert ["set_preferences"] == [row["action"] for row in rows]


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"data": {"x": "y"}},
        {"data": {"List-Unsubscribe": "1"}},
        {"data": {"umfang": "alles"}},
        {"data": {"umfang": "alles", "ft": "0.00000000000000000000000000000000"}},
        {"json": {"List-Unsubscribe": "One-Click"}},
    ],
)
async def test_who_posts_without_the_word_of_mail_programs_is_asked(
    services: Services, anonymous: httpx.AsyncClient, sent: dict[str, Any]
) -> None:
    person = await builders.a_person(services.database)
    answer = await anonymous.post(stop_path(services, person), **sent)

    assert 422 == answer.status_code
    assert "nur Erinnerungen" in answer.text
    assert Preferences() == await wished(services.database, person)


async def test_a_question_that_was_open_too_long_is_asked_again_as_it_was_answered(
    services: Services, anonymous: httpx.AsyncClient, clock: Clock
) -> None:
    person = await builders.a_person(services.database)
    path = stop_path(services, person)
    page = await anonymous.get(path)
    clock.at += timedelta(hours=13)
    [token] = re.findall(r'name="ft" value="([^"]+)"', page.text)
    again = await anonymous.post(path, data={"ft": token, "umfang": "alles"})

    assert 422 == again.status_code
    assert "Das Formular war zu lange offen" in again.text
    assert re.search(r'value="alles"[^>]* checked', again.text)
    assert Preferences() == await wished(services.database, person)


async def test_the_confirmation_page_offers_this_kind_or_all(
    services: Services, anonymous: httpx.AsyncClient
) -> None:
    person = await builders.a_person(services.database)
    path = stop_path(services, person, Topic.NUDGES)
    page = await anonymous.get(path)
    done = await send(anonymous, path, {"umfang": "alles"})

    assert "nur Nachfragen bei fehlender Antwort" in page.text
    assert "keine Erinnerungen, Nachfragen, Unterlagen und Sammelmails mehr" in done.text
    assert [] == [one for one in Topic if (await wished(services.database, person)).wants(one)]


async def test_tokens_open_one_door_each_and_strangers_none(
    services: Services, anonymous: httpx.AsyncClient
) -> None:
    person = await builders.a_person(services.database)
    switches, stop = page_path(services, person), stop_path(services, person)
    crossed = [switches.replace("/b/", "/u/"), stop.replace("/u/", "/b/")]
    personal = [switches.replace("/b/", place) for place in ("/a/", "/meine/", "/ics/p/")]
    wrong = [*crossed, *personal, "/b/unbekannt", "/u/unbekannt"]

    assert [404] * 7 == [(await anonymous.get(path)).status_code for path in wrong]
    assert 404 == (await anonymous.post("/u/unbekannt", data=ONE_CLICK)).status_code
    assert 404 == (await anonymous.post(f"{crossed[0]}/wieder")).status_code


async def test_a_renewed_link_says_where_the_new_one_is(
    services: Services, anonymous: httpx.AsyncClient
) -> None:
    person = await builders.a_person(services.database)
    await services.database.fetch("UPDATE person SET mail_epoch = 2")
    page = await anonymous.get(page_path(services, person))

    assert 410 == page.status_code
    assert "Dieser Link gilt nicht mehr" in page.text


async def test_the_office_sees_and_sets_on_request_what_a_person_wants(
    sign_in: SignIn, database: Database
) -> None:
    person = await builders.a_person(database)
    browser = await sign_in("coordinator")
    path = f"/buero/mitglied/{person['id']}"
    before = await browser.get(path)
    answer = await browser.post(
        f"{path}/benachrichtigungen", {"reminders": "none", "digest_only": "1"}
    )
    after = await browser.get(path)

    assert 303 == answer.status_code
    assert Preferences(
        reminders=False, nudges=False, papers=False, digest_only=True
    ) == await wished(database, person)
    assert "Nur Sammelmail" not in before.text
    assert "Nur Sammelmail" in after.text
    row = await database.fetchrow("SELECT actor_kind, actor_id FROM audit ORDER BY id DESC LIMIT 1")
    assert row is not None
    assert ("account", browser.account_id) == tuple(row)


async def test_the_office_is_told_of_a_pause_that_cannot_be(
    sign_in: SignIn, database: Database
) -> None:
    person = await builders.a_person(database)
    browser = await sign_in("coordinator")
    path = f"/buero/mitglied/{person['id']}/benachrichtigungen"
    page = await browser.post(path, {"reminders": "usual", "paused_until": "2090-01-01"})

    assert 422 == page.status_code
    assert "höchstens ein Jahr" in page.text


async def test_own_times_are_stored_shown_again_and_seen_by_the_office(
    services: Services, anonymous: httpx.AsyncClient, sign_in: SignIn
) -> None:
    database = services.database
    # The pages show what is still to come.
    starts = builders.START.replace(year=2049)
    meeting = await builders.a_meeting(database, starts_local=starts, invited_at=builders.NOW)
    person = await builders.a_person(database)
    await builders.an_invitation(
        database, meeting, person, answer="in_person", invited_at=builders.NOW
    )
    path = page_path(services, person)
    typed = {
        "reminders": "own",
        "own_days": ["1", "0"],
        "own_at": "15:00",
        "own_minutes": "30",
        "mail_format": "text",
        "calendar_way": "mail",
    }
    await send(anonymous, path, typed)
    page = await anonymous.get(path)
    browser = await sign_in("coordinator")
    office = await browser.get(f"/buero/mitglied/{person['id']}")
    session = await browser.get(f"/buero/termin/{meeting['id']}")
    rules = await browser.get(f"/buero/termin/{meeting['id']}/erinnerungen")

    assert Preferences(
        nudges=False,
        papers=False,
        own_times=OwnTimes(days=(1, 0), at=time(15), minutes=(30,)),
        text_only=True,
        no_calendar=True,
    ) == await wished(database, person)
    checked = re.findall(r'name="(\w+)" value="([^"]+)" checked', page.text)
    assert {
        ("reminders", "own"),
        ("own_days", "1"),
        ("own_days", "0"),
        ("own_minutes", "30"),
        ("mail_lang", "de"),
        ("mail_format", "text"),
        ("calendar_way", "mail"),
    } == set(checked)
    assert '<option value="15:00" selected' in page.text
    for words in ("1 Arbeitstag vorher um 15:00 Uhr", "30 Minuten vorher", "nur Text"):
        assert words in office.text
    assert 3 == session.text.count("(eigene Einstellung)")
    assert "eigene Einstellung: 1 Arbeitstag vorher um 15:00 Uhr" in rules.text


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"reminders": "own"}, "Wählen Sie mindestens eine Zeit"),
        ({"reminders": "own", "own_days": "3"}, "own_days"),
        ({"reminders": "own", "own_days": "1", "own_at": "03:00"}, "own_at"),
        ({}, "reminders"),
    ],
)
async def test_own_times_that_cannot_be_are_refused_and_stay_in_the_form(
    services: Services, anonymous: httpx.AsyncClient, typed: dict[str, str], words: str
) -> None:
    person = await builders.a_person(services.database)
    page = await send(anonymous, page_path(services, person), {"digest": "1", **typed})

    assert 422 == page.status_code
    assert words in page.text
    assert 'id="fehler"' in page.text
    assert Preferences() == await wished(services.database, person)
