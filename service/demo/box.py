"""The demo's letter box as pages beside the product, which itself knows nothing of it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

from service import furnishing
from service.demo.catcher import Caught, MailCatcher
from service.pages.rendering import localised, split_locale
from service.services import Services
from service.web.headers import CONTENT_SECURITY_POLICY

PREFIX = "/demo/post"
# The letters' own look needs its inline styles; nothing else may load.
_LETTER_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"
_NUMBER = re.compile("[0-9]{1,6}")


@dataclass(frozen=True, slots=True)
class _Answer:
    """What the box says to one request."""

    status: int
    body: bytes
    media_type: str = "text/html; charset=utf-8"
    policy: str = CONTENT_SECURITY_POLICY


class Box:
    """Shows what the catcher holds, in the frame of the product's pages."""

    def __init__(self, services: Services, catcher: MailCatcher) -> None:
        self._services = services
        self._letters = catcher.letters

    async def answer(self, path: str, query: str) -> _Answer:
        """Answer a request for the list, for one letter, or for one of its forms."""
        locale, tail = split_locale(path)
        instance = (await furnishing.look(self._services.database)).instance
        frame = {"locale": locale, "path": tail, "instance": instance}
        number, _, form = tail.removeprefix(PREFIX).strip("/").partition("/")
        if not number:
            return self._list(frame, parse_qs(query).get("suche", [""])[0])
        if not _NUMBER.fullmatch(number) or not 0 < int(number) <= len(self._letters):
            return self._missing(frame)
        return self._letter(frame, int(number), form)

    def _list(self, frame: dict[str, Any], search: str) -> _Answer:
        numbered = reversed(list(enumerate(self._letters, 1)))
        found = [(number, letter) for number, letter in numbered if _matches(letter, search)]
        count = len(self._letters)
        return self._page(frame, "demo/box.html", letters=found, count=count, search=search)

    def _letter(self, frame: dict[str, Any], number: int, form: str) -> _Answer:
        letter = self._letters[number - 1]
        if form == "html":
            return _Answer(200, letter.part("text/html").encode(), policy=_LETTER_POLICY)
        if form == "eml":
            return _Answer(200, letter.raw, "text/plain; charset=utf-8")
        return self._page(
            frame,
            "demo/letter.html",
            number=number,
            letter=letter,
            lines=list(_with_links(letter.part("text/plain"))),
            calendar=letter.part("text/calendar", "application/ics"),
        )

    def _missing(self, frame: dict[str, Any]) -> _Answer:
        return self._page(frame, "demo/no_letter.html", status=404)

    def _page(
        self, frame: dict[str, Any], template: str, *, status: int = 200, **context: Any
    ) -> _Answer:
        page = self._services.pages.render(template, **frame, **context)
        return _Answer(status, page.encode())


def with_box(application: Any, services: Services, catcher: MailCatcher) -> Any:
    """Serve the box beside the product."""
    box = Box(services, catcher)
    prefixes = (PREFIX, localised(PREFIX, "en"))

    async def wrapped(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(prefixes):
            await application(scope, receive, send)
            return
        answer = await box.answer(scope["path"], scope["query_string"].decode("latin-1"))
        headers = [
            (b"content-type", answer.media_type.encode()),
            (b"content-security-policy", answer.policy.encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"cache-control", b"no-store"),
        ]
        start = {"type": "http.response.start", "status": answer.status, "headers": headers}
        await send(start)
        await send({"type": "http.response.body", "body": answer.body})

    return wrapped


def _matches(letter: Caught, search: str) -> bool:
    return search.lower() in f"{letter.recipient} {letter.subject}".lower()


def _with_links(text: str) -> Iterator[tuple[str, bool]]:
    """Take a text apart; lines that are nothing but an address can be clicked."""
    for line in text.replace("\r\n", "\n").splitlines(keepends=True):
        bare = line.strip()
        if bare.startswith(("http://", "https://")) and " " not in bare:
            indent, _, rest = line.partition(bare)
            yield from ((indent, False), (bare, True), (rest, False))
        else:
            yield line, False
