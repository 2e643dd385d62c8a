from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from service import planning
from service.auditing import Actor
from service.database import Database
from service.domain.errors import FieldsError, IllegalMoveError, NotFoundError, StaleFormError
from service.domain.meeting_forms import MeetingForm, find_errors
from service.domain.words import Mode, Precision, State
from tests.builders import NOW, START, Row, a_group, a_meeting, an_instance, read

OFFICE = Actor("account", uuid4(), "Frau Koordinatorin")
SOMEBODY = Actor("account", uuid4(), "Herr Kollege")
A_GROUP = UUID(int=1)
FORM = MeetingForm(
    group_ids=(A_GROUP,),
    title="17. Arbeitsgruppensitzung Klima",
    status=State.CONFIRMED,
    start_on=date(2027, 3, 4),
    start_time=time(10),
    end_time=time(12),
    answer_by=START - timedelta(days=7),
    town="Erfurt",
)


class OnlyGroup:
    """The rights of a lead."""

    is_office = False

    def __init__(self, group_id: UUID) -> None:
        self.group_id = group_id

    def may_see_group(self, group_id: UUID) -> bool:
        """Open the own group only."""
        return group_id == self.group_id

    def may_change_group(self, group_id: UUID) -> bool:
        """Change the own group only."""
        return group_id == self.group_id


def a_form(group: Row, **entries: Any) -> MeetingForm:
    return replace(FORM, group_ids=(group["id"],), **entries)


def errors(form: MeetingForm, *, is_draft: bool = False, taken: int = 0) -> dict[str, str]:
    found = find_errors(form, is_draft=is_draft, seats_taken=taken)
    return {name: text_id for name, (text_id, _) in found.items()}


def test_a_complete_form_has_no_errors() -> None:
    assert errors(FORM) == {}


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ({"group_ids": ()}, {"group": "plan.err_group"}),
        ({"title": ""}, {"title": "plan.err_title"}),
        ({"title": "x" * 201}, {"title": "plan.err_long"}),
        ({"description": "x" * 5001}, {"description": "plan.err_long"}),
        ({"start_on": None}, {"start_date": "plan.err_confirmed"}),
        ({"start_time": None}, {"start_date": "plan.err_confirmed"}),
        ({"end_time": None}, {"start_date": "plan.err_confirmed"}),
        ({"precision": Precision.DAY}, {"start_date": "plan.err_confirmed"}),
        (
            {"status": State.TENTATIVE, "start_on": None},
            {"start_date": "plan.err_date"},
        ),
        (
            {"status": State.TENTATIVE, "start_time": None},
            {"start_time": "plan.err_times"},
        ),
        ({"status": State.TENTATIVE, "end_time": None}, {"end_time": "plan.err_times"}),
        ({"end_time": time(10)}, {"end_time": "plan.err_end"}),
        ({"end_time": time(9)}, {"end_time": "plan.err_end"}),
        ({"end_on": date(2027, 3, 3)}, {"end_time": "plan.err_end"}),
        ({"end_on": date(2027, 3, 5), "end_time": time(9)}, {}),
        ({"answer_by": START}, {"answer_by": "plan.err_deadline"}),
        ({"answer_by": None}, {}),
        ({"mode": Mode.ONLINE}, {"online_url": "plan.err_online"}),
        ({"mode": Mode.HYBRID}, {"online_url": "plan.err_online"}),
        ({"mode": Mode.HYBRID, "dial_in": "+49 30 23125 0"}, {}),
        ({"mode": Mode.ONLINE, "online_url": "https://v.example.org/1"}, {}),
        ({"mode": Mode.ONLINE, "status": State.TENTATIVE}, {}),
        ({"online_url": "http://v.example.org"}, {"online_url": "plan.err_url"}),
        ({"online_url": "javascript:alert(1)"}, {"online_url": "plan.err_url"}),
        ({"outward_url": "https://a@b.example"}, {"outward_url": "plan.err_url"}),
        ({"outward_url": "https://[b.example"}, {"outward_url": "plan.err_url"}),
        ({"outward_url": 'https://b.example/"x'}, {"outward_url": "plan.err_url"}),
        ({"capacity": 0}, {"capacity": "plan.err_capacity"}),
        ({"capacity": 10_000_000}, {"capacity": "plan.err_capacity"}),
        ({"number": 0}, {"number": "plan.err_number_low"}),
        ({"start_on": date(1900, 1, 1), "answer_by": None}, {"start_date": "plan.err_year"}),
        (
            {"start_on": date(2027, 3, 28), "start_time": time(2, 30), "end_time": time(4)},
            {"start_time": "plan.err_gap"},
        ),
        (
            {"start_on": date(2027, 10, 31), "start_time": time(2, 30), "end_time": time(4)},
            {"start_time": "plan.err_repeated"},
        ),
        (
            {"start_on": date(2027, 10, 31), "start_time": time(1), "end_time": time(2, 30)},
            {"end_time": "plan.err_repeated"},
        ),
    ],
)
def test_each_impossible_entry_is_named_by_its_field(
    entries: dict[str, Any], expected: dict[str, str]
) -> None:
    assert errors(replace(FORM, **entries)) == expected


def test_fewer_seats_than_were_accepted_are_refused_with_their_number() -> None:
    found = find_errors(replace(FORM, capacity=11), seats_taken=12)

    assert found == {"capacity": ("plan.err_capacity", {"n": 12})}


def test_a_draft_may_lack_everything_but_the_group() -> None:
    assert errors(MeetingForm(group_ids=(A_GROUP,)), is_draft=True) == {}


@pytest.mark.parametrize(
    ("precision", "starts", "ends"),
    [
        (Precision.DAY, date(2027, 3, 4), date(2027, 3, 5)),
        (Precision.WEEK, date(2027, 3, 1), date(2027, 3, 8)),
        (Precision.MONTH, date(2027, 3, 1), date(2027, 4, 1)),
    ],
)
def test_a_rough_date_spans_its_days_from_midnight_to_midnight(
    precision: Precision, starts: date, ends: date
) -> None:
    form = replace(FORM, precision=precision)

    assert form.starts_local == datetime.combine(starts, time())
    assert form.ends_local == datetime.combine(ends, time())


def test_december_ends_with_the_new_year() -> None:
    form = replace(FORM, precision=Precision.MONTH, start_on=date(2027, 12, 31))

    assert form.ends_local == datetime(2028, 1, 1)  # noqa: DTZ001 (wall time)


async def test_a_proposal_names_the_next_number_and_the_last_place(database: Database) -> None:
    await an_instance(database)
    group = await a_group(database, title_pattern="{number}. AG Klima", next_number=17)
    await a_meeting(database, of=group, number=16, room="Saal 3", chair="Frau Vorsitz")
    proposal = await planning.propose(database, group["id"], NOW)

    assert (proposal.number, proposal.form.title) == (17, "17. AG Klima")
    assert (proposal.form.room, proposal.form.chair) == ("Saal 3", "Frau Vorsitz")
    assert (proposal.form.start_time, proposal.form.start_on) == (time(10), None)


async def test_a_cancelled_session_is_no_model_for_the_next(database: Database) -> None:
    group = await a_group(database)
    await a_meeting(database, of=group, number=15, room="Saal 3")
    later = START + timedelta(days=1)
    await a_meeting(
        database, of=group, number=16, room="Saal 4", state="cancelled", starts_local=later
    )

    assert (await planning.propose(database, group["id"], NOW)).form.room == "Saal 3"


async def test_a_proposal_draws_no_number(database: Database) -> None:
    group = await a_group(database, next_number=17)
    numbers = [(await planning.propose(database, group["id"], NOW)).number for _ in range(2)]

    assert numbers == [17, 17]


async def test_a_group_that_ended_proposes_nothing(database: Database) -> None:
    group = await a_group(database, ended_on=date(2026, 12, 31))

    with pytest.raises(NotFoundError):
        await planning.propose(database, group["id"], NOW)


async def test_a_draft_sent_twice_is_kept_once(database: Database) -> None:
    group = await a_group(database)
    meeting_id = uuid4()
    revisions = [
        await planning.save_draft(database, OFFICE, meeting_id, a_form(group), NOW)
        for _ in range(2)
    ]

    assert revisions == [1, 1]
    assert await database.fetchval("SELECT count(*) FROM meeting") == 1
    assert await database.fetchval("SELECT count(*) FROM audit") == 1


async def test_a_draft_draws_no_number_and_has_no_page(database: Database) -> None:
    group = await a_group(database, next_number=17)
    meeting_id = uuid4()
    await planning.save_draft(database, OFFICE, meeting_id, a_form(group), NOW)

    assert (await read(database, "meeting", meeting_id))["slug"] is None
    assert (await read(database, "working_group", group["id"]))["next_number"] == 17


async def test_what_was_kept_comes_back_as_it_was_typed(database: Database) -> None:
    group = await a_group(database)
    meeting_id = uuid4()
    form = a_form(
        group, status=State.TENTATIVE, precision=Precision.DAY, end_on=date(2027, 3, 5),
        start_time=None, end_time=None, capacity=12, chair="Frau Vorsitz", answer_by=None,
    )  # fmt: skip
    await planning.save_draft(database, OFFICE, meeting_id, form, NOW)

    assert await planning.load_form(database, meeting_id) == (form, 1)


async def test_an_edited_draft_has_a_new_revision(database: Database) -> None:
    group = await a_group(database)
    meeting_id = uuid4()
    await planning.save_draft(database, OFFICE, meeting_id, a_form(group), NOW)
    changed = a_form(group, room="Saal 9")
    revision = await planning.save_draft(
        database, OFFICE, meeting_id, changed, NOW, seen_revision=1
    )

    assert revision == 2
    assert (await read(database, "meeting", meeting_id))["room"] == "Saal 9"


async def test_a_second_editor_of_a_draft_is_told_who_was_first(database: Database) -> None:
    group = await a_group(database)
    meeting_id = uuid4()
    await planning.save_draft(database, OFFICE, meeting_id, a_form(group), NOW)
    first, second = a_form(group, room="Saal 9"), a_form(group, room="Saal 8")
    await planning.save_draft(database, SOMEBODY, meeting_id, first, NOW, seen_revision=1)

    with pytest.raises(StaleFormError) as stale:
        await planning.save_draft(database, OFFICE, meeting_id, second, NOW, seen_revision=1)
    assert stale.value.values == {"at": NOW, "by": "Herr Kollege"}
    assert (await read(database, "meeting", meeting_id))["room"] == "Saal 9"


async def test_a_published_session_is_no_draft_any_more(database: Database) -> None:
    group = await a_group(database)
    meeting = await a_meeting(database, of=group)

    with pytest.raises(IllegalMoveError):
        await planning.save_draft(database, OFFICE, meeting["id"], a_form(group), NOW)
    with pytest.raises(IllegalMoveError):
        await planning.discard_draft(database, OFFICE, meeting["id"])
    assert await read(database, "meeting", meeting["id"]) == meeting


async def test_a_discarded_draft_leaves_no_gap(database: Database) -> None:
    group = await a_group(database, next_number=17)
    meeting_id = uuid4()
    await planning.save_draft(database, OFFICE, meeting_id, a_form(group), NOW)
    await planning.discard_draft(database, OFFICE, meeting_id)

    assert await database.fetchval("SELECT count(*) FROM meeting") == 0
    assert (await planning.propose(database, group["id"], NOW)).number == 17


async def test_a_lead_keeps_no_draft_in_another_group(database: Database) -> None:
    own, other = await a_group(database), await a_group(database)

    with pytest.raises(NotFoundError):
        await planning.save_draft(
            database, OFFICE, uuid4(), a_form(other), NOW, authority=OnlyGroup(own["id"])
        )
    assert await database.fetchval("SELECT count(*) FROM meeting") == 0


async def test_an_unknown_group_is_an_error_of_the_form(database: Database) -> None:
    with pytest.raises(FieldsError) as refused:
        await planning.save_draft(database, OFFICE, uuid4(), FORM, NOW)

    assert refused.value.fields == {"group": ("plan.err_group", {})}


async def test_the_deadline_follows_the_group_s_rule(database: Database) -> None:
    await an_instance(database)
    group = await a_group(database, answer_working_days_before=5)
    found = await planning.propose_deadline(database, group["id"], START)

    assert found == datetime(2027, 2, 25, 12, 0)  # noqa: DTZ001 (wall time)
