"""Answers of calendar programs that wait for the office: let them count, or put them away."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from asyncpg import Connection, Record

from calendars.entry import Answer as Partstat
from service import answering, auditing, replying
from service.auditing import Actor
from service.database import Database
from service.domain import calendar_answers as rules
from service.domain.calendar_answers import Outcome, Proposed, Trust
from service.domain.errors import FieldsError, NotFoundError
from service.settings import Settings
from service.tables import calendar_answer_statements as statements

_TIMES = ("starts", "ends", "zone")
_BUTTONS = frozenset({Partstat.ACCEPTED, Partstat.TENTATIVE, Partstat.DECLINED})


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenAnswer:
    """An answer that waits for the office; ids are None where nobody could be found."""

    id: int
    received_at: datetime
    outcome: Outcome
    trust: Trust
    method: str
    attendee: str
    attendee_name: str
    sender: str
    sent_by: str
    partstat: str
    comment: str
    details: dict[str, str]
    meeting_id: UUID | None
    invitation_id: UUID | None
    meeting_title: str
    starts_at: datetime | None
    ends_at: datetime | None
    person_name: str
    standing: str | None
    standing_since: datetime | None

    @property
    def proposed(self) -> Proposed | None:
        """Return the proposed times; None where there are none, or they cannot be told."""
        return rules.read_proposal(*(self.details.get(one, "") for one in _TIMES))

    @property
    def proposed_words(self) -> str:
        """Return the proposed times as the program wrote them; "" where there are none."""
        return " ".join(filter(None, (self.details.get(one) for one in _TIMES)))

    @property
    def can_be_applied(self) -> bool:
        """Tell whether it says something for somebody who is invited."""
        return _may_count(self.outcome, self.invitation_id, self.partstat)


def _may_count(outcome: str, invitation_id: UUID | None, partstat: str) -> bool:
    is_one = outcome in rules.MAY_COUNT and partstat in _BUTTONS
    return is_one and invitation_id is not None


async def list_open(database: Database) -> Sequence[OpenAnswer]:
    """Return the answers that wait for the office, the newest first, two hundred at most."""
    return [_open_answer(row) for row in await database.fetch(statements.OPEN)]


async def count_open(database: Database) -> int:
    """Count the answers that wait for the office."""
    count: int = await database.fetchval(statements.COUNT_OPEN)
    return count


async def apply(
    database: Database, settings: Settings, actor: Actor, answer_id: int, now: datetime
) -> bool:
    """Let an answer count that was kept back; False when somebody settled it before.

    Raise `AnsweringClosedError`, `SeatsTakenError` or `FieldsError` where it cannot be stored, and
    `NotFoundError` where it says nothing for anybody.
    """
    async with database.unit_of_work() as unit:
        row = await unit.connection.fetchrow(statements.LOCK_OPEN, answer_id)
        if row is None:
            return False
        if not _may_count(row["outcome"], row["invitation_id"], row["partstat"]):
            raise NotFoundError
        view = await replying.load_invitation(database, row["invitation_id"], now)
        answer = answering.meant(settings, view, row["partstat"])
        if answer is None:
            raise FieldsError({"answer": ("rsvp.err_answer", {})})
        reply = answering.reply_of(view, answer, row["comment"], row["sent_by"])
        await replying.record_heard(database, actor, view.id, reply, now)
        await _settle(unit.connection, actor, answer_id, "applied", now)
    return True


async def dismiss(database: Database, actor: Actor, answer_id: int, now: datetime) -> bool:
    """Put an answer away without letting it count; False when somebody settled it before."""
    async with database.unit_of_work() as unit:
        row = await unit.connection.fetchrow(statements.LOCK_OPEN, answer_id)
        if row is None:
            return False
        await _settle(unit.connection, actor, answer_id, "dismissed", now)
    return True


async def forget(connection: "Connection[Any]", before: datetime, limit: int) -> int:
    """Delete what calendar programs answered before; return how many, at most `limit`."""
    status = await connection.execute(statements.FORGET, before, limit)
    return int(status.rsplit(" ", 1)[-1])


async def _settle(
    connection: "Connection[Any]", actor: Actor, answer_id: int, how: str, now: datetime
) -> None:
    await connection.execute(statements.SETTLE, answer_id, now, actor.id, how)
    await auditing.record(
        connection, actor, f"calendar_answer_{how}", "calendar_answer", None, answer=answer_id
    )


def _open_answer(row: Record) -> OpenAnswer:
    values = dict(row)
    return OpenAnswer(
        **values | {"outcome": Outcome(values["outcome"]), "trust": Trust(values["trust"])}
    )
