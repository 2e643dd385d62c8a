"""What comes back proves what became of a letter: it arrived, it is late, or it never will.

Only what belongs to one letter counts: a delivery report, an automatic answer to its envelope
sender, a reply to it, or a link that no other letter holds. The links by which people answer are
the same in all letters about one invitation, and those for unsubscribing in all letters of a kind,
so a press on one proves nothing about this letter. A click is for links that only one letter has,
such as the one of sign-in.
"""

from datetime import datetime
from typing import Literal
from uuid import UUID

from notifications.storage import Connection

How = Literal["dsn", "relayed", "delayed", "reply", "click", "auto_reply"]
TEXT_LIMIT = 500
"""Characters of a report's words that are kept."""

_DSN_STATES = {"dsn": "delivered", "relayed": "relayed", "delayed": "delayed"}

# Unclear is what waits, what was queued again with the bytes that may have arrived, and what was
# given up for that reason. A second copy that is in DATA already ends by itself.
_UNCLEAR = """(o.state = 'uncertain' OR o.uncertain_count > 0 AND (o.state = 'queued'
    OR o.state = 'dead' AND o.reason = 'delivery_unclear'
    OR o.state = 'sending' AND o.data_started_at IS NULL))"""

_DELIVERED = f"""
UPDATE outbox o SET
    state = CASE WHEN {_UNCLEAR} THEN 'sent' ELSE o.state END,
    reason = CASE WHEN {_UNCLEAR} THEN 'proved' ELSE o.reason END,
    accepted_at = CASE WHEN {_UNCLEAR} THEN coalesce(o.accepted_at, $3) ELSE o.accepted_at END,
    finished_at = CASE WHEN {_UNCLEAR} THEN now() ELSE o.finished_at END,
    lease_until = CASE WHEN {_UNCLEAR} THEN NULL ELSE o.lease_until END,
    dsn_state = coalesce($2::text, o.dsn_state)
WHERE o.id = $1 AND ({_UNCLEAR}
    -- A failure is the last word, and a late word of a delay does not undo a delivery.
    OR $2::text IS NOT NULL AND o.dsn_state <> $2 AND o.dsn_state <> 'failed'
        AND (o.dsn_state <> 'delivered' OR $2 = 'delivered') AND o.state = 'sent')
RETURNING o.id
"""

_FAILED = f"""
UPDATE outbox o SET state = 'failed', reason = $5, dsn_state = 'failed', bounced_at = $2,
    last_enhanced = $3, last_text = $4, last_phase = 'report', last_code = NULL,
    lease_until = NULL, finished_at = now()
WHERE o.id = $1 AND o.bounced_at IS NULL
  AND (o.state = 'sent' OR {_UNCLEAR})
RETURNING o.id
"""


async def delivered(connection: Connection, letter_id: UUID, *, how: How, at: datetime) -> bool:
    """Note that a letter reached somebody: an unclear one counts as sent, and is not sent again.

    `how` is dsn (a report of delivery), relayed or delayed (a report that a server has it), reply,
    auto_reply or click. False when nothing changed by it.
    """
    state = _DSN_STATES.get(how)
    return await connection.fetchval(_DELIVERED, letter_id, state, at) is not None


async def failed(
    connection: Connection,
    letter_id: UUID,
    *,
    how: str,
    status: str,
    text: str,
    at: datetime,
) -> bool:
    """Note that a report says the letter never arrived; False for a second report.

    `how` is dsn or complaint, `status` an enhanced code (RFC 3463), `text` the server's words.
    """
    reason = "bounced" if how == "dsn" else how
    words = text[:TEXT_LIMIT] or None
    found = await connection.fetchval(_FAILED, letter_id, at, status or None, words, reason)
    return found is not None
