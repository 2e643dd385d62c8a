"""Black-out lists on the web: upload with a dry run, replace, remove, and what sessions show."""

import re
from datetime import UTC, date, datetime
from html import unescape

import httpx
import pytest

from calendars.obstacles import MOST_BYTES
from service import barring
from service.barring import KeptList
from service.database import Database
from tests import builders
from tests.web.conftest import PUBLIC_URL, Browser, Clock, SignIn

PLENUM = b"von;bis;name\n3.3.2027;4.3.2027;Plenum\n31.2.2027;;Unsinn\n"
SAID = {"name": "Landtag", "treatment": "move"}
ADDED, DROPPED = "kommt dazu", "fällt weg"


@pytest.fixture
def clock() -> Clock:
    """Return a day before all sessions of these tests."""
    return Clock(datetime(2027, 1, 20, 9, 0, tzinfo=UTC))


async def send(browser: Browser, content: bytes, path: str = "", **data: str) -> httpx.Response:
    return await browser.client.post(
        f"{path}/buero/sperrzeiten/pruefen",
        data={"ft": browser.ft, **SAID, **data},
        files={"source": ("liste.csv", content, "text/csv")},
        headers={"sec-fetch-site": "same-origin", "origin": PUBLIC_URL},
    )


def carried(page: httpx.Response) -> dict[str, object]:
    """Return what the dry run's form would send."""
    found = re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', page.text)
    return {name: unescape(value) for name, value in found}


async def take(browser: Browser, content: bytes, **data: str) -> httpx.Response:
    checked = await send(browser, content, **data)
    return await browser.post("/buero/sperrzeiten/speichern", carried(checked))


async def the_list(database: Database) -> KeptList:
    (kept,) = await barring.list_lists(database)
    return kept


async def test_a_file_is_looked_at_before_it_counts(sign_in: SignIn, database: Database) -> None:
    browser = await sign_in("coordinator")
    page = await send(browser, PLENUM)
    before = await barring.list_lists(database)
    saved = await browser.post("/buero/sperrzeiten/speichern", carried(page))

    assert (200, []) == (page.status_code, before)
    assert "1 Eintrag kommt dazu" in page.text
    assert "1 Eintrag hat kein Datum" in page.text
    assert "/buero/sperrzeiten?getan=added" == saved.headers["location"]
    assert ("Landtag", "liste.csv", 1) == (
        *((kept := await the_list(database)).name, kept.file_name, kept.spans),
    )


async def test_a_second_file_replaces_the_days(sign_in: SignIn, database: Database) -> None:
    browser = await sign_in("coordinator")
    await take(browser, PLENUM)
    kept = await the_list(database)
    page = await send(browser, b"5.5.2027;;Plenum", id=str(kept.id), revision="1")
    saved = await browser.post("/buero/sperrzeiten/speichern", carried(page))

    assert all(words in page.text for words in (ADDED, DROPPED))
    assert "/buero/sperrzeiten?getan=replaced" == saved.headers["location"]
    assert (1, date(2027, 5, 5)) == (
        *((now := await the_list(database)).spans, now.covered_until_on),
    )


async def test_what_is_said_about_a_list_is_saved_without_a_file(
    sign_in: SignIn, database: Database
) -> None:
    browser = await sign_in("coordinator")
    await take(browser, PLENUM)
    kept = await the_list(database)
    said = {"id": str(kept.id), "revision": "1", "name": "Plenum", "treatment": "skip"}
    answer = await browser.post("/buero/sperrzeiten/pruefen", {**said})

    assert "/buero/sperrzeiten?getan=saved" == answer.headers["location"]
    assert ("Plenum", "skip", 1) == (
        *((now := await the_list(database)).name, now.treatment, now.spans),
    )


async def test_who_looked_at_an_older_list_is_told(sign_in: SignIn, database: Database) -> None:
    browser = await sign_in("coordinator")
    await take(browser, PLENUM)
    kept = await the_list(database)
    page = await send(browser, b"5.5.2027;;Plenum", id=str(kept.id), revision="1")
    await browser.post("/buero/sperrzeiten/pruefen", {"id": kept.id, "revision": "1", **SAID})
    answer = await browser.post("/buero/sperrzeiten/speichern", carried(page))

    assert 422 == answer.status_code
    assert date(2027, 3, 4) == (await the_list(database)).covered_until_on


async def test_a_list_is_removed_after_one_question(sign_in: SignIn, database: Database) -> None:
    browser = await sign_in("coordinator")
    await take(browser, PLENUM)
    path = f"/buero/sperrzeiten/{(await the_list(database)).id}/entfernen"
    asked = await browser.get(path)
    answer = await browser.post(path)

    assert "Die Liste hat 1 Eintrag." in asked.text
    assert "/buero/sperrzeiten?getan=removed" == answer.headers["location"]
    assert [] == await barring.list_lists(database)


@pytest.mark.parametrize(
    ("content", "status", "words"),
    [
        (b"x" * (MOST_BYTES + 1), 422, "größer als 500 kB"),
        (b'"' + b"x" * 200_000, 422, "weder Kalender noch Tabelle"),
        (bytes(range(256)) * 100, 422, "kein Tag, den wir verstehen"),
        (b"x" * 2_000_000, 413, ""),
    ],
)
async def test_a_hostile_file_is_answered_in_words(
    sign_in: SignIn, database: Database, content: bytes, status: int, words: str
) -> None:
    page = await send(await sign_in("coordinator"), content)

    assert status == page.status_code
    assert words in page.text
    assert [] == await barring.list_lists(database)


async def test_markup_in_a_file_stays_text(sign_in: SignIn) -> None:
    page = await send(await sign_in("coordinator"), b"3.3.2027;;<img src=x onerror=alert(1)>")

    assert "<img src=x" not in page.text
    assert "&lt;img src=x" in page.text


@pytest.mark.parametrize("raw", ["", "ä", "!!!", "AAA"])
async def test_a_form_without_its_file_saves_nothing(
    sign_in: SignIn, database: Database, raw: str
) -> None:
    browser = await sign_in("coordinator")
    answer = await browser.post("/buero/sperrzeiten/speichern", {**SAID, "raw": raw})

    assert 422 == answer.status_code
    assert [] == await barring.list_lists(database)


async def test_the_pages_speak_english(sign_in: SignIn, database: Database) -> None:
    browser = await sign_in("coordinator")
    checked = await send(browser, PLENUM, path="/en")
    await browser.post("/en/buero/sperrzeiten/speichern", carried(checked))
    overview = await browser.get("/en/buero/sperrzeiten")
    one = await browser.get(f"/en/buero/sperrzeiten/{(await the_list(database)).id}")

    assert "1 entry is added." in checked.text
    assert "Black-out days" in overview.text
    assert "Days to come" in one.text


async def test_a_list_that_ends_before_the_last_session_is_warned_about(
    sign_in: SignIn, database: Database
) -> None:
    browser = await sign_in("coordinator")
    await take(browser, PLENUM)
    before = await browser.get("/buero/sperrzeiten")
    starts = datetime(2027, 6, 3, 10)  # noqa: DTZ001 - wall time
    await builders.a_meeting(database, starts_local=starts)
    after = await browser.get("/buero/sperrzeiten")
    one = await browser.get(f"/buero/sperrzeiten/{(await the_list(database)).id}")

    words = "endet vor der letzten Sitzung"
    assert (False, True) == (words in before.text, words in after.text)
    assert "Diese Liste reicht nur bis" in one.text


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/buero/termin/{}", "An diesem Tag soll keine Sitzung sein"),
        ("/buero/termin/{}/bearbeiten", "An diesem Tag soll keine Sitzung sein"),
        ("/buero/termin/{}/vorschau", "An diesem Tag soll keine Sitzung sein"),
        ("/en/buero/termin/{}", "No session should be on this day"),
    ],
)
async def test_a_session_on_a_barred_day_names_the_list(
    sign_in: SignIn, database: Database, path: str, words: str
) -> None:
    browser = await sign_in("coordinator")
    await take(browser, PLENUM)
    meeting = await builders.a_meeting(database, state="draft")
    page = await browser.get(path.format(meeting["id"]))

    assert all(said in page.text for said in (words, "Landtag:", "Plenum"))


async def test_a_session_that_fell_out_has_nothing_in_its_way(
    sign_in: SignIn, database: Database
) -> None:
    browser = await sign_in("coordinator")
    await take(browser, PLENUM)
    meeting = await builders.a_meeting(database, state="cancelled")
    page = await browser.get(f"/buero/termin/{meeting['id']}")

    assert "Landtag:" not in page.text


async def test_who_only_reads_sees_no_sessions_of_others_beside_a_day(
    sign_in: SignIn, database: Database
) -> None:
    group = await builders.a_group(database)
    meeting = await builders.a_meeting(database, of=group)
    await builders.a_meeting(database, of=await builders.a_group(database), title="Fremde Runde")
    path = f"/buero/termin/{meeting['id']}"
    office = await (await sign_in("coordinator")).get(path)
    reader = await (await sign_in("reader", groups=(group["id"],))).get(path)

    assert (True, False) == ("Fremde Runde" in office.text, "Fremde Runde" in reader.text)
