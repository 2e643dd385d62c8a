"""What the worker does and how often: every use case that time sets off, in one list.

The postman polls and reaps by itself; feeds note who fetched them in the process that served them.
"""

import os
import socket
from datetime import datetime

from notifications.postman import Postman
from service import furnishing, housekeeping, noticing, reminding, scheduling
from service.jobs import Tick
from service.services import Services
from service.tables import letter_statements

_BEAT = """
INSERT INTO worker (id, role, started_at, heartbeat_at) VALUES ($1, $2, $3, $3)
ON CONFLICT (id) DO UPDATE SET heartbeat_at = excluded.heartbeat_at
"""


def ticks(services: Services, postman: Postman | None) -> list[Tick]:
    """Return all ticks of a worker."""
    database = services.database
    name = f"{socket.gethostname()}:{os.getpid()}"

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

    async def heartbeat(now: datetime) -> None:
        async with database.reading() as connection:
            await connection.execute(_BEAT, name, services.settings.role, now)

    async def house_kept(now: datetime) -> None:
        await housekeeping.keep_house(database, now)

    return [
        Tick("slots", 600, slots),
        Tick("notices", 5, notices),
        Tick("reminders", 5, reminders),
        Tick("meetings_held", 60, meetings_held),
        Tick("first_letters", 60, first_letters),
        Tick("heartbeat", 15, heartbeat),
        Tick("housekeeping", 3600, house_kept),
    ]


async def note_first_letters(services: Services) -> None:
    """Note who has had a first letter, and let letters go that waited for the legal texts.

    The day is that of acceptance, so a letter that never left does not count. Two letters within
    this tick's minute may both tell somebody where the data come from: better twice than never.
    """
    is_ready = await furnishing.is_ready(services.database)
    async with services.database.unit_of_work() as unit:
        await unit.connection.execute(letter_statements.NOTE_FIRST_LETTERS)
        if is_ready:
            await unit.connection.execute(letter_statements.RELEASE_UNREADY)
