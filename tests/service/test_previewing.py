from dataclasses import replace
from datetime import date, timedelta
from uuid import uuid4

import pytest

from service import noticing, planning, previewing, scheduling
from service.auditing import Actor
from service.database import Database
from service.domain.errors import FieldsError, IllegalMoveError, NotFoundError, StaleFormError
from service.domain.meetings import Move
from service.domain.words import NoticeKind, State
from service.scheduling import Letters, Options
from tests.builders import (
    NOW,
    a_group,
    a_meeting,
    a_person,
    an_invitation,
    an_organisation,
    letters,
)
from tests.service.test_planning import OnlyGroup, a_form

OFFICE = Actor("account", uuid4(), "Frau Koordinatorin")
EVERY_ROW = """
SELECT (SELECT jsonb_agg(to_jsonb(m)) FROM meeting m) AS meetings,
    (SELECT jsonb_agg(to_jsonb(g)) FROM working_group g) AS groups,
    (SELECT jsonb_agg(to_jsonb(i)) FROM invitation i) AS invitations,
    (SELECT jsonb_agg(to_jsonb(n)) FROM notice n) AS notices,
    (SELECT count(*) FROM audit) AS audits, (SELECT count(*) FROM reminder_slot) AS slots
"""


async def test_a_preview_of_publishing_shows_number_page_and_everybody_invited(
    database: Database,
) -> None:
    group = await a_group(database, name="Klima", title_pattern="{number}. AG Klima")
    city = await an_organisation(database, name="Stadt Gotha")
    await a_person(database, of=city, member_of=group, full_name="Anna Amt")
    await a_person(database, member_of=group, full_name="Ohne Adresse", email=None)
    meeting_id, form = uuid4(), a_form(group, title="17. AG Klima")
    await planning.save_draft(database, OFFICE, meeting_id, form, NOW)
    before = await database.fetchrow(EVERY_ROW)
    found = await previewing.preview(
        database, OFFICE, meeting_id, Move.PUBLISH_CONFIRMED, form, NOW
    )

    assert (found.slug, found.numbers) == ("17-ag-klima", (("Klima", 17),))
    assert [(each.kind, each.letters) for each in found.notices] == [(NoticeKind.INVITATION, 1)]
    assert {(each.name, each.partner) for each in found.recipients} == {
        ("Anna Amt", "Stadt Gotha"),
        ("Ohne Adresse", ""),
    }
    assert [each.name for each in found.without_address] == ["Ohne Adresse"]
    assert await database.fetchrow(EVERY_ROW) == before


async def test_a_preview_of_a_move_counts_who_is_asked_again(database: Database) -> None:
    meeting = await a_meeting(database)
    for answer in ("in_person", "in_person", "declined", None):
        await an_invitation(database, meeting, answer=answer)
    form, revision = await planning.load_form(database, meeting["id"])
    moved = replace(form, start_on=date(2027, 3, 11))
    before = await database.fetchrow(EVERY_ROW)
    found = await previewing.preview(
        database, OFFICE, meeting["id"], Move.CHANGE, moved, NOW,
        options=Options(seen_revision=revision),
    )  # fmt: skip

    assert (found.asked_again, found.letters, found.sequence, found.merges) == (3, 4, 1, False)
    assert {change.name for change in found.effect.fields} >= {"starts_local", "ends_local"}
    assert await database.fetchrow(EVERY_ROW) == before


async def test_a_preview_is_what_then_happens(database: Database) -> None:
    meeting = await a_meeting(database)
    for answer in ("in_person", "declined", None):
        await an_invitation(database, meeting, answer=answer)
    found = await previewing.preview(
        database, OFFICE, meeting["id"], Move.CANCEL, None, NOW, reason="Grund"
    )
    saved = await scheduling.cancel(database, OFFICE, meeting["id"], "Grund", NOW)
    await noticing.queue_due(database, NOW + timedelta(minutes=1))

    assert saved.effect == found.effect
    assert {row["recipient_id"] for row in await letters(database)} == {
        each.person_id for each in found.recipients
    }


async def test_a_preview_says_that_a_pending_notice_takes_the_change_in(
    database: Database,
) -> None:
    meeting = await a_meeting(database)
    await an_invitation(database, meeting, answer="in_person")
    form, _ = await planning.load_form(database, meeting["id"])
    first, second = (replace(form, start_on=date(2027, 3, day)) for day in (11, 18))
    await scheduling.change(database, OFFICE, meeting["id"], first, NOW)
    found = await previewing.preview(database, OFFICE, meeting["id"], Move.CHANGE, second, NOW)

    assert (found.merges, found.letters, found.letters_to_one_person) == (True, 1, 1)


async def test_a_preview_without_letters_shows_none(database: Database) -> None:
    meeting = await a_meeting(database)
    await an_invitation(database, meeting, answer="in_person")
    found = await previewing.preview(
        database, OFFICE, meeting["id"], Move.POSTPONE, None, NOW,
        options=Options(letters=Letters.NONE),
    )  # fmt: skip

    assert (found.after.state, found.letters, found.recipients) == (State.POSTPONED, 0, ())


async def test_a_preview_of_taking_a_cancellation_back_knows_where_it_stood(
    database: Database,
) -> None:
    meeting = await a_meeting(database, state="cancelled", cancelled_from="tentative")
    found = await previewing.preview(database, OFFICE, meeting["id"], Move.UNCANCEL, None, NOW)

    assert found.after.state is State.TENTATIVE


async def test_a_preview_refuses_what_the_move_would_refuse(database: Database) -> None:
    meeting = await a_meeting(database)
    form, _ = await planning.load_form(database, meeting["id"])
    cases = (
        (FieldsError, Move.CHANGE, replace(form, end_time=None), Options()),
        (StaleFormError, Move.CHANGE, replace(form, room="x"), Options(seen_revision=7)),
        (IllegalMoveError, Move.CONFIRM, form, Options()),
        (NotFoundError, Move.POSTPONE, None, Options(authority=OnlyGroup(uuid4()))),
    )

    for error, move, entries, options in cases:
        if move is Move.CONFIRM:
            await scheduling.postpone(database, OFFICE, meeting["id"], NOW)
        with pytest.raises(error):
            await previewing.preview(
                database, OFFICE, meeting["id"], move, entries, NOW, options=options
            )
