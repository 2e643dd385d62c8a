"""Scanners of mail servers that press the button: marked for the office, and never refused."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio

from service import tokens
from service.database import Database
from service.services import Services
from service.tokens import Purpose
from tests import builders
from tests.web.conftest import Browser, Clock, SignIn, open_client
from tests.web.test_replies import SAME_ORIGIN, Link, make_link

SCANNER = {"user-agent": "LinkCheck/7"}
PHONE = {"user-agent": "Mozilla/5.0 (iPhone)"}
MINUTE = timedelta(seconds=60)
SECOND = timedelta(seconds=1)
BURST = ("HEAD", "GET")


@pytest_asyncio.fixture(loop_scope="session")
async def link(services: Services, anonymous: httpx.AsyncClient, clock: Clock) -> Link:
    """Somebody whose invitation was accepted by the mail server this very moment."""
    link = await make_link(services, anonymous)
    await _letter(services.database, link, accepted_at=clock.at)
    group = await builders.a_group(services.database)
    await builders.insert(
        services.database,
        "meeting_group",
        meeting_id=link.invited.meeting_id,
        group_id=group["id"],
    )
    return link


async def _letter(database: Database, link: Link, **times: Any) -> None:
    letter = await builders.insert(
        database,
        "letter",
        dedupe_key=f"test:{uuid4()}",
        kind="invitation",
        recipient_id=link.invited.person_id,
        subject_id=link.invited.meeting_id,
        ordering_key="o",
        locale="de",
    )
    state = "sent" if "accepted_at" in times else "sending"
    given = {"id": letter["id"], "state": state, "ordering_key": "o", **times}
    expires_at = max(times.values()) + timedelta(days=3)
    await builders.insert(database, "outbox", **given, expires_at=expires_at)


async def _fetch(link: Link, methods: tuple[str, ...], program: Mapping[str, str]) -> None:
    for method in methods:
        answer = await link.client.request(method, f"{link.path}?w=vor-ort", headers=program)
        assert answer.status_code == 200


async def _press(link: Link, program: Mapping[str, str], answer: str = "in_person") -> None:
    """Press the button; the page was opened by a program that presses nothing."""
    data = {**await link.fields(), "answer": answer}
    sent = await link.client.post(link.path, data=data, headers={**SAME_ORIGIN, **program})
    assert sent.status_code == 303


async def _mark(database: Database, link: Link) -> tuple[str | None, bool]:
    row = await builders.read(database, "invitation", link.invited.invitation_id)
    return row["answer"], row["looks_automatic"]


async def test_a_scanner_that_presses_the_button_is_marked_and_not_refused(
    link: Link, database: Database, clock: Clock
) -> None:
    await _fetch(link, BURST, SCANNER)
    clock.go_on(20 * SECOND)
    await _press(link, SCANNER)

    assert ("in_person", True) == await _mark(database, link)
    assert [True] == [r[0] for r in await database.fetch("SELECT looks_automatic FROM answer")]
    assert 1 == await database.fetchval("SELECT count(*) FROM letter WHERE kind = 'receipt'")


async def test_three_fetches_are_a_burst_and_two_are_not(link: Link, database: Database) -> None:
    await _fetch(link, ("GET", "GET"), SCANNER)
    await _press(link, SCANNER)
    two = await _mark(database, link)
    await _fetch(link, ("GET",), SCANNER)
    await _press(link, SCANNER, "declined")

    assert ("in_person", False) == two
    assert ("declined", True) == await _mark(database, link)


async def test_a_scanner_that_looks_before_it_takes_the_letter_is_marked(
    services: Services, anonymous: httpx.AsyncClient, clock: Clock
) -> None:
    link = await make_link(services, anonymous)
    await _letter(services.database, link, data_started_at=clock.at)
    await _fetch(link, BURST, SCANNER)
    await _press(link, SCANNER)

    assert ("in_person", True) == await _mark(services.database, link)


@pytest.mark.parametrize(("later", "is_marked"), [(MINUTE, True), (MINUTE + SECOND, False)])
async def test_a_minute_after_the_acceptance_nobody_is_doubted(
    link: Link, database: Database, clock: Clock, later: timedelta, *, is_marked: bool
) -> None:
    clock.go_on(later - SECOND)
    await _fetch(link, BURST, SCANNER)
    clock.go_on(SECOND)
    await _press(link, SCANNER)

    assert ("in_person", is_marked) == await _mark(database, link)


async def test_a_burst_is_forgotten_after_a_minute(
    services: Services, link: Link, clock: Clock
) -> None:
    await _fetch(link, BURST, SCANNER)
    clock.go_on(MINUTE + SECOND)
    await _letter(services.database, link, accepted_at=clock.at)
    await _press(link, SCANNER)

    assert ("in_person", False) == await _mark(services.database, link)


async def test_somebody_quick_is_not_taken_for_the_scanner_of_their_mail_server(
    link: Link, database: Database
) -> None:
    await _fetch(link, (*BURST, "GET", "GET"), SCANNER)
    await _fetch(link, ("GET",), PHONE)
    await _press(link, PHONE)

    assert ("in_person", False) == await _mark(database, link)


async def test_a_link_that_does_not_exist_is_not_remembered(services: Services, link: Link) -> None:
    token = tokens.derive(services.keys, Purpose.ANSWER, uuid4(), 1)
    await link.client.head(f"/a/{token}", headers=SCANNER)

    assert 0 == len(services.footprints.bursts)


@pytest.mark.parametrize("answer", ["in_person", "declined"])
async def test_the_answer_of_the_person_takes_the_mark_off(
    link: Link, database: Database, answer: str
) -> None:
    await _fetch(link, BURST, SCANNER)
    await _press(link, SCANNER)
    await _press(link, PHONE, answer)

    assert (answer, False) == await _mark(database, link)


async def test_a_scanner_that_says_the_same_as_the_person_marks_nothing(
    link: Link, database: Database
) -> None:
    await _press(link, PHONE)
    await _fetch(link, BURST, SCANNER)
    await _press(link, SCANNER)

    assert ("in_person", False) == await _mark(database, link)


async def test_with_two_processes_the_worst_is_a_missing_mark(
    services: Services, link: Link, database: Database, settings: Any, clock: Clock
) -> None:
    """Each process remembers by itself: what the other one saw it does not know."""
    await _fetch(link, BURST, SCANNER)
    other = Services(settings, database, services.pages, clock, services.keys)
    async with open_client(other) as client:
        await _press(Link(client, link.token, link.invited), SCANNER)

    assert ("in_person", False) == await _mark(database, link)


async def _open_office(
    sign_in: SignIn, link: Link, program: Mapping[str, str] = SCANNER
) -> tuple[Browser, str]:
    await _fetch(link, BURST, program)
    await _press(link, program)
    return await sign_in("coordinator"), f"/buero/termin/{link.invited.meeting_id}"


async def test_the_office_sees_and_filters_what_looks_automatic(
    sign_in: SignIn, link: Link, services: Services
) -> None:
    office, page = await _open_office(sign_in, link)
    shown = (await office.get(page)).text
    filtered = (await office.get(f"{page}?antwort=automatic")).text
    table = (await office.get(f"{page}/tabelle")).text
    entry = (await office.get(f"{page}/antwort/{link.invited.invitation_id}")).text

    assert "?antwort=automatic#antworten" in shown
    assert shown.count("automatisch?") == 2
    assert "Mira Muster" in filtered
    assert "Link (automatisch?)" in table
    assert "Antwort ist echt" in entry
    assert "Auf keine Antwort zurücksetzen" in entry


async def test_the_office_says_that_an_answer_is_genuine(
    sign_in: SignIn, link: Link, database: Database
) -> None:
    office, page = await _open_office(sign_in, link)
    done = await office.post(f"{page}/antwort/{link.invited.invitation_id}/echt", {"stand": "1"})
    shown = (await office.get(done.headers["location"])).text

    assert ("in_person", False) == await _mark(database, link)
    assert "Die Antwort gilt." in shown
    assert "automatisch?" not in shown
    assert 1 == await database.fetchval(
        "SELECT count(*) FROM audit WHERE action = 'answer_confirmed' AND actor_kind = 'account'"
    )


async def test_the_office_resets_to_no_answer_and_the_seat_is_free_again(
    sign_in: SignIn, link: Link, database: Database
) -> None:
    office, page = await _open_office(sign_in, link)
    before = await database.fetchrow("SELECT revision FROM feed WHERE kind = 'personal'")
    await office.post(f"{page}/antwort/{link.invited.invitation_id}/zuruecksetzen", {"stand": "1"})
    after = await database.fetchrow("SELECT revision FROM feed WHERE kind = 'personal'")
    receipt = await database.fetchrow(
        "SELECT o.state, o.reason FROM letter JOIN outbox o USING (id) WHERE kind = 'receipt'"
    )

    assert (None, False) == await _mark(database, link)
    assert 0 == await database.fetchval("SELECT taken FROM meeting_seats")
    assert ("cancelled", "replaced") == tuple(receipt or ())
    assert (before or {})["revision"] + 1 == (after or {})["revision"]
    assert "keine Antwort" in (await office.get(page)).text


async def test_an_answer_can_follow_a_reset(
    sign_in: SignIn, link: Link, database: Database
) -> None:
    office, page = await _open_office(sign_in, link)
    await office.post(f"{page}/antwort/{link.invited.invitation_id}/zuruecksetzen", {"stand": "1"})
    await _press(link, PHONE)

    assert ("in_person", False) == await _mark(database, link)
    assert 1 == await database.fetchval("SELECT taken FROM meeting_seats")


async def test_a_partner_with_so_many_seats_has_the_reset_one_back(
    services: Services, sign_in: SignIn, link: Link
) -> None:
    await services.database.fetch("UPDATE meeting SET seats_per_partner = 1")
    office, page = await _open_office(sign_in, link)
    await office.post(f"{page}/antwort/{link.invited.invitation_id}/zuruecksetzen", {"stand": "1"})
    await _press(link, PHONE)
    seats = await services.database.fetchrow("SELECT taken, by_partner FROM meeting_seats")

    assert seats is not None
    assert (1, [1]) == (seats["taken"], list(seats["by_partner"].values()))


@pytest.mark.parametrize("act", ["echt", "zuruecksetzen"])
async def test_a_press_on_an_old_page_leaves_the_newer_answer(
    sign_in: SignIn, link: Link, database: Database, act: str
) -> None:
    office, page = await _open_office(sign_in, link)
    await _fetch(link, BURST, SCANNER)
    await _press(link, SCANNER, "declined")
    done = await office.post(f"{page}/antwort/{link.invited.invitation_id}/{act}", {"stand": "1"})

    assert 409 == done.status_code
    assert ("declined", True) == await _mark(database, link)
