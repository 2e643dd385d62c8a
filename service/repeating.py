"""Send one person once more what was sent last: the letter that got lost on its way."""

from datetime import datetime, timedelta
from uuid import UUID

from notifications import outbox
from service import auditing
from service.auditing import Actor
from service.database import Database
from service.domain import authority as rights
from service.domain.authority import EVERYTHING, Authority
from service.domain.errors import NotFoundError
from service.tables import overseeing_statements as statements

# What carries the private link; a receipt or a reminder would not replace a lost invitation.
KINDS = ("invitation", "date_confirmed", "change", "uncancellation", "nudge")
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
            statements.LAST_LETTER, invitation_id, meeting_id, list(KINDS)
        )
        if row is None:
            raise NotFoundError
        rights.require_change(authority, row["group_ids"])
        if row["id"] is None:
            return False
        expires_at = row["starts_at"] if row["starts_at"] is not None else now + _LIFE
        posted = await outbox.repeat(unit.connection, row["id"], expires_at)
        if posted is None:
            return False
        await auditing.record(unit.connection, actor, "sent_again", "invitation", invitation_id)
        return True
