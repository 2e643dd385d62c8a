"""No request leaves a transaction behind that a tick of the same process would write into."""

from datetime import UTC, datetime

import pytest

from service.database import Database
from service.engine import ENGINE
from service.jobs import Tick, Ticks
from service.services import Services
from tests.web import matrix
from tests.web.conftest import SignIn
from tests.web.test_matrix import _GROUP, ROWS, _fill

_OPEN = """
SELECT count(*) FROM pg_stat_activity
WHERE datname = current_database() AND state LIKE 'idle in transaction%'
"""


@pytest.mark.long
async def test_47_after_every_route_was_called_a_tick_finds_no_transaction(
    services: Services, database: Database, sign_in: SignIn
) -> None:
    """Clients and ticks of this test share one task: whatever a request forgot, it would see."""
    own = await database.fetchval(_GROUP, "eigene")
    other = await database.fetchval(_GROUP, "andere")
    world = matrix.World(services, own, other)
    statuses: dict[tuple[str, str], int] = {}
    left: dict[tuple[str, str], object] = {}
    seen: list[object] = []

    async def work(_: datetime) -> None:
        seen.append(ENGINE.current_transaction.get())
        seen.append(await database.fetchval("SELECT pg_current_xact_id_if_assigned()"))

    for key in sorted(ROWS):
        await database.fetchval("DELETE FROM rate_bucket")
        browser = await sign_in("admin")
        row = ROWS[key]
        path = _fill(key[1], await row.make(world) if row.make else {})
        answer = await (
            browser.get(path) if key[0] == "GET" else browser.post(path, dict(row.data))
        )
        statuses[key] = answer.status_code
        left[key] = ENGINE.current_transaction.get()
    await Ticks(database, [Tick("tick", 60, work)], lambda: datetime.now(UTC)).run_all_once()

    assert set(ROWS) == set(statuses)
    # A service whose clock has not run yet says that it is not ready.
    assert [("GET", "/health/ready")] == [key for key, found in statuses.items() if found >= 500]
    assert {} == {key: unit for key, unit in left.items() if unit is not None}
    assert [None, None] == seen
    assert 0 == await database.fetchval(_OPEN)
