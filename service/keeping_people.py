"""Write people, where they belong and which groups they are in, many at once or one.

Belonging has from and to, both days included. What begins and ends on one day leaves no row.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from asyncpg import Connection

from service import addressing, asking, publishing
from service.domain import matching, titles

_BERLIN = ZoneInfo("Europe/Berlin")
# Above this it is cheaper to let every calendar be read anew once than to raise them singly.
_MANY_FEEDS = 50
_MANY_ROWS = 500

_ADD = """
INSERT INTO person
    (id, external_ref, full_name, sort_key, email, email_normal, phone, locale, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, now())
"""
# The old address is kept for recognising replies; one that comes back is no former one any more.
_KEEP_FORMER = """
INSERT INTO former_address (person_id, email_normal, until_at)
SELECT id, email_normal, $3 FROM person
WHERE id = $1 AND email_normal <> $2
ON CONFLICT (person_id, email_normal) DO UPDATE SET until_at = excluded.until_at
"""
_DROP_FORMER = "DELETE FROM former_address WHERE person_id = $1 AND email_normal = $2"
# Whoever holds the old mailbox must not steer the letters to the new one: the links in letters that
# went there end with the address.
_CHANGE = """
UPDATE person SET mail_epoch = mail_epoch
        + (email_normal IS NOT NULL AND email_normal IS DISTINCT FROM $6)::int,
    external_ref = $2, full_name = $3, sort_key = $4, email = $5, email_normal = $6,
    phone = $7, locale = $8, ended_on = NULL, revision = revision + 1
WHERE id = $1
"""
_END_PEOPLE = """
UPDATE person SET ended_on = $2, revision = revision + 1
WHERE id = ANY ($1::uuid[]) AND ended_on IS NULL
"""

_PARTNERS = "SELECT id, name FROM organisation WHERE ended_on IS NULL"
_ADD_PARTNER = "INSERT INTO organisation (name, sort_key) VALUES ($1, $2) RETURNING id"

_FORGET_TODAYS_BELONGING = """
DELETE FROM affiliation WHERE person_id = ANY ($1::uuid[]) AND to_on IS NULL AND from_on >= $2
"""
_END_BELONGING = """
UPDATE affiliation SET to_on = $2::date - 1 WHERE person_id = ANY ($1::uuid[]) AND to_on IS NULL
"""
_BELONG = """
INSERT INTO affiliation (person_id, organisation_id, role_title, from_on) VALUES ($1, $2, $3, $4)
"""
# The same partner with another function stays one belonging.
_RENAME_FUNCTION = """
UPDATE affiliation a SET role_title = wanted.role_title
FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS wanted (person_id, organisation_id, role_title)
WHERE a.person_id = wanted.person_id AND a.organisation_id = wanted.organisation_id
    AND a.to_on IS NULL
RETURNING a.person_id
"""

_FORGET_TODAYS_MEMBERSHIP = """
DELETE FROM membership m USING unnest($1::uuid[], $2::uuid[]) AS gone (person_id, group_id)
WHERE m.person_id = gone.person_id AND m.group_id = gone.group_id
    AND m.to_on IS NULL AND m.from_on >= $3
"""
_END_MEMBERSHIP = """
UPDATE membership m SET to_on = $3::date - 1
FROM unnest($1::uuid[], $2::uuid[]) AS gone (person_id, group_id)
WHERE m.person_id = gone.person_id AND m.group_id = gone.group_id AND m.to_on IS NULL
"""
_JOIN = """
INSERT INTO membership (person_id, group_id, from_on)
SELECT person_id, group_id, $3
FROM unnest($1::uuid[], $2::uuid[]) AS wanted (person_id, group_id)
ON CONFLICT (person_id, group_id) WHERE to_on IS NULL DO NOTHING
"""
_MEMBERSHIPS = """
SELECT person_id, group_id FROM membership WHERE person_id = ANY ($1::uuid[]) AND to_on IS NULL
"""

_OPEN_MEETINGS = """
SELECT DISTINCT m.id FROM meeting m JOIN meeting_group mg ON mg.meeting_id = m.id
WHERE mg.group_id = ANY ($1::uuid[]) AND m.state IN ('tentative', 'confirmed')
    AND (m.starts_at IS NULL OR m.starts_at > $2)
ORDER BY m.id
"""
# Who left before the invitation did is no longer planned for; whoever was told stays until the
# office takes the invitation back.
_UNPLAN = """
DELETE FROM invitation i USING meeting m
WHERE m.id = i.meeting_id AND i.person_id = ANY ($1::uuid[])
    AND i.state = 'planned' AND i.answer IS NULL
    AND (m.starts_at IS NULL OR m.starts_at > $2)
    AND NOT EXISTS (SELECT FROM letter_about l
        WHERE l.subject_id = m.id AND l.recipient_id = i.person_id)
    AND NOT EXISTS (SELECT FROM membership s JOIN meeting_group mg ON mg.group_id = s.group_id
        WHERE mg.meeting_id = m.id AND s.person_id = i.person_id AND s.to_on IS NULL)
    AND NOT EXISTS (SELECT FROM meeting_audience a
        WHERE a.meeting_id = m.id AND a.person_id = i.person_id)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonData:
    """What is kept of a person by name, address, telephone and language; "" is nothing."""

    id: UUID
    name: str
    ref: str = ""
    email: str = ""
    phone: str = ""
    locale: str = "de"

    @property
    def columns(self) -> tuple[Any, ...]:
        """Return the values in the statements' order."""
        email = self.email or None
        return (
            self.id,
            self.ref or None,
            self.name,
            titles.sort_key(self.name),
            email,
            email and addressing.normal(email),
            self.phone,
            self.locale,
        )


@dataclass(frozen=True, slots=True)
class Belonging:
    """A person's partner, or None, and the function there."""

    person_id: UUID
    partner_id: UUID | None
    role_title: str = ""


@dataclass(frozen=True, slots=True)
class Moves:
    """Who leaves and who joins which group, each as person and group."""

    gone: Sequence[tuple[UUID, UUID]]
    new: Sequence[tuple[UUID, UUID]]


def today(now: datetime) -> date:
    """Return the office's day of an instant."""
    return now.astimezone(_BERLIN).date()


async def ensure_partners(connection: "Connection[Any]", names: Iterable[str]) -> dict[str, UUID]:
    """Return all partners by the key of their name; add those that are named and not there."""
    found = {
        matching.partner_key(row["name"]): row["id"] for row in await connection.fetch(_PARTNERS)
    }
    for name in names:
        key = matching.partner_key(name)
        if key and key not in found:
            found[key] = await connection.fetchval(_ADD_PARTNER, name, titles.sort_key(name))
    return found


async def add_people(connection: "Connection[Any]", people: Sequence[PersonData]) -> None:
    """Add people, each with a calendar of their own; their ids are the caller's."""
    await connection.executemany(_ADD, [one.columns for one in people])
    if people:
        await publishing.ensure_feeds(connection)


async def change_people(
    connection: "Connection[Any]", people: Sequence[PersonData], now: datetime
) -> None:
    """Save people as they are now; an address that changes is kept as a former one."""
    addresses = [(one.id, addressing.normal(one.email)) for one in people]
    await connection.executemany(_KEEP_FORMER, [(*one, now) for one in addresses])
    await connection.executemany(_DROP_FORMER, addresses)
    await connection.executemany(_CHANGE, [one.columns for one in people])


async def end_people(
    connection: "Connection[Any]", person_ids: Collection[UUID], now: datetime
) -> None:
    """End people with all that they belong to; what they answered and attended stays."""
    ids, day = list(person_ids), today(now)
    await connection.execute(_END_PEOPLE, ids, day)
    await connection.execute(_FORGET_TODAYS_BELONGING, ids, day)
    await connection.execute(_END_BELONGING, ids, day)
    await set_groups(connection, dict.fromkeys(ids, frozenset()), now)


async def set_partners(
    connection: "Connection[Any]",
    belongings: Sequence[Belonging],
    now: datetime,
    since: date | None = None,
) -> None:
    """Let people belong to these partners from a day, None being today.

    Another function alone moves nobody. A belonging to no partner only ends the present one.
    """
    kept = await _rename_functions(connection, belongings)
    moved = [one for one in belongings if one.person_id not in kept]
    ids, day = [one.person_id for one in moved], since or today(now)
    await connection.execute(_FORGET_TODAYS_BELONGING, ids, day)
    await connection.execute(_END_BELONGING, ids, day)
    joined = [
        (one.person_id, one.partner_id, one.role_title, day) for one in moved if one.partner_id
    ]
    await connection.executemany(_BELONG, joined)


async def find_moves(
    connection: "Connection[Any]", wanted: Mapping[UUID, Collection[UUID]]
) -> Moves:
    """Return who would leave and who would join which group, each as person and group."""
    rows = await connection.fetch(_MEMBERSHIPS, list(wanted))
    present = {(row["person_id"], row["group_id"]) for row in rows}
    target = {(person, group) for person, groups in wanted.items() for group in groups}
    return Moves(sorted(present - target), sorted(target - present))


async def set_groups(
    connection: "Connection[Any]",
    wanted: Mapping[UUID, Collection[UUID]],
    now: datetime,
    since: date | None = None,
) -> None:
    """Let each person be in exactly these groups from a day, None being today.

    What was planned of invitations follows; none leaves.
    """
    moves = await find_moves(connection, wanted)
    gone, new = moves.gone, moves.new
    if not gone and not new:
        return
    day = since or today(now)
    await connection.execute(_FORGET_TODAYS_MEMBERSHIP, *columns(gone), day)
    await connection.execute(_END_MEMBERSHIP, *columns(gone), day)
    await connection.execute(_JOIN, *columns(new), day)
    await _follow(connection, gone, new, now)


async def touch_feeds(
    connection: "Connection[Any]", person_ids: Collection[UUID], now: datetime
) -> None:
    """Let the calendars of these people be read anew."""
    await publishing.ensure_feeds(connection)
    if len(person_ids) > _MANY_FEEDS:
        await publishing.touch_all_feeds(connection, now)
        return
    for person_id in sorted(person_ids):
        await publishing.touch_person_feed(connection, person_id, now)


async def _rename_functions(
    connection: "Connection[Any]", belongings: Sequence[Belonging]
) -> set[UUID]:
    """Save the function of those who stay with their partner, and return who they are."""
    rows = await connection.fetch(
        _RENAME_FUNCTION,
        [one.person_id for one in belongings],
        [one.partner_id for one in belongings],
        [one.role_title for one in belongings],
    )
    return {row["person_id"] for row in rows}


async def _follow(
    connection: "Connection[Any]",
    gone: Sequence[tuple[UUID, UUID]],
    new: Sequence[tuple[UUID, UUID]],
    now: datetime,
) -> None:
    """Plan invitations of newcomers to open sessions, and unplan those of who left; none leaves."""
    await connection.execute(_UNPLAN, [person for person, _ in gone], now)
    if len(new) > _MANY_ROWS:
        # Without fresh statistics PostgreSQL looks every person up by reading all memberships.
        await connection.execute("ANALYZE person, membership, affiliation")
    groups = list({group for _, group in new})
    for row in await connection.fetch(_OPEN_MEETINGS, groups, now):
        await asking.add_invitations(connection, row["id"], now)
    await touch_feeds(connection, {person for person, _ in (*gone, *new)}, now)


def columns(pairs: Sequence[tuple[UUID, UUID]]) -> tuple[list[UUID], list[UUID]]:
    """Return pairs as the two columns that statements take."""
    return [person for person, _ in pairs], [group for _, group in pairs]
