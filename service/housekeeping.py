"""Keep house: forget what nobody needs any more, little by little, as the clock says.

Every clean-up removes what it looks at, or finds it by an index, so that none grows with history.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from asyncpg import Connection

from notifications import intake, outbox, pauses
from notifications.bounces import Kind
from service import forgetting, limiting, sifting
from service.database import Database
from service.domain import retention

# A worker that was not heard of for so long is gone, and so is its row.
WORKER_GONE = timedelta(days=1)
DELIVERERS_KEPT = timedelta(days=365)
# What a link was is told for a while after it ended, then it is unknown.
SIGN_INS_KEPT = timedelta(days=7)
CODES_KEPT = timedelta(days=7)
# The privacy page promises these.
LETTER_WORDS_KEPT = retention.LETTERS.period
LETTERS_KEPT = retention.LETTER_PROOF.period
FETCHES_KEPT = retention.FEEDS.period
ACTS_KEPT = retention.AUDIT.period
_RETURNS_KEPT: tuple[tuple[timedelta, tuple[Kind, ...] | None], ...] = (
    (retention.AUTO_REPLIES.period, (Kind.AUTO_REPLY,)),
    (retention.WORDS.period, (Kind.WORDS,)),
    (LETTERS_KEPT, None),
)
# These letters carry what somebody wrote in their cause.
WORDY_KINDS = ("test", "hint_received")
# A run gives up after so many portions; the next hour goes on.
_MOST_PORTIONS = 100

_FORGET_WORKERS = "DELETE FROM worker WHERE heartbeat_at < $1"
_FORGET_SESSIONS = """
DELETE FROM staff_session WHERE secret_hash IN (
    SELECT secret_hash FROM staff_session WHERE ends_at < $1 LIMIT $2)
"""
_FORGET_TOKENS = """
DELETE FROM one_time_token WHERE id IN (
    SELECT id FROM one_time_token WHERE expires_at < $1 LIMIT $2)
"""
_FORGET_CODES = """
DELETE FROM phone_code WHERE id IN (SELECT id FROM phone_code WHERE expires_at < $1 LIMIT $2)
"""
# There are as many calendars as people, and few were not fetched for so long.
_FORGET_FETCHES = """
UPDATE feed SET last_fetch_on = NULL, client_family = '', fetched_state_at = NULL
WHERE last_fetch_on < ($1::timestamptz AT TIME ZONE 'UTC')::date
"""
# Acts are numbered as they happen, so the oldest are found without looking at the others.
_FORGET_ACTS = """
DELETE FROM audit WHERE happened_at < $1
    AND id IN (SELECT id FROM audit ORDER BY id LIMIT $2)
"""
_FORGET_EVENTS = """
DELETE FROM address_event WHERE happened_at < $1
    AND id IN (SELECT id FROM address_event ORDER BY id LIMIT $2)
"""
# One condition each, or the people would be read as a whole for each address.
_FORGET_ADDRESSES = """
DELETE FROM address_state WHERE address_normal IN (
    SELECT s.address_normal FROM address_state s WHERE s.updated_at < $1
        AND NOT EXISTS (SELECT FROM account a WHERE a.email_normal = s.address_normal)
        AND NOT EXISTS (SELECT FROM person p WHERE p.email_normal = s.address_normal)
        AND NOT EXISTS (SELECT FROM person p WHERE lower(p.copy_email) = s.address_normal)
    LIMIT $2)
"""

Work = Callable[[Database, datetime], Awaitable[object]]
_log = structlog.get_logger(__name__)


async def keep_house(database: Database, now: datetime) -> None:
    """Do every clean-up once; raise the first error when all others had their turn."""
    await in_turn(CLEAN_UPS, database, now)


async def in_turn(works: Sequence[Work], database: Database, now: datetime) -> None:
    """Do every work; raise the first error when all others had their turn."""
    first: Exception | None = None
    for work in works:
        try:
            await work(database, now)
        except Exception as error:  # noqa: BLE001 - what cannot be forgotten holds up nothing else
            _log.warning("house.failed", work=work.__name__, kind=type(error).__name__)
            first = first or error
    if first is not None:
        raise first


async def forget_workers(database: Database, now: datetime) -> None:
    """Remove workers that were not heard of for a day, and after a year what they delivered by."""
    await _execute(database, _FORGET_WORKERS, now - WORKER_GONE)
    async with database.unit_of_work() as unit:
        await pauses.forget_workers(unit.connection, now - DELIVERERS_KEPT)


async def forget_sign_ins(database: Database, now: datetime) -> None:
    """Remove sessions at their end, and one-time links a week later: until then they say so."""
    await _forget(database, _FORGET_SESSIONS, now)
    await _forget(database, _FORGET_TOKENS, now - SIGN_INS_KEPT)


async def forget_codes(database: Database, now: datetime) -> None:
    """Remove codes that were read out on the telephone a week after their end."""
    await _forget(database, _FORGET_CODES, now - CODES_KEPT)


async def forget_fetches(database: Database, now: datetime) -> None:
    """Forget the day and the program of the last fetch of a calendar after 90 days."""
    await _execute(database, _FORGET_FETCHES, now - FETCHES_KEPT)


async def forget_addresses(database: Database, now: datetime) -> None:
    """Remove what was learnt about an address 90 days later, and whole addresses of nobody."""
    await _forget(database, _FORGET_EVENTS, now - LETTERS_KEPT)
    await _forget(database, _FORGET_ADDRESSES, now - LETTERS_KEPT)


async def forget_letter_words(database: Database, now: datetime) -> int:
    """Drop what letters said to whom 30 days after their end; return how many letters."""
    before = now - LETTER_WORDS_KEPT

    async def forget(connection: "Connection[Any]") -> int:
        return await outbox.forget_values(connection, before, wordy_kinds=WORDY_KINDS)

    return await _in_portions(database, forget)


async def delete_letters(database: Database, now: datetime) -> int:
    """Delete letters and the proof that they left 90 days after their end; return how many."""
    before = now - LETTERS_KEPT

    async def delete(connection: "Connection[Any]") -> int:
        return await outbox.delete_ended(connection, before)

    return await _in_portions(database, delete)


async def forget_wordings(database: Database, now: datetime) -> int:
    """Drop what letters had in common 30 days after its last use; return how many wordings."""
    before = now - LETTER_WORDS_KEPT

    async def forget(connection: "Connection[Any]") -> int:
        return await outbox.forget_prototypes(connection, before)

    return await _in_portions(database, forget)


async def forget_returns(database: Database, now: datetime) -> int:
    """Delete automatic answers after 14 days, words after 30, all that came back after 90.

    Return how many.
    """
    return sum([await _forget_returns(database, now - age, kinds) for age, kinds in _RETURNS_KEPT])


async def forget_calendar_answers(database: Database, now: datetime) -> int:
    """Delete what calendar programs answered 30 days later."""
    before = now - retention.CALENDAR_ANSWERS.period

    async def forget(connection: "Connection[Any]") -> int:
        return await sifting.forget(connection, before, outbox.FORGET_AT_ONCE)

    return await _in_portions(database, forget)


async def forget_answers(database: Database, now: datetime) -> int:
    """Forget answers to sessions that ended, step by step; return how many sessions took one."""

    async def forget(connection: "Connection[Any]") -> int:
        return await forgetting.forget(connection, now)

    return await _in_portions(database, forget, forgetting.SESSIONS_AT_ONCE)


async def forget_acts(database: Database, now: datetime) -> int:
    """Delete who did what a year later; return how many acts."""
    return await _forget(database, _FORGET_ACTS, now - ACTS_KEPT)


CLEAN_UPS: tuple[Work, ...] = (
    limiting.purge,
    forget_workers,
    forget_sign_ins,
    forget_codes,
    forget_addresses,
    forget_fetches,
    forget_letter_words,
    delete_letters,
    forget_returns,
    forget_calendar_answers,
    forget_wordings,
    forget_answers,
    forget_acts,
)


async def _forget_returns(
    database: Database, before: datetime, kinds: tuple[Kind, ...] | None
) -> int:
    async def forget(connection: "Connection[Any]") -> int:
        return await intake.forget(connection, before, kinds=kinds)

    return await _in_portions(database, forget)


async def _execute(database: Database, sql: str, before: datetime) -> None:
    async with database.unit_of_work() as unit:
        await unit.connection.execute(sql, before)


async def _forget(database: Database, sql: str, before: datetime) -> int:
    """Run a statement that takes an instant and the most rows it may touch."""

    async def forget(connection: "Connection[Any]") -> int:
        status = await connection.execute(sql, before, outbox.FORGET_AT_ONCE)
        return int(status.rsplit(" ", 1)[-1])

    return await _in_portions(database, forget)


async def _in_portions(
    database: Database,
    work: "Callable[[Connection[Any]], Awaitable[int]]",
    most: int = outbox.FORGET_AT_ONCE,
) -> int:
    """Work in transactions of their own until a portion is not full any more."""
    total = 0
    for _ in range(_MOST_PORTIONS):
        async with database.unit_of_work() as unit:
            count = await work(unit.connection)
        total += count
        if count < most:
            break
    return total
