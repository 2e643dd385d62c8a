"""SQL text of answers that calendar programs send."""

from typing import Any, NamedTuple
from uuid import UUID

# All addresses under which somebody is known; the secretariat's own calendar is not theirs.
_ADDRESSES = """
ARRAY(SELECT p.email_normal WHERE p.email_normal IS NOT NULL
    UNION SELECT f.email_normal FROM former_address f WHERE f.person_id = p.id)
"""
# Who may answer in somebody's place: their secretariat, and their deputy for this session.
_ASSISTANTS = "array_remove(ARRAY[p.copy_email, i.deputy_email], NULL)"
_FOUND = f"""
SELECT i.id, i.meeting_id, i.person_id, i.reply_sequence, i.reply_stamped_at, i.reset_sequence,
    i.answered_at, i.answer_way, i.channel, m.sequence, p.locale, p.email,
    {_ADDRESSES} AS addresses, {_ASSISTANTS} AS assistants,
    EXISTS (SELECT FROM notice n WHERE n.meeting_id = m.id AND n.state = 'pending'
        AND n.asks_again) AS asks_again_soon
FROM invitation i
JOIN meeting m ON m.id = i.meeting_id
JOIN person p ON p.id = i.person_id AND p.anonymised_at IS NULL
"""
FIND_BY_HANDLE = f"""
SELECT found.*, m.uid FROM ({_FOUND} WHERE i.handle = $1) found
JOIN meeting m ON m.id = found.meeting_id
"""
FIND_BY_ID = f"{_FOUND} WHERE i.id = $1"
# Without the token: the entry and an address. Two people behind one address are not told apart.
FIND_BY_UID = f"""
{_FOUND} WHERE m.uid = $1::uuid AND i.state <> 'planned' AND (
    p.email_normal = ANY ($2::text[])
    OR EXISTS (SELECT FROM former_address f
        WHERE f.person_id = p.id AND f.email_normal = ANY ($2::text[])))
LIMIT 2
"""
FIND_MEETING = "SELECT id FROM meeting WHERE uid = $1::uuid"

KEEP = """
INSERT INTO calendar_answer (message_sha256, part_sha256, event_id, received_at, outcome,
    needs_look, trust, method, meeting_id, invitation_id, attendee, attendee_name, sender, sent_by,
    partstat, sequence, stamped_at, comment, details)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)
ON CONFLICT (message_sha256, part_sha256) DO NOTHING RETURNING id
"""
IS_KNOWN = """
SELECT EXISTS (SELECT FROM calendar_answer WHERE message_sha256 = $1 AND part_sha256 = $2)
"""
NOTE_STAMP = """
UPDATE invitation SET reply_sequence = $2, reply_stamped_at = $3 WHERE id = $1
"""

# One row an answer, with whom it is about as far as that is known.
_LISTED = """
SELECT c.id, c.received_at, c.outcome, c.trust, c.method, c.attendee, c.attendee_name, c.sender,
    c.sent_by, c.partstat, c.comment, c.details, c.meeting_id, c.invitation_id,
    coalesce(m.title, '') AS meeting_title, m.starts_at, m.ends_at,
    coalesce(p.full_name, '') AS person_name, i.answer AS standing, i.answered_at AS standing_since
FROM calendar_answer c
LEFT JOIN meeting m ON m.id = c.meeting_id
LEFT JOIN invitation i ON i.id = c.invitation_id
LEFT JOIN person p ON p.id = i.person_id
"""
_IS_OPEN = "c.needs_look AND c.settled_at IS NULL"
OPEN = f"{_LISTED} WHERE {_IS_OPEN} ORDER BY c.received_at DESC, c.id DESC LIMIT 200"
COUNT_OPEN = f"SELECT count(*) FROM calendar_answer c WHERE {_IS_OPEN}"
LOCK_OPEN = f"""
SELECT c.* FROM calendar_answer c WHERE c.id = $1 AND {_IS_OPEN} FOR UPDATE
"""
SETTLE = """
UPDATE calendar_answer SET settled_at = $2, settled_by = $3, settled_as = $4 WHERE id = $1
"""
FORGET = """
DELETE FROM calendar_answer WHERE id IN (
    SELECT id FROM calendar_answer WHERE received_at < $1 ORDER BY received_at LIMIT $2)
"""


class Kept(NamedTuple):
    """The values of `KEEP`, in their order."""

    message_sha256: bytes
    part_sha256: bytes
    event_id: int | None
    received_at: Any
    outcome: str
    needs_look: bool
    trust: int
    method: str
    meeting_id: UUID | None
    invitation_id: UUID | None
    attendee: str
    attendee_name: str
    sender: str
    sent_by: str
    partstat: str
    sequence: int
    stamped_at: Any
    comment: str
    details: dict[str, str]
