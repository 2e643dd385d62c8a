"""News of a session that finds older news of it still waiting."""

import asyncio
from contextvars import Context
from dataclasses import replace
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from notifications import leases
from notifications.clerk import Go
from service import copying, noticing, overtaking, planning, scheduling
from service.auditing import COMMAND
from service.composing import Clerk
from service.database import Database
from service.domain.changes import MeetingFacts
from service.drafting import Drafter, Key
from service.services import Services
from service.tables import notice_statements
from tests import builders
from tests import database as test_database
from tests.builders import Row
from tests.service import test_composing, test_writing_together
from tests.service.test_composing import NOW, STARTS

ready, services = test_composing.ready, test_composing.services

_CLAIM = """
UPDATE outbox o SET state = 'sending', lease_token = o.lease_token + 1 FROM letter l
WHERE l.id = o.id AND l.recipient_id = $1
"""
LATER = timedelta(minutes=11)
ONE_FOR_ANOTHER = [("change", "cancelled", "replaced"), ("change", "queued", None)]
FIRST, SECOND, THIRD = (STARTS.date() + timedelta(days=n) for n in (0, 1, 5))


async def a_session(database: Database) -> Row:
    """Insert a session on the first of the three days, without a deadline."""
    return await builders.a_meeting(database, starts_local=STARTS, answer_by_local=None)


async def change(database: Database, meeting: Row, **fields: Any) -> None:
    """Change a session and let the countdown end."""
    form, _ = await planning.load_form(database, meeting["id"])
    await scheduling.change(database, COMMAND, meeting["id"], replace(form, **fields), NOW)
    await noticing.queue_due(database, NOW + LATER)


async def cancel(database: Database, meeting: Row) -> None:
    await scheduling.cancel(database, COMMAND, meeting["id"], "Der Saal ist gesperrt.", NOW)
    await noticing.queue_due(database, NOW + LATER)


async def uncancel(database: Database, meeting: Row) -> None:
    await scheduling.uncancel(database, COMMAND, meeting["id"], None, NOW)
    await noticing.queue_due(database, NOW + LATER)


async def put(database: Database, person: Row, state: str, reason: str | None = None) -> None:
    """Let what waits for somebody be where the postman would leave it."""
    await database.fetch(
        "UPDATE outbox o SET state = $2, reason = $3 FROM letter l"
        " WHERE l.id = o.id AND l.recipient_id = $1 AND o.state = 'queued' RETURNING o.id",
        *(person["id"], state, reason),
    )


async def fates(database: Database, person: Row) -> list[tuple[str, str, str | None]]:
    """Return kind, state and reason of somebody's letters, the eldest first."""
    rows = await builders.letters(database, recipient_id=person["id"])
    rows.sort(key=lambda row: row["created_at"])
    return [(row["kind"], row["state"], row["reason"]) for row in rows]


async def known(services: Services, person: Row) -> MeetingFacts:
    """Return what the one letter that waits for somebody gives as the former state of things."""
    rows = await builders.letters(services.database, recipient_id=person["id"], state="queued")
    (letter,) = rows
    go = (await Clerk(services).look_up([letter["id"]]))[letter["id"]]
    assert isinstance(go, Go)
    assert isinstance(go.prototype_key, Key)
    occasion = await Drafter(services).occasion(go.prototype_key, letter["subject_id"])
    assert occasion.before is not None
    return occasion.before


async def test_whoever_heard_nothing_of_a_move_hears_nothing_of_the_way_back(
    services: Services,
) -> None:
    database = services.database
    meeting, heard, unheard = await a_scene(database)
    await change(database, meeting, start_on=SECOND)
    await put(database, heard, "sent")
    await change(database, meeting, start_on=FIRST)

    assert [("change", "cancelled", "replaced")] == await fates(database, unheard)
    assert [("change", "sent", None), ("change", "queued", None)] == await fates(database, heard)
    assert SECOND == (await known(services, heard)).starts_local.date()  # type: ignore[union-attr]


async def test_two_moves_are_one_letter_that_starts_from_the_date_people_know(
    services: Services,
) -> None:
    database = services.database
    meeting, heard, unheard = await a_scene(database)
    await change(database, meeting, start_on=SECOND)
    await put(database, heard, "sent")
    await change(database, meeting, start_on=THIRD)

    assert STARTS == (await known(services, unheard)).starts_local
    assert SECOND == (await known(services, heard)).starts_local.date()  # type: ignore[union-attr]
    assert ONE_FOR_ANOTHER == await fates(database, unheard)


async def test_moves_that_end_at_the_old_date_leave_nothing_held_for_a_dead_address(
    services: Services,
) -> None:
    database = services.database
    meeting, heard, unheard = await a_scene(database)
    await change(database, meeting, start_on=SECOND)
    await put(database, unheard, "held", "undeliverable")
    await change(database, meeting, start_on=THIRD, room="Saal 5")
    await put(database, unheard, "held", "undeliverable")
    await change(database, meeting, start_on=FIRST, room="Saal 1")

    assert [("change", "cancelled", "replaced")] * 2 == await fates(database, unheard)
    assert [("change", "cancelled", "replaced")] * 2 == await fates(database, heard)


async def test_only_who_heard_of_the_cancellation_hears_that_it_takes_place(
    services: Services,
) -> None:
    database = services.database
    meeting, heard, unheard = await a_scene(database)
    await cancel(database, meeting)
    await put(database, heard, "sent")
    await uncancel(database, meeting)

    assert [("cancellation", "cancelled", "replaced")] == await fates(database, unheard)
    assert [("cancellation", "sent", None), ("uncancellation", "queued", None)] == await fates(
        database, heard
    )


async def test_a_cancellation_nobody_heard_of_and_another_date_are_a_plain_move(
    services: Services,
) -> None:
    database = services.database
    meeting, heard, unheard = await a_scene(database)
    await cancel(database, meeting)
    await put(database, heard, "sent")
    await uncancel(database, meeting)
    await put(database, heard, "sent")
    await change(database, meeting, start_on=THIRD)

    assert STARTS == (await known(services, unheard)).starts_local
    assert ("change", "queued", None) == (await fates(database, unheard))[-1]


@pytest.mark.parametrize("state", ["sending", "uncertain"])
async def test_a_letter_that_is_leaving_counts_as_read(services: Services, state: str) -> None:
    database = services.database
    meeting, _, person = await a_scene(database)
    await cancel(database, meeting)
    await put(database, person, state)
    await uncancel(database, meeting)

    assert [("cancellation", state, None), ("uncancellation", "queued", None)] == await fates(
        database, person
    )


async def test_a_letter_that_may_have_left_counts_as_read(services: Services) -> None:
    database = services.database
    meeting, _, person = await a_scene(database)
    await change(database, meeting, start_on=SECOND)
    await database.fetch("UPDATE outbox SET uncertain_count = 1 RETURNING id")
    await change(database, meeting, start_on=FIRST)

    assert [("change", "queued", None)] * 2 == await fates(database, person)


async def test_a_letter_that_is_claimed_at_this_very_moment_counts_as_read(
    services: Services,
) -> None:
    database = services.database
    meeting, claimed, other = await a_scene(database)
    await change(database, meeting, start_on=SECOND)
    holder = await asyncpg.connect(database.dsn)
    async with holder.transaction():
        await holder.execute(_CLAIM, claimed["id"])
        posting = asyncio.create_task(change(database, meeting, start_on=FIRST))
        await test_database.until_blocked(holder, [posting])
    await holder.close()
    await posting

    assert [("change", "sending", None), ("change", "queued", None)] == await fates(
        database, claimed
    )
    assert SECOND == (await known(services, claimed)).starts_local.date()  # type: ignore[union-attr]
    assert [("change", "cancelled", "replaced")] == await fates(database, other)


async def test_nobody_claims_what_is_being_replaced(services: Services) -> None:
    database = services.database
    meeting, _, person = await a_scene(database)
    await change(database, meeting, start_on=SECOND)
    await database.fetch("UPDATE outbox SET next_attempt_at = now() RETURNING id")
    form, _ = await planning.load_form(database, meeting["id"])
    await scheduling.change(database, COMMAND, meeting["id"], replace(form, start_on=THIRD), NOW)
    async with database.unit_of_work() as unit:
        notice = await unit.connection.fetchrow(notice_statements.CLAIM_FIRST, NOW + LATER, [])
        posted = await overtaking.post(unit.connection, notice, NOW + LATER)
        claiming = leases.claim(database, 10, "one", "relay", paced=False)
        claimed = await asyncio.create_task(claiming, context=Context())

    assert (2, []) == (posted, claimed)
    assert ONE_FOR_ANOTHER == await fates(database, person)


async def test_older_news_waits_while_a_countdown_runs_that_may_replace_it(
    services: Services,
) -> None:
    database = services.database
    meeting = await a_session(database)
    person = await builders.a_person(database, copy_email="sekretariat@partner.example.org")
    await builders.an_invitation(database, meeting, person)
    await change(database, meeting, start_on=SECOND)
    form, _ = await planning.load_form(database, meeting["id"])
    await scheduling.change(database, COMMAND, meeting["id"], replace(form, start_on=FIRST), NOW)
    waits = await database.fetch("SELECT next_attempt_at - created_at AS time FROM outbox")
    claimed = await leases.claim(database, 10, "one", "relay", paced=False)

    assert [] == claimed
    assert len(waits) == 2
    assert all(each["time"] >= timedelta(minutes=11) for each in waits)


async def test_what_a_restored_backup_holds_counts_as_read(services: Services) -> None:
    database = services.database
    meeting, _, person = await a_scene(database)
    await change(database, meeting, start_on=SECOND)
    await put(database, person, "held", "restored")
    await change(database, meeting, start_on=FIRST)

    assert SECOND == (await known(services, person)).starts_local.date()  # type: ignore[union-attr]
    assert ("change", "held", "restored") == (await fates(database, person))[0]


async def test_a_part_of_a_letter_about_several_sessions_drops_out(services: Services) -> None:
    database = services.database
    scene = await test_writing_together.a_scene(database)
    await scene.invite(database, 0, 1)
    await test_writing_together.cancel(database, *scene.sessions[:2])
    await test_writing_together.sweep(database)
    await uncancel(database, scene.sessions[0])
    await uncancel(database, scene.sessions[1])
    rows = await database.fetch("SELECT dropped_because FROM letter_subject")

    assert ["replaced"] * 4 == [row["dropped_because"] for row in rows]
    assert [("several", "cancelled", "replaced")] == await fates(database, scene.mira)
    assert [("several", "cancelled", "replaced")] == await fates(database, scene.jan)


async def test_a_copy_falls_away_with_the_letter_that_is_replaced(services: Services) -> None:
    database = services.database
    meeting = await a_session(database)
    person = await builders.a_person(database, copy_email="sekretariat@partner.example.org")
    await builders.an_invitation(database, meeting, person)
    await change(database, meeting, start_on=SECOND)
    await change(database, meeting, start_on=FIRST)
    (copy,) = await builders.letters(database, kind=copying.KIND)
    stop = (await Clerk(services).look_up([copy["id"]]))[copy["id"]]

    assert "replaced" == getattr(stop, "reason", None)


async def test_what_the_office_ticked_is_still_told_after_a_move_there_and_back(
    services: Services,
) -> None:
    database = services.database
    meeting, _, person = await a_scene(database)
    form, _ = await planning.load_form(database, meeting["id"])
    ticked = scheduling.Options(letters=scheduling.Letters.TICKED)
    form = replace(form, agenda="1. Wahlen")
    await scheduling.change(database, COMMAND, meeting["id"], form, NOW, options=ticked)
    await noticing.queue_due(database, NOW + LATER)
    await change(database, meeting, start_on=SECOND)
    await change(database, meeting, start_on=FIRST)

    assert ("change", "queued", None) == (await fates(database, person))[-1]
    assert "" == (await known(services, person)).agenda


async def a_scene(database: Database) -> tuple[Row, Row, Row]:
    """Insert a session and two people who are invited to it."""
    meeting = await a_session(database)
    people = [await builders.a_person(database) for _ in range(2)]
    for person in people:
        await builders.an_invitation(database, meeting, person)
    return meeting, people[0], people[1]
