"""The postman against a real PostgreSQL and real SMTP connections."""

import asyncio
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from notifications import leases, letters, recording
from notifications.clerk import Go, Stop
from notifications.letters import Prototype
from notifications.postman import POLL_SECONDS, Options, Postman
from service.database import Database
from tests.notifications import builders, smtp_servers
from tests.notifications.builders import LINK, AClerk, a_letter
from tests.notifications.smtp_servers import CLOSE, HANG, Server, Session
from tests.ports import deaf_port


def a_postman(
    database: Database,
    server: Server,
    clerk: AClerk | None = None,
    options: Options | None = None,
    **relay: Any,
) -> Postman:
    return Postman(database, server.relay(**relay), clerk or AClerk(), builders.SENDER, options)


async def deliver(postman: Postman) -> None:
    await postman.deliver()
    await postman.stop()


async def make_due(database: Database) -> None:
    """Let all leases, holds, waits and pauses be over, as time would."""
    await database.fetch("""
        UPDATE outbox SET next_attempt_at = now() - interval '1 second',
            lease_until = least(lease_until, now() - interval '1 second')
    """)
    await database.fetch("UPDATE relay_state SET paused_until = NULL")
    await database.fetch("UPDATE relay_slot SET lease_until = now() - interval '1 second'")
    await leases.reap(database)
    await database.fetch("UPDATE outbox SET next_attempt_at = now() WHERE state = 'queued'")


async def states(database: Database) -> Counter[str]:
    rows = await database.fetch("SELECT state FROM outbox")
    return Counter(row["state"] for row in rows)


async def test_a_hundred_letters_reach_their_recipients_once(database: Database) -> None:
    ids = await builders.post(database, *(a_letter(number) for number in range(100)))
    clerk = AClerk()
    async with smtp_servers.running() as server:
        await deliver(a_postman(database, server, clerk, connections=4))

    assert sorted(f"p{one.hex[:12]}@example.org" for one in ids) == sorted(
        mail.recipient for mail in server.mails
    )
    rows = await database.fetch("SELECT state, attempts, uncertain_count FROM outbox")
    assert {tuple(row) for row in rows} == {("sent", 1, 0)}
    assert clerk.composed == ["invitation"]
    assert sum(clerk.asked) == 100


async def test_the_proof_in_the_row_is_that_of_the_bytes_on_the_wire(database: Database) -> None:
    [one] = await builders.post(database, a_letter())
    async with smtp_servers.running() as server:
        await deliver(a_postman(database, server))

    row = await builders.state_of(database, one)
    assert row["letter_sha256"] == hashlib.sha256(server.mails[0].raw).digest()
    assert row["remote_id"] == "2.0.0 queued as 1"
    stored = await database.fetchrow("SELECT * FROM letter")
    assert stored["slot_values"] == {"name": "Erika Müller"}
    assert LINK not in str(dict(stored))


class Punctual(AClerk):
    """Answers for the first time when both clerks have been asked."""

    meeting: asyncio.Barrier

    async def look_up(self, ids: Sequence[UUID]) -> Mapping[UUID, Go | Stop]:
        """Answer for all at once."""
        if not self.asked:
            await self.meeting.wait()
        return await super().look_up(ids)


async def test_two_postmen_never_send_one_letter_twice(database: Database) -> None:
    await builders.post(database, *(a_letter(number) for number in range(120)))
    async with smtp_servers.running() as server:
        # Two names of one relay, so that neither waits for the other's connections.
        relays = [server.relay(), replace(server.relay(), host="localhost")]
        # Each claims some letters before the other has sent any.
        Punctual.meeting = asyncio.Barrier(2)
        postmen = [Postman(database, relay, Punctual(), builders.SENDER) for relay in relays]
        await asyncio.gather(*(asyncio.create_task(deliver(one)) for one in postmen))

    assert Counter(mail.recipient for mail in server.mails).most_common(1)[0][1] == 1
    assert len(server.mails) == 120
    workers = await database.fetch("SELECT DISTINCT worker FROM mail_attempt")
    assert len(workers) == 2


async def test_letters_of_one_order_leave_in_that_order(database: Database) -> None:
    ids = []
    for number in range(6):
        ids += await builders.post(database, a_letter(number, ordering_key="p:m"))
    async with smtp_servers.running() as server:
        await deliver(a_postman(database, server, connections=3))

    assert [f"p{one.hex[:12]}@example.org" for one in ids] == [
        mail.recipient for mail in server.mails
    ]


async def test_a_move_waits_twenty_minutes_for_an_elder_whose_delivery_is_unclear(
    database: Database,
) -> None:
    elder, urgent, usual = [
        (await builders.post(database, a_letter(number, ordering_key="p:m", priority=priority)))[0]
        for number, priority in enumerate((4, 2, 4))
    ]
    sql = "UPDATE outbox SET state = 'uncertain', next_attempt_at = 'infinity' WHERE id = $1"
    await database.fetch(sql, elder)
    async with smtp_servers.running() as server:
        await deliver(a_postman(database, server))
        early = len(server.mails)
        sql = "UPDATE outbox SET next_attempt_at = now() - interval '21 minutes' WHERE id <> $1"
        await database.fetch(sql, elder)
        await deliver(a_postman(database, server))

    assert (0, [f"p{urgent.hex[:12]}@example.org"]) == (
        early,
        [mail.recipient for mail in server.mails],
    )
    assert (await builders.state_of(database, usual))["state"] == "queued"


async def test_a_claim_that_died_before_the_mark_is_sent_after_its_lease(
    database: Database,
) -> None:
    [one] = await builders.post(database, a_letter())
    await leases.claim(database, 10, "dead worker", "elsewhere", paced=False)
    async with smtp_servers.running() as server:
        await deliver(a_postman(database, server))
        early = len(server.mails)
        await make_due(database)
        await deliver(a_postman(database, server))

    row = await builders.state_of(database, one)
    assert (early, len(server.mails)) == (0, 1)
    assert (row["state"], row["uncertain_count"], row["attempts"]) == ("sent", 0, 1)


async def test_an_unread_reply_leads_to_one_copy_with_the_same_bytes(database: Database) -> None:
    [one] = await builders.post(database, a_letter())
    answers = iter([CLOSE])

    def script(line: str, _: Session) -> str | None:
        return next(answers, None) if line == "." else None

    async with smtp_servers.running(script) as server:
        await deliver(a_postman(database, server))
        unclear = await builders.state_of(database, one)
        await deliver(a_postman(database, server))
        held = len(server.mails)
        await make_due(database)
        await deliver(a_postman(database, server))

    assert (unclear["state"], unclear["reason"]) == ("uncertain", "delivery_unclear")
    hold = unclear["next_attempt_at"] - unclear["data_started_at"]
    assert 900 - 5 < hold.total_seconds() < 900 + 90
    assert held == 1
    assert [mail.raw for mail in server.mails] == [server.mails[0].raw] * 2
    assert (await builders.state_of(database, one))["state"] == "sent"


async def test_twice_unclear_is_dead_and_never_a_third_copy(database: Database) -> None:
    [one] = await builders.post(database, a_letter())
    async with smtp_servers.running(lambda line, _: CLOSE if line == "." else None) as server:
        for _ in range(4):
            await deliver(a_postman(database, server))
            await make_due(database)

    row = await builders.state_of(database, one)
    assert (row["state"], row["reason"], row["uncertain_count"]) == ("dead", "delivery_unclear", 2)
    assert len(server.mails) == 2


async def test_what_changed_since_the_mark_does_not_change_the_copy(database: Database) -> None:
    [one] = await builders.post(database, a_letter())
    answers = iter([CLOSE])
    clerk = AClerk()
    async with smtp_servers.running(
        lambda line, _: next(answers, None) if line == "." else None
    ) as server:
        await deliver(a_postman(database, server, clerk))
        await make_due(database)
        moved = {"name": "Erika Neu", "link_answer": LINK}
        clerk.verdicts[one] = clerk.go(one, to_addr="new@example.org", values=moved)
        clerk.draft = builders.a_draft(subject="Anderer Betreff")
        await deliver(a_postman(database, server, clerk))

    assert [mail.raw for mail in server.mails] == [server.mails[0].raw] * 2
    assert server.mails[0].recipient == server.mails[1].recipient


async def test_a_copy_whose_bytes_would_differ_is_refused(database: Database) -> None:
    [one] = await builders.post(database, a_letter())
    answers = iter([CLOSE])
    clerk = AClerk()
    async with smtp_servers.running(
        lambda line, _: next(answers, None) if line == "." else None
    ) as server:
        await deliver(a_postman(database, server, clerk))
        await make_due(database)
        other = {"name": "Erika Müller", "link_answer": LINK + "z"}
        clerk.verdicts[one] = clerk.go(one, values=other)
        await deliver(a_postman(database, server, clerk))

    row = await builders.state_of(database, one)
    assert (row["state"], row["reason"], len(server.mails)) == ("dead", "bytes_differ", 1)


async def test_kinds_that_people_ask_for_again_are_never_copied(database: Database) -> None:
    [one] = await builders.post(database, a_letter(kind="sign_in"))
    options = Options(once_kinds=("sign_in",))
    async with smtp_servers.running(lambda line, _: CLOSE if line == "." else None) as server:
        for _ in range(2):
            await deliver(a_postman(database, server, options=options))
            await make_due(database)

    row = await builders.state_of(database, one)
    assert (row["state"], row["reason"], len(server.mails)) == ("sent", "assumed_sent", 1)


async def test_one_refused_recipient_of_a_hundred_stops_no_other(database: Database) -> None:
    ids = await builders.post(database, *(a_letter(number) for number in range(100)))
    bad = ids[41]

    def script(line: str, _: Session) -> str | None:
        return "550 5.1.1 no such user" if bad.hex[:12] in line else None

    async with smtp_servers.running(script) as server:
        await deliver(a_postman(database, server, connections=3))

    row = await builders.state_of(database, bad)
    assert await states(database) == {"sent": 99, "failed": 1}
    assert len(server.mails) == 99
    assert (row["reason"], row["last_code"], row["last_enhanced"], row["attempts"]) == (
        "address_refused",
        550,
        "5.1.1",
        1,
    )
    assert row["last_text"] == "5.1.1 no such user"
    blamed = await database.fetchrow("SELECT * FROM address_state")
    assert blamed["state"] == "undeliverable"


async def test_a_temporary_refusal_is_tried_again_with_new_words(database: Database) -> None:
    [one] = await builders.post(database, a_letter())
    answers = iter(["451 4.7.1 greylisted"])
    clerk = AClerk()
    async with smtp_servers.running(
        lambda line, _: next(answers, None) if line.startswith("RCPT") else None
    ) as server:
        await deliver(a_postman(database, server, clerk))
        refused = await builders.state_of(database, one)
        await make_due(database)
        clerk.verdicts[one] = clerk.go(one, to_addr="corrected@example.org")
        await deliver(a_postman(database, server, clerk))

    wait = refused["next_attempt_at"] - refused["created_at"]
    assert (refused["state"], refused["attempts"], refused["letter_sha256"]) == ("queued", 1, None)
    assert 300 - 5 < wait.total_seconds() < 300 + 90
    assert [mail.recipient for mail in server.mails] == ["corrected@example.org"]
    assert (await builders.state_of(database, one))["attempts"] == 2


@pytest.mark.parametrize(
    ("at", "reply", "state"),
    [
        ("DATA", "451 later", "queued"),
        ("DATA", "554 no", "failed"),
        (".", "452 4.3.1 full", "queued"),
        (".", "554 5.7.1 spam", "failed"),
        ("DATA", HANG, "uncertain"),
        (".", HANG, "uncertain"),
        (".", CLOSE, "uncertain"),
        (".", "2x0 odd", "uncertain"),
    ],
)
async def test_from_data_on_only_a_clean_reply_is_certain(
    database: Database, at: str, reply: str, state: str
) -> None:
    [one] = await builders.post(database, a_letter())
    script: smtp_servers.Script = lambda line, _: reply if line == at else None  # noqa: E731
    # A reply that comes is waited for, however late the server gets to it.
    seconds = 0.3 if reply == HANG else 60.0
    async with smtp_servers.running(script, extensions=()) as server:
        await deliver(a_postman(database, server, dot_seconds=seconds))

    row = await builders.state_of(database, one)
    assert row["state"] == state
    assert (row["data_started_at"] is not None) == (state == "uncertain")


@pytest.mark.parametrize("extensions", [(), ("PIPELINING",)])
@pytest.mark.parametrize("at", ["CONNECT", "EHLO", "MAIL", "RCPT"])
@pytest.mark.parametrize("how", [CLOSE, HANG])
async def test_a_relay_that_fails_before_data_burns_no_attempt(
    database: Database, at: str, how: str, extensions: tuple[str, ...]
) -> None:
    await builders.post(database, *(a_letter(number) for number in range(10)))
    async with smtp_servers.running(lambda line, _: how if line.startswith(at) else None) as server:
        await deliver(a_postman(database, server, command_seconds=0.3, connect_seconds=0.3))

    rows = await database.fetch("SELECT state, attempts, uncertain_count FROM outbox")
    assert {tuple(row) for row in rows} == {("queued", 0, 0)}
    assert server.mails == []
    paused = await database.fetchrow("SELECT reason, paused_until > failing_since FROM relay_state")
    assert ("relay_down", True) == tuple(paused or ())


async def test_a_relay_that_nobody_answers_for_rests_longer_each_time(database: Database) -> None:
    await builders.post(database, a_letter())
    pauses = []
    with deaf_port() as port:
        relay = Server(port=port).relay()
        postman = Postman(database, relay, AClerk(), builders.SENDER)
        for _ in range(3):
            before = await database.fetchval("SELECT now()")
            await postman.deliver()
            row = await database.fetchrow("SELECT paused_until, now() AS after FROM relay_state")
            assert row is not None
            pauses.append((row["paused_until"] - before, row["paused_until"] - row["after"]))
            await make_due(database)
        await postman.stop()

    # The pause began between the two looks at the clock; a quarter more or less is by chance.
    for seconds, (at_most, at_least) in zip((10, 20, 40), pauses, strict=True):
        assert at_most.total_seconds() > 0.75 * seconds
        assert at_least.total_seconds() < 1.25 * seconds
    assert await states(database) == {"queued": 1}


async def test_a_connection_that_the_server_closed_meanwhile_is_opened_again(
    database: Database,
) -> None:
    def script(line: str, session: Session) -> str | None:
        return "421 too long idle" if line.startswith("MAIL") and session.mails else None

    await builders.post(database, a_letter(1), a_letter(2), a_letter(3))
    async with smtp_servers.running(script) as server:
        await deliver(a_postman(database, server, connections=1))

    assert (len(server.mails), server.connections) == (3, 3)
    assert await states(database) == {"sent": 3}


async def test_replies_are_never_paired_with_another_letter(database: Database) -> None:
    ids = await builders.post(database, *(a_letter(number) for number in range(30)))
    turn = iter(range(1000))

    def script(line: str, _: Session) -> str | None:
        return CLOSE if line == "." and next(turn) % 7 == 3 else None

    async with smtp_servers.running(script) as server:
        await deliver(a_postman(database, server, connections=3))

    places = {mail.recipient: number for number, mail in enumerate(server.mails, 1)}
    for one in ids:
        row = await builders.state_of(database, one)
        if row["state"] == "sent":
            assert row["remote_id"] == f"2.0.0 queued as {places[f'p{one.hex[:12]}@example.org']}"
    assert await states(database) == {"sent": 26, "uncertain": 4}


@pytest.mark.parametrize(
    "address", ["a@exa mple.org", "a@x.example,b@y.example", "a@x.example\r\nRCPT TO:<b@y>", ""]
)
async def test_an_odd_address_never_reaches_the_server(database: Database, address: str) -> None:
    [one] = await builders.post(database, a_letter())
    async with smtp_servers.running() as server:
        await deliver(a_postman(database, server, AClerk(address=address)))

    row = await builders.state_of(database, one)
    assert (row["state"], row["reason"]) == ("failed", "address_malformed")
    assert [line for line in server.lines if line.startswith("RCPT")] == []


@pytest.mark.parametrize("at", ["RCPT", "."])
async def test_a_full_mailbox_raises_a_doubt_once_however_often_it_is_tried(
    database: Database, at: str
) -> None:
    await builders.post(database, a_letter())
    async with smtp_servers.running(
        lambda line, _: "552 5.2.2 full" if line.startswith(at) else None
    ) as server:
        for _ in range(2):
            await deliver(a_postman(database, server))
            await make_due(database)

    found = await database.fetchrow("SELECT state, score, last_status FROM address_state")
    assert ("soft", 1.0, "5.2.2") == tuple(found)
    assert await states(database) == {"queued": 1}


async def test_a_letter_that_no_server_would_take_is_not_offered(database: Database) -> None:
    [one] = await builders.post(database, a_letter())
    huge = "Zeile mit Worten\n" * 300_000
    async with smtp_servers.running() as server:
        await deliver(a_postman(database, server, AClerk(draft=builders.a_draft(text=huge))))

    row = await builders.state_of(database, one)
    assert ("failed", "too_large", []) == (row["state"], row["reason"], server.mails)


async def test_the_guard_stops_what_no_longer_holds(database: Database) -> None:
    gone, held, fine = await builders.post(database, *(a_letter(number) for number in range(3)))
    clerk = AClerk()
    clerk.verdicts = {gone: Stop("declined"), held: Stop("no_address", "held")}
    async with smtp_servers.running() as server:
        await deliver(a_postman(database, server, clerk))

    rows = [await builders.state_of(database, one) for one in (gone, held, fine)]
    assert [(row["state"], row["reason"]) for row in rows] == [
        ("cancelled", "declined"),
        ("held", "no_address"),
        ("sent", None),
    ]
    assert len(server.mails) == 1


async def test_one_unwritable_letter_of_a_hundred_is_dead_after_three_tries(
    database: Database,
) -> None:
    ids = await builders.post(database, *(a_letter(number) for number in range(100)))
    clerk = AClerk()
    clerk.verdicts[ids[7]] = clerk.go(ids[7], values={"name": "x"})
    async with smtp_servers.running() as server:
        for _ in range(3):
            await deliver(a_postman(database, server, clerk))
            await make_due(database)

    row = await builders.state_of(database, ids[7])
    assert len(server.mails) == 99
    assert (row["state"], row["reason"]) == ("dead", "unwritable")
    assert (0, 3) == (row["attempts"], row["unwritable_count"])


async def test_a_letter_that_was_greylisted_twice_may_still_be_unwritable_twice(
    database: Database,
) -> None:
    [one] = await builders.post(database, a_letter())
    clerk = AClerk()
    answers = iter(["450 4.2.0 greylisted"] * 2)
    async with smtp_servers.running(
        lambda line, _: next(answers, None) if line.startswith("RCPT") else None
    ) as server:
        for unwritable in (False, False, True, True, False):
            clerk.verdicts = {one: clerk.go(one, values={"name": "x"})} if unwritable else {}
            await deliver(a_postman(database, server, clerk))
            await make_due(database)

    row = await builders.state_of(database, one)
    assert ("sent", 1) == (row["state"], len(server.mails))
    assert (3, 2) == (row["attempts"], row["unwritable_count"])


async def test_a_letter_that_nobody_could_write_in_time_says_so(database: Database) -> None:
    [one] = await builders.post(database, a_letter())
    clerk = AClerk()
    clerk.verdicts[one] = clerk.go(one, values={"name": "x"})
    async with smtp_servers.running() as server:
        await deliver(a_postman(database, server, clerk))
    await database.fetch("UPDATE outbox SET expires_at = now()")
    await leases.reap(database)

    row = await builders.state_of(database, one)
    assert ("dead", "unwritable") == (row["state"], row["reason"])


async def test_a_slow_database_while_composing_is_no_fault_of_the_letter(
    database: Database,
) -> None:
    class Slow(AClerk):
        async def compose(self, prototype_key: Any) -> Any:  # noqa: ARG002  # fails before it reads
            raise asyncpg.QueryCanceledError("statement timeout")

    (letter_id,) = await builders.post(database, a_letter())
    async with smtp_servers.running() as server:
        for _ in range(4):
            await deliver(a_postman(database, server, Slow()))
            await make_due(database)
        await deliver(a_postman(database, server))

    row = await builders.state_of(database, letter_id)
    assert ("sent", 1) == (row["state"], len(server.mails))


async def test_stopping_lets_letters_in_flight_finish_and_releases_the_rest(
    database: Database,
) -> None:
    await builders.post(database, *(a_letter(number) for number in range(20)))
    reached = asyncio.Event()
    async with smtp_servers.running() as server:
        server.delays["."] = 0.3
        server.reached["."] = reached
        postman = a_postman(database, server)
        running = asyncio.create_task(postman.run())
        await reached.wait()
        await postman.stop()
        await running

    found = await states(database)
    assert found["sent"] == len(server.mails)
    assert 0 < found["sent"] < 20
    assert set(found) == {"sent", "queued"}
    assert await database.fetchval("SELECT count(*) FROM outbox WHERE lease_until > now()") == 0


async def test_stopping_cuts_what_does_not_finish_and_calls_it_unclear(database: Database) -> None:
    [one] = await builders.post(database, a_letter())
    reached = asyncio.Event()
    async with smtp_servers.running(lambda line, _: HANG if line == "." else None) as server:
        server.reached["."] = reached
        postman = a_postman(database, server, options=Options(drain_seconds=0.2))
        running = asyncio.create_task(postman.run())
        await reached.wait()
        await postman.stop()
        await running

    assert (await builders.state_of(database, one))["state"] == "uncertain"


async def test_waking_is_faster_than_the_poll(database: Database) -> None:
    loop, waited = asyncio.get_running_loop(), POLL_SECONDS
    async with smtp_servers.running() as server:
        arrived = server.reached["."] = asyncio.Event()
        postman = a_postman(database, server)
        running = asyncio.create_task(postman.run())
        # The machine may be busy once or twice; by the poll alone no letter is ever fast.
        for number in range(10):
            if waited < POLL_SECONDS / 2:
                break
            arrived.clear()
            await asyncio.sleep(0.2)
            start = loop.time()
            await builders.post(database, a_letter(number))
            postman.wake()
            await arrived.wait()
            waited = loop.time() - start
        await postman.stop()
        await running

    assert waited < POLL_SECONDS / 2
    assert {"sent"} == set(await states(database))


async def test_one_domain_gets_its_letters_at_the_set_pace(database: Database) -> None:
    await builders.post(
        database,
        *(a_letter(number) for number in range(3)),
        *(a_letter(number, recipient_domain="other.example") for number in range(3)),
    )
    loop = asyncio.get_running_loop()
    start = loop.time()
    async with smtp_servers.running() as server:
        await deliver(a_postman(database, server, options=Options(pace_seconds=0.4)))

    assert 0.8 <= loop.time() - start < 60
    assert len(server.mails) == 6


async def test_the_envelope_sender_may_name_the_letter(database: Database) -> None:
    [one] = await builders.post(database, a_letter())

    def bounce(letter: UUID) -> str:
        return f"bounce+{letter.hex}@alliance.example.org"

    async with smtp_servers.running() as server:
        await deliver(a_postman(database, server, options=Options(bounce_address=bounce)))

    assert server.mails[0].sender == bounce(one)


async def test_a_late_end_with_the_same_number_is_still_taken(database: Database) -> None:
    await builders.post(database, a_letter())
    [claimed] = await leases.claim(database, 1, "slow", "relay", paced=False)
    frozen = letters.prototype(builders.a_draft(), builders.SENDER, "de")
    await store(database, frozen)
    mark = recording.Mark(
        id=claimed.id,
        token=claimed.lease_token,
        sha256=b"s",
        prototype_sha256=frozen.sha256,
        slot_values={},
        dated_at=builders.AT,
        to_addr="a@example.org",
        to_name="",
    )
    marked, _ = await recording.record(database, [mark], [], "slow")
    await database.fetch("UPDATE outbox SET lease_until = now() - interval '1 second'")
    marked_late, _ = await recording.record(database, [mark], [], "slow")
    await leases.reap(database)
    unclear = await builders.state_of(database, claimed.id)
    ending = recording.Ending(id=claimed.id, token=claimed.lease_token, state="sent")
    _, taken = await recording.record(database, [], [ending], "slow")

    assert (marked, marked_late, taken) == ({claimed.id}, set(), {claimed.id})
    assert unclear["state"] == "uncertain"
    assert (await builders.state_of(database, claimed.id))["state"] == "sent"


async def store(database: Database, frozen: Prototype) -> None:
    sql = "INSERT INTO prototype (sha256, kind, locale, segments) VALUES ($1, 'x', 'de', $2)"
    await database.fetch(sql, frozen.sha256, frozen.as_json())


async def test_a_reply_that_does_not_come_holds_up_no_other_letter(database: Database) -> None:
    [slow, ahead] = await builders.post(database, a_letter(1), a_letter(2))
    held = asyncio.Event()

    def script(line: str, _session: Session) -> str | None:
        if line == "." and not held.is_set():
            held.set()
            return HANG
        return None

    async with smtp_servers.running(script) as server:
        postman = a_postman(database, server, connections=2, options=Options(drain_seconds=0.1))
        running = asyncio.create_task(postman.run())
        await held.wait()
        late = await builders.post(database, *(a_letter(number) for number in range(3, 9)))
        postman.wake()
        async with asyncio.timeout(100):
            while (await states(database))["sent"] < 7:
                await asyncio.sleep(0.1)
        waiting = {
            row["id"]
            for row in await database.fetch("SELECT id FROM outbox WHERE state = 'sending'")
        }
        await postman.stop()
        await running

    assert 1 == len(waiting)
    assert waiting <= {slow, ahead}
    assert 6 == len(late)
    assert Counter(sent=7, uncertain=1) == await states(database)
