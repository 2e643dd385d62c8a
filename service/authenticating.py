"""Let people of the office in by a letter: a link or six digits, good once and for 15 minutes.

Anybody may ask for a letter to any address, so a new one leaves the older ones as they are: all
links of an account are good until one of them is used, which ends the others. Whoever asks when no
more letters may leave makes the link of the last one good again for its time: a stranger who asks
for all of them fills no mailbox and locks nobody out. Signing in begins the count anew.

Every address is treated alike, known or not: the same rows, the same page, the same count of
tries. An unknown one has a row without an account, so no letter leaves and no code fits.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from asyncpg import Connection, Record

from notifications import outbox
from service import addressing, auditing, keeping_sessions, tokens
from service.auditing import COMMAND, Actor
from service.database import Database
from service.domain.errors import (
    CodeWrongError,
    LinkExpiredError,
    LinkReplacedError,
    LinkUnknownError,
    LinkUsedError,
    TooManyTriesError,
)
from service.domain.words import Role
from service.tables import feed_rows
from service.tokens import Keys

LINK_LIFE = timedelta(minutes=15)
# The first link is read from a terminal and may have to be carried to another machine.
PRINTED_LINK_LIFE = timedelta(hours=24)
MOST_TRIES = 5
LETTERS_PER_HOUR = 2
LETTERS_PER_DAY = 5

# The lock makes parallel requests for one address count one after the other.
_ACCOUNT = """
SELECT id, locale, email FROM account
WHERE email_normal = $1 AND disabled_at IS NULL FOR UPDATE
"""
# Letters to an account by which nobody has signed in yet. What expired in the queue or was stopped
# there reached nobody, and links printed for a terminal are no letters.
_UNUSED = """
FROM one_time_token t
JOIN letter l ON l.dedupe_key = 'sgn:' || t.id
JOIN outbox o ON o.id = l.id
WHERE t.purpose = 'sign_in' AND t.account_id = $1 AND t.created_at > $2
    AND t.used_at IS NULL AND t.replaced_at IS NULL AND o.state NOT IN ('expired', 'cancelled')
"""
_COUNT = f"""
SELECT count(*) FILTER (WHERE t.created_at > $3) AS this_hour, count(*) AS today {_UNUSED}
"""
_LAST_AGAIN = f"""
UPDATE one_time_token SET expires_at = greatest(expires_at, $3)
WHERE id = (SELECT t.id {_UNUSED} AND o.state IN ('sending', 'uncertain', 'sent')
    ORDER BY t.created_at DESC LIMIT 1)
"""
_ADD = """
INSERT INTO one_time_token
    (id, purpose, secret_hash, code_hash, browser_hash, account_id, created_at, expires_at)
VALUES ($1, 'sign_in', $2, $3, $4, $5, $6, $7)
"""
_BY_LINK = """
SELECT token.id, expires_at, used_at, replaced_at, account_id, email
FROM one_time_token token JOIN account ON account.id = account_id AND disabled_at IS NULL
WHERE purpose = 'sign_in' AND secret_hash = $1
"""
# Whoever uses another link of the same account at this moment waits, and finds this one spent.
_LOCK = """
SELECT FROM account
WHERE id = (SELECT account_id FROM one_time_token WHERE id = $1) FOR NO KEY UPDATE
"""
_USE = """
UPDATE one_time_token SET used_at = $2
WHERE id = $1 AND used_at IS NULL AND replaced_at IS NULL AND expires_at > $2
RETURNING account_id
"""
_END_OTHERS = """
UPDATE one_time_token SET replaced_at = $2
WHERE purpose = 'sign_in' AND account_id = $1 AND used_at IS NULL AND replaced_at IS NULL
"""
_TRY = """
UPDATE one_time_token SET tries = least(tries + 1, 100)
WHERE id = (SELECT id FROM one_time_token WHERE purpose = 'sign_in' AND browser_hash = $1
            ORDER BY created_at DESC LIMIT 1)
RETURNING id, tries, code_hash, account_id, expires_at, used_at, replaced_at
"""
_ADD_ACCOUNT = """
INSERT INTO account (email, email_normal, full_name, role) VALUES ($1, $2, $3, $4) RETURNING id
"""
# The lock of the row lets whoever is just signing in go first; their session is found then.
_END_ACCESS = """
UPDATE account SET disabled_at = $2 WHERE id = $1 AND disabled_at IS NULL RETURNING id
"""
_RETURN_ACCESS = """
UPDATE account SET disabled_at = NULL WHERE id = $1 AND disabled_at IS NOT NULL RETURNING id
"""
_ADD_GROUP = "INSERT INTO account_group (account_id, group_id) VALUES ($1, $2)"


@dataclass(frozen=True, slots=True)
class Invitation:
    """What the sign-in page shows before anything is used up."""

    email: str
    expires_at: datetime


async def request_link(
    database: Database, keys: Keys, email: str, browser_secret: str, now: datetime
) -> None:
    """Post a sign-in letter if the address has access and its limits are kept; say nothing.

    Beyond the limits the link of the last letter is good again, its tries of the code are not.
    """
    async with database.unit_of_work() as unit:
        account = await unit.connection.fetchrow(_ACCOUNT, addressing.normal(email))
        allowed = account is not None and await _is_within_limits(unit.connection, account, now)
        known = account if allowed else None
        if account is not None and not allowed:
            again = (account["id"], now - timedelta(days=1), now + LINK_LIFE)
            await unit.connection.execute(_LAST_AGAIN, *again)
        row_id = await _add_token(
            unit.connection, keys, known and known["id"], browser_secret, (now, now + LINK_LIFE)
        )
        if known is not None:
            await outbox.post(unit.connection, _letter(known, row_id, now))


async def look_up_link(database: Database, secret: str, now: datetime) -> Invitation:
    """Tell whom a link would sign in, and change nothing."""
    row = await database.fetchrow(_BY_LINK, tokens.hash_secret(secret))
    if row is None:
        raise LinkUnknownError
    _check_open(row, now)
    return Invitation(row["email"], row["expires_at"])


async def use_link(database: Database, secret: str, old_session: str | None, now: datetime) -> str:
    """Use the link up and return the secret of the new session."""
    row = await database.fetchrow(_BY_LINK, tokens.hash_secret(secret))
    if row is None:
        raise LinkUnknownError
    _check_open(row, now)
    return await _use(database, row["id"], old_session, now)


async def use_code(
    database: Database,
    keys: Keys,
    *,
    browser_secret: str,
    code: str,
    old_session: str | None,
    now: datetime,
) -> str:
    """Use six digits up in the browser that asked for them; five tries, whatever they are."""
    # The try is counted and committed before anything is compared.
    row = await database.fetchrow(_TRY, tokens.hash_secret(browser_secret))
    if row is None:
        raise LinkUnknownError
    if row["tries"] > MOST_TRIES:
        raise TooManyTriesError
    _check_open(row, now)
    digits = "".join(sign for sign in code if sign in "0123456789")
    matches = tokens.hash_code(keys, digits, str(row["id"])) == row["code_hash"]
    if not matches or row["account_id"] is None:
        raise CodeWrongError(left=MOST_TRIES - row["tries"])
    return await _use(database, row["id"], old_session, now)


async def create_account(  # noqa: PLR0917 - an account has these values and no fewer
    database: Database,
    keys: Keys,
    email: str,
    name: str,
    role: Role,
    groups: Iterable[UUID],
    now: datetime,
) -> str:
    """Add an account by command and return the path of its first sign-in link, good for a day."""
    account_id = await add_account(
        database, COMMAND, email=email, name=name, role=role, groups=groups
    )
    return await print_link(database, keys, account_id, now)


async def print_link(database: Database, keys: Keys, account_id: UUID, now: datetime) -> str:
    """Make a sign-in link that is shown once instead of mailed; return its path."""
    async with database.unit_of_work() as unit:
        row_id = await _add_token(
            unit.connection, keys, account_id, tokens.draw_secret(), (now, now + PRINTED_LINK_LIFE)
        )
    return link_path(keys, row_id)


async def add_account(
    database: Database,
    actor: Actor,
    *,
    email: str,
    name: str,
    role: Role,
    groups: Iterable[UUID] = (),
) -> UUID:
    """Add an account of the office, leads with their groups."""
    async with database.unit_of_work() as unit:
        normal = addressing.normal(email)
        account_id: UUID = await unit.connection.fetchval(
            _ADD_ACCOUNT, email, normal, name, role.value
        )
        for group_id in groups:
            await unit.connection.execute(_ADD_GROUP, account_id, group_id)
        await feed_rows.ensure(unit.connection)
        await auditing.record(
            unit.connection, actor, "add_account", "account", account_id, role=role.value
        )
    return account_id


async def end_access(database: Database, actor: Actor, account_id: UUID, now: datetime) -> bool:
    """Switch an account off with its sessions, links and calendar; False when it was off before."""
    async with database.unit_of_work() as unit:
        if await unit.connection.fetchval(_END_ACCESS, account_id, now) is None:
            return False
        await keeping_sessions.end_all(unit.connection, account_id, now)
        await unit.connection.execute(_END_OTHERS, account_id, now)
        await _note_access(unit.connection, actor, "end_access", account_id, now)
    return True


async def return_access(database: Database, actor: Actor, account_id: UUID, now: datetime) -> bool:
    """Switch an account on again; its old sessions and links stay dead. False when it was on."""
    async with database.unit_of_work() as unit:
        if await unit.connection.fetchval(_RETURN_ACCESS, account_id) is None:
            return False
        await feed_rows.ensure(unit.connection)
        await _note_access(unit.connection, actor, "return_access", account_id, now)
    return True


async def _note_access(
    connection: "Connection[Any]", actor: Actor, action: str, account_id: UUID, now: datetime
) -> None:
    await feed_rows.touch_account(connection, account_id, now)
    await feed_rows.tell(connection)
    await auditing.record(connection, actor, action, "account", account_id)


def link_path(keys: Keys, row_id: UUID) -> str:
    """Return the path of a sign-in link, for the letter that names it."""
    return f"/anmelden/l/{tokens.one_time_secret(keys, row_id)}"


async def _is_within_limits(connection: "Connection[Any]", account: Record, now: datetime) -> bool:
    since = now - timedelta(days=1), now - timedelta(hours=1)
    row = await connection.fetchrow(_COUNT, account["id"], *since)
    return bool(row["this_hour"] < LETTERS_PER_HOUR and row["today"] < LETTERS_PER_DAY)


async def _add_token(
    connection: "Connection[Any]",
    keys: Keys,
    account_id: UUID | None,
    browser_secret: str,
    span: tuple[datetime, datetime],
) -> UUID:
    """Add a one-time row; what is mailed is derived from its id, so the row keeps hashes only."""
    row_id = uuid4()
    await connection.execute(
        _ADD,
        row_id,
        tokens.hash_secret(tokens.one_time_secret(keys, row_id)),
        tokens.hash_code(keys, tokens.one_time_code(keys, row_id), str(row_id)),
        tokens.hash_secret(browser_secret),
        account_id,
        *span,
    )
    return row_id


def _letter(account: Record, row_id: UUID, now: datetime) -> outbox.NewLetter:
    return outbox.NewLetter(
        dedupe_key=f"sgn:{row_id}",
        kind="sign_in",
        recipient_id=account["id"],
        subject_id=None,
        subject_rev=0,
        time_rev=0,
        ordering_key=f"sgn:{account['id']}",
        locale=account["locale"],
        cause={"token_id": str(row_id)},
        priority=0,
        not_before=now,
        expires_at=now + LINK_LIFE,
        recipient_domain=account["email"].rpartition("@")[2].lower(),
    )


def _check_open(row: Record, now: datetime) -> None:
    if row["used_at"] is not None:
        raise LinkUsedError
    if row["replaced_at"] is not None:
        raise LinkReplacedError
    if row["expires_at"] <= now:
        raise LinkExpiredError(until=row["expires_at"])


async def _use(database: Database, row_id: UUID, old_session: str | None, now: datetime) -> str:
    """Use a row up once, whoever races for it, and open the session in the same transaction."""
    async with database.unit_of_work() as unit:
        await unit.connection.execute(_LOCK, row_id)
        account_id = await unit.connection.fetchval(_USE, row_id, now)
        if account_id is None:
            raise LinkUsedError
        await unit.connection.execute(_END_OTHERS, account_id, now)
        return await keeping_sessions.open_new(unit.connection, account_id, old_session, now)
