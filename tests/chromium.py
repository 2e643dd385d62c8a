"""The distribution's Chromium: one of it serves all browser tests of a worker."""

import os
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Browser, async_playwright, expect

CHROMIUM = shutil.which("chromium")
# Of what holds a page is told as briefly as can be: the whole of it takes longer than the look.
RULES = {
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    "resultTypes": ["violations"],
}
# In containers the memory that processes share is often too small for a page.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-dev-shm-usage",
]
# Two cores are shared with a database, a server and other tests.
STEP_MILLISECONDS = 100_000
# What is expected of a page waits five seconds otherwise, whatever its context says.
expect.set_options(timeout=STEP_MILLISECONDS)
LAUNCH_MILLISECONDS = 300_000

needs_chromium = [
    pytest.mark.browser,
    # In the gate a missing browser is a failure and not a reason to look at nothing.
    pytest.mark.skipif(
        CHROMIUM is None and not os.environ.get("CI"),
        reason="chromium is not installed: nothing was looked at in a browser",
    ),
]


@asynccontextmanager
async def launched() -> AsyncIterator[Browser]:
    """Start Chromium and end it."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=CHROMIUM, args=ARGUMENTS, timeout=LAUNCH_MILLISECONDS
        )
        yield browser
        await browser.close()
