"""F9: two replicas do the same thing at the same moment, 200 times each.

Each replica is a pool of its own; PostgreSQL is all that they share.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import pytest_asyncio

from service import noticing, replying, scheduling
from service.database import Database
from service.domain.errors import SeatsTakenError
from tests import builders
from tests import database as test_database
from tests.invited import a_meeting, a_person, invite
from tests.service import test_migrations
from tests.service.test_migrations import _app
from tests.service.test_replying import answer
from tests.service.test_scheduling import NOW, OFFICE, a_draft

pytestmark = [pytest.mark.long, pytest.mark.xdist_group("database")]

RACES = 200
empty = test_migrations.empty


@pytest_asyncio.fixture(loop_scope="session")
async def replicas(database: Database) -> AsyncIterator[tuple[Database, Database]]:
    """Return two processes' ways to one database."""
    async with test_database.patient(database.dsn, pool_size=2) as other:
        yield database, other


async def test_f9_two_replicas_never_number_two_sessions_alike(
    replicas: tuple[Database, Database],
) -> None:
    database = replicas[0]
    group = await builders.a_group(database, title_pattern="{number}. AG", next_number=1)
    for _ in range(RACES):
        drafts = [await a_draft(database, group) for _ in replicas]
        await asyncio.gather(
            *(
                scheduling.publish(replica, OFFICE, draft, form, NOW)
                for replica, (draft, form) in zip(replicas, drafts, strict=True)
            )
        )
    rows = await database.fetch("SELECT number FROM meeting_group ORDER BY number")

    assert list(range(1, 2 * RACES + 1)) == [row["number"] for row in rows]


async def test_f9_the_last_seat_goes_to_one_of_two(replicas: tuple[Database, Database]) -> None:
    database = replicas[0]
    meeting = await a_meeting(database, capacity=1)
    done = []
    for _ in range(RACES):
        rivals = [await invite(database, meeting, await a_person(database, "A B")) for _ in "ab"]
        done += await asyncio.gather(
            *(answer(replica, rival) for replica, rival in zip(replicas, rivals, strict=True)),
            return_exceptions=True,
        )
        await database.fetch("UPDATE meeting SET capacity = capacity + 1")

    kinds = Counter(type(one) for one in done)
    assert {replying.Recorded: RACES, SeatsTakenError: RACES} == kinds
    assert RACES == await database.fetchval("SELECT taken FROM meeting_seats")


async def test_f9_the_same_tick_on_two_replicas_writes_each_letter_once(
    replicas: tuple[Database, Database],
) -> None:
    database = replicas[0]
    meeting = await builders.a_meeting(database)
    counts = []
    for number in range(1, RACES + 1):
        await builders.an_invitation(database, meeting, state="planned")
        now = NOW + timedelta(hours=number)
        await noticing.invite(database, OFFICE, meeting["id"], now)
        later = now + timedelta(minutes=30)
        both = await asyncio.gather(*(noticing.queue_due(replica, later) for replica in replicas))
        counts.append(sorted(both))

    assert [[0, 1]] * RACES == counts
    assert RACES == await database.fetchval("SELECT count(DISTINCT recipient_id) FROM letter")


async def test_f9_of_two_replicas_one_migrates_and_the_other_waits(
    empty: Database, tmp_path: Path
) -> None:
    done = []
    async with Database(empty.dsn, pool_size=2) as other:
        for number in range(RACES):
            name = f"m_{number:03}_{uuid4().hex}"
            apps = _app(tmp_path / name, **{name: f"CREATE TABLE made_{number} (x int)"})
            both = await asyncio.gather(empty.migrate(apps), other.migrate(apps))
            done.append(sorted(both) == [[], [f"tried.{name}"]])

    assert [True] * RACES == done
