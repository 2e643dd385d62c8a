"""The statements of an answer: the hottest write of the service, as SQL text.

Recording is one statement and so one transaction: nothing waits for this process while a row is
locked. It writes all of it or nothing: the invitation, the history, the audit, the receipt, the
person's feed and the seat.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

_VIEW = """
SELECT i.id, i.handle, i.epoch, i.renewed_at, i.meeting_id, i.person_id, i.role_title,
    i.state AS invitation_state, i.answer, i.answer_way, i.answered_at, i.answered_for, i.is_late,
    i.deputy_name, i.note, i.access_needs, i.list_consent, i.given_starts_local, i.given_mode,
    i.given_town, i.has_seat, i.answer_rev,
    p.full_name, p.locale, p.email IS NOT NULL AS has_email, coalesce(o.name, '') AS organisation,
    m.slug, m.uid, m.state, m.date_precision, m.title, m.starts_local, m.ends_local, m.time_zone,
    m.starts_at, m.ends_at, m.mode, m.place_name, m.room, m.street, m.town, m.place_access,
    m.online_url, m.dial_in, m.capacity, m.answer_by, m.answer_by_local, m.visibility,
    m.description, m.agenda, m.chair, m.organiser, m.cancel_reason, m.revision, m.time_rev,
    m.sequence, m.previous_starts_local, m.previous_ends_local, s.taken
FROM invitation i
JOIN meeting m ON m.id = i.meeting_id
JOIN person p ON p.id = i.person_id
LEFT JOIN organisation o ON o.id = i.organisation_id
LEFT JOIN meeting_seats s ON s.meeting_id = i.meeting_id
"""
FIND_BY_HANDLE = f"{_VIEW} WHERE i.handle = $1"
FIND_BY_ID = f"{_VIEW} WHERE i.id = $1"

# Whoever comes second waits on the invitation's row and then finds another `answer_rev`: nothing
# is written and the caller looks again. `seat` decides whether anything is written at all; the
# check runs again on the newest row after a wait, so the last seat goes once.
RECORD = """
WITH found AS (
    SELECT i.id, i.meeting_id, i.person_id, m.capacity, m.revision, m.time_rev, m.starts_local,
        m.ends_at, m.mode, m.town, p.locale, p.email, $4::boolean::int - i.has_seat::int AS seats
    FROM invitation i
    JOIN meeting m ON m.id = i.meeting_id
    JOIN person p ON p.id = i.person_id
    WHERE i.id = $1::uuid AND i.answer_rev = $2::int AND i.state <> 'uninvited' AND m.revision = $3
    FOR UPDATE OF i
), seat AS (
    UPDATE meeting_seats s SET taken = s.taken + f.seats
    FROM found f
    WHERE s.meeting_id = f.meeting_id AND f.seats <> 0
        AND (f.seats < 0 OR f.capacity IS NULL OR s.taken < f.capacity)
    RETURNING s.meeting_id
), stored AS (
    UPDATE invitation i SET answer = $5::text, answer_way = $6::text,
        answered_at = $7::timestamptz, answered_by = $8::uuid, answered_for = $9,
        is_late = $10::boolean, deputy_name = $11, note = $12, access_needs = $13,
        list_consent = $14, given_starts_local = f.starts_local, given_mode = f.mode,
        given_town = f.town, has_seat = $4, answer_rev = $2 + 1,
        changed_at = greatest(
            date_trunc('second', $7::timestamptz), i.changed_at + interval '1 second')
    FROM found f
    WHERE i.id = f.id AND (f.seats = 0 OR EXISTS (SELECT FROM seat))
    RETURNING f.*
), remembered AS (
    INSERT INTO answer (invitation_id, answer_rev, answer, way, note, given_starts_local,
        given_mode, given_town, is_late, answered_for, entered_by, answered_at)
    SELECT id, $2 + 1, $5, $6, $12, starts_local, mode, town, $10, $9, $8, $7 FROM stored
), audited AS (
    INSERT INTO audit (happened_at, actor_kind, actor_id, action, object_kind, object_id, details)
    SELECT $7, $15, coalesce($8, person_id), 'answered', 'invitation', id,
        jsonb_build_object('answer', $5, 'way', $6, 'late', $10, 'meeting', meeting_id)
    FROM stored
), replaced AS (
    UPDATE outbox SET state = 'cancelled', reason = 'replaced', finished_at = $7
    WHERE state = 'queued' AND $2 > 0 AND EXISTS (SELECT FROM stored)
        AND id = (SELECT l.id FROM letter l WHERE l.dedupe_key = 'rcp:' || $1 || ':' || $2)
), receipt AS (
    INSERT INTO letter (dedupe_key, kind, recipient_id, subject_id, subject_rev, time_rev,
        ordering_key, locale, cause, created_at)
    SELECT 'rcp:' || id || ':' || ($2 + 1), 'receipt', person_id, meeting_id, revision, time_rev,
        person_id || ':' || meeting_id, locale,
        jsonb_build_object('invitation', id, 'answer_rev', $2 + 1), $7
    FROM stored WHERE email IS NOT NULL
    RETURNING id, ordering_key
), queued AS (
    INSERT INTO outbox (id, priority, ordering_key, recipient_domain, created_at, next_attempt_at,
        expires_at)
    SELECT receipt.id, 3, receipt.ordering_key, lower(split_part(stored.email, '@', 2)), $7,
        CASE WHEN $16::boolean THEN $7 + interval '2 minutes' ELSE $7 END, $7 + interval '3 days'
    FROM receipt CROSS JOIN stored
), followed AS (
    UPDATE feed SET revision = feed.revision + 1,
        changed_at = greatest(date_trunc('second', $7), feed.changed_at + interval '1 second')
    FROM stored WHERE feed.kind = 'personal' AND feed.person_id = stored.person_id
    RETURNING feed.id
)
SELECT EXISTS (SELECT FROM found) AS was_found, EXISTS (SELECT FROM stored) AS was_stored,
    ARRAY(SELECT id FROM followed) AS feed_ids
"""

ENSURE_SEATS = """
INSERT INTO meeting_seats (meeting_id, taken)
SELECT $1, count(*) FROM invitation WHERE meeting_id = $1 AND has_seat
ON CONFLICT DO NOTHING
RETURNING meeting_id
"""

HISTORY = """
SELECT a.answer, a.way, a.note, a.answered_for, a.is_late, a.answered_at, a.given_starts_local,
    account.full_name AS entered_by
FROM answer a LEFT JOIN account ON account.id = a.entered_by
WHERE a.invitation_id = $1 ORDER BY a.id DESC
"""


class RecordValues(NamedTuple):
    """The parameters of `RECORD`, in its order."""

    invitation_id: UUID
    seen_answer_rev: int
    seen_revision: int
    takes_seat: bool
    answer: str
    way: str
    now: datetime
    entered_by: UUID | None
    answered_for: str
    is_late: bool
    deputy_name: str
    note: str
    access_needs: str
    list_consent: bool
    actor_kind: str
    receipt_waits: bool

    def as_arguments(self) -> Sequence[object]:
        """Return them as positional arguments."""
        return tuple(self)
