"""People, partners and groups as the office corrects them."""

import asyncio
from collections.abc import Iterable
from datetime import date, time, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from service import enrolling, grouping, partnering
from service.auditing import COMMAND, Actor
from service.database import Database
from service.domain.accounts import Account
from service.domain.errors import FieldsError, NotFoundError, StaleFormError
from service.domain.words import Heading, Role
from service.enrolling import MemberForm, Search
from service.grouping import GroupForm
from service.partnering import PartnerForm
from tests import builders
from tests.builders import NOW

TODAY = date(2027, 1, 4)


def account(role: Role = Role.COORDINATOR, groups: Iterable[UUID] = ()) -> Account:
    return Account(uuid4(), "a@example.org", "Frau A", role, "de", frozenset(groups))


def form_of(member: enrolling.Member, **changes: Any) -> MemberForm:
    names = [
        name for name in MemberForm.__dataclass_fields__ if name not in {"since", "with_letters"}
    ]
    return MemberForm(**{name: getattr(member, name) for name in names} | changes)


async def names(database: Database, who: Account, **wanted: Any) -> list[str]:
    found = await enrolling.list_members(database, who, Search(**wanted))
    return [one.full_name for one in found.members]


async def save(database: Database, person_id: UUID, **changes: Any) -> enrolling.Member:
    member = await enrolling.find_member(database, person_id)
    form = form_of(member, **changes)
    await enrolling.save_member(database, COMMAND, person_id, form, NOW)
    return await enrolling.find_member(database, person_id)


@pytest.mark.parametrize("typed", ["ö", "berg", "ADA", "gotha", "ada.b@", "Öhm"])
async def test_one_letter_of_name_partner_or_address_is_enough(
    database: Database, typed: str
) -> None:
    partner = await builders.an_organisation(database, name="Stadt Gotha")
    await builders.a_person(
        database, full_name="Ada Öhm-Berg", email="ada.b@example.org", of=partner
    )

    assert ["Ada Öhm-Berg"] == await names(database, account(), text=typed)


@pytest.mark.parametrize("typed", ["%", "_", "\\", "niemand"])
async def test_signs_of_the_database_language_are_plain_signs(
    database: Database, typed: str
) -> None:
    await builders.a_person(database, full_name="Ada Berg")

    assert [] == await names(database, account(), text=typed)


async def test_a_lead_sees_names_of_the_own_group_and_no_addresses(database: Database) -> None:
    own, other = await builders.a_group(database), await builders.a_group(database)
    await builders.a_person(database, full_name="Ada", email="ada@example.org", member_of=own)
    await builders.a_person(database, full_name="Bo", member_of=other)
    lead = account(Role.LEAD, [own["id"]])

    found = await enrolling.list_members(database, lead, Search())

    assert [("Ada", None)] == [(one.full_name, one.email) for one in found.members]


async def test_a_lead_does_not_learn_by_a_filter_who_is_in_another_group(
    database: Database,
) -> None:
    own, other = await builders.a_group(database), await builders.a_group(database)
    ada = await builders.a_person(database, full_name="Ada", member_of=own)
    await builders.a_membership(database, ada, other)
    lead, office = account(Role.LEAD, [own["id"]]), account()

    assert ["Ada"] == await names(database, office, group_id=other["id"])
    assert ["Ada"] == await names(database, lead, group_id=own["id"])
    assert [] == await names(database, lead, group_id=other["id"])


async def test_a_lead_cannot_search_by_address(database: Database) -> None:
    own = await builders.a_group(database)
    await builders.a_person(database, full_name="Ada", email="geheim@example.org", member_of=own)

    assert [] == await names(database, account(Role.LEAD, [own["id"]]), text="geheim")


async def test_pages_have_fifty_rows_and_a_page_too_far_is_the_last(database: Database) -> None:
    for number in range(51):
        await builders.a_person(database, full_name=f"Person {number:02}")

    found = await enrolling.list_members(database, account(), Search(page=99))

    assert (51, 2, 2, ["Person 50"]) == (
        found.total,
        found.page,
        found.pages,
        [one.full_name for one in found.members],
    )


async def test_filters_find_those_without_address_and_those_who_left(database: Database) -> None:
    await builders.a_person(database, full_name="Ada", email=None)
    await builders.a_person(database, full_name="Bo", ended_on=TODAY)
    await builders.a_person(database, full_name="Cy")

    assert ["Ada"] == await names(database, account(), without_address=True)
    assert ["Bo"] == await names(database, account(), has_ended=True)


async def test_a_corrected_address_keeps_the_old_one_as_former(database: Database) -> None:
    person = await builders.a_person(database, email="old@example.org")

    member = await save(database, person["id"], email="new@example.org")

    assert ("new@example.org", ["old@example.org"], 2) == (
        member.email,
        [address for address, _ in member.former],
        member.revision,
    )


async def test_an_address_that_is_taken_away_is_kept_as_former(database: Database) -> None:
    person = await builders.a_person(database, email="old@example.org")

    member = await save(database, person["id"], email="")

    assert ("", ["old@example.org"]) == (member.email, [one for one, _ in member.former])


async def test_partner_and_groups_change_from_the_given_day(database: Database) -> None:
    old, new = await builders.a_group(database), await builders.a_group(database)
    before = await builders.an_organisation(database)
    after = await builders.an_organisation(database)
    person = await builders.a_person(database, of=before, member_of=old)

    member = await save(
        database,
        person["id"],
        partner_id=after["id"],
        group_ids=frozenset([new["id"]]),
        since=date(2027, 2, 1),
    )

    start, end = date(2027, 2, 1), date(2027, 1, 31)
    assert [(start, None), (builders.LONG_AGO, end)] == [
        (one.from_on, one.to_on) for one in member.belongings
    ]
    assert [(new["name"], start, None), (old["name"], builders.LONG_AGO, end)] == [
        (one.name, one.from_on, one.to_on) for one in member.memberships
    ]


async def test_another_function_at_the_same_partner_stays_one_belonging(
    database: Database,
) -> None:
    partner = await builders.an_organisation(database)
    person = await builders.a_person(database, of=partner, role_title="Referat")

    member = await save(database, person["id"], role_title="Leitung")

    assert [("Leitung", builders.LONG_AGO, None)] == [
        (one.role_title, one.from_on, one.to_on) for one in member.belongings
    ]


async def test_who_leaves_a_group_is_planned_for_no_more_but_stays_invited_where_told(
    database: Database,
) -> None:
    group = await builders.a_group(database)
    person = await builders.a_person(database, member_of=group)
    planned = await builders.a_meeting(database, of=group, number=18)
    told = await builders.a_meeting(database, of=group, number=19)
    await builders.an_invitation(database, planned, person, state="planned")
    await builders.an_invitation(database, told, person)

    await save(database, person["id"], group_ids=frozenset())

    rows = await database.fetch("SELECT meeting_id, state FROM invitation")
    assert [(told["id"], "invited")] == [tuple(row) for row in rows]


@pytest.mark.parametrize("because", ["answered", "asked by name", "told by a letter"])
async def test_who_leaves_a_group_stays_planned_for_a_reason(
    database: Database, because: str
) -> None:
    group = await builders.a_group(database)
    person = await builders.a_person(database, member_of=group)
    meeting = await builders.a_meeting(database, of=group)
    about = {"meeting_id": meeting["id"], "person_id": person["id"]}
    answer = "declined" if because == "answered" else None
    await builders.an_invitation(database, meeting, person, state="planned", answer=answer)
    if because == "asked by name":
        await builders.insert(database, "meeting_audience", **about)
    if because == "told by a letter":
        await builders.insert(
            *(database, "letter"),
            dedupe_key="inv",
            kind="invitation",
            recipient_id=person["id"],
            subject_id=meeting["id"],
            ordering_key="x",
            locale="de",
        )

    await save(database, person["id"], group_ids=frozenset())

    assert await database.fetchval("SELECT state FROM invitation") == "planned"


async def test_a_form_that_was_filled_in_from_an_older_state_is_refused(
    database: Database,
) -> None:
    person = await builders.a_person(database)
    editor = await builders.an_account(database, full_name="Frau B")
    form = form_of(await enrolling.find_member(database, person["id"]), phone="1")
    actor = Actor("account", editor["id"])
    await enrolling.save_member(database, actor, person["id"], form, NOW, seen_revision=1)

    with pytest.raises(StaleFormError) as refused:
        await enrolling.save_member(
            database,
            COMMAND,
            person["id"],
            form_of(await enrolling.find_member(database, person["id"]), phone="2"),
            NOW,
            seen_revision=1,
        )

    assert refused.value.values["by"] == "Frau B"
    assert (await enrolling.find_member(database, person["id"])).phone == "1"


async def test_the_same_form_sent_twice_at_once_adds_one_person(database: Database) -> None:
    person_id, form = uuid4(), MemberForm(full_name="Ada Berg")

    await asyncio.gather(
        *(enrolling.add_member(database, COMMAND, person_id, form, NOW) for _ in range(4))
    )

    assert ["Ada Berg"] == await names(database, account())


async def test_the_number_of_a_list_names_one_person(database: Database) -> None:
    await builders.a_person(database, full_name="Ada Berg", external_ref="M1")
    other = await builders.a_person(database)

    with pytest.raises(FieldsError) as refused:
        await save(database, other["id"], ref="M1")

    assert {"ref": ("people.err_ref", {"name": "Ada Berg"})} == refused.value.fields


@pytest.mark.parametrize(
    ("name", "email", "is_known"),
    [
        ("ada  berg", "", True),
        ("Frau Berg", "ADA@example.org", True),
        ("Bo Tal", "ada@example.org", False),
        ("Bo Berg", "", False),
    ],
)
async def test_somebody_alike_is_found_before_adding(
    database: Database, name: str, email: str, *, is_known: bool
) -> None:
    await builders.a_person(database, full_name="Ada Berg", email="ada@example.org")

    alike = await enrolling.find_alike(database, name, email)

    assert is_known == (alike is not None)


async def test_who_ended_belongs_nowhere_and_is_back_when_saved(database: Database) -> None:
    group = await builders.a_group(database)
    person = await builders.a_person(
        database, of=await builders.an_organisation(database), member_of=group
    )

    await enrolling.end_member(database, COMMAND, person["id"], NOW)
    ended = await enrolling.find_member(database, person["id"])
    back = await save(database, person["id"])

    assert (TODAY, None, frozenset()) == (ended.ended_on, ended.partner_id, ended.group_ids)
    assert {TODAY - timedelta(days=1)} == {one.to_on for one in ended.memberships}
    assert back.ended_on is None


async def test_an_anonymised_person_has_no_page(database: Database) -> None:
    person = await builders.a_person(database, anonymised_at=NOW)

    with pytest.raises(NotFoundError):
        await enrolling.find_member(database, person["id"])


async def test_two_partners_never_share_a_name(database: Database) -> None:
    await builders.an_organisation(database, name="Stadt Gotha")

    with pytest.raises(FieldsError) as refused:
        await partnering.add_partner(database, COMMAND, uuid4(), PartnerForm(name="STADT GOTHA"))

    assert {"name": ("partner.err_taken", {})} == refused.value.fields


async def test_a_partner_with_people_does_not_end(database: Database) -> None:
    partner = await builders.an_organisation(database)
    person = await builders.a_person(database, of=partner)

    first = await partnering.end_partner(database, COMMAND, partner["id"], NOW)
    await enrolling.end_member(database, COMMAND, person["id"], NOW)
    second = await partnering.end_partner(database, COMMAND, partner["id"], NOW)

    assert (False, True) == (first, second)
    assert (await partnering.find_partner(database, partner["id"])).ended_on == TODAY


async def test_a_stale_partner_form_is_refused(database: Database) -> None:
    partner = await builders.an_organisation(database, revision=4)
    form = PartnerForm(name="Neu")

    with pytest.raises(StaleFormError):
        await partnering.save_partner(database, COMMAND, partner["id"], form, NOW, seen_revision=3)


def a_form(**changes: Any) -> GroupForm:
    given: dict[str, Any] = {
        "heading": Heading.GROUPS,
        "name": "Verkehr",
        "title_pattern": "{number}. Sitzung Verkehr",
        "next_number": 1,
    }
    return GroupForm(**given | changes)


async def test_a_group_gets_a_short_address_of_its_own_and_a_calendar(
    database: Database,
) -> None:
    group_id = uuid4()

    await grouping.add_group(database, COMMAND, group_id, a_form(short_name="Öffis"))

    assert (await grouping.find_group(database, group_id)).slug == "oeffis"
    assert await database.fetchval("SELECT true FROM feed WHERE group_id = $1", group_id)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"title_pattern": "{n}. Sitzung"}, "title_pattern"),
        ({"title_pattern": "{number. Sitzung"}, "title_pattern"),
        ({"title_pattern": "Sitzung"}, "title_pattern"),
        ({"next_number": None}, "title_pattern"),
        ({"next_number": 16}, "next_number"),
    ],
)
async def test_a_pattern_that_cannot_be_filled_or_a_drawn_number_is_refused(
    database: Database, changes: dict[str, Any], field: str
) -> None:
    group = await builders.a_group(database)
    await builders.a_meeting(database, of=group, number=16)

    with pytest.raises(FieldsError) as refused:
        await grouping.save_group(
            database, COMMAND, group["id"], a_form(**{"next_number": 17} | changes), NOW
        )

    assert [field] == list(refused.value.fields)


async def test_a_saved_group_keeps_its_short_address(database: Database) -> None:
    group = await builders.a_group(database)
    form = a_form(name="Anders", answer_by_time=time(18), next_number=20)

    await grouping.save_group(database, COMMAND, group["id"], form, NOW, seen_revision=1)

    saved = await grouping.find_group(database, group["id"])
    assert (group["slug"], form, 2) == (saved.slug, saved.form, saved.revision)
