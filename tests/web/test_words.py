"""Replies in words: beside the person, entered by two presses, never interpreted."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from notifications import intake
from service import blackening
from service.database import Database
from tests import builders, invited
from tests.invited import Invited
from tests.notifications import builders as mail
from tests.notifications import returned
from tests.notifications.returned import PLAIN, events
from tests.web.conftest import Browser, SignIn

NOW = datetime.now(UTC)
OPTIONS = replace(returned.OPTIONS, strike=blackening.strike)
TOKEN = "abcdefghijklmnopqrstuvwxyz234567abcdefghijklmnopqrst"
LONG = "ich komme gern, aber etwas später. " * 20


def a_mail(
    words: str, letter: UUID | None = None, sender: str = "mira@partner.example.org"
) -> bytes:
    answers = f"In-Reply-To: <{letter}@{OPTIONS.mail_domain}>\r\n" if letter else ""
    head = f"From: Mira Muster <{sender}>\r\n{answers}Subject: Re: Einladung\r\n"
    return f"{head}Content-Type: text/plain; charset=utf-8\r\n\r\n{words}".encode()


async def a_guest(database: Database, **meeting: Any) -> tuple[Invited, UUID]:
    """Return somebody who is invited, and the letter that said so."""
    meeting_id = await invited.a_meeting_to_come(database, NOW, **meeting)
    group = await builders.a_group(database)
    await database.fetch(
        "INSERT INTO meeting_group (meeting_id, group_id) VALUES ($1, $2)", meeting_id, group["id"]
    )
    guest = await invited.invite(database, meeting_id, await invited.a_person(database))
    [letter] = await mail.post(
        database, mail.a_letter(recipient_id=guest.person_id, subject_id=guest.meeting_id)
    )
    return guest, letter


async def answer_of(database: Database, guest: Invited) -> Any:
    return await database.fetchrow("SELECT * FROM invitation WHERE id = $1", guest.invitation_id)


async def write(database: Database, words: str, letter: UUID | None = None) -> int:
    taken = await intake.take(database, OPTIONS, a_mail(words, letter), PLAIN, NOW)
    assert taken.event_id is not None
    return taken.event_id


def plain(page: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.text))


def pressed(page: Any, words: str) -> str:
    """Return where the link with these words leads."""
    found = re.search(rf'href="([^"]+)">{words}', page.text)
    assert found is not None
    return found[1].replace("&amp;", "&")


def fields_of(page: Any) -> dict[str, object]:
    """Return what the form would send, as it was filled in for the office."""
    text = page.text
    chosen = re.findall(r'name="(answer|way)" value="(\w+)" checked', text)
    note = re.search(r'<textarea[^>]*name="note"[^>]*>\n?([^<]*)</textarea>', text)
    hidden = re.search(r'name="nachricht" value="(\d+)"', text)
    assert note is not None
    assert hidden is not None
    return {**dict(chosen), "note": note[1], "nachricht": hidden[1]}


async def session_page(browser: Browser, guest: Invited, query: str = "") -> Any:
    return await browser.get(f"/buero/termin/{guest.meeting_id}{query}")


async def test_words_stand_beside_the_person_until_two_presses_make_an_answer_of_them(
    sign_in: SignIn, database: Database
) -> None:
    guest, letter = await a_guest(database)
    await write(database, "Leider <b>nein</b>, ich bin im Urlaub.", letter)
    browser = await sign_in("coordinator")
    page = await session_page(browser, guest)
    form = await browser.get(pressed(page, "als Absage eintragen"))
    between = await answer_of(database, guest)
    sent = fields_of(form)
    path = f"/buero/termin/{guest.meeting_id}/antwort/{guest.invitation_id}"
    answer = await browser.post(path, sent)
    row = await answer_of(database, guest)
    after = plain(await session_page(browser, guest))

    assert "&lt;b&gt;nein&lt;/b&gt;, ich bin im Urlaub." in page.text
    assert (None, "declined", "mail") == (between["answer"], sent["answer"], sent["way"])
    assert 303 == answer.status_code
    assert ("declined", "mail") == (row["answer"], row["answer_way"])
    assert "ich bin im Urlaub." in row["note"]
    assert "als Absage eintragen" not in after
    assert [browser.account_id] == [one["settled_by"] for one in await events(database)]


async def test_an_acceptance_of_an_online_session_is_online(
    sign_in: SignIn, database: Database
) -> None:
    guest, letter = await a_guest(database, mode="online")
    await write(database, "ja", letter)
    browser = await sign_in("coordinator")
    form = await browser.get(pressed(await session_page(browser, guest), "als Zusage eintragen"))

    assert "online" == fields_of(form)["answer"]


async def test_long_words_are_shortened_and_the_rest_is_one_press_away(
    sign_in: SignIn, database: Database
) -> None:
    guest, letter = await a_guest(database)
    await write(database, LONG, letter)
    browser = await sign_in("coordinator")
    page = await session_page(browser, guest)
    form = await browser.get(pressed(page, "als unentschieden eintragen"))

    shown = page.text.partition("tb-words")[2].partition("</blockquote>")[0]
    assert len(shown) < 300
    assert LONG.strip() in plain(page)
    assert "<summary>mehr</summary>" in page.text
    assert len(str(fields_of(form)["note"])) <= 500


async def test_an_answer_that_cannot_be_stored_leaves_the_words_where_they_are(
    sign_in: SignIn, database: Database
) -> None:
    guest, letter = await a_guest(database)
    event = await write(database, "ich komme", letter)
    browser = await sign_in("coordinator")
    path = f"/buero/termin/{guest.meeting_id}/antwort/{guest.invitation_id}"
    answer = await browser.post(path, {"way": "mail", "nachricht": event})

    assert 422 == answer.status_code
    assert "ich komme" in answer.text.partition("tb-words")[2]
    assert [None] == [one["settled_at"] for one in await events(database)]


async def test_words_of_somebody_else_are_not_settled_by_an_answer(
    sign_in: SignIn, database: Database
) -> None:
    guest, letter = await a_guest(database)
    other, _ = await a_guest(database)
    event = await write(database, "ich komme", letter)
    browser = await sign_in("coordinator")
    path = f"/buero/termin/{other.meeting_id}/antwort/{other.invitation_id}"
    sent = {"answer": "in_person", "way": "mail", "nachricht": event}
    answer = await browser.post(path, sent)

    assert 303 == answer.status_code
    assert [None] == [one["settled_at"] for one in await events(database)]
    assert (await answer_of(database, guest))["answer"] is None


async def test_words_are_put_away_where_they_stand_and_the_filter_finds_their_people(
    sign_in: SignIn, database: Database
) -> None:
    guest, letter = await a_guest(database)
    silent = await invited.a_person(database, "Otto Ohnewort")
    await invited.invite(database, guest.meeting_id, silent)
    event = await write(database, "danke", letter)
    browser = await sign_in("coordinator")
    filtered = plain(await session_page(browser, guest, "?antwort=wrote"))
    path = f"/buero/ruecklauf/{event}/erledigt"
    answer = await browser.post(path, {"von": "termin", "termin": str(guest.meeting_id)})

    assert "Mira Muster" in filtered
    assert "Otto Ohnewort" not in filtered.partition("Personen und ihre")[2]
    assert f"/buero/termin/{guest.meeting_id}?getan=settled" == answer.headers["location"]
    assert "Als erledigt vermerkt." in plain(await browser.get(answer.headers["location"]))


async def test_words_without_a_session_stand_in_a_list_of_their_own(
    sign_in: SignIn, database: Database
) -> None:
    guest, letter = await a_guest(database)
    await write(database, "Wann ist der nächste Termin?")
    event = await write(database, "ich komme", letter)
    browser = await sign_in("coordinator")
    board = plain(await browser.get("/buero"))
    page = plain(await browser.get("/buero/antworten"))
    english = plain(await browser.get("/en/buero/antworten"))
    log = plain(await browser.get("/buero/versand"))
    await browser.post(f"/buero/ruecklauf/{event}/erledigt", {"von": "antworten"})
    rest = plain(await browser.get("/buero/antworten"))

    about, _, others = page.partition("Ohne Sitzung")
    assert guest.meeting_id is not None
    assert "2 Antworten in Worten warten." in board
    assert "ich komme" in about
    assert "Wann ist der nächste Termin?" in others
    assert "(die Adresse steht bei dieser Person)" in others
    assert "Without a session" in english
    assert "Wann ist der nächste Termin?" not in log
    assert "ich komme" not in rest


async def test_a_lead_sees_nobodys_words(sign_in: SignIn, database: Database) -> None:
    guest, letter = await a_guest(database)
    group = await database.fetchval("SELECT group_id FROM meeting_group")
    event = await write(database, "ich komme", letter)
    lead = await sign_in("lead", groups=(group,))
    page = await session_page(lead, guest)
    path = f"/buero/termin/{guest.meeting_id}/antwort/{guest.invitation_id}"
    form = await lead.get(f"{path}?nachricht={event}&antwort=declined")

    assert 200 == page.status_code
    assert "ich komme" not in page.text + form.text


async def test_a_link_of_ours_in_the_words_is_struck_out_before_they_are_kept(
    database: Database,
) -> None:
    _, letter = await a_guest(database)
    wrapped = f"{TOKEN[:30]}=\n{TOKEN[30:]}"
    safe = f"https%3A%2F%2Ftermine.example.org%2Fa%2F{TOKEN}%3Fw%3Dabsage"
    await write(database, f"siehe https://t.example/a/{TOKEN} und {safe} und {wrapped}", letter)

    [event] = await events(database)
    assert TOKEN[:20] not in event["details"]["words"]
    assert TOKEN[30:] not in event["details"]["words"]
    assert "siehe https://t.example/a/xxxxxxxx und" in event["details"]["words"]


def test_long_words_and_addresses_of_others_are_not_struck() -> None:
    words = (
        "Rindfleischetikettierungsüberwachungsaufgabenübertragungsgesetz "
        "https://teams.example.com/l/meetup-join/19%3ameeting_NDQ1ZmE0MjktOGU4Zi00Z0%40thread.v2/0 "
        "DE89370400440532013000"
    )

    assert words == blackening.strike(words)
