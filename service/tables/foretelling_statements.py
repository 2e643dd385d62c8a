"""SQL text of looking ahead: what falls due next, and what would leave then."""

from service.tables.letter_statements import LOCALE
from service.tables.reminder_statements import QUIET_HOURS

# The next instant after $1 at which anything happens.
NEXT = """
SELECT min(due_at) FROM (
    SELECT min(due_at) AS due_at FROM reminder_slot WHERE state = 'planned' AND due_at > $1
    UNION ALL SELECT min(due_at) FROM notice WHERE state = 'pending' AND due_at > $1
    UNION ALL SELECT min(next_attempt_at) FROM outbox
        WHERE state = 'queued' AND next_attempt_at > $1) due
"""

# What waits for the morning ($1) leaves then: of these letters ($2), and what is held for it.
WAIT = f"""
UPDATE outbox SET state = 'queued', reason = NULL, finished_at = NULL, next_attempt_at = $1
WHERE id = ANY ($2::uuid[]) OR state = 'held' AND reason = '{QUIET_HOURS}'
"""

STANDING = f"""
SELECT id FROM outbox
WHERE state IN ('queued', 'sending', 'uncertain') OR state = 'held' AND reason = '{QUIET_HOURS}'
"""

# $1 is the instant, $2 the kinds that nobody plans, $3 what was looked at before, $4 how many,
# $5 how long before the instant those are written that leave at it.
# Whoever is left out when letters are written has a row, too, with the reason.
DUE = f"""
SELECT l.id, l.dedupe_key, l.kind, {LOCALE} AS locale, p.id AS person_id, l.cause,
    CASE WHEN o.state = 'cancelled' THEN o.reason END AS left_out,
    coalesce(p.full_name, a.full_name, '') AS name, coalesce(org.name, '') AS partner,
    m.id AS meeting_id, coalesce(m.title, '') AS meeting_title,
    (l.cause ->> 'rule')::uuid AS rule_id, r.is_choice, n.kind AS notice_kind, n.is_timed,
    n.person_ids IS NULL AND n.due_at > n.created_at + interval '1 day' AS is_by_group_rule
FROM outbox o
JOIN letter l USING (id)
LEFT JOIN person p ON p.id = l.recipient_id
LEFT JOIN account a ON a.id = l.recipient_id
LEFT JOIN meeting m ON m.id = l.subject_id
LEFT JOIN invitation i ON i.meeting_id = m.id AND i.person_id = p.id
LEFT JOIN organisation org ON org.id = i.organisation_id
LEFT JOIN reminder_rule r ON r.id = (l.cause ->> 'rule')::uuid
LEFT JOIN notice n ON n.id = (l.cause ->> 'notice')::uuid
WHERE (o.state = 'queued' AND o.next_attempt_at <= $1 AND o.expires_at > $1
        OR o.state = 'cancelled' AND o.attempts = 0 AND o.finished_at = l.created_at
            AND l.created_at > $1 - $5::interval AND l.created_at <= $1)
    AND l.kind <> ALL ($2::text[]) AND l.id <> ALL ($3::uuid[])
ORDER BY o.priority, l.kind, m.starts_at, m.id, p.sort_key, l.id
LIMIT $4
"""

# As the postman would leave them; only ever inside a rehearsal.
LEFT = """
UPDATE outbox SET state = 'sent', accepted_at = now(), finished_at = now()
WHERE id = ANY ($1::uuid[])
"""
STOPPED = """
UPDATE outbox SET finished_at = now(),
    state = CASE WHEN id = ANY ($2::uuid[]) THEN 'held' ELSE 'cancelled' END
WHERE id = ANY ($1::uuid[])
"""
FIRST_LETTERS = """
UPDATE person SET first_letter_on = now()::date
WHERE id = ANY ($1::uuid[]) AND first_letter_on IS NULL
"""

RULES = "SELECT * FROM reminder_rule WHERE id = ANY ($1::uuid[])"

# Rules that can be switched to see what it would change: everybody's, those of the groups, and
# those of sessions to come ($1 is now).
SWITCHABLE = """
SELECT r.*, coalesce(g.name, m.title, '') AS scope_name
FROM reminder_rule r
LEFT JOIN working_group g ON g.id = r.group_id
LEFT JOIN meeting m ON m.id = r.meeting_id
WHERE NOT r.is_choice AND g.ended_on IS NULL
    AND (m.id IS NULL OR m.state = 'confirmed' AND m.ends_at > $1)
ORDER BY m.starts_at NULLS FIRST, m.id, g.position NULLS FIRST, g.name, r.kind,
    r.days_before DESC NULLS LAST, r.id
"""
