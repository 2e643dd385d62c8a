"""Rows that lists, pages and feeds show: valid by default, override what matters."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from service import publishing
from service.database import Database

_SAVE = """
UPDATE meeting SET revision = revision + 1,
    changed_at = greatest(date_trunc('second', $2::timestamptz), changed_at + interval '1 second')
"""
BERLIN = ZoneInfo("Europe/Berlin")


async def add(database: Database, table: str, **values: Any) -> UUID:
    """Insert one row and return its id."""
    names = ", ".join(values)
    places = ", ".join(f"${number}" for number in range(1, len(values) + 1))
    sql = f"INSERT INTO {table} ({names}) VALUES ({places}) RETURNING id"
    found: UUID = await database.fetchval(sql, *values.values())
    return found


async def a_group(database: Database, slug: str = "klima", **values: Any) -> UUID:
    defaults = {
        "slug": slug,
        "heading": "groups",
        "name": slug.capitalize(),
        "title_pattern": "{number}. Sitzung",
    }
    return await add(database, "working_group", **{**defaults, **values})


async def a_meeting(
    database: Database, group_id: UUID | None = None, starts: datetime | None = None, **values: Any
) -> UUID:
    """Add a confirmed, public meeting of two hours; `starts` is naive German wall time."""
    starts = starts or datetime(2027, 3, 11, 10, 0)  # noqa: DTZ001 - a wall time
    ends = values.pop("ends", starts + timedelta(hours=2))
    meeting_id = uuid4()
    defaults = {
        "id": meeting_id,
        "slug": f"sitzung-{meeting_id.hex[:8]}",
        "state": "confirmed",
        "title": "17. Arbeitsgruppensitzung Klima",
        "starts_local": starts,
        "ends_local": ends,
        "starts_at": starts.replace(tzinfo=BERLIN),
        "ends_at": ends.replace(tzinfo=BERLIN) if ends else None,
        "place_name": "Rathaus",
        "town": "Erfurt",
        "changed_at": datetime(2026, 12, 1, 8, 0, tzinfo=UTC),
        "created_at": datetime(2026, 12, 1, 8, 0, tzinfo=UTC),
        "published_at": datetime(2026, 12, 1, 8, 0, tzinfo=UTC),
    }
    await add(database, "meeting", **{**defaults, **values})
    if group_id is not None:
        sql = "INSERT INTO meeting_group (meeting_id, group_id) VALUES ($1, $2)"
        await database.fetch(sql, meeting_id, group_id)
    return meeting_id


async def a_person(database: Database, name: str = "Erika Muster", **values: Any) -> UUID:
    email = values.pop("email", f"{uuid4().hex[:8]}@example.org")
    defaults = {"full_name": name, "sort_key": name.lower(), "email": email, "email_normal": email}
    return await add(database, "person", **{**defaults, **values})


async def an_invitation(
    database: Database, meeting_id: UUID, person_id: UUID, **values: Any
) -> UUID:
    """Add an invitation that was sent; an `answer` is given for the meeting as it stands."""
    row = await database.fetchrow(
        "SELECT starts_local, mode, town FROM meeting WHERE id = $1", meeting_id
    )
    assert row is not None
    defaults: dict[str, Any] = {
        "meeting_id": meeting_id,
        "person_id": person_id,
        "state": "invited",
        "changed_at": datetime(2026, 12, 2, 8, 0, tzinfo=UTC),
    }
    if "answer" in values:
        defaults |= {
            "given_starts_local": row["starts_local"],
            "given_mode": row["mode"],
            "given_town": row["town"],
        }
    return await add(database, "invitation", **{**defaults, **values})


async def make_feeds(database: Database) -> None:
    await publishing.ensure_all_feeds(database)


async def save(database: Database, meeting_id: UUID, now: datetime, **values: Any) -> None:
    """Change a meeting as the office does: the row and its counters, then the feeds."""
    sets = "".join(f", {name} = ${number}" for number, name in enumerate(values, start=3))
    sql = f"{_SAVE}{sets} WHERE id = $1"
    async with database.unit_of_work() as unit:
        await unit.connection.execute(sql, meeting_id, now, *values.values())
        await publishing.touch_feeds(unit.connection, meeting_id, now)
