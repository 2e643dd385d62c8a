"""What refusals, reports and answers teach us about an address, and when letters stay back.

The list of members is curated, so a wrong suspicion costs a missed invitation: an address counts
as undeliverable only when nobody can doubt it any more.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any
from uuid import UUID

from notifications.storage import Connection

HARD_LETTERS = 2
"""Different letters that must have been refused for good before an address is given up."""

SOFT_LIMIT = 5
"""Days with a passing failure before an address is given up; a day counts once."""

SOFT_KEPT = timedelta(days=14)
"""Without another failure for so long, passing ones are forgotten."""

STATUS_LIMIT = 120

MARKED = "marked"
"""Stands for a status code where no server but a person gave the address up."""


class Verdict(StrEnum):
    """What one event says; the confirmed one was said by the server's own reply (5.1.1, 5.1.10)."""

    HARD = "hard"
    HARD_CONFIRMED = "hard_confirmed"
    SOFT = "soft"
    COMPLAINT = "complaint"
    DELIVERED = "delivered"


@dataclass(frozen=True, slots=True)
class Standing:
    """How an address stands: ok, soft, undeliverable, blocked or unverified, and its score."""

    state: str = "ok"
    score: float = 0.0
    last_bounce_at: datetime | None = None


_LOCK = """
SELECT state, score, last_bounce_at FROM address_state WHERE address_normal = lower($1) FOR UPDATE
"""
_MEET = """
INSERT INTO address_state (address_normal) VALUES (lower($1)) ON CONFLICT DO NOTHING
"""
_NOTE = """
INSERT INTO address_event (address_normal, verdict, letter_id, status, happened_at)
VALUES (lower($1), $2, $3, $4, $5) ON CONFLICT DO NOTHING RETURNING id
"""
_HARD_LETTERS = """
SELECT count(DISTINCT coalesce(letter_id::text, id::text)) FROM address_event
WHERE address_normal = lower($1) AND verdict IN ('hard', 'hard_confirmed')
"""
_SAVE = """
UPDATE address_state SET state = $2, score = $3, last_bounce_at = $4, updated_at = now(),
    last_status = coalesce($5, last_status)
WHERE address_normal = lower($1)
"""
_FORGET_EVENTS = "DELETE FROM address_event WHERE address_normal = lower($1)"
_SUSPEND = """
INSERT INTO address_state AS a (address_normal, state, last_bounce_at, last_status)
VALUES (lower($1), 'undeliverable', $2, $3)
ON CONFLICT (address_normal) DO UPDATE SET state = 'undeliverable', last_bounce_at = $2,
    last_status = $3, probe_letter_id = NULL, updated_at = now()
WHERE a.state NOT IN ('undeliverable', 'blocked')
RETURNING a.address_normal
"""
_CLEAR = """
UPDATE address_state SET state = 'ok', score = 0, cleared_by = $2, probe_letter_id = NULL,
    updated_at = $3
WHERE address_normal = lower($1) AND state <> 'blocked' RETURNING address_normal
"""
_PROBE = """
UPDATE address_state SET probe_letter_id = $2
WHERE address_normal = lower($1) AND (probe_letter_id IS NULL OR probe_letter_id = $2)
RETURNING address_normal
"""


def judge(standing: Standing, verdict: Verdict, hard_letters: int, at: datetime) -> Standing:
    """Return how an address stands after an event; `hard_letters` counts this one already.

    A block is lifted by nothing that comes in: its owner did not want our letters.
    """
    if standing.state == "blocked":
        return standing
    if verdict is Verdict.DELIVERED:
        return Standing(last_bounce_at=standing.last_bounce_at)
    if verdict is Verdict.COMPLAINT:
        return Standing("blocked", standing.score, at)
    if verdict is Verdict.SOFT:
        return _softened(standing, at)
    is_sure = verdict is Verdict.HARD_CONFIRMED or hard_letters >= HARD_LETTERS
    state = "undeliverable" if is_sure or standing.state == "undeliverable" else "soft"
    return Standing(state, standing.score, at)


def _softened(standing: Standing, at: datetime) -> Standing:
    last = standing.last_bounce_at
    if last is not None and last.date() == at.date():
        score = max(standing.score, 1.0)
    elif last is None or at - last > SOFT_KEPT:
        score = 1.0
    else:
        score = standing.score + 1.0
    is_lost = score >= SOFT_LIMIT or standing.state == "undeliverable"
    return Standing("undeliverable" if is_lost else "soft", score, at)


async def note(
    connection: Connection,
    address: str,
    verdict: Verdict,
    *,
    letter_id: UUID | None,
    status: str | None,
    at: datetime,
) -> str:
    """Note an event once per letter and verdict; return how the address stands afterwards.

    The state is ok, soft, undeliverable or blocked. `status` is kept for the office (RFC 3463).
    """
    if verdict is Verdict.DELIVERED and not await _is_known(connection, address):
        return "ok"
    await connection.execute(_MEET, address)
    [row] = await connection.fetch(_LOCK, address)
    noted = await connection.fetchval(_NOTE, address, verdict.value, letter_id, status, at)
    if noted is None:
        return str(row["state"])
    hard_letters = await connection.fetchval(_HARD_LETTERS, address)
    after = judge(_standing(row), verdict, hard_letters, at)
    if verdict is Verdict.DELIVERED and after.state == "ok":
        await connection.execute(_FORGET_EVENTS, address)
        await connection.execute(_CLEAR, address, None, at)
    words = status[:STATUS_LIMIT] if status and verdict is not Verdict.DELIVERED else None
    await connection.execute(_SAVE, address, after.state, after.score, after.last_bounce_at, words)
    return after.state


async def clear(connection: Connection, address: str, *, by: UUID | None, at: datetime) -> bool:
    """Believe in an address again; one that is blocked stays so. False when nothing changed.

    Letters that were held for it are let go by whoever knows whose they are.
    """
    await connection.execute(_FORGET_EVENTS, address)
    return await connection.fetchval(_CLEAR, address, by, at) is not None


async def suspend(connection: Connection, address: str, *, at: datetime) -> bool:
    """Give an address up because somebody knows that it does not work; False when it was already.

    A sign of life, or somebody who believes in it again, lifts that like any other doubt.
    """
    return await connection.fetchval(_SUSPEND, address, at, MARKED) is not None


async def probe(connection: Connection, address: str, letter_id: UUID) -> bool:
    """Tell whether this letter may try an undeliverable address: the first one that asks, once."""
    return await connection.fetchval(_PROBE, address, letter_id) is not None


async def _is_known(connection: Connection, address: str) -> bool:
    return bool(await connection.fetch(_LOCK, address))


def _standing(row: Any) -> Standing:
    return Standing(row["state"], row["score"], row["last_bounce_at"])
