"""Look after single invitations: renew the link, take one back, invite one more person."""

from datetime import datetime
from uuid import UUID

from service import auditing
from service.auditing import Actor
from service.calling import make_code as make_phone_code
from service.calling import use_code as use_phone_code
from service.database import Database
from service.domain.errors import NotFoundError

__all__ = ["make_phone_code", "renew_link", "use_phone_code"]

_RENEW = """
UPDATE invitation SET epoch = epoch + 1, renewed_at = $2 WHERE id = $1 RETURNING epoch
"""


async def renew_link(database: Database, actor: Actor, invitation_id: UUID, now: datetime) -> None:
    """Let every link mailed so far end; the next letter carries the new one."""
    async with database.unit_of_work() as unit:
        epoch = await unit.connection.fetchval(_RENEW, invitation_id, now)
        if epoch is None:
            raise NotFoundError
        await auditing.record(
            unit.connection, actor, "renewed_link", "invitation", invitation_id, epoch=epoch
        )
