"""A secretariat's copy: from the person's form to what arrives at the second address."""

import re
from datetime import timedelta
from email.message import EmailMessage
from typing import Any
from uuid import UUID

import httpx
import pytest

from service import inviting, noticing, reminding, repeating, resending
from service.auditing import COMMAND
from service.database import Database
from service.domain.reminders import Audience, Kind, Rule
from service.services import Services
from tests import builders
from tests.builders import Row
from tests.web import mailbox
from tests.web.conftest import PUBLIC_URL, Browser, Clock, SignIn
from tests.web.test_office import a_session, opened, path_of, pressed

pytestmark = pytest.mark.usefixtures("ready")

BOSS, OFFICE = "mira@example.org", "vorzimmer@example.org"


async def mira(database: Database, **columns: Any) -> Row:
    given = {"full_name": "Mira Muster", "email": BOSS, "copy_email": OFFICE}
    return await builders.a_person(database, **given | columns)


def to(letters: list[EmailMessage], address: str) -> list[EmailMessage]:
    return [letter for letter in letters if address in str(letter["To"])]


def kinds(letter: EmailMessage) -> list[str]:
    return [part.get_content_type() for part in letter.walk() if not part.is_multipart()]


async def invited_by_hand(services: Services, clock: Clock, person: Row, **columns: Any) -> Row:
    """Invite one person, and let the countdown end."""
    meeting = await a_session(services.database, clock, **columns)
    await builders.an_invitation(services.database, meeting, person, state="planned")
    await noticing.invite(services.database, COMMAND, meeting["id"], clock.at)
    await noticing.queue_due(services.database, clock.at + timedelta(minutes=11))
    # The postman asks the database's clock.
    await services.database.fetch("UPDATE outbox SET next_attempt_at = now()")
    return meeting


async def test_the_copy_says_the_same_in_plain_form_and_for_whom_it_is(
    sign_in: SignIn, services: Services, clock: Clock
) -> None:
    partner = await builders.an_organisation(services.database, name="Stadt Gotha")
    person = await mira(services.database, of=partner, copy_email=None)
    browser = await sign_in("coordinator")
    page = await opened(browser, f"/buero/mitglied/{person['id']}")
    await pressed(browser, page, "Speichern", {"copy_email": OFFICE})
    meeting = await invited_by_hand(services, clock, person)
    letters = await mailbox.deliver(services)
    [original], [copy] = to(letters, BOSS), to(letters, OFFICE)
    log = await opened(browser, "/buero/versand")
    session = await opened(browser, path_of(meeting))

    lead, _, rest = mailbox.text_of(copy).partition("\n\n")
    with_file = "Die Kalenderdatei im Anhang trägt den Termin in Ihren Kalender ein."
    same = mailbox.text_of(original).partition("\n--\n")[0].replace("\n", " ")
    rest, _, foot = rest.partition("\n--\n")
    assert "Abschrift für das Sekretariat. Diese E-Mail ging an" in lead
    assert "Mira Muster" in lead
    assert with_file in same
    assert rest.replace("\n", " ").split() == _without(same, with_file).split()
    assert "weil diese Adresse für Abschriften an das Sekretariat" in foot.replace("\n", " ")
    assert ["text/plain", "text/html", "text/calendar"] == kinds(original)
    assert ["text/plain", "text/html"] == kinds(copy)
    assert (original["Subject"], "Sekretariat Mira Muster") == (
        copy["Subject"],
        copy["To"].addresses[0].display_name,
    )
    assert "Abschrift an das Sekretariat" in log.text
    assert OFFICE in log.text
    assert "Einladung : Mira Muster : vom Mailserver angenommen" in session.text


def _without(text: str, file_words: str) -> str:
    """Leave out the paragraph about the file, which the copy does not carry."""
    before, _, after = text.partition(file_words)
    return before + after.lstrip().removeprefix("Sie sendet keine Antwort.")


async def test_the_secretariat_answers_by_the_link_of_the_copy_and_history_keeps_who_did(
    sign_in: SignIn, anonymous: httpx.AsyncClient, services: Services, clock: Clock
) -> None:
    meeting = await invited_by_hand(services, clock, await mira(services.database))
    [copy] = to(await mailbox.deliver(services), OFFICE)
    [link] = set(re.findall(rf"{PUBLIC_URL}(/a/[^\s?]+)", mailbox.text_of(copy)))
    visitor = Browser(anonymous, UUID(int=0), "")
    page = await opened(visitor, link)
    asked = "Ich antworte für Mira Muster (Sekretariat)"
    await pressed(visitor, page, "Antwort senden", {"answer": "in_person", "secretary": "1"})
    page = await opened(visitor, link)
    form, _ = page.form("Antwort")
    form.fields = [pair for pair in form.fields if pair[0] != "secretary"]
    await pressed(visitor, page, "Antwort", {"answer": "declined"})
    browser = await sign_in("coordinator")
    session = await opened(browser, path_of(meeting))
    entry = await opened(browser, session.link("Antwort eintragen"))

    assert asked in page.text
    assert "vor Ort, Link, beantwortet durch Sekretariat" in entry.text
    assert "abgesagt, Link, beantwortet" not in entry.text


async def test_each_reminder_is_copied_once_however_often_it_is_planned(
    services: Services, clock: Clock
) -> None:
    database = services.database
    meeting = await a_session(database, clock, days=1)
    await builders.an_invitation(database, meeting, await mira(database), answer="in_person")
    await database.fetch("UPDATE invitation SET invited_at = now() - interval '9 days'")
    rule = Rule(kind=Kind.REMINDER, audience=(Audience.ACCEPTED,), minutes_before=3 * 24 * 60)
    async with database.unit_of_work() as unit:
        await reminding.add_rule(unit.connection, rule, meeting_id=meeting["id"])
        await reminding.plan_slots(unit.connection, meeting["id"], clock.at - timedelta(days=5))

    for _ in range(2):
        await reminding.queue_due(database, clock.at)

    assert ["copy", "reminder"] == sorted(row["kind"] for row in await builders.letters(database))


async def test_a_copy_falls_away_with_its_original(services: Services, clock: Clock) -> None:
    person = await mira(services.database)
    meeting = await invited_by_hand(services, clock, person)
    async with services.database.unit_of_work() as unit:
        await unit.connection.execute(
            "UPDATE outbox SET state = 'cancelled', reason = 'superseded'"
            " WHERE id IN (SELECT id FROM letter WHERE kind = 'invitation')"
        )

    letters = await mailbox.deliver(services)

    [copy] = await builders.letters(services.database, kind="copy")
    assert [] == letters
    assert ("cancelled", "superseded") == (copy["state"], copy["reason"])
    assert meeting["id"] == copy["subject_id"]


async def test_a_copy_still_arrives_where_the_own_address_fails(
    services: Services, clock: Clock
) -> None:
    await services.database.fetch(
        "INSERT INTO address_state (address_normal, state) VALUES ($1, 'undeliverable')", BOSS
    )
    await invited_by_hand(services, clock, await mira(services.database))

    letters = await mailbox.deliver(services)

    assert [1, 0] == [len(to(letters, OFFICE)), len(to(letters, BOSS))]
    # The first letter to the person itself has still to say what we hold.
    assert await services.database.fetchval("SELECT first_letter_on FROM person") is None


async def test_a_renewed_link_reaches_the_secretariat_too(services: Services, clock: Clock) -> None:
    database = services.database
    await invited_by_hand(services, clock, await mira(database))
    await mailbox.deliver(services)
    invitation = await database.fetchval("SELECT id FROM invitation")

    await inviting.renew_link(database, COMMAND, invitation, clock.at)
    letters = await mailbox.deliver(services)

    assert [1, 1] == [len(to(letters, OFFICE)), len(to(letters, BOSS))]


@pytest.mark.parametrize(
    ("now", "reached"),
    [
        pytest.param({}, [1, 1], id="had_the_first_one"),
        pytest.param({"copy_email": None}, [1, 0], id="has_none_any_more"),
        pytest.param({"copy_email": "neu@example.org"}, [1, 0], id="another_one"),
    ],
)
async def test_what_is_sent_again_reaches_the_secretariat_that_had_the_first_one(
    sign_in: SignIn,
    services: Services,
    clock: Clock,
    now: dict[str, str | None],
    reached: list[int],
) -> None:
    database = services.database
    meeting = await invited_by_hand(services, clock, await mira(database))
    [first] = to(await mailbox.deliver(services), OFFICE)
    invitation = await database.fetchval("SELECT id FROM invitation")
    for column, value in now.items():
        await database.fetch(f"UPDATE person SET {column} = $1", value)
    browser = await sign_in("coordinator")
    page = await opened(browser, f"{path_of(meeting)}/erneut-senden/{invitation}")
    for _ in range(2):
        await pressed(browser, page, "Erneut senden", {})
        letters = await mailbox.deliver(services)

        # The second press repeats the repetition, and so does its copy.
        assert reached == [len(to(letters, BOSS)), len(letters) - len(to(letters, BOSS))]
        assert reached[1] == len(to(letters, OFFICE))
        for copy in to(letters, OFFICE):
            assert mailbox.text_of(first) == mailbox.text_of(copy)
    said = f"Die Abschrift geht noch einmal an das Sekretariat: {OFFICE}."
    assert bool(reached[1]) == (said in page.text)


async def test_a_secretariat_that_was_not_told_is_not_told_by_a_repetition(
    services: Services, clock: Clock
) -> None:
    database = services.database
    meeting = await invited_by_hand(services, clock, await mira(database, copy_email=None))
    await mailbox.deliver(services)
    await database.fetch("UPDATE person SET copy_email = $1", OFFICE)
    invitation = await database.fetchval("SELECT id FROM invitation")

    assert await repeating.send_again(database, COMMAND, meeting["id"], invitation, clock.at)

    assert [] == await builders.letters(database, kind="copy")


@pytest.mark.parametrize("copy_email", [None, BOSS.upper()])
async def test_no_copy_goes_nowhere_or_to_the_same_address(
    services: Services, clock: Clock, copy_email: str | None
) -> None:
    await invited_by_hand(services, clock, await mira(services.database, copy_email=copy_email))

    assert [] == await builders.letters(services.database, kind="copy")


async def test_links_that_open_more_than_a_session_are_not_copied(services: Services) -> None:
    person = await mira(services.database)

    await resending.mail_links_to(services.database, person["id"], services.clock())

    assert ["lost_links"] == [row["kind"] for row in await builders.letters(services.database)]


async def test_the_preview_counts_copies(sign_in: SignIn, services: Services, clock: Clock) -> None:
    group = await builders.a_group(services.database)
    for copy_email in (OFFICE, None):
        await builders.a_person(services.database, member_of=group, copy_email=copy_email)
    meeting = await a_session(services.database, clock, of=group, state="tentative")
    browser = await sign_in("coordinator")

    page = await opened(browser, path_of(meeting, "/bestaetigen"))

    assert "Dazu geht 1 Abschrift an ein Sekretariat." in page.text


async def test_the_receipt_is_copied_with_the_answer_and_only_the_newest_leaves(
    anonymous: httpx.AsyncClient, services: Services, clock: Clock
) -> None:
    await invited_by_hand(services, clock, await mira(services.database))
    [copy] = to(await mailbox.deliver(services), OFFICE)
    [link] = set(re.findall(rf"{PUBLIC_URL}(/a/[^\s?]+)", mailbox.text_of(copy)))
    visitor = Browser(anonymous, UUID(int=0), "")
    page = await opened(visitor, link)
    page = await pressed(visitor, page, "Antwort senden", {"answer": "in_person"})
    page = await opened(visitor, link)
    await pressed(visitor, page, "Antwort", {"answer": "declined"})
    await services.database.fetch("UPDATE outbox SET next_attempt_at = now()")
    letters = await mailbox.deliver(services)
    [original], [copied] = to(letters, BOSS), to(letters, OFFICE)
    states = await services.database.fetch(
        "SELECT l.kind, o.state, o.reason FROM letter l JOIN outbox o USING (id)"
        " WHERE l.dedupe_key LIKE '%rcp:%' ORDER BY 1, 2"
    )

    assert original["Subject"] == copied["Subject"]
    assert "Absage" in mailbox.text_of(copied) or "abgesagt" in mailbox.text_of(copied)
    assert [
        ("copy", "cancelled", "replaced"),
        ("copy", "sent", None),
        ("receipt", "cancelled", "replaced"),
        ("receipt", "sent", None),
    ] == [tuple(row) for row in states]
