import asyncio
from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import pytest

from service import noticing, planning, scheduling
from service.auditing import Actor
from service.database import Database
from service.domain.errors import NotFoundError
from service.domain.words import NoticeKind
from tests.builders import (
    NOW,
    START,
    Row,
    a_group,
    a_meeting,
    a_membership,
    a_notice,
    a_person,
    a_reminder_rule,
    an_invitation,
    an_organisation,
    insert,
    letters,
    read,
)
from tests.service.test_planning import OnlyGroup

OFFICE = Actor("account", uuid4(), "Frau Koordinatorin")
LATER = NOW + timedelta(minutes=10)
NOBODY = OnlyGroup(uuid4())


async def told(database: Database) -> list[tuple[str, Any]]:
    """Return kind and person of all letters."""
    rows = await letters(database)
    return sorted((row["kind"], row["recipient_id"]) for row in rows)


async def move_a_week(database: Database, meeting: Row) -> None:
    form, _ = await planning.load_form(database, meeting["id"])
    form = replace(form, start_on=date(2027, 3, 11))
    await scheduling.change(database, OFFICE, meeting["id"], form, NOW)


async def test_nothing_leaves_before_the_countdown_ends(database: Database) -> None:
    meeting = await a_meeting(database)
    await an_invitation(database, meeting, state="planned")
    await noticing.invite(database, OFFICE, meeting["id"], NOW)
    early = await noticing.queue_due(database, LATER - timedelta(seconds=1))
    due = await noticing.queue_due(database, LATER)

    assert (early, due) == (0, 1)


async def test_an_invitation_is_one_letter_a_person_and_marks_who_was_asked(
    database: Database,
) -> None:
    meeting = await a_meeting(database)
    person = await a_person(database, email="frau@rathaus.example.org", locale="en")
    invitation = await an_invitation(database, meeting, person, state="planned")
    await noticing.invite(database, OFFICE, meeting["id"], NOW)
    await noticing.queue_due(database, LATER)
    letter = (await letters(database))[0]
    after = await read(database, "invitation", invitation["id"])

    assert letter["dedupe_key"] == f"inv:{meeting['id']}:{person['id']}:1"
    assert (letter["kind"], letter["locale"], letter["recipient_domain"], letter["priority"]) == (
        "invitation",
        "en",
        "rathaus.example.org",
        4,
    )
    assert letter["cause"]["invitation"] == str(invitation["id"])
    assert letter["ordering_key"] == f"{person['id']}:{meeting['id']}"
    assert (after["state"], after["invited_at"], after["told_rev"]) == ("invited", LATER, 1)
    assert (await read(database, "meeting", meeting["id"]))["invited_at"] == LATER


async def test_two_expansions_of_one_notice_send_one_letter_each(database: Database) -> None:
    meeting = await a_meeting(database)
    for _ in range(5):
        await an_invitation(database, meeting, state="planned")
    await noticing.invite(database, OFFICE, meeting["id"], NOW)
    posted = await asyncio.gather(*(noticing.queue_due(database, LATER) for _ in range(4)))

    assert sorted(posted) == [0, 0, 0, 5]
    assert len(await letters(database)) == 5


async def test_a_person_without_an_address_is_skipped_and_shown(database: Database) -> None:
    meeting = await a_meeting(database)
    office = await an_organisation(database, name="Kammer")
    without = await a_person(database, of=office, email=None, full_name="Ohne Adresse")
    invitation = await an_invitation(
        database, meeting, without, state="planned", organisation_id=office["id"]
    )
    reachable = await a_person(database)
    await an_invitation(database, meeting, reachable, state="planned")
    await noticing.invite(database, OFFICE, meeting["id"], NOW)
    planned = (await noticing.find_pending(database, meeting["id"]))[0]
    await noticing.queue_due(database, LATER)

    assert (planned.letters, len(planned.recipients)) == (1, 2)
    assert [(each.name, each.partner) for each in planned.without_address] == [
        ("Ohne Adresse", "Kammer")
    ]
    assert await told(database) == [("invitation", reachable["id"])]
    assert (await read(database, "invitation", invitation["id"]))["state"] == "planned"


async def test_a_move_is_told_to_all_invited_and_decliners_too(database: Database) -> None:
    meeting = await a_meeting(database)
    people = [await a_person(database) for _ in range(5)]
    given = ("in_person", "declined", None)
    for person, answer in zip(people, given, strict=False):
        await an_invitation(database, meeting, person, answer=answer)
    await an_invitation(database, meeting, people[3], state="planned")
    await an_invitation(database, meeting, people[4], state="uninvited")
    await move_a_week(database, meeting)
    await noticing.queue_due(database, LATER)

    assert await told(database) == sorted(("change", person["id"]) for person in people[:3])


async def test_another_room_is_told_to_who_has_not_declined(database: Database) -> None:
    meeting = await a_meeting(database)
    coming, declined = await a_person(database), await a_person(database)
    await an_invitation(database, meeting, coming, answer="in_person")
    await an_invitation(database, meeting, declined, answer="declined")
    form, _ = await planning.load_form(database, meeting["id"])
    form = replace(form, room="Saal 2")
    await scheduling.change(database, OFFICE, meeting["id"], form, NOW)
    await noticing.queue_due(database, LATER)

    assert await told(database) == [("change", coming["id"])]


async def test_a_change_letter_names_the_revision_and_marks_who_was_told(
    database: Database,
) -> None:
    meeting = await a_meeting(database)
    person = await a_person(database)
    invitation = await an_invitation(database, meeting, person, answer="in_person")
    await move_a_week(database, meeting)
    await noticing.queue_due(database, LATER)
    letter = (await letters(database))[0]
    after = await read(database, "invitation", invitation["id"])

    assert letter["dedupe_key"] == f"chg:{meeting['id']}:2:{person['id']}"
    assert (letter["subject_rev"], letter["time_rev"], letter["priority"]) == (2, 1, 2)
    assert (after["told_rev"], after["reset_sequence"], after["answer"]) == (2, 1, "in_person")


async def test_a_cancellation_is_of_use_an_hour_into_the_meeting(database: Database) -> None:
    meeting = await a_meeting(database)
    person = await a_person(database)
    await an_invitation(database, meeting, person, answer="in_person")
    await an_invitation(database, meeting, answer="declined")
    await scheduling.cancel(database, OFFICE, meeting["id"], "Grund", NOW)
    await noticing.queue_due(database, NOW + timedelta(seconds=60))
    found = await letters(database)

    assert [each["dedupe_key"] for each in found] == [f"cnl:{meeting['id']}:{person['id']}:2"]
    assert found[0]["expires_at"] == meeting["starts_at"] + timedelta(hours=1)


async def test_each_change_of_state_has_letters_of_its_own(database: Database) -> None:
    meeting = await a_meeting(database)
    await an_invitation(database, meeting, answer="in_person")
    form, _ = await planning.load_form(database, meeting["id"])
    now = NOW
    kinds = []
    for move in ("postpone", "reschedule", "cancel", "uncancel"):
        entry: dict[str, tuple[Any, ...]] = {
            "postpone": (),
            "reschedule": (form,),
            "cancel": ("Grund",),
            "uncancel": (None,),
        }
        await getattr(scheduling, move)(database, OFFICE, meeting["id"], *entry[move], now)
        now += timedelta(minutes=10)
        await noticing.queue_due(database, now)
        await database.fetch("UPDATE outbox SET state = 'sent'")
        kinds.append([row["kind"] for row in await letters(database)])

    assert kinds[-1] == ["cancellation", "date_confirmed", "postponed", "uncancellation"]
    assert [len(each) for each in kinds] == [1, 2, 3, 4]


async def test_a_letter_of_a_cancelled_session_that_has_not_left_is_taken_back(
    database: Database,
) -> None:
    meeting = await a_meeting(database)
    person = await a_person(database)
    await an_invitation(database, meeting, person, answer="in_person")
    await move_a_week(database, meeting)
    await noticing.queue_due(database, LATER)
    await scheduling.cancel(database, OFFICE, meeting["id"], "Grund", LATER)
    await noticing.queue_due(database, LATER + timedelta(minutes=1))
    found = {row["kind"]: (row["state"], row["reason"]) for row in await letters(database)}

    assert found == {"change": ("cancelled", "superseded"), "cancellation": ("queued", None)}


async def test_the_office_can_send_at_once(database: Database) -> None:
    meeting = await a_meeting(database)
    await an_invitation(database, meeting, state="planned")
    notice_id = await noticing.invite(database, OFFICE, meeting["id"], NOW)
    assert notice_id is not None
    sent = await noticing.send_now(database, OFFICE, notice_id, NOW)
    again = await noticing.send_now(database, OFFICE, notice_id, NOW)
    by_clock = await noticing.queue_due(database, LATER)

    assert (sent, again, by_clock) == (1, None, 0)


async def test_a_notice_taken_back_sends_nothing_and_the_change_stays(database: Database) -> None:
    meeting = await a_meeting(database)
    await an_invitation(database, meeting, answer="in_person")
    await move_a_week(database, meeting)
    notice = (await noticing.find_pending(database, meeting["id"]))[0]
    withdrawn = await noticing.withdraw(database, OFFICE, notice.id, NOW)
    posted = await noticing.queue_due(database, LATER)
    again = await noticing.withdraw(database, OFFICE, notice.id, LATER)
    after = await read(database, "meeting", meeting["id"])

    assert (withdrawn, posted, again) == (True, 0, False)
    assert after["starts_local"] == START + timedelta(days=7)


async def test_a_press_and_the_clock_send_one_letter(database: Database) -> None:
    meeting = await a_meeting(database)
    await an_invitation(database, meeting, state="planned")
    notice_id = await noticing.invite(database, OFFICE, meeting["id"], NOW)
    assert notice_id is not None
    await asyncio.gather(
        noticing.send_now(database, OFFICE, notice_id, LATER),
        noticing.queue_due(database, LATER),
        noticing.send_now(database, OFFICE, notice_id, LATER),
    )

    assert len(await letters(database)) == 1


async def test_a_foreign_notice_is_as_if_unknown(database: Database) -> None:
    meeting = await a_meeting(database)
    await an_invitation(database, meeting, answer="in_person")
    notice = await a_notice(database, meeting)

    for press in (noticing.send_now, noticing.withdraw):
        with pytest.raises(NotFoundError):
            await press(database, OFFICE, notice["id"], NOW, authority=NOBODY)
        with pytest.raises(NotFoundError):
            await press(database, OFFICE, uuid4(), NOW)
    with pytest.raises(NotFoundError):
        await noticing.invite(database, OFFICE, meeting["id"], NOW, authority=NOBODY)
    assert await read(database, "notice", notice["id"]) == notice


async def test_two_presses_on_invite_are_one_notice(database: Database) -> None:
    meeting = await a_meeting(database)
    await an_invitation(database, meeting, state="planned")
    presses = await asyncio.gather(
        *(noticing.invite(database, OFFICE, meeting["id"], NOW) for _ in range(3))
    )

    assert len(set(presses)) == 1
    assert await database.fetchval("SELECT count(*) FROM notice") == 1


async def test_one_more_person_can_be_invited_alone(database: Database) -> None:
    meeting = await a_meeting(database)
    one, other = await a_person(database), await a_person(database)
    await an_invitation(database, meeting, one, state="planned")
    await an_invitation(database, meeting, other, state="planned")
    await noticing.invite(database, OFFICE, meeting["id"], NOW, person_ids=[one["id"]])
    await noticing.queue_due(database, LATER)

    assert await told(database) == [("invitation", one["id"])]


async def test_only_who_has_no_answer_that_holds_is_reminded_by_hand(database: Database) -> None:
    meeting = await a_meeting(database)
    people = [await a_person(database) for _ in range(5)]
    silent, coming, of_old, declined, planned = people
    old: dict[str, Any] = {"given_starts_local": START - timedelta(days=7)}
    await an_invitation(database, meeting, silent)
    await an_invitation(database, meeting, coming, answer="in_person")
    await an_invitation(database, meeting, of_old, answer="in_person", **old)
    await an_invitation(database, meeting, declined, answer="declined", **old)
    await an_invitation(database, meeting, planned, state="planned")
    await noticing.remind(database, OFFICE, meeting["id"], NOW)
    await noticing.queue_due(database, LATER)

    assert await told(database) == sorted(("nudge", each["id"]) for each in (silent, of_old))


async def test_nobody_is_reminded_when_all_have_answered(database: Database) -> None:
    meeting = await a_meeting(database)
    await an_invitation(database, meeting, answer="in_person")

    assert await noticing.remind(database, OFFICE, meeting["id"], NOW) is None
    assert await noticing.find_pending(database, meeting["id"]) == []


async def test_a_session_that_is_not_confirmed_invites_nobody(database: Database) -> None:
    meeting = await a_meeting(database, state="tentative")
    await an_invitation(database, meeting, state="planned")

    assert await noticing.invite(database, OFFICE, meeting["id"], NOW) is None


async def test_reminders_are_planned_as_soon_as_invitations_leave(database: Database) -> None:
    rule = await a_reminder_rule(database)
    meeting = await a_meeting(database)
    await an_invitation(database, meeting, state="planned")
    await noticing.invite(database, OFFICE, meeting["id"], NOW)
    await noticing.queue_due(database, LATER)
    slots = await database.fetch("SELECT rule_id, state FROM reminder_slot")

    assert [tuple(slot) for slot in slots] == [(rule["id"], "planned")]


async def test_an_invitation_merges_a_move_before_it_leaves(database: Database) -> None:
    meeting = await a_meeting(database)
    person = await a_person(database)
    await an_invitation(database, meeting, person, state="planned")
    await noticing.invite(database, OFFICE, meeting["id"], NOW)
    await move_a_week(database, meeting)
    notice = (await noticing.find_pending(database, meeting["id"]))[0]
    await noticing.send_now(database, OFFICE, notice.id, NOW)
    letter = (await letters(database))[0]

    assert notice.kind is NoticeKind.INVITATION
    assert letter["dedupe_key"] == f"inv:{meeting['id']}:{person['id']}:2"


async def test_anonymised_people_get_no_letter(database: Database) -> None:
    meeting = await a_meeting(database)
    gone = await a_person(database, anonymised_at=NOW)
    await an_invitation(database, meeting, gone, answer="in_person")
    await a_notice(database, meeting)

    assert await noticing.queue_due(database, NOW) == 0


async def test_who_joined_is_invited_and_who_left_before_the_day_is_not(database: Database) -> None:
    group = await a_group(database)
    meeting = await a_meeting(database, of=group)
    stays = await a_person(database, member_of=group)
    left, guest = await a_person(database), await a_person(database)
    await a_membership(database, left, group, to_on=date(2027, 1, 31))
    for person in (stays, left, guest):
        await an_invitation(database, meeting, person, state="planned")
    await noticing.invite(database, OFFICE, meeting["id"], NOW)
    joined = await a_person(database, member_of=group)
    await noticing.queue_due(database, LATER)

    assert await told(database) == sorted(
        ("invitation", each["id"]) for each in (stays, guest, joined)
    )


async def test_after_a_notice_was_taken_back_the_next_one_tells_what_people_do_not_know(
    database: Database,
) -> None:
    meeting = await a_meeting(database)
    await an_invitation(database, meeting, answer="in_person")
    await move_a_week(database, meeting)
    first = (await noticing.find_pending(database, meeting["id"]))[0]
    await noticing.withdraw(database, OFFICE, first.id, NOW)
    form, _ = await planning.load_form(database, meeting["id"])
    await scheduling.change(database, OFFICE, meeting["id"], replace(form, room="Saal 2"), LATER)
    before = await database.fetchval("SELECT before FROM notice WHERE state = 'pending'")

    assert (before["starts_local"], before["room"]) == (START.isoformat(), "Saal 1")


async def test_the_feeds_follow_when_invitations_leave(database: Database) -> None:
    meeting = await a_meeting(database)
    person = await a_person(database)
    await an_invitation(database, meeting, person, state="planned")
    await insert(database, "feed", kind="personal", person_id=person["id"])
    await noticing.invite(database, OFFICE, meeting["id"], NOW)
    await noticing.queue_due(database, LATER)

    assert await database.fetchval("SELECT revision FROM feed") == 2
