"""Public calendars with choices: signed in the path, without an account and without a query."""

import re
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service import feed_paths
from service.database import Database
from service.domain.feed_profiles import Fallen, Profile
from service.services import Services
from service.tokens import Key, Keys
from tests import shown
from tests.web import qr_reader
from tests.web.conftest import Clock

KEYS = Keys((Key("t1", b"Z" * 32),))
OTHER_KEYS = Keys((Key("t1", b"Y" * 32),))
_ADDRESS = re.compile(r'value="http://localhost:8000(/ics/[^"]+)"')


@pytest.fixture
def clock() -> Clock:
    """Return a day before all sessions of these tests."""
    return Clock(datetime(2027, 1, 20, 9, 0, tzinfo=UTC))


async def _programme(database: Database) -> None:
    groups = [await shown.a_group(database, slug) for slug in ("klima", "wulis", "leer")]
    cases: tuple[tuple[int, UUID, str, dict[str, Any]], ...] = (
        (1, groups[0], "Klima", {}),
        (2, groups[1], "Wulis", {"state": "tentative"}),
        (3, groups[2], "Leer", {}),
        (4, groups[0], "Fort", {"state": "cancelled", "sequence": 1}),
    )
    for day, group_id, title, values in cases:
        starts = datetime(2027, 3, day, 10, 0)  # noqa: DTZ001 - a wall time
        await shown.a_meeting(database, group_id, starts, title=title, **values)
    await shown.make_feeds(database)


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("gruppe=klima&gruppe=wulis&vorlaeufig=1", "Klima|Voraussichtlich: Wulis|ABGESAGT: Fort"),
        ("gruppe=klima&gruppe=wulis&abgesagt=left_out", "Klima"),
        ("gruppe=alle&abgesagt=plain", "Klima|Leer|Fort"),
        ("gruppe=alle&vorlaeufig=1&sprache=en", "Klima|Provisional: Wulis|Leer|CANCELLED: Fort"),
    ],
)
async def test_the_subscribe_page_gives_one_address_for_what_was_chosen(
    database: Database, anonymous: httpx.AsyncClient, query: str, expected: str
) -> None:
    await _programme(database)

    page = await anonymous.get(f"/kalender?anzeigen=1&{query}")
    [path] = _ADDRESS.findall(page.text)
    calendar = await anonymous.get(path)
    text = calendar.content.replace(b"\r\n ", b"").decode()

    assert "?" not in path
    # What the address shows stands in the form, also where a link left it open.
    assert 1 == len(re.findall(r'name="abgesagt" value="\w+" checked', page.text))
    assert path.endswith("/termine.ics")
    assert calendar.headers["cache-control"] == "public, max-age=300"
    assert expected.split("|") == re.findall(r"\r\nSUMMARY:(.*)\r\n", text)
    assert f"SOURCE;VALUE=URI:http://localhost:8000{path}\r\n" in text


@pytest.mark.parametrize("query", ["", "?anzeigen=1&gruppe=klima&abgesagt=plain&sprache=en"])
async def test_a_telephone_reads_the_address_from_the_qr_code(
    database: Database, anonymous: httpx.AsyncClient, query: str
) -> None:
    await _programme(database)

    page = await anonymous.get(f"/kalender{query}")
    [path] = _ADDRESS.findall(page.text)
    [svg] = re.findall(r"<svg[^>]*tb-qr.*?</svg>", page.text, re.DOTALL)

    assert f"http://localhost:8000{path}" == qr_reader.read(svg)


async def test_the_usual_choices_keep_an_address_that_people_can_read(
    database: Database, anonymous: httpx.AsyncClient
) -> None:
    await _programme(database)
    usual = "anzeigen=1&vorlaeufig=1&abgesagt=prefixed&sprache=de"

    pages = [await anonymous.get(f"/kalender?{usual}&gruppe={slug}") for slug in ("alle", "klima")]

    assert ["/ics/alle/termine.ics", "/ics/g/klima/klima.ics"] == [
        path for page in pages for path in _ADDRESS.findall(page.text)
    ]


async def test_the_doors_lead_to_the_chosen_calendar(
    database: Database, anonymous: httpx.AsyncClient
) -> None:
    await _programme(database)
    page = await anonymous.get("/kalender?anzeigen=1&gruppe=klima&gruppe=wulis")
    [door] = re.findall(r'href="(/zu/google\?auswahl=[^"]+)"', page.text)

    answer = await anonymous.get(door)
    forged = await anonymous.get(f"{door}a")

    assert answer.status_code == 303
    assert "%2Fics%2Fw%2F" in answer.headers["location"]
    assert forged.status_code == 404


async def test_an_edit_reaches_a_chosen_calendar_at_once(
    services: Services, anonymous: httpx.AsyncClient
) -> None:
    await _programme(services.database)
    spelled = feed_paths.sign_choices(services.keys, Profile(locale="en"))
    path = f"/ics/w/{spelled}/termine.ics"
    first = await anonymous.get(path)
    meeting_id = await services.database.fetchval("SELECT id FROM meeting WHERE title = 'Klima'")

    await shown.save(services.database, meeting_id, services.clock(), title="Neues Klima")
    second = await anonymous.get(path, headers={"if-none-match": first.headers["etag"]})

    assert second.status_code == 200
    assert "SUMMARY:Neues Klima\r\n" in second.text


async def test_choices_that_we_did_not_sign_have_no_calendar(
    services: Services, anonymous: httpx.AsyncClient
) -> None:
    await shown.make_feeds(services.database)
    spelled = feed_paths.sign_choices(OTHER_KEYS, Profile())

    answers = [
        await anonymous.get(f"/ics/w/{each}/termine.ics") for each in (spelled, "a" * 20, "x")
    ]

    assert [404, 404, 404] == [answer.status_code for answer in answers]
    assert 1 == len({answer.content for answer in answers})


@settings(max_examples=80, deadline=None)
@given(
    groups=st.lists(st.uuids(), max_size=5, unique=True),
    fallen=st.sampled_from(list(Fallen)),
    flags=st.tuples(st.booleans(), st.booleans(), st.sampled_from(("de", "en"))),
)
def test_choices_are_read_as_they_were_written_and_spelled_in_one_way(
    groups: list[UUID], fallen: Fallen, flags: tuple[bool, bool, str]
) -> None:
    rough, tentative, locale = flags
    profile = Profile(
        group_ids=tuple(sorted(groups, key=lambda each: each.bytes)) or None,
        shows_rough=rough,
        shows_tentative=tentative,
        fallen=fallen,
        locale=locale,
    )

    spelled = feed_paths.sign_choices(KEYS, profile)

    assert profile == feed_paths.read_choices(KEYS, spelled)
    assert feed_paths.read_choices(OTHER_KEYS, spelled) is None
    assert feed_paths.read_choices(KEYS, spelled.upper()) is None


@settings(max_examples=150, deadline=None)
@given(at=st.integers(0, 300), sign=st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))
def test_one_other_sign_opens_nothing(at: int, sign: str) -> None:
    spelled = feed_paths.sign_choices(KEYS, Profile(group_ids=(uuid4(), uuid4())))
    at %= len(spelled)
    other = spelled[:at] + sign + spelled[at + 1 :]

    assert (other == spelled) is (feed_paths.read_choices(KEYS, other) is not None)
