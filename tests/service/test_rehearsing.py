from dataclasses import replace
from datetime import date, timedelta
from uuid import uuid4

import pytest

from service import noticing, planning, rehearsing, scheduling
from service.auditing import Actor
from service.database import Database
from service.domain.errors import FieldsError, IllegalMoveError, NotFoundError, StaleFormError
from service.domain.meetings import Move
from service.domain.words import NoticeKind, State
from service.moving import Ending
from service.rehearsing import Wish
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


async def test_a_rehearsal_of_publishing_shows_number_page_and_everybody_invited(
    database: Database,
) -> None:
    group = await a_group(database, title_pattern="{number}. AG Klima")
    city = await an_organisation(database, name="Stadt Gotha")
    await a_person(database, of=city, member_of=group, full_name="Anna Amt")
    await a_person(database, member_of=group, full_name="Ohne Adresse", email=None)
    meeting_id, form = uuid4(), a_form(group, title="17. AG Klima")
    await planning.save_draft(database, OFFICE, meeting_id, form, NOW)
    before = await database.fetchrow(EVERY_ROW)
    wish = Wish(move=Move.PUBLISH_CONFIRMED, form=form)
    found = await rehearsing.rehearse(database, OFFICE, meeting_id, wish, NOW)
    notice = found.notices[0]

    assert (found.meeting.slug, found.number, found.letters) == ("17-ag-klima", 17, 1)
    assert (len(found.notices), notice.kind) == (1, NoticeKind.INVITATION)
    assert {(each.name, each.partner) for each in notice.recipients} == {
        ("Anna Amt", "Stadt Gotha"),
        ("Ohne Adresse", ""),
    }
    assert [each.name for each in notice.without_address] == ["Ohne Adresse"]
    assert await database.fetchrow(EVERY_ROW) == before


async def test_a_rehearsal_of_a_move_counts_who_is_asked_again(database: Database) -> None:
    meeting = await a_meeting(database)
    for answer in ("in_person", "in_person", "declined", None):
        await an_invitation(database, meeting, answer=answer)
    form, revision = await planning.load_form(database, meeting["id"])
    moved = replace(form, start_on=date(2027, 3, 11))
    before = await database.fetchrow(EVERY_ROW)
    wish = Wish(move=Move.CHANGE, form=moved, options=Options(seen_revision=revision))
    found = await rehearsing.rehearse(database, OFFICE, meeting["id"], wish, NOW)

    assert (found.saved.asked_again, found.letters, found.meeting.sequence) == (3, 4, 1)
    assert {each.name for each in found.saved.effect.fields} >= {"starts_local", "ends_local"}
    assert await database.fetchrow(EVERY_ROW) == before


async def test_what_was_rehearsed_is_what_then_happens(database: Database) -> None:
    meeting = await a_meeting(database)
    for answer in ("in_person", "declined", None):
        await an_invitation(database, meeting, answer=answer)
    wish = Wish(move=Move.CANCEL, ending=Ending("Grund"))
    found = await rehearsing.rehearse(database, OFFICE, meeting["id"], wish, NOW)
    saved = await scheduling.cancel(database, OFFICE, meeting["id"], "Grund", NOW)
    await noticing.queue_due(database, NOW + timedelta(minutes=1))

    assert saved.effect == found.saved.effect
    assert {row["recipient_id"] for row in await letters(database)} == {
        each.person_id for each in found.notices[0].recipients
    }


async def test_a_rehearsal_merges_into_the_notice_that_is_pending(database: Database) -> None:
    meeting = await a_meeting(database)
    await an_invitation(database, meeting, answer="in_person")
    form, _ = await planning.load_form(database, meeting["id"])
    first, second = (replace(form, start_on=date(2027, 3, day)) for day in (11, 18))
    await scheduling.change(database, OFFICE, meeting["id"], first, NOW)
    wish = Wish(move=Move.CHANGE, form=second)
    found = await rehearsing.rehearse(database, OFFICE, meeting["id"], wish, NOW)

    assert (len(found.notices), found.letters, found.most_per_person) == (1, 1, 1)


async def test_a_rehearsal_without_letters_shows_none(database: Database) -> None:
    meeting = await a_meeting(database)
    await an_invitation(database, meeting, answer="in_person")
    wish = Wish(move=Move.POSTPONE, options=Options(letters=Letters.NONE))
    found = await rehearsing.rehearse(database, OFFICE, meeting["id"], wish, NOW)

    assert (found.after.state, found.letters, found.notices) == (State.POSTPONED, 0, ())


async def test_a_rehearsal_of_taking_a_cancellation_back_knows_where_it_stood(
    database: Database,
) -> None:
    meeting = await a_meeting(database, state="cancelled", cancelled_from="tentative")
    found = await rehearsing.rehearse(database, OFFICE, meeting["id"], Wish(move=None), NOW)

    assert found.after.state is State.TENTATIVE


async def test_a_rehearsal_refuses_what_the_move_would_refuse(database: Database) -> None:
    meeting = await a_meeting(database)
    form, _ = await planning.load_form(database, meeting["id"])
    foreign = Options(authority=OnlyGroup(uuid4()))
    stale = Options(seen_revision=7)
    cases: tuple[tuple[type[Exception], Wish], ...] = (
        (FieldsError, Wish(move=Move.CHANGE, form=replace(form, end_time=None))),
        (StaleFormError, Wish(move=Move.CHANGE, form=replace(form, room="x"), options=stale)),
        (IllegalMoveError, Wish(move=Move.PUBLISH_TENTATIVE, form=form)),
        (NotFoundError, Wish(move=Move.POSTPONE, options=foreign)),
    )

    for error, wish in cases:
        with pytest.raises(error):
            await rehearsing.rehearse(database, OFFICE, meeting["id"], wish, NOW)


async def test_a_rehearsal_names_what_waits_already(database: Database) -> None:
    meeting = await a_meeting(database)
    for _ in range(2):
        await an_invitation(database, meeting)
    await noticing.remind(database, OFFICE, meeting["id"], NOW)
    await noticing.queue_due(database, NOW + timedelta(minutes=11))
    form, revision = await planning.load_form(database, meeting["id"])
    moved = replace(form, room="Saal 2")
    options = Options(seen_revision=revision)
    first = Wish(move=Move.CHANGE, form=moved, options=options)
    fresh = await rehearsing.rehearse(database, OFFICE, meeting["id"], first, NOW)
    saved = await scheduling.change(database, OFFICE, meeting["id"], moved, NOW, options=options)
    again = Wish(
        move=Move.CHANGE,
        form=replace(form, start_on=date(2027, 3, 11)),
        options=Options(seen_revision=saved.revision),
    )
    found = await rehearsing.rehearse(database, OFFICE, meeting["id"], again, NOW)

    assert ((), {"nudge": 2}) == (fresh.merged, dict(fresh.queued))
    assert ((NoticeKind.CHANGE,), {}) == (found.merged, dict(found.queued))
