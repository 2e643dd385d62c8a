"""SQL text behind the office's lists of what came back."""

ADDRESSES = """
SELECT p.id AS person_id, p.full_name AS name, s.address_normal AS address,
    s.address_normal IS DISTINCT FROM p.email_normal AS is_copy, s.state, s.last_status AS status,
    s.last_bounce_at AS at, p.phone, o.name AS partner, o.phone AS partner_phone,
    (SELECT count(*) FROM letter l JOIN outbox b USING (id) WHERE l.recipient_id = p.id
        AND b.state = 'held' AND b.reason IN ('undeliverable', 'blocked')) AS waiting
FROM address_state s
JOIN person p ON s.address_normal IN (p.email_normal, lower(p.copy_email))
    AND p.anonymised_at IS NULL AND p.ended_on IS NULL
LEFT JOIN LATERAL (
    SELECT org.name, org.phone
    FROM affiliation a JOIN organisation org ON org.id = a.organisation_id
    WHERE a.person_id = p.id AND a.to_on IS NULL ORDER BY a.from_on DESC, a.id LIMIT 1
) o ON true
WHERE s.state IN ('soft', 'undeliverable', 'blocked')
ORDER BY s.state = 'soft', p.sort_key, p.id, s.address_normal
LIMIT 500
"""

# $1 addresses in small letters.
OWN = """
SELECT address_normal AS address, state, last_status AS status, last_bounce_at AS at
FROM address_state
WHERE address_normal = ANY ($1::text[]) AND state IN ('soft', 'undeliverable', 'blocked')
ORDER BY address_normal
"""

COUNT_ADDRESSES = """
SELECT count(*) FROM address_state s
WHERE s.state IN ('undeliverable', 'blocked') AND (
    EXISTS (SELECT FROM person p WHERE s.address_normal IN (p.email_normal, lower(p.copy_email))
        AND p.anonymised_at IS NULL AND p.ended_on IS NULL)
    OR EXISTS (SELECT FROM instance WHERE lower(email) = s.address_normal))
"""

OF_PERSON = """
SELECT s.address_normal FROM address_state s
JOIN person p ON s.address_normal IN (p.email_normal, lower(p.copy_email))
WHERE p.id = $1 AND s.state IN ('soft', 'undeliverable')
"""

STATE = "SELECT state FROM address_state WHERE address_normal = lower($1)"

# Whose automatic answer says that they are gone, as long as the address is still the one we use.
MOVED = """
SELECT DISTINCT ON (p.id) e.id, p.id AS person_id, p.full_name AS name, e.received_at
FROM mail_event e
JOIN letter l ON l.id = e.letter_id
JOIN person p ON p.id = l.recipient_id AND p.anonymised_at IS NULL AND p.ended_on IS NULL
WHERE e.kind = 'auto_reply' AND e.details ->> 'sort' = 'moved' AND e.settled_at IS NULL
    AND lower(l.to_addr) = p.email_normal
ORDER BY p.id, e.received_at DESC
LIMIT 200
"""

# A sign of life that names no letter is of no use to anybody.
UNMATCHED = """
SELECT id, kind, details, received_at FROM mail_event
WHERE letter_id IS NULL AND settled_at IS NULL
    AND kind IN ('bounce', 'complaint', 'unknown')
ORDER BY received_at DESC, id DESC LIMIT 50
"""

OF_LETTER = """
SELECT id, kind, details, received_at FROM mail_event WHERE letter_id = $1 ORDER BY id LIMIT 50
"""

SETTLE = """
UPDATE mail_event SET settled_at = $2, settled_by = $3
WHERE id = $1 AND settled_at IS NULL RETURNING kind
"""

_OPEN_WORDS = "kind = 'words' AND settled_at IS NULL"
COUNT_WORDS = f"SELECT count(*) FROM mail_event WHERE {_OPEN_WORDS}"
# Whom and what words are about: the invitation whose own address they came to, which no other
# reader knows, else the letter that their mail names.
NAME_INVITATION = """
UPDATE mail_event SET details = details || jsonb_build_object('invitation', $2::text) WHERE id = $1
"""
ABOUT = """
LEFT JOIN letter l ON l.id = e.letter_id
LEFT JOIN invitation named ON named.id = (e.details ->> 'invitation')::uuid
LEFT JOIN meeting m ON m.id = coalesce(named.meeting_id, l.subject_id)
LEFT JOIN person p ON p.id = coalesce(named.person_id, l.recipient_id)
LEFT JOIN invitation i ON i.meeting_id = m.id AND i.person_id = p.id
"""
# Whose address other words came from is said beside them, and decides nothing.
WORDS = f"""
SELECT e.id, e.received_at, coalesce(e.details ->> 'sender', '') AS sender,
    coalesce(e.details ->> 'subject', '') AS subject, coalesce(e.details ->> 'words', '') AS text,
    e.details ? 'calendar' AS has_calendar,
    p.id AS person_id, coalesce(p.full_name, '') AS person_name,
    known.id AS known_id, coalesce(known.full_name, '') AS known_as,
    m.id AS meeting_id, coalesce(m.title, '') AS meeting_title, i.id AS invitation_id
FROM (SELECT * FROM mail_event WHERE {_OPEN_WORDS}) e
{ABOUT}
LEFT JOIN LATERAL (
    SELECT k.id, k.full_name FROM person k
    WHERE k.email_normal = lower(e.details ->> 'sender') AND k.anonymised_at IS NULL
    ORDER BY k.ended_on NULLS FIRST, k.id LIMIT 1) known ON true
WHERE ($1::uuid IS NULL OR m.id = $1) AND ($2::bigint IS NULL OR e.id = $2)
ORDER BY e.received_at DESC, e.id DESC LIMIT 200
"""
