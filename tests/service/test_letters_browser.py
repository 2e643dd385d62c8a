"""HTML letters in a real browser: readable at both widths, by day and by night."""

import html
import re

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser

from service import joint_letters, phrasing, wording
from tests.chromium import RULES, needs_chromium
from tests.occasions import JOINT, OCCASIONS, VALUES, a_joint_letter, an_occasion

# A mail program puts a letter into its own landmarks, so those rules are not ours.
OURS = RULES | {"runOnly": [each for each in RULES["runOnly"] if each != "best-practice"]}
NAMES = ("invitation", "change_asks_again", "cancellation", "receipt", "several", "welcome")

pytestmark = needs_chromium


def _page(name: str) -> str:
    if name in JOINT:
        words = joint_letters.phrase(*a_joint_letter(name, "de"))
    else:
        given = dict(OCCASIONS[name])
        words = phrasing.phrase(an_occasion(given.pop("kind"), **given))
    written = wording.write_html(words)
    return re.sub("⟦([a-z_0-9]+)⟧", lambda found: html.escape(VALUES[found[1]]), written)


async def test_letters_are_accessible_and_fit_by_day_and_by_night(chromium: Browser) -> None:
    found = []
    for scheme in ("light", "dark"):
        page = await chromium.new_page(
            viewport={"width": 320, "height": 800},
            color_scheme=scheme,  # type: ignore[arg-type]
        )
        for name in NAMES:
            await page.set_content(_page(name))
            results = await Axe().run(page, options=OURS)
            found += [(name, scheme, each["id"]) for each in results.response["violations"]]
            if await page.evaluate("document.documentElement.scrollWidth > innerWidth"):
                found.append((name, scheme, "too wide"))
        await page.close()

    assert [] == found
