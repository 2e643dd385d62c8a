import re
from datetime import UTC, datetime

import httpx
import pytest

from service import furnishing, publishing
from service.auditing import COMMAND
from service.database import Database
from service.domain import retention
from tests.web.conftest import SignIn

TEXT = "/buero/einstellungen/rechtstexte"
OFFICE: dict[str, object] = {
    "name": "Bündnis <Stadt>",
    "office_name": "Geschäftsstelle",
    "street": "Weg 1",
    "postcode": "99084",
    "town": "Erfurt",
    "email": "buero@example.org",
    "phone": "0361 99",
}


async def test_the_imprint_shows_the_office_and_its_text(
    anonymous: httpx.AsyncClient, database: Database
) -> None:
    text = "# Vertreten durch\n\nAda <script>alert(1)</script>"
    await furnishing.save_text(database, COMMAND, ("imprint", "de"), text, datetime.now(UTC))
    answer = await anonymous.get("/impressum")

    assert "0361 1234" in answer.text
    assert "<h2>Vertreten durch</h2>" in answer.text
    assert "<script>alert" not in answer.text


async def test_a_text_that_exists_in_german_only_is_marked_as_german(
    anonymous: httpx.AsyncClient,
) -> None:
    answer = await anonymous.get("/en/impressum")

    assert "This text exists in German only." in answer.text
    assert '<div lang="de">' in answer.text


@pytest.mark.parametrize(("path", "first"), [("", "90 Tage nach"), ("/en", "90 days after")])
async def test_the_privacy_page_shows_every_purpose_with_its_period(
    anonymous: httpx.AsyncClient, path: str, first: str
) -> None:
    answer = await anonymous.get(f"{path}/datenschutz")
    rows = re.findall(r'<th scope="row"', answer.text)

    assert len(retention.PURPOSES) == len(rows)
    assert first in answer.text
    assert "{" not in re.sub(r"<script.*?</script>", "", answer.text)


async def test_the_statement_counts_documents_that_are_not_accessible(
    anonymous: httpx.AsyncClient, database: Database
) -> None:
    add = "INSERT INTO document (title, accessibility, published_at) VALUES ('x', $1, now())"
    for kind in ("yes", "no", "part"):
        await database.fetchval(add, kind)
    answer = await anonymous.get("/barrierefreiheit")

    assert "2 von 3 veröffentlichten Unterlagen" in answer.text
    assert "Landesdurchsetzungsstelle" in answer.text


async def test_a_reported_barrier_goes_to_the_office_by_letter(
    anonymous: httpx.AsyncClient, database: Database
) -> None:
    shown = await anonymous.get("/barriere-melden?seite=/kalender")
    data = {"page_url": "/kalender", "problem": "Der Knopf\nfehlt", "email": "ada@example.org"}
    sent = await anonymous.post("/barriere-melden", data=data)
    letter = await database.fetchrow("SELECT kind, cause, recipient_id FROM letter")

    assert 'value="/kalender"' in shown.text
    assert (303, "/barriere-melden/danke") == (sent.status_code, sent.headers["location"])
    assert letter is not None
    assert letter["kind"] == "hint_received"
    assert letter["cause"] == {**data, "need": ""}


async def test_a_program_that_fills_the_hidden_field_reaches_nobody(
    anonymous: httpx.AsyncClient, database: Database
) -> None:
    sent = await anonymous.post("/barriere-melden", data={"problem": "x", "website": "y"})

    assert sent.status_code == 303
    assert await database.fetchval("SELECT count(*) FROM letter") == 0


async def test_an_empty_report_says_what_is_missing_and_keeps_the_rest(
    anonymous: httpx.AsyncClient,
) -> None:
    answer = await anonymous.post("/barriere-melden", data={"need": "Vorlesen", "email": "x"})

    assert answer.status_code == 422
    assert "<title>Fehler:" in answer.text
    assert "Beschreiben Sie, was nicht funktioniert" in answer.text
    assert "Vorlesen</textarea>" in answer.text


async def test_reports_of_one_network_are_limited(
    anonymous: httpx.AsyncClient, database: Database
) -> None:
    data = {"problem": "x"}
    statuses = [(await anonymous.post("/barriere-melden", data=data)).status_code for _ in range(6)]

    assert statuses == [303] * 5 + [422]


async def test_the_office_saves_who_it_is_and_every_page_says_so(
    sign_in: SignIn, anonymous: httpx.AsyncClient
) -> None:
    browser = await sign_in("coordinator")
    saved = await browser.post("/buero/einstellungen/geschaeftsstelle", OFFICE)
    shown = await anonymous.get("/impressum")

    assert saved.status_code == 303
    assert "Bündnis &lt;Stadt&gt;" in shown.text
    assert "99084 Erfurt" in shown.text


async def test_calendars_name_the_office_as_it_was_saved_last(
    sign_in: SignIn, anonymous: httpx.AsyncClient, database: Database
) -> None:
    await publishing.ensure_all_feeds(database)
    before = await anonymous.get("/ics/alle/termine.ics")
    browser = await sign_in("coordinator")
    await browser.post("/buero/einstellungen/geschaeftsstelle", {**OFFICE, "name": "Neuer Bund"})
    after = await anonymous.get("/ics/alle/termine.ics")

    assert "Neuer Bund" not in before.text
    assert "Neuer Bund" in after.text
    assert before.headers["last-modified"] != after.headers["last-modified"]


async def test_the_office_sees_a_preview_before_a_text_is_saved(
    sign_in: SignIn, database: Database
) -> None:
    browser = await sign_in("coordinator")
    seen = await browser.post(f"{TEXT}/imprint/de", {"body": "# Neu", "preview": "1"})
    kept = await database.fetchval("SELECT body FROM legal_text WHERE kind = 'imprint'")
    saved = await browser.post(f"{TEXT}/imprint/de", {"body": "# Neu"})
    now = await database.fetchval("SELECT body FROM legal_text WHERE kind = 'imprint'")

    assert (200, 303) == (seen.status_code, saved.status_code)
    assert "<h3>Neu</h3>" in seen.text
    assert ("Ein Text.", "# Neu") == (kept, now)


async def test_emptying_a_text_closes_the_pages_and_the_office_is_told(
    sign_in: SignIn, anonymous: httpx.AsyncClient
) -> None:
    browser = await sign_in("coordinator")
    await browser.post(f"{TEXT}/privacy/de", {"body": " \n "})
    closed = await anonymous.get("/datenschutz")
    office = await browser.get("/buero/einstellungen")

    assert closed.status_code == 503
    assert "Noch zeigen alle öffentlichen Seiten" in office.text


async def test_a_long_text_is_kept_after_its_form_expired(sign_in: SignIn) -> None:
    browser = await sign_in("coordinator")
    browser.ft = "1.".ljust(34, "0")
    body = "Absatz mit Wörtern. " * 4_000
    answer = await browser.post(f"{TEXT}/privacy/de", {"body": body})

    assert answer.status_code == 422
    assert "Das Formular war zu lange offen" in answer.text
    assert body.strip() in answer.text


@pytest.mark.parametrize("path", [f"{TEXT}/other/de", f"{TEXT}/imprint/fr"])
async def test_other_texts_do_not_exist(sign_in: SignIn, path: str) -> None:
    browser = await sign_in("coordinator")

    assert (await browser.get(path)).status_code == 404
    assert (await browser.post(path, {"body": "x"})).status_code == 404
