"""The statements behind the office's pages: reads only, one each for a whole list."""

from service.tables import shown_meetings
from service.tables.forgetting_statements import IS_FORGOTTEN
from service.tables.invitation_statements import HOLDS, holds
from service.tables.reminder_statements import IS_REMINDER

SESSION = f"""{shown_meetings.SELECT}, meeting.capacity, meeting.is_numbered, meeting.saved_by,
    meeting.saved_at, meeting.published_at, meeting.invited_at, meeting.cancelled_from,
    meeting.number_kept, meeting.seats_per_partner, meeting.audience,
    coalesce(meeting_seats.taken, 0) AS seats_taken, coalesce((
        SELECT array_agg(group_id ORDER BY position, group_id) FROM meeting_group
        WHERE meeting_id = meeting.id), '{{}}') AS group_ids
FROM meeting LEFT JOIN meeting_seats ON meeting_seats.meeting_id = meeting.id
WHERE meeting.id = $1
"""

# Whose answer is forgotten neither answered nor kept silent.
_STATE = f"""CASE WHEN i.state = 'invited' AND i.answer IS NULL AND {IS_FORGOTTEN}
    THEN 'forgotten' ELSE i.state END"""
# One row a person, grouped by partner; the newest letter stands beside, whatever it was about.
PEOPLE = f"""
SELECT i.id, i.person_id, {_STATE} AS state, i.answer, i.answer_way, i.answered_at,
    i.answered_for, i.is_late, i.deputy_name, i.note, i.access_needs, i.meal, i.given_starts_local,
    i.has_seat, i.invited_at, i.role_title, i.answer_rev, i.looks_automatic,
    coalesce(i.answer IS NOT NULL AND {HOLDS}, false) AS holds,
    p.full_name, coalesce(p.email, '') AS email, p.phone, p.email IS NOT NULL AS has_address,
    o.id AS partner_id, coalesce(o.name, '') AS partner,
    last.letter_id, last.kind AS letter_kind, last.state AS letter_state,
    last.reason AS letter_reason, last.report AS letter_report, last.at AS letter_at,
    coalesce(told.kinds, '{{}}') AS told_kinds,
    coalesce(told.standing, '{{}}') AS standing_kinds, told.reminded_at
FROM invitation i
JOIN meeting m ON m.id = i.meeting_id
JOIN person p ON p.id = i.person_id
LEFT JOIN organisation o ON o.id = i.organisation_id
LEFT JOIN LATERAL (
    SELECT l.letter_id, l.kind, b.dsn_state AS report,
        CASE WHEN l.dropped_because IS NULL THEN b.state ELSE 'cancelled' END AS state,
        coalesce(l.dropped_because, b.reason) AS reason,
        coalesce(b.accepted_at, b.finished_at, b.next_attempt_at) AS at
    FROM letter_about l JOIN outbox b ON b.id = l.letter_id
    WHERE l.subject_id = i.meeting_id AND l.recipient_id = i.person_id AND l.kind <> 'copy'
    ORDER BY l.created_at DESC, l.letter_id LIMIT 1) last ON true
LEFT JOIN LATERAL (
    SELECT array_agg(l.kind ORDER BY l.created_at DESC, l.letter_id) AS kinds,
        array_agg(l.kind ORDER BY l.created_at DESC, l.letter_id)
            FILTER (WHERE o.state <> 'cancelled') AS standing,
        max(l.created_at) FILTER (WHERE {IS_REMINDER}) AS reminded_at
    FROM letter_about l JOIN outbox o ON o.id = l.letter_id
    WHERE l.subject_id = i.meeting_id AND l.recipient_id = i.person_id AND l.kind <> 'copy'
        AND l.dropped_because IS NULL) told ON true
WHERE i.meeting_id = $1
ORDER BY o.sort_key NULLS LAST, o.id, p.sort_key, p.id
"""

PERSON = PEOPLE.replace("i.meeting_id = $1\nORDER", "i.meeting_id = $1 AND i.id = $2\nORDER")

# $2 is a pattern of LIKE; whoever was uninvited can be asked again.
SEARCH = """
SELECT p.id, p.full_name, p.email IS NOT NULL AS has_address, coalesce(o.name, '') AS partner
FROM person p
LEFT JOIN LATERAL (
    SELECT organisation_id FROM affiliation WHERE person_id = p.id AND to_on IS NULL
    ORDER BY from_on DESC, id LIMIT 1) a ON true
LEFT JOIN organisation o ON o.id = a.organisation_id
WHERE p.ended_on IS NULL AND p.anonymised_at IS NULL
    AND (p.full_name ILIKE $2 OR o.name ILIKE $2)
    AND NOT EXISTS (SELECT FROM invitation i
        WHERE i.meeting_id = $1 AND i.person_id = p.id AND i.state <> 'uninvited')
ORDER BY p.sort_key, p.id LIMIT 30
"""

HISTORY = """
SELECT a.happened_at, a.actor_kind, a.action, a.details,
    coalesce(account.full_name, actor.full_name, '') AS actor_name,
    coalesce(invited.full_name, '') AS about
FROM audit a
LEFT JOIN account ON account.id = a.actor_id
LEFT JOIN person actor ON actor.id = a.actor_id
LEFT JOIN invitation i ON i.id = a.object_id AND a.object_kind = 'invitation'
LEFT JOIN person invited ON invited.id = i.person_id
WHERE a.object_id = ANY (ARRAY(
    SELECT $1::uuid UNION ALL SELECT id FROM invitation WHERE meeting_id = $1
    UNION ALL SELECT id FROM notice WHERE meeting_id = $1))
ORDER BY a.id DESC LIMIT 100
"""

LAST_LETTER = """
SELECT l.id, m.starts_at, ARRAY(SELECT group_id FROM meeting_group mg
    WHERE mg.meeting_id = m.id) AS group_ids,
    p.email IS NOT NULL AND i.state = 'invited' AND m.state = 'confirmed' AND m.starts_at > $4
        AS can_get, l.is_frozen
FROM invitation i
JOIN meeting m ON m.id = i.meeting_id
JOIN person p ON p.id = i.person_id
LEFT JOIN LATERAL (
    SELECT l.letter_id AS id, b.letter_sha256 IS NOT NULL AS is_frozen
    FROM letter_about l JOIN outbox b ON b.id = l.letter_id
    WHERE l.subject_id = i.meeting_id AND l.recipient_id = i.person_id AND l.kind = ANY ($3::text[])
        AND l.dropped_because IS NULL
    ORDER BY l.created_at DESC, l.letter_id LIMIT 1) l ON true
WHERE i.id = $1 AND i.meeting_id = $2
"""

# $2 None stands for all groups. The group that was chosen first comes first.
GROUPS = """
SELECT id, name, heading, next_number, title_pattern FROM working_group
WHERE (ended_on IS NULL OR ended_on >= $1::date) AND ($2::uuid[] IS NULL OR id = ANY ($2))
ORDER BY CASE heading WHEN 'alliance' THEN 0 WHEN 'groups' THEN 1 ELSE 2 END, position, name
"""

# Who is asked to both: by invitation, or by belonging to the groups where none is planned yet.
SAME_DAY = """
SELECT m.title, m.state, m.starts_local, m.date_precision, (
    SELECT count(DISTINCT one.person_id)
    FROM membership one JOIN membership other USING (person_id)
    WHERE one.group_id = ANY ($3::uuid[]) AND one.to_on IS NULL AND other.to_on IS NULL
        AND other.group_id IN (SELECT group_id FROM meeting_group WHERE meeting_id = m.id)
) AS shared, m.state <> 'draft' AND m.visibility = 'public' OR EXISTS (
    SELECT FROM meeting_group g WHERE g.meeting_id = m.id AND g.group_id = ANY ($3)) AS is_open
FROM meeting m
WHERE m.starts_local >= $1::timestamp AND m.starts_local < $1::timestamp + interval '1 day'
    AND m.date_precision IN ('time', 'day') AND m.state IN ('draft', 'tentative', 'confirmed')
    AND m.id <> $2
ORDER BY m.starts_local, m.id LIMIT 20
"""

_OF_GROUPS = """($1::uuid[] IS NULL OR EXISTS (
    SELECT FROM meeting_group mg WHERE mg.meeting_id = meeting.id AND mg.group_id = ANY ($1)))"""
_COUNTS = """
LEFT JOIN LATERAL (
    SELECT count(*) FILTER (WHERE i.state = 'invited') AS invited,
        count(*) FILTER (WHERE i.state = 'planned' AND p.email IS NOT NULL) AS planned,
        count(*) FILTER (WHERE i.state = 'invited' AND {holds}) AS answered,
        count(*) FILTER (WHERE i.state = 'invited' AND {holds}
            AND i.answer IN ('in_person', 'online', 'represented')) AS coming,
        count(*) FILTER (WHERE i.state <> 'uninvited' AND p.email IS NULL) AS without_address
    FROM invitation i JOIN person p ON p.id = i.person_id
    WHERE i.meeting_id = meeting.id) counts ON true
""".format(holds=holds(m="meeting"))
COMING = f"""{shown_meetings.SELECT}, counts.*
FROM meeting {_COUNTS}
WHERE meeting.state IN ('tentative', 'confirmed', 'cancelled') AND meeting.ends_at > $2
    AND meeting.starts_at < $3 AND {_OF_GROUPS}
ORDER BY meeting.starts_at, meeting.id LIMIT 100
"""
# What is neither a draft nor among the coming: from $3 on, without a date, and over since $4.
OTHERS = f"""{shown_meetings.SELECT}, coalesce(meeting.ends_at <= $2, false) AS is_over
FROM meeting
WHERE meeting.state <> 'draft' AND {_OF_GROUPS} AND (
    meeting.starts_at IS NULL OR meeting.starts_at >= $3 OR meeting.ends_at BETWEEN $4 AND $2)
ORDER BY is_over, CASE WHEN meeting.ends_at > $2 THEN meeting.starts_at END NULLS LAST,
    meeting.starts_at DESC, meeting.id LIMIT 300
"""
# What may call for somebody's hand: everything not over, and what waits without a date.
OPEN = f"""{shown_meetings.SELECT}, counts.*, meeting.answer_by, notice.kind AS notice_kind,
    notice.due_at
FROM meeting {_COUNTS}
LEFT JOIN LATERAL (
    SELECT kind, due_at FROM notice WHERE meeting_id = meeting.id AND state = 'pending'
    ORDER BY due_at LIMIT 1) notice ON true
WHERE {_OF_GROUPS} AND (meeting.state IN ('draft', 'postponed')
    OR meeting.state IN ('tentative', 'confirmed') AND meeting.ends_at > $2
    OR notice.kind IS NOT NULL)
ORDER BY coalesce(notice.due_at, meeting.answer_by, meeting.starts_at) NULLS LAST, meeting.id
LIMIT 200
"""
JOBS = "SELECT job, last_ok_at, last_error_at, last_error FROM job_health ORDER BY job"
