"""The public list, the session page and the page about subscribing, as visitors get them."""

import json
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from service.database import Database
from tests import shown
from tests.calendars import lint
from tests.web.conftest import Clock

NOW = datetime(2027, 1, 20, 9, 0, tzinfo=UTC)


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


def text_of(answer: httpx.Response) -> str:
    """Return what a reader reads, on one line."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", answer.text))


async def slug_of(database: Database, meeting_id: object) -> str:
    found: str = await database.fetchval("SELECT slug FROM meeting WHERE id = $1", meeting_id)
    return found


async def test_the_list_has_three_headings_even_when_nothing_is_planned(
    anonymous: httpx.AsyncClient,
) -> None:
    answer = await anonymous.get("/")

    assert answer.status_code == 200
    assert re.findall(r"<h2[^>]*>([^<]+)</h2>", answer.text)[:3] == [
        "Bündnis",
        "Arbeitsgruppen",
        "Sonstige",
    ]
    assert answer.text.count("Derzeit sind keine Termine geplant.") == 3


async def test_the_list_shows_coming_public_dates_in_order(
    database: Database, anonymous: httpx.AsyncClient
) -> None:
    group_id = await shown.a_group(database)
    later, soon = datetime(2027, 5, 6, 10), datetime(2027, 2, 4, 10)  # noqa: DTZ001
    await shown.a_meeting(database, group_id, later, title="Später")
    await shown.a_meeting(database, group_id, soon, title="Bald")
    await shown.a_meeting(database, group_id, datetime(2027, 1, 4, 10), title="Vorbei")  # noqa: DTZ001
    await shown.a_meeting(database, group_id, title="Intern", visibility="internal")
    await shown.a_meeting(database, group_id, title="Geheim", visibility="link")
    await shown.a_meeting(database, group_id, title="Idee", state="draft", slug=None)

    answer = await anonymous.get("/")

    assert re.findall(r"<h3><a[^>]*>([^<]+)</a>", answer.text) == ["Bald", "Später"]
    assert "Donnerstag, 4. Februar 2027, 10:00 bis 12:00 Uhr" in answer.text
    assert "2 Termine" in text_of(answer)


async def test_every_state_is_said_in_words(
    database: Database, anonymous: httpx.AsyncClient
) -> None:
    group_id = await shown.a_group(database)
    start = datetime(2027, 6, 1)  # noqa: DTZ001
    await shown.a_meeting(
        database,
        group_id,
        start,
        ends=datetime(2027, 7, 1),  # noqa: DTZ001
        state="tentative",
        date_precision="month",
    )
    await shown.a_meeting(database, group_id, state="cancelled")
    await shown.a_meeting(
        database,
        group_id,
        previous_starts_local=datetime(2027, 3, 4, 10),  # noqa: DTZ001
        previous_ends_local=datetime(2027, 3, 4, 12),  # noqa: DTZ001
    )

    read = text_of(await anonymous.get("/"))

    assert "Voraussichtlich im Juni 2027" in read
    assert "War geplant für: Donnerstag, 11. März 2027" in read
    assert "Verschoben, bisher: Donnerstag, 4. März 2027" in read
    assert "abgesagt" in read


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ("gruppe=klima", ["Klima"]),
        ("gruppe=klima&gruppe=wulis", ["Klima", "Wohnen"]),
        ("von=2027-04-01", ["Wohnen"]),
        ("bis=31.3.2027", ["Klima"]),
        ("art=online", ["Wohnen"]),
        ("ohne_abgesagte=1", ["Klima"]),
    ],
)
async def test_the_filter_leaves_what_was_asked_for(
    database: Database, anonymous: httpx.AsyncClient, query: str, titles: list[str]
) -> None:
    await shown.a_meeting(database, await shown.a_group(database, "klima"), title="Klima")
    april = datetime(2027, 4, 8, 10)  # noqa: DTZ001
    wulis = await shown.a_group(database, "wulis")
    await shown.a_meeting(database, wulis, april, title="Wohnen", mode="online", state="cancelled")

    answer = await anonymous.get(f"/?{query}")

    assert re.findall(r"<h3><a[^>]*>([^<]+)</a>", answer.text) == titles


async def test_a_filter_that_fits_nothing_says_so(
    database: Database, anonymous: httpx.AsyncClient
) -> None:
    await shown.a_meeting(database, await shown.a_group(database))

    answer = await anonymous.get("/?von=2030-01-01")

    assert "Kein Termin passt zu diesen Filtern." in answer.text
    assert "Filter zurücksetzen</a></p>" in answer.text
    assert "Derzeit sind keine Termine geplant." not in answer.text


async def test_an_odd_date_in_the_filter_is_explained(anonymous: httpx.AsyncClient) -> None:
    answer = await anonymous.get("/?von=gestern")

    assert answer.status_code == 422
    assert "Geben Sie das Datum in der Form 27.3.2027 ein" in answer.text


async def test_past_dates_stand_on_a_page_for_each_year(
    database: Database, anonymous: httpx.AsyncClient
) -> None:
    group_id = await shown.a_group(database)
    for year, title in ((2025, "Alt"), (2026, "Neuer")):
        start = datetime(year, 9, 7, 10)  # noqa: DTZ001
        await shown.a_meeting(database, group_id, start, title=title, state="held")

    latest = await anonymous.get("/vergangene-termine")
    earlier = await anonymous.get("/vergangene-termine?jahr=2025")

    assert "Neuer" in latest.text
    assert "Alt" not in text_of(latest)
    assert "Alt" in text_of(earlier)


async def test_certain_dates_are_described_to_machines(
    database: Database, anonymous: httpx.AsyncClient
) -> None:
    group_id = await shown.a_group(database)
    await shown.a_meeting(database, group_id, title="Ende </script><script>alert(1)</script>")
    await shown.a_meeting(database, group_id, state="tentative", title="Vielleicht")
    await shown.a_meeting(database, group_id, state="cancelled", title="Fällt aus")

    answer = await anonymous.get("/")
    found = re.search(r'<script type="application/ld\+json">(.*?)</script>', answer.text, re.DOTALL)
    assert found is not None
    events = {event["name"]: event for event in json.loads(found[1])["@graph"]}

    assert set(events) == {"Ende </script><script>alert(1)</script>", "Fällt aus"}
    assert events["Fällt aus"]["eventStatus"] == "https://schema.org/EventCancelled"
    assert events["Fällt aus"]["startDate"] == "2027-03-11T10:00:00+01:00"


async def test_the_session_page_shows_what_is_known(
    database: Database, anonymous: httpx.AsyncClient
) -> None:
    group_id = await shown.a_group(database)
    before = datetime(2026, 12, 3, 10)  # noqa: DTZ001
    await shown.a_meeting(database, group_id, before, title="16. Sitzung", state="held")
    meeting_id = await shown.a_meeting(
        database,
        group_id,
        title="17. Sitzung",
        mode="hybrid",
        online_url="https://video.example.org/secret",
        place_access="stufenlos",
        chair="Dr. Vera Vorsitz",
        agenda="1. Begrüßung\n2. Klima",
    )
    await shown.add(
        database,
        "document",
        meeting_id=meeting_id,
        title="Vorlage",
        media_type="pdf",
        size_text="3 MB",
        accessibility="no",
        url="https://example.org/vorlage.pdf",
        published_at=NOW - timedelta(days=1),
    )

    answer = await anonymous.get(f"/termin/{await slug_of(database, meeting_id)}")
    read = text_of(answer)

    assert answer.status_code == 200
    assert "Donnerstag, 11. März 2027, 10:00 bis 12:00 Uhr (deutsche Zeit)" in read
    assert "Rathaus, Erfurt" in read
    assert "stufenlos" in read
    assert "Dr. Vera Vorsitz" in read
    assert "<ol>" in answer.text
    assert "Vorlage (PDF, 3 MB, nicht barrierefrei)" in read
    assert "Vorige Sitzung: 16. Sitzung" in read
    assert "video.example.org" not in answer.text
    assert "set-cookie" not in answer.headers


async def test_search_engines_are_told_no_place_where_none_is_known(
    database: Database, anonymous: httpx.AsyncClient
) -> None:
    group_id = await shown.a_group(database)
    await shown.a_meeting(database, group_id, title="Ohne Ort", place_name="", town="")
    await shown.a_meeting(database, group_id, title="Online", mode="online", place_name="", town="")
    await shown.a_meeting(database, group_id, title="Straße", place_name="", town="", street="Am 1")

    page = (await anonymous.get("/")).text
    found = re.search(r'<script type="application/ld\+json">(.*?)</script>', page)
    assert found is not None
    events = {event["name"]: event for event in json.loads(found[1])["@graph"]}
    assert "location" not in events["Ohne Ort"]
    assert ["VirtualLocation"] == [place["@type"] for place in events["Online"]["location"]]
    assert [{"@type": "Place", "name": "Am 1", "address": "Am 1"}] == events["Straße"]["location"]


async def test_a_link_session_opens_but_is_not_for_search_engines(
    database: Database, anonymous: httpx.AsyncClient
) -> None:
    meeting_id = await shown.a_meeting(database, await shown.a_group(database), visibility="link")

    answer = await anonymous.get(f"/termin/{await slug_of(database, meeting_id)}")

    assert answer.status_code == 200
    assert '<meta name="robots" content="noindex">' in answer.text
    assert "ld+json" not in answer.text


async def test_internal_unknown_and_draft_sessions_look_alike(
    database: Database, anonymous: httpx.AsyncClient
) -> None:
    group_id = await shown.a_group(database)
    internal = await shown.a_meeting(database, group_id, visibility="internal")
    draft = await shown.a_meeting(database, group_id, state="draft")

    statuses = [
        (await anonymous.get(f"/termin/{slug}")).status_code
        for slug in (await slug_of(database, internal), await slug_of(database, draft), "nichts")
    ]

    assert statuses == [404, 404, 404]


@pytest.mark.parametrize(
    ("state", "sentence"),
    [
        ("tentative", "Dieser Termin ist vorläufig."),
        ("cancelled", "Diese Sitzung fällt aus."),
        ("held", "Diese Sitzung hat stattgefunden."),
    ],
)
async def test_the_session_page_says_first_how_it_stands(
    database: Database, anonymous: httpx.AsyncClient, state: str, sentence: str
) -> None:
    meeting_id = await shown.a_meeting(database, await shown.a_group(database), state=state)

    answer = await anonymous.get(f"/termin/{await slug_of(database, meeting_id)}")

    assert sentence in answer.text
    assert answer.text.index(sentence) < answer.text.index("<h1")


async def test_participants_are_told_only_after_the_sheet_was_saved(
    database: Database, anonymous: httpx.AsyncClient
) -> None:
    group_id = await shown.a_group(database)
    start = datetime(2027, 1, 14, 10)  # noqa: DTZ001
    meeting_id = await shown.a_meeting(database, group_id, start, state="held")
    person_id = await shown.a_person(database)
    await shown.an_invitation(database, meeting_id, person_id, presence="present")
    path = f"/termin/{await slug_of(database, meeting_id)}"

    before = await anonymous.get(path)
    await database.fetch("UPDATE meeting SET sheet_saved_at = now()")
    after = await anonymous.get(path)

    assert "nahm teil" not in before.text
    assert "1 Person nahm teil." in after.text


async def test_the_calendar_file_lies_behind_a_redirect(
    database: Database, anonymous: httpx.AsyncClient
) -> None:
    meeting_id = await shown.a_meeting(
        database, await shown.a_group(database), mode="hybrid", online_url="https://v.example.org/x"
    )
    slug = await slug_of(database, meeting_id)

    first = await anonymous.get(f"/termin/{slug}.ics")
    file = await anonymous.get(first.headers["location"])

    assert first.status_code == 303
    assert file.headers["content-type"] == "text/calendar; charset=utf-8; method=PUBLISH"
    assert file.headers["content-disposition"] == f'attachment; filename="{slug}.ics"'
    assert b"METHOD:PUBLISH" in file.content
    assert b"ATTENDEE" not in file.content
    assert b"v.example.org" not in file.content
    assert [prop.value for prop in lint.properties(file.content, "SUMMARY")] == [
        "17. Arbeitsgruppensitzung Klima"
    ]


async def test_the_subscribe_page_gives_addresses_that_answer(
    database: Database, anonymous: httpx.AsyncClient
) -> None:
    await shown.a_group(database, "klima")
    await shown.make_feeds(database)

    first = await anonymous.get("/kalender")
    chosen = await anonymous.get("/kalender?gruppe=klima")
    calendar = await anonymous.get("/ics/g/klima/klima.ics")

    assert 'value="http://localhost:8000/ics/alle/termine.ics"' in first.text
    assert 'href="webcal://localhost:8000/ics/alle/termine.ics"' in first.text
    assert 'value="http://localhost:8000/ics/g/klima/klima.ics"' in chosen.text
    assert "Wer eingeladen ist, bekommt Absagen zusätzlich per E-Mail." in first.text
    assert calendar.status_code == 200


async def test_choosing_nothing_is_explained(anonymous: httpx.AsyncClient) -> None:
    first = await anonymous.get("/kalender")
    answer = await anonymous.get("/kalender?anzeigen=1")

    assert '<input type="hidden" name="anzeigen" value="1">' in first.text
    assert answer.status_code == 422
    assert "Wählen Sie mindestens eine Gruppe aus" in answer.text


async def test_the_qr_code_needs_no_exception_from_the_content_policy(
    anonymous: httpx.AsyncClient,
) -> None:
    answer = await anonymous.get("/kalender")
    svg = answer.text[answer.text.index("<svg") : answer.text.index("</svg>")]

    assert 'role="img"' in svg
    assert "<title>QR-Code der Adresse" in svg
    assert "style" not in svg


async def test_doors_to_other_calendars_carry_our_address(
    database: Database, anonymous: httpx.AsyncClient
) -> None:
    await shown.a_group(database, "klima", name="AG Klima & Stadt")

    google = await anonymous.get("/zu/google?kalender=klima")
    outlook = await anonymous.get("/zu/m365?kalender=klima")
    query = parse_qs(urlsplit(outlook.headers["location"]).query)

    assert google.headers["location"] == (
        "https://calendar.google.com/calendar/r?cid="
        "webcal%3A%2F%2Flocalhost%3A8000%2Fics%2Fg%2Fklima%2Fklima.ics"
    )
    assert query["url"] == ["http://localhost:8000/ics/g/klima/klima.ics"]
    assert query["name"] == ["AG Klima & Stadt"]


async def test_doors_for_one_session_carry_its_time(
    database: Database, anonymous: httpx.AsyncClient
) -> None:
    meeting_id = await shown.a_meeting(database, await shown.a_group(database))
    slug = await slug_of(database, meeting_id)

    google = await anonymous.get(f"/zu/google?termin={slug}")
    outlook = await anonymous.get(f"/zu/outlook?termin={slug}")

    assert parse_qs(urlsplit(google.headers["location"]).query)["dates"] == [
        "20270311T090000Z/20270311T110000Z"
    ]
    assert parse_qs(urlsplit(outlook.headers["location"]).query)["startdt"] == [
        "2027-03-11T10:00:00+01:00"
    ]


@pytest.mark.parametrize("path", ["/zu/anderswo", "/zu/google?kalender=x", "/zu/google?termin=x"])
async def test_a_door_that_leads_nowhere_is_not_found(
    anonymous: httpx.AsyncClient, path: str
) -> None:
    answer = await anonymous.get(path)

    assert answer.status_code == 404


@pytest.mark.parametrize("path", ["/", "/vergangene-termine", "/kalender"])
async def test_the_pages_are_complete_in_english(
    database: Database, anonymous: httpx.AsyncClient, path: str
) -> None:
    await shown.a_meeting(database, await shown.a_group(database))

    answer = await anonymous.get(f"/en{path}")

    assert answer.status_code == 200
    assert '<html lang="en">' in answer.text
    assert "Termine filtern" not in answer.text


@pytest.mark.parametrize("path", ["/", "/vergangene-termine", "/kalender", "/termin/x"])
async def test_public_pages_load_nothing_from_elsewhere(
    anonymous: httpx.AsyncClient, path: str
) -> None:
    answer = await anonymous.get(path)

    assert "set-cookie" not in answer.headers
    assert not re.search(r'<(?:script|img|link|form)[^>]+(?:src|action)="https?:', answer.text)
    assert " style=" not in answer.text


async def test_robots_txt_200_allows_ics(anonymous: httpx.AsyncClient) -> None:
    answer = await anonymous.get("/robots.txt")

    assert answer.status_code == 200
    assert "/ics" not in answer.text
