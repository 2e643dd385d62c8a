"""Invitations leave when the coordinator says: chosen in a preview, changed on the session page."""

from datetime import datetime

from service.database import Database
from tests import builders
from tests.web.conftest import Clock, SignIn
from tests.web.test_office import (
    a_group_of,
    a_session,
    filled_in,
    in_days,
    opened,
    path_of,
    pressed,
)

LATER = "Zu diesem Zeitpunkt einladen"


def day(clock: Clock, days: int) -> str:
    return in_days(clock, days).date().isoformat()


async def due(database: Database) -> datetime:
    at: datetime = await database.fetchval(
        "SELECT due_at AT TIME ZONE 'Europe/Berlin' FROM notice WHERE state = 'pending'"
    )
    return at


async def test_a_coordinator_publishes_now_and_invites_later(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    await a_group_of(database)
    browser = await sign_in("coordinator")
    page = await opened(browser, "/buero/termin/neu")
    page = await pressed(browser, page, "Weiter zur Vorschau", filled_in(clock))
    chosen = {"invite_on": day(clock, 3), "invite_time": "14:30"}
    page = await pressed(browser, page, LATER, chosen)
    planned = await due(database)
    time_page = await opened(browser, page.link("Zeitpunkt ändern"))
    page = await pressed(browser, time_page, "Zeitpunkt speichern", {"invite_on": day(clock, 5)})
    changed = await due(database)
    sent = await pressed(browser, page, "3 E-Mails jetzt senden")

    assert planned == in_days(clock, 3).replace(hour=14, minute=30)
    assert changed == in_days(clock, 5).replace(hour=14, minute=30)
    assert "Einladung: geplant" in page.text
    assert "3 E-Mails sind jetzt im Versand" in sent.text


async def test_an_odd_time_is_said_at_the_field_and_nothing_is_published(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    await a_group_of(database)
    browser = await sign_in("coordinator")
    page = await opened(browser, "/buero/termin/neu")
    page = await pressed(browser, page, "Weiter zur Vorschau", filled_in(clock))
    empty = await pressed(browser, page, LATER, {"invite_time": "14:30"}, 422)
    late = await pressed(browser, page, LATER, {"invite_on": day(clock, 61)}, 422)
    past = await pressed(browser, page, LATER, {"invite_on": day(clock, -1)}, 422)
    form, _ = past.form(LATER)

    assert "Wählen Sie den Tag, an dem die Einladungen hinausgehen" in empty.text
    assert "muss vor der Antwortfrist und vor dem Beginn hinausgehen" in late.text
    assert "muss in der Zukunft liegen" in past.text
    assert ("invite_on", day(clock, -1)) in form.fields
    assert await database.fetchval("SELECT state FROM meeting") == "draft"


async def test_confirming_can_invite_later_too(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    group = await a_group_of(database)
    meeting = await a_session(database, clock, 60, of=group, state="tentative")
    browser = await sign_in("coordinator")
    page = await opened(browser, path_of(meeting, "/bestaetigen"))
    refused = await pressed(browser, page, LATER, {"invite_on": day(clock, 70)}, 422)
    page = await pressed(browser, refused, LATER, {"invite_on": day(clock, 2)})

    assert "Der Termin ist bestätigt" in page.text
    assert await due(database) == in_days(clock, 2).replace(hour=9)


async def test_a_change_that_confirms_offers_the_same_times(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    group = await a_group_of(database)
    meeting = await a_session(database, clock, 60, of=group, state="tentative")
    browser = await sign_in("coordinator")
    page = await opened(browser, path_of(meeting, "/bearbeiten"))
    page = await pressed(browser, page, "Weiter zur Vorschau", {"status": "confirmed"})
    refused = await pressed(browser, page, LATER, {"invite_on": day(clock, 70)}, 422)
    await pressed(browser, refused, LATER, {"invite_on": day(clock, 2), "invite_time": "11:00"})

    assert await due(database) == in_days(clock, 2).replace(hour=11)
    assert await database.fetchval("SELECT state FROM meeting") == "confirmed"


async def test_a_notice_that_is_no_invitation_has_no_page_for_its_time(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    meeting = await a_session(database, clock)
    await builders.an_invitation(database, meeting)
    notice = await builders.a_notice(database, meeting)
    browser = await sign_in("coordinator")
    answer = await browser.get(path_of(meeting, f"/mitteilung/{notice['id']}/zeit"))

    assert answer.status_code == 404
