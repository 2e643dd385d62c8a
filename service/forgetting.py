"""Forget what people answered, in three steps after the end of a session; the figures stay."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from asyncpg import Connection

from service import publishing
from service.database import Database
from service.domain import retention
from service.tables import forgetting_statements as statements

SESSIONS_AT_ONCE = 5
"""So many sessions are done in one transaction."""
_STEPS = tuple(each.period for each in (retention.NEEDS, retention.HISTORY, retention.ANSWERS))


@dataclass(frozen=True, slots=True)
class KeptCount:
    """How many persons of how many partners gave an answer that is forgotten."""

    bucket: str
    persons: int
    partners: int


@dataclass(frozen=True, slots=True)
class KeptFigures:
    """What stays of the answers to a session."""

    counts: Sequence[KeptCount]
    represented: Sequence[str]
    absent: Sequence[str]


async def forget(connection: "Connection[Any]", now: datetime) -> int:
    """Do for some sessions what is due; return how many, at most `SESSIONS_AT_ONCE`."""
    before = [now - period for period in _STEPS]
    rows = await connection.fetch(statements.PICK, *before, SESSIONS_AT_ONCE)
    due = {step: [row["id"] for row in rows if row["step"] >= step] for step in (1, 2, 3)}
    if due[1]:
        await connection.execute(statements.NEEDS, due[1])
    named = await _forget_details(connection, due[2], now) if due[2] else []
    if due[3]:
        await _forget_answers(connection, due[3])
    ids, steps = [row["id"] for row in rows], [row["step"] for row in rows]
    await connection.execute(statements.DONE, ids, steps)
    if named:
        # Last, because answers wait for these rows.
        await publishing.touch_people_feeds(connection, named, now)
    return len(rows)


async def find_kept(database: Database, meeting_id: UUID) -> KeptFigures | None:
    """Return what stays of a session's answers, None while they are there themselves."""
    counts = await database.fetch(statements.KEPT, meeting_id)
    if not counts:
        return None
    partners = await database.fetch(statements.KEPT_PARTNERS, meeting_id)
    return KeptFigures(
        counts=[KeptCount(**dict(row)) for row in counts],
        represented=[row["name"] for row in partners if row["was_represented"]],
        absent=[row["name"] for row in partners if not row["was_represented"]],
    )


async def _forget_details(
    connection: "Connection[Any]", meeting_ids: Sequence[UUID], now: datetime
) -> list[UUID]:
    """Leave the bare answer; return the people whose calendars named a deputy."""
    rows = await connection.fetch(statements.DETAILS, meeting_ids, now)
    await connection.execute(statements.HISTORY, meeting_ids)
    await connection.execute(statements.AUDIT, meeting_ids)
    return list({row["person_id"] for row in rows if row["is_named"]})


async def _forget_answers(connection: "Connection[Any]", meeting_ids: Sequence[UUID]) -> None:
    for statement in (
        statements.DROP_COUNTS,
        statements.DROP_PARTNERS,
        statements.KEEP_COUNTS,
        statements.KEEP_PARTNERS,
        statements.ANSWERS,
    ):
        await connection.execute(statement, meeting_ids)
