"""Let letters go that waited for an address: one about each session, with what holds now."""

from datetime import datetime, timedelta

from notifications import addresses, outbox
from service.database import Database
from service.tables import reaching_statements as statements

# An invitation that was refused longer ago has been talked about by other ways.
REFUSED_LATELY = timedelta(days=30)


async def release(database: Database, now: datetime) -> int:
    """Believe addresses that have proved to work, and return how many letters leave by that.

    Of the letters about one session the invitation goes, else the newest change, else the newest
    of the rest; the others are replaced by it, because it is composed anew and says what holds.
    """
    await believe(database, now)
    async with database.unit_of_work() as unit:
        rows = await unit.connection.fetch(statements.RELEASE)
    released: int = sum(row["state"] == "queued" for row in rows)
    return released + await _repeat_refused(database, now)


async def believe(database: Database, now: datetime) -> int:
    """Clear addresses whose owner answered or signed in since the last refusal; return how many."""
    async with database.unit_of_work() as unit:
        rows = await unit.connection.fetch(statements.PROVED)
        for row in rows:
            await addresses.clear(unit.connection, row["address_normal"], by=None, at=now)
    return len(rows)


async def _repeat_refused(database: Database, now: datetime) -> int:
    """Send what was refused once more to a corrected or cleared address, each letter once."""
    async with database.unit_of_work() as unit:
        rows = await unit.connection.fetch(statements.REFUSED, now - REFUSED_LATELY, now)
        for row in rows:
            await outbox.repeat(unit.connection, row["id"], row["expires_at"])
    return len(rows)
