"""Letters that a newer version has posted wait for it, and hold up nothing."""

from uuid import UUID

from notifications.clerk import Stop
from notifications.postman import Options, Postman
from service import judging, relaying, ticking
from service.composing import Clerk
from service.database import Database
from service.services import Services
from tests import builders
from tests.builders import Row
from tests.notifications import smtp_servers
from tests.notifications.test_combining import fold
from tests.service.test_composing import a_letter, a_session, ready, services

__all__ = ["ready", "services"]

NEW = "minutes_published"
HELD = Stop(judging.UNKNOWN, "held")


async def an_invited(database: Database, meeting: Row) -> tuple[Row, dict[str, str]]:
    person = await builders.a_person(database)
    invitation = await builders.an_invitation(database, meeting, person)
    return person, {"invitation": str(invitation["id"])}


async def test_a_letter_of_an_unknown_kind_waits_and_the_others_leave(services: Services) -> None:
    database = services.database
    meeting = await a_session(database)
    for kind in ("invitation", NEW, "invitation"):
        person, cause = await an_invited(database, meeting)
        await a_letter(database, kind, person, meeting, cause=cause)
    nobody = await builders.a_person(database, email=None)
    await a_letter(database, NEW, nobody, None)
    async with smtp_servers.running() as server:
        postman = Postman(
            *(database, server.relay(), Clerk(services), relaying.sender(services.settings)),
            Options(),
        )
        await postman.deliver()
        await postman.stop()

    found = await database.fetch(
        "SELECT l.kind, o.state, o.reason FROM letter l JOIN outbox o USING (id)"
    )
    assert 2 == len(server.mails)
    assert {("invitation", "sent", None), (NEW, "held", judging.UNKNOWN)} == {
        tuple(row) for row in found
    }


async def test_it_leaves_as_soon_as_somebody_knows_its_kind(services: Services) -> None:
    database = services.database
    meeting = await a_session(database)
    letters = {}
    for kind in ("invitation", "test", NEW):
        person, cause = await an_invited(database, meeting)
        letters[kind] = await a_letter(database, kind, person, meeting, cause=cause)
    await database.fetch("UPDATE outbox SET state = 'held', reason = $1", judging.UNKNOWN)
    late = await a_letter(database, "invitation", person, meeting, cause={})
    await database.fetch(
        "UPDATE outbox SET state = 'held', reason = $2, expires_at = now() WHERE id = $1",
        *(late, judging.UNKNOWN),
    )
    await ticking.note_first_letters(services)

    assert {letters["invitation"], letters["test"]} == await _queued(database)


async def test_one_unknown_part_keeps_a_letter_about_several_sessions(services: Services) -> None:
    database = services.database
    person = await builders.a_person(database)
    meetings = [await a_session(database, title=title) for title in ("Klima", "Wasser")]
    for meeting in meetings:
        await builders.an_invitation(database, meeting, person)
    whole = await fold(database, person["id"], *(meeting["id"] for meeting in meetings))
    sql = "UPDATE letter_subject SET kind = $1 WHERE subject_id = $2"
    await database.fetch(sql, "change", meetings[0]["id"])
    await database.fetch(sql, NEW, meetings[1]["id"])
    verdicts = await Clerk(services).look_up([whole])
    await database.fetch("UPDATE outbox SET state = 'held', reason = $1", judging.UNKNOWN)
    await ticking.note_first_letters(services)

    assert {whole: HELD} == verdicts
    assert whole not in await _queued(database)


async def _queued(database: Database) -> set[UUID]:
    return {
        row["id"] for row in await database.fetch("SELECT id FROM outbox WHERE state = 'queued'")
    }
