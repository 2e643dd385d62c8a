import asyncio
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import uuid4

import pytest

from service import planning, scheduling
from service.auditing import Actor
from service.database import Database
from service.domain.errors import FieldsError, IllegalMoveError, NotFoundError, StaleFormError
from service.domain.meeting_forms import MeetingForm
from service.domain.words import Mode, NoticeKind, Precision, State
from service.scheduling import Letters, Options
from tests.builders import (
    LONG_AGO,
    NOW,
    START,
    Row,
    a_group,
    a_meeting,
    a_membership,
    a_person,
    an_instance,
    an_invitation,
    an_organisation,
    insert,
    letters,
    read,
)
from tests.service.test_planning import OnlyGroup, a_form

OFFICE = Actor("account", uuid4(), "Frau Koordinatorin")
SOMEBODY = Actor("account", uuid4(), "Herr Kollege")
SILENT = Options(letters=Letters.NONE)


async def a_draft(database: Database, group: Row, **entries: Any) -> tuple[Any, MeetingForm]:
    meeting_id, form = uuid4(), a_form(group, **entries)
    await planning.save_draft(database, OFFICE, meeting_id, form, NOW)
    return meeting_id, form


async def notices(database: Database, state: str = "pending") -> list[str]:
    rows = await database.fetch(
        "SELECT kind FROM notice WHERE state = $1 ORDER BY created_at, kind", state
    )
    return [row["kind"] for row in rows]


async def moved(database: Database, meeting: Row, **entries: Any) -> MeetingForm:
    form, _ = await planning.load_form(database, meeting["id"])
    return replace(form, **entries)


async def queue_letter(database: Database, meeting: Row, kind: str, person: Row) -> None:
    letter = await insert(
        database,
        "letter",
        dedupe_key=f"{kind}:{person['id']}",
        kind=kind,
        recipient_id=person["id"],
        subject_id=meeting["id"],
        ordering_key=str(person["id"]),
        locale="de",
    )
    await insert(
        database,
        "outbox",
        id=letter["id"],
        ordering_key=str(person["id"]),
        expires_at=NOW + timedelta(days=30),
    )


async def test_publishing_draws_the_number_and_makes_the_page(database: Database) -> None:
    group = await a_group(database, title_pattern="{number}. AG Klima", next_number=17)
    meeting_id, form = await a_draft(database, group, title="17. AG Klima")
    saved = await scheduling.publish(database, OFFICE, meeting_id, form, NOW)
    meeting = await read(database, "meeting", meeting_id)

    assert (saved.state, saved.revision) == (State.CONFIRMED, 2)
    assert (meeting["slug"], meeting["sequence"]) == ("17-ag-klima", 0)
    assert (await read(database, "working_group", group["id"]))["next_number"] == 18


async def test_a_double_press_on_publish_draws_one_number(database: Database) -> None:
    group = await a_group(database, next_number=17)
    meeting_id, form = await a_draft(database, group)
    saved = await asyncio.gather(
        *(scheduling.publish(database, OFFICE, meeting_id, form, NOW) for _ in range(4))
    )

    assert {each.revision for each in saved} == {2}
    assert (await read(database, "working_group", group["id"]))["next_number"] == 18
    assert await database.fetchval("SELECT count(*) FROM notice") == 0


async def test_two_drafts_published_at_once_get_different_numbers(database: Database) -> None:
    group = await a_group(database, title_pattern="{number}. AG Klima", next_number=17)
    drafts = [await a_draft(database, group, title="17. AG Klima") for _ in range(4)]
    await asyncio.gather(
        *(scheduling.publish(database, OFFICE, each, form, NOW) for each, form in drafts)
    )
    rows = await database.fetch(
        "SELECT number, title, slug FROM meeting_group JOIN meeting ON id = meeting_id ORDER BY 1"
    )

    assert [tuple(row) for row in rows] == [
        (number, f"{number}. AG Klima", f"{number}-ag-klima") for number in (17, 18, 19, 20)
    ]


async def test_a_number_that_an_import_brought_is_skipped(database: Database) -> None:
    group = await a_group(database, next_number=17)
    await a_meeting(database, of=group, number=17)
    meeting_id, form = await a_draft(database, group)
    await scheduling.publish(database, OFFICE, meeting_id, form, NOW)
    number = await database.fetchval(
        "SELECT number FROM meeting_group WHERE meeting_id = $1", meeting_id
    )

    assert number == 18


async def test_a_number_of_one_s_own_raises_the_counter(database: Database) -> None:
    group = await a_group(database, next_number=17)
    meeting_id, form = await a_draft(database, group, number=30)
    await scheduling.publish(database, OFFICE, meeting_id, form, NOW)

    assert (await read(database, "working_group", group["id"]))["next_number"] == 31


async def test_a_number_that_is_taken_is_refused_and_nothing_is_published(
    database: Database,
) -> None:
    group = await a_group(database)
    taken = await a_meeting(database, of=group, number=16)
    meeting_id, form = await a_draft(database, group, number=16)

    with pytest.raises(FieldsError) as refused:
        await scheduling.publish(database, OFFICE, meeting_id, form, NOW)
    assert refused.value.fields == {"number": ("plan.err_number", {"session": taken["title"]})}
    assert (await read(database, "meeting", meeting_id))["state"] == "draft"


async def test_an_unnumbered_session_draws_none(database: Database) -> None:
    group = await a_group(database, next_number=17)
    meeting_id, form = await a_draft(database, group, title="Jahresauftakt", is_numbered=False)
    await scheduling.publish(database, OFFICE, meeting_id, form, NOW)

    assert (await read(database, "working_group", group["id"]))["next_number"] == 17


async def test_two_sessions_of_one_title_have_different_pages(database: Database) -> None:
    group = await a_group(database)
    slugs = []
    for _ in range(3):
        meeting_id, form = await a_draft(database, group, title="Ortstermin", is_numbered=False)
        await scheduling.publish(database, OFFICE, meeting_id, form, NOW)
        slugs.append((await read(database, "meeting", meeting_id))["slug"])

    assert slugs == ["ortstermin", "ortstermin-2027", f"ortstermin-{meeting_id.hex[:8]}"]


async def test_an_incomplete_draft_is_not_published(database: Database) -> None:
    group = await a_group(database)
    meeting_id, form = await a_draft(database, group, start_on=None)

    with pytest.raises(FieldsError):
        await scheduling.publish(database, OFFICE, meeting_id, form, NOW)
    assert (await read(database, "meeting", meeting_id))["state"] == "draft"


async def test_confirmed_sessions_plan_each_member_once_with_the_partner_of_the_day(
    database: Database,
) -> None:
    group, other = await a_group(database), await a_group(database)
    city, chamber = await an_organisation(database), await an_organisation(database)
    both = await a_person(database, of=city, member_of=group)
    await a_membership(database, both, other)
    mover = await a_person(database, member_of=other)
    for partner, from_on, to_on in (
        (city, LONG_AGO, date(2027, 1, 31)),
        (chamber, date(2027, 2, 1), None),
    ):
        await insert(
            database, "affiliation", person_id=mover["id"], organisation_id=partner["id"],
            role_title="Referat", from_on=from_on, to_on=to_on,
        )  # fmt: skip
    meeting_id, form = await a_draft(database, group)
    form = replace(form, group_ids=(group["id"], other["id"]))
    await scheduling.publish(database, OFFICE, meeting_id, form, NOW)
    rows = await database.fetch("SELECT person_id, organisation_id, state FROM invitation")

    assert {tuple(row) for row in rows} == {
        (both["id"], city["id"], "planned"),
        (mover["id"], chamber["id"], "planned"),
    }


@pytest.mark.parametrize(
    ("columns", "count"),
    [
        ({"to_on": date(2027, 3, 4)}, 1),
        ({"to_on": date(2027, 3, 3)}, 0),
        ({"from_on": date(2027, 3, 4)}, 1),
        ({"from_on": date(2027, 3, 5)}, 0),
    ],
)
async def test_only_who_belongs_to_the_group_on_the_day_is_planned(
    database: Database, columns: dict[str, date], count: int
) -> None:
    group = await a_group(database)
    person = await a_person(database)
    await a_membership(database, person, group, **columns)
    meeting_id, form = await a_draft(database, group)
    await scheduling.publish(database, OFFICE, meeting_id, form, NOW)

    assert await database.fetchval("SELECT count(*) FROM invitation") == count


async def test_events_of_others_invite_nobody(database: Database) -> None:
    group = await a_group(database, heading="other", title_pattern="{title}", next_number=None)
    await a_person(database, member_of=group)
    meeting_id, form = await a_draft(database, group, title="Workshop")
    await scheduling.publish(database, OFFICE, meeting_id, form, NOW)

    assert await database.fetchval("SELECT count(*) FROM invitation") == 0
    assert await notices(database) == []


async def test_tentative_sessions_plan_and_mail_nobody(database: Database) -> None:
    group = await a_group(database)
    await a_person(database, member_of=group)
    meeting_id, form = await a_draft(database, group, status=State.TENTATIVE)
    await scheduling.publish(database, OFFICE, meeting_id, form, NOW)

    assert await database.fetchval("SELECT count(*) FROM invitation") == 0
    assert await notices(database) == []


async def test_invitations_wait_for_the_group_s_weeks(database: Database) -> None:
    await an_instance(database)
    group = await a_group(database, invite_weeks_before=6)
    await a_person(database, member_of=group)
    meeting_id, form = await a_draft(database, group)
    await scheduling.publish(database, OFFICE, meeting_id, form, NOW)
    notice = await database.fetchrow("SELECT * FROM notice")

    assert notice is not None
    assert (notice["kind"], notice["due_at"].isoformat()) == (
        "invitation",
        "2027-01-21T08:00:00+00:00",
    )


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (Options(letters=Letters.NOW), [NOW + timedelta(minutes=10)]),
        (Options(invite_local=datetime(2027, 1, 7, 9)), [NOW + timedelta(days=3)]),  # noqa: DTZ001
        (SILENT, []),
    ],
)
async def test_the_office_says_when_invitations_leave(
    database: Database, options: Options, expected: list[Any]
) -> None:
    group = await a_group(database)
    await a_person(database, member_of=group)
    meeting_id, form = await a_draft(database, group)
    await scheduling.publish(database, OFFICE, meeting_id, form, NOW, options=options)
    rows = await database.fetch("SELECT due_at FROM notice")

    assert [row["due_at"] for row in rows] == expected


async def test_confirming_invites_the_planned_and_raises_the_sequence(database: Database) -> None:
    group = await a_group(database)
    await a_person(database, member_of=group)
    meeting = await a_meeting(database, of=group, state="tentative")
    saved = await scheduling.confirm(database, OFFICE, meeting["id"], None, NOW)
    after = await read(database, "meeting", meeting["id"])

    assert (saved.state, after["sequence"], after["time_rev"]) == (State.CONFIRMED, 1, 0)
    assert await notices(database) == ["invitation"]


async def test_a_move_leaves_answers_untouched_and_counts_who_is_asked_again(
    database: Database,
) -> None:
    meeting = await a_meeting(database)
    accepted = await an_invitation(database, meeting, answer="in_person")
    await an_invitation(database, meeting, answer="declined")
    await an_invitation(database, meeting)
    form = await moved(database, meeting, start_on=date(2027, 3, 11))
    saved = await scheduling.change(database, OFFICE, meeting["id"], form, NOW)
    after = await read(database, "meeting", meeting["id"])

    assert (saved.asked_again, saved.effect.asks_again) == (2, True)
    assert (after["sequence"], after["time_rev"], after["revision"]) == (1, 1, 2)
    assert await read(database, "invitation", accepted["id"]) == accepted
    notice = await database.fetchrow("SELECT * FROM notice")
    assert notice is not None
    assert (notice["kind"], notice["with_decliners"], notice["asks_again"]) == (
        "change",
        True,
        True,
    )


async def test_a_new_title_tells_nobody_unless_ticked(database: Database) -> None:
    meeting = await a_meeting(database)
    await an_invitation(database, meeting)
    form = await moved(database, meeting, title="16. AG Klima (öffentlich)")
    await scheduling.change(database, OFFICE, meeting["id"], form, NOW)
    silent = await notices(database)
    again = replace(form, title="16. AG Klima")
    ticked = Options(letters=Letters.TICKED)
    await scheduling.change(database, OFFICE, meeting["id"], again, NOW, options=ticked)
    after = await read(database, "meeting", meeting["id"])

    assert (silent, await notices(database)) == ([], ["change"])
    assert (after["sequence"], after["time_rev"], after["revision"]) == (0, 0, 3)


async def test_a_change_of_the_calendar_grows_by_a_second_at_least(database: Database) -> None:
    meeting = await a_meeting(database, changed_at=NOW + timedelta(hours=1))
    form = await moved(database, meeting, room="Saal 2")
    await scheduling.change(database, OFFICE, meeting["id"], form, NOW)
    after = await read(database, "meeting", meeting["id"])

    assert after["changed_at"] == NOW + timedelta(hours=1, seconds=1)


async def test_of_two_editors_the_second_is_told_and_loses_nothing(database: Database) -> None:
    meeting = await a_meeting(database)
    first = await moved(database, meeting, room="Saal 2")
    second = await moved(database, meeting, room="Saal 3")
    seen = Options(seen_revision=1)
    results = await asyncio.gather(
        scheduling.change(database, SOMEBODY, meeting["id"], first, NOW, options=seen),
        scheduling.change(database, OFFICE, meeting["id"], second, NOW, options=seen),
        return_exceptions=True,
    )
    stale = [each for each in results if isinstance(each, StaleFormError)]
    after = await read(database, "meeting", meeting["id"])

    assert len(stale) == 1
    assert stale[0].values == {"at": NOW, "by": after["saved_by"]}
    assert after["revision"] == 2


async def test_a_change_pressed_twice_is_saved_once(database: Database) -> None:
    meeting = await a_meeting(database)
    form = await moved(database, meeting, room="Saal 2")
    seen = Options(seen_revision=1)
    saved = [
        await scheduling.change(database, OFFICE, meeting["id"], form, NOW, options=seen)
        for _ in range(2)
    ]

    assert [each.revision for each in saved] == [2, 2]
    assert await database.fetchval("SELECT count(*) FROM audit") == 1


async def test_an_illegal_move_changes_nothing(database: Database) -> None:
    meeting = await a_meeting(database, state="held")

    with pytest.raises(IllegalMoveError):
        await scheduling.postpone(database, OFFICE, meeting["id"], NOW)
    with pytest.raises(IllegalMoveError):
        await scheduling.cancel(database, OFFICE, meeting["id"], "", NOW)
    assert await read(database, "meeting", meeting["id"]) == meeting
    assert await database.fetchval("SELECT count(*) FROM audit") == 0


async def test_a_lead_changes_the_own_group_only_and_the_other_is_as_if_unknown(
    database: Database,
) -> None:
    own, other = await a_group(database), await a_group(database)
    mine, theirs = await a_meeting(database, of=own), await a_meeting(database, of=other)
    lead = Options(authority=OnlyGroup(own["id"]))
    saved = await scheduling.postpone(database, OFFICE, mine["id"], NOW, options=lead)

    assert saved.state is State.POSTPONED
    for foreign in (theirs["id"], uuid4()):
        with pytest.raises(NotFoundError):
            await scheduling.postpone(database, OFFICE, foreign, NOW, options=lead)
    assert await read(database, "meeting", theirs["id"]) == theirs


async def test_a_lead_cannot_move_a_session_into_another_group(database: Database) -> None:
    own, other = await a_group(database), await a_group(database)
    meeting = await a_meeting(database, of=own)
    form = await moved(database, meeting, group_ids=(own["id"], other["id"]), room="Saal 2")
    lead = Options(authority=OnlyGroup(own["id"]))

    with pytest.raises(NotFoundError):
        await scheduling.change(database, OFFICE, meeting["id"], form, NOW, options=lead)
    assert await read(database, "meeting", meeting["id"]) == meeting


async def test_a_postponed_session_keeps_number_uid_page_and_answers(database: Database) -> None:
    meeting = await a_meeting(database)
    accepted = await an_invitation(database, meeting, answer="in_person")
    await scheduling.postpone(database, OFFICE, meeting["id"], NOW)
    after = await read(database, "meeting", meeting["id"])

    kept = ("uid", "slug", "title")
    assert [after[name] for name in kept] == [meeting[name] for name in kept]
    assert (after["state"], after["starts_at"], after["previous_starts_local"]) == (
        "postponed",
        None,
        START,
    )
    assert await read(database, "invitation", accepted["id"]) == accepted
    assert await notices(database) == ["postponed"]


async def test_a_postponed_session_back_at_its_old_time_asks_nobody_again(
    database: Database,
) -> None:
    meeting = await a_meeting(database)
    await an_invitation(database, meeting, answer="in_person")
    form = await moved(database, meeting)
    await scheduling.postpone(database, OFFICE, meeting["id"], NOW, options=SILENT)
    saved = await scheduling.reschedule(database, OFFICE, meeting["id"], form, NOW)
    after = await read(database, "meeting", meeting["id"])

    assert (saved.state, saved.asked_again) == (State.CONFIRMED, 0)
    assert (after["sequence"], after["previous_starts_local"]) == (2, None)


async def test_a_postponed_session_may_get_a_rough_date_first(database: Database) -> None:
    meeting = await a_meeting(database)
    await an_invitation(database, meeting, answer="in_person")
    await scheduling.postpone(database, OFFICE, meeting["id"], NOW, options=SILENT)
    form = await moved(
        database, meeting, start_on=date(2027, 5, 1), precision=Precision.MONTH,
        status=State.TENTATIVE,
    )  # fmt: skip
    saved = await scheduling.reschedule(database, OFFICE, meeting["id"], form, NOW)

    assert saved.state is State.TENTATIVE
    assert await notices(database) == []


async def test_cancelling_keeps_the_reason_for_everybody(database: Database) -> None:
    meeting = await a_meeting(database)
    await an_invitation(database, meeting, answer="in_person")
    await scheduling.cancel(
        database, OFFICE, meeting["id"], "Der Saal ist gesperrt.", NOW, number_kept=False
    )
    after = await read(database, "meeting", meeting["id"])
    notice = await database.fetchrow("SELECT * FROM notice")

    assert (after["state"], after["cancel_reason"], after["number_kept"], after["sequence"]) == (
        "cancelled",
        "Der Saal ist gesperrt.",
        False,
        1,
    )
    assert notice is not None
    assert (notice["kind"], notice["message"], notice["due_at"]) == (
        "cancellation",
        "Der Saal ist gesperrt.",
        NOW + timedelta(seconds=60),
    )


async def test_who_was_never_told_is_not_told_of_a_cancellation(database: Database) -> None:
    group = await a_group(database)
    await a_person(database, member_of=group)
    meeting_id, form = await a_draft(database, group)
    await scheduling.publish(database, OFFICE, meeting_id, form, NOW)
    await scheduling.cancel(database, OFFICE, meeting_id, "", NOW)

    assert await notices(database) == []
    assert await notices(database, "replaced") == ["invitation"]


async def test_an_invitation_that_has_not_left_is_taken_back_by_a_cancellation(
    database: Database,
) -> None:
    meeting = await a_meeting(database)
    person = await a_person(database)
    invitation = await an_invitation(database, meeting, person)
    await queue_letter(database, meeting, "invitation", person)
    await scheduling.cancel(database, OFFICE, meeting["id"], "", NOW)
    found = await letters(database)

    assert [(each["kind"], each["state"], each["reason"]) for each in found] == [
        ("invitation", "cancelled", "superseded")
    ]
    assert (await read(database, "invitation", invitation["id"]))["state"] == "planned"
    assert await notices(database) == []


async def test_an_invitation_that_has_not_left_is_written_anew_after_a_move(
    database: Database,
) -> None:
    meeting = await a_meeting(database)
    person = await a_person(database)
    await an_invitation(database, meeting, person)
    await queue_letter(database, meeting, "invitation", person)
    form = await moved(database, meeting, start_on=date(2027, 3, 11))
    await scheduling.change(database, OFFICE, meeting["id"], form, NOW)

    assert await notices(database) == ["invitation"]


async def test_a_cancellation_taken_back_in_time_is_told_to_nobody(database: Database) -> None:
    meeting = await a_meeting(database)
    await an_invitation(database, meeting, answer="in_person")
    await scheduling.cancel(database, OFFICE, meeting["id"], "Irrtum", NOW)
    saved = await scheduling.uncancel(database, OFFICE, meeting["id"], None, NOW)
    after = await read(database, "meeting", meeting["id"])

    assert (saved.state, after["cancel_reason"]) == (State.CONFIRMED, "")
    assert (after["sequence"], after["time_rev"]) == (2, 1)
    assert (await notices(database), await notices(database, "unneeded")) == ([], ["cancellation"])


@pytest.mark.parametrize("state", ["tentative", "confirmed", "postponed"])
async def test_a_cancellation_taken_back_returns_to_where_the_session_stood(
    database: Database, state: str
) -> None:
    times = {"starts_local": None, "ends_local": None} if state == "postponed" else {}
    meeting = await a_meeting(database, state=state, **times)
    await scheduling.cancel(database, OFFICE, meeting["id"], "", NOW)
    saved = await scheduling.uncancel(database, OFFICE, meeting["id"], None, NOW)

    assert saved.state == state


async def test_moving_there_and_back_tells_nobody(database: Database) -> None:
    meeting = await a_meeting(database)
    await an_invitation(database, meeting, answer="in_person")
    home = await moved(database, meeting)
    away = replace(home, start_on=date(2027, 3, 11), answer_by=None)
    await scheduling.change(database, OFFICE, meeting["id"], away, NOW)
    between = await notices(database)
    await scheduling.change(database, OFFICE, meeting["id"], home, NOW)

    assert (between, await notices(database)) == (["change"], [])


async def test_moving_twice_is_one_notice_that_still_knows_the_first_date(
    database: Database,
) -> None:
    meeting = await a_meeting(database)
    await an_invitation(database, meeting, answer="in_person")
    home = await moved(database, meeting)
    for day in (11, 18):
        form = replace(home, start_on=date(2027, 3, day))
        await scheduling.change(database, OFFICE, meeting["id"], form, NOW)
    rows = await database.fetch("SELECT * FROM notice")

    assert [(row["state"], row["to_revision"]) for row in rows] == [("pending", 3)]
    assert rows[0]["before"]["starts_local"] == START.isoformat()


async def test_a_move_that_becomes_a_cancellation_is_told_as_one(database: Database) -> None:
    meeting = await a_meeting(database)
    await an_invitation(database, meeting, answer="in_person")
    form = await moved(database, meeting, start_on=date(2027, 3, 11))
    await scheduling.change(database, OFFICE, meeting["id"], form, NOW)
    await scheduling.cancel(database, OFFICE, meeting["id"], "Grund", NOW)

    assert await notices(database) == [NoticeKind.CANCELLATION]


async def test_without_letters_nothing_is_put_down(database: Database) -> None:
    meeting = await a_meeting(database)
    await an_invitation(database, meeting, answer="in_person")
    form = await moved(database, meeting, start_on=date(2027, 3, 11))
    await scheduling.change(database, OFFICE, meeting["id"], form, NOW, options=SILENT)

    assert await notices(database) == []


@pytest.mark.parametrize(
    ("start", "minutes"), [(NOW + timedelta(hours=47), 1), (NOW + timedelta(hours=49), 10)]
)
async def test_the_countdown_is_short_when_the_start_is_near(
    database: Database, start: Any, minutes: int
) -> None:
    local = start.replace(tzinfo=None) + timedelta(hours=1)
    meeting = await a_meeting(database, starts_local=local)
    await an_invitation(database, meeting, answer="in_person")
    form = await moved(database, meeting, room="Saal 2")
    await scheduling.change(database, OFFICE, meeting["id"], form, NOW)
    due = await database.fetchval("SELECT due_at FROM notice")

    assert due == NOW + timedelta(minutes=minutes)


async def test_a_moved_session_gets_a_new_deadline_unless_one_was_set(database: Database) -> None:
    await an_instance(database)
    group = await a_group(database, answer_working_days_before=5)
    meeting = await a_meeting(database, of=group)
    form = await moved(database, meeting, start_on=date(2027, 3, 18))
    await scheduling.change(database, OFFICE, meeting["id"], form, NOW)
    by_rule = await read(database, "meeting", meeting["id"])
    own = START + timedelta(days=18)
    form = await moved(database, meeting, start_on=date(2027, 3, 25), answer_by=own)
    await scheduling.change(database, OFFICE, meeting["id"], form, NOW)

    assert by_rule["answer_by_local"] == START + timedelta(days=7, hours=2)
    assert (await read(database, "meeting", meeting["id"]))["answer_by_local"] == own


async def test_the_limit_cannot_fall_below_the_seats_that_are_taken(database: Database) -> None:
    meeting = await a_meeting(database, capacity=5)
    for _ in range(3):
        await an_invitation(database, meeting, answer="in_person")
    too_few = await moved(database, meeting, capacity=2)
    enough = replace(too_few, capacity=3)

    with pytest.raises(FieldsError) as refused:
        await scheduling.change(database, OFFICE, meeting["id"], too_few, NOW)
    assert refused.value.fields == {"capacity": ("plan.err_capacity", {"n": 3})}
    saved = await scheduling.change(database, OFFICE, meeting["id"], enough, NOW)
    assert saved.revision == 2


async def test_seats_are_counted_anew_by_a_change(database: Database) -> None:
    meeting = await a_meeting(database, capacity=5)
    await an_invitation(database, meeting, answer="in_person")
    await database.fetch("UPDATE meeting_seats SET taken = 4")
    form = await moved(database, meeting, capacity=6)
    await scheduling.change(database, OFFICE, meeting["id"], form, NOW)

    assert await database.fetchval("SELECT taken FROM meeting_seats") == 1


async def test_an_online_session_needs_its_link(database: Database) -> None:
    meeting = await a_meeting(database)
    form = await moved(database, meeting, mode=Mode.ONLINE)

    with pytest.raises(FieldsError) as refused:
        await scheduling.change(database, OFFICE, meeting["id"], form, NOW)
    assert refused.value.fields == {"online_url": ("plan.err_online", {})}


@pytest.mark.parametrize(("state", "after_minutes", "expected"), [
    ("confirmed", 60, "held"),
    ("confirmed", 59, "confirmed"),
    ("tentative", 600, "tentative"),
    ("cancelled", 600, "cancelled"),
])  # fmt: skip
async def test_the_clock_says_an_hour_after_the_end_that_it_took_place(
    database: Database, state: str, after_minutes: int, expected: str
) -> None:
    meeting = await a_meeting(database, state=state)
    now = meeting["ends_at"] + timedelta(minutes=after_minutes)
    await scheduling.hold_finished(database, now)

    assert (await read(database, "meeting", meeting["id"]))["state"] == expected


async def test_two_clocks_hold_a_session_once(database: Database) -> None:
    meeting = await a_meeting(database)
    now = meeting["ends_at"] + timedelta(hours=1)
    held = await asyncio.gather(*(scheduling.hold_finished(database, now) for _ in range(3)))

    assert sorted(held) == [0, 0, 1]


async def test_a_session_over_midnight_is_published(database: Database) -> None:
    group = await a_group(database)
    meeting_id, form = await a_draft(
        database, group, start_time=time(22), end_time=time(1), end_on=date(2027, 3, 5)
    )
    saved = await scheduling.publish(database, OFFICE, meeting_id, form, NOW)

    assert saved.state is State.CONFIRMED


async def test_who_publishes_second_with_other_entries_is_told_who_was_first(
    database: Database,
) -> None:
    group = await a_group(database)
    meeting_id, form = await a_draft(database, group)
    seen = Options(seen_revision=1)
    await scheduling.publish(database, SOMEBODY, meeting_id, form, NOW, options=seen)
    other = replace(form, room="Saal 9")

    with pytest.raises(StaleFormError) as stale:
        await scheduling.publish(database, OFFICE, meeting_id, other, NOW, options=seen)
    assert stale.value.values["by"] == "Herr Kollege"


async def test_a_group_that_does_not_meet_any_more_loses_the_entry(database: Database) -> None:
    group = await a_group(database, heading="other", title_pattern="{title}", next_number=None)
    other = await a_group(database)
    feed = await insert(database, "feed", kind="group", group_id=group["id"])
    meeting = await a_meeting(database, of=group, number=None)
    form = await moved(database, meeting, group_ids=(other["id"],))
    await scheduling.change(database, OFFICE, meeting["id"], form, NOW)

    assert (await read(database, "feed", feed["id"]))["revision"] == feed["revision"] + 1


async def test_every_feed_of_the_session_follows_in_the_same_transaction(
    database: Database,
) -> None:
    group = await a_group(database)
    member = await a_person(database, member_of=group)
    meeting = await a_meeting(database, of=group)
    await an_invitation(database, meeting, member)
    for columns in (
        {"kind": "public"},
        {"kind": "group", "group_id": group["id"]},
        {"kind": "personal", "person_id": member["id"]},
    ):
        await insert(database, "feed", **columns)
    form = await moved(database, meeting, room="Saal 2")
    await scheduling.change(database, OFFICE, meeting["id"], form, NOW)
    rows = await database.fetch("SELECT revision FROM feed")

    assert [row["revision"] for row in rows] == [2, 2, 2]


async def test_a_held_session_can_still_get_its_title_corrected(database: Database) -> None:
    meeting = await a_meeting(database, state="held")
    await an_invitation(database, meeting, answer="in_person")
    form = await moved(database, meeting, title="16. AG Klima")
    saved = await scheduling.change(database, OFFICE, meeting["id"], form, NOW)

    assert (saved.state, saved.notice_ids) == (State.HELD, ())
