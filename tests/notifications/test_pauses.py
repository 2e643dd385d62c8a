"""A relay rests, tells somebody in time, and starts again; crowds leave only after the trial."""

import asyncio
import itertools
from collections import Counter
from typing import Any

import pytest

from notifications import pauses
from notifications.outbox import NewLetter
from notifications.postman import Options, Postman
from service.database import Database
from tests.notifications import builders, smtp_servers
from tests.notifications.builders import AClerk, a_letter
from tests.notifications.smtp_servers import Server, Session
from tests.notifications.test_postman import a_postman, deliver, make_due, states

RELAY = "mail:25"


async def relay_row(database: Database) -> Any:
    return await database.fetchrow("SELECT *, paused_until > now() AS rests FROM relay_state")


async def relay_row_of(database: Database, relay: str) -> Any:
    sql = "SELECT *, paused_until > now() AS rests FROM relay_state WHERE relay = $1"
    return await database.fetchrow(sql, relay)


async def age(database: Database, column: str, minutes: int) -> None:
    sql = f"UPDATE relay_state SET {column} = now() - make_interval(mins => $1)"
    await database.fetch(sql, minutes)


async def test_a_relay_that_is_away_is_told_after_ten_minutes_and_once_an_hour(
    database: Database,
) -> None:
    first = await pauses.pause(database, RELAY, 10, "relay_down")
    await age(database, "failing_since", 9)
    soon = await pauses.pause(database, RELAY, 10, "relay_down")
    await age(database, "failing_since", 11)
    told = [await pauses.pause(database, RELAY, 10, "relay_down") for _ in range(2)]
    await age(database, "alarmed_at", 61)
    again = await pauses.pause(database, RELAY, 10, "relay_down")

    assert (first, soon, told, again) == (False, False, [True, False], True)


async def test_every_second_letter_refused_stops_the_rest(database: Database) -> None:
    await builders.post(database, *(a_letter(number) for number in range(60)))
    turns = itertools.cycle([None, "554 spam"])
    async with smtp_servers.running(lambda line, _: next(turns) if line == "." else None) as server:
        await deliver(a_postman(database, server, connections=1))

    found = await states(database)
    # The sixteenth opens the circuit; one letter was marked ahead.
    assert (True, True) == (found["failed"] in {16, 17}, found["queued"] in range(26, 29))
    assert "policy_refused" == (await relay_row(database))["reason"]


async def test_a_relay_that_is_set_up_wrong_is_told_at_once(database: Database) -> None:
    found = [await pauses.pause(database, RELAY, 10, "relay_config", alarm=True) for _ in range(2)]

    assert found == [True, False]


async def test_a_relay_that_works_again_starts_its_time_anew(database: Database) -> None:
    await pauses.pause(database, RELAY, 10, "relay_down")
    await age(database, "failing_since", 11)
    await pauses.note_ok(database, RELAY)

    told = await pauses.pause(database, RELAY, 10, "relay_down")

    assert (told, await pauses.failures(database, RELAY)) == (False, 1)


async def test_after_an_outage_that_was_told_the_next_one_has_its_ten_minutes_again(
    database: Database,
) -> None:
    await pauses.pause(database, RELAY, 10, "relay_down")
    await age(database, "failing_since", 11)
    told = [await pauses.pause(database, RELAY, 10, "relay_down")]
    await pauses.note_ok(database, RELAY)
    told.append(await pauses.pause(database, RELAY, 10, "relay_down"))
    row = await relay_row(database)
    await age(database, "failing_since", 11)
    told.append(await pauses.pause(database, RELAY, 10, "relay_down"))

    assert ([True, False, True], None) == (told, row["alarmed_at"])


async def test_a_short_failure_after_the_circuits_time_is_no_news(database: Database) -> None:
    await pauses.pause(database, RELAY, 3600, pauses.POLICY_REFUSED, alarm=True)
    for column in ("failing_since", "paused_until", "alarmed_at"):
        await age(database, column, 61)

    told = await pauses.pause(database, RELAY, 10, "relay_down")

    row = await relay_row(database)
    assert (False, "relay_down", None) == (told, row["reason"], row["alarmed_at"])
    assert 1 == await pauses.failures(database, RELAY)


async def test_two_short_failures_with_nothing_to_send_between_are_no_outage(
    database: Database,
) -> None:
    await pauses.pause(database, RELAY, 10, "relay_down")
    await age(database, "failing_since", 300)
    await age(database, "paused_until", 299)
    told = [await pauses.pause(database, RELAY, 10, "relay_down")]
    await age(database, "failing_since", 11)
    told.append(await pauses.pause(database, RELAY, 10, "relay_down"))

    assert [False, True] == told


async def test_the_circuit_that_opens_again_after_its_time_is_told_again(
    database: Database,
) -> None:
    await pauses.pause(database, RELAY, 3600, pauses.POLICY_REFUSED, alarm=True)
    await age(database, "paused_until", 1)

    assert await pauses.pause(database, RELAY, 3600, pauses.POLICY_REFUSED, alarm=True)


async def test_the_pause_of_the_circuit_outlives_a_letter_that_another_worker_sent(
    database: Database,
) -> None:
    await pauses.pause(database, RELAY, 3600, pauses.MANY_REFUSED, alarm=True)
    await pauses.note_ok(database, RELAY)
    await pauses.pause(database, RELAY, 10, "relay_down")

    row = await relay_row(database)
    assert (row["reason"], row["rests"]) == (pauses.MANY_REFUSED, True)


@pytest.mark.parametrize(
    ("ended", "expected"),
    [
        (["policy"] * 5, "policy_refused"),
        (["policy"] * 4 + ["sent"] + ["policy"], None),
        (["address_refused"] * 15 + ["sent"] * 35, None),
        (["address_refused"] * 16 + ["sent"] * 34, "many_refused"),
        (["address_refused"] * 16, "many_refused"),
        (["content_refused", "policy"] * 3, "policy_refused"),
        (["policy", "sent"] * 15, None),
        (["policy", "sent"] * 16, "policy_refused"),
        (["content_refused", "sent"] * 16, "policy_refused"),
        (["too_large", "sent"] * 16, "many_refused"),
        (["address_refused", "sent", "policy", "sent"] * 8, "many_refused"),
        (["sent"] * 50 + ["address_refused"] * 50, None),
        ([], None),
    ],
)
def test_the_last_fifty_letters_decide_about_the_circuit(
    ended: list[str], expected: str | None
) -> None:
    assert expected == pauses.judge_circuit(ended)


async def test_a_list_of_dead_addresses_stops_itself(database: Database) -> None:
    await builders.post(database, *(a_letter(number) for number in range(60)))
    script: smtp_servers.Script = lambda line, _: (  # noqa: E731
        "550 5.1.1 no such user" if line.startswith("RCPT") else None
    )
    async with smtp_servers.running(script) as server:
        await deliver(a_postman(database, server, connections=1))
        stopped = await states(database)
        await deliver(a_postman(database, server, connections=1))

    row = await relay_row(database)
    assert (row["reason"], row["rests"], row["alarmed_at"] is not None) == (
        "many_refused",
        True,
        True,
    )
    # The sixteenth opens the circuit; one letter a connection was marked ahead.
    assert stopped["failed"] in {16, 17}
    assert await states(database) == stopped


@pytest.mark.parametrize("words", ["554 5.7.1 looks like spam", "554 spam", "550 no"])
async def test_five_unwelcome_letters_in_a_row_stop_the_rest(
    database: Database, words: str
) -> None:
    await builders.post(database, *(a_letter(number) for number in range(20)))
    script: smtp_servers.Script = lambda line, _: words if line == "." else None  # noqa: E731
    async with smtp_servers.running(script) as server:
        await deliver(a_postman(database, server, connections=1))

    assert (await states(database))["failed"] in {5, 6}
    assert (await relay_row(database))["reason"] == "policy_refused"
    assert await database.fetchval("SELECT count(*) FROM address_state") == 0


async def test_two_relays_share_neither_refusals_nor_pauses(database: Database) -> None:
    await builders.post(database, *(a_letter(number) for number in range(40)))
    refuse: smtp_servers.Script = lambda line, _: (  # noqa: E731
        "550 5.1.1 no such user" if line.startswith("RCPT") else None
    )
    async with smtp_servers.running(refuse) as bad, smtp_servers.running() as good:
        await deliver(a_postman(database, bad, connections=1))
        await deliver(a_postman(database, good, connections=1))

        row = await relay_row_of(database, good.relay().name)
        refused = await pauses.recent(database, bad.relay().name)
        taken = await pauses.recent(database, good.relay().name)
    assert (None, False) == (row["reason"], bool(row["rests"]))
    assert (set(), {"sent"}) == (set(refused), set(taken))
    assert (await states(database))["queued"] == 0


async def test_a_busy_relay_does_not_hide_what_another_one_refused(database: Database) -> None:
    for worker, relay, outcome in (("a", "good:25", "sent"), ("b", "bad:25", "failed")):
        await pauses.note_worker(database, worker, relay)
        await database.fetch(
            "INSERT INTO mail_attempt (letter_id, lease_token, worker, started_at, ended_at,"
            " outcome, reason) SELECT $1, 1, $2, now(), now(), $3,"
            " CASE WHEN $3 = 'failed' THEN 'policy' END FROM generate_series(1, 5)",
            (await builders.post(database, a_letter()))[0],
            worker,
            outcome,
        )

    assert ["policy"] * 5 == await pauses.recent(database, "bad:25")
    assert ["sent"] * 5 == await pauses.recent(database, "good:25")


async def test_after_a_hand_resumed_it_the_old_refusals_do_not_count(database: Database) -> None:
    refusing = [True]
    await builders.post(database, *(a_letter(number) for number in range(30)))
    async with smtp_servers.running(
        lambda line, _: "550 5.1.1 x" if refusing[0] and line.startswith("RCPT") else None
    ) as server:
        await deliver(a_postman(database, server, connections=1))
        refusing[0] = False
        async with database.unit_of_work() as unit:
            found = [await pauses.resume(unit.connection, server.relay().name) for _ in range(2)]
        await deliver(a_postman(database, server, connections=1))

    assert found == [True, False]
    assert (await states(database))["queued"] == 0
    assert (await relay_row(database))["reason"] is None


async def test_a_relay_that_refuses_us_is_asked_once_a_pause(database: Database) -> None:
    await builders.post(database, *(a_letter(number) for number in range(10)))
    async with smtp_servers.running(
        lambda line, _: "554 no service" if line == "CONNECT" else None
    ) as server:
        for _ in range(3):
            await deliver(a_postman(database, server, connections=4))

    rows = await database.fetch("SELECT DISTINCT state, attempts FROM outbox")
    assert (1, [("queued", 0)]) == (server.connections, [tuple(row) for row in rows])
    assert (await relay_row(database))["alarmed_at"] is not None


def a_probe() -> NewLetter:
    return a_letter(99, kind="probe", priority=0)


async def test_crowds_wait_until_the_trial_was_accepted(database: Database) -> None:
    options = Options(trial_kind="probe", urgent_kinds=("sign_in",))
    await builders.post(
        database, *(a_letter(number) for number in range(3)), a_letter(4, kind="sign_in")
    )
    async with smtp_servers.running() as server:
        await deliver(a_postman(database, server, options=options))
        before = len(server.mails)
        await builders.post(database, a_probe())
        postman = a_postman(database, server, options=options)
        await postman.deliver()
        await postman.deliver()
        await postman.stop()

    assert (before, len(server.mails)) == (1, 5)
    assert (await relay_row(database))["tried_at"] is not None


async def test_a_trial_that_was_refused_lets_nothing_through(database: Database) -> None:
    options = Options(trial_kind="probe")
    await builders.post(database, a_letter(1), a_probe())
    async with smtp_servers.running(
        lambda line, _: "550 5.7.1 not you" if line.startswith("RCPT") else None
    ) as server:
        for _ in range(2):
            await deliver(a_postman(database, server, options=options))

    assert Counter(queued=1, failed=1) == await states(database)
    assert not await pauses.is_tried(database, server.relay().name)


async def test_what_people_wait_for_is_not_held_when_its_delivery_is_unclear(
    database: Database,
) -> None:
    [one] = await builders.post(database, a_letter(kind="sign_in"))
    answers = iter([smtp_servers.CLOSE])

    def script(line: str, _: Session) -> str | None:
        return next(answers, None) if line == "." else None

    options = Options(urgent_kinds=("sign_in",))
    async with smtp_servers.running(script) as server:
        postman = a_postman(database, server, options=options)
        await postman.deliver()
        unclear = await builders.state_of(database, one)
        await postman.reap()
        await postman.deliver()
        await postman.stop()

    hold = unclear["next_attempt_at"] - unclear["data_started_at"]
    assert hold.total_seconds() < 60
    assert (unclear["state"], len(server.mails)) == ("uncertain", 2)
    assert (await builders.state_of(database, one))["state"] == "sent"


BUSY = "432 4.3.2 concurrent connection limit"


async def test_45_two_postmen_never_open_more_connections_than_the_relay_has_slots(
    database: Database,
) -> None:
    await builders.post(database, *(a_letter(number) for number in range(100)))
    busy, all_there = asyncio.Event(), asyncio.Event()

    def script(line: str, session: Session) -> str | None:
        if session.number == 3:
            all_there.set()
        if line == "." and len(server.mails) == 40:
            # From here on no letter ends until the first postman was told to stop.
            server.held["."] = asyncio.Event()
            busy.set()
        return BUSY if line.startswith("EHLO") and len(server.open) > 3 else None

    async with smtp_servers.running(script) as server:
        # Without its third connection the first postman might have sent as many over two.
        server.held["."] = all_there
        first, second = (
            Postman(database, server.relay(3), AClerk(), builders.SENDER) for _ in range(2)
        )
        working = asyncio.create_task(first.run())
        await busy.wait()
        idle = await second.deliver()
        tried = server.connections
        stopping = asyncio.create_task(first.stop())
        await asyncio.sleep(0)
        server.held["."].set()
        await asyncio.gather(stopping, working)
        while (await states(database))["queued"]:
            await second.deliver()
        await second.stop()

    assert (0, 3) == (idle, tried)
    assert 3 == server.most_open
    assert {"sent": 100} == await states(database)
    assert 100 == len(server.mails)
    rows = await database.fetch("SELECT DISTINCT worker FROM mail_attempt WHERE outcome = 'sent'")
    assert {first.name, second.name} == {row["worker"] for row in rows}


async def test_a_server_that_has_fewer_connections_than_it_was_said_gets_all_letters(
    database: Database,
) -> None:
    await builders.post(database, *(a_letter(number) for number in range(40)))
    greeted: set[int] = set()
    refused = asyncio.Event()

    def script(line: str, session: Session) -> str | None:
        if not line.startswith("EHLO"):
            return None
        greeted.intersection_update(server.open)
        if len(greeted) == 3:
            refused.set()
            return BUSY
        greeted.add(session.number)
        return None

    async with smtp_servers.running(script) as server:
        # Nobody is through before the fourth connection has come.
        server.held["."] = refused
        postman = Postman(database, server.relay(8), AClerk(), builders.SENDER)
        for _ in range(6):
            await postman.deliver()
            await make_due(database)
        await postman.stop()

    assert {"sent": 40} == await states(database)
    assert 3 < server.most_open <= 8
    attempts = await database.fetch("SELECT DISTINCT attempts FROM outbox")
    assert [1] == [row["attempts"] for row in attempts]


def server_lines(server: Server, verb: str) -> list[str]:
    return [line for line in server.lines if line.startswith(verb)]


async def test_reports_are_asked_for_where_the_server_offers_them(database: Database) -> None:
    [one] = await builders.post(database, a_letter())
    async with smtp_servers.running(extensions=("PIPELINING", "DSN", "SIZE 10240000")) as server:
        await deliver(a_postman(database, server, notify="SUCCESS,FAILURE,DELAY"))

    size = len(server.mails[0].raw)
    assert server_lines(server, "MAIL") == [
        f"MAIL FROM:<{builders.SENDER.address}> SIZE={size} RET=HDRS ENVID={one}"
    ]
    assert server_lines(server, "RCPT") == [
        f"RCPT TO:<p{one.hex[:12]}@example.org> NOTIFY=SUCCESS,FAILURE,DELAY"
    ]


async def test_a_server_that_offers_no_reports_is_asked_for_none(database: Database) -> None:
    await builders.post(database, a_letter())
    async with smtp_servers.running() as server:
        await deliver(a_postman(database, server))

    assert server_lines(server, "MAIL") == [f"MAIL FROM:<{builders.SENDER.address}>"]
    assert "NOTIFY" not in str(server_lines(server, "RCPT"))


async def test_after_eight_refusals_a_fresh_connection_is_used(database: Database) -> None:
    await builders.post(database, *(a_letter(number) for number in range(12)))
    script: smtp_servers.Script = lambda line, _: (  # noqa: E731
        "452 4.2.1 later" if line.startswith("RCPT") else None
    )
    async with smtp_servers.running(script) as server:
        await deliver(a_postman(database, server, connections=1))

    assert server.connections == 2
