"""Two answers of one person's calendar programs at the same time: the newer one stands."""

import asyncio
from dataclasses import replace
from pathlib import Path

import asyncpg

from service.database import Database
from tests import database as test_database
from tests.calendars.replying_programs import Said, google
from tests.invited import somebody_invited
from tests.service.heard import Hall

_LOCK = "SELECT FROM invitation WHERE id = $1 FOR UPDATE"


async def _take(hall: Hall, said: Said) -> None:
    """Take a mail in as often as it comes: whoever waited too long is sent away and comes again."""
    while True:
        try:
            await hall.take(google(said), said.to)
        except asyncpg.LockNotAvailableError:
            continue
        return


async def test_the_older_of_two_answers_that_come_at_once_never_takes_the_newers_place(
    database: Database, tmp_path: Path
) -> None:
    hall = Hall(database, tmp_path)
    invited = await somebody_invited(database, mode="on_site")
    older = await hall.about(invited, partstat="ACCEPTED", stamp="20270105T090000Z")
    newer = replace(older, partstat="DECLINED", stamp="20270105T090002Z", message_id="2@x")
    holder = await asyncpg.connect(database.dsn)
    taking: list[asyncio.Task[None]] = []
    async with holder.transaction():
        await holder.execute(_LOCK, invited.invitation_id)
        for said in (newer, older):
            taking.append(asyncio.create_task(_take(hall, said)))
            await test_database.until_blocked(holder, taking)
    await asyncio.gather(*taking)
    await holder.close()

    row = await hall.stands(invited)
    assert ("declined", 2) == (row["answer"], row["reply_stamped_at"].second)
