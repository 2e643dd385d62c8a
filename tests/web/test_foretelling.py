"""The office's preview of what leaves in the next days."""

import re
from datetime import time, timedelta

from service import reminding
from service.database import Database
from service.domain.reminders import COMING, Kind, Rule
from tests import builders
from tests.builders import Row
from tests.web.conftest import Clock, SignIn

HOUR_BEFORE = Rule(kind=Kind.REMINDER, audience=COMING, minutes_before=60)
DAY_BEFORE = Rule(kind=Kind.REMINDER, audience=COMING, days_before=1, at_local_time=time(9))
PATH = "/buero/vorschau"


async def a_session(database: Database, clock: Clock, *names: str) -> Row:
    """Insert a session in three days, an hour before which those who come are reminded."""
    starts = (clock.at + timedelta(days=3)).replace(hour=10, minute=0, second=0, tzinfo=None)
    told = clock.at - timedelta(days=20)
    meeting = await builders.a_meeting(
        database, starts_local=starts, invited_at=told, title="Klimasitzung"
    )
    for name in names:
        person = await builders.a_person(database, full_name=name)
        await builders.an_invitation(database, meeting, person, answer="in_person", invited_at=told)
    async with database.unit_of_work() as unit:
        await reminding.add_rule(unit.connection, HOUR_BEFORE)
        await reminding.plan_slots(unit.connection, meeting["id"], clock.at)
    return meeting


async def test_the_preview_names_session_people_reason_and_text(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    await a_session(database, clock, "Ada Beispiel", "Ben Beispiel")
    browser = await sign_in("coordinator")
    page = await browser.get(PATH)

    assert 200 == page.status_code
    for words in (
        *("2 E-Mails gehen hinaus", "Klimasitzung", "Ada Beispiel", "Ben Beispiel"),
        *("60 Minuten", "Text an Ada Beispiel", "/a/xxxxxxxx"),
    ):
        assert words in page.text


async def test_the_preview_of_one_person_shows_only_what_that_person_gets(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    await a_session(database, clock, "Ada Beispiel", "Ben Beispiel")
    browser = await sign_in("coordinator")
    page = await browser.get(f"{PATH}?person=ada")

    assert "Eine E-Mail geht hinaus" in page.text
    assert "Ben Beispiel" not in page.text


async def test_a_rule_that_is_switched_for_once_shows_the_difference_and_stays(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    await a_session(database, clock, "Ada Beispiel")
    rule_id = await database.fetchval("SELECT id FROM reminder_rule")
    browser = await sign_in("coordinator")
    page = await browser.get(f"/en{PATH}?regel={rule_id}")

    assert "One email less" in page.text
    assert "No email leaves in this time." in page.text
    assert await database.fetchval("SELECT is_enabled FROM reminder_rule")


async def test_a_rule_that_is_off_shows_what_it_would_add(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    await a_session(database, clock, "Ada Beispiel")
    async with database.unit_of_work() as unit:
        rule_id = await reminding.add_rule(unit.connection, DAY_BEFORE)
    await database.fetch("UPDATE reminder_rule SET is_enabled = false WHERE id = $1", rule_id)
    browser = await sign_in("coordinator")
    page = await browser.get(f"{PATH}?bis={clock.at + timedelta(days=9):%Y-%m-%d}&regel={rule_id}")

    assert "Eine E-Mail mehr" in page.text


async def test_a_time_that_is_over_or_too_long_or_ends_before_it_begins_is_refused(
    sign_in: SignIn, clock: Clock
) -> None:
    browser = await sign_in("coordinator")
    today = clock.at.date()
    tries = {
        f"?von={today - timedelta(days=2)}": "frühestens heute",
        f"?von={today + timedelta(days=3)}&bis={today + timedelta(days=1)}": "vor dem Anfang",
        f"?bis={today + timedelta(days=400)}": "höchstens 92 Tage",
    }
    pages = [await browser.get(PATH + query) for query in tries]

    assert [422] * 3 == [page.status_code for page in pages]
    for page, words in zip(pages, tries.values(), strict=True):
        assert words in page.text


async def test_where_nothing_is_due_the_preview_says_so(sign_in: SignIn) -> None:
    browser = await sign_in("coordinator")
    page = await browser.get(PATH)

    assert "In dieser Zeit geht keine E-Mail hinaus." in page.text


async def test_preview_session_and_rules_count_alike_whom_no_reminder_reaches(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    names = ("Ada Beispiel", "Ben Beispiel", "Cem Beispiel", "Dora Beispiel")
    meeting = await a_session(database, clock, *names)
    for name, state in zip(names, ("undeliverable", "blocked", "soft"), strict=False):
        address = await database.fetchval(
            "SELECT email_normal FROM person WHERE full_name = $1", name
        )
        await builders.insert(database, "address_state", address_normal=address, state=state)
    browser = await sign_in("coordinator")
    session = f"/buero/termin/{meeting['id']}"
    pages = [(await browser.get(path)).text for path in (PATH, session, f"{session}/erinnerungen")]
    told = [
        re.findall(r'<td class="tb-number"[^>]*>(\d+)<br><span[^>]*>([^<]*)<', page)
        for page in pages
    ]

    assert [[("4", "davon 2 nicht erreichbar")]] * 3 == told
    assert "2 E-Mails gehen hinaus" in pages[0]
    assert "2 E-Mails bleiben zurück" in pages[0]
