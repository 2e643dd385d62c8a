"""Rows that are valid by default; a test overrides the columns that matter to it.

Each builder inserts one row and returns it as a plain dict. Times are around the day that NOW
names, so that a test reads without a calendar.
"""

from datetime import UTC, date, datetime, timedelta
from itertools import count
from typing import Any
from uuid import UUID, uuid4

from service import furnishing
from service.auditing import COMMAND
from service.database import Database
from service.domain import instants, titles

NOW = datetime(2027, 1, 4, 8, 0, tzinfo=UTC)
"""A Monday morning."""
START = datetime(2027, 3, 4, 10, 0)  # noqa: DTZ001 (wall time)
"""A Thursday, eight and a half weeks later, as wall time."""
LONG_AGO = date(2023, 1, 1)

Row = dict[str, Any]
_numbers = count(1)


async def insert(database: Database, table: str, **columns: Any) -> Row:
    """Insert one row into any table and return it."""
    names = ", ".join(columns)
    places = ", ".join(f"${number}" for number in range(1, len(columns) + 1))
    row = await database.fetchrow(
        f"INSERT INTO {table} ({names}) VALUES ({places}) RETURNING *", *columns.values()
    )
    assert row is not None
    return dict(row)


async def an_instance(database: Database, **columns: Any) -> Row:
    """Insert the one row that says whose instance this is."""
    given: Row = {
        "name": "Aktionsbündnis Innenstädte",
        "short_name": "Bündnis",
        "office_name": "Geschäftsstelle",
        "street": "Mainzerhofstr. 12",
        "postcode": "99084",
        "town": "Erfurt",
        "email": "geschaeftsstelle@example.org",
        "phone": "+49 30 23125 100",
    }
    return await insert(database, "instance", **given | columns)


async def a_ready_office(database: Database, **columns: Any) -> Row:
    """Insert the instance with its legal texts, so that pages open and letters leave.

    Whoever calls it has `furnishing.forget` what was read before the next test begins.
    """
    instance = await an_instance(database, **columns)
    for kind in furnishing.LEGAL_KINDS:
        await furnishing.save_text(database, COMMAND, (kind, "de"), "Ein Text.", NOW)
    furnishing.forget(database)
    return instance


async def a_group(database: Database, **columns: Any) -> Row:
    """Insert a working group whose next session is the 17th."""
    number = next(_numbers)
    given: Row = {
        "slug": f"gruppe-{number}",
        "heading": "groups",
        "name": f"Gruppe {number}",
        "title_pattern": "{number}. Arbeitsgruppensitzung Gruppe " + str(number),
        "next_number": 17,
    }
    return await insert(database, "working_group", **given | columns)


async def an_organisation(database: Database, **columns: Any) -> Row:
    """Insert a partner."""
    name = str(columns.get("name", f"Stadtverwaltung {next(_numbers)}"))
    given: Row = {"name": name, "sort_key": titles.sort_key(name), "town": "Gotha"}
    return await insert(database, "organisation", **given | columns)


async def a_person(
    database: Database,
    *,
    of: Row | None = None,
    member_of: Row | None = None,
    role_title: str = "Referat Stadtentwicklung",
    **columns: Any,
) -> Row:
    """Insert a person, at will with a partner and a group that it has long belonged to."""
    number = next(_numbers)
    name = str(columns.get("full_name", f"Mitglied {number}"))
    address = columns.get("email", f"m{number}@example.org")
    given: Row = {
        "full_name": name,
        "sort_key": titles.sort_key(name),
        "email": address,
        "email_normal": address and str(address).lower(),
    }
    person = await insert(database, "person", **given | columns)
    if of is not None:
        await insert(
            database,
            "affiliation",
            person_id=person["id"],
            organisation_id=of["id"],
            role_title=role_title,
            from_on=LONG_AGO,
        )
    if member_of is not None:
        await a_membership(database, person, member_of)
    return person


async def a_membership(database: Database, person: Row, group: Row, **columns: Any) -> Row:
    """Insert a long standing membership that has not ended."""
    given: Row = {"person_id": person["id"], "group_id": group["id"], "from_on": LONG_AGO}
    return await insert(database, "membership", **given | columns)


async def an_account(database: Database, **columns: Any) -> Row:
    """Insert a coordinator's account."""
    address = str(columns.get("email", f"buero{next(_numbers)}@example.org"))
    given: Row = {
        "email": address,
        "email_normal": address.lower(),
        "full_name": "Frau Koordinatorin",
        "role": "coordinator",
    }
    return await insert(database, "account", **given | columns)


async def a_meeting(
    database: Database, *, of: Row | None = None, number: int | None = 16, **columns: Any
) -> Row:
    """Insert a confirmed session of two hours on site in Erfurt, with its group and number.

    `starts_local` and `ends_local` may be given alone; the instants and the deadline follow.
    """
    group = of or await a_group(database)
    starts = columns.get("starts_local", START)
    ends = columns.get("ends_local", starts and starts + timedelta(hours=2))
    zone = str(columns.get("time_zone", "Europe/Berlin"))
    deadline = columns.get("answer_by_local", starts and starts - timedelta(days=7))
    title = str(columns.get("title", titles.fill(group["title_pattern"], number)))
    given: Row = {
        "id": uuid4(),
        "title": title,
        "slug": f"{titles.slug(title)}-{next(_numbers)}",
        "state": "confirmed",
        "starts_local": starts,
        "ends_local": ends,
        "starts_at": starts and instants.to_utc(starts, zone),
        "ends_at": ends and instants.to_utc(ends, zone),
        "answer_by_local": deadline,
        "answer_by": deadline and instants.to_utc(deadline, zone),
        "place_name": "Rathaus",
        "room": "Saal 1",
        "street": "Fischmarkt 1",
        "town": "Erfurt",
        "published_at": NOW - timedelta(days=1),
        "changed_at": NOW - timedelta(days=1),
        "stamped_at": NOW - timedelta(days=1),
        "created_at": NOW - timedelta(days=1),
        "saved_by": "Frau Koordinatorin",
        "saved_at": NOW - timedelta(days=1),
    }
    if columns.get("state") == "draft":
        given |= {"slug": None, "published_at": None}
        number = None
    meeting = await insert(database, "meeting", **given | columns)
    await insert(
        database, "meeting_group", meeting_id=meeting["id"], group_id=group["id"], number=number
    )
    await insert(database, "meeting_seats", meeting_id=meeting["id"])
    return meeting


async def an_invitation(
    database: Database, meeting: Row, person: Row | None = None, **columns: Any
) -> Row:
    """Insert an invitation that has left; an answer is for the meeting as it stands."""
    person = person or await a_person(database)
    given: Row = {
        "meeting_id": meeting["id"],
        "person_id": person["id"],
        "state": "invited",
        "invited_at": NOW - timedelta(hours=12),
        "told_rev": meeting["revision"],
    }
    if columns.get("answer") is not None:
        given |= {
            "answer_way": "link",
            "answered_at": NOW - timedelta(hours=6),
            "answer_rev": 1,
            "given_starts_local": meeting["starts_local"],
            "given_mode": meeting["mode"],
            "given_town": meeting["town"],
            "has_seat": columns["answer"] == "in_person",
        }
    if columns.get("state") == "planned":
        given |= {"invited_at": None, "told_rev": 0}
    invitation = await insert(database, "invitation", **given | columns)
    if invitation["has_seat"]:
        await database.fetch(
            "UPDATE meeting_seats SET taken = taken + 1 WHERE meeting_id = $1", meeting["id"]
        )
    return invitation


async def a_notice(database: Database, meeting: Row, **columns: Any) -> Row:
    """Insert a pending notice of a change that is due at NOW."""
    given: Row = {
        "meeting_id": meeting["id"],
        "kind": "change",
        "due_at": NOW,
        "from_revision": meeting["revision"],
        "to_revision": meeting["revision"] + 1,
        "created_at": NOW - timedelta(minutes=10),
    }
    return await insert(database, "notice", **given | columns)


async def a_reminder_rule(database: Database, **columns: Any) -> Row:
    """Insert a rule of everybody's: those who come, an hour before."""
    given: Row = {"kind": "reminder", "audience": ["accepted"], "minutes_before": 60}
    return await insert(database, "reminder_rule", **given | columns)


async def read(database: Database, table: str, row_id: UUID) -> Row:
    """Read a row again by its id."""
    row = await database.fetchrow(f"SELECT * FROM {table} WHERE id = $1", row_id)
    assert row is not None
    return dict(row)


async def letters(database: Database, **where: Any) -> list[Row]:
    """Return the letters in the outbox, in the order of their keys, with their state."""
    rows = await database.fetch(
        "SELECT l.*, o.state, o.reason, o.priority, o.next_attempt_at, o.expires_at,"
        " o.recipient_domain FROM letter l JOIN outbox o USING (id) ORDER BY dedupe_key"
    )
    return [dict(row) for row in rows if all(row[name] == value for name, value in where.items())]
