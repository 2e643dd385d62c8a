"""Let one letter be about several subjects, and let single subjects drop out of it again.

Posted letters that go together become one before their transaction ends: the first of them takes
the others in. What a single letter would have had (kind, order, key, cause) its part keeps, so a
part is guarded, put in order and taken back like a letter of its own.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from uuid import UUID

from notifications.storage import Connection, Database

ORDER_PREFIX = "cmb:"
"""Begins the ordering key of such a letter: it also keeps the order of each of its parts."""

# One row of a letter is known to be its first part; everything else follows from window functions,
# because a join of what was just written would compare each letter with each other one.
_FOLD = """
WITH chosen (id, whole_kind, whole_key, place) AS MATERIALIZED ({select}),
parts AS MATERIALIZED (
    SELECT c.whole_kind, c.whole_key, c.place, l.id, l.dedupe_key, l.kind, l.recipient_id,
        l.subject_id, l.subject_rev, l.time_rev, l.ordering_key, l.cause,
        first_value(l.id) OVER whole AS whole_id,
        min(o.priority) OVER same AS priority, max(o.expires_at) OVER same AS expires_at
    FROM chosen c JOIN letter l USING (id) JOIN outbox o USING (id)
    WHERE o.state = 'queued' AND o.lease_token = 0
    WINDOW same AS (PARTITION BY c.whole_key),
        whole AS (PARTITION BY c.whole_key ORDER BY c.place, l.id)
), listed AS (
    INSERT INTO letter_subject (letter_id, subject_id, subject_rev, position, kind, time_rev,
        ordering_key, dedupe_key, cause)
    SELECT whole_id, subject_id, subject_rev, place, kind, time_rev, ordering_key, dedupe_key,
        cause FROM parts
), whole AS (
    UPDATE letter l SET kind = p.whole_kind, dedupe_key = p.whole_key, subject_id = NULL,
        subject_rev = 0, time_rev = 0, cause = jsonb_build_object('joint', p.whole_key),
        ordering_key = '{prefix}' || l.recipient_id
    FROM parts p WHERE p.id = l.id AND p.id = p.whole_id
), queued AS (
    UPDATE outbox o SET priority = p.priority, expires_at = p.expires_at,
        ordering_key = '{prefix}' || p.recipient_id
    FROM parts p WHERE p.id = o.id AND p.id = p.whole_id
), gone AS (
    DELETE FROM letter l USING parts p WHERE p.id = l.id AND p.id <> p.whole_id
    RETURNING l.id
)
SELECT count(*)::int FROM gone
"""

# A letter that waits takes another one in, as its last part.
_APPEND = """
WITH pairs AS (SELECT * FROM unnest($1::uuid[], $2::uuid[]) AS p (id, whole_id)),
listed AS (
    INSERT INTO letter_subject (letter_id, subject_id, subject_rev, position, kind, time_rev,
        ordering_key, dedupe_key, cause)
    SELECT p.whole_id, l.subject_id, l.subject_rev, (
            SELECT max(s.position) + 1 FROM letter_subject s WHERE s.letter_id = p.whole_id),
        l.kind, l.time_rev, l.ordering_key, l.dedupe_key, l.cause
    FROM pairs p JOIN letter l ON l.id = p.id
), longer AS (
    UPDATE outbox o SET expires_at = greatest(o.expires_at, taken.expires_at)
    FROM pairs p JOIN outbox taken ON taken.id = p.id WHERE o.id = p.whole_id
)
DELETE FROM letter l USING pairs p WHERE l.id = p.id
"""

# The row of the outbox is locked first: a letter that is being claimed is either taken before its
# part drops out, and then leaves with it, or afterwards, and then without.
_DROP = """
WITH open AS MATERIALIZED (
    SELECT o.id, s.subject_id FROM letter_subject s
    JOIN letter l ON l.id = s.letter_id
    JOIN outbox o ON o.id = s.letter_id
    WHERE s.subject_id = $1 AND s.kind = ANY ($2::text[]) AND s.dropped_because IS NULL
        AND o.state = 'queued' AND ($4::uuid IS NULL OR l.recipient_id = $4)
    FOR UPDATE OF o
), dropped AS (
    UPDATE letter_subject s SET dropped_because = $3 FROM open
    WHERE s.letter_id = open.id AND s.subject_id = open.subject_id
)
UPDATE outbox o SET state = 'cancelled', reason = $3, finished_at = now()
FROM open WHERE o.id = open.id AND NOT EXISTS (
    SELECT FROM letter_subject other WHERE other.letter_id = open.id
        AND other.subject_id <> open.subject_id AND other.dropped_because IS NULL)
"""

# Bytes that somebody may have are never changed; what they say stays on record as said.
_NOTE = """
UPDATE letter_subject s SET dropped_because = w.reason
FROM unnest($1::uuid[], $2::uuid[], $3::text[]) AS w (letter_id, subject_id, reason)
JOIN outbox o ON o.id = w.letter_id AND o.letter_sha256 IS NULL
WHERE s.letter_id = w.letter_id AND s.subject_id = w.subject_id AND s.dropped_because IS NULL
"""

_TAKE_OVER = """
INSERT INTO letter_subject (letter_id, subject_id, subject_rev, position, kind, time_rev,
    ordering_key, cause, dropped_because)
SELECT $2, subject_id, subject_rev, position, kind, time_rev, ordering_key, cause, dropped_because
FROM letter_subject WHERE letter_id = $1
ON CONFLICT DO NOTHING
"""


@dataclass(frozen=True, slots=True)
class Dropped:
    """A part that no longer holds at the moment its letter would leave, and why (a code)."""

    letter_id: UUID
    subject_id: UUID
    reason: str


async def fold_selected(connection: Connection, select_sql: str, *args: object) -> int:
    """Make one letter of all that the select gives one key, and return how many fewer leave.

    `select_sql` is a constant that yields letters of this very transaction: id, kind and dedupe key
    of the letter that they become, and their place in it from 1. A subject may occur once a letter.
    """
    sql = _FOLD.format(select=select_sql, prefix=ORDER_PREFIX)
    return int(await connection.fetchval(sql, *args))


async def append(connection: Connection, pairs: Iterable[tuple[UUID, UUID]]) -> None:
    """Let letters of this transaction become parts of others that wait and are locked by it.

    Each pair is the letter and the one that takes it in; a subject may occur once a letter.
    """
    found = list(pairs)
    if found:
        await connection.execute(_APPEND, [one for one, _ in found], [whole for _, whole in found])


async def drop_parts(
    connection: Connection,
    subject_id: UUID,
    kinds: Sequence[str],
    reason: str,
    recipient_id: UUID | None = None,
) -> int:
    """Let parts of these kinds drop out of letters that wait; return how many letters fell away."""
    status = await connection.execute(_DROP, subject_id, list(kinds), reason, recipient_id)
    return int(status.rsplit(" ", 1)[-1])


async def note_dropped(database: Database, dropped: Iterable[Dropped]) -> None:
    """Put down why parts are left out of letters that are about to leave."""
    found = list(dropped)
    if found:
        columns = ("letter_id", "subject_id", "reason")
        await database.fetch(_NOTE, *([getattr(d, name) for d in found] for name in columns))


async def take_over_parts(connection: Connection, letter_id: UUID, copy_id: UUID) -> None:
    """Give a repeated letter the parts of the one that it repeats."""
    await connection.execute(_TAKE_OVER, letter_id, copy_id)
