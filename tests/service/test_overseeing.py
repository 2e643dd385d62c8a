"""What the office sees of a session, and what its start page asks for."""

from datetime import date, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from service import noticing, overseeing, repeating, scheduling, surveying
from service.auditing import Actor
from service.database import Database
from service.domain.accounts import Account
from service.domain.errors import NotFoundError
from service.domain.words import Role
from service.surveying import Todo
from service.tabulating import escape
from tests import builders
from tests.builders import NOW, START, Row

OFFICE = Actor("account", uuid4(), "Frau Koordinatorin")
WEEK_BEFORE = NOW + timedelta(days=50)
DAY_OF_START = NOW + timedelta(days=59)


def an_account(role: Role = Role.COORDINATOR, *groups: Row) -> Account:
    ids = frozenset(UUID(str(group["id"])) for group in groups)
    return Account(uuid4(), "a@example.org", "Eine Person", role, "de", ids)


async def guests_of(
    database: Database, meeting: Row, account: Account | None = None, **chosen: str
) -> overseeing.Guests:
    session = await overseeing.find_session(database, account or an_account(), meeting["id"])
    return await overseeing.list_guests(database, session, **chosen)


async def test_counts_are_of_persons_and_of_partners(database: Database) -> None:
    meeting = await builders.a_meeting(database)
    city = await builders.an_organisation(database)
    chamber = await builders.an_organisation(database)
    for partner in (city, city, chamber):
        await builders.an_invitation(
            database, meeting, answer="in_person", organisation_id=partner["id"]
        )
    await builders.an_invitation(database, meeting, organisation_id=city["id"])
    guests = await guests_of(database, meeting)
    counts = {count.bucket: (count.persons, count.partners) for count in guests.counts}

    assert {"in_person": (3, 2), "none": (1, 1)} == {
        bucket: found for bucket, found in counts.items() if found != (0, 0)
    }


async def test_an_answer_to_another_day_is_no_answer_but_stays_visible(database: Database) -> None:
    meeting = await builders.a_meeting(database)
    former = START - timedelta(days=7)
    await builders.an_invitation(
        database, meeting, answer="in_person", given_starts_local=former, has_seat=False
    )
    person = (await guests_of(database, meeting)).people[0]

    assert ("none", "in_person", former) == (
        person.bucket,
        person.former_answer,
        person.given_starts_local,
    )


async def test_a_former_no_is_never_reminded(database: Database) -> None:
    meeting = await builders.a_meeting(database)
    former = START - timedelta(days=7)
    await builders.an_invitation(database, meeting, answer="declined", given_starts_local=former)
    await builders.an_invitation(database, meeting, answer="online", given_starts_local=former)
    guests = await guests_of(database, meeting)

    remindable = sum(each.can_be_reminded(NOW) for each in guests.people)
    assert (2, 1) == (sum(each.bucket == "none" for each in guests.people), remindable)


async def test_needs_are_added_up_for_those_who_come(database: Database) -> None:
    meeting = await builders.a_meeting(database)
    for answer, meal in (("in_person", "vegan"), ("in_person", "vegan"), ("declined", "vegan")):
        await builders.an_invitation(
            database, meeting, answer=answer, meal=meal, access_needs="Rampe"
        )
    guests = await guests_of(database, meeting)

    assert ((("vegan", 2),), (("Rampe", 2),)) == (guests.meals, guests.needs)


async def test_a_lead_is_given_no_personal_data(database: Database) -> None:
    group = await builders.a_group(database)
    meeting = await builders.a_meeting(database, of=group)
    person = await builders.a_person(database, phone="0361 1")
    await builders.an_invitation(
        database, meeting, person, answer="in_person", note="n", access_needs="a", meal="m"
    )
    found = (await guests_of(database, meeting, an_account(Role.LEAD, group))).people[0]

    assert ("", "", "", "", "") == (
        *(found.note, found.access_needs, found.meal),
        *(found.email, found.phone),
    )
    assert (person["full_name"], True) == (found.full_name, found.has_address)


async def test_a_foreign_session_is_not_there(database: Database) -> None:
    meeting = await builders.a_meeting(database)
    other = await builders.a_group(database)

    for account in (an_account(Role.LEAD, other), an_account(Role.LEAD)):
        with pytest.raises(NotFoundError):
            await overseeing.find_session(database, account, meeting["id"])


async def test_a_reader_sees_a_session_and_has_no_moves(database: Database) -> None:
    meeting = await builders.a_meeting(database)
    session = await overseeing.find_session(database, an_account(Role.READER), meeting["id"])

    assert (False, False, frozenset()) == (
        session.may_change,
        session.sees_private,
        session.moves,
    )


async def test_a_person_of_another_session_is_not_found(database: Database) -> None:
    meeting, other = await builders.a_meeting(database), await builders.a_meeting(database)
    invitation = await builders.an_invitation(database, other)
    session = await overseeing.find_session(database, an_account(), meeting["id"])

    with pytest.raises(NotFoundError):
        await overseeing.find_person(database, session, invitation["id"])
    with pytest.raises(NotFoundError):
        await repeating.send_again(database, OFFICE, meeting["id"], invitation["id"], NOW)


async def test_history_says_who_did_what_to_the_session_its_people_and_notices(
    database: Database,
) -> None:
    account = await builders.an_account(database)
    actor = Actor("account", account["id"], "Frau Koordinatorin")
    group = await builders.a_group(database)
    await builders.a_person(database, member_of=group)
    meeting = await builders.a_meeting(database, of=group, state="tentative")
    saved = await scheduling.confirm(database, actor, meeting["id"], None, NOW)
    await noticing.withdraw(database, actor, saved.notice_ids[0], NOW)
    history = await overseeing.list_history(database, meeting["id"])

    assert [("withdrew", "Frau Koordinatorin"), ("confirm", "Frau Koordinatorin")] == [
        (event.action, event.actor_name) for event in history
    ]


async def test_the_look_at_a_day_names_holidays_and_neighbours(database: Database) -> None:
    group, other = await builders.a_group(database), await builders.a_group(database)
    person = await builders.a_person(database, member_of=group)
    await builders.a_membership(database, person, other)
    christmas = datetime(2026, 12, 25, 10)  # noqa: DTZ001 - wall time
    await builders.a_meeting(database, of=other, starts_local=christmas, title="Andere")
    look = await overseeing.look_at_day(database, date(2026, 12, 25), uuid4(), [group["id"]], "de")

    assert ("Erster Weihnachtstag", "Weihnachtsferien") == (look.holiday, look.school_holiday)
    assert [("Andere", 1)] == [(each.title, each.shared) for each in look.neighbours]


async def test_a_day_beyond_the_tables_is_not_said_to_be_free(database: Database) -> None:
    look = await overseeing.look_at_day(database, date(2044, 7, 20), uuid4(), [], "de")

    assert not look.knows_school


async def test_a_lead_plans_for_the_own_groups_only(database: Database) -> None:
    own, _ = await builders.a_group(database), await builders.a_group(database)
    today = NOW.date()
    lead = await overseeing.list_groups(database, an_account(Role.LEAD, own), today)
    reader = await overseeing.list_groups(database, an_account(Role.READER), today)
    office = await overseeing.list_groups(database, an_account(), today)

    assert ([own["id"]], 0, 2) == ([group.id for group in lead], len(reader), len(office))


async def test_the_start_page_asks_for_what_is_missing(database: Database) -> None:
    meeting = await builders.a_meeting(database)
    await builders.an_invitation(database, meeting)
    await builders.an_invitation(database, meeting, answer="in_person")
    await builders.an_invitation(database, meeting, state="planned")
    nobody = await builders.a_person(database, email=None)
    await builders.an_invitation(database, meeting, nobody, state="planned")
    await builders.a_meeting(database, state="postponed", starts_local=None)
    board = await surveying.survey(database, an_account(), WEEK_BEFORE)

    assert {
        (Todo.MISSING, 1),
        (Todo.INVITE, 1),
        (Todo.ADDRESSES, 1),
        (Todo.POSTPONED, 0),
    } == {(task.todo, task.n) for task in board.tasks}


async def test_the_start_page_names_no_deadline_where_there_is_none(database: Database) -> None:
    meeting = await builders.a_meeting(database, answer_by_local=None)
    await builders.an_invitation(database, meeting)
    board = await surveying.survey(database, an_account(), WEEK_BEFORE)

    assert [(Todo.STARTING, 1)] == [(task.todo, task.n) for task in board.tasks]


async def test_the_start_page_counts_only_answers_that_hold(database: Database) -> None:
    meeting = await builders.a_meeting(database)
    former = START - timedelta(days=7)
    await builders.an_invitation(database, meeting, answer="in_person")
    await builders.an_invitation(database, meeting, answer="declined")
    await builders.an_invitation(database, meeting, answer="in_person", given_starts_local=former)
    row = (await surveying.survey(database, an_account(), WEEK_BEFORE)).coming[0]

    assert (3, 2, 1, 1) == (row.invited, row.answered, row.coming, row.missing)


async def test_a_lead_finds_the_own_groups_on_the_start_page(database: Database) -> None:
    own, other = await builders.a_group(database), await builders.a_group(database)
    mine = await builders.a_meeting(database, of=own)
    await builders.a_meeting(database, of=other)
    lead = an_account(Role.LEAD, own)
    board = await surveying.survey(database, lead, WEEK_BEFORE)

    assert [mine["id"]] == [row.meeting.id for row in board.coming]
    assert {} == board.letters


async def test_every_session_but_a_draft_is_found_from_the_start_page(database: Database) -> None:
    group, other = await builders.a_group(database), await builders.a_group(database)
    days = {"late": 60, "next": 40, "soon": 10, "past": -20, "long_ago": -800}
    wall = START.replace(tzinfo=None)
    added = {
        name: await builders.a_meeting(
            database, of=group, number=None, starts_local=wall + timedelta(days=n)
        )
        for name, n in days.items()
    }
    added["called_off"] = await builders.a_meeting(
        database, of=group, number=None, state="cancelled", starts_local=wall + timedelta(days=50)
    )
    added["undated"] = await builders.a_meeting(
        database, of=group, number=None, state="postponed", starts_local=None
    )
    await builders.a_meeting(
        database, of=group, number=None, state="draft", starts_local=wall + timedelta(days=45)
    )
    await builders.a_meeting(
        database, of=other, number=None, starts_local=wall + timedelta(days=45)
    )
    board = await surveying.survey(database, an_account(Role.LEAD, group), DAY_OF_START)

    names = {row["id"]: name for name, row in added.items()}
    assert ["next", "called_off", "late", "undated"] == [names[m.id] for m in board.later]
    assert ["past"] == [names[m.id] for m in board.over]
    assert ["soon"] == [names[row.meeting.id] for row in board.coming]


async def test_a_waiting_notice_is_the_first_task(database: Database) -> None:
    meeting = await builders.a_meeting(database)
    await builders.an_invitation(database, meeting)
    await scheduling.cancel(database, OFFICE, meeting["id"], "", NOW)
    board = await surveying.survey(database, an_account(), NOW)

    assert [(Todo.NOTICE, "cancellation")] == [(task.todo, task.kind) for task in board.tasks]


@pytest.mark.parametrize("before", ["", '"', "'", " ", "\ufeff", '\ufeff"'])
@pytest.mark.parametrize("sign", [*"=+-@\t\r\n", "\uff1d", "\uff0b", "\uff0d", "\uff20"])
def test_a_cell_that_a_spreadsheet_would_run_gets_an_apostrophe(before: str, sign: str) -> None:
    cell = f"{before}{sign}1+1"

    assert f"'{cell}" == escape(cell)


def test_any_other_cell_stays_as_it_is() -> None:
    assert ["Müller = Co", "", "0361 1"] == [escape(one) for one in ("Müller = Co", "", "0361 1")]


@pytest.mark.parametrize(("minutes", "is_fresh"), [(-14, True), (-16, False), (120, False)])
async def test_work_that_ended_long_ago_or_by_a_clock_that_was_ahead_is_not_fresh(
    database: Database, minutes: int, *, is_fresh: bool
) -> None:
    ended_at = NOW + timedelta(minutes=minutes)
    await builders.insert(database, "job_health", job="notices", last_ok_at=ended_at)
    board = await surveying.survey(database, an_account(), NOW)

    assert [is_fresh] == [job.is_fresh for job in board.jobs]
