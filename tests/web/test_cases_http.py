"""Cases of calendar programs that need a whole service: sequences over edits, secrecy, proxies."""

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest

from service import planning, publishing, scheduling, subscribing
from service.auditing import COMMAND
from service.database import Database
from service.services import Services
from service.subscribing import Owner, Wish
from tests import builders
from tests.web.conftest import Clock, open_program, patient_feeds

PUBLIC = "/ics/alle/termine.ics"
_NGINX = Path(__file__).parents[2] / "deploy" / "nginx.conf"


@pytest.fixture
def clock() -> Clock:
    """Return a day before the sessions of the builders."""
    return Clock(builders.NOW)


def unfolded(answer: httpx.Response) -> str:
    return answer.content.replace(b"\r\n ", b"").decode()


async def _path(services: Services, person_id: object) -> str:
    await publishing.ensure_all_feeds(services.database)
    own = await subscribing.find_personal(services.database, services.keys, person_id)  # type: ignore[arg-type]
    assert own is not None
    return own.path


async def test_confirm_tentative_increments_sequence_keeps_partstat(
    services: Services, anonymous: httpx.AsyncClient, clock: Clock
) -> None:
    database = services.database
    group = await builders.a_group(database)
    person = await builders.a_person(database, member_of=group)
    meeting = await builders.a_meeting(database, of=group, state="tentative")
    await builders.an_invitation(database, meeting, person, answer="in_person")
    path = await _path(services, person["id"])

    before = unfolded(await anonymous.get(path))
    await scheduling.confirm(database, COMMAND, meeting["id"], None, clock())
    after = unfolded(await anonymous.get(path))

    assert ["0", "1"] == [re.findall(r"\r\nSEQUENCE:(\d+)", text)[0] for text in (before, after)]
    assert ["ACCEPTED", "ACCEPTED"] == [
        re.findall(r"PARTSTAT=([A-Z-]+)", text)[0] for text in (before, after)
    ]
    assert ["TENTATIVE", "CONFIRMED"] == [
        re.findall(r"\r\nSTATUS:(\w+)", text)[0] for text in (before, after)
    ]
    assert "SUMMARY:Voraussichtlich: " in before
    assert "SUMMARY:Voraussichtlich: " not in after


async def _edited(
    services: Services, anonymous: httpx.AsyncClient, meeting_id: UUID, at: datetime, **entries: Any
) -> str:
    """Change a session as the office does, and return the feed that shows it."""
    form, _ = await planning.load_form(services.database, meeting_id)
    form = replace(form, **entries)
    await scheduling.change(services.database, COMMAND, meeting_id, form, at)
    return unfolded(await anonymous.get(PUBLIC))


async def test_two_edits_in_one_second_have_growing_last_modified_for_every_reader(
    services: Services, anonymous: httpx.AsyncClient, clock: Clock
) -> None:
    meeting = await builders.a_meeting(
        services.database, of=await builders.a_group(services.database)
    )
    await publishing.ensure_all_feeds(services.database)
    start = clock().replace(microsecond=100_000)
    found = []
    for number in range(3):
        at = start + timedelta(microseconds=number)
        feed = await _edited(services, anonymous, meeting["id"], at, title=f"Titel {number}")
        found.append(re.findall(r"\r\n(?:LAST-MODIFIED|DTSTAMP):(\d+T\d+)Z", feed))

    # The calendar's own time, and both of the entry.
    stamps = [[datetime.strptime(one, "%Y%m%dT%H%M%S") for one in three] for three in found]  # noqa: DTZ007
    assert [3, 3, 3] == [len(three) for three in stamps]
    for before, after in pairwise(stamps):
        assert all(
            new - old >= timedelta(seconds=1) for old, new in zip(before, after, strict=True)
        )


async def test_uid_stable_after_rename_move_and_back(
    services: Services, anonymous: httpx.AsyncClient, clock: Clock
) -> None:
    database = services.database
    meeting = await builders.a_meeting(database, of=await builders.a_group(database))
    other = await builders.a_group(database)
    await publishing.ensure_all_feeds(database)
    form, _ = await planning.load_form(database, meeting["id"])
    day = form.start_on
    assert day is not None
    found = []
    for entries in (
        {"title": "Anders"},
        {"start_on": day + timedelta(days=9), "end_on": None},
        {"start_on": day, "end_on": None},
        {"group_ids": (other["id"],)},
    ):
        feed = await _edited(services, anonymous, meeting["id"], clock(), **entries)
        found += re.findall(r"BEGIN:VEVENT\r\nUID:(.*)\r\n", feed)

    assert [str(meeting["uid"])] * 4 == found


async def test_uid_stable_after_domain_change(services: Services, ready: None) -> None:
    database = services.database
    await builders.a_meeting(database, of=await builders.a_group(database))
    await publishing.ensure_all_feeds(database)
    elsewhere = replace(services.settings, public_url="https://neu.example.org")

    uids = []
    for settings in (services.settings, elsewhere):
        async with open_program(patient_feeds(replace(services, settings=settings))) as client:
            uids.append(re.findall(r"\r\nUID:(.*)\r\n", unfolded(await client.get(PUBLIC))))

    assert uids[0] == uids[1]
    assert 2 == len(set(uids[0]))


async def test_x_robots_noindex_present(services: Services, anonymous: httpx.AsyncClient) -> None:
    person = await builders.a_person(services.database)
    path = await _path(services, person["id"])

    answers = [await anonymous.get(each) for each in (PUBLIC, path, "/ics/unbekannt")]

    assert ["noindex"] * 3 == [answer.headers["x-robots-tag"] for answer in answers]


async def test_token_not_in_access_log_or_referrer(
    services: Services, anonymous: httpx.AsyncClient, capture_lines: Callable[[], str], clock: Clock
) -> None:
    database = services.database
    person = await builders.a_person(database)
    path = await _path(services, person["id"])
    token = path.split("/")[3]

    good = await anonymous.get(path)
    await subscribing.change_own(database, COMMAND, Owner.person(person["id"]), Wish.END, clock())
    ended = await anonymous.get(path)
    refused = await anonymous.put(path)
    unknown = await anonymous.get(path.replace(token[:4], "aaaa"))
    clock.go_on(timedelta(days=31))
    logged = capture_lines()

    answers = (good, ended, refused, unknown)
    assert [200, 200, 405, 404] == [answer.status_code for answer in answers]
    assert {"no-referrer"} == {answer.headers["referrer-policy"] for answer in answers}
    assert token not in logged
    assert not any(token in answer.text for answer in answers)


def test_http_to_https_single_308() -> None:
    sample = _NGINX.read_text()
    plain, secure = re.findall(r"^server \{.*?^\}", sample, re.DOTALL | re.MULTILINE)

    assert "return 308 https://$host$request_uri;" in plain
    assert "listen 80;" in plain
    assert "return" not in secure
    assert "http://$" not in sample
    assert "gzip off;" in secure
    assert "request" not in re.findall(r"log_format .*;", sample)[0]


async def test_a_redirect_of_ours_never_leads_from_https_to_http(
    database: Database, anonymous: httpx.AsyncClient
) -> None:
    meeting = await builders.a_meeting(database, of=await builders.a_group(database))

    answer = await anonymous.get(f"/termin/{meeting['slug']}.ics")

    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/")
