"""After a restore: write what may have left since the backup as letters, and hold all of them.

Nobody knows what the clock and the office let go between the backup and its restore. Notices,
reminders and weekly letters that were due by then become letters as they would have, held in the
very transaction that writes them; the office releases by list what is still missing.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import structlog
from asyncpg import Connection

from service import digesting, noticing, passing_over, reminding
from service.database import Database
from service.passing_over import Turn
from service.tables import restoration_statements as statements

EXPANSION_SECONDS = 60.0
_MOST_AT_ONCE = 10_000

_log = structlog.get_logger(__name__)

Take = Callable[["Connection[Any]", datetime, Turn], Awaitable[int | None]]


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldSort:
    """Letters of one kind about one session that are held; no title for other letters."""

    kind: str
    title: str
    letters: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A notice or a reminder, and the time that is its own."""

    kind: str
    title: str
    due_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is held since a restore, what could not be written, and what still comes by itself."""

    held: Sequence[HeldSort]
    unwritten: Sequence[Waiting]
    waiting: Sequence[Waiting]

    @property
    def letters(self) -> int:
        """How many letters are held."""
        return sum(each.letters for each in self.held)


async def hold_possibly_sent(database: Database, now: datetime) -> None:
    """Turn what a restore has put aside into letters that are held; what fails stays aside."""
    for work in (_hold_notices, _hold_reminders, _hold_digests):
        try:
            async with database.unit_of_work(statement_seconds=EXPANSION_SECONDS) as unit:
                await work(unit.connection, now)
        except Exception:  # noqa: BLE001 - nothing leaves, and what is missing is named
            _log.exception("restore.not_held", work=work.__name__)


async def describe(database: Database) -> Standing:
    """Return what is held since a restore, and what leaves later by itself."""
    unwritten = await database.fetch(statements.UNWRITTEN)
    waiting = await database.fetch(statements.WAITING)
    return Standing(
        held=[HeldSort(**row) for row in await database.fetch(statements.HELD)],
        unwritten=[Waiting(**row) for row in unwritten],
        waiting=[Waiting(**row) for row in waiting],
    )


async def _hold_notices(connection: "Connection[Any]", now: datetime) -> None:
    await connection.execute(statements.REVIVE_NOTICES, now)
    await _work_through(connection, noticing.take_due, now)
    await connection.execute(statements.PUT_NOTICES_ASIDE, now)


async def _hold_reminders(connection: "Connection[Any]", now: datetime) -> None:
    await connection.execute(statements.REVIVE_SLOTS)
    # At night, too: nobody is woken by a letter that is held.
    await _work_through(connection, partial(reminding.take_due, at_any_hour=True), now)
    await connection.execute(statements.PUT_SLOTS_ASIDE)


async def _hold_digests(connection: "Connection[Any]", now: datetime) -> None:
    await digesting.post_missed(connection, now)
    await connection.execute(statements.HOLD)


async def _work_through(connection: "Connection[Any]", take: Take, now: datetime) -> None:
    """Take all that is due, each share under a savepoint; what fails is left as it is."""
    try:
        share = partial(_take_and_hold, connection, take, now)
        await passing_over.work_through(share, _MOST_AT_ONCE)
    except Exception:  # noqa: BLE001 - one broken row keeps no other from the list
        _log.exception("restore.not_held")


async def _take_and_hold(
    connection: "Connection[Any]", take: Take, now: datetime, turn: Turn
) -> int | None:
    async with connection.transaction():
        count = await take(connection, now, turn)
        await connection.execute(statements.HOLD)
        return count
