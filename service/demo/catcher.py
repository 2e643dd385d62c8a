"""A mail server that delivers nothing: it keeps what went out, and a page shows it.

It listens on the loopback address only and lives as long as the demo.
"""

import asyncio
import email
import email.policy
import html
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from typing import Any
from urllib.parse import parse_qs

from aiosmtpd.smtp import SMTP, Envelope, Session

PREFIX = "/demo/post"
# The letters' own look needs its inline styles; nothing else may load.
_LETTER_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox"
_PAGE_POLICY = "default-src 'none'; style-src 'self'; font-src 'self'; img-src 'self' data:"


@dataclass(frozen=True, slots=True)
class Caught:
    """One letter as the mail server got it."""

    recipient: str
    sender: str
    raw: bytes
    caught_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def message(self) -> EmailMessage:
        """The letter, parsed."""
        parsed = email.message_from_bytes(self.raw, policy=email.policy.default)
        assert isinstance(parsed, EmailMessage)  # noqa: S101 - what this policy makes
        return parsed

    @property
    def subject(self) -> str:
        """The decoded subject line."""
        return str(self.message["Subject"])

    def part(self, *kinds: str) -> str:
        """Return the text of the first part of one of these media types, or nothing."""
        for part in self.message.walk():
            if part.get_content_type() in kinds:
                content = part.get_content()
                return content if isinstance(content, str) else content.decode()
        return ""


class MailCatcher:
    """The SMTP server and its box."""

    def __init__(self) -> None:
        self.letters: list[Caught] = []
        self.port = 0
        self._server: asyncio.Server | None = None
        self._arrival = asyncio.Event()

    async def start(self) -> None:
        """Listen on a free port of this machine."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: SMTP(self, loop=loop, enable_SMTPUTF8=True, hostname="localhost"),
            "127.0.0.1",
            0,
        )
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            self._server.close()

    async def handle_DATA(  # noqa: N802 - the server's name for it
        self, _server: SMTP, _session: Session, envelope: Envelope
    ) -> str:
        """Keep the letter."""
        content = envelope.original_content or b""
        for recipient in envelope.rcpt_tos:
            self.letters.append(Caught(recipient, envelope.mail_from or "", content))
        self._arrival.set()
        return f"250 2.0.0 kept as {len(self.letters)}"

    async def wait_for(
        self, wanted: Callable[[list[Caught]], bool], seconds: float
    ) -> list[Caught]:
        """Wait until the box satisfies the question or the time is up; return the box."""
        async with asyncio.timeout(seconds):
            while not wanted(self.letters):
                self._arrival.clear()
                await self._arrival.wait()
        return self.letters


def _table(letters: list[Caught], search: str) -> str:
    rows = [
        f"<tr><td>{letter.caught_at:%H:%M:%S}</td><td>{html.escape(letter.recipient)}</td>"
        f'<td><a href="{PREFIX}/{number}">{html.escape(letter.subject)}</a></td></tr>'
        for number, letter in reversed(list(enumerate(letters, 1)))
        if search in f"{letter.recipient} {letter.subject}".lower()
    ]
    return (
        "<table><caption>Briefe, neueste zuerst</caption><thead><tr><th scope=col>Zeit (UTC)</th>"
        "<th scope=col>An</th><th scope=col>Betreff</th></tr></thead><tbody>"
        + "".join(rows)
        + "</tbody></table>"
    )


def _page(title: str, body: str) -> str:
    return (
        f'<!DOCTYPE html><html lang="de"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width"></head>'
        f"<body><main><h1>{title}</h1>{body}</main></body></html>"
    )


def _list_page(letters: list[Caught], search: str) -> str:
    form = (
        f'<form action="{PREFIX}"><p><label for="suche">Adresse oder Betreff enthält</label> '
        f'<input id="suche" name="suche" value="{html.escape(search)}"> '
        "<button>Anzeigen</button></p></form>"
    )
    count = f'<p role="status">{len(letters)} Briefe sind angekommen. Keiner geht weiter.</p>'
    return _page("Postfach der Vorführung", count + form + _table(letters, search.lower()))


def _letter_page(number: int, letter: Caught) -> str:
    text = html.escape(letter.part("text/plain"))
    calendar = html.escape(letter.part("text/calendar", "application/ics"))
    headers = html.escape(f"An: {letter.recipient}\nBetreff: {letter.subject}")
    body = (
        f"<pre>{headers}</pre><p><a href='{PREFIX}/{number}/html'>Mit Formatierung</a> · "
        f"<a href='{PREFIX}/{number}/eml'>Wie übertragen</a> · <a href='{PREFIX}'>Alle</a></p>"
        f"<h2>Text</h2><pre>{_linked(text)}</pre>"
    )
    return _page("Brief", body + (f"<h2>Kalender</h2><pre>{calendar}</pre>" if calendar else ""))


def _linked(escaped: str) -> str:
    """Make the addresses of an escaped text clickable: the demo is there to click."""
    lines = []
    for line in escaped.split("\n"):
        bare = line.strip()
        if bare.startswith(("http://", "https://")) and " " not in bare:
            lines.append(line.replace(bare, f'<a href="{bare}">{bare}</a>'))
        else:
            lines.append(line)
    return "\n".join(lines)


def _answer(letters: list[Caught], path: str, query: str) -> tuple[int, str, str, bytes]:
    tail = path.removeprefix(PREFIX).strip("/").split("/")
    if tail == [""]:
        search = parse_qs(query).get("suche", [""])[0]
        return 200, "text/html; charset=utf-8", _PAGE_POLICY, _list_page(letters, search).encode()
    if not tail[0].isascii() or not tail[0].isdigit() or not 0 < int(tail[0]) <= len(letters):
        return 404, "text/plain; charset=utf-8", _PAGE_POLICY, b"Kein solcher Brief."
    letter = letters[int(tail[0]) - 1]
    if tail[1:] == ["html"]:
        return 200, "text/html; charset=utf-8", _LETTER_POLICY, letter.part("text/html").encode()
    if tail[1:] == ["eml"]:
        return 200, "text/plain; charset=utf-8", _PAGE_POLICY, letter.raw
    page = _letter_page(int(tail[0]), letter).encode()
    return 200, "text/html; charset=utf-8", _PAGE_POLICY, page


def with_box(application: Any, catcher: MailCatcher) -> Any:
    """Serve the box beside the product; the product itself knows nothing of it."""

    async def wrapped(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
            await application(scope, receive, send)
            return
        query = scope["query_string"].decode("latin-1")
        status, media_type, policy, body = _answer(catcher.letters, scope["path"], query)
        headers = [
            (b"content-type", media_type.encode()),
            (b"content-security-policy", policy.encode()),
            (b"x-content-type-options", b"nosniff"),
            (b"cache-control", b"no-store"),
        ]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    return wrapped
