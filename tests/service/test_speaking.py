"""The language of letters: that of the reader when a letter is written for the first time."""

from datetime import timedelta
from email.message import EmailMessage
from typing import Any

import pytest

from notifications import outbox
from service import foretelling, noticing, preferring, scheduling
from service.auditing import COMMAND
from service.database import Database
from service.domain.preferences import Preferences
from service.foretelling import Window
from service.services import Services
from tests import builders
from tests.builders import Row
from tests.service import test_composing, test_requesting, test_writing_together
from tests.service.test_composing import NOW, a_letter, a_session, opened, part, ready
from tests.web.mailbox import deliver_raw

__all__ = ["ready"]
services = test_composing.services


async def speak(database: Database, person: Row, locale: str) -> None:
    """Choose the language of one's letters."""
    await preferring.save(database, COMMAND, person["id"], Preferences(), NOW, locale=locale)


async def invited(database: Database, **columns: Any) -> tuple[Row, Row]:
    """Post an invitation to somebody who reads German."""
    meeting = await a_session(database)
    person = await builders.a_person(database, full_name="Mira Muster", **columns)
    invitation = await builders.an_invitation(database, meeting, person)
    cause = {"invitation": str(invitation["id"])}
    await a_letter(database, "invitation", person, meeting, cause=cause)
    return meeting, person


async def arrived(services: Services) -> list[EmailMessage]:
    return [opened(mail) for mail in await deliver_raw(services)]


def language(message: EmailMessage) -> tuple[str, str]:
    """Return what the header says and what the words and links are in."""
    said = str(part(message, "text/plain"))
    is_english = "Dear" in said or "Hello" in said or "/en/" in said
    return str(message["Content-Language"]), "en" if is_english else "de"


async def test_a_letter_that_waits_follows_the_language(services: Services) -> None:
    database = services.database
    _, person = await invited(database)
    await speak(database, person, "en")

    (message,) = await arrived(services)

    assert ("en", "en") == language(message)
    assert str(message["Subject"]).startswith("Invitation")
    assert f"{services.settings.public_url}/en/a/" in part(message, "text/plain")
    assert f"{services.settings.public_url}/a/" not in part(message, "text/plain")


async def test_readers_of_both_languages_get_theirs_from_one_crowd(services: Services) -> None:
    """All were posted in German; what is written once for many is kept apart by language."""
    database = services.database
    meeting, _ = await invited(database)
    for number in range(5):
        person = await builders.a_person(database, full_name=f"Person {number}")
        invitation = await builders.an_invitation(database, meeting, person)
        cause = {"invitation": str(invitation["id"])}
        await a_letter(database, "invitation", person, meeting, cause=cause)
        if number % 2:
            await speak(database, person, "en")

    found = [language(one) for one in await arrived(services)]

    assert [("de", "de")] * 4 + [("en", "en")] * 2 == sorted(found)
    kept = await database.fetch("SELECT locale FROM prototype ORDER BY locale")
    assert ["de", "en"] == [row["locale"] for row in kept]


async def test_what_somebody_may_have_leaves_again_with_the_same_bytes(services: Services) -> None:
    database = services.database
    _, person = await invited(database)
    await speak(database, person, "en")
    (first,) = await deliver_raw(services)
    await database.fetch(
        "UPDATE outbox SET state = 'queued', uncertain_count = 1, finished_at = NULL,"
        " accepted_at = NULL, next_attempt_at = now()"
    )
    await speak(database, person, "de")

    (again,) = await deliver_raw(services)

    assert first.raw == again.raw


async def test_what_was_refused_for_now_is_written_anew(services: Services) -> None:
    database = services.database
    _, person = await invited(database)
    (first,) = await arrived(services)
    # As after a refusal that passes: nobody has the bytes.
    await database.fetch(
        "UPDATE outbox SET state = 'queued', letter_sha256 = NULL, finished_at = NULL,"
        " accepted_at = NULL, attempts = 1, next_attempt_at = now()"
    )
    await speak(database, person, "en")

    (again,) = await arrived(services)

    assert [("de", "de"), ("en", "en")] == [language(first), language(again)]


async def test_a_letter_about_several_sessions_and_its_copy_follow(services: Services) -> None:
    database = services.database
    scene = await test_writing_together.a_scene(database)
    await database.fetch(
        "UPDATE person SET copy_email = 'sekretariat@example.org' WHERE id = $1", scene.mira["id"]
    )
    await scene.invite(database, 0, 1)
    await test_writing_together.cancel(database, *scene.sessions[:2])
    await test_writing_together.sweep(database)
    await database.fetch("UPDATE outbox SET next_attempt_at = now()")
    await speak(database, scene.mira, "en")
    await speak(database, scene.jan, "de")

    found = {str(one["To"]): one for one in await arrived(services)}

    spoken = {to: language(one)[0] for to, one in found.items()}
    assert ["de", "en", "en"] == sorted(spoken.values())
    assert "de" == next(said for to, said in spoken.items() if "Jan" in to)
    mira = next(one for to, one in found.items() if to.startswith("Mira Muster"))
    assert "Several changes: 2 meetings" == mira["Subject"]


async def test_the_weekly_letter_and_lost_links_follow(services: Services) -> None:
    database = services.database
    person = await builders.a_person(database)
    preferred = Preferences(digest=True)
    await preferring.save(database, COMMAND, person["id"], preferred, NOW)
    cause = {"week": "2027-W01", "day": "2027-01-04", "open": [], "coming": [], "changes": []}
    await a_letter(database, "digest", person, None, cause=cause)
    await a_letter(database, "lost_links", person, None)
    await preferring.save(database, COMMAND, person["id"], preferred, NOW, locale="en")

    assert [("en", "en")] * 2 == [language(one) for one in await arrived(services)]


async def test_accounts_read_their_own_language_and_trials_that_of_the_page(
    services: Services,
) -> None:
    database = services.database
    account = await builders.an_account(database, locale="en")
    sample = {"subject": "Neuer Termin", "text": "Ein Text.", "html": "<p>Ein Text.</p>"}
    meeting = await a_session(database)
    await a_letter(database, "test", account, None, cause=sample)
    await a_letter(database, "summary", account, meeting, time_rev=meeting["time_rev"])

    found = {str(one["Subject"]): one["Content-Language"] for one in await arrived(services)}

    assert "de" == found.pop("Neuer Termin")
    assert ["en"] == list(found.values())


async def test_looking_ahead_tells_the_letter_as_it_will_be(services: Services) -> None:
    database = services.database
    _, person = await invited(database)
    await speak(database, person, "en")

    told = await foretelling.foretell(services, Window(NOW, NOW + timedelta(hours=1)))

    [letter] = told.letters
    assert ("en", True) == (letter.locale, letter.subject.startswith("Invitation"))
    assert await database.fetchval("SELECT locale FROM letter") == "de"


async def test_a_letter_sent_again_speaks_the_language_of_now(services: Services) -> None:
    database = services.database
    _, person = await invited(database)
    await arrived(services)
    await speak(database, person, "en")
    letter = await database.fetchval("SELECT id FROM letter")
    async with database.unit_of_work() as unit:
        await outbox.repeat(unit.connection, letter, NOW + timedelta(days=1))

    (message,) = await arrived(services)

    assert ("en", "en") == language(message)


@pytest.mark.parametrize("kind", ["cancellation", "change"])
async def test_the_entry_in_the_calendar_speaks_it_too(services: Services, kind: str) -> None:
    database = services.database
    meeting, person = await invited(database)
    await arrived(services)
    if kind == "cancellation":
        await scheduling.cancel(database, COMMAND, meeting["id"], "Streik.", NOW)
    else:
        await scheduling.postpone(database, COMMAND, meeting["id"], NOW)
    await noticing.queue_due(database, NOW + timedelta(minutes=11))
    await database.fetch("UPDATE outbox SET next_attempt_at = now() WHERE state = 'queued'")
    await speak(database, person, "en")

    (message,) = await arrived(services)

    assert "German time" in test_requesting.calendar_of(message).decode().replace("\r\n ", "")
