import hashlib
from collections import Counter
from datetime import UTC, datetime, time, timedelta
from uuid import uuid4

import pytest

from notifications import leases
from service import furnishing, noticing, planning, scheduling
from service.auditing import Actor
from service.database import Database
from service.demo.catcher import MailCatcher
from service.domain.meeting_forms import MeetingForm
from service.domain.words import State
from service.furnishing import InstanceData
from tests import builders
from tests import database as test_database
from tests.end_to_end.programs import running, until

PEOPLE = 300
KILL_AFTER = 60
OFFICE = "b@example.org"
ACTOR = Actor("command")


async def _queue_invitations(database: Database) -> None:
    await furnishing.save_instance(database, ACTOR, InstanceData("Bündnis", email=OFFICE))
    for kind in furnishing.LEGAL_KINDS:
        await furnishing.save_text(database, ACTOR, (kind, "de"), "Text", datetime.now(UTC))
    group = await builders.a_group(database)
    for number in range(PEOPLE):
        person = await builders.a_person(database, email=f"m{number}@example.org")
        await builders.a_membership(database, person, group)
    now = datetime.now(UTC)
    start = (now + timedelta(days=20)).date()
    form = MeetingForm(
        group_ids=(group["id"],),
        status=State.CONFIRMED,
        start_on=start,
        start_time=time(10),
        end_time=time(12),
        place_name="Rathaus",
        town="Erfurt",
    )
    meeting_id = uuid4()
    earlier = now - timedelta(days=2)
    await planning.save_draft(database, ACTOR, meeting_id, form, earlier)
    await scheduling.publish(database, ACTOR, meeting_id, form, earlier)
    posted = await noticing.queue_due(database, now)
    assert posted == PEOPLE


@pytest.mark.long
async def test_a_killed_worker_loses_no_letter_and_doubles_only_what_was_in_transfer(
    database: Database, environment: dict[str, str], catcher: MailCatcher
) -> None:
    await _queue_invitations(database)
    async with running(environment, "serve", "--role", "worker") as first:
        await until(lambda: len(catcher.letters) >= KILL_AFTER, "letters arrive")
        await first.kill()
    before = len(catcher.letters)
    await test_database.hear_last_words(database)
    marked = await database.fetchval(
        "SELECT count(*) FROM outbox WHERE state = 'sending' AND data_started_at IS NOT NULL"
    )
    # Leases, hold and slots of the dead go by; any worker sets right what is left.
    await database.fetch("UPDATE outbox SET lease_until = now() WHERE state = 'sending'")
    await leases.reap(database, ())
    await database.fetch("UPDATE outbox SET next_attempt_at = now() WHERE state = 'uncertain'")
    await leases.reap(database, ())
    await database.fetch("UPDATE relay_slot SET lease_until = now()")
    async with running(environment, "serve", "--role", "worker") as second:
        await until(lambda: _reached(catcher) == PEOPLE, "everybody has a letter")
        code = await second.stop()

    assert before < PEOPLE
    assert 0 == code
    copies = Counter(letter.recipient for letter in catcher.letters)
    # The office had its trial letter before everybody else.
    assert OFFICE == catcher.letters[0].recipient
    assert 1 == copies.pop(OFFICE)
    assert PEOPLE == len(copies)
    assert sum(copies.values()) - PEOPLE <= marked
    for recipient, count in copies.items():
        bodies = {
            hashlib.sha256(letter.raw).digest()
            for letter in catcher.letters
            if letter.recipient == recipient
        }
        assert (recipient, 1) == (recipient, len(bodies)), count


def _reached(catcher: MailCatcher) -> int:
    return len({letter.recipient for letter in catcher.letters} - {OFFICE})
