"""The office's pages as a coordinator walks them, by the words on the buttons."""

from typing import Any

from service import ticking  # noqa: F401
from service.database import Database
from service.demo.visitor import Page, read_page
from tests import builders
from tests.web.conftest import PUBLIC_URL, Browser, Clock, SignIn


async def opened(browser: Browser, path: str, expects: int = 200) -> Page:
    answer = await browser.client.get(path, follow_redirects=True)
    assert expects == answer.status_code, answer.text
    return read_page(str(answer.url), answer)


async def pressed(
    browser: Browser, page: Page, button: str, expects: int = 200, **entries: str
) -> Page:
    form, (name, value) = page.form(button)
    known = {field for field, _ in form.fields} | set(form.choices)
    assert set(entries) <= known
    sent = {field: text for field, text in form.fields} | entries
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


async def a_group_of(database: Database, clock: Clock, people: int = 3) -> dict[str, Any]:
    await database.fetch("UPDATE instance SET office_name = 'Geschäftsstelle'")
    group = await builders.a_group(database, name="Klima")
    partner = await builders.an_organisation(database, name="Stadt Gotha")
    for number in range(people):
        await builders.a_person(database, of=partner, member_of=group, full_name=f"Person {number}")
    return group


def entries(clock: Clock, **others: str) -> dict[str, str]:
    from datetime import timedelta

    day = clock.at + timedelta(days=60)
    return {
        "start_date": day.date().isoformat(),
        "start_time": "10:00",
        "end_time": "12:00",
        "town": "Erfurt",
        "place_name": "Rathaus",
        "status": "confirmed",
        **others,
    }


async def test_a_coordinator_walks_a_session_through_its_life(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    group = await a_group_of(database, clock)
    await builders.a_group(database, name="Wohnen")
    browser = await sign_in("coordinator")

    page = await opened(browser, "/buero")
    page = await opened(browser, page.link("Neue Sitzung"))
    page = await opened(browser, page.link("Klima"))
    page = await pressed(browser, page, "Weiter zur Vorschau", **entries(clock))
    assert "Jetzt einladen (3 Personen)" in page.text
    page = await pressed(browser, page, "Jetzt einladen (3 Personen)")
    assert "bestätigt" in page.text
    page = await sent(browser, database, page)
    assert "3 E-Mails sind jetzt im Versand" in page.text
    page = await opened(browser, page.link("Antwort eintragen"))
    page = await pressed(browser, page, "Antwort speichern", answer="in_person", way="phone")
    assert "vor Ort : 1 Person" in page.text
    page = await opened(browser, page.link("Verschieben"))
    from datetime import timedelta

    day = (clock.at + timedelta(days=61)).date().isoformat()
    page = await pressed(browser, page, "Weiter zur Vorschau", start_date=day)
    assert "1 Zusagen werden neu erfragt" in page.text
    page = await pressed(browser, page, "Speichern und 3 Personen benachrichtigen")
    page = await sent(browser, database, page)
    page = await opened(browser, page.link("Absagen"))
    page = await pressed(browser, page, "Sitzung absagen und 3", reason="Krank")
    page = await sent(browser, database, page)
    page = await opened(browser, page.link("Findet doch statt"))
    page = await pressed(browser, page, "Absage zurücknehmen und 3")
    page = await sent(browser, database, page)

    assert "Findet doch statt" not in page.text.split("Verlauf")[0].split("Letzte E-Mail")[0]
    assert group["next_number"] + 1 == await database.fetchval(
        "SELECT next_number FROM working_group WHERE id = $1", group["id"]
    )
