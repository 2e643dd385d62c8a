"""Workers die at every named point: nothing is lost, and copies are the same bytes."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime

import pytest

from notifications import crashing, leases
from tests import builders
from tests.end_to_end.programs import Program
from tests.faults import harness, servers
from tests.faults.harness import Stage
from tests.faults.history import History
from tests.faults.servers import Fault, Faulty
from tests.notifications import smtp_servers
from tests.notifications.smtp_servers import Server

pytestmark = pytest.mark.xdist_group("faults")

COUNT = 30
CONNECTIONS = 3
# Of each connection the letter in DATA and the one marked ahead.
MARKED = 2 * CONNECTIONS
# Ends that were not written yet count too: see the limit of the postman.
UNWRITTEN = MARKED + 5 * CONNECTIONS
SEVERAL = [
    "before_claim",
    "before_render:9",
    "after_render:9",
    "after_connect",
    "after_mail:9",
    "mid_data:9",
    "after_mark:9",
    "after_dot",
    "after_reply",
    "after_end:2",
    "in_retry",
    "in_reap",
]


@asynccontextmanager
async def dying(stage: Stage, server: Server, point: str) -> AsyncIterator[Program]:
    """Run a worker that is going to die at the point, and wait for its end."""
    async with stage.worker(server.port, crash=point) as program:
        yield program
        code = await program.process.wait()
        await stage.hear_last_words()
    assert crashing.EXIT_CODE == code, "\n".join(program.lines)


async def kill_and_recover(stage: Stage, point: str, *faults: Fault) -> History:
    """Let one worker die at the point, and another one do what is left."""
    await stage.post(COUNT)
    async with smtp_servers.running(Faulty(list(faults))) as server:
        async with dying(stage, server, point):
            pass
        await stage.rescue(server.port)
        return await stage.check(server)


def unclear(found: History) -> int:
    return sum(row["uncertain_count"] > 0 for row in found.rows)


async def test_4_a_kill_after_the_claim_sends_once_after_the_lease(stage: Stage) -> None:
    found = await kill_and_recover(stage, "after_claim")

    assert (COUNT, 0) == (len(found.copies), unclear(found))
    # The smallest batch was claimed twice, everything else once.
    assert 8 == sum(row["lease_token"] == 2 for row in found.rows)


@pytest.mark.long
async def test_5_a_kill_after_rcpt_before_the_mark_sends_once(stage: Stage) -> None:
    found = await kill_and_recover(stage, "after_rcpt")

    assert (COUNT, 0) == (len(found.copies), found.duplicates)


async def test_6_a_kill_after_the_mark_is_unclear_and_sent_once_after_the_hold(
    stage: Stage,
) -> None:
    found = await kill_and_recover(stage, "after_mark")

    assert 1 <= unclear(found) <= MARKED
    assert {0, 1} == {row["uncertain_count"] for row in found.rows}
    assert found.duplicates <= unclear(found) - 1


async def test_7_a_kill_after_the_dot_gives_one_copy_at_most_and_the_same_bytes(
    stage: Stage,
) -> None:
    found = await kill_and_recover(stage, "after_dot:9")

    assert 1 <= unclear(found) <= UNWRITTEN
    assert found.duplicates <= unclear(found)


@pytest.mark.long
async def test_8_a_kill_between_the_reply_and_the_commit_gives_one_copy_at_most(
    stage: Stage,
) -> None:
    found = await kill_and_recover(stage, "after_reply:9")

    assert 1 <= found.duplicates <= unclear(found) <= UNWRITTEN


@pytest.mark.long
@pytest.mark.parametrize("point", SEVERAL)
async def test_a_kill_at_any_other_point_loses_nothing(stage: Stage, point: str) -> None:
    faults = [Fault("RCPT", "451 4.3.0 later", times=1)] if point == "in_retry" else []
    found = await kill_and_recover(stage, point, *faults)

    assert {"sent": COUNT} == await stage.states()
    assert unclear(found) <= UNWRITTEN


@pytest.mark.long
async def test_a_kill_in_the_drain_loses_nothing(stage: Stage) -> None:
    await stage.post(COUNT)
    async with smtp_servers.running() as server:
        server.delays["."] = 0.3
        async with dying(stage, server, "in_drain") as program:
            await stage.in_state("sent", 3)
            program.tell(signal.SIGTERM)
        server.delays.clear()
        await stage.rescue(server.port)
        found = await stage.check(server)

    assert {"sent": COUNT} == await stage.states()
    assert unclear(found) <= UNWRITTEN


async def a_notice(stage: Stage, people: int) -> None:
    """Let the office invite so many people right now."""
    meeting = await builders.read(stage.database, "meeting", stage.meeting_id)
    ids = await stage.database.fetch("SELECT id FROM person ORDER BY email LIMIT $1", people)
    now = datetime.now(UTC)
    person_ids = [row["id"] for row in ids]
    more = {"kind": "nudge", "person_ids": person_ids, "due_at": now, "created_at": now}
    await builders.a_notice(stage.database, meeting, **more)


@pytest.mark.parametrize(
    ("point", "letters"),
    [
        pytest.param("in_posting", 0, id="1_before_the_commit_no_row"),
        pytest.param("before_wake", 200, id="2_after_the_commit_all_rows", marks=pytest.mark.long),
    ],
)
async def test_3_a_kill_while_a_notice_becomes_200_letters_leaves_all_or_none(
    stage: Stage, point: str, letters: int
) -> None:
    await a_notice(stage, 200)
    async with smtp_servers.running() as server:
        server.delays["CONNECT"] = 60
        async with dying(stage, server, point):
            pass
        posted = sum((await stage.states()).values())
        server.delays.clear()
        async with stage.worker(server.port):
            await stage.in_state("sent", 200)
        found = await stage.check(server)

    assert letters == posted
    assert (200, 200, 0) == (len(found.rows), len(found.copies), found.duplicates)


async def test_9_asked_to_stop_letters_in_flight_finish_and_the_rest_is_released(
    stage: Stage,
) -> None:
    await stage.post(COUNT)
    async with smtp_servers.running() as server:
        server.delays["."] = 0.5
        async with stage.worker(server.port) as program:
            await stage.in_state("sent", 2)
            code = await program.stop()
        found = await stage.history(servers.copies(server))

    assert (0, 0) == (code, unclear(found))
    states = await stage.states()
    assert {"sent", "queued"} == set(states)
    assert len(found.copies) == states["sent"]
    assert {("sent", 1), ("queued", 0)} == {(row["state"], row["attempts"]) for row in found.rows}


async def test_10_frozen_after_the_claim_another_worker_sends_and_the_late_mark_is_refused(
    stage: Stage,
) -> None:
    await stage.post(3)
    async with smtp_servers.running() as server:
        server.script = Faulty([Fault("CONNECT", smtp_servers.HANG)])
        async with stage.worker(server.port) as program:
            await stage.in_state("sending", 3)
            harness.freeze(program)
            server.script = servers.NOTHING
            await stage.rescue(server.port)
            harness.thaw(program)
            await stage.let_pass(10)
            code = await program.stop()
        found = await stage.check(server)

    assert 0 == code
    assert (3, 0) == (len(found.copies), unclear(found))


async def test_11_frozen_after_the_mark_the_late_end_is_accepted_and_no_copy_leaves(
    stage: Stage,
) -> None:
    await stage.post(1)
    async with smtp_servers.running() as server:
        reply = server.held["."] = asyncio.Event()
        async with stage.worker(server.port) as program:
            await stage.until(lambda: _is_marked(stage), "the letter is marked")
            harness.freeze(program)
            await stage.database.fetch("UPDATE outbox SET lease_until = now() - interval '1 s'")
            await _reap(stage)
            states = await stage.states()
            reply.set()
            harness.thaw(program)
            await stage.in_state("sent")
            await program.stop()
        found = await stage.check(server)

    assert {"uncertain": 1} == states
    assert (1, 1) == (len(found.copies), unclear(found))


async def _is_marked(stage: Stage) -> bool:
    sql = "SELECT count(*) FROM outbox WHERE data_started_at IS NOT NULL"
    return bool(await stage.database.fetchval(sql))


async def _reap(stage: Stage) -> None:
    await leases.reap(stage.database)


@pytest.mark.parametrize(
    ("workers", "people"),
    [(2, 100), pytest.param(4, 1000, marks=pytest.mark.long)],
)
async def test_12_several_workers_send_each_letter_once_and_in_order(
    stage: Stage, workers: int, people: int
) -> None:
    await stage.post(people)
    await stage.post(people)
    async with smtp_servers.running() as server, AsyncExitStack() as stack:
        for _ in range(workers):
            await stack.enter_async_context(stage.worker(server.port))
        await stage.settled(hurry=False)
        found = await stage.check(server)

    assert {"sent": 2 * people} == await stage.states()
    assert (2 * people, 0) == (len(found.copies), found.duplicates)


async def test_13_with_smtp_sink_that_hangs_up_after_the_dot(stage: Stage) -> None:
    await stage.post(2)
    async with servers.smtp_sink("-q", ".") as port:
        await stage.rescue(port)
        found = await stage.history([])

    assert {("dead", 2)} == {(row["state"], row["uncertain_count"]) for row in found.rows}


@pytest.mark.long
async def test_26_a_slow_server_and_a_stop_never_mispair_replies(stage: Stage) -> None:
    await stage.post(40)
    async with smtp_servers.running() as server:
        server.delays["."] = 0.05
        async with stage.worker(server.port) as program:
            await stage.in_state("sent", 5)
            await program.stop()
        await stage.rescue(server.port)
        found = await stage.check(server)

    assert (40, 0) == (len(found.copies), found.duplicates)
