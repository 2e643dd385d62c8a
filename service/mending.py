"""See what came back and which addresses do not work, and let the office mend them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from notifications import addresses, statuses
from notifications.bounces import Kind
from notifications.statuses import Meaning
from service import alarming, auditing, furnishing, posting, relaying
from service.auditing import Actor
from service.database import Database
from service.posting import PostedLetter
from service.services import Services
from service.tables import return_statements as statements


@dataclass(frozen=True, slots=True, kw_only=True)
class Suspect:
    """An address that letters do not reach, or not surely, and since when."""

    address: str
    state: str
    status: str | None
    at: datetime | None

    @property
    def problem(self) -> str:
        """What is wrong, as the end of a text id."""
        if self.is_blocked or self.status == addresses.MARKED:
            return "blocked" if self.is_blocked else addresses.MARKED
        return statuses.meaning_of(self.status or "").value

    @property
    def is_blocked(self) -> bool:
        """Whether its owner wants no letters from us; nothing here opens it again."""
        return self.state == "blocked"


@dataclass(frozen=True, slots=True, kw_only=True)
class BadAddress(Suspect):
    """One of a person, with whom to call; "" where unknown.

    `is_copy` marks the address of a secretariat; `waiting` letters are held for it.
    """

    person_id: UUID
    name: str
    is_copy: bool
    phone: str
    partner: str | None
    partner_phone: str | None
    waiting: int


@dataclass(frozen=True, slots=True)
class Gone:
    """Somebody whose automatic answer says that they are not there any more."""

    event_id: int
    person_id: UUID
    name: str
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned:
    """One mail that came back, with what it said; empty where it said nothing."""

    id: int
    kind: Kind
    received_at: datetime
    status: str = ""
    diagnostic: str = ""
    recipient: str = ""
    subject: str = ""
    sender: str = ""
    words: str = ""
    sort: str = ""
    back_on: date | None = None

    @property
    def problem(self) -> Meaning | None:
        """What the status means; None where there is none to explain."""
        return statuses.meaning_of(self.status) if self.kind is Kind.BOUNCE else None


async def list_addresses(database: Database) -> Sequence[BadAddress]:
    """Return the addresses that do not work, those that only may not work last."""
    return [BadAddress(**dict(row)) for row in await database.fetch(statements.ADDRESSES)]


async def list_addresses_of(database: Database, person_id: UUID) -> Sequence[BadAddress]:
    """Return those of one person."""
    return [one for one in await list_addresses(database) if one.person_id == person_id]


async def list_own(services: Services) -> Sequence[Suspect]:
    """Return those of the office itself and of whoever is told of alarms."""
    rows = await services.database.fetch(statements.OWN, await _own(services))
    return [Suspect(**dict(row)) for row in rows]


async def count_addresses(database: Database) -> int:
    """Count the addresses that get no letters any more."""
    count: int = await database.fetchval(statements.COUNT_ADDRESSES)
    return count


async def list_gone(database: Database) -> Sequence[Gone]:
    """Return people whose automatic answers say that they are gone."""
    return [Gone(*row) for row in await database.fetch(statements.MOVED)]


async def list_unmatched(database: Database) -> Sequence[Returned]:
    """Return what came back and names no letter of ours, the newest first, fifty at most."""
    return [_returned(row) for row in await database.fetch(statements.UNMATCHED)]


async def list_returned(database: Database, letter_id: UUID) -> Sequence[Returned]:
    """Return what came back to a letter, the first one first."""
    return [_returned(row) for row in await database.fetch(statements.OF_LETTER, letter_id)]


async def try_again(database: Database, actor: Actor, person_id: UUID, now: datetime) -> bool:
    """Believe in a person's addresses again; False when none was suspected.

    Letters that wait for them leave within a minute, if they still hold.
    """
    async with database.unit_of_work() as unit:
        rows = await unit.connection.fetch(statements.OF_PERSON, person_id)
        for row in rows:
            await addresses.clear(unit.connection, row["address_normal"], by=actor.id, at=now)
        if rows:
            await auditing.record(
                unit.connection, actor, "address_tried_again", "person", person_id
            )
    return bool(rows)


async def try_own_again(services: Services, actor: Actor, now: datetime) -> bool:
    """Believe in the office's own addresses again; False when none was suspected."""
    own = await _own(services)
    async with services.database.unit_of_work() as unit:
        cleared = [
            await addresses.clear(unit.connection, row["address"], by=actor.id, at=now)
            for row in await unit.connection.fetch(statements.OWN, own)
        ]
        if any(cleared):
            await auditing.record(
                unit.connection, actor, "own_address_tried_again", "instance", None
            )
    return any(cleared)


async def can_mark(database: Database, letter: PostedLetter) -> bool:
    """Tell whether a letter's reader has an address in which everybody believes so far."""
    if letter.person_id is None or not letter.current_address:
        return False
    state = await database.fetchval(statements.STATE, letter.current_address)
    return state not in {"undeliverable", "blocked"}


async def mark(database: Database, actor: Actor, letter_id: UUID, now: datetime) -> bool:
    """Give up the address to which a letter's reader is written to; False when that was done.

    Letters to it stay back from now on, as after a refusal. Raise `NotFoundError`.
    """
    letter = await posting.find_letter(database, letter_id)
    if letter.person_id is None or not letter.current_address:
        return False
    async with database.unit_of_work() as unit:
        is_done = await addresses.suspend(unit.connection, letter.current_address, at=now)
        if is_done:
            await auditing.record(
                unit.connection, actor, "address_marked", "person", letter.person_id
            )
    return is_done


async def settle(database: Database, actor: Actor, event_id: int, now: datetime) -> bool:
    """Note that somebody looked at what came back; False when that was done or never was there."""
    async with database.unit_of_work() as unit:
        kind = await unit.connection.fetchval(statements.SETTLE, event_id, now, actor.id)
        if kind is not None:
            await auditing.record(
                unit.connection, actor, "return_settled", "mail_event", None, event=event_id
            )
    return kind is not None


async def _own(services: Services) -> list[str]:
    settings, instance = services.settings, (await furnishing.look(services.database)).instance
    office = relaying.office_address(settings, instance)
    return [one.lower() for one in (office, alarming.address(settings, instance))]


def _returned(row: Any) -> Returned:
    said = row["details"]
    words = {
        name: said.get(name, "")
        for name in ("status", "diagnostic", "recipient", "subject", "sender", "words", "sort")
    }
    back_on = date.fromisoformat(said["back_on"]) if said.get("back_on") else None
    return Returned(
        id=row["id"],
        kind=Kind(row["kind"]),
        received_at=row["received_at"],
        back_on=back_on,
        **words,
    )
