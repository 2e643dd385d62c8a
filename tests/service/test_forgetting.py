"""What stays of a session when its answers are forgotten: figures, and no names."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from service import forgetting, housekeeping, overseeing
from service.database import Database
from service.domain import retention
from service.domain.accounts import Account
from service.domain.words import Role
from service.tables import forgetting_statements as statements
from tests import builders
from tests.builders import Row, insert

NOW = datetime(2027, 1, 4, 8, 0, tzinfo=UTC)
DAY = timedelta(days=1)
OLD = retention.ANSWERS.period + DAY


async def _a_meeting(database: Database, ended: timedelta, **columns: Any) -> Row:
    starts = (NOW - ended - timedelta(hours=2)).replace(tzinfo=None)
    given = {"starts_local": starts, "time_zone": "UTC", "state": "held"} | columns
    return await builders.a_meeting(database, **given)


async def _asked(database: Database, meeting: Row, partner: Row | None = None, **said: Any) -> Row:
    organisation_id = partner and partner["id"]
    return await builders.an_invitation(database, meeting, organisation_id=organisation_id, **said)


async def _two_partners(database: Database, ended: timedelta = OLD) -> Row:
    """Insert a session with two who come for one partner, and others who do not."""
    meeting = await _a_meeting(database, ended)
    gotha = await builders.an_organisation(database, name="Gotha")
    jena = await builders.an_organisation(database, name="Jena")
    await _asked(database, meeting, gotha, answer="in_person")
    await _asked(database, meeting, gotha, answer="in_person")
    await _asked(database, meeting, jena, answer="declined")
    await _asked(database, meeting, jena)
    await _asked(database, meeting, state="planned")
    return meeting


async def _counts(database: Database, meeting: Row) -> dict[str, tuple[int, int]]:
    kept = await forgetting.find_kept(database, meeting["id"])
    assert kept is not None
    return {each.bucket: (each.persons, each.partners) for each in kept.counts}


async def test_figures_stay_and_whether_a_partner_was_represented(database: Database) -> None:
    meeting = await _two_partners(database)
    await housekeeping.forget_answers(database, NOW)
    kept = await forgetting.find_kept(database, meeting["id"])
    answers = await database.fetchval("SELECT count(answer) + count(given_town) FROM invitation")

    assert kept is not None
    assert (["Gotha"], ["Jena"]) == (kept.represented, kept.absent)
    assert {"in_person": (2, 1), "declined": (1, 1), "none": (1, 1), "planned": (1, 1)} == (
        await _counts(database, meeting)
    )
    assert 0 == answers
    assert 2 == await database.fetchval("SELECT taken FROM meeting_seats")


async def test_the_figures_are_those_of_the_session_page(database: Database) -> None:
    meeting = await _two_partners(database)
    office = Account(uuid4(), "x@example.org", "X", Role.COORDINATOR, "de", frozenset())
    session = await overseeing.find_session(database, office, meeting["id"])
    before = (await overseeing.list_guests(database, session)).counts
    await housekeeping.forget_answers(database, NOW)

    shown = {each.bucket: (each.persons, each.partners) for each in before if each.persons}
    assert shown == await _counts(database, meeting)


async def test_while_the_answers_stand_there_are_no_other_figures(database: Database) -> None:
    meeting = await _two_partners(database, retention.ANSWERS.period - DAY)
    await housekeeping.forget_answers(database, NOW)

    assert await forgetting.find_kept(database, meeting["id"]) is None
    assert 3 == await database.fetchval("SELECT count(answer) FROM invitation")


async def test_a_second_run_finds_nothing_to_do(database: Database) -> None:
    meeting = await _two_partners(database)
    await housekeeping.forget_answers(database, NOW)
    before = await _counts(database, meeting)
    again = await housekeeping.forget_answers(database, NOW + DAY)

    assert 0 == again
    assert before == await _counts(database, meeting)


async def test_more_sessions_than_fit_in_a_portion_are_all_done(database: Database) -> None:
    group = await builders.a_group(database)
    for number in range(forgetting.SESSIONS_AT_ONCE + 1):
        meeting = await _a_meeting(database, OLD, of=group, number=number)
        await _asked(database, meeting, answer="online")
    await housekeeping.forget_answers(database, NOW)

    assert 0 == await database.fetchval("SELECT count(answer) FROM invitation")


async def test_two_workers_at_once_keep_the_figures_once(database: Database) -> None:
    meeting = await _two_partners(database)
    await asyncio.gather(*(housekeeping.forget_answers(database, NOW) for _ in range(4)))

    assert (2, 1) == (await _counts(database, meeting))["in_person"]


async def test_a_session_that_is_held_later_after_all_is_forgotten_and_counted_anew(
    database: Database,
) -> None:
    meeting = await _two_partners(database)
    await housekeeping.forget_answers(database, NOW)
    await database.fetch(
        "UPDATE meeting SET starts_at = starts_at + $1, ends_at = ends_at + $1", 2 * OLD
    )
    asked_anew = await forgetting.find_kept(database, meeting["id"])
    await database.fetch(
        "UPDATE invitation SET answer = 'declined', answer_way = 'link', access_needs = 'x',"
        " given_starts_local = (SELECT starts_local FROM meeting), given_mode = 'on_site'"
        " WHERE state = 'invited'"
    )
    await housekeeping.forget_answers(database, NOW + 2 * OLD)

    assert asked_anew is None
    assert {"declined": (4, 2), "planned": (1, 1)} == await _counts(database, meeting)
    assert 0 == await database.fetchval("SELECT count(*) FROM invitation WHERE access_needs <> ''")


async def test_a_session_without_a_date_keeps_its_answers(database: Database) -> None:
    """They hold again where it comes back to its old start."""
    meeting = await _two_partners(database)
    await database.fetch(
        "UPDATE meeting SET state = 'postponed', starts_at = NULL, ends_at = NULL WHERE id = $1",
        meeting["id"],
    )
    await housekeeping.forget_answers(database, NOW)

    assert 3 == await database.fetchval("SELECT count(answer) FROM invitation")


async def test_the_calendar_of_whom_a_deputy_stood_for_moves_on_and_no_other(
    database: Database,
) -> None:
    meeting = await _a_meeting(database, retention.DEPUTIES.period + DAY)
    people = [await builders.a_person(database) for _ in range(2)]
    for person, deputy in zip(people, ("Dana Dabei", ""), strict=True):
        await insert(database, "feed", kind="personal", person_id=person["id"], changed_at=NOW)
        said = {"answer": "represented", "deputy_name": deputy, "note": "x"}
        await builders.an_invitation(database, meeting, person, changed_at=NOW, **said)
    await housekeeping.forget_answers(database, NOW)

    rows = await database.fetch(
        "SELECT feed.revision, feed.changed_at - $1 AS feed_by, i.changed_at - $1 AS entry_by,"
        " i.answer, i.deputy_name || i.note AS words"
        " FROM feed JOIN invitation i USING (person_id) ORDER BY feed.revision",
        NOW,
    )
    second, none = timedelta(seconds=1), timedelta(0)
    assert [
        (1, none, none, "represented", ""),
        (2, second, second, "represented", ""),
    ] == [tuple(row) for row in rows]


async def test_who_answered_stays_in_the_history_and_what_does_not(database: Database) -> None:
    meeting = await _a_meeting(database, retention.HISTORY.period + DAY)
    invitation = await _asked(database, meeting, answer="declined")
    details = {"answer": "declined", "way": "link", "late": False, "meeting": str(meeting["id"])}
    act = {"actor_kind": "person", "action": "answered", "happened_at": NOW - 100 * DAY}
    about = {"object_kind": "invitation", "object_id": invitation["id"]}
    await insert(database, "audit", **act, **about, details=details)
    await housekeeping.forget_answers(database, NOW)

    assert {"meeting": str(meeting["id"])} == await database.fetchval("SELECT details FROM audit")


@pytest.mark.parametrize("state", ["cancelled", "held", "confirmed"])
async def test_whatever_became_of_a_session_its_answers_go(database: Database, state: str) -> None:
    meeting = await _a_meeting(database, OLD, state=state)
    await _asked(database, meeting, answer="in_person", access_needs="x", note="y")
    await housekeeping.forget_answers(database, NOW)
    row = await database.fetchrow("SELECT answer, access_needs, note, has_seat FROM invitation")

    assert row is not None
    assert (None, "", "", False) == tuple(row)


async def test_sessions_that_are_done_are_not_read_again(database: Database) -> None:
    """However many there were, the index holds those alone that something is left to do for."""
    async with database.unit_of_work() as unit:
        connection = unit.connection
        await connection.execute("SET LOCAL enable_seqscan = off")
        await connection.execute(
            "PREPARE pick (timestamptz, timestamptz, timestamptz, bigint) AS " + statements.PICK
        )
        plan = await connection.fetch("EXPLAIN EXECUTE pick (now(), now(), now(), 20)")
        await connection.execute("DEALLOCATE pick")

    assert "meeting_to_forget" in str(plan)
