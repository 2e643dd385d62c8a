"""Look after the people of the partners: list, add, correct, end."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

from asyncpg import Connection, Record, UniqueViolationError

from service import auditing, comparing, joining, keeping_people, tallying
from service.auditing import Actor
from service.database import Database
from service.domain import matching, titles
from service.domain.accounts import Account
from service.domain.errors import FieldsError, NotFoundError
from service.domain.words import Role
from service.joining import Regrouped
from service.keeping_people import Belonging, PersonData
from service.tables import member_statements as statements
from service.tallying import Tally

PAGE_SIZE = statements.PAGE_SIZE

_LOCK = "SELECT revision, ended_on FROM person WHERE id = $1 AND anonymised_at IS NULL FOR UPDATE"
_WHO_HAS_REF = "SELECT full_name FROM person WHERE external_ref = $1 AND id <> $2"
_PRIMARY_KEY = "person_pkey"
# As with the person's own address: a former secretariat holds links in its copies.
_SAVE_OFFICE_DATA = """
UPDATE person SET mail_epoch = mail_epoch
        + (copy_email IS NOT NULL AND lower(copy_email) IS DISTINCT FROM lower($2))::int,
    copy_email = $2, internal_note = $3 WHERE id = $1
"""
_ALIKE = """
SELECT id, full_name, email_normal, sort_key FROM person
WHERE anonymised_at IS NULL AND ended_on IS NULL
    AND (email_normal = $1 OR sort_key = $2)
"""
_CHOICES = """
SELECT id, name FROM working_group WHERE ended_on IS NULL AND ($1::uuid[] IS NULL OR id = ANY ($1))
ORDER BY array_position(ARRAY['alliance', 'groups', 'other'], heading), position, name
"""
_PARTNER_CHOICES = "SELECT id, name FROM organisation WHERE ended_on IS NULL ORDER BY sort_key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What of the people is shown; `page` counts from 1."""

    text: str = ""
    group_id: UUID | None = None
    partner_id: UUID | None = None
    without_address: bool = False
    has_ended: bool = False
    page: int = 1


@dataclass(frozen=True, slots=True)
class Named:
    """Something to choose, by its id."""

    id: UUID
    name: str

    @property
    def choice(self) -> tuple[str, str]:
        """Return value and text, as selects and ticks take them."""
        return (str(self.id), self.name)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedMember:
    """One row of the list; `email` is None where none is known or none may be seen."""

    id: UUID
    full_name: str
    partner: str
    role_title: str
    email: str | None
    groups: Sequence[str]
    ended_on: date | None


@dataclass(frozen=True, slots=True)
class Found:
    """One page of what was found."""

    members: Sequence[ListedMember]
    total: int
    page: int

    @property
    def pages(self) -> int:
        """Return how many pages there are, at least one."""
        return max(1, -(-self.total // PAGE_SIZE))


@dataclass(frozen=True, slots=True)
class Period:
    """A time of belonging; `to_on` None goes on, the last day included otherwise."""

    name: str
    role_title: str
    from_on: date
    to_on: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A person with all that the office keeps."""

    id: UUID
    revision: int
    full_name: str
    email: str
    copy_email: str
    phone: str
    locale: str
    ref: str
    internal_note: str
    partner_id: UUID | None
    partner: str
    role_title: str
    ended_on: date | None
    group_ids: frozenset[UUID]
    memberships: Sequence[Period]
    belongings: Sequence[Period]
    former: Sequence[tuple[str, datetime]]
    shared_with: Sequence[Named]


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberForm:
    """What the office typed; `since` is the day from which partner and groups count.

    `with_letters` writes to who joins a group or leaves one; see `joining.regroup`.
    """

    full_name: str
    email: str = ""
    copy_email: str = ""
    phone: str = ""
    locale: str = "de"
    ref: str = ""
    internal_note: str = ""
    partner_id: UUID | None = None
    role_title: str = ""
    group_ids: frozenset[UUID] = frozenset()
    since: date | None = None
    with_letters: bool = False


async def list_members(database: Database, account: Account, wanted: Search) -> Found:
    """Return a page of people by name; leads see those of their groups, and no addresses."""
    office = account.is_office
    key = _like(titles.sort_key(wanted.text))
    args = (
        # A search for signs only finds nobody by name, instead of everybody.
        key or ("\x01" if wanted.text else ""),
        _like(wanted.text.casefold()) if office else "",
        _visible(account),
        wanted.group_id,
        wanted.partner_id,
        wanted.has_ended,
        wanted.without_address and office,
    )
    async with database.reading() as connection:
        total = await connection.fetchval(statements.COUNT, *args)
        page = min(max(1, wanted.page), max(1, -(-total // PAGE_SIZE)))
        rows = await connection.fetch(statements.LIST, *args, (page - 1) * PAGE_SIZE)
    return Found([_listed(row, sees_address=office) for row in rows], total, page)


async def find_member(database: Database, person_id: UUID) -> Member:
    """Return everything that is kept of a person; raises `NotFoundError`."""
    async with database.reading() as connection:
        row = await connection.fetchrow(statements.PERSON, person_id)
        if row is None:
            raise NotFoundError
        periods = await connection.fetch(statements.PERIODS, person_id)
        belongings = await connection.fetch(statements.BELONGINGS, person_id)
        former = await connection.fetch(statements.FORMER, person_id)
        shared = await connection.fetch(statements.SHARED, row["email_normal"], person_id)
    return Member(
        **{name: row[name] for name in ("id", "revision", "full_name", "phone", "locale")},
        **{name: row[name] for name in ("internal_note", "partner_id", "partner", "role_title")},
        email=row["email"] or "",
        copy_email=row["copy_email"] or "",
        ref=row["external_ref"] or "",
        ended_on=row["ended_on"],
        group_ids=frozenset(one["group_id"] for one in periods if one["to_on"] is None),
        memberships=[Period(one["name"], "", one["from_on"], one["to_on"]) for one in periods],
        belongings=[Period(*one.values()) for one in belongings],
        former=[(one["email_normal"], one["until_at"]) for one in former],
        shared_with=[Named(*one.values()) for one in shared],
    )


async def find_alike(database: Database, full_name: str, email: str) -> Named | None:
    """Return who is probably the same person: same name, or same address and family name."""
    key = titles.sort_key(full_name)
    rows = await database.fetch(_ALIKE, email.casefold() or None, key)
    family = matching.family_key(full_name)
    for row in rows:
        is_same_address = email and row["email_normal"] == email.casefold()
        same_family = is_same_address and matching.family_key(row["full_name"]) == family
        if row["sort_key"] == key or same_family:
            return Named(row["id"], row["full_name"])
    return None


async def list_groups(database: Database, account: Account) -> list[Named]:
    """Return the groups that the account may see, for filters and ticks."""
    return [Named(*row.values()) for row in await database.fetch(_CHOICES, _visible(account))]


async def list_partners(database: Database) -> list[Named]:
    """Return all present partners by name, for a choice."""
    return [Named(*row.values()) for row in await database.fetch(_PARTNER_CHOICES)]


async def add_member(
    database: Database, actor: Actor, person_id: UUID, form: MemberForm, now: datetime
) -> None:
    """Add a person under the id that the form brought; the same form sent twice adds one.

    Raises `FieldsError` when somebody else has the list's id.
    """
    try:
        async with database.unit_of_work() as unit:
            if await unit.connection.fetchval("SELECT true FROM person WHERE id = $1", person_id):
                return
            await _check_ref(unit.connection, person_id, form.ref)
            await keeping_people.add_people(unit.connection, [_data(person_id, form)])
            await _save_rest(unit.connection, actor, person_id, form, now)
            await keeping_people.touch_feeds(unit.connection, [person_id], now)
            await auditing.record(unit.connection, actor, "added", "person", person_id)
    except UniqueViolationError as error:
        # The other press of a double one was faster.
        if error.constraint_name != _PRIMARY_KEY:
            raise


async def save_member(
    database: Database,
    actor: Actor,
    person_id: UUID,
    form: MemberForm,
    now: datetime,
    *,
    seen_revision: int | None = None,
) -> None:
    """Save a person; who had ended is back.

    Raises `NotFoundError`, `StaleFormError`, and `FieldsError` when somebody else has the list's
    id.
    """
    before = await find_member(database, person_id)
    async with database.unit_of_work() as unit:
        row = await unit.connection.fetchrow(_LOCK, person_id)
        if row is None:
            raise NotFoundError
        await comparing.check_fresh(unit.connection, person_id, row["revision"], seen_revision, now)
        await _check_ref(unit.connection, person_id, form.ref)
        await keeping_people.change_people(unit.connection, [_data(person_id, form)], now)
        await _save_rest(unit.connection, actor, person_id, form, now)
        await keeping_people.touch_feeds(unit.connection, [person_id], now)
        fields = _changed(before, form)
        await auditing.record(unit.connection, actor, "saved", "person", person_id, fields=fields)


async def foresee(
    database: Database, actor: Actor, person_id: UUID, form: MemberForm, now: datetime
) -> Tally:
    """Tell which letters would leave if the form were saved with letters; nothing is saved.

    Raises `FieldsError` when somebody else has the list's id.
    """
    data = [_data(person_id, form)]
    async with database.rehearsal() as unit:
        connection = unit.connection
        await _check_ref(connection, person_id, form.ref)
        if await connection.fetchrow(_LOCK, person_id):
            await keeping_people.change_people(connection, data, now)
        else:
            await keeping_people.add_people(connection, data)
        wished = replace(form, with_letters=True)
        regrouped = await _save_rest(connection, actor, person_id, wished, now)
        return await tallying.tally_named(connection, actor, regrouped.notice_ids, now)


async def end_member(database: Database, actor: Actor, person_id: UUID, now: datetime) -> None:
    """End a person with all memberships; answers and attendance stay."""
    async with database.unit_of_work() as unit:
        row = await unit.connection.fetchrow(_LOCK, person_id)
        if row is None:
            raise NotFoundError
        if row["ended_on"] is None:
            await keeping_people.end_people(unit.connection, [person_id], now)
            await auditing.record(unit.connection, actor, "ended", "person", person_id)


async def _check_ref(connection: "Connection[Any]", person_id: UUID, ref: str) -> None:
    """Refuse the id of a list that names somebody else already."""
    name = await connection.fetchval(_WHO_HAS_REF, ref, person_id)
    if ref and name is not None:
        raise FieldsError({"ref": ("people.err_ref", {"name": name})})


async def _save_rest(
    connection: "Connection[Any]", actor: Actor, person_id: UUID, form: MemberForm, now: datetime
) -> Regrouped:
    await connection.execute(
        _SAVE_OFFICE_DATA, person_id, form.copy_email or None, form.internal_note
    )
    belonging = Belonging(person_id, form.partner_id, form.role_title)
    await keeping_people.set_partners(connection, [belonging], now, form.since)
    return await joining.regroup(
        *(connection, actor, {person_id: form.group_ids}, now),
        since=form.since,
        with_letters=form.with_letters,
    )


def _data(person_id: UUID, form: MemberForm) -> PersonData:
    return PersonData(
        id=person_id,
        name=form.full_name,
        ref=form.ref,
        email=form.email,
        phone=form.phone,
        locale=form.locale,
    )


def _changed(before: Member, form: MemberForm) -> list[str]:
    beside = {"since", "with_letters"}
    names = [name for name in MemberForm.__dataclass_fields__ if name not in beside]
    return [name for name in names if getattr(before, name) != getattr(form, name)]


def _listed(row: Record, *, sees_address: bool) -> ListedMember:
    return ListedMember(
        id=row["id"],
        full_name=row["full_name"],
        partner=row["partner"],
        role_title=row["role_title"],
        email=row["email"] if sees_address else None,
        groups=row["groups"],
        ended_on=row["ended_on"],
    )


def _visible(account: Account) -> list[UUID] | None:
    """Return the groups that an account is kept to, None for none."""
    return list(account.group_ids) if account.role is Role.LEAD else None


def _like(text: str) -> str:
    """Take the special signs of LIKE as what they are."""
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
