"""Allow so much in so long: token buckets in a table, one statement a hit."""

import hmac
import ipaddress
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from service.database import Database
from service.domain import retention
from service.tokens import Keys

# The row changes only when a token is left, so a refused hit costs its sender nothing more.
_TAKE = """
INSERT INTO rate_bucket AS bucket (key, tokens, updated_at) VALUES ($1, $2::real - 1, $4)
ON CONFLICT (key) DO UPDATE SET
    tokens = least($2::real, bucket.tokens
        + greatest(0, extract(epoch FROM $4 - bucket.updated_at))::real * $3::real) - 1,
    updated_at = CASE WHEN bucket.updated_at > $4 + $5::interval THEN $4
        ELSE greatest(bucket.updated_at, $4) END
WHERE least($2::real, bucket.tokens
        + greatest(0, extract(epoch FROM $4 - bucket.updated_at))::real * $3::real) >= 1
RETURNING tokens
"""
# It was written while the clock was ahead, and fills again from now on.
_SET_RIGHT = """
UPDATE rate_bucket SET updated_at = $2
WHERE key = $1 AND updated_at > $2::timestamptz + $3::interval
"""
_LOOK = "SELECT tokens, updated_at FROM rate_bucket WHERE key = $1"
_PURGE = "DELETE FROM rate_bucket WHERE updated_at < $1"

# Two that hit at once may read the clock in another order; more is a clock that was set.
_AHEAD = timedelta(minutes=1)

# Most of a household or an office shares these bits; anything longer would name a machine.
_PREFIX_BITS = {4: 24, 6: 48}


@dataclass(frozen=True, slots=True)
class Limit:
    """So many hits at once, refilled evenly over the span."""

    name: str
    hits: int
    per: timedelta

    @property
    def per_second(self) -> float:
        """Return how many hits come back each second."""
        return self.hits / self.per.total_seconds()


async def take(database: Database, limit: Limit, key: str, now: datetime) -> datetime | None:
    """Count one hit; return None when it is allowed, else the moment of the next allowed one."""
    name = f"{limit.name}:{key}"
    if await database.fetchval(_TAKE, name, limit.hits, limit.per_second, now, _AHEAD) is not None:
        return None
    row = await database.fetchrow(_LOOK, name)
    if row is None:
        return now
    begins_at: datetime = row["updated_at"]
    if begins_at > now + _AHEAD:
        await database.fetch(_SET_RIGHT, name, now, _AHEAD)
        begins_at = now
    full_at = begins_at + timedelta(seconds=max(0.0, 1 - row["tokens"]) / limit.per_second)
    return max(now, full_at)


async def purge(database: Database, now: datetime) -> None:
    """Remove buckets that nobody touched for two days: they are full again."""
    await database.fetchval(_PURGE, now - retention.TRIES.period)


def network_key(keys: Keys, address: str | None, now: datetime) -> str:
    """Name a network without storing its address: a keyed hash that changes every day."""
    message = f"network\x00{now.date()}\x00{_prefix(address)}"
    return hmac.new(keys.current.secret, message.encode(), sha256).hexdigest()[:32]


def _prefix(address: str | None) -> str:
    try:
        parsed = ipaddress.ip_address(address or "")
    except ValueError:
        return "unknown"
    bits = _PREFIX_BITS[parsed.version]
    return str(ipaddress.ip_network(f"{parsed}/{bits}", strict=False))
