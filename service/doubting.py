"""Doubt answers that come right behind a letter, from the program that looked at its links.

Scanners of mail servers fetch the links of a letter, some press the button too. Stored is only that
an answer looks automatic. Another process may have seen the fetches: then the mark is missing.
"""

import hmac
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from service import auditing, limiting, publishing, tokens
from service.auditing import Actor
from service.database import Database
from service.domain.errors import StaleFormError
from service.footprints import SPAN
from service.services import Services
from service.tables import doubt_statements as statements
from service.tokens import Keys

# Of the 26 signs of a handle the last one holds bits of the secret part.
_PUBLIC_SIGNS = 25


@dataclass(frozen=True, slots=True)
class Asker:
    """What a request tells of the program behind it."""

    network: str | None
    program: str

    def fingerprint(self, keys: Keys, now: datetime) -> bytes:
        """Return a keyed hash that names neither the network nor the program."""
        network = limiting.network_key(keys, self.network, now)
        return hmac.digest(keys.current.secret, f"{network}\x00{self.program}".encode(), "sha256")


def note_fetch(
    services: Services, token: str, asker: Asker, now: datetime, *, is_head: bool
) -> None:
    """Remember for a minute that somebody looked at an answer page."""
    fingerprint = asker.fingerprint(services.keys, now)
    services.footprints.bursts.note(_link(token), fingerprint, now, is_head=is_head)


def is_quiet(services: Services, token: str) -> bool:
    """Tell whether nobody fetched the link in a burst; so it is nearly always, and costs little."""
    return not services.footprints.bursts.may_have(_link(token))


async def looks_automatic(services: Services, token: str, asker: Asker, now: datetime) -> bool:
    """Tell whether an answer that comes now looks like a scanner's."""
    handle = tokens.read_handle(token)
    fingerprint = asker.fingerprint(services.keys, now)
    if handle is None or not services.footprints.bursts.has(_link(token), fingerprint, now):
        return False
    return bool(await services.database.fetchval(statements.JUST_LEFT, handle, now - SPAN))


async def confirm(
    database: Database, actor: Actor, meeting_id: UUID, invitation_id: UUID, seen_rev: int
) -> None:
    """Let an answer count as the person's own; raise `StaleFormError` where another one stands."""
    async with database.unit_of_work() as unit:
        connection = unit.connection
        row = await connection.fetchrow(statements.CONFIRM, invitation_id, meeting_id, seen_rev)
        if row is None:
            raise StaleFormError
        await auditing.record(connection, actor, "answer_confirmed", "invitation", invitation_id)


async def reset(  # noqa: PLR0917 - whose answer, which one, and when
    database: Database,
    actor: Actor,
    meeting_id: UUID,
    invitation_id: UUID,
    seen_rev: int,
    now: datetime,
) -> None:
    """Take an answer off as if nobody had given it; raise `StaleFormError` as `confirm` does."""
    async with database.unit_of_work() as unit:
        connection = unit.connection
        row = await connection.fetchrow(statements.RESET, invitation_id, meeting_id, now, seen_rev)
        if row is None:
            raise StaleFormError
        await auditing.record(connection, actor, "answer_reset", "invitation", invitation_id)
        await publishing.touch_person_feed(connection, row["person_id"], now)


def _link(token: str) -> str:
    """Return the signs that say which row it is, and open nothing."""
    return token[:_PUBLIC_SIGNS].lower()
