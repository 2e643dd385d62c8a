"""Whom a session asks: the whole group or the chosen, and guests by their address."""

from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from service import asking, inviting, noticing, planning, rehearsing, scheduling
from service.auditing import Actor
from service.database import Database
from service.domain.errors import FieldsError
from service.domain.meeting_forms import MeetingForm
from service.domain.meetings import Move
from service.domain.words import Audience, State
from service.rehearsing import Wish
from service.scheduling import Letters, Options
from tests.builders import (
    LONG_AGO,
    NOW,
    Row,
    a_group,
    a_meeting,
    a_membership,
    a_person,
    an_organisation,
    letters,
)

OFFICE = Actor("account", uuid4(), "Frau Koordinatorin")
LATER = NOW + timedelta(minutes=10)
AT_ONCE = Options(letters=Letters.NOW)


async def form_of(database: Database, meeting_id: UUID, **entries: Any) -> MeetingForm:
    form, _ = await planning.load_form(database, meeting_id)
    return replace(form, **entries)


async def publish(database: Database, group: Row, **entries: Any) -> UUID:
    """Publish a session with these entries, saved as a draft first."""
    meeting = await a_meeting(database, of=group, state="draft")
    meeting_id = UUID(str(meeting["id"]))
    form = await form_of(database, meeting_id, **entries)
    await planning.save_draft(database, OFFICE, meeting_id, form, NOW)
    form = await form_of(database, meeting_id, status=State.CONFIRMED)
    await scheduling.publish(database, OFFICE, meeting_id, form, NOW, options=AT_ONCE)
    return meeting_id


async def change(database: Database, meeting_id: UUID, **entries: Any) -> None:
    form = await form_of(database, meeting_id, **entries)
    await scheduling.change(database, OFFICE, meeting_id, form, NOW)


async def asked(database: Database) -> set[Any]:
    """Let what waits leave, and return who has got an invitation."""
    await noticing.queue_due(database, LATER)
    return {row["recipient_id"] for row in await letters(database, kind="invitation")}


def ids(*people: Row) -> frozenset[UUID]:
    return frozenset(person["id"] for person in people)


def chosen(*people: Row) -> dict[str, Any]:
    return {"audience": Audience.CHOSEN, "person_ids": ids(*people)}


async def three_of(database: Database, group: Row) -> list[Row]:
    return [await a_person(database, member_of=group) for _ in range(3)]


async def guest(database: Database, address: str) -> Row:
    row = await database.fetchrow("SELECT * FROM person WHERE email_normal = $1", address)
    assert row is not None
    return dict(row)


async def test_exactly_the_chosen_are_invited(database: Database) -> None:
    group = await a_group(database)
    first, second, _ = await three_of(database, group)
    await publish(database, group, **chosen(first, second))

    assert ids(first, second) == await asked(database)


@pytest.mark.parametrize(("audience", "joins"), [(Audience.GROUP, 1), (Audience.CHOSEN, 0)])
async def test_who_joins_later_is_asked_with_the_whole_group_only(
    database: Database, audience: Audience, joins: int
) -> None:
    group = await a_group(database)
    people = await three_of(database, group)
    await publish(database, group, audience=audience, person_ids=ids(*people))
    await a_membership(database, await a_person(database), group)

    assert len(people) + joins == len(await asked(database))


async def test_a_chosen_member_who_left_the_group_before_stays_chosen(database: Database) -> None:
    group = await a_group(database)
    first, *_ = await three_of(database, group)
    await publish(database, group, **chosen(first))
    await database.fetch("UPDATE membership SET to_on = $1", LONG_AGO)

    assert ids(first) == await asked(database)


async def test_guests_come_beside_the_whole_group(database: Database) -> None:
    group = await a_group(database)
    people = await three_of(database, group)
    known = await a_person(database, email="Ada@example.org", email_normal="ada@example.org")
    text = "ada@example.org\nGrace Hopper <grace@example.org>\nerna@example.org"
    await publish(database, group, extra_emails=text)
    invited = await asked(database)
    grace = await guest(database, "grace@example.org")
    erna = await guest(database, "erna@example.org")

    assert ids(*people, known, grace, erna) == invited
    assert (grace["full_name"], erna["full_name"]) == ("Grace Hopper", "erna@example.org")
    assert (grace["first_letter_on"], grace["locale"]) == (None, "de")
    assert await database.fetchval("SELECT extra_emails FROM meeting") == ""


async def test_a_shared_mailbox_needs_the_family_name(database: Database) -> None:
    group = await a_group(database)
    for name in ("Anna Da", "Bert Fern"):
        await a_person(database, full_name=name, email="amt@example.org")
    with pytest.raises(FieldsError) as refused:
        await publish(database, group, extra_emails="x@example.org\namt@example.org")
    meeting_id = await publish(database, group, extra_emails="B. Fern <amt@example.org>")
    form = await form_of(database, meeting_id)
    names = await database.fetch(
        "SELECT full_name FROM person WHERE id = ANY ($1::uuid[])", list(form.person_ids)
    )

    values = {"line": 2, "names": "Anna Da, Bert Fern"}
    assert {"extra_emails": ("plan.err_extra_shared", values)} == refused.value.fields
    assert [row["full_name"] for row in names] == ["Bert Fern"]


async def test_another_name_at_a_known_address_is_somebody_new(database: Database) -> None:
    group = await a_group(database)
    await a_person(database, full_name="Anna Da", email="amt@example.org")
    await publish(database, group, extra_emails="Cora Neu <amt@example.org>")

    assert await database.fetchval("SELECT count(*) FROM person") == 2


async def test_who_has_left_is_not_brought_back_by_an_address(database: Database) -> None:
    group = await a_group(database)
    await a_person(database, full_name="Anna Da", email="anna@example.org", ended_on=LONG_AGO)
    with pytest.raises(FieldsError) as refused:
        await publish(database, group, extra_emails="anna@example.org")

    values = {"line": 1, "name": "Anna Da"}
    assert {"extra_emails": ("plan.err_extra_ended", values)} == refused.value.fields
    assert await database.fetchval("SELECT state FROM meeting") == "draft"


async def test_a_draft_and_its_preview_make_nobody_a_guest(database: Database) -> None:
    group = await a_group(database)
    meeting = await a_meeting(database, of=group, state="draft")
    form = await form_of(database, meeting["id"], extra_emails="neu@example.org")
    await planning.save_draft(database, OFFICE, meeting["id"], form, NOW)
    form = await form_of(database, meeting["id"], status=State.CONFIRMED)
    wish = Wish(move=Move.PUBLISH_CONFIRMED, form=form)
    seen = await rehearsing.rehearse(database, OFFICE, meeting["id"], wish, NOW)
    names = [one.name for notice in seen.notices for one in notice.recipients]

    assert names == ["neu@example.org"]
    assert await database.fetchval("SELECT count(*) FROM person") == 0


async def test_a_guest_has_a_calendar_at_once(database: Database) -> None:
    group = await a_group(database)
    await publish(database, group, extra_emails="Ada Neu <ada@example.org>")
    found = await database.fetch(
        "SELECT p.email FROM feed f JOIN person p ON p.id = f.person_id WHERE f.kind = 'personal'"
    )

    assert ["ada@example.org"] == [row["email"] for row in found]


async def test_a_wrong_address_in_a_draft_names_its_line(database: Database) -> None:
    meeting = await a_meeting(database, state="draft")
    form = await form_of(database, meeting["id"], extra_emails="ada@example.org\nada@")
    with pytest.raises(FieldsError) as refused:
        await planning.save_draft(database, OFFICE, meeting["id"], form, NOW)

    assert {"extra_emails": ("plan.err_extra", {"line": 2})} == refused.value.fields


async def test_nobody_chosen_is_no_audience(database: Database) -> None:
    group = await a_group(database)
    with pytest.raises(FieldsError) as refused:
        await publish(database, group, audience=Audience.CHOSEN)

    assert {"member_ids": ("plan.err_audience", {})} == refused.value.fields


async def test_who_is_added_after_publishing_is_invited_alone(database: Database) -> None:
    group = await a_group(database)
    first, second, _ = await three_of(database, group)
    meeting_id = await publish(database, group, **chosen(first))
    await asked(database)
    await change(database, meeting_id, person_ids=ids(first, second), extra_emails="x@example.org")
    added = await guest(database, "x@example.org")
    pending = await database.fetchval("SELECT person_ids FROM notice WHERE state = 'pending'")

    assert ids(second, added) == frozenset(pending)
    assert ids(first, second, added) == await asked(database)


async def test_asking_the_whole_group_after_all_invites_the_rest(database: Database) -> None:
    group = await a_group(database)
    people = await three_of(database, group)
    meeting_id = await publish(database, group, **chosen(people[0]))
    await asked(database)
    await change(database, meeting_id, audience=Audience.GROUP)

    assert ids(*people) == await asked(database)


async def test_who_is_unticked_before_the_letters_leave_is_not_asked(database: Database) -> None:
    group = await a_group(database)
    first, second, _ = await three_of(database, group)
    meeting_id = await publish(database, group, **chosen(first, second))
    await change(database, meeting_id, person_ids=ids(first))

    assert ids(first) == await asked(database)


async def test_who_was_invited_stays_invited_until_taken_off_the_session_page(
    database: Database,
) -> None:
    group = await a_group(database)
    first, second, _ = await three_of(database, group)
    meeting_id = await publish(database, group, **chosen(first, second))
    await asked(database)
    await change(database, meeting_id, person_ids=ids(first))
    states = await database.fetch("SELECT state FROM invitation")

    assert [row["state"] for row in states] == ["invited", "invited"]


async def test_who_was_uninvited_and_is_ticked_again_is_asked_afresh(database: Database) -> None:
    group = await a_group(database)
    first, second, _ = await three_of(database, group)
    meeting_id = await publish(database, group, **chosen(first, second))
    await asked(database)
    invitation = await database.fetchval(
        "SELECT id FROM invitation WHERE person_id = $1", second["id"]
    )
    await inviting.uninvite(database, OFFICE, invitation, NOW)
    without = (await form_of(database, meeting_id)).person_ids
    await change(database, meeting_id, person_ids=ids(first, second))
    state = await database.fetchval("SELECT state FROM invitation WHERE id = $1", invitation)

    assert (ids(first), "planned") == (without, state)


async def test_one_more_person_from_the_session_page_stays_on_the_list(
    database: Database,
) -> None:
    group = await a_group(database)
    first, *_ = await three_of(database, group)
    meeting_id = await publish(database, group, **chosen(first))
    one_more = await a_person(database)
    await inviting.invite_one_more(database, OFFICE, meeting_id, one_more["id"], NOW)
    form = await form_of(database, meeting_id)

    assert ids(first, one_more) == form.person_ids
    assert ids(first, one_more) == await asked(database)


async def names(database: Database, groups: Collection[UUID], people: Collection[UUID]) -> Any:
    found = await asking.list_candidates(database, groups, people)
    return [(one.partner, one.name, one.is_member) for one in found]


async def test_the_form_offers_members_by_partner_and_guests(database: Database) -> None:
    group = await a_group(database)
    gotha = await an_organisation(database, name="Stadt Gotha")
    await a_person(database, of=gotha, member_of=group, full_name="Zoe Alt")
    await a_person(database, member_of=group, full_name="Ohne Partner")
    await a_person(database, of=gotha, full_name="Fremd", ended_on=None)
    someone = await a_person(database, full_name="Gast")

    assert [
        ("Stadt Gotha", "Zoe Alt", True),
        ("", "Gast", False),
        ("", "Ohne Partner", True),
    ] == await names(database, [group["id"]], [someone["id"]])
