"""What the office wrote to a change that is replaced by a newer one before anybody read of it."""

from dataclasses import replace
from typing import Any

import pytest

from notifications.clerk import Go
from service import noticing, planning, scheduling
from service.auditing import COMMAND
from service.composing import Clerk
from service.database import Database
from service.saving import Options
from service.services import Services
from tests import builders
from tests.builders import Row
from tests.service import test_composing
from tests.service.test_composing import NOW
from tests.service.test_overtaking import LATER, SECOND, THIRD, a_scene, cancel, put
from tests.service.test_what_people_know import withdraw

ready, services = test_composing.ready, test_composing.services

FIRST_WORDS = "Wir ziehen um.\n\nDer Aufzug geht wieder."
MORE_WORDS = "Bitte bringen Sie Ihren Ausweis mit."


async def save(database: Database, meeting: Row, message: str, **fields: Any) -> None:
    form, _ = await planning.load_form(database, meeting["id"])
    await scheduling.change(
        *(database, COMMAND, meeting["id"], replace(form, **fields), NOW),
        options=Options(message=message),
    )


async def message(database: Database, meeting: Row) -> str:
    (pending,) = await noticing.find_pending(database, meeting["id"])
    return pending.message


async def text(services: Services, person: Row) -> str:
    """Return the one letter that waits for somebody."""
    (letter,) = await builders.letters(services.database, recipient_id=person["id"], state="queued")
    clerk = Clerk(services)
    go = (await clerk.look_up([letter["id"]]))[letter["id"]]
    assert isinstance(go, Go)
    return (await clerk.compose(go.prototype_key)).text


async def test_both_are_read_in_their_order(services: Services) -> None:
    database = services.database
    meeting, person, _ = await a_scene(database)
    await save(database, meeting, FIRST_WORDS, room="Saal 2")
    await save(database, meeting, MORE_WORDS, room="Saal 3")
    planned = await message(database, meeting)
    await noticing.queue_due(database, NOW + LATER)
    read = await text(services, person)

    assert f"{FIRST_WORDS}\n\n{MORE_WORDS}" == planned
    assert 0 < read.index("Wir ziehen um.") < read.index("Der Aufzug") < read.index(MORE_WORDS)


async def test_a_change_without_words_keeps_those_of_the_first(services: Services) -> None:
    database = services.database
    meeting, _, _ = await a_scene(database)
    await save(database, meeting, FIRST_WORDS, room="Saal 2")
    await save(database, meeting, "", room="Saal 3")

    assert FIRST_WORDS == await message(database, meeting)


@pytest.mark.parametrize(
    ("second", "read"),
    [
        (FIRST_WORDS, FIRST_WORDS),
        ("Der Aufzug geht wieder.", FIRST_WORDS),
        (f"{FIRST_WORDS}\n\nBis bald!", f"{FIRST_WORDS}\n\nBis bald!"),
        ("Der Aufzug", f"{FIRST_WORDS}\n\nDer Aufzug"),
    ],
)
async def test_the_same_words_are_read_once(services: Services, second: str, read: str) -> None:
    database = services.database
    meeting, _, _ = await a_scene(database)
    await save(database, meeting, FIRST_WORDS, room="Saal 2")
    await save(database, meeting, second, room="Saal 3")

    assert read == await message(database, meeting)


async def test_words_that_were_taken_back_are_not_read(services: Services) -> None:
    database = services.database
    meeting, _, _ = await a_scene(database)
    await save(database, meeting, FIRST_WORDS, room="Saal 2")
    await withdraw(database, meeting, NOW)
    await save(database, meeting, MORE_WORDS, room="Saal 3")

    assert MORE_WORDS == await message(database, meeting)


async def test_a_cancellation_gives_its_reason_alone(services: Services) -> None:
    database = services.database
    meeting, _, _ = await a_scene(database)
    await save(database, meeting, FIRST_WORDS, room="Saal 2")
    await scheduling.cancel(database, COMMAND, meeting["id"], "Der Saal ist gesperrt.", NOW)

    assert "Der Saal ist gesperrt." == await message(database, meeting)


async def test_a_postponement_has_no_reason_that_was_written_to_a_change(
    services: Services,
) -> None:
    database = services.database
    meeting, _, _ = await a_scene(database)
    await save(database, meeting, FIRST_WORDS, room="Saal 2")
    await scheduling.postpone(database, COMMAND, meeting["id"], NOW)

    assert "" == await message(database, meeting)


async def test_a_letter_that_replaces_one_that_waits_says_both(services: Services) -> None:
    """One has read the first, the other has not."""
    database = services.database
    meeting, heard, unheard = await a_scene(database)
    await save(database, meeting, FIRST_WORDS, start_on=SECOND)
    await noticing.queue_due(database, NOW + LATER)
    await put(database, heard, "sent")
    await save(database, meeting, MORE_WORDS, start_on=THIRD)
    await noticing.queue_due(database, NOW + 2 * LATER)
    both, one = await text(services, unheard), await text(services, heard)

    assert 0 < both.index("Wir ziehen um.") < both.index(MORE_WORDS)
    assert ("Wir ziehen um." in one, MORE_WORDS in one) == (False, True)


async def test_what_was_written_before_a_cancellation_is_not_said_after_it(
    services: Services,
) -> None:
    database = services.database
    meeting, _, unheard = await a_scene(database)
    await save(database, meeting, FIRST_WORDS, start_on=SECOND)
    await noticing.queue_due(database, NOW + LATER)
    await cancel(database, meeting)
    await scheduling.uncancel(database, COMMAND, meeting["id"], None, NOW)
    await noticing.queue_due(database, NOW + LATER)
    read = await text(services, unheard)

    assert ("Wir ziehen um." in read, "gesperrt" in read) == (False, False)
