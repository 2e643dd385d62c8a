"""SQL text of the office's summaries: who gets one about a session, and what stands in it."""

from service.tables.invitation_statements import HOLDS

# Whether an account {0} works with a session {1}: the office with all, leads with their groups'.
WORKS_WITH = """({0}.disabled_at IS NULL AND ({0}.role IN ('coordinator', 'admin')
    OR {0}.role = 'lead' AND EXISTS (
        SELECT FROM account_group ag JOIN meeting_group mg USING (group_id)
        WHERE ag.account_id = {0}.id AND mg.meeting_id = {1}.id)))"""

# Where nobody is invited there is nothing to sum up. The session is m.
READERS = f"""
FROM account a
WHERE a.summaries AND {WORKS_WITH.format("a", "m")}
    AND EXISTS (SELECT FROM invitation i WHERE i.meeting_id = m.id AND i.state = 'invited')
"""

# $1 is the slot, $2 the present instant. A deadline that is put off is summed up anew, so the
# instant is part of the key.
EXPAND = f"""
SELECT 'sum:' || m.id || ':' || r.id || ':' || s.time_rev || ':'
        || extract(epoch FROM s.due_at)::bigint || ':' || found.id,
    r.kind, found.id, m.id, m.revision, s.time_rev, found.id || ':' || m.id, found.locale,
    jsonb_build_object('rule', r.id, 'slot', s.id), 5::smallint, $2::timestamptz, s.not_after,
    found.domain, NULL::text
FROM reminder_slot s
JOIN reminder_rule r ON r.id = s.rule_id
JOIN meeting m ON m.id = s.meeting_id AND m.time_rev = s.time_rev AND m.state = 'confirmed'
CROSS JOIN LATERAL (
    SELECT a.id, a.locale, split_part(a.email_normal, '@', 2) AS domain {READERS}) found
WHERE s.id = $1
"""

MEETING = "SELECT answer_by, time_zone FROM meeting WHERE id = $1"

# Everybody of a session whom somebody counts on, by partner, with how far our letters came.
PEOPLE = f"""
SELECT i.state, i.answer, coalesce(i.answer IS NOT NULL AND {HOLDS}, false) AS holds,
    o.id AS partner_id, coalesce(o.name, '') AS partner, p.full_name AS name,
    p.email IS NULL AS has_no_address, b.state AS address_state,
    last.state AS letter_state, last.reason AS letter_reason
FROM invitation i
JOIN meeting m ON m.id = i.meeting_id
JOIN person p ON p.id = i.person_id
LEFT JOIN organisation o ON o.id = i.organisation_id
LEFT JOIN address_state b ON b.address_normal = p.email_normal
LEFT JOIN LATERAL (
    SELECT d.state, d.reason
    FROM letter_about l JOIN outbox d ON d.id = l.letter_id
    WHERE l.subject_id = i.meeting_id AND l.recipient_id = i.person_id AND l.kind <> 'copy'
        AND l.dropped_because IS NULL AND d.state NOT IN ('cancelled', 'expired', 'queued')
    ORDER BY l.created_at DESC, l.letter_id LIMIT 1) last ON true
WHERE i.meeting_id = $1 AND (i.state = 'invited' OR i.state = 'planned' AND p.email IS NULL)
ORDER BY o.sort_key NULLS LAST, o.id, p.sort_key, p.id
"""

IS_WANTED = "SELECT summaries FROM account WHERE id = $1"
SWITCH = "UPDATE account SET summaries = $2 WHERE id = $1 AND summaries <> $2 RETURNING id"
