"""Mail servers and networks that fail in every phase, and what becomes of the letters."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from tests.end_to_end.programs import Program, until
from tests.faults import proxy
from tests.faults.harness import Stage
from tests.faults.history import History
from tests.faults.proxy import Proxy
from tests.faults.servers import Fault, Faulty
from tests.notifications import smtp_servers
from tests.notifications.smtp_servers import CLOSE, Server

pytestmark = pytest.mark.xdist_group("faults")

FIRST = "m1@example.org"
# Divided by the haste of the worker: greeting 40 s, RCPT 70 s, final reply 120 s.
LATE_GREETING, LATE_RCPT, LATE_REPLY = 40 / 30, 70 / 30, 120 / 30


@dataclass
class Way:
    """One worker, the network behind it, and the mail server at the other end."""

    stage: Stage
    server: Server
    script: Faulty
    network: Proxy
    worker: Program

    async def send(self, count: int, *faults: Fault) -> History:
        """Post letters while these faults strike, and wait until all have ended."""
        self.script.faults = list(faults)
        await self.stage.post(count)
        await self.stage.settled()
        return await self.stage.check(self.server)

    async def row(self) -> Any:
        """Return the letter of the first person."""
        return await self.stage.database.fetchrow(
            "SELECT o.* FROM outbox o JOIN letter l USING (id) JOIN person p"
            " ON p.id = l.recipient_id WHERE p.email = $1",
            FIRST,
        )

    async def blamed(self) -> int:
        """Return how many addresses were put on record."""
        found: int = await self.stage.database.fetchval("SELECT count(*) FROM address_state")
        return found


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def _way(_stage: Stage) -> AsyncIterator[Way]:
    script = Faulty()
    async with (
        smtp_servers.running(script) as server,
        proxy.running(server.port) as network,
        _stage.worker(network.port) as worker,
    ):
        yield Way(_stage, server, script, network, worker)


@pytest_asyncio.fixture(loop_scope="session")
async def way(stage: Stage, _way: Way) -> AsyncIterator[Way]:
    """Lend the way without faults and without letters."""
    _way.server.mails.clear()
    yield _way
    _way.script.faults = []
    _way.server.delays.clear()
    _way.network.heal()


def is_first(recipient: str) -> bool:
    return recipient == FIRST


async def test_13_a_lost_final_reply_is_held_sent_once_more_then_dead(way: Way) -> None:
    found = await way.send(3, Fault(".", CLOSE, is_first))

    assert ("dead", 2) == ((await way.row())["state"], (await way.row())["uncertain_count"])
    assert (3, 1) == (len(found.rows), found.duplicates)


async def test_14_a_greylisting_server_is_asked_again_later_and_nobody_is_blamed(
    way: Way,
) -> None:
    found = await way.send(3, Fault("RCPT", "450 4.2.0 greylisted", is_first, times=3))

    assert {"sent": 3} == await way.stage.states()
    assert (4, 0) == ((await way.row())["attempts"], await way.blamed())
    assert 0 == found.duplicates


async def test_15_an_unknown_address_is_failed_blamed_and_not_tried_again(way: Way) -> None:
    await way.send(5, Fault("RCPT", "550 5.1.1 no such user", is_first))

    assert {"sent": 4, "failed": 1} == await way.stage.states()
    # What is known of addresses is written after the ends of the letters.
    await way.stage.until(way.blamed, "the address is on record")
    assert (1, 1) == ((await way.row())["attempts"], await way.blamed())


async def test_16_a_refusal_for_policy_is_failed_with_an_alarm_and_blames_nobody(
    way: Way,
) -> None:
    await way.send(4, Fault(".", "554 5.7.1 looks like spam", is_first))

    row = await way.row()
    assert ("failed", "policy", 0) == (row["state"], row["reason"], await way.blamed())
    # What it writes passes through a pipe.
    await until(lambda: _is_told(way), "the refusal is in the log")


def _is_told(way: Way) -> bool:
    return any("mail.refused" in line and "policy" in line for line in way.worker.lines)


async def test_17_a_letter_that_is_too_large_fails_alone(way: Way) -> None:
    await way.send(4, Fault("MAIL", "552 5.3.4 too large", times=1))

    reasons = await way.stage.database.fetch("SELECT reason FROM outbox WHERE state = 'failed'")
    assert {"sent": 3, "failed": 1} == await way.stage.states()
    assert (["too_large"], 0) == ([row["reason"] for row in reasons], await way.blamed())


# An alarm about what a test before this one did may still have left.
_ATTEMPTS = "SELECT o.attempts FROM outbox o JOIN letter l USING (id) WHERE l.kind <> 'alarm'"


async def test_19_a_relay_that_is_away_burns_no_attempt_and_what_is_past_its_time_expires(
    way: Way,
) -> None:
    way.network.close()
    await way.stage.post(5)
    first = "UPDATE outbox SET expires_at = now() + interval '1 s' WHERE ordering_key LIKE $1"
    person = await way.stage.database.fetchval("SELECT id FROM person WHERE email = $1", FIRST)
    await way.stage.database.fetch(first, f"%{person}")
    await way.stage.in_state("expired")
    tried = await way.stage.database.fetch(_ATTEMPTS)
    await way.network.open()
    await way.stage.settled()
    found = await way.stage.check(way.server)

    assert [0] * 5 == [row["attempts"] for row in tried]
    assert {"sent": 4, "expired": 1} == await way.stage.states()
    assert (4, 0) == (len(found.copies), found.duplicates)


@pytest.mark.parametrize("phase", ["RCPT", "DATA"])
async def test_20_a_server_that_closes_in_the_middle_gets_the_rest_over_a_fresh_connection(
    way: Way, phase: str
) -> None:
    found = await way.send(
        6,
        Fault(phase, "421 4.3.2 going down", times=1),
        Fault("MAIL", CLOSE, times=2),
    )

    assert {"sent": 6} == await way.stage.states()
    assert 0 == found.duplicates


@pytest.mark.long
async def test_21_slow_greetings_and_replies_are_waited_for_as_long_as_each_deserves(
    way: Way,
) -> None:
    way.server.delays = {"CONNECT": LATE_GREETING}
    await way.stage.post(1)
    await way.stage.until(lambda: _is_paused(way), "the relay rests after the greeting")
    way.server.delays = {f"RCPT TO:<{FIRST}>": LATE_RCPT}
    await way.stage.end_holds()
    await way.stage.until(lambda: _is_paused(way), "the relay rests after RCPT")
    way.server.delays = {".": LATE_REPLY}
    await way.stage.settled()
    found = await way.stage.check(way.server)

    assert (1, 0) == (len(found.copies), found.rows[0]["uncertain_count"])


async def _is_paused(way: Way) -> bool:
    sql = "SELECT count(*) FROM relay_state WHERE paused_until > now()"
    return bool(await way.stage.database.fetchval(sql))


async def cut(way: Way, after: int, *, reset: bool = False, replies: bool = False) -> None:
    """Cut the way of one letter after so many bytes, then let it pass."""
    if replies:
        way.network.cut_reply_after = after
    else:
        way.network.cut_after = after
    way.network.reset = reset
    await way.stage.post(1)

    async def is_cut() -> bool:
        return way.network.cuts > 0 or "sent" in await way.stage.states()

    await way.stage.until(is_cut, "the way was cut")
    way.network.heal()
    await way.stage.settled()


EARLY, LATE = [1, 20, 60, 100], [700, 3000]


@pytest.mark.parametrize(
    "after",
    [100, 3000, *(pytest.param(k, marks=pytest.mark.long) for k in (*EARLY[:3], LATE[0]))],
)
async def test_22_cut_after_some_bytes_it_is_sent_in_the_end_and_only_once_before_the_dot(
    way: Way, after: int
) -> None:
    await cut(way, after)
    found = await way.stage.check(way.server)

    assert {"sent": 1} == await way.stage.states()
    assert (1, 0) == (len(found.copies), found.duplicates)


@pytest.mark.long
@pytest.mark.parametrize("after", [10, 80, 130, 170, 190, 210, 230])
async def test_22_cut_on_the_way_back_it_is_never_called_sent_without_a_reply(
    way: Way, after: int
) -> None:
    await cut(way, after, replies=True)
    found = await way.stage.check(way.server)

    assert {"sent": 1} == await way.stage.states()
    assert found.duplicates <= found.rows[0]["uncertain_count"]


@pytest.mark.parametrize("after", [100, pytest.param(3000, marks=pytest.mark.long)])
async def test_23_a_reset_connection_follows_the_same_rules(way: Way, after: int) -> None:
    await cut(way, after, reset=True)
    found = await way.stage.check(way.server)

    assert (1, 0) == (len(found.copies), found.duplicates)


@pytest.mark.long
async def test_23_a_half_open_connection_hangs_no_longer_than_its_limit(way: Way) -> None:
    way.network.frozen = True
    await way.stage.post(2)
    await way.stage.until(lambda: _is_paused(way), "the relay rests")
    way.network.frozen = False
    await way.stage.settled()
    found = await way.stage.check(way.server)

    assert (2, 0) == (len(found.copies), found.duplicates)


ODD_REPLIES = {
    "not a reply": "hello",
    "never ending": "\r\n".join(["250-more"] * 4000),
    "too long": "250 " + "x" * 9000,
    "two at once": "250 OK\r\n250 OK\r\n250 OK\r\n250 OK",
}


@pytest.mark.parametrize("name", list(ODD_REPLIES))
async def test_24_a_malformed_reply_costs_the_connection_and_no_letter(way: Way, name: str) -> None:
    found = await way.send(2, Fault("RCPT", ODD_REPLIES[name], is_first, times=1))

    assert {"sent": 2} == await way.stage.states()
    assert 0 == found.duplicates


async def test_24_odd_bytes_in_a_refusal_are_stored_as_one_clean_line(way: Way) -> None:
    await way.send(1, Fault("RCPT", "554 5.7.1 no\x00\x1b[31m\x07 \u2028way"))

    text = (await way.row())["last_text"]
    assert text.startswith("5.7.1 no")
    assert [] == [letter for letter in text if not letter.isprintable() and letter != "\u2028"]
