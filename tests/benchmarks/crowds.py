"""What a letter costs to post and to claim when 100,000 fall due at once, beside one of 5,000.

Posting is the whole way from a due notice to waiting letters; claiming takes the first ones in
batches, as one worker does. Nothing is sent: that takes as long whoever else waits.
"""

import statistics
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from notifications import leases
from notifications.batches import BATCH_MAX
from service import noticing
from service.services import Services
from tests.benchmarks import letters

FEW = 5000
MANY = 100_000
CLAIMS = FEW // BATCH_MAX
FEW_ROUNDS, MANY_ROUNDS = 3, 1
MOST = 1.5


def run() -> list[str]:
    """Return the figures as lines."""
    return letters.run_apart(_measure)


async def _measure(folder: Path) -> list[str]:
    async with letters.opened(folder) as services:
        few = [await _post_and_claim(services, FEW) for _ in range(FEW_ROUNDS)]
        many = [await _post_and_claim(services, MANY) for _ in range(MANY_ROUNDS)]
    return [
        _verdict(what, [each[n] for each in few], [each[n] for each in many])
        for n, what in enumerate(("posting", "claiming"))
    ]


async def _post_and_claim(services: Services, count: int) -> tuple[float, float]:
    """Return microseconds a letter for each of the two."""
    database = services.database
    async with database.unit_of_work(statement_seconds=600) as unit:
        await letters.forget_all(unit.connection)
        await unit.connection.execute(letters.PEOPLE, count)
        await unit.connection.execute("ANALYZE")
    await letters.a_due_session(database)
    started = time.perf_counter()
    posted = await noticing.queue_due(database, datetime.now(UTC))
    posting = time.perf_counter() - started
    started = time.perf_counter()
    claimed = 0
    for _ in range(CLAIMS):
        claimed += len(await leases.claim(database, BATCH_MAX, "bench", "relay", paced=False))
    claiming = time.perf_counter() - started
    if (posted, claimed) != (count, CLAIMS * BATCH_MAX):
        raise RuntimeError(f"{posted} letters posted, {claimed} claimed")
    return posting / posted * 1e6, claiming / claimed * 1e6


def _verdict(what: str, few: Sequence[float], many: Sequence[float]) -> str:
    one, other = statistics.median(few), statistics.median(many)
    factor = other / one
    reached = "reached" if factor <= MOST else "missed"
    return (
        f"{what}: {one:.0f} us a letter of {FEW}, {other:.0f} of {MANY}, "
        f"{factor:.2f} times as long (at most {MOST:g}: {reached})"
    )
