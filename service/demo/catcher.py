"""A mail server that delivers nothing: it keeps what went out.

It listens on the loopback address only and lives as long as the demo.
"""

import asyncio
import email
import email.policy
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from functools import cached_property

from aiosmtpd.smtp import SMTP, Envelope, Session


@dataclass(frozen=True)
class Caught:
    """One letter as the mail server got it; it is parsed once, a full box takes seconds else."""

    recipient: str
    sender: str
    raw: bytes
    caught_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    @cached_property
    def message(self) -> EmailMessage:
        """The letter, parsed."""
        parsed = email.message_from_bytes(self.raw, policy=email.policy.default)
        assert isinstance(parsed, EmailMessage)  # noqa: S101 - what this policy makes
        return parsed

    @cached_property
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
