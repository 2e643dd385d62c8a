"""From a session to its people, from a person to the letter, and from the letter on."""

import re
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from service import noticing, reminding
from service.auditing import COMMAND
from service.database import Database
from service.domain.reminders import DEFAULT_RULES
from service.tables import rule_rows
from service.tables.rule_rows import Scope
from tests import builders
from tests.builders import Row
from tests.notifications import builders as mail
from tests.notifications.builders import a_letter
from tests.web.conftest import Clock, SignIn


async def an_invited_person(database: Database, meeting: Row, name: str) -> dict[str, Any]:
    """Invite somebody by a letter about the session; return person, invitation and letter."""
    person = await builders.a_person(database, full_name=name)
    invitation = await builders.an_invitation(database, meeting, person)
    letter = a_letter(recipient_id=person["id"], subject_id=meeting["id"])
    [letter_id] = await mail.post(database, letter)
    return {"person": person, "invitation": invitation, "letter": letter_id}


async def inviting_all(database: Database, meeting: Row, clock: Clock) -> None:
    await noticing.invite(database, COMMAND, meeting["id"], clock.at)


async def end(database: Database, letter_id: UUID, state: str, reason: str | None) -> None:
    await database.fetch(
        "UPDATE outbox SET state = $2, reason = $3 WHERE id = $1", letter_id, state, reason
    )


async def test_the_session_page_counts_and_lists_whom_the_last_letter_did_not_reach(
    sign_in: SignIn, database: Database
) -> None:
    meeting = await builders.a_meeting(database)
    ends = {
        "Anna Da": ("sent", None),
        "Bert Fort": ("failed", "address_refused"),
        "Cora Fort": ("failed", "bounced"),
        "Dora Wartet": ("held", "undeliverable"),
        "Emil Morgen": ("held", "restored"),
    }
    for name, (state, reason) in ends.items():
        found = await an_invited_person(database, meeting, name)
        await end(database, found["letter"], state, reason)
    browser = await sign_in("coordinator")
    base = f"/buero/termin/{meeting['id']}"
    whole = (await browser.get(base)).text
    lost = (await browser.get(f"{base}?antwort=lost")).text

    assert "letzte E-Mail nicht angekommen</a>: 3 Personen" in whole
    assert ["Bert Fort", "Cora Fort", "Dora Wartet"] == [one for one in ends if one in lost]
    assert "<strong>zurückgekommen</strong>" in lost


@pytest.mark.parametrize(("role", "count"), [("coordinator", 2), ("lead", 0)])
async def test_a_row_leads_to_the_person_and_to_the_letter_only_where_these_open(
    sign_in: SignIn, database: Database, role: str, count: int
) -> None:
    group = await builders.a_group(database)
    meeting = await builders.a_meeting(database, of=group)
    found = await an_invited_person(database, meeting, "Anna Da")
    browser = await sign_in(role, groups=(group["id"],) if role == "lead" else ())
    page = (await browser.get(f"/buero/termin/{meeting['id']}")).text
    links = (f"/buero/mitglied/{found['person']['id']}", f"/buero/versand/{found['letter']}")

    assert "Anna Da" in page
    assert count == sum(f'href="{link}"' in page for link in links)


async def test_a_letter_that_left_leads_to_sending_what_counts_now_once_more(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    starts = (clock.at + timedelta(days=30)).replace(tzinfo=None)
    meeting = await builders.a_meeting(database, starts_local=starts)
    found = await an_invited_person(database, meeting, "Anna Da")
    browser = await sign_in("coordinator")
    path = f"/buero/versand/{found['letter']}"
    again = f"/buero/termin/{meeting['id']}/erneut-senden/{found['invitation']['id']}"
    waiting = (await browser.get(path)).text
    await end(database, found["letter"], "sent", None)
    left = (await browser.get(path)).text

    assert (False, True) == (again in waiting, again in left)
    assert 200 == (await browser.get(again)).status_code
    assert "/buero/vorschau?person=Anna%20Da" in waiting


async def test_a_letter_that_its_address_stopped_leads_to_the_address(
    sign_in: SignIn, database: Database
) -> None:
    meeting = await builders.a_meeting(database)
    wrong = await an_invited_person(database, meeting, "Bert Fort")
    large = await an_invited_person(database, meeting, "Carl Groß")
    await end(database, wrong["letter"], "failed", "address_refused")
    await end(database, large["letter"], "failed", "too_large")
    browser = await sign_in("coordinator")
    pages = [(await browser.get(f"/buero/versand/{one['letter']}")).text for one in (wrong, large)]

    assert ["Adresse ändern" in page for page in pages] == [True, False]


async def test_the_log_counts_its_states_and_says_what_leaves_soon(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    starts = (clock.at + timedelta(days=30)).replace(tzinfo=None)
    meeting = await builders.a_meeting(database, starts_local=starts)
    await builders.an_invitation(database, meeting, state="planned")
    for name in ("Anna Da", "Bert Fort"):
        found = await an_invited_person(database, meeting, name)
    await end(database, found["letter"], "failed", "policy")
    browser = await sign_in("coordinator")
    before = (await browser.get("/buero/versand")).text
    await inviting_all(database, meeting, clock)
    after = (await browser.get("/buero/versand")).text
    filtered = (await browser.get("/buero/versand?zustand=failed")).text

    states = re.findall(r'zustand=(\w+)">[^<]+</a>: (\d+)', before)
    assert [("queued", "1"), ("failed", "1")] == states
    assert (False, True) == ("/buero/wartet" in before, "/buero/wartet" in after)
    assert "E-Mails nach Zustand" not in filtered


async def test_what_counts_down_is_not_offered_once_more(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    starts = (clock.at + timedelta(days=30)).replace(tzinfo=None)
    meeting = await builders.a_meeting(database, starts_local=starts)
    await builders.an_invitation(database, meeting, state="planned")
    browser = await sign_in("coordinator")
    path = f"/buero/termin/{meeting['id']}"
    before = (await browser.get(path)).text
    await inviting_all(database, meeting, clock)
    after = (await browser.get(path)).text

    assert (True, False) == (f"{path}/einladen" in before, f"{path}/einladen" in after)
    assert (False, True) == ("/buero/vorschau?von=" in before, "/buero/vorschau?von=" in after)


async def test_rules_say_where_nearer_ones_count_and_what_would_be_without_them(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    group = await builders.a_group(database, name="Klima")
    starts = (clock.at + timedelta(days=30)).replace(tzinfo=None)
    meeting = await builders.a_meeting(database, of=group, starts_local=starts, title="Eigenes")
    held = await builders.a_meeting(database, of=group, title="Vorbei", state="held", number=15)
    foreign = await builders.a_meeting(database, starts_local=starts, title="Fremdes")
    async with database.unit_of_work() as unit:
        await reminding.ensure_rules(unit.connection)
        for one in (meeting, held, foreign):
            await rule_rows.add(unit.connection, DEFAULT_RULES[0], Scope(meeting_id=one["id"]))
        await rule_rows.add(unit.connection, DEFAULT_RULES[0], Scope(group_id=group["id"]))
    browser = await sign_in("coordinator")
    pages = [
        (await browser.get(path)).text
        for path in (
            "/buero/erinnerungen",
            f"/buero/gruppe/{group['id']}/erinnerungen",
            f"/buero/termin/{meeting['id']}/erinnerungen",
        )
    ]
    nearer = [re.findall(r'erinnerungen">(\w+)</a>: Bitten um Rückmeldung', page) for page in pages]

    assert [["Klima", "Eigenes", "Fremdes"], ["Eigenes"], []] == nearer
    assert "Was wäre ohne Regel 1?" in pages[0]


async def test_a_reminder_by_hand_says_what_comes_by_itself_and_what_is_too_early(
    sign_in: SignIn, database: Database, clock: Clock
) -> None:
    starts = (clock.at + timedelta(days=60)).replace(tzinfo=None)
    meeting = await builders.a_meeting(
        database, starts_local=starts, answer_by_local=starts - timedelta(days=7)
    )
    person = await builders.a_person(database, full_name="Bert Fort")
    long_ago = clock.at - timedelta(days=9)
    await builders.an_invitation(database, meeting, person, invited_at=long_ago)
    letter = a_letter(recipient_id=person["id"], subject_id=meeting["id"])
    [letter_id] = await mail.post(database, letter)
    await end(database, letter_id, "failed", "policy")
    async with database.unit_of_work() as unit:
        await reminding.ensure_rules(unit.connection)
        await reminding.plan_slots(unit.connection, meeting["id"], clock.at)
    browser = await sign_in("coordinator")
    path = f"/buero/termin/{meeting['id']}/erinnern"
    session = (await browser.get(f"/buero/termin/{meeting['id']}")).text
    before = (await browser.get(path)).text
    await builders.an_invitation(database, meeting, invited_at=clock.at - timedelta(hours=3))
    after = (await browser.get(path)).text

    told = "Die letzte Einladung ging erst am"
    assert (False, True) == (told in before, told in after)
    assert re.search(r'/buero/vorschau\?von=[\d-]+&amp;bis=[\d-]+">Texte ansehen', session)
    assert "Von selbst geht die nächste Bitte um Antwort hinaus am" in before
    assert "Bei 1 Person kam die letzte E-Mail nicht an." in before
