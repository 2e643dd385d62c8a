"""The database's clock was ahead and is set right: nothing waits longer because of that."""

from typing import Any
from uuid import UUID

import pytest

from notifications import leases, mailbox, pauses, slots
from notifications.imap import Mailbox, MailboxError
from service.database import Database
from tests.notifications import builders, smtp_servers
from tests.notifications.builders import a_letter
from tests.notifications.returned import OPTIONS
from tests.notifications.test_postman import a_postman, deliver
from tests.ports import deaf_port

RELAY = "mail:25"
AHEAD = "interval '2 hours'"
URGENT = "sign_in"


async def in_minutes(database: Database, table: str, column: str) -> float | None:
    """Return how many minutes from now the one row of a table lies."""
    sql = f"SELECT extract(epoch FROM {column} - now()) / 60 FROM {table}"
    found = await database.fetchval(sql)
    return None if found is None else float(found)


async def a_letter_that_is(database: Database, state: str, kind: str = "invitation") -> UUID:
    """Post a letter, and let a clock that is ahead write that it is being sent, or unclear."""
    (letter_id,) = await builders.post(database, a_letter(kind=kind))
    await database.fetch(
        f"""UPDATE outbox SET state = $2, lease_owner = 'it', lease_token = 7,
            data_started_at = now() + {AHEAD}, uncertain_count = ($2 = 'uncertain')::int,
            lease_until = now() + {AHEAD} + interval '15 minutes',
            next_attempt_at = now() + {AHEAD} + interval '15 minutes'
        WHERE id = $1""",
        letter_id,
        state,
    )
    return letter_id


@pytest.mark.parametrize("reason", ["relay_down", "relay_config"])
async def test_a_relay_that_failed_is_tried_again_at_once(database: Database, reason: str) -> None:
    await pauses.pause(database, RELAY, 10, reason, alarm=True)
    await database.fetch(
        f"""UPDATE relay_state SET paused_until = paused_until + {AHEAD},
            failing_since = failing_since + {AHEAD}, alarmed_at = alarmed_at + {AHEAD}"""
    )

    await leases.reap(database)
    found = await database.fetchrow(
        "SELECT greatest(paused_until, failing_since, alarmed_at) <= now(), reason, last_ok_at,"
        " counted_from FROM relay_state"
    )

    assert (True, reason, None, None) == tuple(found or ())


async def test_a_pause_that_is_short_shows_by_its_beginning_that_the_clock_was_ahead(
    database: Database,
) -> None:
    await pauses.pause(database, RELAY, 10, "relay_down")
    sql = "UPDATE relay_state SET {0} = {0} + interval '30 minutes'"
    for column in ("paused_until", "failing_since"):
        await database.fetch(sql.format(column))

    await leases.reap(database)

    assert (await in_minutes(database, "relay_state", "paused_until") or 0) <= 0


async def test_too_many_refusals_have_their_hour_and_no_more(database: Database) -> None:
    await pauses.pause(database, RELAY, pauses.CIRCUIT_PAUSE, pauses.POLICY_REFUSED, alarm=True)
    await database.fetch(f"UPDATE relay_state SET paused_until = paused_until + {AHEAD}")

    await leases.reap(database)

    assert 60 == pytest.approx(await in_minutes(database, "relay_state", "paused_until"), abs=1)


async def test_honest_waits_stay_as_they_are(database: Database) -> None:
    await pauses.pause(database, RELAY, 4300, "relay_config", alarm=True)
    await slots.hold(database, RELAY, "it", 1)
    sending, unclear = [await a_letter_that_is(database, s) for s in ("sending", "uncertain")]
    await database.fetch(
        """UPDATE outbox SET data_started_at = now(), lease_until = now() + interval '15 minutes',
            next_attempt_at = now() + interval '15 minutes'"""
    )
    reads = (
        "SELECT paused_until, failing_since FROM relay_state",
        "SELECT holder, lease_until FROM relay_slot",
        "SELECT id, state, lease_token, lease_until, next_attempt_at FROM outbox ORDER BY id",
    )
    before = [await database.fetch(sql) for sql in reads]

    await leases.reap(database)

    assert before == [await database.fetch(sql) for sql in reads]
    assert {sending, unclear} == {row["id"] for row in before[2]}


async def test_slots_of_the_dead_are_free_after_their_usual_time(database: Database) -> None:
    await slots.hold(database, RELAY, "dead", 1)
    await database.fetch(f"UPDATE relay_slot SET lease_until = lease_until + {AHEAD}")

    await leases.reap(database)
    minutes = await in_minutes(database, "relay_slot", "lease_until")

    assert 0 < (minutes or 0) <= slots.SLOT_SECONDS / 60


@pytest.mark.parametrize(("mark", "most"), [("now()", 15), ("NULL", 2)])
async def test_who_lives_may_still_end_what_it_sends_and_the_dead_lose_it_in_time(
    database: Database, mark: str, most: float
) -> None:
    letter_id = await a_letter_that_is(database, "sending")
    await database.fetch(f"UPDATE outbox SET data_started_at = {mark}")

    await leases.reap(database)
    row: Any = await builders.state_of(database, letter_id)
    minutes = await in_minutes(database, "outbox", "lease_until")

    assert ("sending", 7) == (row["state"], row["lease_token"])
    assert 0 < (minutes or 0) <= most


@pytest.mark.parametrize(("kind", "low", "high"), [("invitation", 10, 15), (URGENT, -1, 0)])
async def test_what_is_unclear_waits_for_proof_as_long_as_ever(
    database: Database, kind: str, low: float, high: float
) -> None:
    await a_letter_that_is(database, "uncertain", kind)

    await leases.reap(database, urgent_kinds=[URGENT])
    minutes = await in_minutes(database, "outbox", "next_attempt_at")

    assert low <= (minutes or 0) <= high


async def test_letters_leave_after_a_machine_booted_hours_ahead(database: Database) -> None:
    await builders.post(database, a_letter())
    async with smtp_servers.running() as server:
        postman = a_postman(database, server)
        name = server.relay().name
        await pauses.pause(database, name, 10, "relay_down")
        await database.fetch(
            f"""UPDATE relay_state SET paused_until = paused_until + {AHEAD},
                failing_since = failing_since + {AHEAD}"""
        )
        held = await postman.deliver()
        await postman.reap()
        await deliver(postman)

    assert 0 == held
    assert 1 == len(server.mails)


@pytest.mark.parametrize(("minutes", "reads"), [(120, True), (4, False)])
async def test_a_mailbox_is_read_again_but_not_by_two(
    database: Database, minutes: int, *, reads: bool
) -> None:
    with deaf_port() as port:
        nobody = Mailbox("127.0.0.1", port, "plain", "it", "secret")
        await database.fetch(
            """INSERT INTO mailbox_cursor (mailbox, lease_until)
            VALUES ($1, now() + make_interval(mins => $2))""",
            *(nobody.name, minutes),
        )

        try:
            found: int | None = await mailbox.read_new(database, nobody, OPTIONS, builders.AT)
        except MailboxError:
            found = None

    assert reads is (found is None)
