"""How many connections a relay gets, over all processes: each one holds a row while it sends."""

import asyncio

import structlog

from notifications.hurrying import hurried
from notifications.storage import Database

SLOT_SECONDS = hurried(20.0, least=2.0)
"""After this long the slots of a dead holder are free again; a living one renews them in time."""

RENEW_SECONDS = hurried(5.0, least=0.5)

_log = structlog.get_logger(__name__)

_MAKE = """
INSERT INTO relay_slot (relay, n) SELECT $1, generate_series(1, $2) ON CONFLICT DO NOTHING
"""
_HOLD = """
UPDATE relay_slot s SET holder = $2, lease_until = now() + make_interval(secs => $4)
FROM (
    SELECT n FROM relay_slot
    WHERE relay = $1 AND n <= $3
      AND (holder = $2 OR holder IS NULL OR lease_until < now())
    FOR UPDATE SKIP LOCKED
) AS free
WHERE s.relay = $1 AND s.n = free.n
RETURNING s.n
"""
_FREE = "UPDATE relay_slot SET holder = NULL, lease_until = NULL WHERE relay = $1 AND holder = $2"


async def hold(database: Database, relay: str, holder: str, limit: int) -> int:
    """Take or renew as many of the relay's slots as are free, and return how many are ours."""
    found = await database.fetch(_HOLD, relay, holder, limit, SLOT_SECONDS)
    if not found:
        await database.fetch(_MAKE, relay, limit)
        found = await database.fetch(_HOLD, relay, holder, limit, SLOT_SECONDS)
    return len(found)


async def free(database: Database, relay: str, holder: str) -> None:
    """Give all slots back."""
    await database.fetch(_FREE, relay, holder)


class Slots:
    """The slots that one process holds of one relay while it sends."""

    def __init__(self, database: Database, relay: str, holder: str, limit: int) -> None:
        self._database = database
        self._relay, self._holder, self._limit = relay, holder, limit
        self.count = 0

    async def hold(self) -> int:
        """Take what is free or renew what is ours; return, and keep as `count`, how many."""
        self.count = await hold(self._database, self._relay, self._holder, self._limit)
        return self.count

    async def keep(self) -> None:
        """Renew them until cancelled."""
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            try:
                await self.hold()
            except Exception as error:  # noqa: BLE001  # the slots last for some more rounds
                _log.warning("postman.slots_not_renewed", error=type(error).__name__)

    async def free(self) -> None:
        """Give all of them back."""
        await free(self._database, self._relay, self._holder)
