"""One letter a person when several sessions change at once: posted, guarded, written."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any
from uuid import UUID, uuid4

import icalendar
import pytest

from notifications import leases
from notifications import letters as mail
from notifications.clerk import Go, Stop
from notifications.letters import Envelope, Sender
from service import noticing, posting, reaching, repeating, scheduling
from service.auditing import Actor
from service.composing import Clerk
from service.database import Database
from service.posting import Wanted
from service.services import Services
from service.tables import overseeing_statements
from tests import builders
from tests.builders import Row
from tests.service import test_composing

ready, services = test_composing.ready, test_composing.services

OFFICE = Actor("account", uuid4(), "Frau Koordinatorin")
NOW = test_composing.NOW
SENDER = Sender("termine@alliance.example.org", "Geschäftsstelle", "alliance.example.org")


@dataclass(frozen=True, slots=True)
class Scene:
    """Three sessions of one group, and two of its members."""

    sessions: tuple[Row, ...]
    mira: Row
    jan: Row

    async def invite(self, database: Database, *sessions: int, **columns: Any) -> None:
        """Invite both to sessions by their places."""
        for number in sessions:
            for person in (self.mira, self.jan):
                await builders.an_invitation(database, self.sessions[number], person, **columns)


async def a_scene(database: Database) -> Scene:
    group = await builders.a_group(database, name="Arbeitsgruppe Klima")
    of = await builders.an_organisation(database, name="Stadtverwaltung Gotha")
    sessions = [
        await builders.a_meeting(
            database,
            of=group,
            number=16 + n,
            title=f"{16 + n}. Arbeitsgruppensitzung Klima",
            starts_local=test_composing.STARTS + timedelta(weeks=4 * n),
        )
        for n in range(3)
    ]
    mira = await builders.a_person(database, full_name="Mira Muster", of=of, member_of=group)
    jan = await builders.a_person(database, full_name="Jan Beispiel", member_of=group, locale="en")
    return Scene(tuple(sessions), mira, jan)


async def cancel(database: Database, *sessions: Row) -> None:
    for session in sessions:
        await scheduling.cancel(database, OFFICE, session["id"], "Der Saal ist gesperrt.", NOW)


async def sweep(database: Database) -> int:
    return await noticing.queue_due(database, NOW + timedelta(minutes=11))


async def claim_all(database: Database) -> None:
    """Let a postman take what waits; the database lives today."""
    await database.fetch("UPDATE outbox SET next_attempt_at = now()")
    assert await leases.claim(database, 10, "one", "relay", paced=False)


async def posted(database: Database) -> list[tuple[Any, ...]]:
    """Return person, kind and parts of each letter, by person."""
    rows = await database.fetch(
        "SELECT p.full_name, l.kind, count(s.subject_id) FROM letter l"
        " JOIN person p ON p.id = l.recipient_id"
        " LEFT JOIN letter_subject s ON s.letter_id = l.id"
        " GROUP BY l.id, p.full_name ORDER BY p.full_name, l.kind"
    )
    return [tuple(row) for row in rows]


async def letter_of(database: Database, person: Row) -> UUID:
    found: UUID = await database.fetchval(
        "SELECT id FROM letter WHERE recipient_id = $1 AND kind <> 'copy'", person["id"]
    )
    return found


async def opened(services: Services, letter_id: UUID) -> tuple[EmailMessage, Mapping[str, str]]:
    """Write a letter as the postman would and read it as a mail program would."""
    clerk = Clerk(services)
    go = (await clerk.look_up([letter_id]))[letter_id]
    assert isinstance(go, Go)
    draft = await clerk.compose(go.prototype_key)
    prototype = mail.prototype(draft, SENDER, "de")
    envelope = Envelope(letter_id, go.to_addr, go.to_name)
    raw = mail.render(prototype, go.values, envelope, NOW.replace(microsecond=0))
    mail.check(prototype, raw, envelope)
    message = message_from_bytes(raw, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message, go.values


def text_of(message: EmailMessage) -> str:
    body = message.get_body(("plain",))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


async def test_sessions_that_change_at_once_are_one_letter_a_person(
    services: Services, database: Database
) -> None:
    scene = await a_scene(database)
    await scene.invite(database, 0, 1, 2)
    await cancel(database, *scene.sessions)

    count = await sweep(database)

    assert count == 2
    assert [("Jan Beispiel", "several", 3), ("Mira Muster", "several", 3)] == await posted(database)


async def test_one_session_alone_keeps_its_own_letter(
    services: Services, database: Database
) -> None:
    scene = await a_scene(database)
    await scene.invite(database, 0)
    await cancel(database, scene.sessions[0])

    await sweep(database)

    assert [("Jan Beispiel", "cancellation", 0), ("Mira Muster", "cancellation", 0)] == (
        await posted(database)
    )


async def test_each_part_has_its_news_its_link_and_its_calendar_file(
    services: Services, database: Database
) -> None:
    scene = await a_scene(database)
    await scene.invite(database, 0, 1)
    await scene.invite(database, 2, state="planned", invited_at=None)
    await cancel(database, scene.sessions[0])
    await scheduling.postpone(database, OFFICE, scene.sessions[1]["id"], NOW)
    await noticing.invite(database, OFFICE, scene.sessions[2]["id"], NOW)
    await sweep(database)

    message, values = await opened(services, await letter_of(database, scene.mira))
    text = text_of(message)

    assert message["subject"] == "Mehrere Änderungen: 3 Sitzungen"
    assert "16. Arbeitsgruppensitzung Klima\n---" in text
    assert "Diese Sitzung fällt aus." in text
    assert "Grund:       Der Saal ist gesperrt." in text
    assert "Diese Sitzung ist verschoben." in text
    assert "Wir laden Sie zu dieser Sitzung ein." in text
    assert f"Antworten: 18. Arbeitsgruppensitzung Klima:\n{values['link_answer_3']}" in text
    assert values["link_answer_1"] not in text
    files = list(message.iter_attachments())
    assert ["termin-1.ics", "termin-2.ics", "termin-3.ics"] == [f.get_filename() for f in files]
    found = [icalendar.Calendar.from_ical(f.get_content()) for f in files]
    assert [(one["METHOD"], len(one.events)) for one in found] == [("PUBLISH", 1)] * 3


async def test_the_letter_speaks_its_readers_language(
    services: Services, database: Database
) -> None:
    scene = await a_scene(database)
    await scene.invite(database, 0, 1)
    await cancel(database, *scene.sessions[:2])
    await sweep(database)

    message, _ = await opened(services, await letter_of(database, scene.jan))

    assert message["subject"] == "Several changes: 2 meetings"
    assert "This meeting is cancelled." in text_of(message)


async def test_several_invitations_are_an_invitation(
    services: Services, database: Database
) -> None:
    scene = await a_scene(database)
    await scene.invite(database, 0, 1, state="planned", invited_at=None)
    for session in scene.sessions[:2]:
        await noticing.invite(database, OFFICE, session["id"], NOW)
    await sweep(database)

    message, _ = await opened(services, await letter_of(database, scene.mira))

    assert message["subject"] == "Einladung zu 2 Sitzungen"
    assert ["invited", "invited"] == [
        row["state"]
        for row in await database.fetch(
            "SELECT state FROM invitation WHERE person_id = $1", scene.mira["id"]
        )
    ]


async def test_what_no_longer_holds_between_claim_and_sending_drops_out(
    services: Services, database: Database
) -> None:
    scene = await a_scene(database)
    await scene.invite(database, 0, 1, 2, state="planned", invited_at=None)
    for session in scene.sessions:
        await noticing.invite(database, OFFICE, session["id"], NOW)
    await sweep(database)
    letter = await letter_of(database, scene.mira)
    await claim_all(database)
    await cancel(database, scene.sessions[1])

    message, _ = await opened(services, letter)

    assert message["subject"] == "Einladung zu 2 Sitzungen"
    assert "17. Arbeitsgruppensitzung" not in text_of(message)
    parts = await database.fetch(
        "SELECT dropped_because FROM letter_subject WHERE letter_id = $1 ORDER BY position", letter
    )
    assert [None, "meeting_cancelled", None] == [row["dropped_because"] for row in parts]


async def test_the_last_part_that_falls_away_ends_the_letter_with_its_reason(
    services: Services, database: Database
) -> None:
    scene = await a_scene(database)
    await scene.invite(database, 0, 1, state="planned", invited_at=None)
    for session in scene.sessions[:2]:
        await noticing.invite(database, OFFICE, session["id"], NOW)
    await sweep(database)
    letter = await letter_of(database, scene.mira)
    await claim_all(database)
    await cancel(database, *scene.sessions[:2])

    verdicts = await Clerk(services).look_up([letter])

    assert {letter: Stop("meeting_cancelled")} == verdicts


async def test_one_part_that_is_left_still_leaves_in_the_same_letter(
    services: Services, database: Database
) -> None:
    scene = await a_scene(database)
    await scene.invite(database, 0, 1, state="planned", invited_at=None)
    for session in scene.sessions[:2]:
        await noticing.invite(database, OFFICE, session["id"], NOW)
    await sweep(database)
    letter = await letter_of(database, scene.mira)
    await cancel(database, scene.sessions[0])

    message, _ = await opened(services, letter)

    assert message["subject"] == "Einladung: 17. Arbeitsgruppensitzung Klima"


async def test_a_retry_is_the_same_bytes_whatever_dropped_out_since(
    services: Services, database: Database
) -> None:
    scene = await a_scene(database)
    await scene.invite(database, 0, 1, state="planned", invited_at=None)
    for session in scene.sessions[:2]:
        await noticing.invite(database, OFFICE, session["id"], NOW)
    await sweep(database)
    letter = await letter_of(database, scene.mira)
    clerk = Clerk(services)
    first = (await clerk.look_up([letter]))[letter]
    assert isinstance(first, Go)
    prototype = mail.prototype(await clerk.compose(first.prototype_key), SENDER, "de")
    await cancel(database, scene.sessions[0])

    again = (await clerk.look_up([letter]))[letter]

    assert isinstance(again, Go)
    frozen = {**again.values, **first.storable()}
    at, envelope = NOW.replace(microsecond=0), Envelope(letter, first.to_addr, first.to_name)
    assert mail.render(prototype, first.values, envelope, at) == (
        mail.render(prototype, frozen, envelope, at)
    )


async def test_two_replicas_that_sweep_at_once_write_to_nobody_twice(
    services: Services, database: Database
) -> None:
    scene = await a_scene(database)
    await scene.invite(database, 0, 1, 2)
    await cancel(database, *scene.sessions)

    counts = await asyncio.gather(*(sweep(database) for _ in range(4)))

    assert sum(counts) == 2
    assert [("Jan Beispiel", "several", 3), ("Mira Muster", "several", 3)] == await posted(database)


async def test_a_withdrawn_invitation_is_planned_again_after_a_move(
    services: Services, database: Database
) -> None:
    scene = await a_scene(database)
    await scene.invite(database, 0, 1, state="planned", invited_at=None)
    for session in scene.sessions[:2]:
        await noticing.invite(database, OFFICE, session["id"], NOW)
    await sweep(database)

    await scheduling.postpone(database, OFFICE, scene.sessions[0]["id"], NOW)

    states = await database.fetch(
        "SELECT state FROM invitation WHERE person_id = $1 AND meeting_id = $2",
        *(scene.mira["id"], scene.sessions[0]["id"]),
    )
    assert ["planned"] == [row["state"] for row in states]


async def test_what_one_person_does_within_a_countdown_leaves_together(
    services: Services, database: Database
) -> None:
    scene = await a_scene(database)
    await scene.invite(database, 0, 1)
    await scheduling.postpone(database, OFFICE, scene.sessions[0]["id"], NOW)
    later = NOW + timedelta(minutes=4)
    await scheduling.postpone(database, OFFICE, scene.sessions[1]["id"], later)

    due = await database.fetch("SELECT DISTINCT due_at FROM notice")

    assert [later + timedelta(minutes=10)] == [row["due_at"] for row in due]


@pytest.mark.parametrize("other", [None, "somebody else"])
async def test_what_is_urgent_or_somebody_elses_waits_for_nothing(
    services: Services, database: Database, other: str | None
) -> None:
    scene = await a_scene(database)
    await scene.invite(database, 0, 1)
    if other is None:
        await cancel(database, scene.sessions[0])
    else:
        actor = Actor("account", uuid4(), other)
        await scheduling.postpone(database, actor, scene.sessions[0]["id"], NOW)
    first = await database.fetchval("SELECT due_at FROM notice")

    await scheduling.postpone(
        database, OFFICE, scene.sessions[1]["id"], NOW + timedelta(seconds=30)
    )

    kept = await database.fetchval(
        "SELECT due_at FROM notice WHERE meeting_id = $1", scene.sessions[0]["id"]
    )
    assert first == kept


async def test_secretariats_get_a_copy_with_the_same_parts(
    services: Services, database: Database
) -> None:
    scene = await a_scene(database)
    await database.fetch(
        "UPDATE person SET copy_email = 'sekretariat@example.org' WHERE id = $1", scene.mira["id"]
    )
    await scene.invite(database, 0, 1)
    await cancel(database, *scene.sessions[:2])

    await sweep(database)

    assert ("Mira Muster", "copy", 2) in await posted(database)
    copy = await database.fetchval("SELECT id FROM letter WHERE kind = 'copy'")
    message, _ = await opened(services, copy)
    assert message["to"].addresses[0].addr_spec == "sekretariat@example.org"
    assert "Abschrift für das Sekretariat." in text_of(message)


async def test_the_session_page_shows_the_letter_and_what_dropped_out_of_it(
    services: Services, database: Database
) -> None:
    scene = await a_scene(database)
    await scene.invite(database, 0, 1, state="planned", invited_at=None)
    for session in scene.sessions[:2]:
        await noticing.invite(database, OFFICE, session["id"], NOW)
    await sweep(database)
    await scheduling.postpone(database, OFFICE, scene.sessions[0]["id"], NOW)

    shown = [
        {
            (row["letter_kind"], row["letter_state"], row["letter_reason"])
            for row in await database.fetch(overseeing_statements.PEOPLE, session["id"])
        }
        for session in scene.sessions[:2]
    ]

    assert [{("invitation", "cancelled", "superseded")}, {("invitation", "queued", None)}] == shown


async def test_the_log_names_all_sessions_of_a_letter_and_finds_it_by_each(
    services: Services, database: Database
) -> None:
    scene = await a_scene(database)
    await scene.invite(database, 0, 1)
    await cancel(database, *scene.sessions[:2])
    await sweep(database)

    page = await posting.list_letters(database, Wanted(meeting_id=scene.sessions[1]["id"]))

    titles = "16. Arbeitsgruppensitzung Klima, 17. Arbeitsgruppensitzung Klima"
    assert [("several", titles)] * 2 == [(one.kind, one.meeting_title) for one in page.letters]


async def test_sending_again_from_a_session_repeats_its_part_alone(
    services: Services, database: Database
) -> None:
    scene = await a_scene(database)
    await scene.invite(database, 0, 1, state="planned", invited_at=None)
    for session in scene.sessions[:2]:
        await noticing.invite(database, OFFICE, session["id"], NOW)
    await sweep(database)
    await database.fetch("UPDATE outbox SET state = 'sent'")
    invitation = await database.fetchval(
        "SELECT id FROM invitation WHERE person_id = $1 AND meeting_id = $2",
        *(scene.mira["id"], scene.sessions[1]["id"]),
    )

    is_sent = await repeating.send_again(database, OFFICE, scene.sessions[1]["id"], invitation, NOW)

    assert is_sent
    again = await database.fetchval("SELECT id FROM letter WHERE dedupe_key LIKE 'man:%'")
    message, _ = await opened(services, again)
    assert str(message["subject"]).startswith("Einladung: 17. Arbeitsgruppensitzung Klima")


async def test_a_letter_that_was_refused_leaves_again_for_a_corrected_address(
    services: Services, database: Database
) -> None:
    scene = await a_scene(database)
    await scene.invite(database, 0, 1)
    await cancel(database, *scene.sessions[:2])
    await sweep(database)
    letter = await letter_of(database, scene.mira)
    await database.fetch(
        "UPDATE outbox SET state = 'failed', reason = 'address_refused', finished_at = now()"
        " WHERE id = $1",
        letter,
    )
    await database.fetch("UPDATE letter SET to_addr = 'alt@example.org' WHERE id = $1", letter)

    for _ in range(2):
        await reaching.release(database, NOW)

    again = await database.fetchval("SELECT id FROM letter WHERE dedupe_key LIKE 'man:%'")
    message, _ = await opened(services, again)
    assert message["subject"] == "Mehrere Änderungen: 2 Sitzungen"
