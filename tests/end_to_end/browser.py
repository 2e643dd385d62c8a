"""Chromium as people use it, with a journal of everything that must not happen on the way."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    Request,
    Response,
)

from tests.chromium import RULES, STEP_MILLISECONDS

# Where scripts run, a refusal is an event; where they do not, the console still tells of it.
_WATCH = """
document.addEventListener("securitypolicyviolation", (event) => {
  console.error(`refused by the policy: ${event.violatedDirective} ${event.blockedURI}`);
});
"""
# A page may say by its status that a form was refused or that nothing is there; the console repeats
# that. What a page loads must be there, and is watched by itself.
_EXPECTED = "the server responded with a status of 4"


@dataclass
class Visit:
    """One person's browser profile, and what happened in it."""

    base: str
    context: BrowserContext
    page: Page
    faults: list[str] = field(default_factory=list)
    _answers: list[Response] = field(default_factory=list)

    async def open(self, address: str) -> Page:
        """Open a path of the product, or a whole address."""
        whole = address if address.startswith("http") else self.base + address
        await self.page.goto(whole, wait_until="load")
        return self.page

    async def cookies(self) -> list[Any]:
        """Return what the browser keeps."""
        return list(await self.context.cookies())

    async def setters(self) -> list[str]:
        """Return the paths of all pages so far that set a cookie."""
        return [
            answer.url.removeprefix(self.base)
            for answer in self._answers
            if await answer.header_value("set-cookie")
        ]

    def assert_nothing_unwanted(self) -> None:
        """Fail with what must not have happened since the last look at it."""
        faults, self.faults = self.faults, []
        assert [] == faults, faults

    def watch(self) -> None:
        """Write down foreign requests, errors of scripts and refusals of the policy."""
        self.page.on("request", self._see_request)
        self.page.on("response", self._see_answer)
        self.page.on("console", self._see_message)
        self.page.on("pageerror", lambda error: self.faults.append(f"script: {error}"))

    def _see_request(self, request: Request) -> None:
        if not request.url.startswith((f"{self.base}/", "data:")):
            self.faults.append(f"asked a stranger: {request.url}")

    def _see_answer(self, answer: Response) -> None:
        if answer.request.is_navigation_request():
            self._answers.append(answer)
        elif answer.status >= 400:
            self.faults.append(f"{answer.status} {answer.url}")
        if answer.status >= 500:
            self.faults.append(f"{answer.status} {answer.url}")

    def _see_message(self, message: ConsoleMessage) -> None:
        if message.type == "error" and _EXPECTED not in message.text:
            self.faults.append(f"console: {message.text}")


@asynccontextmanager
async def visiting(browser: Browser, base: str, **options: Any) -> AsyncIterator[Visit]:
    """Open a fresh profile; at the end nothing unwanted may have happened in it."""
    context = await browser.new_context(**options)
    context.set_default_timeout(STEP_MILLISECONDS)
    visit = Visit(base, context, await context.new_page())
    await visit.page.add_init_script(_WATCH)
    visit.watch()
    try:
        yield visit
        visit.assert_nothing_unwanted()
    finally:
        await context.close()


async def violations(page: Page) -> list[str]:
    """Return the broken accessibility rules of a page, each with the first places."""
    found = await Axe().run(page, options=RULES)
    return [
        f"{rule['id']}: " + " | ".join(str(node["target"]) for node in rule["nodes"][:3])
        for rule in found.response["violations"]
    ]


async def overflow(page: Page) -> int:
    """Return by how many pixels the page is wider than the window."""
    wider: int = await page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    return wider
