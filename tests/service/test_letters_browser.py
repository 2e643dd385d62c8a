"""HTML letters in a real browser: readable at both widths, by day and by night."""

from collections.abc import Sequence

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page

from tests.chromium import RULES, STEP_MILLISECONDS, needs_chromium
from tests.every_letter import EVERY, html_of

# A mail program puts a letter into its own landmarks, so those rules are not ours.
OURS = RULES | {"runOnly": [each for each in RULES["runOnly"] if each != "best-practice"]}
# One of each build; the long run looks at all, which differ from these in words only.
NAMES = (
    *("invitation_buttons", "change_asks_again", "welcome", "lost_links"),
    *("summary", "answer_differs_hybrid"),
)

pytestmark = needs_chromium


@pytest.mark.parametrize(
    "names", [NAMES, pytest.param(EVERY, marks=pytest.mark.long)], ids=["some", "all"]
)
async def test_letters_are_accessible_and_fit_by_day_and_by_night(
    chromium: Browser, names: Sequence[str]
) -> None:
    found = []
    for scheme in ("light", "dark"):
        page = await chromium.new_page(
            viewport={"width": 320, "height": 800},
            color_scheme=scheme,  # type: ignore[arg-type]
        )
        page.set_default_timeout(STEP_MILLISECONDS)
        for name in names:
            await page.set_content(html_of(name))
            results = await Axe().run(page, options=OURS)
            found += [(name, scheme, each["id"]) for each in results.response["violations"]]
            if await page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                found.append((name, scheme, "too wide"))
        await page.close()

    assert [] == found


async def test_every_address_in_a_letter_is_a_link_that_the_tab_key_reaches(
    chromium: Browser,
) -> None:
    page = await chromium.new_page(viewport={"width": 320, "height": 800})
    page.set_default_timeout(STEP_MILLISECONDS)
    found = []
    for name in ("lost_links", "digest", "invitation", "several", "reminder"):
        # So that the first press begins at the top.
        await page.goto("about:blank")
        await page.set_content(html_of(name))
        pressed = await _tabbed(page)
        words = await page.evaluate("document.body.innerText.match(/https?:\\S+/g) || []")
        links = await page.evaluate("[...document.links].map(a => a.getAttribute('href'))")
        found += [(name, each) for each in words if each not in links]
        found += [(name, len(pressed), links)] if len(pressed) != len(links) else []
    await page.close()

    assert [] == found


async def _tabbed(page: Page) -> set[int]:
    """Press the tab key through a letter, and return which of its links it stops at."""
    stops: set[int] = set()
    while True:
        await page.keyboard.press("Tab")
        at = await page.evaluate("[...document.links].indexOf(document.activeElement)")
        if at == -1 or at in stops:
            return stops
        stops.add(at)
