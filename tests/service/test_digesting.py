"""Who gets the weekly letter, once, and what stands in it."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from service import digesting
from service.database import Database
from service.digesting import Shape
from tests import builders
from tests.builders import Row

DUE = datetime(2027, 1, 4, 7, 0, tzinfo=UTC)
"""Monday, 4 January 2027, 08:00 in Erfurt."""
IN_TWO_WEEKS = datetime(2027, 1, 18, 10, 0)  # noqa: DTZ001 - wall time
IN_TWO_MONTHS = datetime(2027, 3, 4, 10, 0)  # noqa: DTZ001 - wall time


async def subscriber(database: Database, **wishes: Any) -> Row:
    person = await builders.a_person(database, full_name="Mira Muster")
    given = {"digest": True} | wishes
    await builders.insert(database, "preference", person_id=person["id"], **given)
    return person


async def asked(database: Database, person: Row, answer: str | None = None, **of: Any) -> Row:
    """Invite the person to a session in two weeks; what is given of the session wins."""
    state = of.pop("invitation", "invited")
    published = {"published_at": DUE - timedelta(days=60), "stamped_at": DUE - timedelta(days=60)}
    meeting = await builders.a_meeting(
        database, **{"starts_local": IN_TWO_WEEKS, "title": "Klima", **published, **of}
    )
    return await builders.an_invitation(database, meeting, person, answer=answer, state=state)


async def digests(database: Database) -> list[Row]:
    return await builders.letters(database, kind="digest")


async def words(database: Database, locale: str = "de") -> digesting.Digest:
    (letter,) = await digests(database)
    return await digesting.read(database, letter["cause"], locale, DUE)


async def test_who_asked_for_it_gets_one_letter_a_week_whoever_asks_how_often(
    database: Database,
) -> None:
    """Two replicas at 08:00:00 are one letter; a restart at 08:00:30 misses none."""
    person = await subscriber(database)
    await builders.a_person(database)
    await asked(database, person)
    counts = await asyncio.gather(*(digesting.queue_due(database, DUE) for _ in range(4)))
    late = await digesting.queue_due(database, DUE + timedelta(seconds=30))

    (letter,) = await digests(database)
    assert (1, 0) == (sum(counts), late)
    assert (f"dig:2027-W01:{person['id']}", person["id"], DUE + timedelta(days=2)) == (
        letter["dedupe_key"],
        letter["recipient_id"],
        letter["expires_at"],
    )


async def test_a_restart_after_the_hour_misses_nobody(database: Database) -> None:
    await asked(database, await subscriber(database))

    assert 1 == await digesting.queue_due(database, DUE + timedelta(seconds=30))


@pytest.mark.parametrize("at", [DUE - timedelta(seconds=1), DUE + timedelta(days=2)])
async def test_before_the_hour_and_days_later_nothing_is_queued(
    database: Database, at: datetime
) -> None:
    await asked(database, await subscriber(database))

    assert 0 == await digesting.queue_due(database, at)


@pytest.mark.parametrize(
    ("at", "count"),
    [
        (datetime(2027, 1, 4, 18, 59, tzinfo=UTC), 1),
        (datetime(2027, 1, 4, 19, 0, tzinfo=UTC), 0),
        (datetime(2027, 1, 5, 22, 0, tzinfo=UTC), 0),
        (datetime(2027, 1, 6, 5, 59, tzinfo=UTC), 0),
        (datetime(2027, 1, 6, 6, 0, tzinfo=UTC), 1),
    ],
)
async def test_who_asks_for_it_at_night_has_it_in_the_morning(
    database: Database, at: datetime, count: int
) -> None:
    await asked(database, await subscriber(database))

    assert count == await digesting.queue_due(database, at)


@pytest.mark.parametrize(("subdivision", "count"), [("BY", 0), ("TH", 1)])
async def test_a_holiday_is_as_quiet_as_a_night(
    database: Database, subdivision: str, count: int
) -> None:
    await builders.an_instance(database, holiday_subdivision=subdivision)
    await asked(database, await subscriber(database))
    epiphany = datetime(2027, 1, 6, 6, 30, tzinfo=UTC)

    assert count == await digesting.queue_due(database, epiphany)


@pytest.mark.parametrize(("restored", "count"), [(timedelta(0), 0), (timedelta(seconds=-1), 1)])
async def test_of_a_week_that_was_due_before_a_restore_nobody_gets_a_second_letter(
    database: Database, restored: timedelta, count: int
) -> None:
    await builders.insert(database, "restoration", restored_at=DUE + restored)
    await asked(database, await subscriber(database))
    counts = [
        await digesting.queue_due(database, DUE + timedelta(hours=1)),
        await digesting.queue_due(database, DUE + timedelta(weeks=1)),
    ]

    assert [count, 1] == counts


async def test_next_week_brings_the_next_letter(database: Database) -> None:
    await asked(database, await subscriber(database))
    counts = [await digesting.queue_due(database, DUE + timedelta(weeks=n)) for n in range(2)]

    assert [1, 1] == counts


@pytest.mark.parametrize(
    ("zone", "last_on", "count"),
    [("Europe/Berlin", 3, 1), ("Pacific/Auckland", 3, 1), ("Pacific/Auckland", 4, 0)],
)
async def test_a_pause_ends_with_the_day_of_the_offices_calendar(
    database: Database, zone: str, last_on: int, count: int
) -> None:
    await builders.an_instance(database, time_zone=zone)
    await asked(database, await subscriber(database, paused_until=DUE.replace(day=last_on).date()))
    monday = datetime(2027, 1, 4, 8, 30, tzinfo=ZoneInfo(zone))

    assert count == await digesting.queue_due(database, monday)


@pytest.mark.parametrize(
    ("wishes", "count"),
    [
        ({"digest": True}, 1),
        ({"digest": False}, 0),
        ({"digest": False, "digest_only": True}, 1),
        ({"paused_until": DUE.date()}, 0),
        ({"paused_until": DUE.date() - timedelta(days=1)}, 1),
    ],
)
async def test_only_who_wants_it_now_gets_it(
    database: Database, wishes: dict[str, Any], count: int
) -> None:
    await asked(database, await subscriber(database, **wishes))

    assert count == await digesting.queue_due(database, DUE)


@pytest.mark.parametrize(
    "of",
    [
        {"answer": "declined"},
        {"invitation": "uninvited"},
        {"state": "cancelled"},
        {"state": "draft"},
        {"starts_local": IN_TWO_MONTHS, "answer": "in_person"},
        {"starts_local": datetime(2027, 1, 3, 10, 0)},  # noqa: DTZ001 - wall time
    ],
)
async def test_an_empty_letter_is_none(database: Database, of: dict[str, Any]) -> None:
    await asked(database, await subscriber(database), **of)

    assert 0 == await digesting.queue_due(database, DUE)


async def test_it_shows_four_weeks_with_the_own_answer_and_what_is_not_certain(
    database: Database,
) -> None:
    person = await subscriber(database)
    await asked(database, person, "in_person")
    await asked(
        *(database, person),
        title="Bündnistreffen",
        state="tentative",
        date_precision="month",
        invitation="planned",
    )
    await digesting.queue_due(database, DUE)

    found = await words(database)
    assert {
        "Klima\nMo 18.1.2027, 10:00 Uhr, Rathaus, Erfurt (Ihre Antwort: vor Ort)",
        "Bündnistreffen\nJanuar 2027, Rathaus, Erfurt (voraussichtlich)",
    } == set(found.values["coming"].split("\n\n"))
    assert Shape(DUE.date(), 0, has_coming=True, has_changes=False) == found.shape


async def test_open_answers_are_asked_for_however_far_the_session_lies(
    database: Database,
) -> None:
    person = await subscriber(database)
    far = await asked(database, person, starts_local=IN_TWO_MONTHS, title="Leerstand")
    near = await asked(database, person)
    await digesting.queue_due(database, DUE)

    found = await words(database, "en")
    assert [near["handle"], far["handle"]] == [root.handle for root in found.roots.values()]
    assert "Leerstand\nThu 4 Mar 2027" in found.values["open_b"]
    assert "by Thu 25 Feb 2027" in found.values["open_b"]


async def test_it_asks_for_a_dozen_answers_at_most(database: Database) -> None:
    person = await subscriber(database)
    for _ in range(14):
        await asked(database, person)
    await digesting.queue_due(database, DUE)

    assert 12 == (await words(database)).shape.asks


async def test_it_says_what_changed_since_the_last_one_and_not_again(database: Database) -> None:
    person = await subscriber(database)
    for days, kind, state in (
        (3, "cancellation", "cancelled"),
        (2, "postponed", "postponed"),
        (9, "change", "confirmed"),
    ):
        invitation = await asked(database, person, "in_person", title=kind, state=state)
        meeting = await builders.read(database, "meeting", invitation["meeting_id"])
        await builders.a_notice(
            *(database, meeting), kind=kind, state="sent", finished_at=DUE - timedelta(days=days)
        )
    await digesting.queue_due(database, DUE)

    assert [
        "Abgesagt: cancellation, Mo 18.1.2027, 10:00 Uhr",
        "Verschoben: postponed, Der neue Termin folgt",
    ] == (await words(database)).values["changes"].split("\n")


async def test_a_new_or_sliding_provisional_date_is_told_here(database: Database) -> None:
    """Publishing one mails nobody."""
    person = await subscriber(database)
    new = {"published_at": DUE - timedelta(days=1)}
    slid = {"time_rev": 1, "stamped_at": DUE - timedelta(days=1)}
    changes: dict[str, dict[str, Any]] = {"Neu": new, "Gerutscht": slid}
    for title, of in changes.items():
        given = {"title": title, "state": "tentative", "invitation": "planned", **of}
        await asked(database, person, **given)
    await digesting.queue_due(database, DUE)

    assert [
        "Neu, voraussichtlich: Neu, Mo 18.1.2027, 10:00 Uhr",
        "Neuer voraussichtlicher Termin: Gerutscht, Mo 18.1.2027, 10:00 Uhr",
    ] == sorted((await words(database)).values["changes"].split("\n"))


async def test_what_changed_again_before_the_letter_left_is_told_as_it_is(
    database: Database,
) -> None:
    person = await subscriber(database)
    invitation = await asked(database, person, "in_person", state="cancelled")
    meeting = await builders.read(database, "meeting", invitation["meeting_id"])
    await builders.a_notice(
        *(database, meeting), kind="cancellation", state="sent", finished_at=DUE
    )
    await digesting.queue_due(database, DUE)
    await database.fetch("UPDATE meeting SET state = 'confirmed'")

    assert (
        "Termin steht fest: Klima, Mo 18.1.2027, 10:00 Uhr"
        == (await words(database)).values["changes"]
    )
