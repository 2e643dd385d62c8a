"""Look after partners: list, add, correct, end."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from asyncpg import UniqueViolationError

from service import auditing, comparing, keeping_people
from service.auditing import Actor
from service.database import Database
from service.domain import titles
from service.domain.errors import FieldsError, NotFoundError
from service.enrolling import Named

_LIST = """
SELECT o.id, o.name, o.kind, o.town, o.phone, (SELECT count(*) FROM affiliation a
    JOIN person p ON p.id = a.person_id
    WHERE a.organisation_id = o.id AND a.to_on IS NULL AND p.ended_on IS NULL) AS people
FROM organisation o WHERE (o.ended_on IS NOT NULL) = $1 ORDER BY o.sort_key, o.id
"""
_ONE = "SELECT * FROM organisation WHERE id = $1"
_LOCK = f"{_ONE} FOR UPDATE"
_PEOPLE = """
SELECT p.id, p.full_name FROM affiliation a JOIN person p ON p.id = a.person_id
WHERE a.organisation_id = $1 AND a.to_on IS NULL AND p.ended_on IS NULL ORDER BY p.sort_key, p.id
"""
_ADD = """
INSERT INTO organisation (id, name, sort_key, short_name, kind, town, phone, website)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO NOTHING RETURNING id
"""
_SAVE = """
UPDATE organisation SET name = $2, sort_key = $3, short_name = $4, kind = $5, town = $6,
    phone = $7, website = $8, ended_on = NULL, revision = revision + 1 WHERE id = $1
"""
_END = "UPDATE organisation SET ended_on = $2, revision = revision + 1 WHERE id = $1"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedPartner:
    """One row of the list, with how many people belong to it."""

    id: UUID
    name: str
    kind: str
    town: str
    phone: str
    people: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PartnerForm:
    """What the office typed of a partner."""

    name: str
    short_name: str = ""
    kind: str = ""
    town: str = ""
    phone: str = ""
    website: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the values in the statements' order."""
        key = titles.sort_key(self.name)
        return (self.name, key, self.short_name, self.kind, self.town, self.phone, self.website)


@dataclass(frozen=True, slots=True, kw_only=True)
class Partner:
    """A partner with the people who belong to it."""

    id: UUID
    revision: int
    form: PartnerForm
    ended_on: date | None
    people: Sequence[Named]


async def list_partners(database: Database, *, has_ended: bool = False) -> list[ListedPartner]:
    """Return all partners by name."""
    return [ListedPartner(**row) for row in await database.fetch(_LIST, has_ended)]


async def find_partner(database: Database, partner_id: UUID) -> Partner:
    """Return a partner; raises `NotFoundError`."""
    row = await database.fetchrow(_ONE, partner_id)
    if row is None:
        raise NotFoundError
    people = await database.fetch(_PEOPLE, partner_id)
    return Partner(
        id=partner_id,
        revision=row["revision"],
        form=PartnerForm(**{name: row[name] for name in PartnerForm.__dataclass_fields__}),
        ended_on=row["ended_on"],
        people=[Named(*one.values()) for one in people],
    )


async def add_partner(
    database: Database, actor: Actor, partner_id: UUID, form: PartnerForm
) -> None:
    """Add a partner under the id that the form brought; a name that is taken is refused."""
    try:
        async with database.unit_of_work() as unit:
            if await unit.connection.fetchval(_ADD, partner_id, *form.columns):
                await auditing.record(unit.connection, actor, "added", "organisation", partner_id)
    except UniqueViolationError:
        raise FieldsError({"name": ("partner.err_taken", {})}) from None


async def save_partner(
    database: Database,
    actor: Actor,
    partner_id: UUID,
    form: PartnerForm,
    now: datetime,
    *,
    seen_revision: int | None = None,
) -> None:
    """Save a partner; one that had ended is back. Raises `FieldsError` and `StaleFormError`."""
    try:
        async with database.unit_of_work() as unit:
            row = await unit.connection.fetchrow(_LOCK, partner_id)
            if row is None:
                raise NotFoundError
            await comparing.check_fresh(
                unit.connection, partner_id, row["revision"], seen_revision, now
            )
            await unit.connection.execute(_SAVE, partner_id, *form.columns)
            await auditing.record(unit.connection, actor, "saved", "organisation", partner_id)
    except UniqueViolationError:
        raise FieldsError({"name": ("partner.err_taken", {})}) from None


async def end_partner(database: Database, actor: Actor, partner_id: UUID, now: datetime) -> bool:
    """End a partner to whom nobody belongs any more; return whether it ended."""
    async with database.unit_of_work() as unit:
        row = await unit.connection.fetchrow(_LOCK, partner_id)
        if row is None:
            raise NotFoundError
        if await unit.connection.fetch(_PEOPLE, partner_id):
            return False
        if row["ended_on"] is None:
            await unit.connection.execute(_END, partner_id, keeping_people.today(now))
            await auditing.record(unit.connection, actor, "ended", "organisation", partner_id)
        return True
