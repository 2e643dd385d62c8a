"""A subscribed feed as people have it: fetched by vdirsyncer, read by khal, icalendar and ical."""

import asyncio
import re
import sys
import urllib.request
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import httpx
import icalendar
import pytest
from ical.calendar_stream import IcsCalendarStream

from service import furnishing, planning, publishing, scheduling, subscribing, tailoring
from service.auditing import Actor
from service.database import Database
from service.domain.meeting_forms import MeetingForm
from service.domain.words import State
from service.furnishing import InstanceData
from service.settings import Settings
from tests import builders
from tests.end_to_end.programs import running, until_ready
from tests.end_to_end.stage import FEED_SECONDS

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
    output, _ = await asyncio.wait_for(process.communicate(), 300)
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
    with urllib.request.urlopen(url, timeout=100) as answer:  # noqa: S310 - our own server
        body: bytes = answer.read()
        return body


async def _fetch_once_it_says(url: str, words: str) -> bytes:
    """Fetch until the other process has seen the change; it looks once a second."""
    async with asyncio.timeout(FEED_SECONDS):
        while words not in _unfolded(body := await asyncio.to_thread(_fetch, url)):
            await asyncio.sleep(0.2)
    return body


def _unfolded(body: bytes) -> str:
    return body.replace(b"\r\n ", b"").decode()


@pytest.mark.long
async def test_a_moved_session_moves_in_the_agenda_of_a_calendar_program(
    database: Database, environment: dict[str, str], tmp_path: Path
) -> None:
    group_id, meeting_id = await _prepare(database)
    base = environment["TERMINBUCH_PUBLIC_URL"]
    url = f"{base}/ics/g/klima/klima.ics"
    _subscribe(tmp_path, url)
    await _run("vdirsyncer", "-c", str(tmp_path / "vdirsyncer.conf"), "discover")
    now = datetime.now(UTC)
    first, second = now + timedelta(days=20), now + timedelta(days=27)
    async with running(environment, "serve", "--role", "web") as program:
        await until_ready(base, program)
        await planning.save_draft(database, ACTOR, meeting_id, _form(group_id, first), now)
        await scheduling.publish(database, ACTOR, meeting_id, _form(group_id, first), now)
        body = await _fetch_once_it_says(url, f"DTSTART;TZID=Europe/Berlin:{first:%Y%m%d}T10")
        before = await _agenda(tmp_path)
        await scheduling.change(database, ACTOR, meeting_id, _form(group_id, second), now)
        moved = await _fetch_once_it_says(url, f"DTSTART;TZID=Europe/Berlin:{second:%Y%m%d}T10")
        after = await _agenda(tmp_path)

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


def _subscribe(folder: Path, url: str) -> None:
    (folder / "vdirsyncer.conf").write_text(VDIRSYNCER.format(folder=folder, url=url))
    (folder / "khal.conf").write_text(KHAL.format(folder=folder))
    (folder / "kept").mkdir()


@pytest.mark.long
async def test_choices_on_the_page_are_seen_in_khal_without_subscribing_again(
    database: Database, environment: dict[str, str], tmp_path: Path
) -> None:
    group_id, meeting_id = await _prepare(database)
    other = await builders.a_group(database, slug="wulis", name="WULIS", next_number=3)
    now, base = datetime.now(UTC), environment["TERMINBUCH_PUBLIC_URL"]
    keys = Settings.read(environment).token_keys
    group = await database.fetchrow("SELECT * FROM working_group WHERE id = $1", group_id)
    person = await builders.a_person(database, member_of=group)
    await publishing.ensure_all_feeds(database)
    own = await subscribing.find_personal(database, keys, person["id"])
    page = await tailoring.find_page(database, keys, person["id"])
    assert own is not None
    assert page is not None
    _subscribe(tmp_path, f"{base}{own.path}")
    await _run("vdirsyncer", "-c", str(tmp_path / "vdirsyncer.conf"), "discover")
    async with running(environment, "serve", "--role", "web") as program:
        await until_ready(base, program)
        for each, title in ((group_id, None), (other["id"], "Sondersitzung WULIS")):
            form = _form(each, now + timedelta(days=20))
            if title is not None:
                form = replace(form, title=title, is_numbered=False)
            meeting_id = uuid4()
            await planning.save_draft(database, ACTOR, meeting_id, form, now)
            await scheduling.publish(database, ACTOR, meeting_id, form, now)
        await _fetch_once_it_says(f"{base}{own.path}", "17. Arbeitsgruppensitzung Klima")
        before = await _agenda(tmp_path)
        async with httpx.AsyncClient(base_url=base, timeout=100) as browser:
            text = (await browser.get(page)).text
            found = re.search(r'name="ft" value="([^"]+)"', text)
            assert found is not None
            choices = {
                "ft": found[1],
                "groups": str(other["id"]),
                "extent": "all",
                "mailed": "no",
                "fallen": "prefixed",
            }
            saved = await browser.post(
                page, data=choices, headers={"sec-fetch-site": "same-origin"}
            )
        after = await _agenda(tmp_path)

    assert saved.status_code == 303
    assert "17. Arbeitsgruppensitzung Klima" in before
    assert "WULIS" not in before
    assert "17. Arbeitsgruppensitzung Klima" not in after
    assert "Sondersitzung WULIS" in after


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
