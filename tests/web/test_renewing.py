"""Links and calendar addresses that the office renews or ends, from the button to what opens."""

import email
import email.policy
import re
from datetime import timedelta
from email.message import EmailMessage
from typing import Any
from uuid import UUID

import httpx
import pytest

from service import publishing, subscribing
from service.database import Database
from service.services import Services
from tests import builders
from tests.builders import Row
from tests.notifications.smtp_servers import Mail
from tests.web import mailbox
from tests.web.conftest import PUBLIC_URL, Browser, Clock, SignIn, open_client
from tests.web.test_office import a_session, opened, path_of, pressed

_LINK = re.compile(rf"{PUBLIC_URL}(/a/[^\s?]+)")
_CALENDAR = re.compile(rf"{PUBLIC_URL}(/ics/p/\S+)")


async def told(database: Database, clock: Clock, **columns: Any) -> tuple[Row, Row]:
    """Insert a session with one person who has had the invitation."""
    meeting = await a_session(database, clock, **columns)
    invitation = await builders.an_invitation(database, meeting)
    await a_letter(database, meeting, invitation, state="sent")
    return meeting, invitation


async def a_letter(database: Database, meeting: Row, invitation: Row, state: str) -> None:
    letter = await builders.insert(
        database,
        "letter",
        dedupe_key=f"inv:{invitation['id']}",
        kind="invitation",
        locale="de",
        recipient_id=invitation["person_id"],
        subject_id=meeting["id"],
        ordering_key=f"{invitation['person_id']}:{meeting['id']}",
        cause={"invitation": str(invitation["id"])},
    )
    await builders.insert(
        database,
        "outbox",
        id=letter["id"],
        state=state,
        ordering_key=letter["ordering_key"],
        expires_at=meeting["starts_at"],
    )


async def renewed(browser: Browser, meeting: Row) -> str:
    """Walk to the renewal and press; return what the session page says then."""
    page = await opened(browser, path_of(meeting))
    asked = await opened(browser, page.link("Link erneuern"))
    assert "gelten dann nicht mehr" in asked.text
    return (await pressed(browser, asked, "Link erneuern")).text


def plain_of(mail: Mail) -> str:
    message = email.message_from_bytes(mail.raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    return mailbox.text_of(message)


async def links_in(services: Services) -> list[str]:
    return [_LINK.findall(mailbox.text_of(each))[0] for each in await mailbox.deliver(services)]


async def test_a_renewed_link_ends_the_old_one_and_arrives_in_a_new_letter(
    sign_in: SignIn,
    anonymous: httpx.AsyncClient,
    services: Services,
    database: Database,
    clock: Clock,
) -> None:
    meeting, invitation = await told(database, clock)
    await database.fetch("UPDATE outbox SET state = 'queued'")
    [old] = await links_in(services)
    browser = await sign_in("coordinator")

    said = await renewed(browser, meeting)
    [new] = await links_in(services)
    history = (await opened(browser, path_of(meeting))).text

    assert "Die E-Mail mit dem neuen Link geht hinaus." in said
    assert "Link erneuert (Mitglied" in history
    assert (410, 200) == (
        (await anonymous.get(old)).status_code,
        (await anonymous.get(new)).status_code,
    )
    assert 2 == (await builders.read(database, "invitation", invitation["id"]))["epoch"]


async def test_a_letter_that_still_waits_carries_the_new_link_and_no_second_one_leaves(
    sign_in: SignIn,
    anonymous: httpx.AsyncClient,
    services: Services,
    database: Database,
    clock: Clock,
) -> None:
    meeting = await a_session(database, clock)
    invitation = await builders.an_invitation(database, meeting)
    await a_letter(database, meeting, invitation, state="queued")

    said = await renewed(await sign_in("coordinator"), meeting)
    [new] = await links_in(services)

    assert "Die E-Mail mit dem neuen Link geht hinaus." in said
    assert (await anonymous.get(new)).status_code == 200


async def test_a_letter_that_may_have_left_is_followed_by_another(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    meeting, _ = await told(database, clock)
    await database.fetch("UPDATE outbox SET state = 'uncertain'")

    await renewed(await sign_in("coordinator"), meeting)

    assert ["queued", "uncertain"] == sorted(
        each["state"] for each in await builders.letters(database, kind="invitation")
    )


async def test_a_letter_that_may_have_left_and_waits_to_leave_again_is_followed_by_another(
    sign_in: SignIn,
    anonymous: httpx.AsyncClient,
    services: Services,
    database: Database,
    clock: Clock,
) -> None:
    meeting, _ = await told(database, clock)
    await database.fetch("UPDATE outbox SET state = 'queued'")
    [first] = await mailbox.deliver_raw(services)
    # As if nobody knew whether it arrived.
    await database.fetch(
        "UPDATE outbox SET state = 'queued', uncertain_count = 1, finished_at = NULL,"
        " accepted_at = NULL, next_attempt_at = now()"
    )

    await renewed(await sign_in("coordinator"), meeting)
    again, following = await mailbox.deliver_raw(services)
    [old], [new] = ({*_LINK.findall(plain_of(one))} for one in (again, following))

    assert first.raw == again.raw
    assert [410, 200] == [(await anonymous.get(link)).status_code for link in (old, new)]


async def test_no_letter_follows_where_none_would_reach_or_hold(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    silent = await a_session(database, clock)
    nobody = await builders.a_person(database, email=None)
    await builders.an_invitation(database, silent, nobody)
    undated, _ = await told(database, clock, state="postponed")
    browser = await sign_in("coordinator")

    said = [await renewed(browser, silent), await renewed(browser, undated)]

    assert all("Es geht jetzt keine E-Mail hinaus." in each for each in said)
    assert 1 == len(await builders.letters(database))


async def calendar_of(services: Services, person_id: UUID) -> str:
    own = await subscribing.find_personal(services.database, services.keys, person_id)
    assert own is not None
    return own.path


@pytest.fixture
async def person(database: Database, ready: None) -> Row:
    """Somebody with a calendar."""
    row = await builders.a_person(database, full_name="Mira Muster")
    await publishing.ensure_all_feeds(database)
    return row


async def shown(services: Services, path: str) -> tuple[int, bool]:
    """Fetch as a program does that was away; tell whether it is told that it ended."""
    async with open_client(services) as program:
        answer = await program.get(path)
    return answer.status_code, "Abonnement beendet" in answer.text


async def test_a_renewed_calendar_tells_the_old_address_and_mails_the_new_one(
    sign_in: SignIn, services: Services, clock: Clock, person: Row
) -> None:
    old = await calendar_of(services, person["id"])
    browser = await sign_in("coordinator")
    page = await opened(browser, f"/buero/mitglied/{person['id']}")

    said = await pressed(browser, page, "Adresse jetzt erneuern")
    [letter] = await mailbox.deliver(services)
    [new] = _CALENDAR.findall(mailbox.text_of(letter))
    at_once = [await shown(services, path) for path in (old, new)]
    clock.go_on(timedelta(days=30))

    assert "Die E-Mail mit der neuen Adresse geht hinaus." in said.text
    assert new not in said.text
    assert [(200, True), (200, False)] == at_once
    assert [(410, False), (200, False)] == [await shown(services, path) for path in (old, new)]


async def test_an_ended_calendar_says_so_is_gone_after_thirty_days_and_can_begin_anew(
    sign_in: SignIn, services: Services, clock: Clock, person: Row
) -> None:
    old = await calendar_of(services, person["id"])
    browser = await sign_in("coordinator")
    page = await opened(browser, f"/buero/mitglied/{person['id']}")

    ended = await pressed(browser, page, "Adresse jetzt beenden")
    letters = await mailbox.deliver(services)
    at_once = await shown(services, old)
    clock.go_on(timedelta(days=31))
    later = await shown(services, old)
    browser = await sign_in("coordinator")
    page = await opened(browser, f"/buero/mitglied/{person['id']}")
    again = await pressed(browser, page, "Neue Kalenderadresse anlegen")
    new = await calendar_of(services, person["id"])

    assert "Die Kalenderadresse ist beendet." in ended.text
    assert "Es gibt eine neue Kalenderadresse." in again.text
    assert [] == letters
    assert ((200, True), (410, False)) == (at_once, later)
    assert [(410, False), (200, False)] == [await shown(services, path) for path in (old, new)]
    actions = await services.database.fetch(
        "SELECT action FROM audit WHERE object_kind = 'feed' ORDER BY id"
    )
    assert ["revoke_feed", "reopen_feed"] == [row["action"] for row in actions]


async def test_what_is_not_there_to_be_renewed_is_not_found(
    sign_in: SignIn, services: Services, person: Row
) -> None:
    browser = await sign_in("coordinator")
    base = f"/buero/mitglied/{person['id']}/kalender"
    path = await calendar_of(services, person["id"])

    answers = [
        await browser.post(f"{base}/anlegen"),
        await browser.post(f"{base}/verschenken"),
        await browser.post(f"/buero/mitglied/{UUID(int=7)}/kalender/erneuern"),
    ]

    assert [404, 404, 404] == [answer.status_code for answer in answers]
    assert path == await calendar_of(services, person["id"])


@pytest.mark.parametrize("role", ["coordinator", "admin"])
async def test_the_office_renews_and_ends_its_own_calendar_on_the_start_page(
    sign_in: SignIn, services: Services, role: str
) -> None:
    browser = await sign_in(role)
    address = re.compile(rf'value="{PUBLIC_URL}(/ics/b/[^"]+)"')
    [old] = address.findall((await browser.get("/buero")).text)

    renewed_page = await pressed(browser, await opened(browser, "/buero"), "Adresse jetzt erneuern")
    [new] = address.findall((await browser.get("/buero")).text)
    ended_page = await pressed(browser, renewed_page, "Adresse jetzt beenden")
    none = address.findall((await browser.get("/buero")).text)
    await pressed(browser, ended_page, "Neue Kalenderadresse anlegen")
    [newest] = address.findall((await browser.get("/buero")).text)

    assert "Die Adresse Ihres Büro-Kalenders ist erneuert." in renewed_page.text
    assert "Die Adresse Ihres Büro-Kalenders ist beendet." in ended_page.text
    assert [] == none
    assert [(200, True), (200, True), (200, False)] == [
        await shown(services, path) for path in (old, new, newest)
    ]
