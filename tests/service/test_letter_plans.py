"""What is asked about claimed letters costs the same however many there have been."""

from typing import Any

import pytest

from service.database import Database
from service.tables import letter_statements
from tests import builders
from tests.benchmarks.letters import PEOPLE

pytestmark = pytest.mark.long

PERSONS, MEETINGS, CLAIMED = 100, 200, 50
_MEETINGS = """
INSERT INTO meeting (id, title, slug, state, starts_local, ends_local, starts_at, ends_at)
SELECT gen_random_uuid(), 'Sitzung ' || n, 'sitzung-' || n, 'held', at, at + '2 hours', at,
    at + interval '2 hours'
FROM generate_series($1::int, $2::int) n,
    LATERAL (SELECT date_trunc('hour', now() - n * interval '1 day')::timestamp AS at) t
"""
_INVITATIONS = """
INSERT INTO invitation (meeting_id, person_id, state)
SELECT m.id, p.id, 'invited' FROM meeting m CROSS JOIN person p ON CONFLICT DO NOTHING
"""
_LETTERS = """
INSERT INTO letter (dedupe_key, kind, recipient_id, subject_id, ordering_key, locale)
SELECT 'inv:' || meeting_id || ':' || person_id, 'invitation', person_id, meeting_id,
    person_id || ':' || meeting_id, 'de'
FROM invitation ON CONFLICT DO NOTHING
"""
_NEWEST = """
SELECT id FROM letter
WHERE subject_id = (SELECT id FROM meeting ORDER BY starts_at DESC LIMIT 1) LIMIT $1
"""


@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
@pytest.mark.parametrize("analyzed_at", [0, 1, MEETINGS])
async def test_claimed_letters_are_looked_up_without_reading_others(
    database: Database, mode: str, analyzed_at: int
) -> None:
    await builders.an_instance(database)
    await database.fetch(PEOPLE, PERSONS)
    for first, last in ((1, 1), (2, MEETINGS)):
        await database.fetch(_MEETINGS, first, last)
        await database.fetch(_INVITATIONS)
        await database.fetch(_LETTERS)
        if last == analyzed_at:
            await database.fetch("ANALYZE letter, invitation, meeting, person")
    ids = [row["id"] for row in await database.fetch(_NEWEST, CLAIMED)]
    steps = _steps(await _plan(database, mode, ids))

    assert len(ids) == CLAIMED
    # A query about so many letters may read small tables as a whole; these two are large.
    assert [] == [each for each in steps if _reads_too_much(each)]


async def _plan(database: Database, mode: str, ids: list[object]) -> dict[str, Any]:
    array = "{" + ",".join(map(str, ids)) + "}"
    async with database.unit_of_work() as unit:
        await unit.connection.execute(f"SET LOCAL plan_cache_mode = {mode}")
        await unit.connection.execute(f"PREPARE looked_up (uuid[]) AS {letter_statements.LOOK_UP}")
        rows = await unit.connection.fetch(
            f"EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE looked_up ('{array}')"
        )
        await unit.connection.execute("DEALLOCATE looked_up")
    found: dict[str, Any] = rows[0][0][0]["Plan"]
    return found


def _steps(step: dict[str, Any]) -> list[dict[str, Any]]:
    return [step, *(each for below in step.get("Plans", []) for each in _steps(below))]


def _reads_too_much(step: dict[str, Any]) -> bool:
    """Tell whether more rows of a large table were read than letters were asked about."""
    read = step["Actual Rows"] + step.get("Rows Removed by Filter", 0)
    is_large = step.get("Relation Name") in {"letter", "invitation"}
    return is_large and read * step["Actual Loops"] > CLAIMED
