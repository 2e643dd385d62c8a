"""Every macro in a real browser: accessible, inside the content policy, usable without scripts."""

import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, expect

from service.pages.assets import find
from tests.chromium import RULES, STEP_MILLISECONDS, needs_chromium
from tests.pages.specimens import STAFF, specimen, with_errors

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)
WATCH = """
window.refused = [];
document.addEventListener("securitypolicyviolation", (event) => {
  window.refused.push(`${event.violatedDirective} ${event.blockedURI}`);
});
"""
COUNT = """[...document.querySelectorAll("main input, main select")]
.filter((one) => one.checkVisibility()).length"""
SPACED = "* { line-height: 1.5; letter-spacing: .12em; word-spacing: .16em } p { margin: 2em 0 }"

pytestmark = needs_chromium


class Site(BaseHTTPRequestHandler):
    """Serves the specimen pages and the static files with the policy of the service."""

    pages: ClassVar[dict[str, str]] = {
        "/muster": specimen(),
        "/en/muster": specimen("en"),
        "/fehler": specimen(form=with_errors(), office=STAFF),
    }

    def do_GET(self) -> None:
        """Answer with a page, a file or 404."""
        page, asset = self.pages.get(self.path), find(self.path)
        self.send_response(200 if page or asset else 404)
        self.send_header("Content-Security-Policy", POLICY)
        kind = asset.content_type if asset else "text/html; charset=utf-8"
        body = asset.body if asset else (page or "").encode()
        if asset and asset.gzip_body:
            body = asset.gzip_body
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """Yield the address of a running site."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Site) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@asynccontextmanager
async def opened(browser: Browser, address: str, **options: Any) -> AsyncIterator[Page]:
    """Open an address in a fresh profile and wait until all of it is there."""
    context = await browser.new_context(**options)
    context.set_default_timeout(STEP_MILLISECONDS)
    page = await context.new_page()
    await page.add_init_script(WATCH)
    await page.goto(address, wait_until="load")
    # Lines break elsewhere while the letters are those of another font.
    await page.evaluate("document.fonts.ready.then(() => null)")
    yield page
    await context.close()


@pytest.mark.parametrize(
    ("path", "width", "theme"),
    [
        ("/muster", 320, "light"),
        ("/fehler", 1280, "dark"),
        pytest.param("/muster", 1280, "dark", marks=pytest.mark.long),
        pytest.param("/en/muster", 1280, "light", marks=pytest.mark.long),
        pytest.param("/fehler", 320, "light", marks=pytest.mark.long),
    ],
)
async def test_every_macro_is_accessible(
    chromium: Browser, site: str, path: str, width: int, theme: str
) -> None:
    view = {"width": width, "height": 900}
    async with opened(chromium, site + path, viewport=view, color_scheme=theme) as page:
        found = await Axe().run(page, options=RULES)
        overflow = await page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )

    assert [violation["id"] for violation in found.response["violations"]] == []
    assert overflow <= 0


async def test_nothing_is_refused_and_nothing_is_asked_of_others(
    chromium: Browser, site: str
) -> None:
    asked: list[str] = []
    context = await chromium.new_context()
    context.set_default_timeout(STEP_MILLISECONDS)
    page = await context.new_page()
    await page.add_init_script(WATCH)
    page.on("request", lambda request: asked.append(request.url))
    page.on("response", lambda response: asked.append(f"{response.status}"))
    await page.goto(f"{site}/fehler", wait_until="networkidle")
    refused = await page.evaluate("window.refused")
    await context.close()

    assert refused == []
    assert [one for one in asked if not one.startswith((site, "data:", "200"))] == []
    assert len([one for one in asked if one.startswith(site)]) <= 9


@pytest.mark.parametrize("scripts", [True, False])
async def test_the_error_summary_has_the_focus_and_leads_to_the_field(
    chromium: Browser, site: str, *, scripts: bool
) -> None:
    async with opened(chromium, f"{site}/fehler", java_script_enabled=scripts) as page:
        await expect(page.locator(":focus")).to_have_id("fehler")
        await page.get_by_role("link", name="Geben Sie die E-Mail-Adresse").click()
        await expect(page.locator(":focus")).to_have_id("f-email")


@pytest.mark.parametrize("scripts", [True, False])
async def test_fields_of_a_choice_show_while_it_is_chosen(
    chromium: Browser, site: str, *, scripts: bool
) -> None:
    async with opened(chromium, f"{site}/muster", java_script_enabled=scripts) as page:
        name = page.get_by_label("Wer vertritt Sie?")
        before = await name.is_visible()
        await page.get_by_label("Nein, aber ich werde vertreten").check()
        after = await name.is_visible()

    assert (before, after) == (False, True)


async def test_the_copy_button_appears_with_scripts_and_says_what_it_did(
    chromium: Browser, site: str
) -> None:
    async with opened(chromium, f"{site}/muster", java_script_enabled=False) as page:
        without = await page.locator("button[data-copy]").is_visible()
    async with opened(chromium, f"{site}/muster", permissions=["clipboard-read"]) as page:
        await page.get_by_role("button", name="Adresse kopieren").click()
        await page.locator("#meldung", has_text="Adresse kopiert").wait_for(state="attached")
        copied = await page.evaluate("navigator.clipboard.readText()")

    assert not without
    assert copied == "https://termine.example.org/ics/alle.ics"


async def test_leaving_a_half_typed_form_asks_first(chromium: Browser, site: str) -> None:
    asked: list[str] = []
    context = await chromium.new_context()
    context.set_default_timeout(STEP_MILLISECONDS)
    page = await context.new_page()
    await page.goto(f"{site}/muster", wait_until="networkidle")
    await page.get_by_label("Name", exact=True).fill("Erika")

    async def agree(dialog: Any) -> None:
        asked.append(dialog.type)
        await dialog.accept()

    page.on("dialog", agree)
    await page.goto(f"{site}/en/muster")
    await context.close()

    assert asked == ["beforeunload"]


async def test_the_menu_opens_on_a_phone_without_scripts(chromium: Browser, site: str) -> None:
    view = {"width": 320, "height": 640}
    async with opened(chromium, f"{site}/muster", viewport=view, java_script_enabled=False) as page:
        link = page.get_by_role("link", name="Kalender abonnieren")
        before = await link.is_visible()
        await page.get_by_text("Menü", exact=True).click()
        after = await link.is_visible()

    assert (before, after) == (False, True)


async def test_wide_text_spacing_and_large_letters_stay_on_the_page(
    chromium: Browser, site: str
) -> None:
    view = {"width": 320, "height": 640}
    async with opened(chromium, f"{site}/fehler", viewport=view, bypass_csp=True) as page:
        await page.add_style_tag(content=SPACED)
        overflow = await page.evaluate(
            "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        )

    assert overflow <= 0


async def test_controls_are_large_enough_to_hit(chromium: Browser, site: str) -> None:
    async with opened(chromium, f"{site}/fehler", viewport={"width": 320, "height": 640}) as page:
        small = await page.evaluate(
            """[...document.querySelectorAll("button, input:not([type=hidden]), select, summary")]
            .filter((one) => one.checkVisibility() && one.getBoundingClientRect().height < 24)
            .map((one) => one.outerHTML)"""
        )

    assert small == []


async def test_high_contrast_and_print_lose_no_control(chromium: Browser, site: str) -> None:
    async with opened(chromium, f"{site}/muster") as page:
        normal = await page.evaluate(COUNT)
        await page.emulate_media(forced_colors="active")
        contrast = await page.evaluate(COUNT)
        await page.emulate_media(media="print", forced_colors="none")
        printed = await page.evaluate(COUNT)
        header = await page.locator("header").is_visible()

    assert (normal, normal, False) == (contrast, printed, header)


RING = """() => {
  const one = document.activeElement;
  if (!one || one === document.body) return null;
  const style = getComputedStyle(one);
  const ring = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2;
  return [one.outerHTML.slice(0, 120), ring || style.boxShadow !== "none"];
}"""


async def test_whatever_the_keyboard_reaches_shows_that_it_is_there(
    chromium: Browser, site: str
) -> None:
    # A day has several stops; the last of them is the browser's own button with its own ring.
    seen: dict[str, bool] = {}
    async with opened(chromium, f"{site}/muster") as page:
        await page.keyboard.press("Tab")
        while found := await page.evaluate(RING):
            seen[found[0]] = seen.get(found[0], False) or found[1]
            await page.keyboard.press("Tab")

    assert len(seen) > 20
    assert [] == [one for one, shows in seen.items() if not shows]


async def test_a_table_on_a_phone_says_every_cell_with_its_column(
    chromium: Browser, site: str
) -> None:
    view = {"width": 320, "height": 640}
    async with opened(chromium, f"{site}/muster", viewport=view) as page:
        cells = page.locator("#next30 td[data-label]")
        seen = [await cell.bounding_box() for cell in await cells.all()]
        words = await cells.first.evaluate("one => getComputedStyle(one, '::before').content")
        role = await page.get_by_role("table", name="Nächste 30 Tage").count()

    assert seen
    assert [] == [box for box in seen if box is None or box["x"] + box["width"] > 320]
    assert "none" != words
    assert 1 == role
