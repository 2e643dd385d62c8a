"""SQL text of the weekly letter: who gets one, about what, and the words of its rows."""

from service.tables.invitation_statements import HOLDS
from service.tables.reminder_statements import AUDIENCE
from service.tables.wishes import OFFICE_ZONE

PLACE = f"""
SELECT {OFFICE_ZONE} AS zone,
    coalesce(max(holiday_country), 'DE') AS holiday_country,
    coalesce(max(holiday_subdivision), 'TH') AS holiday_subdivision,
    (SELECT max(restored_at) FROM restoration) AS restored_at
FROM instance
"""

# $1 is the week, $2 now, $3 when it is due, $4 when it is no longer news, $5 how far it looks,
# $6 how many open answers it asks for. What the letter is about is fixed here, in its cause.
# The first letter looks back a week.
EXPAND = f"""
SELECT 'dig:' || $1::text || ':' || p.id, 'digest', p.id, NULL::uuid, 0, 0, 'dig:' || p.id,
    p.locale, jsonb_build_object('week', $1::text, 'day', $7::text, 'open', asked.ids,
        'coming', coming.ids, 'changes', changed.found),
    7::smallint, $3::timestamptz, $4::timestamptz, split_part(p.email_normal, '@', 2)
FROM preference w
JOIN person p ON p.id = w.person_id AND p.email IS NOT NULL AND p.anonymised_at IS NULL
    AND (p.ended_on IS NULL OR p.ended_on >= current_date)
CROSS JOIN LATERAL (
    SELECT coalesce((SELECT max(l.created_at) FROM letter l JOIN outbox o USING (id)
        WHERE l.recipient_id = p.id AND l.kind = 'digest' AND o.state = 'sent'),
        $3::timestamptz - interval '7 days') AS looked_at) since
CROSS JOIN LATERAL (
    SELECT coalesce(jsonb_agg(id ORDER BY starts_at, id), '[]') AS ids FROM (
        SELECT i.id, m.starts_at FROM invitation i JOIN meeting m ON m.id = i.meeting_id
        WHERE i.person_id = p.id AND i.state = 'invited' AND m.state = 'confirmed'
            AND m.starts_at > $2 AND i.answer IS DISTINCT FROM 'declined'
            AND {AUDIENCE} = 'no_answer'
        ORDER BY m.starts_at, i.id LIMIT $6::int) found) asked
CROSS JOIN LATERAL (
    SELECT coalesce(jsonb_agg(i.id ORDER BY m.starts_at, i.id), '[]') AS ids
    FROM invitation i JOIN meeting m ON m.id = i.meeting_id
    WHERE i.person_id = p.id AND i.answer IS DISTINCT FROM 'declined'
        AND (i.state = 'invited' AND m.state = 'confirmed'
            OR i.state IN ('invited', 'planned') AND m.state = 'tentative')
        AND m.starts_at > $2 AND m.starts_at <= $5::timestamptz) coming
CROSS JOIN LATERAL (
    SELECT coalesce(jsonb_agg(jsonb_build_array(id, kind) ORDER BY told_at, id), '[]') AS found
    FROM (
        SELECT DISTINCT ON (i.id) i.id, n.kind, n.finished_at AS told_at
        FROM invitation i JOIN notice n ON n.meeting_id = i.meeting_id
        WHERE i.person_id = p.id AND i.state = 'invited' AND i.answer IS DISTINCT FROM 'declined'
            AND n.state = 'sent' AND n.finished_at > since.looked_at AND n.kind IN
                ('confirmed', 'change', 'postponed', 'cancellation', 'uncancellation')
        ORDER BY i.id, n.finished_at DESC, n.id) told) changed_told
CROSS JOIN LATERAL (
    SELECT changed_told.found || coalesce(jsonb_agg(jsonb_build_array(i.id,
        CASE WHEN m.published_at > since.looked_at THEN 'new' ELSE 'slid' END)
        ORDER BY m.starts_at, i.id), '[]') AS found
    FROM invitation i JOIN meeting m ON m.id = i.meeting_id
    WHERE i.person_id = p.id AND i.state IN ('invited', 'planned') AND m.state = 'tentative'
        AND i.answer IS DISTINCT FROM 'declined'
        AND (m.published_at > since.looked_at
            OR m.time_rev > 0 AND m.stamped_at > since.looked_at)) changed
WHERE (w.digest OR w.digest_only)
    AND (w.paused_until IS NULL OR w.paused_until < ($2 AT TIME ZONE {OFFICE_ZONE})::date)
    AND (asked.ids <> '[]' OR coming.ids <> '[]' OR changed.found <> '[]')
"""

ROWS = f"""
SELECT i.id, i.handle, i.epoch, i.answer, {HOLDS} AS holds, m.title, m.state,
    coalesce(m.starts_local, m.previous_starts_local) AS starts_local, m.date_precision,
    m.time_zone, m.mode, m.place_name, m.town, m.answer_by
FROM invitation i JOIN meeting m ON m.id = i.meeting_id
WHERE i.id = ANY ($1::uuid[])
"""
