"""Copies for secretariats: the plain letter once more, to the second address of a person.

A copy is a letter of its own kind, with a row, a key and a place in the queue of its own: nothing
that counts a person's letters takes it for one of them, and neither of the two waits for the
other. It says what its original says, and falls away when that is taken back.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from asyncpg import Connection

from notifications import outbox

KIND = "copy"
# What is about a session. Links that open a whole calendar, and signing in, are nobody else's. A
# receipt's copy is posted with the receipt, in the one statement of an answer.
KINDS = (
    *("invitation", "date_confirmed", "change", "postponed", "cancellation", "uncancellation"),
    *("uninvited", "nudge", "reminder", "several", "welcome", "farewell"),
)

_POST_OF = """
SELECT 'cpy:' || l.dedupe_key, 'copy', l.recipient_id, l.subject_id, l.subject_rev, l.time_rev,
    'cpy:' || l.ordering_key, l.locale, l.cause || jsonb_build_object('of', l.id, 'copies', l.kind),
    o.priority, o.next_attempt_at, o.expires_at, lower(split_part(p.copy_email, '@', 2))
FROM letter l
JOIN outbox o USING (id)
JOIN person p ON p.id = l.recipient_id
WHERE {which} AND l.kind = ANY ($1::text[]) AND o.state = 'queued'
    AND p.copy_email IS NOT NULL AND lower(p.copy_email) <> p.email_normal
"""
# Letters bear the moment at which their transaction began: this finds those of this very one.
_POST = _POST_OF.format(which="l.created_at = now()")
_POST_BACK = _POST_OF.format(which="l.id = ANY ($2::uuid[])")
# Copies that fell away with their originals.
_STOPPED = """
SELECT c.id, c.subject_id FROM letter l
JOIN letter c ON c.recipient_id = l.recipient_id AND c.kind = 'copy'
    AND c.cause ->> 'of' = l.id::text
JOIN outbox o ON o.id = c.id AND o.state = 'cancelled'
WHERE l.id = ANY ($1::uuid[])
"""

_POST_PARTS = """
INSERT INTO letter_subject (letter_id, subject_id, subject_rev, position, kind, time_rev,
    ordering_key, cause)
SELECT l.id, s.subject_id, s.subject_rev, s.position, s.kind, s.time_rev,
    'cpy:' || s.ordering_key, s.cause
FROM letter l JOIN letter_subject s ON s.letter_id = (l.cause ->> 'of')::uuid
WHERE l.created_at = now() AND l.kind = 'copy'
ON CONFLICT DO NOTHING
"""

# A copy that still waits, or is held for its address, comes by itself.
_REACHED = """
SELECT p.copy_email
FROM letter l
JOIN person p ON p.id = l.recipient_id
JOIN letter c ON c.recipient_id = l.recipient_id AND c.created_at >= l.created_at
    AND c.kind = 'copy' AND c.cause ->> 'of' = l.id::text
JOIN outbox o ON o.id = c.id AND o.state IN ('sent', 'failed', 'dead')
WHERE l.id = $1 AND p.copy_email IS NOT NULL AND lower(p.copy_email) <> p.email_normal
    AND lower(coalesce(c.to_addr, p.copy_email)) = lower(p.copy_email)
LIMIT 1
"""


async def find_reader(connection: "Connection[Any]", letter_id: UUID) -> str | None:
    """Return the second address a copy of this letter went to, while it is still the person's."""
    found: str | None = await connection.fetchval(_REACHED, letter_id)
    return found


async def follow(connection: "Connection[Any]") -> int:
    """Post copies of the letters that this transaction has posted; return how many are new."""
    count = await outbox.post_selected(connection, _POST, list(KINDS))
    if count:
        await connection.execute(_POST_PARTS)
    return count


async def follow_back(connection: "Connection[Any]", letter_ids: Sequence[UUID]) -> None:
    """Let the copies leave too of letters that were stopped and come back."""
    ids = list(letter_ids)
    stopped = [tuple(row) for row in await connection.fetch(_STOPPED, ids)]
    await outbox.bring_back(connection, stopped, "uninvited")
    if await outbox.post_selected(connection, _POST_BACK, list(KINDS), ids):
        await connection.execute(_POST_PARTS)
