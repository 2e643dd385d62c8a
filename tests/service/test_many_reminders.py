"""At most five reminders to one person a day: the rest is one letter, none is left out."""

from datetime import timedelta

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


async def sessions(database: Database, person: Row, count: int, first: int = 1) -> None:
    """Insert sessions that the person comes to, each with a reminder that is due."""
    rule = await insert(
        database,
        "reminder_rule",
        kind="reminder",
        audience=["accepted"],
        days_before=1,
        at_local_time=(NOW - timedelta(minutes=1)).time(),
    )
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
