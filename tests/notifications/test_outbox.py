"""Posting and claiming against a real PostgreSQL."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from notifications import leases, outbox, pauses, recording, slots
from notifications.outbox import State
from service.database import Database
from tests.notifications import builders
from tests.notifications.builders import a_letter

SELECT = """
SELECT 'inv:' || n, 'invitation', gen_random_uuid(), $1::uuid, 1, 1, 'order:' || n, 'de',
    '{"invitation": "x"}'::jsonb, 4::smallint, now(), now() + interval '1 day', 'Example.ORG'
FROM generate_series(1, $2) AS n
"""


async def claim(database: Database, limit: int = 100, owner: str = "one") -> list[leases.Claimed]:
    return await leases.claim(database, limit, owner, "relay", paced=False)


async def test_a_set_is_posted_once_however_often_it_is_asked_for(database: Database) -> None:
    subject = uuid4()
    counts = []
    for size in (50, 50, 60):
        async with database.unit_of_work() as unit:
            counts.append(await outbox.post_selected(unit.connection, SELECT, subject, size))

    assert counts == [50, 0, 10]
    assert await database.fetchval("SELECT count(*) FROM outbox") == 60
    assert await database.fetchval("SELECT DISTINCT recipient_domain FROM outbox") == "example.org"


async def test_a_key_twice_in_one_set_is_one_letter(database: Database) -> None:
    double = f"({SELECT}) UNION ALL ({SELECT})"
    async with database.unit_of_work() as unit:
        count = await outbox.post_selected(unit.connection, double, uuid4(), 5)

    assert count == 5


async def test_one_key_is_posted_once(database: Database) -> None:
    letter = a_letter(1, dedupe_key="inv:1")

    ids = [await builders.post(database, letter) for _ in range(2)]
    assert [len(found) for found in ids] == [1, 0]


async def test_what_is_rolled_back_was_never_posted(database: Database) -> None:
    async def post_and_fail() -> None:
        async with database.unit_of_work() as unit:
            await outbox.post(unit.connection, a_letter())
            _ = 1 / 0

    with pytest.raises(ZeroDivisionError):
        await post_and_fail()

    assert await claim(database) == []


async def test_a_letter_waits_for_the_elder_of_its_order_only(database: Database) -> None:
    first, second = await builders.post(database, a_letter(1, ordering_key="p:m")) + (
        await builders.post(database, a_letter(2, ordering_key="p:m"))
    )
    [other] = await builders.post(database, a_letter(3))

    assert {first, other} == {letter.id for letter in await claim(database)}
    assert await claim(database) == []
    await database.fetch("UPDATE outbox SET state = 'sent' WHERE id = $1", first)
    assert [second] == [letter.id for letter in await claim(database)]


async def test_a_letter_of_sign_in_passes_a_waiting_crowd(database: Database) -> None:
    await builders.post(database, *(a_letter(number) for number in range(20)))
    [sign_in] = await builders.post(database, a_letter(99, priority=0))

    assert [sign_in] == [letter.id for letter in await claim(database, 1)]


@pytest.mark.parametrize(
    ("attempts", "days", "state"), [(100, 6, "dead"), (100, 4, "queued"), (50, 6, "queued")]
)
async def test_after_five_days_of_tries_a_letter_is_given_up(
    database: Database, attempts: int, days: int, state: str
) -> None:
    [one] = await builders.post(database, a_letter())
    await database.fetch("UPDATE outbox SET attempts = $1", attempts)
    await database.fetch(
        "INSERT INTO mail_attempt (letter_id, lease_token, worker, started_at, outcome)"
        " VALUES ($1, 1, 'w', now() - make_interval(days => $2), 'queued')",
        *(one, days),
    )
    await leases.reap(database)

    row = await builders.state_of(database, one)
    assert (state, "gave_up" if state == "dead" else None) == (row["state"], row["reason"])


async def test_not_yet_due_expired_and_paused_letters_are_not_claimed(database: Database) -> None:
    now = datetime.now(UTC)
    await builders.post(
        database,
        a_letter(1, not_before=now + timedelta(hours=1)),
        a_letter(2, expires_at=now - timedelta(seconds=1)),
    )
    early = await claim(database)
    await builders.post(database, a_letter(3))
    await pauses.pause(database, "relay", 60, "relay_down")
    paused = await claim(database)
    await pauses.note_ok(database, "relay")

    assert (early, paused, len(await claim(database))) == ([], [], 1)


async def test_a_limit_is_a_limit(database: Database) -> None:
    await builders.post(database, *(a_letter(number, priority=number % 3) for number in range(30)))

    assert [len(await claim(database, 8)) for _ in range(4)] == [8, 8, 8, 6]


async def test_cancelling_takes_back_queued_letters_of_these_kinds_only(database: Database) -> None:
    kept = await builders.post(
        database, a_letter(1, kind="cancellation"), a_letter(2, subject_id=uuid4())
    )
    leaving = await builders.post(database, a_letter(3))
    await database.fetch("UPDATE outbox SET state = 'sending' WHERE id = $1", leaving[0])
    [taken] = await builders.post(database, a_letter(4))
    async with database.unit_of_work() as unit:
        count = await outbox.cancel(
            unit.connection, UUID(int=16), ["invitation", "reminder"], "superseded"
        )

    assert count == 1
    row = await builders.state_of(database, taken)
    assert (row["state"], row["reason"]) == (State.CANCELLED, "superseded")
    assert {"queued", "sending"} == {
        (await builders.state_of(database, one))["state"] for one in kept + leaving
    }


async def test_cancelling_for_one_recipient_leaves_the_others(database: Database) -> None:
    person = uuid4()
    await builders.post(database, a_letter(1, recipient_id=person), a_letter(2))
    async with database.unit_of_work() as unit:
        count = await outbox.cancel(unit.connection, UUID(int=16), ["invitation"], "gone", person)

    assert count == 1


async def test_a_finished_letter_is_repeated_under_a_new_id(database: Database) -> None:
    [letter] = await builders.post(database, a_letter())
    later = datetime.now(UTC) + timedelta(days=1)
    async with database.unit_of_work() as unit:
        open_still = await outbox.repeat(unit.connection, letter, later)
        await unit.connection.execute("UPDATE outbox SET state = 'failed'")
        repeated = await outbox.repeat(unit.connection, letter, later)

    assert open_still is None
    assert repeated not in {None, letter}
    assert [repeated] == [found.id for found in await claim(database)]


async def test_an_older_claim_changes_nothing_any_more(database: Database) -> None:
    await builders.post(database, a_letter())
    [old] = await claim(database, owner="one")
    await database.fetch("UPDATE outbox SET lease_until = now() - interval '1 second'")
    await leases.reap(database)
    [new] = await claim(database, owner="two")
    ending = recording.Ending(id=old.id, token=old.lease_token, state="sent")

    assert new.lease_token == old.lease_token + 1
    assert await recording.record(database, [], [ending], "one") == (set(), set())
    assert (await builders.state_of(database, old.id))["state"] == "sending"


async def test_what_is_past_its_time_expires_with_the_reason(database: Database) -> None:
    fresh, tried = await builders.post(database, a_letter(1), a_letter(2))
    await database.fetch("UPDATE outbox SET attempts = 3 WHERE id = $1", tried)
    await database.fetch("UPDATE outbox SET expires_at = now() - interval '1 second'")
    await leases.reap(database)

    rows = [await builders.state_of(database, one) for one in (fresh, tried)]
    assert [(row["state"], row["reason"]) for row in rows] == [
        ("expired", "expired"),
        ("dead", "gave_up"),
    ]


async def test_a_planned_letter_survives_the_guard_against_a_wrong_clock(
    database: Database,
) -> None:
    day = datetime.now(UTC) + timedelta(days=30)
    planned, retried = await builders.post(
        database,
        a_letter(1, not_before=day, expires_at=day + timedelta(days=1)),
        a_letter(2, not_before=day, expires_at=day + timedelta(days=1)),
    )
    await database.fetch("UPDATE outbox SET attempts = 1 WHERE id = $1", retried)
    await leases.reap(database)

    rows = [await builders.state_of(database, one) for one in (planned, retried)]
    assert rows[0]["next_attempt_at"] == day
    assert rows[1]["next_attempt_at"] < datetime.now(UTC) + timedelta(hours=3)


async def test_what_was_to_leave_at_once_does_so_after_the_clock_went_back(
    database: Database,
) -> None:
    at_once, planned = await builders.post(
        database,
        a_letter(1),
        a_letter(2, not_before=datetime.now(UTC) + timedelta(minutes=10)),
    )
    # Both were posted by a clock that was three hours ahead.
    ahead = "created_at + interval '3 hours', next_attempt_at + interval '3 hours'"
    await database.fetch(f"UPDATE outbox SET (created_at, next_attempt_at) = ROW({ahead})")
    before = await builders.state_of(database, planned)
    await leases.reap(database)

    assert [at_once] == [found.id for found in await claim(database)]
    assert (
        before["next_attempt_at"]
        == ((await builders.state_of(database, planned))["next_attempt_at"])
    )


async def test_personal_values_are_dropped_after_their_time(database: Database) -> None:
    old, young = await builders.post(database, a_letter(1), a_letter(2))
    await database.fetch("UPDATE letter SET slot_values = '{\"name\": \"x\"}', to_name = 'x'")
    await database.fetch("UPDATE outbox SET state = 'sent', finished_at = now()")
    await builders.age(database, old, 31)
    async with database.unit_of_work() as unit:
        before = datetime.now(UTC) - timedelta(days=30)
        count = await outbox.forget_values(unit.connection, before)

    rows = await database.fetch("SELECT id FROM letter WHERE slot_values IS NULL")
    assert (count, [row["id"] for row in rows]) == (1, [old])
    assert young != old


async def test_what_somebody_wrote_goes_with_the_values_and_held_letters_keep_theirs(
    database: Database,
) -> None:
    hint, held = await builders.post(database, a_letter(1, kind="hint"), a_letter(2, kind="hint"))
    await database.fetch("UPDATE outbox SET state = 'sent' WHERE id = $1", hint)
    await database.fetch("UPDATE outbox SET state = 'held' WHERE id = $1", held)
    for letter in (hint, held):
        await builders.age(database, letter, 31)
    async with database.unit_of_work() as unit:
        before = datetime.now(UTC) - timedelta(days=30)
        count = await outbox.forget_values(unit.connection, before, wordy_kinds=["hint"])

    rows = await database.fetch("SELECT id, cause FROM letter WHERE cause <> '{}'")
    assert (1, [(held, {"number": 2})]) == (count, [tuple(row.values()) for row in rows])


async def test_ended_letters_go_with_their_attempts_in_portions_and_open_ones_stay(
    database: Database,
) -> None:
    letters = await builders.post(database, *(a_letter(number) for number in range(4)))
    for letter in letters[:3]:
        await builders.age(database, letter, 91)
    await database.fetch("UPDATE letter SET created_at = now() - interval '91 days'")
    await database.fetch(
        "INSERT INTO mail_attempt (letter_id, lease_token, worker, started_at, outcome)"
        " SELECT id, 1, 'one', now(), 'sent' FROM letter"
    )
    counts = []
    for _ in range(3):
        async with database.unit_of_work() as unit:
            before = datetime.now(UTC) - timedelta(days=90)
            counts.append(await outbox.delete_ended(unit.connection, before, limit=2))

    left = await database.fetch(
        "SELECT letter_id FROM mail_attempt JOIN letter l ON l.id = letter_id"
    )
    assert ([2, 1, 0], [letters[3]]) == (counts, [row["letter_id"] for row in left])


async def test_one_letter_is_taken_back_while_it_waits(database: Database) -> None:
    waiting, other, leaving = await builders.post(database, a_letter(1), a_letter(2), a_letter(3))
    await database.fetch("UPDATE outbox SET state = 'sending' WHERE id = $1", leaving)
    async with database.unit_of_work() as unit:
        taken = [
            await outbox.take_back(unit.connection, letter, "taken_back")
            for letter in (waiting, leaving)
        ]

    states = [(await builders.state_of(database, one))["state"] for one in (waiting, other)]
    assert ([True, False], ["cancelled", "queued"]) == (taken, states)


async def test_the_connections_of_a_relay_are_shared_by_all_processes(database: Database) -> None:
    held = [await slots.hold(database, "mail:25", name, 3) for name in ("one", "two", "one")]
    await database.fetch("UPDATE relay_slot SET lease_until = now() - interval '1 second'")
    taken = await slots.hold(database, "mail:25", "two", 3)
    late = await slots.hold(database, "mail:25", "one", 3)
    await slots.free(database, "mail:25", "two")
    fewer = await slots.hold(database, "mail:25", "one", 2)

    assert (held, taken, late, fewer) == ([3, 0, 3], 3, 0, 2)


async def test_a_large_set_is_not_compared_letter_by_letter(database: Database) -> None:
    """With a nested loop the last step took thirteen seconds for 5,000 letters."""
    async with database.unit_of_work() as unit:
        rows = await unit.connection.fetch(f"EXPLAIN {outbox._post(SELECT)}", uuid4(), 5000)

    plan = "\n".join(row[0] for row in rows)
    assert "hashed SubPlan" in plan
    assert "Join" not in plan
    assert "Nested Loop" not in plan
