"""Reminders of somebody who is taken off a list and put on it again before anybody was told."""

import asyncio
import contextvars
from datetime import timedelta
from typing import Any

import pytest

from notifications import combining
from service import inviting, noticing, reminding
from service.auditing import COMMAND
from service.database import Database
from tests import builders
from tests.builders import Row
from tests.service.test_reminding import (
    A_DAY_BEFORE,
    DAY_BEFORE,
    a_session,
    invited,
)

MINUTE = timedelta(minutes=1)


async def standing(database: Database, **where: Any) -> list[tuple[str, str | None]]:
    rows = await builders.letters(database, **{"kind": "reminder"} | where)
    return [(row["state"], row["reason"]) for row in rows]


async def take_off(database: Database, invitation: Row, after: timedelta = MINUTE) -> None:
    await inviting.uninvite(database, COMMAND, invitation["id"], A_DAY_BEFORE + after)


async def put_back(database: Database, invitation: Row, after: timedelta = 2 * MINUTE) -> None:
    await inviting.invite_one_more(
        database,
        COMMAND,
        invitation["meeting_id"],
        invitation["person_id"],
        A_DAY_BEFORE + after,
    )


async def somebody(database: Database, **person: Any) -> Row:
    """Return the invitation of somebody who comes and is to be reminded a day before."""
    meeting = await a_session(database, DAY_BEFORE)
    invitation = await invited(database, meeting, answer="in_person")
    for name, value in person.items():
        await database.fetch(
            f"UPDATE person SET {name} = $2 WHERE id = $1", invitation["person_id"], value
        )
    return invitation


async def test_a_reminder_that_waited_leaves_after_all(database: Database) -> None:
    invitation = await somebody(database)
    await reminding.queue_due(database, A_DAY_BEFORE)
    await take_off(database, invitation)
    stopped = await standing(database)
    await put_back(database, invitation)

    assert [("cancelled", "uninvited")] == stopped
    assert [("queued", None)] == await standing(database)


async def test_a_reminder_that_fell_due_meanwhile_leaves_when_they_are_back(
    database: Database,
) -> None:
    invitation = await somebody(database)
    await take_off(database, invitation, -MINUTE)
    posted = await reminding.queue_due(database, A_DAY_BEFORE)
    stopped = await standing(database)
    await put_back(database, invitation)

    assert (0, [("cancelled", "uninvited")]) == (posted, stopped)
    assert [("queued", None)] == await standing(database)


async def test_a_reminder_that_is_being_judged_at_this_moment_is_judged_anew(
    database: Database,
) -> None:
    """Its postman read that the invitation was taken back, and has not said so yet."""
    invitation = await somebody(database)
    await reminding.queue_due(database, A_DAY_BEFORE)
    await database.fetch(
        "UPDATE outbox SET state = 'sending', lease_token = 1, lease_until = now() + '1 hour'"
    )
    await take_off(database, invitation)
    await put_back(database, invitation)
    row = await database.fetchrow("SELECT state, lease_token, lease_until FROM outbox")

    assert row is not None
    assert ("queued", 2, None) == tuple(row)


async def test_a_reminder_that_somebody_may_have_is_left_alone(database: Database) -> None:
    invitation = await somebody(database)
    await reminding.queue_due(database, A_DAY_BEFORE)
    await database.fetch("UPDATE outbox SET state = 'sending', data_started_at = now()")
    await take_off(database, invitation)
    await put_back(database, invitation)

    assert [("sending", None)] == await standing(database)


async def test_what_is_of_no_use_any_more_stays_stopped(database: Database) -> None:
    invitation = await somebody(database)
    await reminding.queue_due(database, A_DAY_BEFORE)
    await take_off(database, invitation)
    await database.fetch("UPDATE reminder_slot SET not_after = $1", A_DAY_BEFORE + 2 * MINUTE)
    await put_back(database, invitation)

    assert [("cancelled", "uninvited")] == await standing(database)


async def test_whoever_was_told_and_is_asked_afresh_reads_it_in_the_invitation(
    database: Database,
) -> None:
    """They are taken off once more then, and put back before they are told of that."""
    invitation = await somebody(database)
    await reminding.queue_due(database, A_DAY_BEFORE)
    await take_off(database, invitation)
    await noticing.queue_due(database, A_DAY_BEFORE + 30 * MINUTE)
    await put_back(database, invitation, 40 * MINUTE)
    await noticing.queue_due(database, A_DAY_BEFORE + 60 * MINUTE)
    await database.fetch("UPDATE outbox SET state = 'sent' WHERE state = 'queued'")
    await take_off(database, invitation, 70 * MINUTE)
    await put_back(database, invitation, 71 * MINUTE)

    assert "invited" == (await builders.read(database, "invitation", invitation["id"]))["state"]
    assert [("cancelled", "uninvited")] == await standing(database)


async def test_a_secretariat_reads_it_too(database: Database) -> None:
    invitation = await somebody(database, copy_email="vorzimmer@example.org")
    await reminding.queue_due(database, A_DAY_BEFORE)
    await take_off(database, invitation)
    await database.fetch(
        "UPDATE outbox SET state = 'cancelled', reason = 'uninvited' WHERE state = 'queued'"
    )
    await put_back(database, invitation)

    assert "invited" == (await builders.read(database, "invitation", invitation["id"]))["state"]
    assert [("queued", None)] == await standing(database, kind="copy")


async def test_a_secretariat_reads_what_fell_due_meanwhile(database: Database) -> None:
    invitation = await somebody(database, copy_email="vorzimmer@example.org")
    await take_off(database, invitation, -MINUTE)
    await reminding.queue_due(database, A_DAY_BEFORE)
    await put_back(database, invitation)

    assert [("queued", None)] == await standing(database, kind="copy")


async def parts(database: Database) -> list[str | None]:
    rows = await database.fetch("SELECT dropped_because AS because FROM letter_subject")
    return sorted((row["because"] for row in rows), key=str)


async def a_joint_letter(database: Database) -> Row:
    meeting = await a_session(database, DAY_BEFORE)
    other = await a_session(database, DAY_BEFORE)
    first = await invited(database, meeting, answer="in_person")
    person = await builders.read(database, "person", first["person_id"])
    await builders.an_invitation(
        database, other, person, answer="in_person", invited_at=first["invited_at"]
    )
    await reminding.queue_due(database, A_DAY_BEFORE)
    async with database.unit_of_work() as unit:
        await combining.fold_selected(
            unit.connection,
            "SELECT id, 'reminders', 'one', row_number() OVER (ORDER BY id)::smallint FROM letter",
        )
    return first


async def test_it_comes_back_into_the_joint_letter_that_waits(database: Database) -> None:
    invitation = await a_joint_letter(database)
    await take_off(database, invitation)
    stopped = await parts(database)
    await put_back(database, invitation)

    assert [None, "uninvited"] == stopped
    assert [None, None] == await parts(database)


async def test_it_leaves_alone_where_the_joint_letter_left_without_it(database: Database) -> None:
    invitation = await a_joint_letter(database)
    await take_off(database, invitation)
    await database.fetch("UPDATE outbox SET state = 'sent'")
    await put_back(database, invitation)
    await take_off(database, invitation, 3 * MINUTE)
    await put_back(database, invitation, 4 * MINUTE)
    (alone,) = await builders.letters(database, kind="reminder")

    assert ("queued", invitation["meeting_id"]) == (alone["state"], alone["subject_id"])
    assert [None, "replaced"] == await parts(database)


@pytest.mark.parametrize("lock", ["FOR UPDATE", "FOR NO KEY UPDATE"])
async def test_while_somebody_edits_the_session_its_reminders_wait_for_the_next_run(
    database: Database, lock: str
) -> None:
    """Who is on the list when they are posted is what the editor decides."""
    await somebody(database)
    async with database.unit_of_work() as unit:
        await unit.connection.execute(f"SELECT FROM meeting {lock}")
        run = reminding.queue_due(database, A_DAY_BEFORE)
        meanwhile = await asyncio.create_task(run, context=contextvars.Context())

    assert (0, 1) == (meanwhile, await reminding.queue_due(database, A_DAY_BEFORE))
