"""Hear what comes back: from the settings to the listener and the mailbox that `notifications` has.

What is heard but lies outside of letters is passed on by `IntakeOptions.hear`: words of people
stand on the pages (`transcribing`) and go on to the office's mailbox (`forwarding`).
"""

from dataclasses import replace
from datetime import datetime
from functools import partial
from pathlib import Path

import structlog

from notifications import mailbox as mailboxes
from notifications.bounces import Kind
from notifications.imap import Mailbox
from notifications.intake import Heard, IntakeOptions
from notifications.listening import Listener, Place, PlaceTakenError
from notifications.storage import Connection
from service import blackening, forwarding, preferring, probing, relaying, tokens, transcribing
from service.answering import Answers
from service.domain.errors import LinkReplacedError, LinkUnknownError
from service.services import Services
from service.settings import Settings

# No tag of a letter and no address of an invitation has such a sign.
_STOP_MARK = "u-"
_LOCAL_LIMIT = 64
"""Signs of a local part (RFC 5321 section 4.5.3.1.1)."""

_log = structlog.get_logger(__name__)


def intake_options(settings: Settings) -> IntakeOptions:
    """Return which addresses are ours; people answer to the sender's address."""
    return IntakeOptions(
        returns=relaying.return_options(settings),
        mail_domain=settings.mail_domain,
        plain=frozenset({settings.mail_from}),
        strike=blackening.strike,
    )


def stop_address(settings: Settings) -> str:
    """Return what stands around the token where people unsubscribe by mail; empty without a way.

    A mail server hands over whatever name stands before the domain. A mailbox gets what is sent
    to its own name, and with a plus sign behind it where that is known to work.
    """
    local, _, domain = settings.bounce_address.rpartition("@")
    if settings.intake_lmtp is not None:
        return f"{preferring.MAIL_LOCAL}+@{domain}"
    own = f"{local}+{_STOP_MARK}"
    fits = len(own) + tokens.LENGTH <= _LOCAL_LIMIT
    is_known = settings.bounce_per_letter and fits
    return f"{own}@{domain}" if is_known and mailbox_of(settings) is not None else ""


def place(settings: Settings) -> Place | None:
    """Return where a mail server hands mail over, None where nobody listens."""
    if settings.intake_lmtp is None:
        return None
    kind, _, rest = settings.intake_lmtp.partition(":")
    if kind == "unix":
        return Place(path=Path(rest))
    return Place(host=kind, port=int(rest))


def mailbox_of(settings: Settings) -> Mailbox | None:
    """Return the mailbox that is read, None where there is none."""
    if not (settings.imap_host and settings.imap_user and settings.imap_password):
        return None
    return Mailbox(
        host=settings.imap_host,
        port=settings.imap_port,
        mode=settings.imap_mode,
        user=settings.imap_user,
        password=settings.imap_password,
        folder=settings.imap_folder,
    )


def is_set_up(settings: Settings) -> bool:
    """Tell whether anything that comes back is read."""
    return place(settings) is not None or mailbox_of(settings) is not None


class Ear:
    """The ways in of one process; of several on one machine the first one listens."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._options = replace(
            intake_options(services.settings),
            stop_address=stop_address(services.settings),
            stop=self._stop,
            hear=self._hear,
            is_answered=partial(probing.is_answered, services.settings, services.keys),
        )
        self._answers = Answers(services.database, services.settings, services.keys)
        self._mailbox = mailbox_of(services.settings)
        where = place(services.settings)
        self._listener = (
            None
            if where is None
            else Listener(where, services.database, self._options, services.clock)
        )

    @property
    def options(self) -> IntakeOptions:
        """What the listener and the mailbox go by."""
        return self._options

    @property
    def is_wanted(self) -> bool:
        """Whether any way in is set."""
        return is_set_up(self._services.settings)

    async def attend(self, now: datetime) -> None:
        """Listen if nobody does, and read the mailbox; what fails is tried again next time."""
        if self._listener is not None:
            try:
                await self._listener.open()
            except PlaceTakenError:
                _log.debug("intake.place_taken")
        if self._mailbox is not None:
            count = await mailboxes.read_new(
                self._services.database, self._mailbox, self._options, now
            )
            if count:
                _log.info("intake.mailbox_read", mails=count)

    async def _hear(self, connection: Connection, heard: Heard) -> None:
        """Say what a kept mail of a person was, in the transaction that keeps it.

        Answers of calendar programs and our letters to ourselves come first: words are what is
        left for people to read, and only those go on to the office's mailbox.
        """
        services = self._services
        now = services.clock()
        if heard.report.kind is Kind.OWN:
            await probing.hear(connection, heard.report.letters, now)
        elif heard.report.kind is Kind.ANSWER:
            await self._answers.hear(connection, heard, now)
        else:
            await transcribing.place(connection, services.settings, services.keys, heard)
            await forwarding.forward(connection, services.settings, self._options, heard, now)

    async def _stop(self, token: str) -> None:
        services = self._services
        try:
            await preferring.unsubscribe(services.database, services.keys, token, services.clock())
        except (LinkUnknownError, LinkReplacedError):
            _log.info("intake.unknown_token")

    async def close(self) -> None:
        """Stop listening; what is being kept is kept."""
        if self._listener is not None:
            await self._listener.close()
