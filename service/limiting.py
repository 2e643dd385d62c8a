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
    updated_at = greatest(bucket.updated_at, $4)
WHERE least($2::real, bucket.tokens
        + greatest(0, extract(epoch FROM $4 - bucket.updated_at))::real * $3::real) >= 1
RETURNING tokens
"""
_LOOK = "SELECT tokens, updated_at FROM rate_bucket WHERE key = $1"
_PURGE = "DELETE FROM rate_bucket WHERE updated_at < $1"

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
    if await database.fetchval(_TAKE, name, limit.hits, limit.per_second, now) is not None:
        return None
    row = await database.fetchrow(_LOOK, name)
    if row is None:
        return now
    missing = max(0.0, 1 - row["tokens"]) / limit.per_second
    full_at: datetime = row["updated_at"] + timedelta(seconds=missing)
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
