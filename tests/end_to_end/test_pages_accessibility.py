"""Every page of the product in Chromium: accessibility rules, width, heading, forms that refuse."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from service.pages.catalogue import texts
from tests.chromium import needs_chromium
from tests.end_to_end.browser import Visit, overflow, violations, visiting
from tests.end_to_end.pages import (
    ABSENT,
    OFFICE,
    PRESSED,
    PUBLIC,
    REFUSED,
    Seeded,
    seed,
)
from tests.end_to_end.stage import Demo

pytestmark = [*needs_chromium, pytest.mark.xdist_group("demo")]

# Each two of theme, width and language meet in one of these.
LOOKS = [
    ("light", 320, "de"),
    ("dark", 1280, "de"),
    ("light", 1280, "en"),
    ("dark", 320, "en"),
]
# The first button below a form; the form of a session has one for looking at the day before it.
SENDS = "main form.tb-form > .tb-buttons button:first-child"
EVERY_PAGE = [*PUBLIC, *OFFICE, *ABSENT]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def seeded(demo: Demo) -> Seeded:
    return await seed(demo)


async def go_to(visit: Visit, seeded: Seeded, path: str, look: tuple[str, int, str]) -> None:
    theme, width, locale = look
    await visit.page.set_viewport_size({"width": width, "height": 900})
    await visit.page.emulate_media(color_scheme=theme)
    prefix = "/en" if locale == "en" else ""
    answer = await visit.page.goto(visit.base + prefix + seeded.fill(path), wait_until="load")
    assert answer is not None
    assert ABSENT.get(path, 200) == answer.status


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def readers(
    demo: Demo, chromium: Browser, seeded: Seeded
) -> AsyncIterator[tuple[Visit, Visit]]:
    """Somebody from the office and somebody else, who go from page to page.

    A profile of its own for each page would cost more than the look at it.
    """
    async with visiting(chromium, demo.base) as office, visiting(chromium, demo.base) as anybody:
        await office.context.add_cookies([seeded.cookie(demo.base)])
        yield office, anybody


async def open_for(
    readers: tuple[Visit, Visit], seeded: Seeded, path: str, look: tuple[str, int, str]
) -> Visit:
    """Let the one of them who may see it open a page, with a theme, width and language."""
    visit = readers[0 if path.startswith("/buero") else 1]
    await go_to(visit, seeded, path, look)
    return visit


async def look_at(
    readers: tuple[Visit, Visit], seeded: Seeded, path: str, look: tuple[str, int, str]
) -> list[str]:
    """Return what is wrong with a page in a look."""
    visit = await open_for(readers, seeded, path, look)
    found = await faults(visit.page, look[1])
    visit.assert_nothing_unwanted()
    return found


async def faults(page: Page, width: int) -> list[str]:
    """Return everything that is wrong with a page, in words."""
    found = await violations(page)
    if (count := await page.locator("h1").count()) != 1:
        found.append(f"{count} headings of the first level")
    if not (await page.title()).strip():
        found.append("no title")
    if width == 320 and (wider := await overflow(page)) > 0:
        found.append(f"{wider} pixels too wide")
    return found


@pytest.mark.parametrize("number", range(0, len(EVERY_PAGE), 11), ids=lambda n: EVERY_PAGE[n])
async def test_every_eleventh_page_breaks_no_rule_in_one_look(
    readers: tuple[Visit, Visit], seeded: Seeded, number: int
) -> None:
    path, look = EVERY_PAGE[number], LOOKS[number // 11 * 3 % len(LOOKS)]
    found = await look_at(readers, seeded, path, look)

    assert [] == found


@pytest.mark.long
@pytest.mark.parametrize("look", LOOKS, ids=lambda look: "-".join(map(str, look)))
@pytest.mark.parametrize("path", EVERY_PAGE)
async def test_no_page_breaks_a_rule_in_any_look(
    readers: tuple[Visit, Visit], seeded: Seeded, path: str, look: tuple[str, int, str]
) -> None:
    found = await look_at(readers, seeded, path, look)

    assert [] == found


async def test_the_page_of_a_session_fits_a_phone_whose_text_is_twice_as_large(
    readers: tuple[Visit, Visit], seeded: Seeded
) -> None:
    visit, _ = readers
    await go_to(visit, seeded, "/buero/termin/{confirmed}", LOOKS[0])
    await visit.page.evaluate("document.documentElement.style.fontSize = '200%'")

    assert await overflow(visit.page) <= 0


@pytest.mark.parametrize("locale", ["de", "en"])
async def test_the_state_of_each_letter_is_seen_without_scrolling_on_a_tablet(
    readers: tuple[Visit, Visit], seeded: Seeded, locale: str
) -> None:
    visit, _ = readers
    await go_to(visit, seeded, "/buero/versand", ("light", 768, locale))
    page = visit.page
    badges = page.locator("#versand .kern-badge")
    table = await page.locator(".tb-scroll:has(#versand)").bounding_box()
    boxes = [await badge.bounding_box() for badge in await badges.all()]

    assert table is not None
    assert boxes
    ends = [box["x"] + box["width"] for box in boxes if box is not None]
    assert max(ends) <= table["x"] + table["width"]


@pytest.mark.parametrize(
    "number",
    [
        pytest.param(n, marks=pytest.mark.long if n % 2 else (), id=path)
        for n, path in enumerate(REFUSED)
    ],
)
async def test_a_form_says_what_is_missing_and_leads_there(
    readers: tuple[Visit, Visit], seeded: Seeded, number: int
) -> None:
    path, look = [*REFUSED][number], LOOKS[number * 3 % len(LOOKS)]
    visit = await open_for(readers, seeded, path, look)
    page = visit.page
    for name, value in REFUSED[path].items():
        await page.locator(f"#f-{name}").fill(value)
    async with page.expect_navigation() as navigation:
        await page.locator(SENDS).last.click()
    answer = await navigation.value
    focus = await page.locator(":focus").get_attribute("id")
    links = await page.locator("#fehler a").all()
    targets = [await link.get_attribute("href") or "" for link in links]
    missing = [target for target in targets if await page.locator(target).count() != 1]
    title, found = await page.title(), await faults(page, look[1])
    visit.assert_nothing_unwanted()

    assert (422, "fehler") == (answer.status, focus)
    assert targets
    assert [] == missing
    assert title.startswith(texts(look[2]).t("err.field_prefix"))
    assert [] == found


@pytest.mark.parametrize("number", range(len(PRESSED)), ids=lambda n: [*PRESSED][n])
async def test_what_a_button_shows_breaks_no_rule(
    readers: tuple[Visit, Visit], seeded: Seeded, number: int
) -> None:
    path, look = [*PRESSED][number], LOOKS[number * 3 % len(LOOKS)]
    visit = await open_for(readers, seeded, path, look)
    async with visit.page.expect_navigation() as navigation:
        await visit.page.locator(PRESSED[path]).click()
    answer = await navigation.value
    found = await faults(visit.page, look[1])
    visit.assert_nothing_unwanted()

    assert 200 == answer.status
    assert [] == found
