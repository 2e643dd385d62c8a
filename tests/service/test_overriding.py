"""The office's word on the answers of one change, from the preview to the letters."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

from service import noticing, planning, rehearsing, replying, scheduling
from service.auditing import Actor
from service.database import Database
from service.domain.meetings import Move
from service.domain.words import Answer, Verdict, Way
from service.rehearsing import Wish
from service.replying import Reply
from service.scheduling import Options, Saved
from tests.builders import NOW, Row, a_meeting, an_invitation, letters, read

OFFICE = Actor("account", uuid4(), "Frau Koordinatorin")
LATER = NOW + timedelta(minutes=10)
OTHER_DAY = date(2027, 3, 11)
KEEP, ASK = Options(answers=Verdict.KEEP), Options(answers=Verdict.ASK)


async def change(database: Database, meeting: Row, options: Options, **entries: Any) -> Saved:
    form, _ = await planning.load_form(database, meeting["id"])
    form = replace(form, **entries)
    return await scheduling.change(database, OFFICE, meeting["id"], form, NOW, options=options)


async def an_asked_meeting(database: Database) -> tuple[Row, dict[str, Row]]:
    """Return a session with one who comes, one who does not, and one who said nothing."""
    meeting = await a_meeting(database)
    return meeting, {
        "accepted": await an_invitation(database, meeting, answer="in_person"),
        "declined": await an_invitation(database, meeting, answer="declined"),
        "silent": await an_invitation(database, meeting),
    }


async def told(database: Database) -> set[Any]:
    """Return who got the letter about the change."""
    await noticing.queue_due(database, LATER)
    return {row["recipient_id"] for row in await letters(database, kind="change")}


def people(invitations: dict[str, Row], *names: str) -> set[Any]:
    return {invitations[name]["person_id"] for name in names}


async def holds(database: Database, invitation: Row) -> bool:
    view = await replying.load_invitation(database, invitation["id"], NOW)
    return view.holds


async def test_kept_answers_hold_on_the_other_day_and_decliners_hear_nothing(
    database: Database,
) -> None:
    meeting, invited = await an_asked_meeting(database)
    saved = await change(database, meeting, KEEP, start_on=OTHER_DAY)
    notice = await database.fetchrow("SELECT * FROM notice")

    assert notice is not None
    assert (saved.asked_again, saved.asks_by_rule, notice["asks_again"]) == (0, True, False)
    assert await holds(database, invited["accepted"]) is True
    assert people(invited, "accepted", "silent") == await told(database)


async def test_without_a_word_the_table_asks_everybody_on_another_day(database: Database) -> None:
    meeting, invited = await an_asked_meeting(database)
    saved = await change(database, meeting, Options(), start_on=OTHER_DAY)

    assert (saved.asked_again, await holds(database, invited["accepted"])) == (2, False)
    assert people(invited, "accepted", "silent", "declined") == await told(database)


async def test_a_new_room_can_ask_everybody_again(database: Database) -> None:
    meeting, invited = await an_asked_meeting(database)
    saved = await change(database, meeting, ASK, room="Zelt im Hof")

    assert (saved.asked_again, saved.asks_by_rule) == (2, False)
    assert await holds(database, invited["accepted"]) is False
    assert people(invited, "accepted", "silent", "declined") == await told(database)


async def test_who_was_asked_again_may_say_the_very_same(database: Database) -> None:
    meeting, invited = await an_asked_meeting(database)
    await change(database, meeting, ASK, room="Zelt im Hof")
    again = Reply(answer=Answer.IN_PERSON)
    recorded = await replying.enter_reply(
        database, OFFICE, invited["accepted"]["id"], again, Way.PHONE, LATER
    )
    row = await read(database, "invitation", invited["accepted"]["id"])

    assert (recorded.is_new, row["answer_rev"], row["has_seat"]) == (True, 2, True)
    assert await holds(database, invited["accepted"]) is True


async def test_a_word_that_says_what_the_table_says_is_none(database: Database) -> None:
    meeting, _ = await an_asked_meeting(database)
    await change(database, meeting, ASK, start_on=OTHER_DAY)
    await change(database, meeting, KEEP, room="Saal 2")
    row = await read(database, "meeting", meeting["id"])

    assert (row["kept_answers"], row["asked_again_at"]) == ([], None)


async def test_a_second_change_before_the_letters_leave_keeps_the_word(
    database: Database,
) -> None:
    meeting, invited = await an_asked_meeting(database)
    await change(database, meeting, KEEP, start_on=OTHER_DAY)
    await change(database, meeting, Options(), room="Saal 2")
    notices = await database.fetch("SELECT * FROM notice WHERE state = 'pending'")

    assert [(each["asks_again"], each["with_decliners"]) for each in notices] == [(False, False)]
    assert people(invited, "accepted", "silent") == await told(database)


async def test_asking_again_survives_a_second_change_too(database: Database) -> None:
    meeting, invited = await an_asked_meeting(database)
    await change(database, meeting, ASK, room="Zelt im Hof")
    await change(database, meeting, Options(), room="Zelt vor dem Haus")

    assert people(invited, "accepted", "silent", "declined") == await told(database)


async def test_going_back_after_kept_answers_needs_no_undo(database: Database) -> None:
    meeting, invited = await an_asked_meeting(database)
    await change(database, meeting, KEEP, start_on=OTHER_DAY)
    await change(database, meeting, Options(), start_on=meeting["starts_local"].date())

    assert await holds(database, invited["accepted"]) is True
    assert await told(database) == set()


async def test_a_postponed_session_can_keep_the_answers_for_its_new_date(
    database: Database,
) -> None:
    meeting, invited = await an_asked_meeting(database)
    form, _ = await planning.load_form(database, meeting["id"])
    await scheduling.postpone(database, OFFICE, meeting["id"], NOW)
    form = replace(form, start_on=OTHER_DAY)
    saved = await scheduling.reschedule(database, OFFICE, meeting["id"], form, NOW, options=KEEP)

    assert (saved.asked_again, saved.asks_by_rule) == (0, True)
    assert await holds(database, invited["accepted"]) is True


async def test_the_word_is_in_the_history_and_a_rehearsal_writes_nothing(
    database: Database,
) -> None:
    meeting, _ = await an_asked_meeting(database)
    form, _ = await planning.load_form(database, meeting["id"])
    form = replace(form, start_on=OTHER_DAY)
    wish = Wish(move=Move.CHANGE, form=form, options=KEEP)
    seen = await rehearsing.rehearse(database, OFFICE, meeting["id"], wish, NOW)
    before = await read(database, "meeting", meeting["id"])
    await change(database, meeting, KEEP, start_on=OTHER_DAY)
    details = await database.fetchval("SELECT details FROM audit WHERE action = 'change'")

    assert (seen.letters, before["kept_answers"], details["answers"]) == (2, [], "keep")
