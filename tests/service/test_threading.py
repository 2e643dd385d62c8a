"""Letters about one session lie together in mail programs: what follows answers the first one."""

from datetime import timedelta
from email.message import EmailMessage
from typing import Any
from uuid import UUID

from service import noticing
from service.database import Database
from service.services import Services
from tests import builders
from tests.builders import Row
from tests.service import test_composing, test_writing_together
from tests.service.test_composing import NOW, a_letter, a_session, deliver, opened

ready, services = test_composing.ready, test_composing.services


async def one_more(
    services: Services, kind: str, person: Row, meeting: Row, **more: Any
) -> EmailMessage:
    """Send one letter and return what arrived."""
    await a_letter(services.database, kind, person, meeting, **more)
    (arrived,) = await deliver(services)
    return opened(arrived)


async def somebody_invited(database: Database, meeting: Row, **columns: Any) -> Row:
    person = await builders.a_person(database, full_name="Mira Muster", **columns)
    await builders.an_invitation(database, meeting, person, answer="in_person")
    return person


def root_of(services: Services, meeting: Row) -> str:
    return f"<meeting-{meeting['uid']}@{services.settings.mail_domain}>"


async def test_what_follows_answers_the_first_letter_that_arrived(services: Services) -> None:
    meeting = await a_session(services.database)
    person = await somebody_invited(services.database, meeting)
    first = await one_more(services, "invitation", person, meeting)
    later = [
        await one_more(services, kind, person, meeting)
        for kind in ("date_confirmed", "reminder", "receipt", "uncancellation")
    ]

    root = root_of(services, meeting)
    assert (None, root) == (first["In-Reply-To"], first["References"])
    assert [(first["Message-ID"], f"{root} {first['Message-ID']}")] * 4 == [
        (each["In-Reply-To"], each["References"]) for each in later
    ]


async def test_letters_to_others_about_others_or_that_never_arrived_are_not_answered(
    services: Services,
) -> None:
    database = services.database
    meeting, other = await a_session(database), await a_session(database)
    mira, jan = [await somebody_invited(database, meeting) for _ in range(2)]
    await builders.an_invitation(database, other, mira, answer="in_person")
    await one_more(services, "invitation", jan, meeting)
    await one_more(services, "invitation", mira, other)
    refused = await a_letter(database, "invitation", mira, meeting, dedupe_key="refused")
    await database.fetch("UPDATE outbox SET state = 'failed' WHERE id = $1", refused)
    await database.fetch(
        "UPDATE letter SET created_at = created_at - interval '1 day' WHERE id = $1", refused
    )
    reminder = await one_more(services, "reminder", mira, meeting)

    assert (None, root_of(services, meeting)) == (reminder["In-Reply-To"], reminder["References"])


async def test_a_copy_answers_the_first_copy(services: Services) -> None:
    database = services.database
    meeting = await a_session(database)
    person = await somebody_invited(database, meeting, copy_email="sekretariat@example.org")

    async def both(kind: str) -> tuple[EmailMessage, EmailMessage]:
        letter = await one_more(services, kind, person, meeting)
        cause = {"copies": kind, "of": UUID(str(letter["X-Terminbuch-Mail"])).hex}
        return letter, await one_more(services, "copy", person, meeting, cause=cause)

    first, first_copy = await both("invitation")
    second, second_copy = await both("reminder")

    assert (first["Message-ID"], first_copy["Message-ID"]) == (
        second["In-Reply-To"],
        second_copy["In-Reply-To"],
    )


async def test_a_joint_letter_answers_the_first_about_the_first_of_its_sessions(
    services: Services, database: Database
) -> None:
    scene = await test_writing_together.a_scene(database)
    await scene.invite(database, 0, 1, told_rev=1, invited_at=NOW - timedelta(days=1))
    first = await one_more(services, "invitation", scene.mira, scene.sessions[0])
    await test_writing_together.cancel(database, *scene.sessions[:2])
    await noticing.queue_due(database, NOW + timedelta(minutes=11))
    letter = await database.fetchval(
        "SELECT id FROM letter WHERE recipient_id = $1 AND kind <> 'invitation'", scene.mira["id"]
    )
    joint, _ = await test_writing_together.opened(services, letter)

    domain = services.settings.mail_domain
    assert f"<{UUID(first['X-Terminbuch-Mail'])}@{domain}>" == joint["In-Reply-To"]
    assert f"{root_of(services, scene.sessions[0])} {joint['In-Reply-To']}" == joint["References"]


async def test_a_letter_of_one_session_answers_the_joint_letter_that_told_of_it_first(
    services: Services, database: Database
) -> None:
    scene = await test_writing_together.a_scene(database)
    await scene.invite(database, 0, 1, told_rev=1, invited_at=NOW - timedelta(days=1))
    await test_writing_together.cancel(database, *scene.sessions[:2])
    await noticing.queue_due(database, NOW + timedelta(minutes=11))
    joint = await database.fetchval(
        "SELECT id FROM letter WHERE recipient_id = $1", scene.mira["id"]
    )
    await database.fetch("UPDATE outbox SET state = 'sent', accepted_at = now()")
    later = await one_more(services, "receipt", scene.mira, scene.sessions[1])

    assert f"<{joint}@{services.settings.mail_domain}>" == later["In-Reply-To"]
