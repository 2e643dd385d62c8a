"""Another site shows our list, in a real browser: two origins, with and without what it allows."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime

import httpx
import pytest
import pytest_asyncio
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, Route, expect

from service.database import Database
from service.services import Services
from service.web import embedding
from tests import shown
from tests.chromium import RULES, STEP_MILLISECONDS, needs_chromium
from tests.web.conftest import Clock, open_client, over_https

OURS, THEIRS = "https://termine.example.org", "https://www.example.org"
ALLOWED = f"default-src 'none'; script-src {OURS}; connect-src {OURS}; frame-src {OURS}"
ELEMENT = f"""<script type="module" src="{OURS}/einbetten/v1/termine.js"
  integrity="{embedding.element_sum()}" crossorigin></script>
<termin-liste src="{OURS}/einbetten/termine.json" heading-level="2"><a href="{OURS}/">Alle</a>
</termin-liste>"""
FRAME = (
    f'<iframe src="{OURS}/einbetten/termine" title="Termine" width="100%" height="600"></iframe>'
)

pytestmark = [*needs_chromium, pytest.mark.long]


@pytest.fixture
def clock() -> Clock:
    return Clock(datetime(2027, 1, 20, 9, 0, tzinfo=UTC))


@asynccontextmanager
async def their_page(
    browser: Browser, client: httpx.AsyncClient, body: str, policy: str, **options: object
) -> AsyncIterator[Page]:
    """Open a page of the other site; both sites answer without a network."""
    context = await browser.new_context(**options)  # type: ignore[arg-type]
    context.set_default_timeout(STEP_MILLISECONDS)

    async def answer_ours(route: Route) -> None:
        asked = route.request
        got = await client.request(asked.method, asked.url.removeprefix(OURS))
        headers = {k: v for k, v in got.headers.items() if k != "content-encoding"}
        await route.fulfill(status=got.status_code, headers=headers, body=got.content)

    async def answer_theirs(route: Route) -> None:
        page = f'<!DOCTYPE html><html lang="de"><title>Bündnis</title><main><h1>A</h1>{body}</main>'
        headers = {"content-type": "text/html; charset=utf-8", "content-security-policy": policy}
        await route.fulfill(headers=headers, body=page)

    await context.route(f"{OURS}/**", answer_ours)
    await context.route(f"{THEIRS}/**", answer_theirs)
    page = await context.new_page()
    await page.goto(f"{THEIRS}/", wait_until="networkidle")
    yield page
    await context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def ours(services: Services, database: Database, ready: None) -> Services:
    """Our side under its public address, with one date."""
    await shown.a_meeting(database, await shown.a_group(database), title="Hitze", slug="hitze")
    return over_https(services)


@pytest.mark.parametrize(
    ("policy", "scripts", "expected"),
    [
        (ALLOWED, True, ["Bündnis", "Arbeitsgruppen", "Sonstige"]),
        ("default-src 'self'", True, []),
        (ALLOWED, False, []),
    ],
)
async def test_the_element_fills_where_it_may_and_leaves_its_link_everywhere(
    chromium: Browser,
    ours: Services,
    policy: str,
    scripts: bool,  # noqa: FBT001 - a parameter of pytest
    expected: list[str],
) -> None:
    async with (
        open_client(ours) as client,
        their_page(chromium, client, ELEMENT, policy, java_script_enabled=scripts) as page,
    ):
        await expect(page.locator("termin-liste h2")).to_have_text(expected)
        link = await page.get_by_role("link", name="Alle").is_visible()
        found = await Axe().run(page, options=RULES) if expected else None

    assert link
    assert found is None or [each["id"] for each in found.response["violations"]] == []


@pytest.mark.parametrize(("origins", "expected"), [((THEIRS,), 1), (("https://x.example",), 0)])
async def test_the_frame_opens_on_configured_sites_only(
    chromium: Browser,
    ours: Services,
    origins: tuple[str, ...],
    expected: int,
) -> None:
    settings = replace(ours.settings, embed_origins=origins)
    async with (
        open_client(replace(ours, settings=settings)) as client,
        their_page(chromium, client, FRAME, ALLOWED) as page,
    ):
        await expect(page.frame_locator("iframe").get_by_text("Hitze")).to_have_count(expected)


async def test_normal_pages_refuse_to_be_framed(chromium: Browser, ours: Services) -> None:
    framed = FRAME.replace("/einbetten/termine", "/")
    async with (
        open_client(ours) as client,
        their_page(chromium, client, framed, ALLOWED) as page,
    ):
        is_there = await page.frame_locator("iframe").get_by_text("Hitze").count() > 0

    assert not is_there
