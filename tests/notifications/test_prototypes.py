"""Wordings that are composed once, kept in the process, and stored for letters that wait."""

from notifications import leases
from notifications.leases import Claimed
from notifications.prototypes import STORED_AGAIN_SECONDS, Shelf
from service.database import Database
from tests.notifications import builders
from tests.notifications.builders import AClerk, a_letter


async def a_claimed(database: Database) -> Claimed:
    await builders.post(database, a_letter())
    [claimed] = await leases.claim(database, 1, "worker", "relay", paced=False)
    return claimed


async def test_a_wording_is_composed_once_and_says_once_a_day_that_it_is_used(
    database: Database,
) -> None:
    clerk, at, stored = AClerk(), [1.0], []
    shelf = Shelf(database, clerk, builders.SENDER, ticks=lambda: at[0])
    letter = await a_claimed(database)
    for later in (0.0, STORED_AGAIN_SECONDS - 1, STORED_AGAIN_SECONDS + 1):
        at[0] = 1.0 + later
        await shelf.composed("invitation", letter)
        stored.append(await database.fetchval("SELECT used_at FROM prototype"))

    assert ["invitation"] == clerk.composed
    assert stored[0] == stored[1] < stored[2]


async def test_a_wording_that_was_forgotten_meanwhile_is_stored_again(database: Database) -> None:
    at = [1.0]
    shelf = Shelf(database, AClerk(), builders.SENDER, ticks=lambda: at[0])
    letter = await a_claimed(database)
    first = await shelf.composed("invitation", letter)
    await database.fetch("DELETE FROM prototype")
    at[0] += STORED_AGAIN_SECONDS
    again = await shelf.composed("invitation", letter)

    assert first is again
    assert first.sha256 == await database.fetchval("SELECT sha256 FROM prototype")
