"""HTML letters in a real browser: readable at both widths, by day and by night."""

import html
import os
import re
import shutil

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import async_playwright

from service import phrasing, wording
from tests.occasions import OCCASIONS, VALUES, an_occasion

CHROMIUM = shutil.which("chromium")
# A mail program puts a letter into its own landmarks, so those rules are not ours.
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
NAMES = ("invitation", "change_asks_again", "cancellation", "receipt")

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(
        CHROMIUM is None and not os.environ.get("CI"),
        reason="chromium is not installed: nothing was looked at in a browser",
    ),
]


def _page(name: str) -> str:
    given = dict(OCCASIONS[name])
    written = wording.write_html(phrasing.phrase(an_occasion(given.pop("kind"), **given)))
    return re.sub("⟦([a-z_]+)⟧", lambda found: html.escape(VALUES[found[1]]), written)


async def test_letters_are_accessible_and_fit_by_day_and_by_night() -> None:
    found = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        for scheme in ("light", "dark"):
            page = await browser.new_page(
                viewport={"width": 320, "height": 800},
                color_scheme=scheme,  # type: ignore[arg-type]
            )
            for name in NAMES:
                await page.set_content(_page(name))
                results = await Axe().run(page, options=RULES)
                found += [(name, scheme, each["id"]) for each in results.response["violations"]]
                if await page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                    found.append((name, scheme, "too wide"))
        await browser.close()

    assert [] == found
