"""Whom an answer of a calendar program speaks for, and on what ground it is believed.

The address that it came to is the best ground: it names one entry and one person, and stands in
their calendar alone. Without it our own mail server must have proved the sender, and whoever
answers in somebody's place (SENT-BY) has to be one whom we know to do that (RFC 6047 section 3).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from asyncpg import Connection, Record

from calendars import answer
from calendars.answer import Attendance, CalendarAnswer
from notifications.vouching import Sender
from service import probing
from service.domain.calendar_answers import Outcome, Trust
from service.settings import Settings
from service.tables import calendar_answer_statements as statements
from service.tokens import Keys

# Google answers from an address of its own and names the person in Reply-To.
_RELAYS = frozenset({"calendar-notification@google.com"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Speaker:
    """Whom an answer speaks for: the invitation's row, the attendee's line, and on what ground."""

    trust: Trust = Trust.NONE
    row: Record | None = None
    person: Attendance | None = None
    meeting_id: UUID | None = None
    outcome: Outcome | None = None


async def find_speaker(  # noqa: PLR0917 - what a mail and its address say
    connection: "Connection[Any]",
    settings: Settings,
    keys: Keys,
    said: CalendarAnswer,
    came_to: Sequence[str],
    sender: Sender,
) -> Speaker:
    """Return whom an answer speaks for; its outcome is set where that ends the matter."""
    row = await find_addressed(connection, settings, keys, came_to)
    if row is not None:
        return _by_token(row, said)
    return await _by_address(connection, said, sender)


async def find_addressed(
    connection: "Connection[Any]", settings: Settings, keys: Keys, came_to: Sequence[str]
) -> Record | None:
    """Return the row of the invitation that one of these addresses names; None for none."""
    for address in came_to:
        handle = probing.read_handle(settings, keys, address)
        row = handle and await connection.fetchrow(statements.FIND_BY_HANDLE, handle)
        if row:
            return row
    return None


def _by_token(row: Record, said: CalendarAnswer) -> Speaker:
    """Take entry and person from the address; the sender is of no interest."""
    person = said.of(row["addresses"])
    outcome = None
    if said.uid and said.uid != str(row["uid"]):
        outcome = Outcome.UNKNOWN_ENTRY
    elif said.people and person is None:
        # The invitation was passed on: that says nothing about its owner.
        outcome = Outcome.SOMEBODY_ELSE
    return Speaker(trust=Trust.TOKEN, row=row, person=person, outcome=outcome)


async def _by_address(
    connection: "Connection[Any]", said: CalendarAnswer, sender: Sender
) -> Speaker:
    uid = _read_uid(said.uid)
    meeting_id = uid and await connection.fetchval(statements.FIND_MEETING, uid)
    if meeting_id is None:
        return Speaker(outcome=Outcome.UNKNOWN_ENTRY)
    addresses = [one for person in said.people for one in person.addresses]
    rows = await connection.fetch(statements.FIND_BY_UID, uid, addresses)
    if len(rows) != 1:
        outcome = Outcome.UNCONFIRMED if rows else Outcome.SOMEBODY_ELSE
        return Speaker(meeting_id=meeting_id, outcome=outcome)
    person = said.of(rows[0]["addresses"])
    return Speaker(trust=_trust(person, rows[0], sender), row=rows[0], person=person)


def _trust(person: Attendance | None, row: Record, sender: Sender) -> Trust:
    if person is None or not sender.is_proved:
        return Trust.NONE
    own = frozenset(map(answer.normal_address, row["addresses"]))
    assistants = map(answer.normal_address, row["assistants"])
    if person.sent_by and person.sent_by not in own.union(assistants):
        return Trust.NONE
    # The line may name more addresses than the person's: a proved one of those is a stranger's.
    named = own.intersection(person.addresses)
    if sender.address in {*named, person.sent_by}:
        return Trust.VOUCHED
    is_relayed = sender.address in _RELAYS and sender.reply_to in named
    return Trust.RELAYED if is_relayed else Trust.NONE


def _read_uid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
