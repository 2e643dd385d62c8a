"""What the worker does and how often: every use case that time sets off, in one list."""

from datetime import datetime

from notifications.postman import Postman
from service import furnishing, noticing, reminding, scheduling
from service.jobs import Tick
from service.services import Services
from service.tables import letter_statements


def ticks(services: Services, postman: Postman | None) -> list[Tick]:
    """Return all ticks of a worker."""
    database = services.database

    async def notices(now: datetime) -> None:
        if await noticing.queue_due(database, now) and postman:
            postman.wake()

    async def reminders(now: datetime) -> None:
        if await reminding.queue_due(database, now) and postman:
            postman.wake()

    async def meetings_held(now: datetime) -> None:
        await scheduling.hold_finished(database, now)

    async def slots(now: datetime) -> None:
        await reminding.plan_all(database, now)

    async def first_letters(_: datetime) -> None:
        await note_first_letters(services)

    return [
        Tick("slots", 600, slots),
        Tick("notices", 5, notices),
        Tick("reminders", 5, reminders),
        Tick("meetings_held", 60, meetings_held),
        Tick("first_letters", 60, first_letters),
    ]


async def note_first_letters(services: Services) -> None:
    """Note who has had a first letter, and let letters go that waited for the legal texts."""
    async with services.database.unit_of_work() as unit:
        await unit.connection.execute(letter_statements.NOTE_FIRST_LETTERS)
        if await furnishing.is_ready(services.database):
            await unit.connection.execute(letter_statements.RELEASE_UNREADY)
