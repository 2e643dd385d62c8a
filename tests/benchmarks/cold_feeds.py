"""How long a feed takes that is in nobody's memory yet, beside rendering all of it with icalendar.

`run()` measures in this process, on a database of its own: what a request waits for, from the path
to the bytes, with the queries. The window of months and the limit of a feed's size are off for the
5,000 sessions, or there would be 27 of them.
"""

import asyncio
import shutil
import statistics
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from uuid import UUID
from zoneinfo import ZoneInfo

import icalendar

from calendars import zones
from service import embedded, publishing, subscribing
from service.database import Database
from service.domain.shown import ShownMeeting
from service.feed_paths import Address, read_path
from service.feeding import Kitchen
from service.settings import Settings
from service.tables import shown_meetings
from service.tokens import Keys
from tests import shown
from tests.benchmarks.programme import fill, folder

SESSIONS = 5000
FEW = 200
PEOPLE = 12
ROUNDS = 7
WANTED = 100
WANTED_MS = 20
_KEY = "b1:" + "5a" * 32
_PLENTY = 200_000_000
_CHANGE = """
UPDATE meeting SET title = title || '.', revision = revision + 1,
    changed_at = changed_at + interval '1 second'
WHERE id = (SELECT id FROM meeting ORDER BY random() LIMIT 1) RETURNING id
"""
_INVITE = """
INSERT INTO invitation (meeting_id, person_id, state, answer, answered_at, given_starts_local,
    given_mode, given_town)
SELECT id, $1, 'invited', (ARRAY['in_person', 'declined', 'undecided', NULL])[1 + n % 4], now(),
    starts_local, mode, town
FROM (SELECT *, row_number() OVER (ORDER BY starts_local) AS n FROM meeting) AS found
"""
_BERLIN = ZoneInfo("Europe/Berlin")


def run() -> list[str]:
    """Return the figures as lines."""
    return asyncio.run(_measure())


async def _measure() -> list[str]:
    place = folder()
    try:
        async with embedded.running(place / "data", fsync=False) as dsn:
            await fill(dsn, FEW, title="Klima", slug="klima")
            few = await _newcomers(dsn)
            await fill(dsn, SESSIONS - FEW, title="Wulis", slug="wulis", every="1 day")
            return [*few, *await _many(dsn)]
    finally:
        shutil.rmtree(place, ignore_errors=True)


def _kitchen(database: Database, keys: Keys, *, is_bounded: bool) -> Kitchen:
    settings = Settings.read({"TERMINBUCH_TOKEN_KEY": _KEY})
    return Kitchen(database, settings, keys, max_bytes=_PLENTY, is_bounded=is_bounded)


def _keys() -> Keys:
    return Settings.read({"TERMINBUCH_TOKEN_KEY": _KEY}).token_keys


async def _newcomers(dsn: str) -> list[str]:
    """Fetch the first feeds of people, each invited to everything, once one of them has fetched."""
    keys, now = _keys(), datetime.now(UTC)
    async with Database(dsn, pool_size=2) as database:
        paths = [await _invited(database, keys, f"Person {number}") for number in range(PEOPLE)]
        kitchen = _kitchen(database, keys, is_bounded=True)
        walls, works = [], []
        for path in paths:
            address = read_path(path)
            assert address is not None
            work, wall = time.process_time(), time.perf_counter()
            copy = await kitchen.make(address, now)
            works.append((time.process_time() - work) * 1000)
            walls.append((time.perf_counter() - wall) * 1000)
            assert copy is not None
            assert copy.body.count(b"BEGIN:VEVENT") >= FEW // 2
    work, wall = statistics.median(works[1:]), statistics.median(walls[1:])
    verdict = "" if work <= WANTED_MS else f"  ABOVE {WANTED_MS} ms"
    line = (
        f"first feed of a new subscriber, {FEW} sessions, entries kept: {work:.1f} ms of work, "
        f"{wall:.1f} ms in all (the very first one: {works[0]:.1f} ms of work){verdict}"
    )
    return [line]


async def _invited(database: Database, keys: Keys, name: str) -> str:
    person_id: UUID = await shown.a_person(database, name)
    await database.fetch(_INVITE, person_id)
    await shown.make_feeds(database)
    own = await subscribing.find_personal(database, keys, person_id)
    assert own is not None
    return own.path


async def _many(dsn: str) -> list[str]:
    """Change one of many sessions, and make the feed anew; then render all with icalendar."""
    now = datetime.now(UTC)
    async with Database(dsn, pool_size=2) as database:
        kitchen = _kitchen(database, _keys(), is_bounded=False)
        whole = await _timed(lambda: kitchen.make(Address("public"), now))
        times = []
        for _ in range(ROUNDS):
            await _change_one(database, now)
            times.append(await _timed(lambda: kitchen.make(Address("public"), now)))
        ids = [row["id"] for row in await database.fetch("SELECT id FROM meeting")]
        async with database.reading() as connection:
            meetings = list((await shown_meetings.load(connection, ids)).values())
    reference = []
    for _ in range(3):
        began = time.perf_counter()
        _with_icalendar(meetings)
        reference.append(time.perf_counter() - began)
    mine, theirs = statistics.median(times), statistics.median(reference)
    ratio = theirs / mine
    verdict = "" if ratio >= WANTED else f"  BELOW {WANTED}"
    line = (
        f"cold feed of {len(meetings):,} sessions after one changed: {mine * 1000:.0f} ms with all "
        f"queries (all new: {whole * 1000:.0f} ms), icalendar over all, without queries: "
        f"{theirs * 1000:,.0f} ms, ratio {ratio:.0f}{verdict}"
    )
    return [line]


async def _change_one(database: Database, now: datetime) -> None:
    async with database.unit_of_work() as unit:
        meeting_id = await unit.connection.fetchval(_CHANGE)
        await publishing.touch_feeds(unit.connection, meeting_id, now)


async def _timed(work: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await work()
    return time.perf_counter() - began


def _with_icalendar(meetings: list[ShownMeeting]) -> bytes:
    """Render the feed as one would with the library: the same facts, its own folding."""
    calendar = icalendar.Calendar()
    calendar.add("prodid", "-//Vergleich//DE")
    calendar.add("version", "2.0")
    calendar.add_component(icalendar.Timezone.from_ical(zones.EUROPE_BERLIN))
    for meeting in meetings:
        event = icalendar.Event()
        event.add("uid", str(meeting.uid))
        event.add("dtstamp", meeting.changed_at)
        event.add("sequence", meeting.sequence)
        event.add("created", meeting.created_at)
        event.add("last-modified", meeting.changed_at)
        event.add("dtstart", meeting.starts)
        event.add("dtend", meeting.ends)
        event.add("status", "CONFIRMED")
        event.add("summary", meeting.title)
        event.add("location", f"{meeting.place_name}, {meeting.street}, {meeting.town}")
        event.add("description", meeting.description)
        event.add("url", f"http://localhost:8000/termin/{meeting.slug}")
        event.add("categories", [group.name for group in meeting.groups])
        event.add("organizer", "mailto:termine@example.org")
        event.add("transp", "TRANSPARENT")
        calendar.add_component(event)
    body: bytes = calendar.to_ical()
    return body


if __name__ == "__main__":
    for each in run():
        print(each)
