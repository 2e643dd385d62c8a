"""PostgreSQL dies under the worker, and comes back."""

import asyncio
import time
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable

import pytest

from service.database import Database, GoodbyeError
from service.engine import OUTAGES
from tests.end_to_end.programs import running
from tests.faults.harness import Stage
from tests.faults.test_kills import MARKED, a_notice
from tests.notifications import smtp_servers
from tests.notifications.smtp_servers import Server
from tests.ports import free_port

pytestmark = pytest.mark.xdist_group("faults")

COUNT = 20
RECOVERY_SECONDS = 15.0
ROUNDS = 4
# Where the mail server makes the worker wait, so that its next statement meets the dead server.
WAITS = {"claim": "CONNECT", "mark": "DATA", "end": "."}


async def restart_during(stage: Stage, server: Server, line: str) -> float:
    """Let PostgreSQL die while the worker waits for the reply to this line.

    Return how many seconds it then took until the first letter was sent.
    """
    before = (await stage.states()).get("sent", 0)
    reached = server.reached[line] = asyncio.Event()
    server.delays[line] = 1.0
    await stage.post(COUNT)
    await asyncio.wait_for(reached.wait(), 100)
    await stage.restart_at_once()
    server.delays.clear()
    started = time.monotonic()
    await stage.in_state("sent", before + 1)
    return time.monotonic() - started


@pytest.mark.parametrize(
    "moment", ["end", *(pytest.param(each, marks=pytest.mark.long) for each in ("claim", "mark"))]
)
async def test_27_a_database_that_restarts_costs_no_letter_and_no_worker(
    stage: Stage, moment: str
) -> None:
    async with smtp_servers.running(extensions=()) as server, stage.worker(server.port) as program:
        recovered = [await restart_during(stage, server, WAITS[moment])]
        await stage.settled()
        # The machine may stand still once or twice; who needs so long by itself is never faster.
        while recovered[-1] >= RECOVERY_SECONDS and len(recovered) < ROUNDS:
            recovered.append(await restart_during(stage, server, WAITS[moment]))
            await stage.settled()
        found = await stage.check(server)
        still_runs = program.process.returncode is None

    assert still_runs
    assert {"sent": COUNT * len(recovered)} == await stage.states()
    assert min(recovered) < RECOVERY_SECONDS, recovered
    assert found.duplicates <= sum(row["uncertain_count"] for row in found.rows)


@pytest.mark.long
async def test_27_a_database_that_restarts_while_idle_or_expanding_costs_no_letter(
    stage: Stage,
) -> None:
    async with smtp_servers.running() as server, stage.worker(server.port):
        await asyncio.sleep(2)
        await stage.restart_at_once()
        await stage.until(lambda: _answers(stage), "the database answers")
        await a_notice(stage, 200)
        await asyncio.sleep(0.3)
        await stage.restart_at_once()
        await stage.in_state("sent", 200)
        found = await stage.check(server)

    assert 200 == len(found.rows)


async def _answers(stage: Stage) -> bool:
    return bool(await stage.database.fetchval("SELECT 1"))


@pytest.mark.long
async def test_28_while_the_database_is_away_readiness_says_so_and_nothing_is_lost(
    stage: Stage,
) -> None:
    port = free_port()
    async with smtp_servers.running() as server:
        await stage.trust(server.port)
        settings = stage.environment(server.port) | {"TERMINBUCH_PORT": str(port)}
        async with running(settings, "serve", "--role", "all"):
            await stage.until(lambda: ready(port, 200), "it is ready")
            server.delays["DATA"] = 1.0
            await stage.post(COUNT)
            # The first letters take their time, so that most are not begun when it stops.
            await stage.in_state("sending")
            await asyncio.to_thread(stage.postgres, "stop", "-m", "immediate")
            mails = len(server.mails)
            server.delays.clear()
            # So long it may do what it must not; however slow it is, it says so in the end.
            await asyncio.sleep(3)
            await stage.until(lambda: ready(port, 503), "it is not ready")
            away = await status(port, "ready"), await status(port, "live")
            late = len(server.mails) - mails
            await asyncio.to_thread(stage.server.start, fsync=True)
            await stage.until(lambda: ready(port, 200), "it is ready again")
            await stage.settled()
            found = await stage.check(server)

    assert (503, 200) == away
    # What was in DATA may end; nothing more is begun.
    assert late <= MARKED
    assert {"sent": COUNT} == await stage.states()
    assert found.duplicates <= sum(row["uncertain_count"] for row in found.rows)


async def test_a_connection_that_heard_goodbye_and_no_end_is_cut_and_replaced(
    stage: Stage,
) -> None:
    async with stage.far_way() as (way, dsn), Database(dsn, pool_size=1) as database:
        way.hides_end = True
        errors = []
        for ask in (database.fetchval, _ask_in_a_unit(database)):
            pid = await database.fetchval("SELECT pg_backend_pid()")
            before = way.ended
            await stage.database.fetch("SELECT pg_terminate_backend($1)", pid)
            async with asyncio.timeout(100):
                while way.ended == before:
                    await asyncio.sleep(0.01)
            # What was said lies in our own buffer; two rounds of the loop read it.
            for _ in range(2):
                await asyncio.sleep(0)
            with pytest.raises(GoodbyeError) as caught:
                await ask("SELECT 1")
            errors.append(isinstance(caught.value, OUTAGES))
        way.hides_end = False
        answer = await database.fetchval("SELECT 1")

    assert ([True, True], 1) == (errors, answer)


def _ask_in_a_unit(database: Database) -> Callable[[str], Awaitable[object]]:
    async def ask(sql: str) -> object:
        async with database.unit_of_work() as unit:
            return await unit.connection.fetchval(sql)

    return ask


async def ready(port: int, wanted: int) -> bool:
    return await status(port, "ready") == wanted


async def status(port: int, what: str) -> int:
    def ask() -> int:
        try:
            address = f"http://localhost:{port}/health/{what}"
            with urllib.request.urlopen(address, timeout=60) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code
        except OSError:
            return 0

    return await asyncio.to_thread(ask)
