"""Tell whether a form was filled in from what still stands, and who saved meanwhile if not."""

from datetime import datetime
from typing import Any
from uuid import UUID

from asyncpg import Connection

from service.domain.errors import StaleFormError

_LAST_SAVED = """
SELECT a.happened_at, coalesce(account.full_name, '') AS name
FROM audit a LEFT JOIN account ON account.id = a.actor_id
WHERE a.object_id = $1 ORDER BY a.id DESC LIMIT 1
"""


async def check_fresh(
    connection: "Connection[Any]",
    object_id: UUID,
    revision: int,
    seen_revision: int | None,
    now: datetime,
) -> None:
    """Raise `StaleFormError` with time and name when another revision stands than was seen."""
    if seen_revision is None or seen_revision == revision:
        return
    last = await connection.fetchrow(_LAST_SAVED, object_id)
    at, by = (last["happened_at"], last["name"]) if last else (now, "")
    raise StaleFormError(at=at, by=by)
