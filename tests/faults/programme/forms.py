"""Forms of invitations, opened as people do: each says for itself when it was opened."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

import httpx

from service import tokens
from service.demo.visitor import read_page
from service.setting_kinds import read_keys
from service.tokens import Purpose
from tests.faults.crew import BROKEN
from tests.faults.programme.pages import KEYS

AT_ONCE = 5
PAUSE_SECONDS = 0.2
BUTTONS = ("Antwort senden", "Antwort ändern")

Form = tuple[str, dict[str, str]]
"""Where it leads, and what stands in it."""


def path_of(handle: UUID, epoch: int) -> str:
    """Return the path of an invitation's link."""
    return f"/a/{tokens.derive(read_keys(KEYS), Purpose.ANSWER, handle, epoch)}"


async def open_all(base: str, paths: Sequence[str]) -> list[Form]:
    """Open each of these pages, some at a time, and return their forms."""
    gate = asyncio.Semaphore(AT_ONCE)
    async with httpx.AsyncClient(base_url=base, timeout=100) as client:

        async def open_one(path: str) -> Form:
            async with gate:
                while (opened := await client.get(path)).status_code >= BROKEN:
                    await asyncio.sleep(PAUSE_SECONDS)
                return path, _fields(opened)

        return list(await asyncio.gather(*map(open_one, paths)))


def _fields(opened: httpx.Response) -> dict[str, str]:
    page = read_page(str(opened.url), opened)
    form, (name, value) = page.form(next(each for each in BUTTONS if each in opened.text))
    return dict(form.fields) | ({name: value} if name else {})
