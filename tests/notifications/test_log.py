"""What the office and the health check read about letters."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

from notifications import log, pauses
from notifications.clerk import Stop
from notifications.outbox import State
from notifications.postman import Postman
from service.database import Database
from tests.notifications import builders, smtp_servers
from tests.notifications.builders import AClerk, a_letter


async def test_the_office_reads_state_reason_and_the_servers_words(database: Database) -> None:
    subject, erika, jan = uuid4(), uuid4(), uuid4()
    [first] = await builders.post(database, a_letter(1, subject_id=subject, recipient_id=erika))
    [second] = await builders.post(
        database, a_letter(2, subject_id=subject, recipient_id=jan, kind="reminder")
    )
    await builders.post(database, a_letter(3))
    clerk = AClerk(verdicts={second: Stop("declined")})
    async with smtp_servers.running(
        lambda line, _: "550 5.1.1 gone" if first.hex[:12] in line else None
    ) as server:
        postman = Postman(database, server.relay(), clerk, builders.SENDER)
        await postman.deliver()
        await postman.stop()

    found = await log.letters_of(database, subject_id=subject)
    assert [
        (letter.id, letter.text_id, letter.reason_id, letter.needs_a_look) for letter in found
    ] == [
        (second, "mail.state.cancelled", "reason.declined", False),
        (first, "mail.state.failed", "reason.address_refused", True),
    ]
    assert [letter.id for letter in await log.letters_of(database, recipient_id=jan)] == [second]
    assert [letter.id for letter in await log.letters_of(database, states=[State.FAILED])] == [
        first
    ]
    assert await log.counts(database, subject) == {
        ("invitation", State.FAILED): 1,
        ("reminder", State.CANCELLED): 1,
    }
    [attempt] = await log.attempts_of(database, first)
    assert (attempt.outcome, attempt.phase, attempt.code, attempt.reply) == (
        "failed",
        "rcpt",
        550,
        "5.1.1 gone",
    )


async def test_of_several_letters_to_a_person_the_newest_counts(database: Database) -> None:
    subject, erika = uuid4(), uuid4()
    for kind in ("invitation", "reminder"):
        await builders.post(
            database, a_letter(1, subject_id=subject, recipient_id=erika, kind=kind)
        )

    latest = await log.latest_by_recipient(database, subject)
    assert {erika: "reminder"} == {person: letter.kind for person, letter in latest.items()}
    invited = await log.latest_by_recipient(database, subject, ["invitation"])
    assert invited[erika].kind == "invitation"


async def test_health_knows_for_how_long_the_oldest_letter_waits(database: Database) -> None:
    none = await log.oldest_due_age(database)
    hour_ago = datetime.now(UTC) - timedelta(hours=1)
    await builders.post(database, a_letter(1), a_letter(2, not_before=hour_ago))

    age = await log.oldest_due_age(database)
    assert none is None
    assert age is not None
    assert abs(age - timedelta(hours=1)) < timedelta(minutes=2)


async def test_health_knows_that_the_relay_rests(database: Database) -> None:
    before = await log.relay_health(database, "mail:25")
    await pauses.pause(database, "mail:25", 60, "relay_config")
    found = await log.relay_health(database, "mail:25")

    assert before is None
    assert found is not None
    assert (found.reason, found.consecutive_failures) == ("relay_config", 1)
