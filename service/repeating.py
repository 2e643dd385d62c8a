"""Send one person once more what was sent last: the letter that got lost on its way."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from asyncpg import Connection, Record

from notifications import outbox
from notifications.outbox import State
from service import auditing, copying
from service.auditing import Actor
from service.database import Database
from service.domain import authority as rights
from service.domain.authority import EVERYTHING, Authority
from service.domain.errors import NotFoundError
from service.tables import overseeing_statements as statements

# What carries the private link; a receipt or a reminder would not replace a lost invitation.
KINDS = ("invitation", "date_confirmed", "change", "uncancellation", "nudge")
# A nudge would not leave to somebody who has answered.
_LASTING = tuple(kind for kind in KINDS if kind != "nudge")
_LIFE = timedelta(days=3)


async def send_again(
    database: Database,
    actor: Actor,
    meeting_id: UUID,
    invitation_id: UUID,
    now: datetime,
    *,
    authority: Authority = EVERYTHING,
) -> bool:
    """Post the newest letter with the link again; False where there is none, or it still waits.

    Whether it still holds is judged when it leaves, as with every letter.
    """
    async with database.unit_of_work() as unit:
        row = await unit.connection.fetchrow(
            statements.LAST_LETTER, invitation_id, meeting_id, list(KINDS), now
        )
        if row is None:
            raise NotFoundError
        rights.require_change(authority, row["group_ids"])
        if row["id"] is None or not await _post(unit.connection, row, meeting_id, now, outbox.OPEN):
            return False
        await auditing.record(unit.connection, actor, "sent_again", "invitation", invitation_id)
        return True


async def follow_new_link(
    connection: "Connection[Any]", invitation_id: UUID, meeting_id: UUID, now: datetime
) -> bool:
    """Let the newest letter with the link leave again, now with the new one; False: none can.

    One that waits is written when it leaves and carries the new link already; one that is leaving
    may carry the old one, so another follows it.
    """
    row = await connection.fetchrow(
        statements.LAST_LETTER, invitation_id, meeting_id, list(_LASTING), now
    )
    if row is None or row["id"] is None or not row["can_get"]:
        return False
    await _post(connection, row, meeting_id, now, (State.QUEUED,))
    await copying.follow(connection)
    return True


async def _post(
    connection: "Connection[Any]",
    row: Record,
    meeting_id: UUID,
    now: datetime,
    unless: Sequence[State],
) -> bool:
    """Post it again; of a letter about several sessions only what it says of this one."""
    expires_at = row["starts_at"] if row["starts_at"] is not None else now + _LIFE
    posted = await outbox.repeat(
        connection, row["id"], expires_at, unless=unless, subject_id=meeting_id
    )
    return posted is not None
