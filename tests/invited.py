"""A meeting with people who are invited to it, straight into the tables."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from service import tokens
from service.database import Database
from service.tokens import Key, Keys, Purpose

KEYS = Keys([Key("t1", b"k" * 32)])
# A Monday; the meeting below is on Thursday, 21 January 2027, and asks for answers by the 14th.
NOW = datetime(2027, 1, 4, 9, 0, tzinfo=UTC)

_MEETING: dict[str, Any] = {
    "state": "confirmed",
    "title": "16. Arbeitsgruppensitzung Klima",
    "starts_local": datetime(2027, 1, 21, 10, 0),  # noqa: DTZ001 - wall time
    "ends_local": datetime(2027, 1, 21, 12, 0),  # noqa: DTZ001 - wall time
    "starts_at": datetime(2027, 1, 21, 9, 0, tzinfo=UTC),
    "ends_at": datetime(2027, 1, 21, 11, 0, tzinfo=UTC),
    "answer_by_local": datetime(2027, 1, 14, 12, 0),  # noqa: DTZ001 - wall time
    "answer_by": datetime(2027, 1, 14, 11, 0, tzinfo=UTC),
    "mode": "hybrid",
    "place_name": "Rathaus",
    "town": "Erfurt",
    "online_url": "https://video.example.org/klima",
}


@dataclass(frozen=True, slots=True)
class Invited:
    """One invited person, and the link of the letter."""

    invitation_id: UUID
    person_id: UUID
    meeting_id: UUID
    handle: UUID
    token: str


async def a_meeting(database: Database, **values: Any) -> UUID:
    """Insert a confirmed hybrid meeting; what is given wins."""
    columns: dict[str, Any] = {"id": uuid4(), **_MEETING, **values}
    columns.setdefault("slug", str(columns["id"]))
    names = ", ".join(columns)
    places = ", ".join(f"${n + 1}" for n in range(len(columns)))
    async with database.unit_of_work() as unit:
        await unit.connection.execute(
            f"INSERT INTO meeting ({names}) VALUES ({places})", *columns.values()
        )
        await unit.connection.execute(
            "INSERT INTO meeting_seats (meeting_id) VALUES ($1)", columns["id"]
        )
    return UUID(str(columns["id"]))


async def a_meeting_to_come(database: Database, now: datetime, **values: Any) -> UUID:
    """Insert a meeting in a fortnight, for tests that run by a clock of their own."""
    starts_at = (now + timedelta(days=14)).replace(minute=0, second=0, microsecond=0)
    ends_at, answer_by = starts_at + timedelta(hours=2), starts_at - timedelta(days=7)
    berlin = ZoneInfo("Europe/Berlin")
    times = {"starts_at": starts_at, "ends_at": ends_at, "answer_by": answer_by}
    local = {
        name.removesuffix("_at") + "_local": at.astimezone(berlin).replace(tzinfo=None)
        for name, at in times.items()
    }
    return await a_meeting(database, **{**times, **local, **values})


async def a_person(database: Database, name: str = "Mira Muster", **values: Any) -> UUID:
    """Insert a person with an address."""
    address = f"{name.split(maxsplit=1)[0].lower()}@partner.example.org"
    columns: dict[str, Any] = {"email": address, "email_normal": address, "locale": "de", **values}
    row = await database.fetchrow(
        "INSERT INTO person (full_name, sort_key, email, email_normal, locale)"
        " VALUES ($1, lower($1), $2, $3, $4) RETURNING id",
        *(name, columns["email"], columns["email_normal"], columns["locale"]),
    )
    assert row is not None
    return UUID(str(row["id"]))


async def an_organisation(database: Database, name: str = "Stadt Musterhausen") -> UUID:
    """Insert a partner, or return the one of this name."""
    row = await database.fetchrow(
        "INSERT INTO organisation (name, sort_key) VALUES ($1, lower($1))"
        " ON CONFLICT (lower(name)) WHERE ended_on IS NULL DO UPDATE SET name = excluded.name"
        " RETURNING id",
        name,
    )
    assert row is not None
    return UUID(str(row["id"]))


async def invite(database: Database, meeting_id: UUID, person_id: UUID) -> Invited:
    """Insert an invitation and derive its link."""
    organisation = await an_organisation(database)
    row = await database.fetchrow(
        "INSERT INTO invitation (meeting_id, person_id, organisation_id, state, invited_at)"
        " VALUES ($1, $2, $3, 'invited', $4) RETURNING id, handle",
        *(meeting_id, person_id, organisation, NOW),
    )
    assert row is not None
    await database.fetch(
        "INSERT INTO feed (kind, person_id) VALUES ('personal', $1) ON CONFLICT DO NOTHING",
        person_id,
    )
    token = tokens.derive(KEYS, Purpose.ANSWER, row["handle"], 1)
    return Invited(row["id"], person_id, meeting_id, row["handle"], token)


async def invite_many(database: Database, meeting_id: UUID, number: int) -> list[Invited]:
    """Insert so many people who are invited to the meeting."""
    rows = await database.fetch(
        "WITH people AS (INSERT INTO person (full_name, sort_key, email)"
        " SELECT 'Person ' || n, 'person ' || n, 'person' || n || '@partner.example.org'"
        " FROM generate_series(1, $2::int) n RETURNING id)"
        " INSERT INTO invitation (meeting_id, person_id, state)"
        " SELECT $1, id, 'invited' FROM people RETURNING id, person_id, handle",
        *(meeting_id, number),
    )
    return [
        Invited(
            row["id"],
            row["person_id"],
            meeting_id,
            row["handle"],
            tokens.derive(KEYS, Purpose.ANSWER, row["handle"], 1),
        )
        for row in rows
    ]


async def somebody_invited(database: Database, **meeting: Any) -> Invited:
    """Insert one meeting with one invited person."""
    return await invite(database, await a_meeting(database, **meeting), await a_person(database))


async def snapshot(database: Database) -> dict[str, list[tuple[Any, ...]]]:
    """Return every row of every table, to prove that nothing was written."""
    tables = await database.fetch(
        "SELECT relname FROM pg_class WHERE relkind = 'r'"
        " AND relnamespace = 'public'::regnamespace ORDER BY relname"
    )
    return {
        table["relname"]: [
            tuple(row)
            for row in await database.fetch(f'SELECT * FROM "{table["relname"]}" ORDER BY 1, 2')
        ]
        for table in tables
    }
