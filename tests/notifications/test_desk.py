"""One letter that nobody can judge: it ends alone, and the others leave."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from notifications.clerk import Go, Stop
from service.database import Database
from tests.notifications import builders, smtp_servers
from tests.notifications.builders import AClerk, a_letter
from tests.notifications.test_postman import a_postman, deliver, make_due, states

SLOW = asyncpg.QueryCanceledError("statement timeout")


@dataclass
class Puzzled(AClerk):
    """Fails whenever one of these letters is among those it is asked about."""

    puzzles: dict[UUID, Exception] = field(default_factory=dict)

    async def look_up(self, ids: Sequence[UUID]) -> Mapping[UUID, Go | Stop]:
        """Answer for all at once, or for none."""
        for one in ids:
            if one in self.puzzles:
                raise self.puzzles[one]
        return await super().look_up(ids)


async def test_a_letter_that_cannot_be_judged_stops_no_other_and_is_dead_after_three_tries(
    database: Database,
) -> None:
    ids = await builders.post(database, *(a_letter(number) for number in range(20)))
    clerk = Puzzled(puzzles={ids[3]: KeyError("minutes_published")})
    async with smtp_servers.running() as server:
        await deliver(a_postman(database, server, clerk))
        at_once = len(server.mails)
        for _ in range(2):
            await make_due(database)
            await deliver(a_postman(database, server, clerk))

    row = await builders.state_of(database, ids[3])
    assert (19, 19) == (at_once, len(server.mails))
    assert ("dead", "unwritable", 0, 3) == (
        *(row["state"], row["reason"]),
        *(row["attempts"], row["unwritable_count"]),
    )
    assert "KeyError: 'minutes_published'" == row["last_text"]


async def test_letters_that_find_the_database_slow_wait_and_are_blamed_for_nothing(
    database: Database,
) -> None:
    ids = await builders.post(database, *(a_letter(number) for number in range(8)))
    clerk = Puzzled(puzzles={ids[0]: SLOW})
    async with smtp_servers.running() as server:
        for _ in range(4):
            await deliver(a_postman(database, server, clerk))
            await make_due(database)
        before = await states(database)
        clerk.puzzles.clear()
        await deliver(a_postman(database, server, clerk))

    assert Counter(sent=7, queued=1) == before
    assert Counter(sent=8) == await states(database)
    assert (await builders.state_of(database, ids[0]))["unwritable_count"] == 0


async def test_a_letter_that_is_always_too_slow_waits_longer_each_time(database: Database) -> None:
    [one] = await builders.post(database, a_letter())
    waits = []
    async with smtp_servers.running() as server:
        postman = a_postman(database, server, Puzzled(puzzles={one: SLOW}))
        for _ in range(8):
            before = await database.fetchval("SELECT now()")
            await postman.deliver()
            waits.append(
                await database.fetchrow(
                    "SELECT next_attempt_at - now() AS least, next_attempt_at - $1 AS most"
                    " FROM outbox",
                    before,
                )
            )
            await database.fetch("UPDATE outbox SET next_attempt_at = now()")
        await postman.stop()

    steps = [timedelta(seconds=seconds) for seconds in (5, 10, 20, 40, 80, 160, 300, 300)]
    assert [] == [
        (step, wait)
        for step, wait in zip(steps, waits, strict=True)
        if not wait["least"] <= step <= wait["most"]
    ]


async def test_a_database_that_is_slow_for_all_is_asked_about_few_alone(database: Database) -> None:
    ids = await builders.post(database, *(a_letter(number) for number in range(8)))
    clerk = Puzzled(puzzles=dict.fromkeys(ids, SLOW))
    asked: list[Sequence[UUID]] = []

    class Counting(Puzzled):
        async def look_up(self, ids: Sequence[UUID]) -> Mapping[UUID, Go | Stop]:
            asked.append(ids)
            return await super().look_up(ids)

    async with smtp_servers.running() as server:
        await deliver(a_postman(database, server, Counting(puzzles=clerk.puzzles)))

    assert [8, 0, 1, 1, 1] == [len(one) for one in asked]
    assert Counter(queued=8) == await states(database)


async def test_a_clerk_that_fails_whomever_it_is_asked_about_costs_nothing_but_time(
    database: Database,
) -> None:
    class Failing(AClerk):
        async def look_up(self, ids: Any) -> Any:  # noqa: ARG002  # fails before it looks
            raise ZeroDivisionError

    await builders.post(database, *(a_letter(number) for number in range(2)))
    async with smtp_servers.running() as server:
        postman = a_postman(database, server, Failing())
        with pytest.raises(ZeroDivisionError):
            await postman.deliver()
        await postman.stop()

    rows = await database.fetch("SELECT state, attempts, unwritable_count FROM outbox")
    assert {("queued", 0, 0)} == {tuple(row) for row in rows}
