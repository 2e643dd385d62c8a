"""Answers of calendar programs that wait for the office: let them count, or put them away."""

import re
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
from service.domain.calendar_answers import Outcome, Trust
from service.domain.errors import FieldsError, NotFoundError
from service.domain.words import Answer
from service.tables import calendar_answer_statements as statements

# Applying such a row says what its button said.
_TIME = re.compile(r"(\d{4})(\d{2})(\d{2})(?:T(\d{2})(\d{2})\d{2}(Z?))?")
# What programs call the time that is ours anyway.
_HOME = frozenset({"Europe/Berlin", "W. Europe Standard Time", "Central European Standard Time"})
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
    starts_local: datetime | None
    person_name: str

    @property
    def proposed(self) -> str:
        """Write the proposed times as the program wrote them, readable; "" where there are none."""
        return " – ".join(
            _readable(self.details[name], self.details.get("zone", ""))
            for name in ("starts", "ends")
            if self.details.get(name)
        )

    @property
    def can_be_applied(self) -> bool:
        """Tell whether it says something for somebody who is invited."""
        return self.invitation_id is not None and self.partstat in _BUTTONS


def _readable(value: str, zone: str) -> str:
    found = _TIME.fullmatch(value)
    if found is None:
        return value
    day = f"{found[3]}.{found[2]}.{found[1]}"
    if found[4] is None:
        return day
    where = "UTC" if found[6] else "" if zone in _HOME else zone
    return f"{day}, {found[4]}:{found[5]} {where}".strip()


async def list_open(database: Database) -> Sequence[OpenAnswer]:
    """Return the answers that wait for the office, the newest first, two hundred at most."""
    return [_open_answer(row) for row in await database.fetch(statements.OPEN)]


async def count_open(database: Database) -> int:
    """Count the answers that wait for the office."""
    count: int = await database.fetchval(statements.COUNT_OPEN)
    return count


async def apply(database: Database, actor: Actor, answer_id: int, now: datetime) -> bool:
    """Let an answer count that was kept back; False when somebody settled it before.

    Raise `AnsweringClosedError`, `SeatsTakenError` or `FieldsError` where it cannot be stored, and
    `NotFoundError` where it says nothing for anybody.
    """
    async with database.unit_of_work() as unit:
        row = await unit.connection.fetchrow(statements.LOCK_OPEN, answer_id)
        if row is None:
            return False
        if row["invitation_id"] is None or row["partstat"] not in _BUTTONS:
            raise NotFoundError
        view = await replying.load_invitation(database, row["invitation_id"], now)
        answer = rules.meant(
            row["partstat"],
            view.meeting.mode,
            view.answer if view.holds else None,
            has_room=view.seats_left != 0,
            hybrid=Answer.IN_PERSON,
        )
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
