"""What other sites take of our list of dates: HTML, JSON, RSS, the frame and the element."""

import gzip
import html
import re
from dataclasses import replace
from datetime import UTC, datetime
from xml.etree import ElementTree as ET

import httpx
import pytest

from service import publishing
from service.database import Database
from service.pages import assets
from service.services import Services
from service.settings import Settings, SettingsError
from service.web import embedding
from tests import shown
from tests.web.conftest import Clock, open_client

NOW = datetime(2027, 1, 20, 9, 0, tzinfo=UTC)
# Other sites wrote this sum into their pages: whoever changes the file makes a /v2/ of it.
VERSION_1 = "sha384-Wqk3AUdAkw9yjHHmzD9G9IgsMQ5kmVZVoJL+Lzc6zLECefoaMoQ9fnHb2wISGhN8"
MONTH = {
    "state": "tentative",
    "date_precision": "month",
    "ends": datetime(2027, 7, 1),  # noqa: DTZ001 - a wall time
}


@pytest.fixture
def clock() -> Clock:
    return Clock(NOW)


async def three_dates(database: Database) -> None:
    """Add a session, one known by its month, and a cancelled one of the whole alliance."""
    group = await shown.a_group(database)
    whole = await shown.a_group(database, "buendnis", heading="alliance")
    await shown.a_meeting(database, group, title="Hitze & <Kühle>", slug="hitze")
    await shown.a_meeting(database, group, datetime(2027, 6, 1), title="Später", **MONTH)  # noqa: DTZ001
    await shown.a_meeting(database, whole, title="Treffen", state="cancelled", slug="treffen")


def headings(text: str) -> list[str]:
    return re.findall(r"<h3[^>]*>([^<]+)</h3>", text)


async def test_fragment_contains_the_three_headings_at_the_wanted_level(
    database: Database, anonymous: httpx.AsyncClient
) -> None:
    await three_dates(database)

    answer = await anonymous.get("/einbetten/termine.html?h=4")

    assert re.findall(r"<h4[^>]*>([^<]+)</h4>", answer.text) == [
        "Bündnis",
        "Arbeitsgruppen",
        "Sonstige",
    ]
    assert "Derzeit sind keine Termine geplant." in answer.text
    assert "Hitze &amp; &lt;Kühle&gt;" in answer.text
    assert 'href="http://localhost:8000/termin/hitze"' in answer.text
    assert "Voraussichtlich im Juni 2027" in answer.text
    assert "(abgesagt)" in answer.text


@pytest.mark.parametrize("sign", ["<script", "<style", "style=", 'class="kern', 'class="tb'])
async def test_fragment_brings_neither_script_nor_style(
    database: Database, anonymous: httpx.AsyncClient, sign: str
) -> None:
    await three_dates(database)

    answer = await anonymous.get("/einbetten/termine.html?vergangene=1")

    assert sign not in answer.text


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ("", ["Treffen", "Hitze & <Kühle>", "Später"]),
        ("?gruppe=klima", ["Hitze & <Kühle>", "Später"]),
        ("?anzahl=1&gruppe=klima", ["Hitze & <Kühle>"]),
        ("?anzahl=0&gruppe=klima", ["Hitze & <Kühle>"]),
        ("?ohne_voraussichtliche=1", ["Treffen", "Hitze & <Kühle>"]),
        ("?anzahl=viele&h=x", ["Treffen", "Hitze & <Kühle>", "Später"]),
    ],
)
async def test_another_site_gets_what_it_asks_for_and_never_an_error(
    database: Database, anonymous: httpx.AsyncClient, query: str, titles: list[str]
) -> None:
    await three_dates(database)

    answer = await anonymous.get(f"/einbetten/termine.json{query}")

    found = [item["title"] for part in answer.json()["sections"] for item in part["items"]]
    assert answer.status_code == 200
    assert titles == found


async def test_past_dates_come_last_and_empty_headings_leave_on_request(
    database: Database, anonymous: httpx.AsyncClient
) -> None:
    group = await shown.a_group(database)
    await shown.a_meeting(database, group, datetime(2027, 1, 4, 10), title="Vorbei", state="held")  # noqa: DTZ001

    answer = await anonymous.get("/einbetten/termine.html?vergangene=1&ohne_leere=1")

    assert headings(answer.text) == ["Vergangene Termine"]
    assert "Vorbei" in answer.text


async def test_nothing_but_public_dates_reaches_another_site(
    database: Database, anonymous: httpx.AsyncClient
) -> None:
    group = await shown.a_group(database)
    for visibility in ("internal", "link"):
        await shown.a_meeting(database, group, title="Geheim", visibility=visibility)
    await shown.a_meeting(database, group, title="Geheim", state="draft", slug=None)
    url = "https://meet.example.org/geheim"
    await shown.a_meeting(database, group, title="Offen", mode="online", online_url=url)

    pages = [
        (await anonymous.get(path)).text
        for path in ("/einbetten/termine.html", "/einbetten/termine.json", "/feeds/termine.rss")
    ]

    assert [False] * 3 == ["eheim" in page for page in pages]
    assert [True] * 3 == ["Offen" in page for page in pages]


async def test_a_moved_date_says_both_in_json(
    database: Database, anonymous: httpx.AsyncClient
) -> None:
    group = await shown.a_group(database)
    await shown.a_meeting(
        database,
        group,
        previous_starts_local=datetime(2027, 3, 4, 10),  # noqa: DTZ001
        previous_ends_local=datetime(2027, 3, 4, 12),  # noqa: DTZ001
    )

    answer = await anonymous.get("/einbetten/termine.json")
    item = answer.json()["sections"][1]["items"][0]

    assert item["date"] == "2027-03-11T10:00+01:00"
    assert item["when"] == "Donnerstag, 11. März 2027, 10:00 bis 12:00 Uhr"
    assert item["before"] == ("Verschoben, bisher: Donnerstag, 4. März 2027, 10:00 bis 12:00 Uhr")


async def test_twenty_dates_as_json_are_small(
    database: Database, anonymous: httpx.AsyncClient
) -> None:
    group = await shown.a_group(database)
    for month in range(20):
        day = datetime(2027 + month // 12, month % 12 + 1, 21, 10)  # noqa: DTZ001
        await shown.a_meeting(database, group, day, title=f"{month}. Arbeitsgruppensitzung Klima")

    answer = await anonymous.get("/einbetten/termine.json?anzahl=20")

    assert len(answer.json()["sections"][1]["items"]) == 20
    assert len(gzip.compress(answer.content)) <= 6 * 1024


@pytest.mark.parametrize(
    "path", ["/einbetten/termine.html", "/einbetten/termine.json", "/feeds/termine.rss"]
)
async def test_other_sites_may_keep_the_list_and_ask_whether_it_changed(
    database: Database, anonymous: httpx.AsyncClient, path: str
) -> None:
    await three_dates(database)
    first = await anonymous.get(path)

    again = await anonymous.get(path, headers={"if-none-match": first.headers["etag"]})

    assert (again.status_code, again.content) == (304, b"")
    assert first.headers["access-control-allow-origin"] == "*"
    assert first.headers["cross-origin-resource-policy"] == "cross-origin"
    assert first.headers["cache-control"] == "public, max-age=300, stale-if-error=86400"
    assert "set-cookie" not in first.headers


async def test_no_page_of_ours_is_open_to_other_origins(anonymous: httpx.AsyncClient) -> None:
    answer = await anonymous.get("/einbetten")

    assert "access-control-allow-origin" not in answer.headers
    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


# --- RSS -----------------------------------------------------------------------------------------


async def test_rss_tells_each_date_with_its_state_and_group(
    database: Database, anonymous: httpx.AsyncClient
) -> None:
    await three_dates(database)

    answer = await anonymous.get("/feeds/termine.rss")
    channel = ET.fromstring(answer.content)[0]  # noqa: S314 - our own bytes

    assert answer.headers["content-type"] == "application/rss+xml; charset=utf-8"
    assert channel.findtext("title") == "Termine – Bündnis"
    assert [one.findtext("title") for one in channel.findall("item")] == [
        "Treffen (abgesagt)",
        "Hitze & <Kühle>",
        "Später (voraussichtlich)",
    ]
    hitze = channel.findall("item")[1]
    assert hitze.findtext("link") == "http://localhost:8000/termin/hitze"
    assert hitze.findtext("category") == "Klima"
    assert hitze.findtext("pubDate") == "Tue, 01 Dec 2026 08:00:00 GMT"
    assert hitze.findtext("description") == (
        "Donnerstag, 11. März 2027, 10:00 bis 12:00 Uhr · Rathaus, Erfurt"
    )


async def test_rss_of_a_group_in_english_has_its_dates_only(
    database: Database, anonymous: httpx.AsyncClient
) -> None:
    await three_dates(database)

    answer = await anonymous.get("/en/feeds/buendnis.rss")
    channel = ET.fromstring(answer.content)[0]  # noqa: S314 - our own bytes

    assert channel.findtext("title") == "Meetings Buendnis – Bündnis"
    assert channel.findtext("language") == "en"
    assert [one.findtext("title") for one in channel.findall("item")] == ["Treffen (cancelled)"]


async def test_rss_stays_xml_whatever_stands_in_a_title(
    database: Database, anonymous: httpx.AsyncClient
) -> None:
    group = await shown.a_group(database)
    await shown.a_meeting(database, group, title="A\x0bB\ufffe]]>&amp;\u2028C")

    answer = await anonymous.get("/feeds/termine.rss")
    channel = ET.fromstring(answer.content)[0]  # noqa: S314 - our own bytes

    assert channel.findtext("item/title") == "AB]]>&amp;\nC"


@pytest.mark.parametrize("name", ["gibt-es-nicht.rss", "termine.xml", "klima", ".rss"])
async def test_a_feed_that_is_not_there_says_so(anonymous: httpx.AsyncClient, name: str) -> None:
    answer = await anonymous.get(f"/feeds/{name}")

    assert answer.status_code == 404


# --- frame and element ---------------------------------------------------------------------------


async def test_the_frame_opens_for_the_configured_sites_only(
    services: Services, ready: None
) -> None:
    origins = ("https://www.example.org", "https://intern.example.org")
    settings = replace(services.settings, embed_origins=origins)
    async with open_client(replace(services, settings=settings)) as client:
        answer = await client.get("/einbetten/termine")

    policy = answer.headers["content-security-policy"]

    assert "frame-ancestors https://www.example.org https://intern.example.org" in policy
    assert "script-src" not in policy


async def test_the_frame_stays_shut_while_no_site_is_configured(
    anonymous: httpx.AsyncClient,
) -> None:
    answer = await anonymous.get("/einbetten/termine")

    assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


def test_origins_of_frames_are_read_with_commas() -> None:
    given = "https://www.example.org/, https://intern.example.org:8443"
    expected = ("https://www.example.org", "https://intern.example.org:8443")

    assert expected == Settings.read({"TERMINBUCH_EMBED_ORIGINS": given}).embed_origins


@pytest.mark.parametrize(
    "given", ["*", "www.example.org", "https://a.example/x", "https://a.example; script-src *", ","]
)
def test_what_is_no_origin_reaches_no_policy(given: str) -> None:
    with pytest.raises(SettingsError, match="TERMINBUCH_EMBED_ORIGINS must be addresses"):
        Settings.read({"TERMINBUCH_EMBED_ORIGINS": given})


async def test_links_lead_out_of_the_frame(
    database: Database, anonymous: httpx.AsyncClient
) -> None:
    await three_dates(database)

    answer = await anonymous.get("/einbetten/termine")
    links = re.findall(r"<a [^>]*>", answer.text)

    assert len(links) == 4
    assert [link for link in links if 'target="_top"' not in link] == []


async def test_the_element_never_changes_under_its_address(anonymous: httpx.AsyncClient) -> None:
    answer = await anonymous.get("/einbetten/v1/termine.js")

    assert VERSION_1 == embedding.element_sum()
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "immutable" in answer.headers["cache-control"]


def test_the_element_weighs_four_kilobytes_at_most() -> None:
    asset = assets.find(assets.static_urls()["embed/termine.js"])

    assert asset is not None
    assert len(gzip.compress(asset.body, 9)) <= 4 * 1024


# --- the page for web editors --------------------------------------------------------------------


def lines_of(page: httpx.Response, name: str) -> str:
    found = re.search(rf'<textarea[^>]*id="{name}"[^>]*>\n(.*?)</textarea>', page.text, re.DOTALL)
    assert found is not None
    return html.unescape(found[1])


@pytest.mark.parametrize(
    ("query", "lines"),
    [
        ("", "http://localhost:8000/einbetten/termine.html"),
        (
            "?art=html&gruppe=klima&anzahl=5&h=4&vergangene=1",
            "http://localhost:8000/einbetten/termine.html?gruppe=klima&anzahl=5&vergangene=1&h=4",
        ),
        ("?art=json&sprache=en", "http://localhost:8000/en/einbetten/termine.json"),
        ("?art=rss&gruppe=klima", "http://localhost:8000/feeds/klima.rss"),
        ("?art=rss", "http://localhost:8000/feeds/termine.rss"),
    ],
)
async def test_the_page_gives_the_address_of_the_chosen_list(
    database: Database, anonymous: httpx.AsyncClient, query: str, lines: str
) -> None:
    await three_dates(database)

    page = await anonymous.get(f"/einbetten{query}")
    answer = await anonymous.get(lines)

    assert lines == lines_of(page, "zeilen")
    assert answer.status_code == 200


async def test_the_lines_of_a_calendar_are_addresses_that_answer(
    database: Database, anonymous: httpx.AsyncClient
) -> None:
    await three_dates(database)
    await publishing.ensure_all_feeds(database)

    page = await anonymous.get("/einbetten?art=ics&gruppe=klima&gruppe=buendnis")
    answers = [await anonymous.get(line) for line in lines_of(page, "zeilen").split("\n")]

    assert [200, 200] == [answer.status_code for answer in answers]


async def test_the_lines_of_the_element_carry_its_sum_and_its_policy(
    database: Database, anonymous: httpx.AsyncClient
) -> None:
    await three_dates(database)

    page = await anonymous.get("/einbetten?art=element&gruppe=klima&anzahl=3")
    lines = lines_of(page, "zeilen")

    assert f'integrity="{VERSION_1}"' in lines
    assert 'termine.json?gruppe=klima&amp;anzahl=3"' in lines
    assert lines_of(page, "csp") == (
        "script-src http://localhost:8000; connect-src http://localhost:8000"
    )
    assert "Cookies werden nicht gesetzt." in lines_of(page, "satz")


async def test_the_page_shows_what_holds_where_nothing_was_chosen(
    anonymous: httpx.AsyncClient,
) -> None:
    page = await anonymous.get("/en/einbetten")

    assert re.findall(r'name="(anzahl|h)"[^>]* value="(\d+)"', page.text) == [
        ("anzahl", "10"),
        ("h", "3"),
    ]
    assert re.findall(r'<option value="(\w+)" selected', page.text) == ["en"]
    assert re.findall(r'name="art" value="(\w+)" checked', page.text) == ["html"]


async def test_the_page_says_that_frames_are_not_open_yet(anonymous: httpx.AsyncClient) -> None:
    page = await anonymous.get("/einbetten?art=frame")

    assert "TERMINBUCH_EMBED_ORIGINS" in page.text


async def test_an_odd_number_is_explained_and_the_lines_stay_usable(
    anonymous: httpx.AsyncClient,
) -> None:
    page = await anonymous.get("/einbetten?anzahl=99&h=1")

    assert page.status_code == 422
    assert "Geben Sie eine Zahl von 1 bis 20 ein." in page.text
    assert lines_of(page, "zeilen") == "http://localhost:8000/einbetten/termine.html"


async def test_the_public_list_leads_to_rss_and_to_the_page_about_embedding(
    anonymous: httpx.AsyncClient,
) -> None:
    page = await anonymous.get("/")

    assert 'href="/feeds/termine.rss"' in page.text
    assert 'href="/einbetten"' in page.text
