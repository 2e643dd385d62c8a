"""Let somebody without mail answer: eight signs, read out on the telephone, open the own link once.

The first two signs say which meeting the code belongs to, so that wrong tries count against that
meeting's codes alone; the other six are the secret.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

from service import auditing, limiting, tokens
from service.auditing import Actor
from service.database import Database
from service.domain.errors import (
    AnsweringClosedError,
    CodeWrongError,
    NotFoundError,
    TooManyTriesError,
)
from service.limiting import Limit
from service.tokens import Keys, Purpose

# No vowels, so no words; nothing that is mistaken for another sign in handwriting or by ear.
SIGNS = "BCDFGHJKMPQRTVWXY2346789"
LENGTH = 8
LIFE = timedelta(hours=24)
TRIES = Limit("phone", 5, timedelta(hours=1))
_SELECTOR_LENGTH = 2
_CONTEXT = "phone"

_INVITATION = "SELECT meeting_id, state FROM invitation WHERE id = $1"
_RETIRE = """
UPDATE phone_code SET expires_at = $2
WHERE invitation_id = $1 AND used_at IS NULL AND expires_at > $2
"""
_ADD = """
INSERT INTO phone_code (invitation_id, meeting_id, code_hash, created_at, expires_at)
VALUES ($1, $2, $3, $4, $5)
"""
_USE = """
WITH used AS (
    UPDATE phone_code SET used_at = $2
    WHERE code_hash = ANY($1::bytea[]) AND used_at IS NULL AND expires_at > $2
    RETURNING invitation_id
)
SELECT i.id, i.handle, i.epoch, i.person_id, p.locale
FROM used JOIN invitation i ON i.id = used.invitation_id JOIN person p ON p.id = i.person_id
"""
# A right code costs no try: the office may read out as many as it likes.
_GIVE_BACK = "UPDATE rate_bucket SET tokens = least(tokens + 1, $2) WHERE key = $1"


@dataclass(frozen=True, slots=True)
class Opened:
    """Where a code leads: the private link's token, and the person's language."""

    token: str
    locale: str


async def make_code(
    database: Database, keys: Keys, actor: Actor, invitation_id: UUID, now: datetime
) -> str:
    """Make a code for one invitation and return it once, as "XXXX-XXXX"; older ones end.

    It opens the link once within 24 hours. Raise `NotFoundError` or `AnsweringClosedError`.
    """
    async with database.unit_of_work() as unit:
        row = await unit.connection.fetchrow(_INVITATION, invitation_id)
        if row is None:
            raise NotFoundError
        if row["state"] == "uninvited":
            raise AnsweringClosedError
        code = _selector(row["meeting_id"]) + _draw(LENGTH - _SELECTOR_LENGTH)
        await unit.connection.execute(_RETIRE, invitation_id, now)
        await unit.connection.execute(
            _ADD,
            invitation_id,
            row["meeting_id"],
            tokens.hash_code(keys, code, _CONTEXT),
            now,
            now + LIFE,
        )
        await auditing.record(
            unit.connection, actor, "made_phone_code", "invitation", invitation_id
        )
    return f"{code[:4]}-{code[4:]}"


async def use_code(database: Database, keys: Keys, typed: str, now: datetime) -> Opened:
    """Use a code up and return the link it stands for; blanks, hyphens and case do not matter.

    Raise `CodeWrongError` for any code that opens nothing, `TooManyTriesError` (value `until`)
    after five wrong ones within an hour over all codes of the meeting.
    """
    code = "".join(sign for sign in typed.upper() if sign.isalnum())
    if len(code) != LENGTH or not set(code) <= set(SIGNS):
        raise CodeWrongError
    selector = code[:_SELECTOR_LENGTH]
    until = await limiting.take(database, TRIES, selector, now)
    if until is not None:
        raise TooManyTriesError(until=until)
    opened = await _use(database, keys, code, now)
    await database.fetchval(_GIVE_BACK, f"{TRIES.name}:{selector}", float(TRIES.hits))
    return opened


async def _use(database: Database, keys: Keys, code: str, now: datetime) -> Opened:
    hashes = [tokens.hash_code(Keys([key]), code, _CONTEXT) for key in keys.keys]
    async with database.unit_of_work() as unit:
        row = await unit.connection.fetchrow(_USE, hashes, now)
        if row is None:
            raise CodeWrongError
        await auditing.record(
            unit.connection,
            Actor("person", row["person_id"]),
            "used_phone_code",
            "invitation",
            row["id"],
        )
    token = tokens.derive(keys, Purpose.ANSWER, row["handle"], row["epoch"])
    return Opened(token, row["locale"])


def _selector(meeting_id: UUID) -> str:
    digest = sha256(b"phone\x00" + meeting_id.bytes).digest()
    return "".join(SIGNS[byte % len(SIGNS)] for byte in digest[:_SELECTOR_LENGTH])


def _draw(length: int) -> str:
    return "".join(secrets.choice(SIGNS) for _ in range(length))
