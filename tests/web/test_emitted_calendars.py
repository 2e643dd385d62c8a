"""Every kind of calendar as it leaves over HTTP: clean by the lint, and the same in six readers."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import httpx
import pytest
import pytest_asyncio

from calendars.invitation import Method
from service import subscribing
from service.auditing import COMMAND
from service.database import Database
from service.services import Services
from tests import shown
from tests.calendars import lint, readers
from tests.web.conftest import Clock, open_client
from tests.web.test_feeds import PUBLIC, office_path, personal_path

STARTS = [
    datetime(2026, 10, 25, 1, 30),  # noqa: DTZ001 - wall times
    datetime(2026, 10, 25, 3, 30),  # noqa: DTZ001
    datetime(2027, 3, 28, 1, 30),  # noqa: DTZ001
    datetime(2027, 3, 28, 3, 30),  # noqa: DTZ001
    datetime(2027, 10, 31, 3, 30),  # noqa: DTZ001
    datetime(2040, 6, 1, 10, 0),  # noqa: DTZ001
]


@pytest.fixture
def clock() -> Clock:
    return Clock(datetime(2026, 10, 20, 9, 0, tzinfo=UTC))


@pytest_asyncio.fixture(loop_scope="session")
async def calendars(services: Services, ready: None) -> Mapping[str, bytes]:
    """All kinds of calendars over sessions around the changes of the clocks, in every state."""
    database = services.database
    group = await shown.a_group(database)
    for number, starts in enumerate(STARTS):
        ends = starts + timedelta(hours=1)
        await shown.a_meeting(database, group, starts, ends=ends, slug=f"s{number}")
    for state in ("tentative", "cancelled"):
        await shown.a_meeting(database, group, state=state, title=f"Größe; „{state}“, \\ 🌳")
    asked = await shown.a_meeting(database, group, mode="hybrid", online_url="https://v.example/x")
    person = await shown.a_person(database)
    await shown.an_invitation(database, asked, person, answer="online")
    paths = {
        "public": PUBLIC,
        "group": subscribing.group_path("klima"),
        "personal": await personal_path(services, person),
        "office": await office_path(services),
        "download": "/termin/s0/kalenderdatei",
    }
    async with open_client(services) as client:
        found = {name: await _body(client, path) for name, path in paths.items()}
        feed = await subscribing.find_personal(database, services.keys, person)
        assert feed is not None
        await subscribing.revoke(database, COMMAND, feed.id, services.clock())
    async with open_client(services) as client:
        return {**found, "tombstone": await _body(client, paths["personal"])}


async def _body(client: httpx.AsyncClient, path: str) -> bytes:
    answer = await client.get(path)
    assert answer.status_code == 200, path
    return answer.content


async def test_every_calendar_that_leaves_is_clean(calendars: Mapping[str, bytes]) -> None:
    public = {"public", "group", "tombstone"}

    defects = {
        name: lint.find_defects(body, public=name in public) for name, body in calendars.items()
    }

    assert {name: [] for name in calendars} == defects
    assert f"METHOD:{Method.PUBLISH}".encode() in calendars["download"]


async def test_the_public_feed_is_the_same_to_all_readers(
    database: Database, calendars: Mapping[str, bytes]
) -> None:
    rows = await database.fetch("SELECT uid::text, starts_at, ends_at FROM meeting")
    instants = {row["uid"]: (row["starts_at"], row["ends_at"]) for row in rows}

    for reader, read in readers.READERS.items():
        seen = {uid: (one.starts, one.ends) for uid, one in read(calendars["public"]).items()}
        assert instants == seen, reader


async def test_public_feeds_pass_libical_publish_table(calendars: Mapping[str, bytes]) -> None:
    for name in ("public", "tombstone"):
        asked = calendars[name].replace(b"CALSCALE", b"METHOD:PUBLISH\r\nCALSCALE", 1)
        report = readers.ask_libical(asked)

        assert (True, 0) == (report["fits_the_method"], report["errors"])
