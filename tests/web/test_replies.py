"""The private link in a browser: phases, errors, strangers, scanners, and nothing typed is lost."""

import asyncio
import html
import re
from dataclasses import dataclass
from datetime import timedelta
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest
import pytest_asyncio

from service import inviting, replying, tokens
from service.auditing import COMMAND
from service.database import Database
from service.domain.texts import clean_line
from service.domain.words import Answer, Way
from service.replying import Reply
from service.services import Services
from service.tokens import Purpose
from tests.invited import Invited, a_meeting_to_come, a_person, invite, snapshot
from tests.web.conftest import Clock

SAME_ORIGIN = {"sec-fetch-site": "same-origin", "origin": "null"}


@dataclass
class Link:
    """One person's link, and a browser that follows it."""

    client: httpx.AsyncClient
    token: str
    invited: Invited

    @property
    def path(self) -> str:
        """Return where the letter's link leads."""
        return f"/a/{self.token}"

    async def get(self, query: str = "", *, locale: str = "") -> httpx.Response:
        """Open the page, or one below it."""
        return await self.client.get(f"{locale}{self.path}{query}")

    async def fields(self) -> dict[str, str]:
        """Return the hidden fields of the form as the page has them now."""
        page = (await self.get()).text
        return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page))

    async def answer(self, **typed: str) -> httpx.Response:
        """Open the page, fill it in and press the button."""
        return await self.post({**await self.fields(), **typed})

    async def post(self, data: dict[str, str]) -> httpx.Response:
        """Send exactly this, as a browser does from a page without referrer."""
        return await self.client.post(self.path, data=data, headers=SAME_ORIGIN)


async def make_link(
    services: Services, client: httpx.AsyncClient, *, name: str = "Mira Muster", **meeting: Any
) -> Link:
    meeting_id = await a_meeting_to_come(services.database, services.clock(), **meeting)
    return await link_to(services, client, meeting_id, name)


async def link_to(
    services: Services, client: httpx.AsyncClient, meeting_id: Any, name: str
) -> Link:
    invited = await invite(services.database, meeting_id, await a_person(services.database, name))
    token = tokens.derive(services.keys, Purpose.ANSWER, invited.handle, 1)
    return Link(client, token, invited)


@pytest_asyncio.fixture(loop_scope="session")
async def link(services: Services, anonymous: httpx.AsyncClient) -> Link:
    return await make_link(services, anonymous)


def says(page: httpx.Response, text: str) -> bool:
    return text in re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", page.text))


async def stored(database: Database) -> dict[str, Any]:
    row = await database.fetchrow("SELECT * FROM invitation ORDER BY answered_at LIMIT 1")
    assert row is not None
    return dict(row)


class _Checked(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        self.tags.append((tag, values))
        if tag == "input" and "checked" in values:
            self.found.append(str(values["value"]))


def checked(page: httpx.Response) -> list[str]:
    return _Checked(page.text).found


async def test_the_page_asks_one_question_of_one_person(link: Link) -> None:
    page = await link.get()

    assert page.status_code == 200
    assert says(page, "Nehmen Sie teil?")
    assert says(page, "Für: Mira Muster, Stadt Musterhausen")
    assert says(page, "16. Arbeitsgruppensitzung Klima")
    assert says(page, "Rathaus, Erfurt")
    assert checked(page) == []


async def test_the_page_speaks_english(link: Link) -> None:
    page = await link.get(locale="/en")

    assert says(page, "Will you attend?")
    assert says(page, "For: Mira Muster, Stadt Musterhausen")
    assert f'action="/en{link.path}"' in page.text


async def test_the_page_is_private_and_sets_no_cookie(link: Link) -> None:
    page = await link.get()

    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "no-referrer"
    assert "noindex" in page.headers["x-robots-tag"]
    assert "set-cookie" not in page.headers


async def test_the_page_loads_nothing_from_elsewhere(link: Link) -> None:
    page = await link.get()

    for tag, values in _Checked(page.text).tags:
        loaded = values.get("src") or (values.get("href") if tag == "link" else None)
        assert loaded is None or loaded.startswith(("/", "data:", "http://localhost:8000/"))


@pytest.mark.parametrize(
    ("mode", "offered"),
    [
        ("on_site", ["in_person", "represented", "declined", "undecided"]),
        ("online", ["online", "represented", "declined", "undecided"]),
        ("hybrid", ["in_person", "online", "represented", "declined", "undecided"]),
    ],
)
async def test_the_answers_fit_the_way_of_the_meeting(
    services: Services, anonymous: httpx.AsyncClient, mode: str, offered: list[str]
) -> None:
    page = await (await make_link(services, anonymous, mode=mode)).get()

    radios = [values for tag, values in _Checked(page.text).tags if values.get("type") == "radio"]
    assert [radio["value"] for radio in radios] == offered


@pytest.mark.parametrize(
    ("word", "answer"),
    [
        ("vor-ort", "in_person"),
        ("online", "online"),
        ("absage", "declined"),
        ("vertretung", "represented"),
        ("offen", "undecided"),
    ],
)
async def test_a_word_of_the_mail_link_checks_the_radio_and_sends_nothing(
    link: Link, database: Database, word: str, answer: str
) -> None:
    before = await snapshot(database)

    page = await link.get(f"?w={word}")

    assert checked(page) == [answer]
    assert says(page, "Aus Ihrer E-Mail vorausgewählt. Noch nicht gesendet.")
    assert await snapshot(database) == before


@pytest.mark.parametrize("word", ["", "ja", "in_person", "<img src=x>", "x" * 5000])
async def test_any_other_word_is_ignored(link: Link, word: str) -> None:
    page = await link.get(f"?w={word}")

    assert page.status_code == 200
    assert checked(page) == []
    assert not says(page, "vorausgewählt")


async def test_a_word_that_the_meeting_does_not_offer_is_ignored(
    services: Services, anonymous: httpx.AsyncClient
) -> None:
    page = await (await make_link(services, anonymous, mode="on_site")).get("?w=online")

    assert checked(page) == []
    assert not says(page, "vorausgewählt")


async def test_an_answer_is_stored_and_leads_to_its_confirmation(
    link: Link, database: Database
) -> None:
    sent = await link.answer(answer="in_person", note="Komme etwas später")

    thanks = await link.client.get(sent.headers["location"])
    assert sent.status_code == 303
    assert sent.headers["location"] == f"{link.path}/danke"
    assert (await stored(database))["answer"] == "in_person"
    assert says(thanks, "Danke, Ihre Zusage ist da")
    assert says(thanks, "Komme etwas später")
    assert says(thanks, "Was passiert jetzt")
    assert f'/termin/{(await _slug(database))}.ics"' in thanks.text
    assert says(thanks, "Lieber alle Termine abonnieren?")


async def _slug(database: Database) -> str:
    return str(await database.fetchval("SELECT slug FROM meeting"))


async def test_everything_typed_is_stored(link: Link, database: Database) -> None:
    await link.answer(
        answer="represented",
        deputy_name="Dana Dabei",
        note="Zeile eins\r\nZeile zwei",
        access_needs="Schriftdolmetschung",
        list_consent="1",
        secretary="1",
    )

    row = await stored(database)
    assert row["deputy_name"] == "Dana Dabei"
    assert row["note"] == "Zeile eins\nZeile zwei"
    assert row["access_needs"] == "Schriftdolmetschung"
    assert row["list_consent"] is True
    assert row["answered_for"] == "Sekretariat"


@pytest.mark.parametrize(
    ("answer", "heading"),
    [
        ("in_person", "Danke, Ihre Zusage ist da"),
        ("online", "Danke, Ihre Zusage ist da"),
        ("represented", "Danke, Ihre Vertretung ist vermerkt"),
        ("declined", "Schade, dass Sie nicht können."),
        ("undecided", "Danke für Ihre Rückmeldung"),
    ],
)
async def test_each_answer_has_its_thanks(link: Link, answer: str, heading: str) -> None:
    await link.answer(answer=answer)

    assert says(await link.get("/danke"), heading)


async def test_who_declines_is_offered_no_calendar(link: Link) -> None:
    await link.answer(answer="declined")

    thanks = await link.get("/danke")

    assert ".ics" not in thanks.text
    assert says(thanks, "löschen Sie ihn dort selbst")


async def test_the_way_in_is_shown_to_who_takes_part_online(link: Link) -> None:
    before = await link.get()
    await link.answer(answer="online")

    assert "video.example.org" not in before.text
    assert "https://video.example.org/klima" in (await link.get()).text
    assert "https://video.example.org/klima" in (await link.get("/danke")).text


async def test_the_page_comes_back_with_the_answer(link: Link) -> None:
    await link.answer(answer="online", note="Bis dann")

    page = await link.get()

    assert says(page, "Ihre Antwort")
    assert says(page, "Bisher: Zusage online, gesendet am")
    assert says(page, "Antwort ändern")
    assert checked(page) == ["online"]
    assert "Bis dann" in page.text


async def test_an_answer_of_the_office_says_so(
    link: Link, services: Services, database: Database
) -> None:
    await replying.enter_reply(
        *(database, COMMAND, link.invited.invitation_id),
        *(Reply(answer=Answer.DECLINED), Way.PHONE, services.clock()),
    )

    assert says(await link.get(), "Bisher: Absage, eingetragen von der Geschäftsstelle am")


async def test_a_second_press_changes_nothing(link: Link, database: Database) -> None:
    fields = await link.fields()
    await link.post({**fields, "answer": "declined"})
    before = await snapshot(database)

    again = await link.post({**fields, "answer": "declined"})

    assert again.status_code == 303
    assert await snapshot(database) == before


async def test_no_choice_is_an_error_above_the_form(link: Link, database: Database) -> None:
    page = await link.answer(note="Das bleibt stehen")

    assert page.status_code == 422
    assert says(page, "Wählen Sie aus, ob Sie teilnehmen")
    assert 'href="#f-answer"' in page.text
    assert "<title>Fehler: " in page.text
    assert "Das bleibt stehen" in page.text
    assert await database.fetchval("SELECT count(*) FROM answer") == 0


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ({"answer": "vielleicht"}, "Wählen Sie aus, ob Sie teilnehmen"),
        (
            {"answer": "declined", "note": "x" * 501},
            "Ihre Nachricht hat 501 Zeichen. Höchstens 500 sind möglich.",
        ),
        (
            {"answer": "declined", "note": "x" * 5000},
            "Ihre Nachricht hat 5000 Zeichen. Höchstens 500 sind möglich.",
        ),
        (
            {"answer": "declined", "access_needs": "x" * 301},
            "Ihre Angabe hat 301 Zeichen. Höchstens 300 sind möglich.",
        ),
        (
            {"answer": "represented", "deputy_name": "x" * 201},
            "Der Name hat 201 Zeichen. Höchstens 200 sind möglich.",
        ),
    ],
)
async def test_what_is_wrong_is_said_and_what_was_typed_stays(
    link: Link, database: Database, typed: dict[str, str], sentence: str
) -> None:
    page = await link.answer(**typed)

    assert page.status_code == 422
    assert says(page, sentence)
    assert all(value in page.text for value in typed.values() if value != "vielleicht")
    assert await database.fetchval("SELECT count(*) FROM answer") == 0


async def test_the_last_seat_that_went_meanwhile_leaves_the_form_as_it_was(
    services: Services, anonymous: httpx.AsyncClient
) -> None:
    first = await make_link(services, anonymous, capacity=1)
    second = await link_to(services, anonymous, first.invited.meeting_id, "Omar Oder")
    fields = await second.fields()
    await first.answer(answer="in_person")

    page = await second.post({**fields, "answer": "in_person", "note": "Ich freue mich"})

    assert page.status_code == 409
    assert says(page, "Der letzte Platz vor Ort wurde gerade vergeben. Sie können online")
    assert says(page, "Alle Plätze vor Ort sind vergeben.")
    assert "Ich freue mich" in page.text


async def test_without_another_way_the_full_room_points_to_the_office(
    services: Services, anonymous: httpx.AsyncClient
) -> None:
    first = await make_link(services, anonymous, capacity=1, mode="on_site")
    second = await link_to(services, anonymous, first.invited.meeting_id, "Omar Oder")
    await first.answer(answer="in_person")

    page = await second.answer(answer="in_person")

    assert page.status_code == 409
    assert says(page, "Die Geschäftsstelle sagt Ihnen, ob wieder einer frei wird.")


async def test_who_holds_a_seat_is_not_told_that_all_are_taken(
    services: Services, anonymous: httpx.AsyncClient
) -> None:
    only = await make_link(services, anonymous, capacity=1)
    await only.answer(answer="in_person")

    page = await only.get()

    assert not says(page, "Alle Plätze vor Ort sind vergeben.")


async def test_a_meeting_that_changed_meanwhile_is_shown_anew_with_what_was_typed(
    link: Link, database: Database
) -> None:
    fields = await link.fields()
    await database.fetch("UPDATE meeting SET revision = 2, place_name = 'Bibliothek'")

    page = await link.post({**fields, "answer": "in_person", "note": "Gern"})

    assert page.status_code == 409
    assert says(page, "Der Termin wurde geändert, während diese Seite offen war. Neu: ")
    assert says(page, "Bibliothek. Prüfen Sie Ihre Antwort.")
    assert "Gern" in page.text
    assert checked(page) == ["in_person"]
    assert 'name="revision" value="2"' in page.text
    assert await database.fetchval("SELECT count(*) FROM answer") == 0


@pytest.mark.parametrize("revision", ["", "0", "-1", "99999999999999999999", "1e9", "1;2"])
async def test_a_form_with_an_odd_number_stores_nothing(
    link: Link, database: Database, revision: str
) -> None:
    page = await link.answer(answer="in_person", revision=revision)

    assert page.status_code in {409, 422}
    assert await database.fetchval("SELECT count(*) FROM answer") == 0


async def test_a_form_that_was_open_too_long_is_shown_again(
    link: Link, database: Database, clock: Clock
) -> None:
    fields = await link.fields()
    clock.go_on(timedelta(hours=12, minutes=1))

    page = await link.post({**fields, "answer": "in_person", "note": "Lange überlegt"})
    later = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page.text))

    assert page.status_code == 422
    assert says(page, "Das Formular war zu lange offen.")
    assert "Lange überlegt" in page.text
    assert await database.fetchval("SELECT count(*) FROM answer") == 0
    assert (await link.post({**later, "answer": "in_person"})).status_code == 303


@pytest.mark.parametrize("ft", ["", "x", "0.00", "1" * 9 + "." + "0" * 32])
async def test_a_form_without_its_token_stores_nothing(
    link: Link, database: Database, ft: str
) -> None:
    page = await link.answer(answer="in_person", ft=ft)

    assert page.status_code == 422
    assert await database.fetchval("SELECT count(*) FROM answer") == 0


async def test_the_form_token_of_another_link_stores_nothing(
    services: Services, link: Link, database: Database
) -> None:
    other = await link_to(services, link.client, link.invited.meeting_id, "Omar Oder")
    foreign = (await other.fields())["ft"]

    page = await link.answer(answer="in_person", ft=foreign)

    assert page.status_code == 422
    assert await database.fetchval("SELECT count(*) FROM answer") == 0


async def test_a_form_of_another_site_is_refused(link: Link, database: Database) -> None:
    page = await link.client.post(
        link.path,
        data={**await link.fields(), "answer": "in_person"},
        headers={"sec-fetch-site": "cross-site"},
    )

    assert page.status_code == 403
    assert await database.fetchval("SELECT count(*) FROM answer") == 0


async def test_fields_that_no_form_has_change_nothing(link: Link, database: Database) -> None:
    await link.answer(
        answer="declined",
        meeting_id="00000000-0000-0000-0000-000000000000",
        has_seat="1",
        epoch="7",
        state="uninvited",
        answered_by="00000000-0000-0000-0000-000000000000",
        presence="present",
    )

    row = await stored(database)
    assert row["meeting_id"] == link.invited.meeting_id
    assert (row["has_seat"], row["epoch"], row["state"]) == (False, 1, "invited")
    assert (row["answered_by"], row["presence"]) == (None, None)


async def test_scanners_may_fetch_every_link_without_changing_a_row(
    link: Link, database: Database
) -> None:
    await link.answer(answer="undecided")
    before = await snapshot(database)
    words = ("", "?w=vor-ort", "?w=online", "?w=absage", "?w=vertretung", "?w=offen")
    paths = [*words, "/danke", "/danke?gesendet=1", "/nicht-ich"]

    for method in ("GET", "HEAD", "GET"):
        answers = await asyncio.gather(
            *[
                link.client.request(method, link.path + path, headers={"purpose": "prefetch"})
                for path in paths
            ]
        )
        assert {answer.status_code for answer in answers} == {200}

    assert await snapshot(database) == before
    assert (await link.answer(answer="declined")).status_code == 303


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "OPTIONS"])
async def test_other_methods_change_nothing(link: Link, database: Database, method: str) -> None:
    before = await snapshot(database)

    answer = await link.client.request(method, link.path)

    assert answer.status_code in {204, 405}
    assert await snapshot(database) == before


@pytest.mark.parametrize("path", ["", "/danke", "/nicht-ich"])
@pytest.mark.parametrize(
    "spoil",
    [
        lambda link: link.token[:-1],
        lambda link: link.token + "a",
        lambda _: "a" * 52,
        lambda _: "x",
        lambda _: "<img src=x onerror=alert(1)>",
        lambda _: "x" * 500,
    ],
    ids=["truncated", "longer", "made_up", "short", "markup", "endless"],
)
async def test_an_unknown_link_leads_to_new_ones(link: Link, path: str, spoil: Any) -> None:
    page = await link.client.get(f"/a/{spoil(link)}{path}")

    assert page.status_code == 404
    assert "<img" not in page.text
    assert says(page, "Dieser Link ist uns nicht bekannt")
    assert 'href="/link-anfordern"' in page.text


@pytest.mark.parametrize("purpose", [p for p in Purpose if p is not Purpose.ANSWER])
async def test_a_token_of_another_purpose_opens_nothing(
    services: Services, link: Link, database: Database, purpose: Purpose
) -> None:
    token = tokens.derive(services.keys, purpose, link.invited.handle, 1)

    page = await link.client.get(f"/a/{token}")

    assert page.status_code == 404
    assert not says(page, "Mira Muster")


async def test_a_replaced_link_says_when_the_new_one_came(
    services: Services, link: Link, clock: Clock
) -> None:
    await inviting.renew_link(services.database, COMMAND, link.invited.invitation_id, clock.at)

    page = await link.get()
    sent = await link.post({"answer": "in_person"})

    assert page.status_code == 410
    assert says(page, "Nur der neueste gilt.")
    assert not says(page, "Mira Muster")
    assert sent.status_code == 410


async def test_a_link_ends_thirty_days_after_the_meeting(link: Link, clock: Clock) -> None:
    clock.go_on(timedelta(days=14 + 31))

    page = await link.get()

    assert page.status_code == 410
    assert says(page, "Dieser Link galt bis ")
    assert not says(page, "Mira Muster")


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ("cancelled", "Diese Sitzung fällt aus. Die Referentin ist krank."),
        ("postponed", "Diese Sitzung ist verschoben."),
        ("held", "Diese Sitzung ist zu Ende."),
        ("tentative", "Dieser Termin ist vorläufig."),
    ],
)
async def test_a_meeting_that_does_not_stand_shows_no_form(
    link: Link, database: Database, state: str, sentence: str
) -> None:
    fields = await link.fields()
    await link.answer(answer="in_person")
    await database.fetch(
        "UPDATE meeting SET state = $1, cancel_reason = 'Die Referentin ist krank.'", state
    )
    before = await snapshot(database)

    page = await link.get()
    sent = await link.post({**fields, "answer": "declined"})

    assert page.status_code == 200
    assert says(page, sentence)
    assert says(page, "Bisher: Zusage vor Ort")
    assert 'type="radio"' not in page.text
    assert sent.status_code == 409
    assert says(sent, sentence)
    assert await snapshot(database) == before


async def test_who_is_no_longer_invited_is_told(link: Link, database: Database) -> None:
    await database.fetch("UPDATE invitation SET state = 'uninvited'")

    page = await link.get()

    assert says(page, "Ihre Einladung zu dieser Sitzung gilt nicht mehr.")
    assert 'type="radio"' not in page.text


async def test_after_the_deadline_the_form_stays_and_says_so(
    link: Link, database: Database, clock: Clock
) -> None:
    clock.go_on(timedelta(days=8))

    page = await link.get()
    sent = await link.answer(answer="in_person")

    assert says(page, "Sie können trotzdem antworten.")
    assert sent.status_code == 303
    assert (await stored(database))["is_late"] is True


async def test_during_the_meeting_the_way_in_stands_above_the_form(
    link: Link, clock: Clock, database: Database
) -> None:
    starts_at = await database.fetchval("SELECT starts_at FROM meeting")
    clock.go_on(starts_at - clock.at + timedelta(minutes=5))

    page = await link.get()

    assert says(page, "Die Sitzung läuft gerade.")
    assert "https://video.example.org/klima" in page.text
    assert 'type="radio"' in page.text


async def test_after_the_end_the_answer_is_only_shown(
    link: Link, clock: Clock, database: Database
) -> None:
    await link.answer(answer="online")
    clock.go_on(timedelta(days=15))

    page = await link.get()

    assert says(page, "Diese Sitzung ist zu Ende.")
    assert says(page, "Bisher: Zusage online")
    assert "video.example.org" not in page.text


async def test_an_answer_to_another_date_is_asked_for_again(link: Link, database: Database) -> None:
    await link.answer(answer="in_person")
    await database.fetch(
        "UPDATE meeting SET revision = 2, starts_local = starts_local + interval '7 days',"
        " ends_local = ends_local + interval '7 days'"
    )

    page = await link.get()

    assert says(page, "Bisher: Zusage vor Ort zum ")
    assert says(page, "Nehmen Sie teil?")
    assert checked(page) == []


async def test_a_stranger_is_told_what_to_do_and_nothing_is_stored(
    link: Link, database: Database
) -> None:
    before = await snapshot(database)

    page = await link.get("/nicht-ich")

    assert says(page, "Sie sind nicht Mira Muster?")
    assert says(page, "Ich vertrete Mira Muster")
    assert says(page, "Ich habe den Link versehentlich bekommen")
    assert f'href="{link.path}?w=vertretung"' in page.text
    assert await snapshot(database) == before


async def test_the_pages_of_a_link_name_nobody_else(services: Services, link: Link) -> None:
    other = await link_to(services, link.client, link.invited.meeting_id, "Omar Oder")
    await other.answer(answer="in_person", note="Nur fürs Büro")

    for path in ("", "/danke", "/nicht-ich"):
        page = await link.get(path)
        assert "Omar" not in page.text
        assert "Nur fürs Büro" not in page.text


MARKUP = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "'; DROP TABLE invitation; --",
    "{{ 7 * 7 }}{% raw %}",
    "javascript:alert(1)",
    "</textarea><svg onload=alert(1)>",
    "&lt;b&gt; &amp; \u202eumgedreht\u202c",
]


@pytest.mark.parametrize("text", MARKUP)
async def test_words_are_shown_as_words(link: Link, text: str) -> None:
    await link.answer(answer="represented", note=text, deputy_name=text, access_needs=text)

    for path in ("", "/danke"):
        page = await link.get(path)
        tags = _Checked(page.text).tags
        assert {"img", "svg"}.isdisjoint(tag for tag, _ in tags)
        assert not [v for _, values in tags for v in values if v.startswith("on")]
        assert len([tag for tag, _ in tags if tag == "script"]) == 1
        assert "\u202e" not in page.text
        assert clean_line(text) in html.unescape(page.text)


async def test_line_ends_and_controls_leave_no_trace_in_a_name(
    link: Link, database: Database
) -> None:
    await link.answer(answer="represented", deputy_name="Dana\r\nBcc: x@example.org\x00\x1b")

    assert (await stored(database))["deputy_name"] == "Dana Bcc: x@example.org"


async def test_the_own_links_are_mailed_and_not_shown(link: Link, database: Database) -> None:
    await link.answer(answer="in_person")
    thanks = (await link.get("/danke")).text
    ft = re.findall(r'name="ft" value="([^"]+)"', thanks)[0]

    sent = await link.client.post(
        f"{link.path}/meine-termine", data={"ft": ft}, headers=SAME_ORIGIN
    )
    page = await link.client.get(sent.headers["location"])

    kinds = [row["kind"] for row in await database.fetch("SELECT kind FROM letter ORDER BY 1")]
    assert kinds == ["lost_links", "receipt"]
    assert says(page, "In wenigen Minuten kommt eine E-Mail mit Ihren Links.")


async def test_lost_links_answer_the_same_to_every_address(link: Link, database: Database) -> None:
    known = await link.client.post("/link-anfordern", data={"email": "mira@partner.example.org"})
    unknown = await link.client.post("/link-anfordern", data={"email": "wer@example.org"})

    page = await link.client.get(known.headers["location"])
    assert (known.status_code, known.content, known.headers["location"]) == (
        *(unknown.status_code, unknown.content, unknown.headers["location"]),
    )
    assert says(page, "Wenn die Adresse bei uns eingetragen ist, kommt in wenigen Minuten")
    assert await database.fetchval("SELECT count(*) FROM letter") == 1


async def test_lost_links_want_an_address(link: Link) -> None:
    page = await link.client.post("/link-anfordern", data={"email": "a@exa mple.org"})

    assert page.status_code == 422
    assert says(page, "Geben Sie die E-Mail-Adresse in der Form name@beispiel.de ein")


async def test_lost_links_are_limited_for_one_network(link: Link) -> None:
    answers = [
        await link.client.post("/link-anfordern", data={"email": f"nr{n}@example.org"})
        for n in range(21)
    ]

    assert [answer.status_code for answer in answers] == [303] * 20 + [429]
    assert says(answers[-1], "Zu viele Versuche.")


async def test_a_code_from_the_telephone_leads_to_the_answer_page_once(
    services: Services, link: Link
) -> None:
    code = await inviting.make_phone_code(
        *(services.database, services.keys, COMMAND, link.invited.invitation_id),
        services.clock(),
    )

    first = await link.client.post("/c", data={"code": code.lower()})
    second = await link.client.post("/c", data={"code": code})

    assert first.status_code == 303
    assert first.headers["location"] == link.path
    assert second.status_code == 422
    assert says(second, "Dieser Code öffnet nichts.")


async def test_a_code_leads_to_the_page_in_the_language_of_the_person(
    services: Services, link: Link
) -> None:
    await services.database.fetch("UPDATE person SET locale = 'en'")
    code = await inviting.make_phone_code(
        *(services.database, services.keys, COMMAND, link.invited.invitation_id),
        services.clock(),
    )

    answer = await link.client.post("/c", data={"code": code})

    assert answer.headers["location"] == f"/en{link.path}"


async def test_wrong_codes_are_counted(services: Services, link: Link) -> None:
    code = await inviting.make_phone_code(
        *(services.database, services.keys, COMMAND, link.invited.invitation_id),
        services.clock(),
    )
    wrong = [code[:-1] + sign for sign in "BCDFGHJ" if sign != code[-1]]

    answers = [await link.client.post("/c", data={"code": one}) for one in wrong[:6]]

    assert [answer.status_code for answer in answers] == [422] * 5 + [429]
    assert says(answers[-1], "Sie können es um ")


async def test_the_code_page_asks_in_both_languages(anonymous: httpx.AsyncClient) -> None:
    assert says(await anonymous.get("/c"), "Mit einem Code antworten")
    assert says(await anonymous.get("/en/c"), "Answer with a code")
