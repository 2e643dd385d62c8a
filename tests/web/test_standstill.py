"""Why nothing leaves is said where the office looks, and a hand ends it."""

from datetime import UTC, datetime, timedelta

import pytest

from notifications import pauses
from service import pausing, relaying
from service.database import Database
from service.services import Services
from tests.notifications import builders as mail
from tests.notifications.builders import a_letter
from tests.web.conftest import SignIn

REASONS = ("relay_down", "relay_busy", "relay_config", *pauses.CIRCUIT)


def relay_of(services: Services) -> str:
    relay = relaying.relay_settings(services.settings)
    assert relay is not None
    return relay.name


async def stop(services: Services, reason: str, *, alarm: bool = True) -> None:
    await pauses.note_tried(services.database, relay_of(services))
    await pauses.pause(services.database, relay_of(services), 600, reason, alarm=alarm)


@pytest.mark.parametrize("reason", REASONS)
async def test_the_office_reads_on_both_pages_why_nothing_leaves(
    sign_in: SignIn, services: Services, ready: None, reason: str
) -> None:
    await stop(services, reason)
    browser = await sign_in("coordinator")

    pages = [(await browser.get(path)).text for path in ("/buero", "/buero/versand")]
    english = (await browser.get("/en/buero")).text

    assert [True, True] == ["Der Versand ruht" in page for page in pages]
    assert "Sending is paused" in english


async def test_a_short_failure_of_the_mail_server_is_no_news(
    services: Services, ready: None
) -> None:
    await stop(services, "relay_down", alarm=False)

    assert await pausing.find(services, datetime.now(UTC)) is None


async def test_a_hand_lets_letters_leave_again(
    sign_in: SignIn, services: Services, database: Database, ready: None
) -> None:
    await stop(services, pauses.MANY_REFUSED)
    browser = await sign_in("coordinator")
    answers = [await browser.post("/buero/versand/fortsetzen") for _ in range(2)]
    page = (await browser.get(answers[0].headers["location"])).text

    assert ["resumed", "too_late"] == [
        answer.headers["location"].rpartition("=")[2] for answer in answers
    ]
    assert "Der Versand geht weiter." in page
    assert "Der Versand ruht" not in page
    actions = await database.fetch("SELECT action FROM audit WHERE action = 'sending_resumed'")
    assert len(actions) == 1


async def test_a_trial_letter_that_was_refused_is_shown_with_the_servers_words(
    sign_in: SignIn, services: Services, database: Database, ready: None
) -> None:
    [letter] = await mail.post(database, a_letter(kind="probe", recipient_id=None))
    fresh = await pausing.find(services, datetime.now(UTC))
    await database.fetch("UPDATE outbox SET state = 'failed', last_text = '5.7.1 not you'")
    browser = await sign_in("coordinator")

    page = (await browser.get("/buero")).text

    assert fresh is None
    assert "Der Probebrief an die Geschäftsstelle ist noch nicht angenommen." in page
    assert "5.7.1 not you" in page
    assert f"/buero/versand/{letter}" in page
    assert "Versand fortsetzen" not in page


async def test_a_trial_letter_that_waits_too_long_is_shown(
    services: Services, database: Database, ready: None
) -> None:
    await mail.post(database, a_letter(kind="probe", recipient_id=None))

    found = await pausing.find(services, datetime.now(UTC) + timedelta(minutes=3))

    assert found is not None
    assert (found.reason, found.can_resume) == (pausing.TRIAL, False)


async def test_leads_read_nothing_of_it(sign_in: SignIn, services: Services, ready: None) -> None:
    await stop(services, "relay_config")
    browser = await sign_in("lead")

    assert "Der Versand ruht" not in (await browser.get("/buero")).text


async def test_the_health_page_tells_it_and_turns_nobody_away(
    sign_in: SignIn, services: Services, ready: None
) -> None:
    await stop(services, "relay_config")
    browser = await sign_in("coordinator")

    checks = (await browser.get("/health/ready")).json()["checks"]

    assert checks["relay"] == {"ok": True, "detail": "rests: relay_config"}
