"""When invitations leave: now, by the group's rule, or at the office's own time."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from service import noticing, planning, scheduling
from service.auditing import Actor
from service.database import Database
from service.domain.errors import FieldsError, NotFoundError
from service.domain.words import State
from service.scheduling import Letters, Options
from tests.builders import (
    NOW,
    START,
    Row,
    a_group,
    a_meeting,
    a_membership,
    a_person,
    an_invitation,
    letters,
)
from tests.service.test_planning import OnlyGroup

OFFICE = Actor("account", uuid4(), "Frau Koordinatorin")
WISHED = datetime(2027, 1, 11, 14, 30)  # noqa: DTZ001 - wall time
WISHED_AT = datetime(2027, 1, 11, 13, 30, tzinfo=UTC)
BY_RULE_AT = datetime(2027, 1, 21, 8, 0, tzinfo=UTC)


async def publish(database: Database, group: Row, options: Options) -> UUID:
    meeting = await a_meeting(database, of=group, state="draft")
    form, _ = await planning.load_form(database, meeting["id"])
    form = replace(form, status=State.CONFIRMED)
    await scheduling.publish(database, OFFICE, meeting["id"], form, NOW, options=options)
    return UUID(str(meeting["id"]))


async def move(database: Database, meeting_id: UUID, **entries: Any) -> None:
    form, _ = await planning.load_form(database, meeting_id)
    await scheduling.change(database, OFFICE, meeting_id, replace(form, **entries), NOW)


async def due(database: Database) -> datetime:
    at: datetime = await database.fetchval("SELECT due_at FROM notice WHERE state = 'pending'")
    return at


async def the_notice(database: Database) -> UUID:
    return UUID(str(await database.fetchval("SELECT id FROM notice WHERE state = 'pending'")))


async def test_the_office_s_own_time_is_wall_time_of_the_session(database: Database) -> None:
    group = await a_group(database)
    await a_person(database, member_of=group)
    await publish(database, group, Options(invite_local=WISHED))

    assert WISHED_AT == await due(database)


async def test_people_who_join_until_then_are_asked_too(database: Database) -> None:
    group = await a_group(database)
    await a_person(database, member_of=group)
    await publish(database, group, Options(invite_local=WISHED))
    await a_membership(database, await a_person(database), group)
    early = await noticing.queue_due(database, WISHED_AT - timedelta(seconds=1))
    count = await noticing.queue_due(database, WISHED_AT)

    assert (early, count) == (0, 2)


async def test_an_own_time_stays_when_the_session_moves(database: Database) -> None:
    group = await a_group(database)
    await a_person(database, member_of=group)
    meeting_id = await publish(database, group, Options(invite_local=WISHED))
    await move(database, meeting_id, start_on=date(2027, 4, 8))

    assert WISHED_AT == await due(database)


async def test_what_was_to_leave_now_still_does_after_a_move(database: Database) -> None:
    group = await a_group(database)
    await a_person(database, member_of=group)
    meeting_id = await publish(database, group, Options(letters=Letters.NOW))
    await move(database, meeting_id, start_on=date(2027, 4, 8))

    assert NOW + timedelta(minutes=10) == await due(database)


async def test_an_own_time_that_a_move_overtakes_gives_way_to_the_rule(database: Database) -> None:
    group = await a_group(database)
    await a_person(database, member_of=group)
    late = datetime(2027, 2, 20, 9, 0)  # noqa: DTZ001 - wall time
    meeting_id = await publish(database, group, Options(invite_local=late))
    await move(database, meeting_id, start_on=date(2027, 2, 18), answer_by=None)

    assert BY_RULE_AT - timedelta(weeks=2) == await due(database)


async def test_the_rule_s_time_follows_the_session(database: Database) -> None:
    group = await a_group(database, invite_weeks_before=6)
    await a_person(database, member_of=group)
    meeting_id = await publish(database, group, Options())
    before = await due(database)
    await move(database, meeting_id, start_on=date(2027, 3, 11))

    assert (BY_RULE_AT, BY_RULE_AT + timedelta(weeks=1)) == (before, await due(database))


@pytest.mark.parametrize(
    ("local", "field", "text"),
    [
        (NOW.replace(tzinfo=None), "invite_on", "plan.err_invite_past"),
        (START - timedelta(days=7), "invite_on", "plan.err_invite_late"),
        (START + timedelta(days=1), "invite_on", "plan.err_invite_late"),
    ],
)
async def test_a_time_that_helps_nobody_is_refused_and_nothing_is_published(
    database: Database, local: datetime, field: str, text: str
) -> None:
    group = await a_group(database)
    await a_person(database, member_of=group)
    with pytest.raises(FieldsError) as refused:
        await publish(database, group, Options(invite_local=local))

    assert {field: (text, {})} == refused.value.fields
    assert await database.fetchval("SELECT state FROM meeting") == "draft"


async def test_an_hour_that_no_clock_shows_is_refused(database: Database) -> None:
    group = await a_group(database)
    await a_person(database, member_of=group)
    meeting_id = await publish(database, group, Options(invite_local=WISHED))
    await move(database, meeting_id, start_on=date(2027, 5, 6))
    local = datetime.combine(date(2027, 3, 28), time(2, 30))
    with pytest.raises(FieldsError) as refused:
        await noticing.set_time(database, OFFICE, await the_notice(database), local, NOW)

    assert {"invite_time": ("plan.err_gap", {})} == refused.value.fields


async def test_a_planned_time_can_be_changed_and_sent_at_once(database: Database) -> None:
    group = await a_group(database)
    await a_person(database, member_of=group)
    await publish(database, group, Options())
    notice_id = await the_notice(database)
    is_set = await noticing.set_time(database, OFFICE, notice_id, WISHED, NOW)
    changed = await due(database)
    count = await noticing.send_now(database, OFFICE, notice_id, NOW)
    too_late = await noticing.set_time(database, OFFICE, notice_id, WISHED, NOW)

    assert (is_set, changed, count, too_late) == (True, WISHED_AT, 1, False)
    assert len(await letters(database, kind="invitation")) == 1


async def test_the_time_of_a_change_notice_is_not_chosen(database: Database) -> None:
    meeting = await a_meeting(database)
    await an_invitation(database, meeting)
    await move(database, meeting["id"], start_on=date(2027, 3, 11))
    before = await due(database)
    is_set = await noticing.set_time(database, OFFICE, await the_notice(database), WISHED, NOW)

    assert (is_set, before) == (False, await due(database))


async def test_a_lead_of_another_group_does_not_find_the_notice(database: Database) -> None:
    group = await a_group(database)
    await a_person(database, member_of=group)
    await publish(database, group, Options())
    notice_id = await the_notice(database)
    with pytest.raises(NotFoundError):
        await noticing.set_time(
            database, OFFICE, notice_id, WISHED, NOW, authority=OnlyGroup(uuid4())
        )

    assert BY_RULE_AT == await due(database)
