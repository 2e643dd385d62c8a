"""The statements of an answer: the hottest write of the service, as SQL text.

Recording is one statement and so one transaction: nothing waits for this process while a row is
locked. It writes all of it or nothing: the invitation, the history, the audit, the receipt, the
person's feed and the seat.
"""

from datetime import datetime
from typing import NamedTuple
from uuid import UUID

from service.tables.invitation_statements import SEATED

_VIEW = """
SELECT i.id, i.handle, i.epoch, i.renewed_at, i.meeting_id, i.person_id, i.role_title,
    i.state AS invitation_state, i.answer, i.answer_way, i.answered_at, i.answered_for, i.is_late,
    i.deputy_name, i.note, i.access_needs, i.list_consent, i.given_starts_local, i.given_mode,
    i.given_town, i.has_seat, i.answer_rev, i.channel, i.looks_automatic,
    p.full_name, p.locale, p.email IS NOT NULL AS has_email,
    lower(split_part(p.email, '@', 2)) AS email_domain, coalesce(o.name, '') AS organisation,
    m.slug, m.uid, m.state, m.date_precision, m.title, m.starts_local, m.ends_local, m.time_zone,
    m.starts_at, m.ends_at, m.mode, m.place_name, m.room, m.street, m.town, m.place_access,
    m.online_url, m.dial_in, m.capacity, m.answer_by, m.answer_by_local, m.visibility,
    m.description, m.agenda, m.chair, m.organiser, m.cancel_reason, m.revision, m.time_rev,
    m.sequence, m.previous_starts_local, m.previous_ends_local, m.kept_answers, m.asked_again_at,
    s.taken, m.seats_per_partner, CASE WHEN m.seats_per_partner IS NOT NULL THEN
        coalesce((s.by_partner ->> i.organisation_id::text)::int, 0) END AS partner_taken,
    i.organisation_id
FROM invitation i
JOIN meeting m ON m.id = i.meeting_id
JOIN person p ON p.id = i.person_id
LEFT JOIN organisation o ON o.id = i.organisation_id
LEFT JOIN meeting_seats s ON s.meeting_id = i.meeting_id
"""
FIND_BY_HANDLE = f"{_VIEW} WHERE i.handle = $1"
FIND_BY_ID = f"{_VIEW} WHERE i.id = $1"

# `found` locks the invitation and holds what is to be stored for it; it is empty when the rows are
# not as the caller takes them to be, and then nothing is written. Whoever comes second waits on
# that lock and sees the newer row. `seat` decides whether anything is written at all; its check
# runs again on the newest row after a wait, so the last seat goes once. It names its one meeting in
# a sub-select, which the index answers; joined, all meetings were read.
_RECORD = """
WITH found AS (
    SELECT i.id, i.meeting_id, i.person_id, i.answer_rev, m.capacity, m.revision, m.time_rev,
        m.starts_local, m.mode, m.town, p.locale, p.email, {late} AS is_late,
        CASE WHEN lower(p.copy_email) <> p.email_normal THEN p.copy_email END AS copy_email,
        $1::boolean AND m.mode <> 'online' AS seated,
        ($1 AND m.mode <> 'online')::int - i.has_seat::int AS seats,
        i.answered_at > $2::timestamptz - interval '2 minutes' AS is_quick{partner}
    FROM invitation i
    JOIN meeting m ON m.id = i.meeting_id
    JOIN person p ON p.id = i.person_id
    WHERE {where}
    FOR UPDATE OF i
), seat AS (
    UPDATE meeting_seats s SET taken = s.taken + f.seats{counts}
    FROM found f
    WHERE s.meeting_id = (SELECT meeting_id FROM found) AND f.seats <> 0
        AND (f.seats < 0 OR f.capacity IS NULL OR s.taken < f.capacity){limits}
    RETURNING s.meeting_id
), stored AS (
    UPDATE invitation i SET answer = $3::text, answer_way = $4::text, answered_at = $2,
        answered_by = $5::uuid, answered_for = $6::text, is_late = f.is_late,
        deputy_name = $7::text, note = $8::text, access_needs = $9::text,
        list_consent = $10::boolean, given_starts_local = f.starts_local, given_mode = f.mode,
        given_town = f.town, has_seat = f.seated, answer_rev = f.answer_rev + 1,
        looks_automatic = $16::boolean,
        changed_at = greatest(date_trunc('second', $2), i.changed_at + interval '1 second')
    FROM found f
    WHERE i.id = f.id AND (f.seats = 0 OR EXISTS (SELECT FROM seat))
    RETURNING f.*
), remembered AS (
    INSERT INTO answer (invitation_id, answer_rev, answer, way, note, given_starts_local,
        given_mode, given_town, is_late, answered_for, entered_by, answered_at, looks_automatic)
    SELECT id, answer_rev + 1, $3, $4, $8, starts_local, mode, town, is_late, $6, $5, $2, $16
    FROM stored
), audited AS (
    INSERT INTO audit (happened_at, actor_kind, actor_id, action, object_kind, object_id, details)
    SELECT $2, $11::text, coalesce($5, person_id), 'answered', 'invitation', id,
        jsonb_build_object('answer', $3, 'way', $4, 'late', is_late, 'meeting', meeting_id)
    FROM stored
), replaced AS (
    UPDATE outbox SET state = 'cancelled', reason = 'replaced', finished_at = $2
    FROM letter l, stored
    WHERE outbox.state = 'queued' AND outbox.id = l.id AND stored.answer_rev > 0
        AND l.dedupe_key = 'rcp:' || stored.id || ':' || stored.answer_rev
), receipt AS (
    INSERT INTO letter (dedupe_key, kind, recipient_id, subject_id, subject_rev, time_rev,
        ordering_key, locale, cause, created_at)
    SELECT 'rcp:' || id || ':' || (answer_rev + 1), 'receipt', person_id, meeting_id, revision,
        time_rev, person_id || ':' || meeting_id, locale,
        jsonb_build_object('invitation', id, 'answer_rev', answer_rev + 1), $2
    -- A calendar program shows by itself what its button said.
    FROM stored WHERE email IS NOT NULL AND $4 <> 'calendar'
    RETURNING id, ordering_key
), queued AS (
    INSERT INTO outbox (id, priority, ordering_key, recipient_domain, created_at, next_attempt_at,
        expires_at)
    SELECT receipt.id, 3, receipt.ordering_key, lower(split_part(stored.email, '@', 2)), $2,
        CASE WHEN stored.is_quick THEN $2 + interval '2 minutes' ELSE $2 END,
        $2 + interval '1 day'
    FROM receipt CROSS JOIN stored
), copy AS (
    -- The secretariat's, as `copying` posts it of all other letters.
    INSERT INTO letter (dedupe_key, kind, recipient_id, subject_id, subject_rev, time_rev,
        ordering_key, locale, cause, created_at)
    SELECT 'cpy:rcp:' || stored.id || ':' || (answer_rev + 1), 'copy', person_id, meeting_id,
        revision, time_rev, 'cpy:' || receipt.ordering_key, locale,
        jsonb_build_object('invitation', stored.id, 'answer_rev', answer_rev + 1,
            'of', receipt.id, 'copies', 'receipt'), $2
    FROM stored CROSS JOIN receipt WHERE copy_email IS NOT NULL
    RETURNING id, ordering_key
), copy_queued AS (
    INSERT INTO outbox (id, priority, ordering_key, recipient_domain, created_at, next_attempt_at,
        expires_at)
    SELECT copy.id, 3, copy.ordering_key, lower(split_part(stored.copy_email, '@', 2)), $2,
        CASE WHEN stored.is_quick THEN $2 + interval '2 minutes' ELSE $2 END,
        $2 + interval '1 day'
    FROM copy CROSS JOIN stored
), followed AS (
    UPDATE feed SET revision = feed.revision + 1,
        changed_at = greatest(date_trunc('second', $2), feed.changed_at + interval '1 second')
    FROM stored WHERE feed.kind = 'personal' AND feed.person_id = stored.person_id
    RETURNING feed.id
)
SELECT found.id, EXISTS (SELECT FROM stored) AS was_stored,
    ARRAY(SELECT id FROM followed) AS feed_ids
FROM found
"""

_FREELY = {"partner": "", "counts": "", "limits": ""}
# A meeting with so many seats for each partner: both limits stand in one row, so that one
# condition decides, and runs again on the newest row after a wait.
_BY_PARTNER = {
    "partner": """,
        i.organisation_id::text AS partner, m.seats_per_partner""",
    "counts": """, by_partner = CASE WHEN f.partner IS NULL THEN s.by_partner
        ELSE jsonb_set(s.by_partner, ARRAY[f.partner], to_jsonb(
            greatest(0, coalesce((s.by_partner ->> f.partner)::int, 0) + f.seats))) END""",
    "limits": """
        AND (f.seats < 0 OR f.partner IS NULL
            OR coalesce((s.by_partner ->> f.partner)::int, 0) < f.seats_per_partner)""",
}
# What a page showed a moment ago: these rows, by their counters.
_SEEN = {
    "late": "$14::boolean",
    "where": "i.id = $12::uuid AND i.answer_rev = $13::int AND m.revision = $15::int",
}
RECORD_SEEN = _RECORD.format(**_SEEN, **_FREELY)
RECORD_SEEN_BY_PARTNER = _RECORD.format(**_SEEN, **_BY_PARTNER)
# By the link alone, without looking first: only where nothing needs a second thought. Anything
# else (late, moved, over, said already, seats by partner) finds no row here and goes the long way.
RECORD_BY_LINK = _RECORD.format(
    **_FREELY,
    late="false",
    where="""i.handle = $12::uuid AND i.epoch = $13::int AND i.state = 'invited'
        AND m.revision = $14::int AND m.state = 'confirmed' AND m.mode = ANY($15::text[])
        AND m.seats_per_partner IS NULL
        AND $2 < m.starts_at AND ($2 <= m.answer_by OR m.answer_by IS NULL)
        AND (i.looks_automatic AND NOT $16
            OR (i.answer, i.answer_way, i.answered_for, i.deputy_name, i.note, i.access_needs,
            i.list_consent, i.given_starts_local, i.given_mode, i.given_town)
            IS DISTINCT FROM ($3, $4, $6, $7, $8, $9, $10, m.starts_local, m.mode, m.town))""",
)

ENSURE_SEATS = f"""
INSERT INTO meeting_seats (meeting_id, taken, by_partner) {SEATED}
ON CONFLICT DO NOTHING
RETURNING meeting_id
"""

HISTORY = """
SELECT a.answer, a.way, a.note, a.answered_for, a.is_late, a.answered_at, a.given_starts_local,
    a.looks_automatic, account.full_name AS entered_by
FROM answer a LEFT JOIN account ON account.id = a.entered_by
WHERE a.invitation_id = $1 ORDER BY a.id DESC
"""


class AnswerValues(NamedTuple):
    """The first parameters of both recording statements, in their order."""

    takes_seat: bool
    now: datetime
    answer: str
    way: str
    entered_by: UUID | None
    answered_for: str
    deputy_name: str
    note: str
    access_needs: str
    list_consent: bool
    actor_kind: str
