"""What the worker does and how often: every use case that time sets off, in one list.

The postman polls and reaps by itself; feeds note who fetched them in the process that served them.
"""

import os
import socket
from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial

from notifications.postman import Postman
from service import (
    alarming,
    digesting,
    furnishing,
    housekeeping,
    judging,
    noticing,
    probing,
    reaching,
    relaying,
    reminding,
    scheduling,
)
from service.hearing import Ear
from service.jobs import Tick
from service.services import Services
from service.tables import letter_statements

Work = Callable[[datetime], Awaitable[object]]

_BEAT = """
INSERT INTO worker (id, role, started_at, heartbeat_at) VALUES ($1, $2, $3, $3)
ON CONFLICT (id) DO UPDATE SET heartbeat_at = excluded.heartbeat_at
"""


def ticks(services: Services, postman: Postman | None, ear: Ear | None = None) -> list[Tick]:
    """Return all ticks of a worker; without an ear nothing that comes back is read."""
    database = services.database
    name = f"{socket.gethostname()}:{os.getpid()}"

    def posting(work: Work) -> Work:
        """Let the postman look at once when the work has posted something."""

        async def run(now: datetime) -> None:
            if await work(now) and postman:
                postman.wake()

        return run

    async def first_letters(_: datetime) -> None:
        await note_first_letters(services)

    async def heartbeat(now: datetime) -> None:
        async with database.reading() as connection:
            await connection.execute(_BEAT, name, services.settings.role, now)

    async def end_lost_sessions(_: datetime) -> None:
        await database.end_lost_sessions()

    return [
        *([Tick("inbound", 60, ear.attend)] if ear is not None and ear.is_wanted else []),
        Tick("lost_sessions", 10, end_lost_sessions),
        Tick("zones", 600, partial(scheduling.follow_zones, database)),
        Tick("slots", 600, partial(reminding.plan_all, database)),
        Tick("notices", 5, posting(partial(noticing.queue_due, database))),
        Tick("reminders", 5, posting(partial(reminding.queue_due, database))),
        Tick("mornings", 60, posting(partial(reminding.release_waiting, database))),
        Tick("digests", 20, posting(partial(digesting.queue_due, database))),
        Tick("meetings_held", 60, partial(scheduling.hold_finished, database)),
        Tick("first_letters", 60, first_letters),
        Tick("trial", 15, posting(partial(relaying.post_trial, services))),
        Tick("alarms", 60, posting(partial(alarming.look, services))),
        Tick("ear", 60, posting(partial(probing.post_probe, services))),
        Tick("reached", 60, posting(partial(reaching.release, database))),
        Tick("heartbeat", 15, heartbeat),
        Tick("housekeeping", 3600, partial(housekeeping.keep_house, database)),
    ]


async def note_first_letters(services: Services) -> None:
    """Note who has had a first letter, and let those go that waited for legal texts or a version.

    The day is that of acceptance, so a letter that never left does not count. Two letters within
    this tick's minute may both tell somebody where the data come from: better twice than never.
    """
    is_ready = await furnishing.is_ready(services.database)
    async with services.database.unit_of_work() as unit:
        await unit.connection.execute(letter_statements.NOTE_FIRST_LETTERS)
        await unit.connection.execute(letter_statements.RELEASE_KNOWN, list(judging.KINDS))
        if is_ready:
            await unit.connection.execute(letter_statements.RELEASE_UNREADY)
