"""Six calendar readers behind one face: bytes in, what they understood out."""

import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import icalendar
import pytest
import vobject
from ical.calendar_stream import IcsCalendarStream

_LIBICAL = Path(__file__).with_name("libical_reader.py")
_JAVASCRIPT = Path(__file__).parent / "javascript"
_SYSTEM_PYTHON = "/usr/bin/python3"


@dataclass(frozen=True)
class Seen:
    """One entry as a reader understood it; instants in UTC."""

    starts: datetime
    ends: datetime
    summary: str
    description: str
    location: str


def read_with_icalendar(body: bytes) -> dict[str, Seen]:
    """Read with icalendar, which keeps what it could not parse in `errors`."""
    calendar = icalendar.Calendar.from_ical(body)
    assert not calendar.errors
    assert not [event.errors for event in calendar.events if event.errors]
    return {
        str(event["UID"]): Seen(
            event.start.astimezone(UTC),
            event.end.astimezone(UTC),
            str(event["SUMMARY"]),
            str(event.get("DESCRIPTION", "")),
            str(event.get("LOCATION", "")),
        )
        for event in calendar.events
    }


def read_with_ical(body: bytes) -> dict[str, Seen]:
    """Read with ical, which is strict about the syntax of values."""
    calendar = IcsCalendarStream.calendar_from_ics(body.decode())
    return {
        event.uid: Seen(
            event.dtstart.astimezone(UTC),
            event.dtend.astimezone(UTC),
            event.summary,
            event.description or "",
            event.location or "",
        )
        for event in calendar.events
    }


def read_with_vobject(body: bytes) -> dict[str, Seen]:
    """Read with vobject, which computes with the VTIMEZONE of the file."""
    calendar = vobject.readOne(body.decode(), validate=True)
    return {event.uid.value: _seen_by_vobject(event) for event in calendar.contents["vevent"]}


def _seen_by_vobject(event: Any) -> Seen:
    def text(name: str) -> str:
        return event.contents[name][0].value if name in event.contents else ""

    return Seen(
        event.dtstart.value.astimezone(UTC),
        event.dtend.value.astimezone(UTC),
        text("summary"),
        text("description"),
        text("location"),
    )


def read_with_libical(body: bytes) -> dict[str, Seen]:
    """Read with libical, the engine of Evolution and KOrganizer."""
    report = ask_libical(body)
    assert report["errors"] == 0
    return _seen_outside(report)


def _seen_outside(report: dict[str, Any]) -> dict[str, Seen]:
    """Take what a program of another language printed; times are seconds since 1970."""
    return {
        event["uid"]: Seen(
            datetime.fromtimestamp(event["starts"], UTC),
            datetime.fromtimestamp(event["ends"], UTC),
            event["summary"] or "",
            event["description"] or "",
            event["location"] or "",
        )
        for event in report["events"]
    }


def ask_libical(body: bytes) -> dict[str, Any]:
    """Return the whole report of libical, with its verdict on the METHOD's table."""
    done = subprocess.run(
        [_SYSTEM_PYTHON, str(_LIBICAL)], input=body, capture_output=True, check=False
    )
    if b"No module named" in done.stderr or b"Namespace ICalGLib not available" in done.stderr:
        _miss("libical is not here: apt-get install gir1.2-ical-3.0 python3-gi")
    assert done.returncode == 0, done.stderr.decode()
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def read_with_ical_js(body: bytes) -> dict[str, Seen]:
    """Read with ical.js, the engine of Thunderbird and of Nextcloud's calendar."""
    return _seen_outside(_ask_node("ical.js", body))


def read_with_node_ical(body: bytes) -> dict[str, Seen]:
    """Read with node-ical, which forgives nearly everything."""
    return _seen_outside(_ask_node("node-ical", body))


def _ask_node(engine: str, body: bytes) -> dict[str, Any]:
    if shutil.which("node") is None or not (_JAVASCRIPT / "node_modules" / engine).is_dir():
        _miss(f"{engine} is not here: npm ci --ignore-scripts --prefix tests/calendars/javascript")
    done = subprocess.run(
        ["node", str(_JAVASCRIPT / "reader.mjs"), engine],
        input=body,
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr.decode()
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def _miss(reason: str) -> None:
    if os.environ.get("CI") == "true":
        pytest.fail(reason)
    pytest.skip(reason)


Reader = Callable[[bytes], dict[str, Seen]]
READERS: dict[str, Reader] = {
    "icalendar": read_with_icalendar,
    "ical": read_with_ical,
    "vobject": read_with_vobject,
    "libical": read_with_libical,
    "ical.js": read_with_ical_js,
    "node-ical": read_with_node_ical,
}
