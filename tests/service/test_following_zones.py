from datetime import timedelta
from typing import Any

import pytest

from service import scheduling
from service.database import Database
from tests.builders import NOW, START, Row, a_meeting, read

HOUR = timedelta(hours=1)
INSTANTS = ("starts_at", "ends_at", "answer_by")


async def under_older_rules(database: Database, meeting: Row) -> Row:
    """Let the instants stand as if they had been derived when the zone was an hour apart."""
    await database.fetch(
        "UPDATE meeting SET starts_at = starts_at + $2::interval, ends_at = ends_at + $2::interval,"
        " answer_by = answer_by + $2::interval WHERE id = $1",
        meeting["id"],
        HOUR,
    )
    return await read(database, "meeting", meeting["id"])


@pytest.mark.parametrize("state", ["draft", "tentative", "confirmed", "cancelled"])
async def test_a_coming_session_keeps_its_wall_time_and_its_instants_follow_the_zone(
    database: Database, state: str
) -> None:
    meeting = await a_meeting(database, state=state)
    await under_older_rules(database, meeting)
    followed = [await scheduling.follow_zones(database, NOW) for _ in range(2)]

    assert [1, 0] == followed
    assert meeting == await read(database, "meeting", meeting["id"])


async def test_a_session_behind_us_stays_when_it_was(database: Database) -> None:
    earlier: dict[str, Any] = {"starts_local": START - timedelta(days=400)}
    meeting = await under_older_rules(database, await a_meeting(database, **earlier))
    followed = await scheduling.follow_zones(database, NOW)

    assert 0 == followed
    assert meeting == await read(database, "meeting", meeting["id"])


async def test_a_session_without_date_or_deadline_has_nothing_to_follow(
    database: Database,
) -> None:
    await a_meeting(database, starts_local=None, state="postponed")
    meeting = await a_meeting(database, answer_by_local=None)
    followed = await scheduling.follow_zones(database, NOW)

    assert 0 == followed
    assert [meeting[name] for name in INSTANTS][-1] is None
