"""Letters with several subjects, against a real PostgreSQL."""

import asyncio
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from notifications import combining, leases, outbox
from service.database import Database
from tests.notifications import builders
from tests.notifications.builders import a_letter

# Letters of this transaction, one letter a person.
FOLD = """
SELECT id, 'several', 'cmb:several:1:' || recipient_id,
    row_number() OVER (PARTITION BY recipient_id ORDER BY dedupe_key)
FROM letter WHERE created_at = now()
"""


async def claim(database: Database, owner: str = "one") -> list[UUID]:
    found = await leases.claim(database, 100, owner, "relay", paced=False)
    return [letter.id for letter in found]


async def fold(database: Database, person: UUID, *subjects: UUID, **more: Any) -> UUID:
    """Post an invitation for each subject, fold them, and return the one letter."""
    async with database.unit_of_work() as unit:
        for number, subject in enumerate(subjects):
            letter = a_letter(
                dedupe_key=f"inv:{number}:{subject}:{person}",
                recipient_id=person,
                subject_id=subject,
                ordering_key=f"{person}:{subject}",
                **more,
            )
            await outbox.post(unit.connection, letter)
        await combining.fold_selected(unit.connection, FOLD)
    found: UUID = await database.fetchval(
        "SELECT letter_id FROM letter_subject WHERE subject_id = $1 ORDER BY letter_id LIMIT 1",
        subjects[0],
    )
    return found


async def parts(database: Database, letter_id: UUID) -> list[tuple[Any, ...]]:
    rows = await database.fetch(
        "SELECT subject_id, dropped_because FROM letter_subject WHERE letter_id = $1"
        " ORDER BY position",
        letter_id,
    )
    return [tuple(row) for row in rows]


async def state(database: Database, letter_id: UUID) -> tuple[Any, ...]:
    row = await database.fetchrow("SELECT state, reason FROM outbox WHERE id = $1", letter_id)
    assert row is not None
    return tuple(row)


async def test_letters_to_one_person_become_one_with_a_part_each(database: Database) -> None:
    person, one, two = uuid4(), uuid4(), uuid4()

    letter = await fold(database, person, one, two)

    row = await database.fetchrow("SELECT * FROM letter")
    assert row is not None
    assert (letter, "several", None) == (row["id"], row["kind"], row["subject_id"])
    assert [(one, None), (two, None)] == await parts(database, letter)
    assert [letter] == await claim(database)


async def test_the_most_urgent_part_sets_the_pace_and_the_longest_the_end(
    database: Database,
) -> None:
    person = uuid4()
    ends = a_letter().expires_at
    async with database.unit_of_work() as unit:
        for priority in (4, 2):
            letter = a_letter(
                recipient_id=person,
                subject_id=uuid4(),
                priority=priority,
                expires_at=ends + timedelta(days=priority),
            )
            await outbox.post(unit.connection, letter)
        await combining.fold_selected(unit.connection, FOLD)

    row = await database.fetchrow("SELECT priority, expires_at FROM outbox")
    assert row is not None
    assert (2, ends + timedelta(days=4)) == tuple(row)


async def test_what_is_a_part_already_is_not_posted_again(database: Database) -> None:
    person, subject = uuid4(), uuid4()
    await fold(database, person, subject, uuid4())

    again = a_letter(dedupe_key=f"inv:0:{subject}:{person}", recipient_id=person)

    assert [] == await builders.post(database, again)


async def test_a_part_that_is_taken_back_drops_out_and_the_last_one_ends_the_letter(
    database: Database,
) -> None:
    one, two = uuid4(), uuid4()
    letter = await fold(database, uuid4(), one, two)

    async with database.unit_of_work() as unit:
        first = await outbox.cancel(unit.connection, one, ["invitation"], "superseded")
    waits = await state(database, letter)
    async with database.unit_of_work() as unit:
        second = await outbox.cancel(unit.connection, two, ["invitation"], "uninvited")

    assert (0, 1) == (first, second)
    assert ("queued", None) == waits
    assert [(one, "superseded"), (two, "uninvited")] == await parts(database, letter)
    assert ("cancelled", "uninvited") == await state(database, letter)


async def test_a_part_of_a_letter_that_is_leaving_stays(database: Database) -> None:
    one = uuid4()
    letter = await fold(database, uuid4(), one, uuid4())
    await claim(database)

    async with database.unit_of_work() as unit:
        await outbox.cancel(unit.connection, one, ["invitation"], "superseded")

    assert (one, None) == (await parts(database, letter))[0]


async def test_parts_that_drop_out_at_once_by_two_hands_still_end_the_letter_at_its_guard(
    database: Database,
) -> None:
    one, two = uuid4(), uuid4()
    letter = await fold(database, uuid4(), one, two)

    async def drop(subject: UUID) -> None:
        async with database.unit_of_work() as unit:
            await outbox.cancel(unit.connection, subject, ["invitation"], "superseded")

    await asyncio.gather(drop(one), drop(two))

    assert [(one, "superseded"), (two, "superseded")] == await parts(database, letter)


async def test_it_waits_for_the_elder_letters_of_each_of_its_subjects(database: Database) -> None:
    person, one, two = uuid4(), uuid4(), uuid4()
    elder = a_letter(subject_id=two, recipient_id=person, ordering_key=f"{person}:{two}")
    [first] = await builders.post(database, elder)
    letter = await fold(database, person, one, two)

    assert [first] == await claim(database)
    assert [] == await claim(database)
    await database.fetch("UPDATE outbox SET state = 'sent' WHERE id = $1", first)
    assert [letter] == await claim(database)


async def test_later_letters_of_each_of_its_subjects_wait_for_it(database: Database) -> None:
    person, one, two = uuid4(), uuid4(), uuid4()
    letter = await fold(database, person, one, two)
    later = a_letter(subject_id=two, recipient_id=person, ordering_key=f"{person}:{two}")
    [second] = await builders.post(database, later)
    [other] = await builders.post(database, a_letter(subject_id=two))

    assert {letter, other} == set(await claim(database))
    await database.fetch("UPDATE outbox SET state = 'sent' WHERE id = $1", letter)
    assert [second] == await claim(database)


async def test_such_letters_of_one_person_leave_one_after_the_other(database: Database) -> None:
    person = uuid4()
    first = await fold(database, person, uuid4(), uuid4())
    second = await fold_again(database, person)

    assert [first] == await claim(database)
    await database.fetch("UPDATE outbox SET state = 'sent' WHERE id = $1", first)
    assert [second] == await claim(database)


async def fold_again(database: Database, person: UUID) -> UUID:
    await database.fetch("UPDATE letter SET dedupe_key = 'cmb:earlier'")
    return await fold(database, person, uuid4(), uuid4())


async def test_a_repeated_letter_has_the_parts_of_the_first(database: Database) -> None:
    person, one, two = uuid4(), uuid4(), uuid4()
    letter = await fold(database, person, one, two)
    await database.fetch("UPDATE outbox SET state = 'failed'")

    async with database.unit_of_work() as unit:
        again = await outbox.repeat(unit.connection, letter, a_letter().expires_at)

    assert again is not None
    assert [(one, None), (two, None)] == await parts(database, again)


async def test_one_part_is_repeated_alone(database: Database) -> None:
    person, one, two = uuid4(), uuid4(), uuid4()
    letter = await fold(database, person, one, two)
    await database.fetch("UPDATE outbox SET state = 'sent'")

    async with database.unit_of_work() as unit:
        again = await outbox.repeat(unit.connection, letter, a_letter().expires_at, subject_id=two)

    assert again is not None
    row = await database.fetchrow("SELECT kind, subject_id FROM letter WHERE id = $1", again)
    assert row is not None
    assert ("invitation", two) == tuple(row)
    assert [] == await parts(database, again)
