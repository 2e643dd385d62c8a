"""What a restored backup holds back, on the page and by the command."""

from dataclasses import replace
from typing import Any
from uuid import UUID

from service import held_command
from service.database import Database
from service.settings import Settings
from tests import builders
from tests.notifications import builders as mail
from tests.notifications.builders import a_letter
from tests.web.conftest import SignIn

PATH = "/buero/versand/zurueckgehalten"


async def held(database: Database, count: int) -> list[UUID]:
    meeting = await builders.a_meeting(database, title="Sitzung mit Sicherung")
    person = await builders.a_person(database, full_name="Erika Muster")
    letters = [
        a_letter(number, recipient_id=person["id"], subject_id=meeting["id"])
        for number in range(count)
    ]
    ids = await mail.post(database, *letters)
    await database.fetch(
        "UPDATE outbox SET state = 'held', reason = 'restored' WHERE id = ANY ($1)", ids
    )
    return ids


async def standing(database: Database, ids: list[UUID]) -> list[tuple[str, str | None]]:
    rows: list[Any] = [await mail.state_of(database, one) for one in ids]
    return [(row["state"], row["reason"]) for row in rows]


async def test_the_page_says_what_is_held_and_for_whom(sign_in: SignIn, database: Database) -> None:
    await held(database, 2)
    browser = await sign_in("coordinator")

    log = (await browser.get("/buero/versand")).text
    page = (await browser.get(PATH)).text
    english = (await browser.get(f"/en{PATH}")).text

    words = ("Einladung: Sitzung mit Sicherung", "Erika Muster", "Alle 2 freigeben")
    assert [] == [word for word in words if word not in page]
    assert PATH in log
    assert "Release all 2" in english


async def test_what_was_ticked_leaves_or_is_dropped_and_the_rest_stays(
    sign_in: SignIn, database: Database
) -> None:
    first, second, third = ids = await held(database, 3)
    browser = await sign_in("coordinator")
    released = await browser.post(PATH, {"briefe": str(first), "tat": "release"})
    dropped = await browser.post(PATH, {"briefe": str(second), "tat": "drop"})
    page = (await browser.get(dropped.headers["location"])).text

    assert [303, 303] == [released.status_code, dropped.status_code]
    assert [("queued", None), ("cancelled", "dropped"), ("held", "restored")] == (
        await standing(database, ids)
    )
    assert "1 E-Mail ist verworfen." in page
    assert str(third) in page
    assert str(first) not in page


async def test_without_a_tick_nothing_happens_and_the_page_says_so(
    sign_in: SignIn, database: Database
) -> None:
    ids = await held(database, 1)
    browser = await sign_in("coordinator")
    answer = await browser.post(PATH, {"tat": "drop"})

    assert answer.status_code == 422
    assert [("held", "restored")] == await standing(database, ids)


async def test_all_are_dropped_at_once(sign_in: SignIn, database: Database) -> None:
    ids = await held(database, 2)
    browser = await sign_in("coordinator")
    await browser.post("/buero/versand/verwerfen")

    assert [("cancelled", "dropped")] * 2 == await standing(database, ids)
    actions = await database.fetch("SELECT action FROM audit WHERE action LIKE 'letters%'")
    assert ["letters_dropped"] == [row["action"] for row in actions]


async def test_letters_that_something_else_holds_are_not_touched(
    sign_in: SignIn, database: Database
) -> None:
    ids = await held(database, 1)
    await database.fetch("UPDATE outbox SET reason = 'undeliverable'")
    browser = await sign_in("coordinator")
    await browser.post(PATH, {"briefe": str(ids[0]), "tat": "release"})

    assert [("held", "undeliverable")] == await standing(database, ids)


async def test_the_command_lists_releases_and_drops(settings: Settings, database: Database) -> None:
    first, second, _ = ids = await held(database, 3)
    said: list[str] = []
    at = replace(settings, database_url=database.dsn)

    async def settle(*chosen: UUID, everything: bool = False, releases: bool = True) -> int:
        return await held_command.settle(
            at, chosen, everything=everything, releases=releases, say=said.append
        )

    codes = [
        await held_command.show(at, said.append),
        await settle(first),
        await settle(second, releases=False),
        await settle(),
        await settle(everything=True),
        await settle(everything=True),
    ]

    assert [0, 0, 0, 1, 0, 1] == codes
    assert "Invitation, Sitzung mit Sicherung, " in said[0]
    assert {str(one) for one in ids} == {line.partition(" ")[0] for line in said[:3]}
    assert "3 letters are held." == said[3]
    assert [("queued", None), ("cancelled", "dropped"), ("queued", None)] == (
        await standing(database, ids)
    )
