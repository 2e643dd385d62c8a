"""Reminders that were written in time and could not leave before the quiet hours began."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from notifications.clerk import Go, Stop
from notifications.postman import Options, Postman
from service import foretelling, noticing, relaying, reminding
from service.auditing import COMMAND
from service.composing import Clerk
from service.database import Database
from service.domain.reminders import Rule
from service.foretelling import Window
from service.services import Services
from tests import builders
from tests.builders import Row
from tests.notifications import smtp_servers
from tests.notifications.smtp_servers import CLOSE, Server
from tests.service import test_foretelling as ahead
from tests.service.test_foretelling import THURSDAY
from tests.service.test_reminding import DAY_BEFORE, HOUR_BEFORE, NUDGE, a_session, invited

QUEUED_AT = datetime(2027, 1, 6, 8, tzinfo=UTC)
"""Wednesday at nine: the reminder of Thursday's session is written."""
NIGHT = datetime(2027, 1, 7, 2, tzinfo=UTC)
"""Three in the morning, when the mail server is back."""
MORNING = datetime(2027, 1, 7, 6, tzinfo=UTC)
WAITS = Stop("quiet_hours", "held")
# The parts of a process that a letter needs.
services = ahead.services


async def a_reminder(database: Database, rule: Rule, at: datetime, **columns: Any) -> UUID:
    """Write a reminder of Thursday's session by a rule, at that instant."""
    meeting = await a_session(database, rule, starts_local=THURSDAY, **columns)
    await invited(database, meeting, None if rule is NUDGE else "in_person")
    await reminding.queue_due(database, at)
    return await letter(database, at)


async def letter(database: Database, at: datetime) -> UUID:
    """Return the one letter, and let it be of that instant."""
    found: UUID = await database.fetchval("UPDATE letter SET created_at = $1 RETURNING id", at)
    return found


async def verdict(services: Services, letter_id: UUID, at: datetime) -> Go | Stop:
    clerk = Clerk(replace(services, clock=lambda: at))
    return (await clerk.look_up([letter_id]))[letter_id]


async def hold(database: Database) -> None:
    """Write down what the clerk said, as the postman does."""
    await database.fetch(
        "UPDATE outbox SET state = $1, reason = $2, finished_at = now()", WAITS.state, WAITS.reason
    )


async def states(database: Database) -> list[tuple[Any, ...]]:
    return [
        tuple(row) for row in await database.fetch("SELECT state, reason, finished_at FROM outbox")
    ]


async def test_a_reminder_that_could_not_leave_in_time_is_held_in_the_night(
    services: Services, database: Database
) -> None:
    found = await a_reminder(database, DAY_BEFORE, QUEUED_AT)

    assert WAITS == await verdict(services, found, NIGHT)
    assert isinstance(await verdict(services, found, NIGHT - timedelta(hours=8)), Go)
    assert isinstance(await verdict(services, found, MORNING), Go)


async def test_a_reminder_by_minutes_leaves_in_the_night(
    services: Services, database: Database
) -> None:
    early = datetime(2027, 1, 7, 4, 30)  # noqa: DTZ001 - wall time
    meeting = await a_session(database, HOUR_BEFORE, starts_local=early)
    await invited(database, meeting, "in_person")
    written_at = NIGHT + timedelta(minutes=30)
    await reminding.queue_due(database, written_at)
    found = await letter(database, written_at)

    assert isinstance(await verdict(services, found, written_at + timedelta(minutes=20)), Go)


async def test_what_the_office_sends_by_hand_leaves_in_the_night(
    services: Services, database: Database
) -> None:
    meeting = await builders.a_meeting(database, starts_local=THURSDAY)
    await builders.an_invitation(database, meeting)
    await noticing.remind(database, COMMAND, meeting["id"], QUEUED_AT)
    await noticing.queue_due(database, QUEUED_AT + timedelta(minutes=10))
    found = await letter(database, QUEUED_AT)

    assert isinstance(await verdict(services, found, NIGHT), Go)


async def test_a_joint_reminder_waits_as_single_ones_do(
    services: Services, database: Database
) -> None:
    found = await a_reminder(database, DAY_BEFORE, QUEUED_AT)
    part = await database.fetchrow("SELECT * FROM letter")
    assert part is not None
    await _make_joint(database, dict(part))

    assert WAITS == await verdict(services, found, NIGHT)


async def _make_joint(database: Database, part: Row) -> None:
    await builders.insert(
        database,
        "letter_subject",
        letter_id=part["id"],
        position=1,
        kind="reminder",
        **{
            name: part[name]
            for name in ("subject_id", "subject_rev", "time_rev", "ordering_key", "cause")
        },
        dedupe_key=part["dedupe_key"],
    )
    await database.fetch(
        "UPDATE letter SET kind = 'reminders', subject_id = NULL, dedupe_key = 'cmb:1',"
        " cause = '{}'"
    )


@pytest.mark.parametrize("at", [NIGHT, MORNING - timedelta(seconds=1)])
async def test_what_waits_is_not_released_in_the_night(database: Database, at: datetime) -> None:
    await a_reminder(database, DAY_BEFORE, QUEUED_AT)
    await hold(database)

    assert 0 == await reminding.release_waiting(database, at)
    assert [WAITS.reason] == [reason for _, reason, _ in await states(database)]


async def test_in_the_morning_what_waits_may_leave(database: Database) -> None:
    await a_reminder(database, DAY_BEFORE, QUEUED_AT)
    await hold(database)

    assert 1 == await reminding.release_waiting(database, MORNING)
    assert [("queued", None, None)] == await states(database)
    assert 0 == await reminding.release_waiting(database, MORNING)


async def test_what_is_held_for_another_reason_stays_held(database: Database) -> None:
    await a_reminder(database, DAY_BEFORE, QUEUED_AT)
    await hold(database)
    await database.fetch("UPDATE outbox SET reason = 'undeliverable'")

    assert 0 == await reminding.release_waiting(database, MORNING)


async def test_bytes_that_were_promised_leave_unchanged_in_the_morning(
    services: Services, database: Database
) -> None:
    await a_reminder(database, DAY_BEFORE, QUEUED_AT)
    # The postman goes by the database's clock, the clerk by ours.
    await database.fetch("UPDATE outbox SET expires_at = '2100-01-01'")
    async with smtp_servers.running(lambda line, _: CLOSE if line == "." else None) as server:
        await _deliver(services, server, QUEUED_AT)
        (promised,) = server.mails
    await database.fetch(
        "UPDATE outbox SET state = 'queued', data_started_at = NULL, next_attempt_at = now()"
    )
    async with smtp_servers.running() as server:
        await _deliver(services, server, NIGHT)
        in_the_night = await states(database)
        await reminding.release_waiting(database, MORNING)
        await _deliver(services, server, MORNING)
        (again,) = server.mails

    assert [(WAITS.state, WAITS.reason)] == [row[:2] for row in in_the_night]
    assert promised.raw == again.raw
    assert "sent" == await database.fetchval("SELECT state FROM outbox")


async def _deliver(services: Services, server: Server, at: datetime) -> None:
    """Send what may leave at that instant through a real postman."""
    there = replace(services, clock=lambda: at)
    sender = relaying.sender(services.settings)
    postman = Postman(
        *(services.database, server.relay(), Clerk(there), sender), Options(clock=there.clock)
    )
    await postman.deliver()
    await postman.stop()


@pytest.mark.parametrize("is_held", [False, True])
async def test_the_foretelling_lets_it_leave_in_the_morning(
    services: Services, database: Database, *, is_held: bool
) -> None:
    await a_reminder(database, DAY_BEFORE, QUEUED_AT)
    await database.fetch("UPDATE outbox SET next_attempt_at = $1", QUEUED_AT)
    if is_held:
        await hold(database)
    night = replace(services, clock=lambda: NIGHT)
    found = await foretelling.foretell(night, Window(NIGHT, NIGHT + timedelta(hours=6)))

    assert ([MORNING], ()) == ([each.at for each in found.letters], found.stopped)
