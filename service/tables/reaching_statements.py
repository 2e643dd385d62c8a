"""SQL text of the question which letters wait for an address, and for which not any more."""

# A copy goes to the person's second address, and waits for that one.
_ADDRESS = "CASE WHEN l.kind = 'copy' THEN lower(p.copy_email) ELSE p.email_normal END"
# Whoever never got the invitation needs it before any change of it.
_RANK = """CASE coalesce(l.cause ->> 'copies', l.kind) WHEN 'invitation' THEN 0
    WHEN 'nudge' THEN 2 WHEN 'reminder' THEN 2 WHEN 'receipt' THEN 3 ELSE 1 END"""

RELEASE = f"""
WITH waiting AS MATERIALIZED (
    SELECT o.id FROM outbox o WHERE o.state = 'held' AND o.reason IN ('undeliverable', 'blocked')
    FOR UPDATE SKIP LOCKED
), reachable AS (
    SELECT l.id, row_number() OVER (
        PARTITION BY l.recipient_id, l.kind = 'copy', coalesce(l.subject_id, l.id)
        ORDER BY {_RANK}, l.created_at DESC, l.id) AS place
    FROM waiting JOIN letter l USING (id)
    JOIN person p ON p.id = l.recipient_id
    LEFT JOIN address_state s ON s.address_normal = {_ADDRESS}
    WHERE {_ADDRESS} IS NOT NULL AND coalesce(s.state, 'ok') NOT IN ('undeliverable', 'blocked')
)
UPDATE outbox o SET
    state = CASE WHEN r.place > 1 THEN 'cancelled' WHEN o.expires_at <= now() THEN 'expired'
        ELSE 'queued' END,
    reason = CASE WHEN r.place > 1 THEN 'replaced' WHEN o.expires_at <= now() THEN 'expired' END,
    next_attempt_at = now(),
    finished_at = CASE WHEN r.place > 1 OR o.expires_at <= now() THEN now() END
FROM reachable r WHERE o.id = r.id
RETURNING o.id, o.state
"""

PROVED = """
SELECT s.address_normal FROM address_state s
WHERE s.state IN ('soft', 'undeliverable') AND (EXISTS (
    SELECT FROM person p JOIN invitation i ON i.person_id = p.id
    WHERE p.email_normal = s.address_normal AND i.answered_at > s.last_bounce_at
      AND i.answer_way IN ('link', 'calendar', 'mail')
) OR EXISTS (
    SELECT FROM account a JOIN staff_session k ON k.account_id = a.id
    WHERE lower(a.email) = s.address_normal AND k.created_at > s.last_bounce_at
))
FOR UPDATE OF s SKIP LOCKED
"""

# $1 how far back, $2 now. What the address was when the letter was refused stands in the letter.
REFUSED = f"""
SELECT o.id, coalesce(m.ends_at, $2::timestamptz + interval '14 days') AS expires_at
FROM outbox o JOIN letter l USING (id)
JOIN person p ON p.id = l.recipient_id
CROSS JOIN LATERAL (
    SELECT max(m.ends_at) AS ends_at FROM letter_about a JOIN meeting m ON m.id = a.subject_id
    WHERE a.letter_id = l.id AND a.dropped_because IS NULL HAVING count(*) > 0) m
LEFT JOIN address_state s ON s.address_normal = {_ADDRESS}
WHERE o.state = 'failed' AND o.reason IN ('address_refused', 'bounced') AND o.finished_at > $1
  AND (m.ends_at IS NULL OR m.ends_at > $2) AND l.kind <> 'receipt'
  AND {_ADDRESS} IS NOT NULL
  AND (lower(l.to_addr) <> {_ADDRESS} AND coalesce(s.state, 'ok') = 'ok'
    OR s.state = 'ok' AND s.updated_at > o.finished_at)
  AND NOT EXISTS (SELECT FROM letter younger JOIN outbox y ON y.id = younger.id
      WHERE younger.recipient_id = l.recipient_id
        AND (younger.subject_id = l.subject_id
          OR l.subject_id IS NULL AND younger.kind = l.kind AND younger.cause = l.cause)
        AND (younger.kind = 'copy') = (l.kind = 'copy')
        AND younger.created_at > l.created_at AND y.state <> 'cancelled')
ORDER BY o.finished_at LIMIT 200
FOR UPDATE OF o SKIP LOCKED
"""
