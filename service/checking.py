"""`terminbuch check`: look at everything that must stand before the office can rely on it."""

import asyncio
import platform
import urllib.request
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import datetime

import notifications.mailbox
from notifications import gates, listening
from notifications.imap import MailboxError
from notifications.relay import Link, SmtpError
from service import app, clock, furnishing, hearing, probing
from service.database import Database
from service.probing import Hearing
from service.relaying import relay_settings
from service.settings import Settings


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at: whether it is well, and what to do if not."""

    is_well: bool
    sentence: str


async def run(settings: Settings, say: Callable[[str], object]) -> int:
    """Print one line a finding; return 1 when something needs a hand."""
    is_well = True
    async for finding in _look(settings):
        say(("ok      " if finding.is_well else "PROBLEM ") + finding.sentence)
        is_well = is_well and finding.is_well
    return 0 if is_well else 1


async def _look(settings: Settings) -> AsyncIterator[Finding]:
    yield Finding(True, f"settings: read; public address {settings.public_url}")
    yield look_at_python(guards_headers=gates.python_guards_headers())
    try:
        async with app.open_database(settings, migrate=False) as database:
            async for finding in _look_at_database(database, settings):
                yield finding
    except (OSError, TimeoutError) as error:
        yield Finding(False, f"database: does not answer ({error})")
    yield await _look_at_relay(settings)
    async for finding in look_at_returns(settings):
        yield finding
    yield await asyncio.to_thread(_look_at_address, settings.public_url)


def look_at_python(*, guards_headers: bool) -> Finding:
    """Say whether Python itself keeps headers of letters whole; nothing is lost where it does not.

    Our own gate looks at every letter, so an old version needs a hand, but not today.
    """
    version = f"python: {platform.python_version()}"
    if guards_headers:
        return Finding(True, f"{version} keeps the headers of letters whole")
    said = "lacks the repair of CVE-2024-6923; our own gate stands before it, update Python"
    return Finding(True, f"{version} {said}")


async def _look_at_database(database: Database, settings: Settings) -> AsyncIterator[Finding]:
    version = await database.fetchval("SHOW server_version")
    yield Finding(True, f"database: PostgreSQL {version} answers")
    pending = await database.pending_migrations()
    if pending:
        yield Finding(False, f"database: {len(pending)} migrations wait; run `terminbuch migrate`")
        return
    missing = (await furnishing.read(database)).missing
    if missing:
        yield Finding(
            False,
            f"legal texts: {', '.join(missing)} missing; public pages answer 503 until then",
        )
    else:
        yield Finding(True, "legal texts: Impressum, Datenschutz and Barrierefreiheit stand")
    yield look_at_ear(await probing.look(database, settings), clock.now())


async def _look_at_relay(settings: Settings) -> Finding:
    relay = relay_settings(settings)
    if relay is None:
        return Finding(False, "mail: TERMINBUCH_SMTP_HOST is not set; no letter leaves")
    try:
        await Link(relay).try_out()
    except (SmtpError, OSError, TimeoutError) as error:
        return Finding(False, f"mail: {relay.name} refuses us ({error})")
    return Finding(True, f"mail: {relay.name} takes our letters")


def look_at_ear(ear: Hearing, now: datetime) -> Finding:
    """Say whether answers of calendar programs arrive, as the last letter to ourselves proved."""
    if not ear.is_set_up:
        said = "TERMINBUCH_IMIP_ADDRESS is not set; invitations leave without buttons"
        return Finding(True, f"calendar answers: {said}")
    if ear.is_open(now):
        return Finding(True, "calendar answers: our letter to ourselves came back within a day")
    if ear.posted_at is None:
        return Finding(
            True, "calendar answers: not tried yet; a worker sends a letter to ourselves"
        )
    said = "our letter to ourselves did not come back; look at the incoming mail"
    return Finding(False, f"calendar answers: {said}")


async def look_at_returns(settings: Settings) -> AsyncIterator[Finding]:
    """Yield whether what comes back is heard: by the listener, from the mailbox, or by nobody."""
    place, mailbox = hearing.place(settings), hearing.mailbox_of(settings)
    if place is None and mailbox is None:
        # Nothing is lost by that, but somebody has to look.
        yield Finding(True, f"returned mail: not read; look at {settings.bounce_address} yourself")
    if place is not None:
        is_there = await listening.answers(place)
        said = "a worker listens" if is_there else "no worker listens; start one"
        yield Finding(is_there, f"returned mail: {said} at {place}")
    if mailbox is not None:
        try:
            await notifications.mailbox.try_out(mailbox)
        except MailboxError as error:
            yield Finding(False, f"returned mail: {mailbox.name} refuses us ({error})")
        else:
            yield Finding(True, f"returned mail: {mailbox.name} opens")


def _look_at_address(public_url: str) -> Finding:
    try:
        with urllib.request.urlopen(f"{public_url}/health/live", timeout=5) as answer:  # noqa: S310 - our own configured address
            is_well = answer.status == 200  # noqa: PLR2004 - OK
    except (OSError, ValueError) as error:
        return Finding(False, f"public address: {public_url} does not answer ({error})")
    return Finding(is_well, f"public address: {public_url} answers")
