"""A visitor without a screen: opens pages, fills in forms as a browser would, follows links.

The demo's check walks the product with it; what it cannot find on a page, a person could not
find either.
"""

from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urlencode, urljoin

import httpx


class LostError(Exception):
    """The page does not hold what the next step needs."""


@dataclass(slots=True)
class Form:
    """One form of a page: where it goes and what it would send."""

    action: str
    method: str
    fields: list[tuple[str, str]] = field(default_factory=list)
    buttons: list[tuple[str, str, str]] = field(default_factory=list)
    choices: dict[str, list[str]] = field(default_factory=dict)


class _Reader(HTMLParser):
    """Collects forms, links and text of a page."""

    def __init__(self, address: str) -> None:
        super().__init__()
        self.address = address
        self.forms: list[Form] = []
        self.links: list[tuple[str, str]] = []
        self.words: list[str] = []
        self._form: Form | None = None
        self._button: dict[str, str] | None = None
        self._link: str | None = None
        self._select: str | None = None
        self._area: str | None = None
        self._text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            action = urljoin(self.address, given.get("action", "") or self.address)
            self._form = Form(action, given.get("method", "get").lower())
            self.forms.append(self._form)
        elif tag == "a" and "href" in given:
            self._link, self._text = urljoin(self.address, given["href"]), []
        elif self._form is not None:
            self._start_control(self._form, tag, given)

    def _start_control(self, form: Form, tag: str, given: dict[str, str]) -> None:
        name = given.get("name", "")
        if tag == "button":
            self._button, self._text = given, []
        elif tag == "select":
            self._select = name
        elif tag == "option" and self._select:
            self._option(form, self._select, given)
        elif tag == "textarea":
            self._area, self._text = name, []
        elif tag == "input" and name:
            self._input(form, name, given)

    def _option(self, form: Form, name: str, given: dict[str, str]) -> None:
        form.choices.setdefault(name, []).append(given.get("value", ""))
        if "selected" in given or len(form.choices[name]) == 1:
            form.fields = [pair for pair in form.fields if pair[0] != name]
            form.fields.append((name, given.get("value", "")))

    def _input(self, form: Form, name: str, given: dict[str, str]) -> None:
        kind, value = given.get("type", "text"), given.get("value", "")
        if kind in {"radio", "checkbox"}:
            form.choices.setdefault(name, []).append(value or "on")
            if "checked" in given:
                form.fields.append((name, value or "on"))
        elif kind == "submit":
            form.buttons.append((value, name, value))
        elif kind != "file":
            form.fields.append((name, value))

    def handle_endtag(self, tag: str) -> None:
        text = " ".join("".join(self._text).split())
        if tag == "form":
            self._form = None
        elif tag == "a" and self._link is not None:
            self.links.append((text, self._link))
            self._link = None
        elif tag == "button" and self._button is not None and self._form is not None:
            given, self._button = self._button, None
            self._form.buttons.append((text, given.get("name", ""), given.get("value", "")))
        elif tag == "select":
            self._select = None
        elif tag == "textarea" and self._area is not None and self._form is not None:
            # HTML drops one newline directly after the start tag.
            self._form.fields.append((self._area, "".join(self._text).removeprefix("\n")))
            self._area = None

    def handle_data(self, data: str) -> None:
        self.words.append(data)
        self._text.append(data)


@dataclass(slots=True)
class Page:
    """One page as a visitor sees it."""

    address: str
    status: int
    headers: httpx.Headers
    text: str
    forms: list[Form]
    links: list[tuple[str, str]]

    def link(self, words: str) -> str:
        """Return the address behind the first link whose text holds the words."""
        for text, address in self.links:
            if words in text:
                return address
        raise LostError(f"no link “{words}” on {self.status} {self.text[:300]!r}")

    def form(self, button: str) -> tuple[Form, tuple[str, str]]:
        """Return the form that has a button with these words, and what the button sends."""
        for form in self.forms:
            for text, name, value in form.buttons:
                if button in text:
                    return form, (name, value)
        offered = [text for form in self.forms for text, _, _ in form.buttons]
        raise LostError(f"no button “{button}”, only {offered} on {self.text[:300]!r}")


def read_page(address: str, answer: httpx.Response) -> Page:
    """Read an HTML answer."""
    reader = _Reader(address)
    reader.feed(answer.text)
    text = " ".join(" ".join(reader.words).split())
    return Page(address, answer.status_code, answer.headers, text, reader.forms, list(reader.links))


class Visitor:
    """Keeps cookies, follows redirects, sends what a browser's form would send."""

    def __init__(self, base: str) -> None:
        self.base = base
        self._client = httpx.AsyncClient(base_url=base, follow_redirects=True, timeout=100)

    async def open(self, address: str) -> Page:
        """Open an address or a path."""
        answer = await self._client.get(address)
        return read_page(str(answer.url), answer)

    async def fetch(self, address: str, **headers: str) -> httpx.Response:
        """Fetch without reading it as a page, for feeds and files."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self._client.get(address, headers=named)

    async def press(self, page: Page, button: str, **entries: str) -> Page:
        """Fill in the form with that button and press it."""
        form, (name, value) = page.form(button)
        known = {field for field, _ in form.fields} | set(form.choices)
        if unknown := set(entries) - known:
            raise LostError(f"no fields {sorted(unknown)} in the form of “{button}”: {known}")
        sent = [pair for pair in form.fields if pair[0] not in entries]
        sent += list(entries.items())
        if name:
            sent.append((name, value))
        if form.method == "get":
            answer = await self._client.get(form.action, params=httpx.QueryParams(urlencode(sent)))
        else:
            # A plain dictionary of lists keeps repeated names, as browsers send them.
            body: dict[str, list[str]] = {}
            for field_name, text in sent:
                body.setdefault(field_name, []).append(text)
            answer = await self._client.post(
                form.action,
                data=body,
                headers={"Origin": self.base, "Sec-Fetch-Site": "same-origin"},
            )
        return read_page(str(answer.url), answer)

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()
