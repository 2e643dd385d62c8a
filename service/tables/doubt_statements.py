"""Whether a letter has just left, and what the office says of an answer that looks automatic."""

# Some mail servers look at the links of a letter before they say that they take it.
JUST_LEFT = """
SELECT EXISTS (
    SELECT FROM invitation i
    CROSS JOIN LATERAL (
        SELECT l.letter_id FROM letter_about l
        WHERE l.subject_id = i.meeting_id AND l.recipient_id = i.person_id
            AND l.dropped_because IS NULL OFFSET 0) l
    JOIN outbox b ON b.id = l.letter_id
    WHERE i.handle = $1 AND coalesce(b.accepted_at, b.data_started_at) >= $2)
"""

CONFIRM = """
UPDATE invitation SET looks_automatic = false
WHERE id = $1 AND meeting_id = $2 AND answer_rev = $3::int AND looks_automatic
RETURNING id
"""

# As if nobody had answered; what was said stays in the history. The seat is free again, and a
# receipt that has not left does not leave. Rows are locked in the order of an answer.
RESET = """
WITH found AS (
    SELECT i.id, i.meeting_id, i.person_id, i.answer_rev, i.has_seat,
        i.organisation_id::text AS partner, m.seats_per_partner IS NOT NULL AS by_partner
    FROM invitation i JOIN meeting m ON m.id = i.meeting_id
    WHERE i.id = $1 AND i.meeting_id = $2 AND i.answer_rev = $4::int AND i.looks_automatic
    FOR UPDATE OF i
), freed AS (
    UPDATE meeting_seats s SET taken = greatest(0, s.taken - 1),
        by_partner = CASE WHEN NOT f.by_partner OR f.partner IS NULL THEN s.by_partner
            ELSE jsonb_set(s.by_partner, ARRAY[f.partner], to_jsonb(
                greatest(0, coalesce((s.by_partner ->> f.partner)::int, 0) - 1))) END
    FROM found f WHERE s.meeting_id = (SELECT meeting_id FROM found) AND f.has_seat
), reset AS (
    UPDATE invitation i SET answer = NULL, answer_way = NULL, answered_at = NULL,
        answered_by = NULL, answered_for = '', is_late = false, deputy_name = '', note = '',
        access_needs = '', list_consent = false, given_starts_local = NULL, given_mode = NULL,
        given_town = NULL, has_seat = false, answer_rev = i.answer_rev + 1,
        looks_automatic = false, changed_at = greatest(
            date_trunc('second', $3::timestamptz), i.changed_at + interval '1 second')
    FROM found WHERE i.id = found.id
    RETURNING found.*
), stopped AS (
    UPDATE outbox SET state = 'cancelled', reason = 'replaced', finished_at = $3
    FROM letter l, reset
    WHERE outbox.state = 'queued' AND outbox.id = l.id
        AND l.dedupe_key IN ('rcp:' || reset.id || ':' || reset.answer_rev,
            'cpy:rcp:' || reset.id || ':' || reset.answer_rev)
)
SELECT person_id FROM reset
"""
