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
    services: Services, handle: UUID, asker: Asker, now: datetime, *, is_head: bool
) -> None:
    """Remember for a minute that somebody looked at an answer page."""
    fingerprint = asker.fingerprint(services.keys, now)
    services.footprints.bursts.note(handle, fingerprint, now, is_head=is_head)


async def looks_automatic(services: Services, token: str, asker: Asker, now: datetime) -> bool:
    """Tell whether an answer that comes now looks like a scanner's.

    The database is asked only where the link was fetched in a burst.
    """
    bursts = services.footprints.bursts
    handle = tokens.read_handle(token)
    if handle is None or not bursts.may_have(handle):
        return False
    if not bursts.has(handle, asker.fingerprint(services.keys, now), now):
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
