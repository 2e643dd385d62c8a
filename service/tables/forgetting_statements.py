"""What is taken off the answers to a session in three steps, and the figures that stay."""

from service.tables.invitation_statements import HOLDS

# $1 to $3: sessions that ended before are at step 1, 2 or 3. A session that got another end after a
# step begins anew. Two workers take different ones.
_STEP = "CASE WHEN ends_at < $3 THEN 3 WHEN ends_at < $2 THEN 2 ELSE 1 END"
PICK = f"""
SELECT id, {_STEP} AS step FROM meeting
WHERE ends_at < $1 AND (forgotten < 3 OR forgotten_ends_at IS DISTINCT FROM ends_at)
    AND (forgotten < {_STEP} OR forgotten_ends_at IS DISTINCT FROM ends_at)
ORDER BY ends_at LIMIT $4 FOR NO KEY UPDATE SKIP LOCKED
"""
DONE = """
UPDATE meeting SET forgotten = done.step, forgotten_ends_at = ends_at
FROM unnest($1::uuid[], $2::smallint[]) AS done (id, step) WHERE meeting.id = done.id
"""

NEEDS = """
UPDATE invitation SET access_needs = '', meal = ''
WHERE meeting_id = ANY ($1) AND (access_needs <> '' OR meal <> '')
"""

# The person's own calendar names the deputy, so it has to move on with the entry.
DETAILS = """
WITH named AS (
    SELECT id, deputy_name <> '' AS is_named FROM invitation
    WHERE meeting_id = ANY ($1) AND (note, answered_for, deputy_name, list_consent)
            IS DISTINCT FROM ('', '', '', false)
        OR meeting_id = ANY ($1) AND (deputy_email IS NOT NULL OR answered_by IS NOT NULL)
    FOR UPDATE
)
UPDATE invitation i SET note = '', answered_for = '', answered_by = NULL, deputy_name = '',
    deputy_email = NULL, list_consent = false, changed_at = CASE WHEN named.is_named
        THEN greatest(date_trunc('second', $2::timestamptz), i.changed_at + interval '1 second')
        ELSE i.changed_at END
FROM named WHERE i.id = named.id
RETURNING i.person_id, named.is_named
"""
_OF_MEETINGS = "SELECT id FROM invitation WHERE meeting_id = ANY ($1)"
HISTORY = f"DELETE FROM answer WHERE invitation_id IN ({_OF_MEETINGS})"
# Who did what stays longer; what somebody answered is no part of it.
AUDIT = f"""
UPDATE audit SET details = details - ARRAY['answer', 'way', 'late']
WHERE object_id IN ({_OF_MEETINGS}) AND object_kind = 'invitation'
    AND details ?| ARRAY['answer', 'way', 'late']
"""

# Figures of a session that was asked anew are counted anew.
_STALE = """
WHERE kept.meeting_id = ANY ($1) AND EXISTS (SELECT FROM invitation i
    WHERE i.meeting_id = kept.meeting_id AND i.answer IS NOT NULL)
"""
DROP_COUNTS = f"DELETE FROM kept_count AS kept {_STALE}"
DROP_PARTNERS = f"DELETE FROM kept_partner AS kept {_STALE}"
# The same buckets as the session page counts by.
_ANSWERS = f"""
SELECT i.meeting_id, i.organisation_id, i.state, CASE
    WHEN i.state <> 'invited' AND i.answer IS NULL THEN i.state
    WHEN coalesce({HOLDS}, false) THEN i.answer ELSE 'none' END AS bucket
FROM invitation i JOIN meeting m ON m.id = i.meeting_id
WHERE m.id = ANY ($1)
"""
KEEP_COUNTS = f"""
INSERT INTO kept_count (meeting_id, bucket, persons, partners)
SELECT meeting_id, bucket, count(*), count(DISTINCT coalesce(organisation_id::text, ''))
FROM ({_ANSWERS}) given
WHERE NOT EXISTS (SELECT FROM kept_count WHERE meeting_id = given.meeting_id)
GROUP BY meeting_id, bucket
"""
KEEP_PARTNERS = f"""
INSERT INTO kept_partner (meeting_id, organisation_id, was_represented)
SELECT meeting_id, organisation_id, bool_or(bucket IN ('in_person', 'online', 'represented'))
FROM ({_ANSWERS}) given
WHERE organisation_id IS NOT NULL AND bucket NOT IN ('planned', 'uninvited')
    AND NOT EXISTS (SELECT FROM kept_partner WHERE meeting_id = given.meeting_id)
GROUP BY meeting_id, organisation_id
"""
ANSWERS = """
UPDATE invitation SET answer = NULL, answer_way = NULL, answered_at = NULL, is_late = false,
    given_starts_local = NULL, given_mode = NULL, given_town = NULL, has_seat = false,
    reply_stamped_at = NULL, looks_automatic = false
WHERE meeting_id = ANY ($1) AND answer IS NOT NULL
"""

IS_FORGOTTEN = "forgotten = 3 AND forgotten_ends_at IS NOT DISTINCT FROM ends_at"
KEPT = f"""
SELECT bucket, persons, partners FROM kept_count
WHERE meeting_id = (SELECT id FROM meeting WHERE id = $1 AND {IS_FORGOTTEN})
ORDER BY array_position(ARRAY['in_person', 'online', 'represented', 'declined', 'undecided', 'none',
    'planned', 'uninvited'], bucket)
"""
KEPT_PARTNERS = f"""
SELECT name, was_represented FROM kept_partner
JOIN organisation ON organisation.id = organisation_id
WHERE meeting_id = (SELECT id FROM meeting WHERE id = $1 AND {IS_FORGOTTEN})
ORDER BY sort_key, organisation.id
"""
