"""While too much was refused for crowds to leave, alarms and sign-ins are tried one by one."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest

from notifications import backoff, leases, pauses
from notifications.backoff import Outcome
from notifications.outbox import NewLetter
from notifications.postman import Options, Postman
from service import relaying
from service.database import Database
from tests.notifications import builders, smtp_servers
from tests.notifications.builders import a_letter
from tests.notifications.smtp_servers import Server, Session
from tests.notifications.test_claim_plans import post_a_crowd
from tests.notifications.test_pauses import relay_row
from tests.notifications.test_postman import a_postman, deliver, states

OPTIONS = Options(pressing_kinds=("sign_in", "alarm"))
SPAM = "554 5.7.1 looks like spam"


@dataclass
class Mood:
    """A script that answers so to one line's verb for as long as a test wants it."""

    verb: str = "."
    words: str | None = None

    def __call__(self, line: str, _: Session) -> str | None:
        """Answer a line."""
        return self.words if line.split(" ", maxsplit=1)[0] == self.verb else None


def a_sign_in(number: int = 90, **more: Any) -> NewLetter:
    return a_letter(number, **({"kind": "sign_in", "priority": 0} | more))


def an_alarm(number: int = 91) -> NewLetter:
    return a_letter(number, kind="alarm", priority=1)


def a_watchful(database: Database, server: Server) -> Postman:
    return a_postman(database, server, options=OPTIONS, connections=1)


async def open_circuit(
    database: Database, server: Server, reason: str = pauses.POLICY_REFUSED
) -> None:
    await pauses.pause(database, server.relay().name, 3600, reason, alarm=True)


async def states_of(database: Database, kind: str) -> Counter[str]:
    sql = "SELECT o.state FROM outbox o JOIN letter l USING (id) WHERE l.kind = $1"
    return Counter(row["state"] for row in await database.fetch(sql, kind))


async def let_wait_no_longer(database: Database) -> None:
    await database.fetch("UPDATE outbox SET next_attempt_at = now() WHERE state = 'queued'")


def test_sign_ins_and_alarms_are_what_is_tried() -> None:
    assert ("sign_in", "alarm") == relaying.PRESSING_KINDS


UNWELCOME = pytest.mark.parametrize("words", [SPAM, "554 spam", "550 no"])


@pytest.mark.parametrize("reason", pauses.CIRCUIT)
async def test_alarms_and_sign_ins_leave_while_the_circuit_is_open_and_crowds_stay(
    database: Database, reason: str
) -> None:
    crowd = (a_letter(number) for number in range(20))
    await builders.post(database, *crowd, a_sign_in(), an_alarm())
    async with smtp_servers.running() as server:
        await open_circuit(database, server, reason)
        before = await relay_row(database)
        await deliver(a_watchful(database, server))

    assert Counter(queued=20) == await states_of(database, "invitation")
    assert (Counter(sent=1), Counter(sent=1)) == (
        await states_of(database, "sign_in"),
        await states_of(database, "alarm"),
    )
    after = await relay_row(database)
    # What was welcome at once was perhaps never unwelcome: it proves nothing about the crowd.
    assert (before["reason"], before["paused_until"]) == (after["reason"], after["paused_until"])


async def test_a_storm_of_refusals_is_told_at_once(database: Database) -> None:
    await builders.post(database, *(a_letter(number) for number in range(20)))
    mood = Mood(words=SPAM)
    async with smtp_servers.running(mood) as server:
        postman = a_watchful(database, server)
        await postman.deliver()
        mood.words = None
        await builders.post(database, an_alarm())
        await postman.deliver()
        await postman.stop()

    assert Counter(sent=1) == await states_of(database, "alarm")
    assert pauses.POLICY_REFUSED == (await relay_row(database))["reason"]
    assert {5, 6} >= {(await states(database))["failed"]}


async def test_a_refused_trial_waits_for_its_next_try_and_prolongs_nothing(
    database: Database,
) -> None:
    await builders.post(database, *(a_sign_in(number) for number in range(8)))
    async with smtp_servers.running(Mood(words=SPAM)) as server:
        await open_circuit(database, server)
        before = await relay_row(database)
        await deliver(a_watchful(database, server))

    after = await relay_row(database)
    assert Counter(queued=8) == await states(database)
    sql = "SELECT DISTINCT reason, attempts, next_attempt_at > now() AS waits FROM outbox"
    assert [("policy", 1, True)] == [tuple(row) for row in await database.fetch(sql)]
    assert (before["paused_until"], before["counted_from"]) == (
        after["paused_until"],
        after["counted_from"],
    )


@UNWELCOME
async def test_what_was_refused_and_is_accepted_now_lets_all_others_leave(
    database: Database, words: str
) -> None:
    await builders.post(database, *(a_letter(number) for number in range(20)), a_sign_in())
    mood = Mood(words=words)
    async with smtp_servers.running(mood) as server:
        await open_circuit(database, server)
        postman = a_watchful(database, server)
        await postman.deliver()
        mood.words = None
        await let_wait_no_longer(database)
        await postman.deliver()
        await postman.deliver()
        await postman.stop()

    row = await relay_row(database)
    assert (None, None) == (row["reason"], row["paused_until"])
    assert Counter(sent=21) == await states(database)


async def test_an_accepted_letter_does_not_vouch_for_a_list_of_dead_addresses(
    database: Database,
) -> None:
    await builders.post(database, a_letter(), a_sign_in())
    mood = Mood(words=SPAM)
    async with smtp_servers.running(mood) as server:
        await open_circuit(database, server, pauses.MANY_REFUSED)
        postman = a_watchful(database, server)
        await postman.deliver()
        mood.words = None
        await let_wait_no_longer(database)
        await postman.deliver()
        await postman.stop()

    row = await relay_row(database)
    assert (pauses.MANY_REFUSED, True) == (row["reason"], row["rests"])
    assert Counter(queued=1, sent=1) == await states(database)


async def test_a_trial_to_a_dead_address_fails_alone(database: Database) -> None:
    await builders.post(database, *(a_sign_in(number) for number in range(20)))
    async with smtp_servers.running(Mood("RCPT", "550 5.1.1 no such user")) as server:
        await open_circuit(database, server)
        before = await relay_row(database)
        await deliver(a_watchful(database, server))

    after = await relay_row(database)
    assert Counter(failed=20) == await states(database)
    assert (before["reason"], before["paused_until"]) == (after["reason"], after["paused_until"])


async def test_a_relay_that_cannot_be_used_is_asked_for_one_trial_only(database: Database) -> None:
    await builders.post(database, *(a_sign_in(number) for number in range(5)))
    async with smtp_servers.running(Mood("CONNECT", "554 no service")) as server:
        await open_circuit(database, server)
        before = await relay_row(database)
        postman = a_watchful(database, server)
        for _ in range(3):
            await postman.deliver()
        await postman.stop()

    after = await relay_row(database)
    rows = await database.fetch("SELECT DISTINCT state, attempts FROM outbox")
    assert (1, [("queued", 0)]) == (server.connections, [tuple(row) for row in rows])
    assert (before["reason"], before["paused_until"]) == (after["reason"], after["paused_until"])


@pytest.mark.parametrize("reason", ["relay_down", "relay_config", "relay_busy"])
async def test_a_relay_that_rests_for_another_reason_is_left_alone(
    database: Database, reason: str
) -> None:
    await builders.post(database, a_sign_in(), an_alarm())
    async with smtp_servers.running() as server:
        await pauses.pause(database, server.relay().name, 60, reason)
        await deliver(a_watchful(database, server))

    assert (0, Counter(queued=2)) == (server.connections, await states(database))


async def test_trials_are_claimed_one_by_one_and_only_while_the_circuit_is_open(
    database: Database,
) -> None:
    await builders.post(database, a_sign_in(1), a_sign_in(2), a_letter(3, priority=0))
    kinds = OPTIONS.pressing_kinds
    closed = await leases.claim_trial(database, "one", "mail:25", kinds)
    await pauses.pause(database, "mail:25", 3600, pauses.POLICY_REFUSED)
    found = [await leases.claim_trial(database, "one", "mail:25", kinds) for _ in range(3)]
    elsewhere = await leases.claim_trial(database, "one", "other:25", kinds)

    assert ([], [1, 1, 0], []) == (closed, [len(each) for each in found], elsewhere)


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Outcome("failed", "policy", alarm=True), Outcome("queued", "policy", delay=120.0)),
        (Outcome("failed", "content_refused"), Outcome("queued", "content_refused", delay=120.0)),
        (Outcome("failed", "address_refused"), Outcome("failed", "address_refused")),
        (Outcome("queued", "temporary", delay=5.0), Outcome("queued", "temporary", delay=5.0)),
    ],
)
def test_only_what_is_unwelcome_is_put_off(outcome: Outcome, expected: Outcome) -> None:
    assert expected == backoff.put_off(outcome, 1)


@pytest.mark.long
async def test_a_trial_is_not_looked_for_in_a_crowd_that_waits(database: Database) -> None:
    await post_a_crowd(database)
    await pauses.pause(database, "relay", 3600, pauses.POLICY_REFUSED)
    async with database.unit_of_work() as unit:
        await unit.connection.execute(f"PREPARE trial AS {leases._CLAIM_TRIAL}")
        rows = await unit.connection.fetch(
            "EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE trial"
            " (1, 'one', 'relay', false, 120, '{sign_in}', '{policy_refused}')"
        )
        await unit.connection.execute("DEALLOCATE trial")

    steps = _steps(rows[0][0][0]["Plan"])
    assert "Seq Scan" not in {each["Node Type"] for each in steps if "outbox" in str(each)}
    assert 10 > max(each["Actual Rows"] for each in steps)


def _steps(step: dict[str, Any]) -> list[dict[str, Any]]:
    return [step, *(each for below in step.get("Plans", []) for each in _steps(below))]
