"""Claims of a large crowd look at the few rows they take, whatever the planner knows by then."""

import pytest

from notifications import leases, outbox, recording
from service.database import Database

CROWD = 20_000
_CROWD = f"""
SELECT 'key:' || n, 'invitation', NULL::uuid, NULL::uuid, 0, 0, 'person:' || n, 'de', NULL::jsonb,
    5::smallint, now() - interval '1 minute', now() + interval '1 day', 'example.org'
FROM generate_series(1, {CROWD}) n
"""
# A statement that ran some times is planned without its values.
_PREPARE = f"PREPARE claim AS {leases._CLAIM_ALL}"
_EXPLAIN = "EXPLAIN EXECUTE claim (250, 'one', 'relay', false, 120)"


async def post_a_crowd(database: Database) -> None:
    async with database.unit_of_work(statement_seconds=60) as unit:
        await outbox.post_selected(unit.connection, _CROWD)


async def plan_of_claim(database: Database, mode: str) -> str:
    async with database.unit_of_work() as unit:
        await unit.connection.execute(f"SET LOCAL plan_cache_mode = {mode}")
        await unit.connection.execute(_PREPARE)
        rows = await unit.connection.fetch(_EXPLAIN)
        await unit.connection.execute("DEALLOCATE claim")
    return "\n".join(row[0] for row in rows)


@pytest.mark.long
@pytest.mark.parametrize("mode", ["force_custom_plan", "force_generic_plan"])
async def test_a_claim_from_a_crowd_reads_the_index_of_what_is_due(
    database: Database, mode: str
) -> None:
    await post_a_crowd(database)
    found = await plan_of_claim(database, mode)

    assert "Index Scan using outbox_due on outbox o" in found
    assert "Seq Scan on outbox" not in found
    assert "Seq Scan on letter" not in found


@pytest.mark.long
@pytest.mark.parametrize(
    ("statement", "columns"), [(recording._RECORD_ALL, 15), (recording._RECORD_ACCEPTED, 5)]
)
async def test_marks_and_ends_in_a_crowd_find_their_rows_by_their_ids(
    database: Database, statement: str, columns: int
) -> None:
    await post_a_crowd(database)
    async with database.unit_of_work() as unit:
        await unit.connection.execute("SET LOCAL plan_cache_mode = force_generic_plan")
        await unit.connection.execute(f"PREPARE record AS {statement}")
        values = ", ".join(["'{}'"] * 8 + ["900"] + ["'{}'"] * columns + ["'one'"])
        rows = await unit.connection.fetch(f"EXPLAIN EXECUTE record ({values})")
        await unit.connection.execute("DEALLOCATE record")
    found = "\n".join(row[0] for row in rows)

    assert found.count("Index Scan using outbox_pkey on outbox o") == 2
    assert "Seq Scan on outbox" not in found
    assert "Seq Scan on letter" not in found


@pytest.mark.long
async def test_all_of_a_crowd_is_claimed_once(database: Database) -> None:
    await post_a_crowd(database)
    claimed = []
    while found := await leases.claim(database, 250, "one", "relay", paced=False):
        claimed += [letter.id for letter in found]

    assert CROWD == len(claimed) == len(set(claimed))
