"""Whom the office reminds by its own press, and who is spared because a reminder has just left."""

from datetime import timedelta
from typing import Any

import pytest

from service import noticing, overseeing
from service.auditing import COMMAND
from service.database import Database
from tests import builders
from tests.builders import NOW, Row, insert
from tests.service.test_overseeing import guests_of

AN_HOUR = timedelta(hours=1)
TWENTY_HOURS = 20 * AN_HOUR
COUNTDOWN = timedelta(minutes=10)
A_SECOND = timedelta(seconds=1)


async def reminded(
    database: Database, invitation: Row, ago: timedelta, state: str = "sent", **columns: Any
) -> None:
    """Insert a reminder that somebody got so long before NOW."""
    given: Row = {
        "kind": "reminder",
        "dedupe_key": f"rem:{invitation['id']}:{ago}",
        "recipient_id": invitation["person_id"],
        "subject_id": invitation["meeting_id"],
        "ordering_key": f"{invitation['person_id']}:{invitation['meeting_id']}",
        "locale": "de",
        "created_at": NOW - ago,
    }
    letter = await insert(database, "letter", **given | columns)
    await insert(
        database,
        "outbox",
        id=letter["id"],
        state=state,
        ordering_key=letter["ordering_key"],
        expires_at=NOW + timedelta(days=30),
    )


async def by_hand(database: Database) -> set[Any]:
    """Return who got a letter for this press."""
    rows = await builders.letters(database, kind="nudge")
    return {row["recipient_id"] for row in rows if "notice" in row["cause"]}


async def press(database: Database, meeting: Row) -> set[Any]:
    await noticing.remind(database, COMMAND, meeting["id"], NOW)
    await noticing.queue_due(database, NOW + COUNTDOWN)
    return await by_hand(database)


async def test_whoever_got_a_reminder_within_20_hours_is_spared(database: Database) -> None:
    meeting = await builders.a_meeting(database)
    fresh, lately, long_ago, taken_back, elsewhere = [
        await builders.an_invitation(database, meeting) for _ in range(5)
    ]
    # What counts is the moment at which the countdown ends.
    await reminded(database, lately, TWENTY_HOURS - COUNTDOWN - A_SECOND, kind="nudge")
    await reminded(database, long_ago, TWENTY_HOURS - COUNTDOWN)
    await reminded(database, taken_back, AN_HOUR, state="cancelled")
    other = await builders.a_meeting(database)
    await reminded(database, elsewhere, AN_HOUR, subject_id=other["id"])
    got = await press(database, meeting)

    assert {each["person_id"] for each in (fresh, long_ago, taken_back, elsewhere)} == got


async def test_who_gets_a_reminder_during_the_countdown_is_spared_too(database: Database) -> None:
    meeting = await builders.a_meeting(database)
    first, second = [await builders.an_invitation(database, meeting) for _ in range(2)]
    await noticing.remind(database, COMMAND, meeting["id"], NOW)
    await reminded(database, second, -COUNTDOWN / 2, state="queued")
    await noticing.queue_due(database, NOW + COUNTDOWN)

    assert {first["person_id"]} == await by_hand(database)


async def test_where_all_got_a_reminder_nothing_is_put_down(database: Database) -> None:
    meeting = await builders.a_meeting(database)
    await reminded(database, await builders.an_invitation(database, meeting), AN_HOUR)

    assert await noticing.remind(database, COMMAND, meeting["id"], NOW) is None
    assert [] == await noticing.find_pending(database, meeting["id"])


async def test_a_second_press_of_the_day_reaches_nobody(database: Database) -> None:
    meeting = await builders.a_meeting(database)
    await builders.an_invitation(database, meeting)
    await press(database, meeting)
    await database.fetch("UPDATE letter SET created_at = $1", NOW + COUNTDOWN)

    assert await noticing.remind(database, COMMAND, meeting["id"], NOW + 19 * AN_HOUR) is None
    assert await noticing.remind(database, COMMAND, meeting["id"], NOW + TWENTY_HOURS) is not None


async def test_the_countdown_names_only_those_who_will_get_it(database: Database) -> None:
    meeting = await builders.a_meeting(database)
    first, second = [await builders.an_invitation(database, meeting) for _ in range(2)]
    await reminded(database, second, AN_HOUR)
    await noticing.remind(database, COMMAND, meeting["id"], NOW)
    (pending,) = await noticing.find_pending(database, meeting["id"])

    assert [first["person_id"]] == [each.person_id for each in pending.recipients]


@pytest.mark.parametrize(
    ("ago", "state", "can"),
    [
        (TWENTY_HOURS - A_SECOND, "sent", False),
        (TWENTY_HOURS, "sent", True),
        (AN_HOUR, "queued", False),
        (AN_HOUR, "cancelled", True),
        (AN_HOUR, "expired", True),
    ],
)
async def test_the_session_page_knows_who_is_spared(
    database: Database, ago: timedelta, state: str, *, can: bool
) -> None:
    meeting = await builders.a_meeting(database)
    await reminded(database, await builders.an_invitation(database, meeting), ago, state)
    (person,) = (await guests_of(database, meeting)).people

    assert (True, can) == (person.lacks_answer, person.can_be_reminded(NOW))


async def test_whoever_never_got_a_reminder_can_be_reminded(database: Database) -> None:
    meeting = await builders.a_meeting(database)
    await builders.an_invitation(database, meeting)
    (person,) = (await guests_of(database, meeting)).people

    assert (overseeing.NONE, True) == (person.bucket, person.can_be_reminded(NOW))
