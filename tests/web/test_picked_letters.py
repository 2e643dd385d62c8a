"""Letters ticked in the mail log: a second look, then one press."""

import re
from typing import Any
from uuid import UUID, uuid4

from service import picking
from service.auditing import COMMAND
from service.database import Database
from service.picking import Act
from tests import builders
from tests.notifications import builders as mail
from tests.notifications.builders import a_letter
from tests.web.conftest import SignIn
from tests.web.test_mail_log import NOW, set_state

PATH = "/buero/versand/auswahl"


async def some(database: Database, *states: tuple[str, str | None]) -> list[UUID]:
    """Post letters to one person each, and put them into these states."""
    ids = []
    for number, (state, reason) in enumerate(states):
        person = await builders.a_person(database, full_name=f"Person {number}")
        [letter] = await mail.post(database, a_letter(recipient_id=person["id"]))
        await set_state(database, letter, state, reason)
        ids.append(letter)
    return ids


async def states_of(database: Database, ids: list[UUID]) -> list[str]:
    return [(await mail.state_of(database, one))["state"] for one in ids]


def query(act: str, ids: list[UUID]) -> str:
    return f"{PATH}?tat={act}" + "".join(f"&briefe={one}" for one in ids)


def offered(page: Any) -> list[str]:
    return re.findall(r'name="tat" value="(\w+)"', page.text)


def hidden(page: Any) -> set[str]:
    return set(re.findall(r'type="hidden" name="briefe" value="([^"]+)"', page.text))


async def test_the_log_has_a_tick_where_something_can_be_done_and_offers_only_that(
    sign_in: SignIn, database: Database
) -> None:
    waiting, refused, sent = await some(
        database, ("queued", None), ("failed", "policy"), ("sent", None)
    )
    browser = await sign_in("coordinator")
    page = await browser.get("/buero/versand")
    of_sent = await browser.get("/buero/versand?zustand=sent")

    ticked = re.findall(r'form="auswahl" name="briefe" value="([^"]+)"', page.text)
    label = r'aria-label="Auswahl: [^"<>]+ Uhr, Einladung, (Person \d)"></label>'
    names = re.findall(label, page.text)
    assert {str(waiting), str(refused)} == set(ticked)
    assert {"Person 0", "Person 1"} == set(names)
    assert ["repeat", "withdraw"] == offered(page)
    assert str(sent) in of_sent.text
    assert [] == offered(of_sent)


async def test_a_second_look_says_what_one_press_will_do_and_changes_nothing(
    sign_in: SignIn, database: Database
) -> None:
    first, second, sent = ids = await some(
        database, ("queued", None), ("queued", None), ("sent", None)
    )
    browser = await sign_in("coordinator")
    page = await browser.get(query("withdraw", [first, second, sent]))
    english = await browser.get(f"/en{query('withdraw', [first])}")
    nothing = await browser.get(query("release", [first]))
    empty = await browser.get(f"{PATH}?tat=nonsense&briefe=x")

    words = ("2 E-Mails zurückziehen", "Person 0", "Person 1", "Für 1 gewählte E-Mail geht das")
    assert [] == [one for one in words if one not in page.text]
    assert {str(first), str(second)} == hidden(page)
    assert "Withdraw 1 email" in english.text
    assert "Mit keiner der gewählten E-Mails" in nothing.text
    assert (200, True) == (empty.status_code, "keine E-Mail angehakt" in empty.text)
    assert ["queued", "queued", "sent"] == await states_of(database, ids)


async def test_one_press_withdraws_what_still_waits_and_counts_it(
    sign_in: SignIn, database: Database
) -> None:
    first, second, left, other = ids = await some(
        database, ("queued", None), ("queued", None), ("sending", None), ("queued", None)
    )
    browser = await sign_in("coordinator")
    chosen = [str(one) for one in (first, second, left, uuid4())]
    answer = await browser.post(PATH, {"tat": "withdraw", "briefe": chosen})
    page = (await browser.get(answer.headers["location"])).text
    again = await browser.post(PATH, {"tat": "withdraw", "briefe": chosen})
    none = await browser.post(PATH, {"tat": "withdraw"})

    assert "2 E-Mails sind zurückgezogen." in page
    assert ["cancelled", "cancelled", "sending", "queued"] == await states_of(database, ids)
    assert str(other) not in chosen
    assert "getan=too_late" in again.headers["location"]
    assert "getan=none_picked" in none.headers["location"]
    audited = "SELECT count(*) FROM audit WHERE action = 'letter_withdrawn'"
    assert await database.fetchval(audited) == 2


async def test_ticked_letters_are_sent_again_or_released_and_a_double_press_sends_one(
    database: Database,
) -> None:
    refused, _ = ids = await some(database, ("failed", "policy"), ("held", "undeliverable"))
    repeated = [
        await picking.carry_out(database, COMMAND, Act.REPEAT, [*ids, refused], NOW)
        for _ in range(2)
    ]
    released = await picking.carry_out(database, COMMAND, Act.RELEASE, ids, NOW)

    assert ([1, 0], 1) == (repeated, released)
    assert ["failed", "queued"] == await states_of(database, ids)
    assert await database.fetchval("SELECT count(*) FROM letter") == 3
