"""A subscribed feed as people have it: fetched by vdirsyncer, read by khal, icalendar and ical."""

import asyncio
import sys
import urllib.request
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import icalendar
from ical.calendar_stream import IcsCalendarStream

from service import furnishing, planning, publishing, scheduling
from service.auditing import Actor
from service.database import Database
from service.domain.meeting_forms import MeetingForm
from service.domain.words import State
from service.furnishing import InstanceData
from tests import builders
from tests.end_to_end.programs import running, until_ready

ACTOR = Actor("command")

VDIRSYNCER = """
[general]
status_path = "{folder}/status/"
[pair termine]
a = "feed"
b = "kept"
collections = null
[storage feed]
type = "http"
url = "{url}"
[storage kept]
type = "filesystem"
path = "{folder}/kept/"
fileext = ".ics"
"""
KHAL = """
[calendars]
[[termine]]
path = {folder}/kept/
readonly = True
[sqlite]
path = {folder}/khal.db
[locale]
timeformat = %H:%M
dateformat = %Y-%m-%d
longdateformat = %Y-%m-%d
datetimeformat = %Y-%m-%d %H:%M
longdatetimeformat = %Y-%m-%d %H:%M
local_timezone = Europe/Berlin
default_timezone = Europe/Berlin
"""


async def _run(*arguments: str) -> str:
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name(arguments[0])),
        *arguments[1:],
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 60)
    assert process.returncode == 0, output.decode()
    return output.decode()


async def _agenda(folder: Path) -> str:
    await _run("vdirsyncer", "-c", str(folder / "vdirsyncer.conf"), "sync")
    return await _run("khal", "-c", str(folder / "khal.conf"), "list", "now", "60d")


def _form(group_id: UUID, day: datetime) -> MeetingForm:
    return MeetingForm(
        group_ids=(group_id,),
        status=State.CONFIRMED,
        start_on=day.date(),
        start_time=time(10),
        end_time=time(12),
        place_name="Rathaus",
        town="Erfurt",
    )


async def _prepare(database: Database) -> tuple[UUID, UUID]:
    await furnishing.save_instance(database, ACTOR, InstanceData("Bündnis", email="b@example.org"))
    for kind in furnishing.LEGAL_KINDS:
        await furnishing.save_text(database, ACTOR, (kind, "de"), "Text", datetime.now(UTC))
    group = await builders.a_group(
        database,
        slug="klima",
        name="Klima",
        next_number=17,
        title_pattern="{number}. Arbeitsgruppensitzung Klima",
    )
    async with database.unit_of_work() as unit:
        await publishing.ensure_feeds(unit.connection)
    return group["id"], uuid4()


def _fetch(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own server
        body: bytes = answer.read()
        return body


async def test_a_moved_session_moves_in_the_agenda_of_a_calendar_program(
    database: Database, environment: dict[str, str], tmp_path: Path
) -> None:
    group_id, meeting_id = await _prepare(database)
    base = environment["TERMINBUCH_PUBLIC_URL"]
    url = f"{base}/ics/g/klima/klima.ics"
    (tmp_path / "vdirsyncer.conf").write_text(VDIRSYNCER.format(folder=tmp_path, url=url))
    (tmp_path / "khal.conf").write_text(KHAL.format(folder=tmp_path))
    (tmp_path / "kept").mkdir()
    await _run("vdirsyncer", "-c", str(tmp_path / "vdirsyncer.conf"), "discover")
    now = datetime.now(UTC)
    first, second = now + timedelta(days=20), now + timedelta(days=27)
    async with running(environment, "serve", "--role", "web") as program:
        await until_ready(base, program)
        await planning.save_draft(database, ACTOR, meeting_id, _form(group_id, first), now)
        await scheduling.publish(database, ACTOR, meeting_id, _form(group_id, first), now)
        await asyncio.sleep(1.5)
        before, body = await _agenda(tmp_path), await asyncio.to_thread(_fetch, url)
        await scheduling.change(database, ACTOR, meeting_id, _form(group_id, second), now)
        await asyncio.sleep(1.5)
        after, moved = await _agenda(tmp_path), await asyncio.to_thread(_fetch, url)

    assert f"{first:%Y-%m-%d}" in before
    assert f"{second:%Y-%m-%d}" not in before
    assert f"{first:%Y-%m-%d}" not in after
    assert f"{second:%Y-%m-%d}" in after
    assert 1 == before.count("17. Arbeitsgruppensitzung Klima")
    assert 1 == after.count("17. Arbeitsgruppensitzung Klima")
    assert [first.date()] == _days_by_icalendar(body) == _days_by_ical(body)
    assert [second.date()] == _days_by_icalendar(moved) == _days_by_ical(moved)
    assert _uids(body) == _uids(moved)
    assert _sequence(moved) == _sequence(body) + 1


def _days_by_icalendar(body: bytes) -> list[object]:
    return [event.start.date() for event in icalendar.Calendar.from_ical(body).events]


def _days_by_ical(body: bytes) -> list[object]:
    calendar = IcsCalendarStream.calendar_from_ics(body.decode())
    return [event.dtstart.date() for event in calendar.events]


def _uids(body: bytes) -> list[str]:
    return [str(event["UID"]) for event in icalendar.Calendar.from_ical(body).events]


def _sequence(body: bytes) -> int:
    (event,) = icalendar.Calendar.from_ical(body).events
    return int(event["SEQUENCE"])
