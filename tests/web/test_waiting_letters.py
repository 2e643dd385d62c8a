"""Several letters by one press: the page of what waits, and people and lists that bring letters."""

import re
from datetime import timedelta
from typing import Any

from service import noticing
from service.auditing import COMMAND
from service.database import Database
from service.services import Services
from tests import builders
from tests.builders import Row
from tests.service.test_writing_together import posted
from tests.web.conftest import SignIn
from tests.web.test_people import hidden


async def a_group(services: Services, name: str = "Klima", count: int = 2) -> Row:
    """Insert a group with sessions that its one member is asked to, or is invited to."""
    database = services.database
    group = await builders.a_group(database, name=f"Arbeitsgruppe {name}", slug=name.lower())
    mira = await builders.a_person(database, full_name="Mira Muster", member_of=group)
    start = services.clock().replace(tzinfo=None, minute=0, second=0, microsecond=0)
    for n in range(count):
        session = await builders.a_meeting(
            database,
            of=group,
            number=16 + n,
            title=f"{16 + n}. Sitzung {name}",
            starts_local=start + timedelta(days=30 + n),
            invited_at=services.clock() - timedelta(days=3),
        )
        await builders.an_invitation(database, session, mira, state="planned", invited_at=None)
    return group


async def let_wait(services: Services) -> None:
    """Put down an invitation for each session."""
    database = services.database
    for row in await database.fetch("SELECT id FROM meeting ORDER BY title"):
        await noticing.invite(database, COMMAND, row["id"], services.clock())


def ids(text: str) -> list[str]:
    return re.findall(r'name="notice_ids" value="([^"]+)"', text)


async def many_letters(services: Services) -> None:
    """Let four other letters wait for everybody."""
    await services.database.fetch(
        "WITH l AS (INSERT INTO letter (dedupe_key, kind, recipient_id, ordering_key, locale)"
        " SELECT 'x:' || n || p.id, 'digest', p.id, 'x' || n || p.id, 'de'"
        " FROM person p, generate_series(1, 4) n RETURNING id)"
        " INSERT INTO outbox (id, ordering_key, next_attempt_at, expires_at)"
        " SELECT id, id::text, $1::timestamptz, $1 + interval '3 days' FROM l",
        services.clock(),
    )


async def test_all_that_waits_is_sent_by_one_press_as_one_letter(
    sign_in: SignIn, services: Services, database: Database
) -> None:
    await a_group(services)
    await let_wait(services)
    browser = await sign_in("coordinator")

    board = await browser.get("/buero")
    page = await browser.get("/buero/wartet")
    answer = await browser.post("/buero/wartet", {"notice_ids": ids(page.text)})

    assert "Alles zusammen jetzt senden (2)" in board.text
    assert "Mira Muster: Mehrere Änderungen (16. Sitzung Klima, 17. Sitzung Klima)" in page.text
    assert "höchstens eine E-Mail an eine Person" in page.text
    assert "/buero/wartet?gesendet=1" == answer.headers["location"]
    assert [("Mira Muster", "several", 2)] == await posted(database)


async def test_looking_at_what_waits_sends_nothing(
    sign_in: SignIn, services: Services, database: Database
) -> None:
    await a_group(services)
    await let_wait(services)
    browser = await sign_in("coordinator")

    await browser.get("/buero/wartet")

    assert [] == await posted(database)
    assert {"pending"} == {row["state"] for row in await database.fetch("SELECT state FROM notice")}


async def test_more_than_three_letters_to_one_person_are_asked_about_once_more(
    sign_in: SignIn, services: Services, database: Database
) -> None:
    await a_group(services)
    await let_wait(services)
    await many_letters(services)
    browser = await sign_in("coordinator")
    chosen = {"notice_ids": ids((await browser.get("/buero/wartet")).text)}

    asked = await browser.post("/buero/wartet", chosen)
    sent = await browser.post("/buero/wartet", chosen | {"many": "1"})

    assert 422 == asked.status_code
    assert "Bestätigen Sie, dass eine Person so viele E-Mails bekommen soll" in asked.text
    assert "Ja, eine Person soll bis zu 5 E-Mails an einem Tag bekommen" in asked.text
    assert 303 == sent.status_code


async def test_a_lead_sends_what_is_the_own_groups_alone(
    sign_in: SignIn, services: Services, database: Database
) -> None:
    own = await a_group(services)
    await a_group(services, "Leerstand")
    await let_wait(services)
    browser = await sign_in("lead", groups=(own["id"],))
    foreign = await database.fetchval(
        "SELECT n.id FROM notice n JOIN meeting m ON m.id = n.meeting_id"
        " WHERE m.title LIKE '%Leerstand' LIMIT 1"
    )

    page = await browser.get("/buero/wartet")
    refused = await browser.post("/buero/wartet", {"notice_ids": [str(foreign)]})

    assert "Leerstand" not in page.text
    assert 2 == len(ids(page.text))
    assert 422 == refused.status_code


async def test_a_person_who_joins_is_asked_about_before_a_letter_leaves(
    sign_in: SignIn, services: Services, database: Database
) -> None:
    group = await a_group(services)
    browser = await sign_in("coordinator")
    new = await browser.get("/buero/mitglied/neu")
    typed: dict[str, Any] = {
        **hidden(new),
        "full_name": "Nina Neu",
        "email": "nina@example.org",
        "locale": "de",
        "group_ids": [str(group["id"])],
    }

    asked = await browser.post("/buero/mitglied/neu", typed)
    saved = await browser.post("/buero/mitglied/neu", typed | {"letters": "yes"})

    assert 422 == asked.status_code
    assert "Nina Neu: Willkommen (16. Sitzung Klima, 17. Sitzung Klima)" in asked.text
    assert "Wählen Sie aus, ob eine E-Mail hinausgehen soll" in asked.text
    assert 303 == saved.status_code
    waiting = await database.fetch("SELECT batch_kind FROM notice")
    assert ["welcome", "welcome"] == [row["batch_kind"] for row in waiting]


async def test_a_person_who_joins_without_a_letter_gets_none(
    sign_in: SignIn, services: Services, database: Database
) -> None:
    group = await a_group(services)
    person = await builders.a_person(database, full_name="Nina Neu")
    browser = await sign_in("coordinator")
    typed = {
        "full_name": "Nina Neu",
        "email": str(person["email"]),
        "locale": "de",
        "revision": "1",
        "group_ids": [str(group["id"])],
        "letters": "no",
    }

    saved = await browser.post(f"/buero/mitglied/{person['id']}", typed)

    assert 303 == saved.status_code
    assert [] == await database.fetch("SELECT id FROM notice")


async def test_a_list_says_who_would_be_welcomed_and_sends_only_when_told(
    sign_in: SignIn, services: Services, database: Database
) -> None:
    await a_group(services)
    browser = await sign_in("coordinator")
    step = {
        "kind": "members",
        "text": "Name;E-Mail;Gruppen\nNina Neu;nina@example.org;klima\n",
        "column_0": "name",
        "column_1": "email",
        "column_2": "groups",
    }
    page = await browser.post("/buero/import/pruefen", step)

    done = await browser.post("/buero/import/ausfuehren", hidden(page) | {"letters": "1"})

    assert "Nina Neu: Willkommen (16. Sitzung Klima, 17. Sitzung Klima)" in page.text
    assert "höchstens eine E-Mail an eine Person" in page.text
    assert 303 == done.status_code
    waiting = await database.fetch("SELECT batch_kind FROM notice")
    assert ["welcome", "welcome"] == [row["batch_kind"] for row in waiting]
