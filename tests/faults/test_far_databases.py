"""PostgreSQL is far away: what passes takes its time, is cut, or is never heard of again (F11)."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from notifications import hurrying
from tests.end_to_end.programs import Program
from tests.faults import harness
from tests.faults.harness import Stage
from tests.faults.proxy import Proxy
from tests.notifications import smtp_servers
from tests.notifications.smtp_servers import Server

pytestmark = [pytest.mark.xdist_group("faults"), pytest.mark.long]

COUNT = 40
POOL = 5
CUTS = 5
# What the worker grants a silent connection (75 s, in a hurry 6), and what follows from it.
SILENCE_SECONDS = 6.0
RECOVERY_SECONDS = 100.0
_CONNECTIONS = """
SELECT count(*) FROM pg_stat_activity WHERE application_name = 'terminbuch' AND pid <> ALL ($1)
"""
_OURS = "SELECT array_agg(pid) FROM pg_stat_activity WHERE application_name = 'terminbuch'"


@asynccontextmanager
async def a_far_worker(
    stage: Stage, server: Server, haste: int = harness.HASTE
) -> AsyncIterator[tuple[Program, Proxy]]:
    """Run a worker whose way to the database leads over a proxy."""
    async with stage.far_way() as (network, dsn):
        more = {"TERMINBUCH_DATABASE_URL": dsn, hurrying.VARIABLE: str(haste)}
        async with stage.worker(server.port, **more) as program:
            yield program, network


@pytest.mark.parametrize("milliseconds", [50, 200])
async def test_f11_a_slow_way_costs_time_and_no_letter(stage: Stage, milliseconds: int) -> None:
    # A lease of four seconds is no lease where a question takes a fifth of one.
    async with smtp_servers.running() as server, a_far_worker(stage, server, 1) as (_, network):
        network.delay = milliseconds / 2000
        await stage.post(COUNT)
        await stage.post(COUNT)
        await stage.settled(hurry=False)
        found = await stage.check(server)

    assert {"sent": 2 * COUNT} == await stage.states()
    assert (2 * COUNT, 0) == (len(found.copies), found.duplicates)


async def test_f11_cut_again_and_again_it_goes_on_and_no_connections_pile_up(
    stage: Stage,
) -> None:
    before = await stage.database.fetchval(_OURS)
    async with smtp_servers.running() as server, a_far_worker(stage, server) as (program, network):
        server.delays["."] = 0.05
        for turn in range(CUTS):
            await stage.post(COUNT)
            await stage.in_state("sent", turn * COUNT // 2 + 5)
            network.reset = turn % 2 == 0
            network.hang_up()
        server.delays.clear()
        await stage.settled()
        found = await stage.check(server)
        # What was cut off is noticed by the server a moment later; what piles up stays.
        await stage.until(lambda: _are_few(stage, before), "few connections stand")
        still_runs = program.process.returncode is None

    assert still_runs
    assert {"sent": CUTS * COUNT} == await stage.states()
    assert found.duplicates <= sum(row["uncertain_count"] for row in found.rows)


async def _are_few(stage: Stage, before: list[int]) -> bool:
    return await stage.database.fetchval(_CONNECTIONS, before) <= POOL


async def test_f11_a_connection_that_went_dead_without_a_word_holds_nobody_up(
    stage: Stage,
) -> None:
    async with smtp_servers.running() as server, a_far_worker(stage, server) as (program, network):
        await stage.post(COUNT)
        await stage.in_state("sent", COUNT)
        network.lose()
        await stage.post(COUNT)
        await stage.in_state("sent", 2 * COUNT, SILENCE_SECONDS + RECOVERY_SECONDS)
        code = await program.stop()
        found = await stage.check(server)

    # The loss was felt: the worker spoke, and nobody heard it.
    assert network.unheard > 0
    assert (0, 2 * COUNT, 0) == (code, len(found.copies), found.duplicates)
