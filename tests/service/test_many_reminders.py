"""At most five reminders to one person a day: the rest is one letter, none is left out."""

from datetime import UTC, datetime, timedelta

import pytest

from notifications.clerk import Go, Stop
from service import reminding
from service.composing import Clerk
from service.database import Database
from service.domain.preferences import Topic
from service.drafting import Key
from service.services import Services
from tests import builders
from tests.builders import Row, insert
from tests.service import test_composing
from tests.service.test_writing_together import opened, posted, text_of

ready, services = test_composing.ready, test_composing.services

NOW = test_composing.NOW


async def sessions(
    database: Database, person: Row, count: int, first: int = 1, **rule_columns: object
) -> None:
    """Insert sessions that the person comes to, each with a reminder that is due."""
    of_days = {"days_before": 1, "at_local_time": (NOW - timedelta(minutes=1)).time()}
    columns = {"kind": "reminder", "audience": ["accepted"], **(rule_columns or of_days)}
    rule = await insert(database, "reminder_rule", **columns)
    for number in range(first, first + count):
        meeting = await builders.a_meeting(
            database,
            number=number,
            title=f"{number}. Sitzung",
            starts_local=test_composing.STARTS + timedelta(hours=number),
        )
        await builders.an_invitation(
            *(database, meeting, person),
            answer="in_person",
            invited_at=NOW - timedelta(days=20),
        )
        await insert(
            database,
            "reminder_slot",
            meeting_id=meeting["id"],
            rule_id=rule["id"],
            time_rev=meeting["time_rev"],
            due_at=NOW - timedelta(minutes=1) + timedelta(seconds=number),
            not_after=NOW + timedelta(days=2),
        )


async def test_what_is_beyond_the_fifth_is_one_letter_with_it(
    services: Services, database: Database
) -> None:
    person = await builders.a_person(database, full_name="Mira Muster")
    await sessions(database, person, 8)

    await reminding.queue_due(database, NOW)

    singles = [("Mira Muster", "reminder", 0)] * 4
    assert [*singles, ("Mira Muster", "reminders", 4)] == await posted(database)
    rows = await database.fetch("SELECT id, kind FROM letter")
    verdicts = await Clerk(services).look_up([row["id"] for row in rows])
    assert all(isinstance(verdict, Go) for verdict in verdicts.values())


async def test_five_are_five(services: Services, database: Database) -> None:
    person = await builders.a_person(database, full_name="Mira Muster")
    await sessions(database, person, 5)

    await reminding.queue_due(database, NOW)

    assert [("Mira Muster", "reminder", 0)] * 5 == await posted(database)


async def test_the_joint_reminder_names_each_session_and_can_be_stopped(
    services: Services, database: Database
) -> None:
    person = await builders.a_person(database, full_name="Mira Muster")
    await sessions(database, person, 7)
    await reminding.queue_due(database, NOW)
    letter = await database.fetchval("SELECT id FROM letter WHERE kind = 'reminders'")

    message, _ = await opened(services, letter)
    text = text_of(message)

    assert message["subject"] == "Erinnerung an 3 Sitzungen"
    assert "Ihre Antwort: vor Ort" in text
    assert "Erinnerungen abbestellen:" in text
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    await insert(database, "preference", person_id=person["id"], reminders=False)
    stopped = (await Clerk(services).look_up([letter]))[letter]
    assert Stop("unsubscribed") == stopped
    assert Topic.REMINDERS == "reminders"


async def test_a_promised_joint_letter_leaves_again_with_the_same_links(
    services: Services, database: Database
) -> None:
    """Its reminder was dropped meanwhile: what can be stopped is another kind now."""
    person = await builders.a_person(database, full_name="Mira Muster")
    await sessions(database, person, 6)
    await reminding.queue_due(database, NOW)
    letter = await database.fetchval("SELECT id FROM letter WHERE kind = 'reminders'")
    await database.fetch(
        "UPDATE letter_subject SET kind = 'nudge' WHERE letter_id = $1 AND position = 1", letter
    )
    await database.fetch(
        "UPDATE invitation SET answer = NULL WHERE meeting_id IN (SELECT subject_id FROM"
        " letter_subject WHERE letter_id = $1 AND position = 1)",
        letter,
    )
    first = (await Clerk(services).look_up([letter]))[letter]
    await database.fetch(
        "UPDATE letter_subject SET dropped_because = 'declined'"
        " WHERE letter_id = $1 AND kind = 'reminder'",
        letter,
    )
    again = (await Clerk(services).look_up([letter]))[letter]

    assert isinstance(first, Go)
    assert isinstance(again, Go)
    assert isinstance(first.prototype_key, Key)
    assert isinstance(again.prototype_key, Key)
    assert [Topic.REMINDERS, Topic.NUDGES] == [
        first.prototype_key.topic,
        again.prototype_key.topic,
    ]
    named = ("link_unsubscribe_reminders", "link_unsubscribe_mail_reminders")
    assert [first.values[name] for name in named] == [again.values[name] for name in named]
    message, _ = await opened(services, letter)
    assert "Nachfragen abbestellen:" in text_of(message)


async def test_what_comes_after_all_have_left_is_left_out(
    services: Services, database: Database
) -> None:
    person = await builders.a_person(database, full_name="Mira Muster")
    await sessions(database, person, 6)
    await reminding.queue_due(database, NOW)
    await database.fetch("UPDATE outbox SET state = 'sent', accepted_at = now()")
    await sessions(database, person, 1, first=7)

    await reminding.queue_due(database, NOW)

    late = await database.fetchval("SELECT id FROM letter ORDER BY created_at DESC, id LIMIT 1")
    assert {late: Stop("too_many")} == dict(await Clerk(services).look_up([late]))


def zone_at(hour: int, now: datetime) -> str:
    """Return a zone in which it is this hour now."""
    ahead = (hour - now.hour + 11) % 24 - 11
    # Their names say how far behind they are.
    return f"Etc/GMT{-ahead:+d}"


@pytest.mark.parametrize(
    ("hour", "left"),
    [(0, [("reminder", 6)]), (12, [("reminder", 4), ("reminders", 1)])],
    ids=["five_were_yesterday", "five_were_today"],
)
async def test_five_a_day_are_those_of_the_office_s_day(
    services: Services, database: Database, hour: int, left: list[tuple[str, int]]
) -> None:
    person = await builders.a_person(database)
    before = datetime.now(UTC)
    await database.fetch("UPDATE instance SET time_zone = $1", zone_at(hour, before))
    # Rules of minutes wait for no morning.
    await sessions(database, person, 5, minutes_before=90)
    await reminding.queue_due(database, NOW)
    await database.fetch("UPDATE letter SET created_at = $1", before - timedelta(hours=1))
    await sessions(database, person, 1, first=6, minutes_before=91)

    await reminding.queue_due(database, NOW)

    rows = await database.fetch("SELECT kind, count(*)::int FROM letter GROUP BY 1 ORDER BY 1")
    assert left == [tuple(row) for row in rows]


@pytest.mark.parametrize(
    ("five_at", "sixth_at", "reason"),
    [
        # In Berlin the first five are of the day before, and then of the same day.
        (datetime(2027, 1, 10, 22, tzinfo=UTC), datetime(2027, 1, 11, 4, tzinfo=UTC), "too_many"),
        (datetime(2027, 1, 11, 3, tzinfo=UTC), datetime(2027, 1, 11, 15, tzinfo=UTC), None),
    ],
)
async def test_the_sixth_is_left_out_by_the_office_s_day(
    services: Services,
    database: Database,
    five_at: datetime,
    sixth_at: datetime,
    reason: str | None,
) -> None:
    person = await builders.a_person(database)
    await database.fetch("UPDATE instance SET time_zone = 'America/New_York'")
    await sessions(database, person, 5, minutes_before=90)
    await reminding.queue_due(database, NOW)
    await database.fetch("UPDATE letter SET created_at = $1", five_at)
    await database.fetch("UPDATE outbox SET state = 'sent', accepted_at = now()")
    await sessions(database, person, 1, first=6, minutes_before=91)
    await reminding.queue_due(database, NOW)
    sixth = await database.fetchval("SELECT id FROM outbox WHERE state = 'queued'")
    await database.fetch("UPDATE letter SET created_at = $2 WHERE id = $1", sixth, sixth_at)

    verdicts = await Clerk(services).look_up([sixth])

    assert reason == getattr(verdicts[sixth], "reason", None)
