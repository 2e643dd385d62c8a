"""Keep the sessions of signed-in browsers: find, open, end.

The cookie holds 256 random bits, the row their hash; a row is made at sign-in only.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from asyncpg import Connection, Record

from service import auditing, tokens
from service.auditing import Actor
from service.database import Database
from service.domain.accounts import Account
from service.domain.words import Role

IDLE = timedelta(hours=8)
ABSOLUTE = timedelta(hours=12)
# Writing "last seen" with every page would make every reading a write.
_SEEN_STEP = timedelta(minutes=5)

_FIND = """
SELECT account.id, email, full_name, role, locale, form_key, seen_at,
       ARRAY(SELECT group_id FROM account_group WHERE account_id = account.id) AS group_ids
FROM staff_session JOIN account ON account.id = account_id
WHERE secret_hash = $1 AND revoked_at IS NULL AND disabled_at IS NULL
  AND ends_at > $2 AND seen_at > $3
"""
_SEEN = "UPDATE staff_session SET seen_at = $2 WHERE secret_hash = $1 AND seen_at < $2"
_OPEN = """
INSERT INTO staff_session (secret_hash, account_id, form_key, created_at, seen_at, ends_at)
VALUES ($1, $2, $3, $4, $4, $5)
"""
_REVOKE = """
UPDATE staff_session SET revoked_at = $2 WHERE secret_hash = $1 AND revoked_at IS NULL
"""
_REVOKE_ALL = """
UPDATE staff_session SET revoked_at = $2 WHERE account_id = $1 AND revoked_at IS NULL
"""
_SIGNED_IN = "UPDATE account SET last_sign_in_at = $2 WHERE id = $1"


@dataclass(frozen=True, slots=True)
class Session:
    """A signed-in browser."""

    account: Account
    secret_hash: bytes
    form_key: bytes


def actor(account: Account) -> Actor:
    """Return who stands in the audit when this account acts."""
    return Actor("account", account.id, account.full_name)


def read_account(row: Record) -> Account:
    """Read an account from a row with its own columns and `group_ids`."""
    return Account(
        id=row["id"],
        email=row["email"],
        full_name=row["full_name"],
        role=Role(row["role"]),
        locale=row["locale"],
        group_ids=frozenset(row["group_ids"]),
    )


async def find(database: Database, secret: str, now: datetime) -> Session | None:
    """Find the session of a cookie; None when unknown, ended, idle too long, or disabled."""
    digest = tokens.hash_secret(secret)
    row = await database.fetchrow(_FIND, digest, now, now - IDLE)
    if row is None:
        return None
    if row["seen_at"] < now - _SEEN_STEP:
        await database.fetchval(_SEEN, digest, now)
    return Session(read_account(row), digest, row["form_key"])


async def open_new(
    connection: "Connection[Any]", account_id: UUID, old_secret: str | None, now: datetime
) -> str:
    """Open a session and return the secret for the cookie; the browser's old one ends."""
    if old_secret:
        await connection.execute(_REVOKE, tokens.hash_secret(old_secret), now)
    secret = tokens.draw_secret()
    digest = tokens.hash_secret(secret)
    form_key = secrets.token_bytes(32)
    await connection.execute(_OPEN, digest, account_id, form_key, now, now + ABSOLUTE)
    await connection.execute(_SIGNED_IN, account_id, now)
    who = Actor("account", account_id)
    await auditing.record(connection, who, "sign_in", "account", account_id)
    return secret


async def end(database: Database, session: Session, now: datetime) -> None:
    """Sign one browser out."""
    async with database.unit_of_work() as unit:
        await unit.connection.execute(_REVOKE, session.secret_hash, now)
        who = actor(session.account)
        await auditing.record(unit.connection, who, "sign_out", "account", session.account.id)


async def end_all(connection: "Connection[Any]", account_id: UUID, now: datetime) -> None:
    """Sign an account out in every browser."""
    await connection.execute(_REVOKE_ALL, account_id, now)
