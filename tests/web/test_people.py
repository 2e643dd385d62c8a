"""The pages of people, partners, groups and imports, as a browser without scripts uses them."""

import html
import re
from typing import Any

import httpx
import pytest

from service.database import Database
from tests import builders
from tests.web.conftest import Browser, SignIn

LIST = "Nr;Name;E-Mail;Partner\n1;Ada Berg;ada@example.org;Amt\n2;Bo Tal;bo@stadt;Amt\n"


def hidden(page: httpx.Response) -> dict[str, Any]:
    """Return the hidden fields of the page's own form, as the browser sends them back."""
    main = page.text.partition("<main")[2]
    pairs = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', main)
    return {name: html.unescape(value) for name, value in pairs}


async def upload(browser: Browser, content: bytes, **data: str) -> httpx.Response:
    return await browser.client.post(
        "/buero/import/spalten",
        data={"ft": browser.ft, "kind": "members", "legal": "1", **data},
        files={"source": ("liste.csv", content, "text/csv")},
        headers={"sec-fetch-site": "same-origin", "origin": "http://localhost:8000"},
    )


async def check(browser: Browser, text: str = LIST) -> httpx.Response:
    columns = {"column_0": "ref", "column_1": "name", "column_2": "email", "column_3": "partner"}
    return await browser.post("/buero/import/pruefen", {"kind": "members", "text": text, **columns})


async def test_a_coordinator_finds_and_corrects_a_person(
    sign_in: SignIn, database: Database
) -> None:
    person = await builders.a_person(database, full_name="Ada Berg", email="alt@example.org")
    browser = await sign_in("coordinator")

    found = await browser.get("/buero/mitglieder?suche=b")
    data = {"full_name": "Ada Tal", "email": "neu@example.org", "locale": "de", "revision": "1"}
    saved = await browser.post(f"/buero/mitglied/{person['id']}", data)
    page = await browser.get(saved.headers["location"])

    assert "Ada Berg" in found.text
    assert saved.status_code == 303
    assert "Ada Tal" in page.text
    assert "alt@example.org" in page.text


async def test_what_was_typed_stays_when_an_address_is_incomplete(
    sign_in: SignIn, database: Database
) -> None:
    person = await builders.a_person(database, full_name="Ada Berg")
    browser = await sign_in("coordinator")

    data = {"full_name": "Ada Tal", "email": "ada@stadt", "locale": "de", "revision": "1"}
    answer = await browser.post(f"/buero/mitglied/{person['id']}", data)

    assert answer.status_code == 422
    assert 'value="Ada Tal"' in answer.text
    assert 'value="ada@stadt"' in answer.text
    assert "name@beispiel.de" in answer.text


@pytest.mark.parametrize("field", ["email", "copy_email"])
async def test_an_address_that_no_letter_can_carry_is_refused_with_the_reason(
    sign_in: SignIn, database: Database, field: str
) -> None:
    person = await builders.a_person(database, full_name="Ada Berg", email="ada@example.org")
    browser = await sign_in("coordinator")

    data = {"full_name": "Ada Tal", field: "jörg@example.org", "locale": "de", "revision": "1"}
    answer = await browser.post(f"/buero/mitglied/{person['id']}", data)

    stored = await builders.read(database, "person", person["id"])
    assert answer.status_code == 422
    assert "ohne Zeichen wie ü oder é vor dem @" in answer.text
    assert "ada@example.org" == stored["email"]


async def test_a_stale_form_keeps_what_was_typed_beside_what_stands(
    sign_in: SignIn, database: Database
) -> None:
    person = await builders.a_person(database, full_name="Ada Berg", revision=2, phone="0361 1")
    browser = await sign_in("coordinator")

    data = {"full_name": "Ada Tal", "phone": "0361 2", "locale": "de", "revision": "1"}
    refused = await browser.post(f"/buero/mitglied/{person['id']}", data)
    again = await browser.post(f"/buero/mitglied/{person['id']}", data | hidden(refused))

    assert refused.status_code == 422
    assert 'value="0361 2"' in refused.text
    assert "0361 1" in refused.text
    assert again.status_code == 303


async def test_somebody_alike_is_asked_about_before_a_second_is_added(
    sign_in: SignIn, database: Database
) -> None:
    await builders.a_person(database, full_name="Ada Berg")
    browser = await sign_in("coordinator")

    data = {"full_name": "Ada Berg", "locale": "de"}
    asked = await browser.post("/buero/mitglied/neu", data)
    added = await browser.post("/buero/mitglied/neu", data | hidden(asked) | {"anyway": "1"})

    assert (422, 303) == (asked.status_code, added.status_code)
    assert (await database.fetchval("SELECT count(*) FROM person")) == 2


async def test_a_double_press_adds_one_person(sign_in: SignIn, database: Database) -> None:
    browser = await sign_in("coordinator")
    data = hidden(await browser.get("/buero/mitglied/neu"))

    for _ in range(2):
        answer = await browser.post(
            "/buero/mitglied/neu", data | {"full_name": "Ada Berg", "locale": "de"}
        )

    assert answer.status_code == 303
    assert (await database.fetchval("SELECT count(*) FROM person")) == 1


async def test_a_lead_sees_the_own_group_without_addresses_and_links(
    sign_in: SignIn, database: Database
) -> None:
    own, other = await builders.a_group(database), await builders.a_group(database)
    await builders.a_person(database, full_name="Ada", email="ada@example.org", member_of=own)
    await builders.a_person(database, full_name="Bodo", member_of=other)
    browser = await sign_in("lead", groups=(own["id"],))

    page = await browser.get("/buero/mitglieder")

    assert "Ada" in page.text
    assert "Bodo" not in page.text
    assert "ada@example.org" not in page.text
    assert "/buero/mitglied/" not in page.text


async def test_markup_in_names_is_text(sign_in: SignIn, database: Database) -> None:
    person = await builders.a_person(database, full_name='<img src=x onerror="a">')
    browser = await sign_in("coordinator")

    pages = [
        await browser.get("/buero/mitglieder"),
        await browser.get(f"/buero/mitglied/{person['id']}"),
        await check(browser, "Nr;Name;E-Mail;P\n1;<img src=x>;a@example.org;<b>\n"),
    ]

    assert all("<img" not in page.text for page in pages)
    assert all("&lt;img src=x" in page.text for page in pages)


async def test_odd_filters_filter_nothing(sign_in: SignIn, database: Database) -> None:
    await builders.a_person(database, full_name="Ada Berg")
    browser = await sign_in("coordinator")

    answer = await browser.get("/buero/mitglieder?gruppe=x&seite=-7&partner=%25&suche=")

    assert answer.status_code == 200
    assert "Ada Berg" in answer.text


async def test_an_import_goes_from_file_to_people_in_four_steps(
    sign_in: SignIn, database: Database
) -> None:
    browser = await sign_in("coordinator")

    columns = await upload(
        browser, "Nr;Name;E-Mail;AG\n1;Jörg Au;j@example.org;\n".encode("cp1252")
    )
    step = hidden(columns) | {f"column_{n}": v for n, v in enumerate(("ref", "name", "email", ""))}
    lines = await browser.post("/buero/import/pruefen", step)
    before = await database.fetchval("SELECT count(*) FROM person")
    done = await browser.post("/buero/import/ausfuehren", hidden(lines))
    result = await browser.get(done.headers["location"])

    assert 'value="email" selected' in columns.text
    assert "neu 1 · geändert 0 · gleich 0 · Fehler 0" in lines.text
    assert before == 0
    assert "neu 1 · geändert 0" in result.text
    assert (await database.fetchval("SELECT full_name FROM person")) == "Jörg Au"


async def test_cells_can_be_pasted(sign_in: SignIn) -> None:
    browser = await sign_in("coordinator")

    data = {"kind": "partners", "text": "Institution\tOrt\nAmt\tJena"}
    answer = await browser.post("/buero/import/spalten", data)

    assert answer.status_code == 200
    assert "Jena" in answer.text


async def test_a_header_may_begin_with_an_empty_cell(sign_in: SignIn) -> None:
    browser = await sign_in("coordinator")

    columns = await upload(browser, b"\tName\tE-Mail\n1\tAda\tada@example.org\n")
    step = hidden(columns) | {"column_1": "name", "column_2": "email"}
    lines = await browser.post("/buero/import/pruefen", step)

    assert "neu 1 · geändert 0 · gleich 0 · Fehler 0" in lines.text


async def test_a_line_with_an_address_that_no_letter_can_carry_says_why(sign_in: SignIn) -> None:
    browser = await sign_in("coordinator")
    columns = await upload(browser, "\tName\tE-Mail\n1\tJörg\tjörg@example.org\n".encode())
    step = hidden(columns) | {"column_1": "name", "column_2": "email"}
    lines = await browser.post("/buero/import/pruefen", step)

    assert "Zeile 2: „jörg@example.org“ hat Zeichen wie ü oder é vor dem @" in lines.text


async def test_each_line_says_what_becomes_of_it_and_errors_stand_first(
    sign_in: SignIn, database: Database
) -> None:
    browser = await sign_in("coordinator")

    page = await check(browser)

    assert "Zeile 3: „bo@stadt“ ist keine vollständige E-Mail-Adresse" in page.text
    assert page.text.index('id="zeile-3"') < page.text.index('id="zeile-2"')


async def test_a_line_that_is_left_out_is_not_taken_in(sign_in: SignIn, database: Database) -> None:
    browser = await sign_in("coordinator")
    step = hidden(await check(browser))

    done = await browser.post("/buero/import/ausfuehren", step | {"left_out": "2"})

    assert done.headers["location"].endswith("neu=0&geaendert=0&beendet=0&ausgelassen=2")


async def test_what_changed_meanwhile_is_shown_again_instead_of_taken_in(
    sign_in: SignIn, database: Database
) -> None:
    browser = await sign_in("coordinator")
    step = hidden(await check(browser))
    await builders.a_person(database, full_name="Ada Berg", email="ada@example.org")

    answer = await browser.post("/buero/import/ausfuehren", step)

    assert answer.status_code == 422
    assert "Inzwischen hat sich etwas geändert" in answer.text
    assert "geändert 1" in answer.text


async def test_who_is_ticked_as_missing_leaves(sign_in: SignIn, database: Database) -> None:
    gone = await builders.a_person(database, full_name="Cy Au")
    await builders.a_person(database, full_name="Di See")
    browser = await sign_in("coordinator")
    step = hidden(await check(browser))

    await browser.post("/buero/import/ausfuehren", step | {"ended": str(gone["id"])})

    rows = await database.fetch("SELECT full_name FROM person WHERE ended_on IS NOT NULL")
    assert ["Cy Au"] == [row["full_name"] for row in rows]


async def test_members_come_in_only_with_the_word_that_they_know(sign_in: SignIn) -> None:
    browser = await sign_in("coordinator")

    answer = await browser.post("/buero/import/spalten", {"kind": "members", "text": LIST})

    assert answer.status_code == 422
    assert "Bestätigen Sie, dass die Personen davon wissen" in answer.text
    assert "Ada Berg" in answer.text


async def test_a_list_without_an_address_column_goes_back_to_the_columns(sign_in: SignIn) -> None:
    browser = await sign_in("coordinator")

    data = {"kind": "members", "text": LIST, "column_1": "name"}
    answer = await browser.post("/buero/import/pruefen", data)

    assert answer.status_code == 422
    assert "Die Datei hat keine Spalte für E-Mail" in answer.text
    assert 'name="column_3"' in answer.text


async def test_a_file_that_is_no_text_is_refused(sign_in: SignIn) -> None:
    browser = await sign_in("coordinator")

    answer = await upload(browser, b"PK\x03\x04\x00\x00")

    assert answer.status_code == 422
    assert "CSV UTF-8" in answer.text


async def test_a_file_over_two_megabytes_is_refused_in_words(sign_in: SignIn) -> None:
    browser = await sign_in("coordinator")

    answer = await upload(browser, b"x" * 2_000_001)

    assert answer.status_code == 422
    assert "größer als 2 MB" in answer.text


async def test_meetings_come_in_from_a_file_of_facts(sign_in: SignIn, database: Database) -> None:
    browser = await sign_in("coordinator")
    facts = (
        b'{"groups": [{"slug": "klima", "name": "Klima", "next_number": 4}], "meetings":'
        b' [{"group": "klima", "number": 4, "status": "tentative"}]}'
    )

    lines = await upload(browser, facts, kind="meetings")
    await browser.post("/buero/import/ausfuehren", hidden(lines))

    assert (await database.fetchval("SELECT title FROM meeting")) == "4. Sitzung Klima"


async def test_a_partner_and_a_group_are_corrected(sign_in: SignIn, database: Database) -> None:
    partner = await builders.an_organisation(database, name="Amt Gotha")
    group = await builders.a_group(database)
    browser = await sign_in("coordinator")

    first = await browser.post(f"/buero/partner/{partner['id']}", {"name": "Amt Jena"})
    data = {
        "name": "Klima",
        "heading": "groups",
        "title_pattern": "{number}. Treffen Klima",
        "next_number": "40",
        "invite_weeks_before": "8",
        "answer_working_days_before": "3",
        "answer_by_time": "10:00",
    }
    second = await browser.post(f"/buero/gruppe/{group['id']}", data)
    page = await browser.get("/buero/gruppen")

    assert (303, 303) == (first.status_code, second.status_code)
    assert "{number}. Treffen Klima" in page.text
    assert (await database.fetchval("SELECT name FROM organisation")) == "Amt Jena"


async def test_a_partners_page_refuses_a_taken_name_and_keeps_the_rest(
    sign_in: SignIn, database: Database
) -> None:
    await builders.an_organisation(database, name="Amt Gotha")
    partner = await builders.an_organisation(database, name="Amt Jena")
    browser = await sign_in("coordinator")

    data = {"name": "amt gotha", "town": "Erfurt", "revision": "1"}
    answer = await browser.post(f"/buero/partner/{partner['id']}", data)

    assert answer.status_code == 422
    assert "Einen Partner mit diesem Namen gibt es schon" in answer.text
    assert 'value="Erfurt"' in answer.text


async def test_the_pages_speak_english_too(sign_in: SignIn, database: Database) -> None:
    await builders.a_group(database)
    browser = await sign_in("coordinator")

    pages = {
        path: (await browser.get("/en" + path)).text
        for path in ("/buero/mitglieder", "/buero/partner", "/buero/gruppen", "/buero/import")
    }

    assert ["Members", "Partners", "Groups", "Import a list"] == [
        re.findall(r"<h1[^>]*>([^<]*)", page)[0] for page in pages.values()
    ]
