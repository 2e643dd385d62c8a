"""Post a letter once per key, inside the transaction that gave rise to it, and take it back.

How letters leave is the postman's business (`postman`, `leases`); this is what use cases call.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from notifications import combining, crashing
from notifications.storage import Connection

ANALYZE_ABOVE = 1000
"""Rows of one posting from which on the planner's statistics are made anew at once."""

# A sample that tells crowds from few is enough: the usual one is ten times as large, and takes a
# tenth of all the time that the letters need.
_ANALYZE = "SET LOCAL default_statistics_target = 10; ANALYZE outbox"

FORGET_AT_ONCE = 1000
"""Letters that one statement of the clean-up touches, so that nothing waits for it."""


class State(StrEnum):
    """Where a letter is; `queued`, `sending` and `uncertain` are open, the rest is final."""

    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    UNCERTAIN = "uncertain"
    FAILED = "failed"
    DEAD = "dead"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    HELD = "held"


OPEN = (State.QUEUED, State.SENDING, State.UNCERTAIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewLetter:
    """A letter to be: who, about what, in which order, when at the earliest and the latest."""

    dedupe_key: str
    kind: str
    recipient_id: UUID | None
    subject_id: UUID | None
    ordering_key: str
    not_before: datetime
    expires_at: datetime
    locale: str = "de"
    subject_rev: int = 0
    time_rev: int = 0
    cause: Mapping[str, Any] = field(default_factory=dict)
    priority: int = 5
    recipient_domain: str = ""


# The planner takes every step for one row. A join would compare each letter with each other one,
# thirteen seconds for 5,000; as a value, not a condition, the last line becomes a hashed lookup.
# Two posters of one key never wait for each other longer than a transaction takes, and the second
# one inserts nothing. The select may hold FOR UPDATE SKIP LOCKED on its own rows.
_POST = """
WITH wanted (dedupe_key, kind, recipient_id, subject_id, subject_rev, time_rev, ordering_key,
    locale, cause, priority, not_before, expires_at, recipient_domain{more}) AS MATERIALIZED (
    {select}),
single AS MATERIALIZED (
    SELECT DISTINCT ON (dedupe_key) *, gen_random_uuid() AS id FROM wanted ORDER BY dedupe_key
),
written AS (
    INSERT INTO letter (id, dedupe_key, kind, recipient_id, subject_id, subject_rev, time_rev,
        ordering_key, locale, cause)
    SELECT id, dedupe_key, kind, recipient_id, subject_id, subject_rev, time_rev, ordering_key,
        locale, coalesce(cause, '{{}}') FROM single
    -- What a letter about several subjects says already is not said again.
    WHERE (SELECT part.letter_id FROM letter_subject part
        WHERE part.dedupe_key = single.dedupe_key) IS NULL
    ON CONFLICT (dedupe_key) DO NOTHING
    RETURNING id
)
{tail}"""
_QUEUE = """INSERT INTO outbox
    (id, priority, ordering_key, recipient_domain, next_attempt_at, expires_at)
SELECT id, priority, ordering_key, lower(coalesce(recipient_domain, '')),
    coalesce(not_before, now()), expires_at
FROM single WHERE (id IN (SELECT id FROM written)) IS TRUE
"""
# Whoever is left out has a row too, which says why and has ended before it began.
_JUDGE = """, kept AS (
INSERT INTO outbox (id, priority, ordering_key, recipient_domain, next_attempt_at, expires_at,
    state, reason, finished_at)
SELECT id, priority, ordering_key, lower(coalesce(recipient_domain, '')),
    coalesce(not_before, now()), expires_at,
    CASE WHEN reason IS NULL THEN 'queued' ELSE 'cancelled' END, reason,
    CASE WHEN reason IS NOT NULL THEN now() END
FROM single WHERE (id IN (SELECT id FROM written)) IS TRUE
RETURNING state)
SELECT count(*) FILTER (WHERE state = 'queued')::int AS posted, count(*)::int AS kept FROM kept
"""

_ONE = """
SELECT $1::text, $2::text, $3::uuid, $4::uuid, $5::int, $6::int, $7::text, $8::text, $9::jsonb,
    $10::smallint, $11::timestamptz, $12::timestamptz, $13::text
"""

_CANCEL = """
UPDATE outbox o SET state = 'cancelled', reason = $3, finished_at = now()
FROM letter l
WHERE l.id = o.id AND o.state = 'queued' AND l.subject_id = $1 AND l.kind = ANY($2::text[])
  AND ($4::uuid IS NULL OR l.recipient_id = $4)
"""

_REPEAT = """
SELECT 'man:' || gen_random_uuid(), coalesce(s.kind, l.kind), l.recipient_id,
    coalesce(s.subject_id, l.subject_id), coalesce(s.subject_rev, l.subject_rev),
    coalesce(s.time_rev, l.time_rev), coalesce(s.ordering_key, l.ordering_key), l.locale,
    coalesce(s.cause, l.cause), o.priority, now(), $2::timestamptz, o.recipient_domain
FROM letter l JOIN outbox o USING (id)
LEFT JOIN letter_subject s ON s.letter_id = l.id AND s.subject_id = $4
WHERE l.id = $1 AND o.state <> ALL ($3::text[])
"""

_RELEASE_HELD = """
UPDATE outbox SET state = 'queued', reason = NULL, next_attempt_at = now(), finished_at = NULL
WHERE id = ANY($1::uuid[]) AND state = 'held'
"""


_DROP_HELD = """
UPDATE outbox SET state = 'cancelled', reason = $2, finished_at = now()
WHERE id = ANY($1::uuid[]) AND state = 'held'
"""

# What was taken back comes again as it was. Who has claimed it has judged by what no longer holds,
# and loses it: before the mark nobody can have it.
_BRING_BACK = """
WITH wanted AS (SELECT * FROM unnest($1::uuid[], $2::uuid[]) AS w (letter_id, subject_id)),
open AS MATERIALIZED (
    SELECT o.id FROM outbox o
    WHERE o.id IN (SELECT letter_id FROM wanted) AND (o.state IN ('queued', 'held')
        OR o.state = 'cancelled' AND o.reason = $3
        OR o.state = 'sending' AND o.data_started_at IS NULL)
    ORDER BY o.id FOR UPDATE
), parts AS (
    UPDATE letter_subject s SET dropped_because = NULL FROM wanted w
    WHERE s.letter_id = w.letter_id AND s.subject_id = w.subject_id AND s.dropped_because = $3
        AND s.letter_id IN (SELECT id FROM open)
), queued AS (
    UPDATE outbox o SET state = 'queued', reason = NULL, finished_at = NULL, lease_until = NULL,
        lease_token = o.lease_token + (o.state = 'sending')::int
    FROM open WHERE o.id = open.id AND o.state IN ('cancelled', 'sending')
)
SELECT id FROM open
"""

# Parts that the letter left without; they are said by a letter of their own now.
_LEFT_BEHIND = """
UPDATE letter_subject s SET dropped_because = 'replaced'
FROM unnest($1::uuid[], $2::uuid[]) AS w (letter_id, subject_id)
JOIN outbox o ON o.id = w.letter_id
WHERE s.letter_id = w.letter_id AND s.subject_id = w.subject_id AND s.dropped_because = $3
    AND o.state IN ('sent', 'uncertain', 'sending', 'failed', 'dead')
RETURNING s.letter_id, s.subject_id, o.expires_at
"""

_TAKE_BACK = """
UPDATE outbox SET state = 'cancelled', reason = $2, finished_at = now()
WHERE id = $1 AND state = 'queued'
"""

# What is held may still leave, and then with the bytes that were promised. The age of the letter
# bounds the search by an index; what counts is when it ended.
_FORGET = """
UPDATE letter SET slot_values = NULL, to_name = NULL,
    cause = CASE WHEN kind = ANY($2::text[]) THEN '{}' ELSE cause END
WHERE id IN (
    SELECT l.id FROM letter l JOIN outbox o USING (id)
    WHERE l.created_at < $1 AND o.finished_at < $1 AND o.state <> 'held'
      AND (l.slot_values IS NOT NULL OR l.to_name IS NOT NULL
        OR l.kind = ANY($2::text[]) AND l.cause <> '{}')
    LIMIT $3)
"""

_DELETE = """
DELETE FROM letter WHERE id IN (
    SELECT l.id FROM letter l JOIN outbox o USING (id)
    WHERE l.created_at < $1 AND o.finished_at < $1
    ORDER BY l.created_at LIMIT $2)
"""


# What is in use says so every day (`prototypes`); a letter that was frozen may wait longer, held.
_FORGET_PROTOTYPES = """
DELETE FROM prototype WHERE sha256 IN (
    SELECT sha256 FROM prototype WHERE used_at < $1 AND sha256 NOT IN (
        SELECT l.prototype_sha256 FROM letter l JOIN outbox o USING (id)
        WHERE o.state IN ('queued', 'sending', 'uncertain', 'held')
            AND l.prototype_sha256 IS NOT NULL)
    LIMIT $2)
"""


async def post_selected(connection: Connection, select_sql: str, *args: object) -> int:
    """Post one letter for each selected row, and return how many are new.

    `select_sql` is a constant that yields, in this order: dedupe_key, kind, recipient_id,
    subject_id, subject_rev, time_rev, ordering_key, locale, cause, priority, not_before,
    expires_at, recipient_domain. A key that is known already posts nothing.
    """
    status = await connection.execute(_post(select_sql), *args)
    count = int(status.rsplit(" ", 1)[-1])
    await _after_posting(connection, count)
    return count


async def post_judged(connection: Connection, select_sql: str, *args: object) -> int:
    """Post as `post_selected`, with one column more: why a letter is not to go, else null.

    Such a letter is kept as cancelled with its reason and never leaves; it is not counted.
    """
    sql = _POST.format(select=select_sql, more=", reason", tail=_JUDGE)
    (counts,) = await connection.fetch(sql, *args)
    await _after_posting(connection, counts["kept"])
    return int(counts["posted"])


def _post(select_sql: str) -> str:
    return _POST.format(select=select_sql, more="", tail=_QUEUE)


async def _after_posting(connection: Connection, count: int) -> None:
    crashing.pass_point("in_posting")
    if count > ANALYZE_ABOVE:
        await connection.execute(_ANALYZE)


async def post(connection: Connection, letter: NewLetter) -> UUID | None:
    """Post one letter and return its id, or None when its key is known already."""
    found: UUID | None = await connection.fetchval(
        _post(_ONE) + " RETURNING id",
        letter.dedupe_key,
        letter.kind,
        letter.recipient_id,
        letter.subject_id,
        letter.subject_rev,
        letter.time_rev,
        letter.ordering_key,
        letter.locale,
        dict(letter.cause),
        letter.priority,
        letter.not_before,
        letter.expires_at,
        letter.recipient_domain,
    )
    return found


async def cancel(
    connection: Connection,
    subject_id: UUID,
    kinds: Sequence[str],
    reason: str,
    recipient_id: UUID | None = None,
) -> int:
    """Take back queued letters of these kinds about a subject, and return how many.

    Letters that are leaving already are not touched: the guard or the next letter sets them right.
    Of one about several subjects this one drops out; with its last one it is taken back.
    """
    names = [str(kind) for kind in kinds]
    status = await connection.execute(_CANCEL, subject_id, names, reason, recipient_id)
    parts = await combining.drop_parts(connection, subject_id, names, reason, recipient_id)
    return int(status.rsplit(" ", 1)[-1]) + parts


async def repeat(
    connection: Connection,
    letter_id: UUID,
    expires_at: datetime,
    *,
    unless: Sequence[State] = OPEN,
    subject_id: UUID | None = None,
) -> UUID | None:
    """Post a letter once more under a new id, on purpose; None while it is in one of the states.

    With `subject_id` only what it says of this subject, as a letter of its own.
    """
    found: UUID | None = await connection.fetchval(
        _post(_REPEAT) + " RETURNING id",
        letter_id,
        expires_at,
        [str(state) for state in unless],
        subject_id,
    )
    if found is not None and subject_id is None:
        await combining.take_over_parts(connection, letter_id, found)
    return found


async def release_held(connection: Connection, letter_ids: Sequence[UUID]) -> int:
    """Queue letters again that were held back, and return how many."""
    status = await connection.execute(_RELEASE_HELD, list(letter_ids))
    return int(status.rsplit(" ", 1)[-1])


async def drop_held(connection: Connection, letter_ids: Sequence[UUID], reason: str) -> int:
    """Give letters up that were held back, and return how many."""
    status = await connection.execute(_DROP_HELD, list(letter_ids), reason)
    return int(status.rsplit(" ", 1)[-1])


async def bring_back(
    connection: Connection, letters: Sequence[tuple[UUID, UUID]], reason: str
) -> list[UUID]:
    """Let letters about subjects leave after all that were taken back for a reason; return them.

    Each is named with its subject. Of a letter about several subjects the part comes back; where
    that letter left without it, as a letter of its own. What nobody took back stays as it is, but
    for what is claimed and not marked: it is claimed and judged anew.
    """
    columns = [letter for letter, _ in letters], [subject for _, subject in letters]
    opened = [row["id"] for row in await connection.fetch(_BRING_BACK, *columns, reason)]
    for row in await connection.fetch(_LEFT_BEHIND, *columns, reason):
        found = await repeat(
            *(connection, row["letter_id"], row["expires_at"]),
            unless=(),
            subject_id=row["subject_id"],
        )
        opened += [found] if found else []
    return opened


async def take_back(connection: Connection, letter_id: UUID, reason: str) -> bool:
    """Take one queued letter back; False when it is leaving or has ended already."""
    status = await connection.execute(_TAKE_BACK, letter_id, reason)
    return int(status.rsplit(" ", 1)[-1]) > 0


async def forget_values(
    connection: Connection,
    finished_before: datetime,
    *,
    wordy_kinds: Sequence[str] = (),
    limit: int = FORGET_AT_ONCE,
) -> int:
    """Drop names and personal values of letters that ended before; the proof of bytes stays.

    The cause of `wordy_kinds` holds what somebody wrote and goes too. At most `limit` letters
    change; the number of those that did is returned.
    """
    status = await connection.execute(_FORGET, finished_before, list(wordy_kinds), limit)
    return int(status.rsplit(" ", 1)[-1])


async def delete_ended(
    connection: Connection, finished_before: datetime, *, limit: int = FORGET_AT_ONCE
) -> int:
    """Delete letters that ended before, with their attempts; return how many, at most `limit`."""
    status = await connection.execute(_DELETE, finished_before, limit)
    return int(status.rsplit(" ", 1)[-1])


async def forget_prototypes(
    connection: Connection, unused_since: datetime, *, limit: int = FORGET_AT_ONCE
) -> int:
    """Drop wordings that no letter used since and none needs that may still leave; how many."""
    status = await connection.execute(_FORGET_PROTOTYPES, unused_since, limit)
    return int(status.rsplit(" ", 1)[-1])
