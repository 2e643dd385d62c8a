"""The statements that plan invitations and pick the people that a notice goes to."""

# `domain.changes.same_place_and_time` for two stands, each a start, a mode and a town.
_SAME = """(({0} IS NULL OR {3} IS NULL OR ({0}::date = {3}::date
            AND abs(extract(epoch FROM {0} - {3})) < 3600))
        AND NOT ({1} = 'on_site' AND {4} = 'online') AND NOT ({1} = 'online' AND {4} = 'on_site')
        AND (btrim(coalesce({2}, '')) = '' OR btrim({5}) = ''
            OR lower(btrim({2})) = lower(btrim({5}))))"""
_HOLDS = """(
    {i}.answer IS NOT NULL
    AND ({i}.answer <> 'in_person' OR {m}.mode <> 'online')
    AND ({i}.answer <> 'online' OR {m}.mode <> 'on_site')
    AND ({m}.asked_again_at IS NULL OR {i}.answered_at IS NOT NULL
        AND {i}.answered_at >= {m}.asked_again_at)
    AND ({given_stands} OR {m}.kept_answers <> '[]' AND EXISTS (
        SELECT FROM jsonb_to_recordset({m}.kept_answers) AS k (
            from_starts timestamp, from_mode text, from_town text,
            to_starts timestamp, to_mode text, to_town text)
        WHERE {given_kept} AND {kept_stands}))
)"""


def holds(i: str = "i", m: str = "m") -> str:
    """Return the rule of `domain.replies.still_holds` for an invitation and its meeting by alias.

    A test compares the two.
    """
    given = (f"{i}.given_starts_local", f"coalesce({i}.given_mode, {m}.mode)", f"{i}.given_town")
    stands = (f"{m}.starts_local", f"{m}.mode", f"{m}.town")
    kept_from = ("k.from_starts", "k.from_mode", "k.from_town")
    kept_to = ("k.to_starts", "k.to_mode", "k.to_town")
    return _HOLDS.format(
        i=i,
        m=m,
        given_stands=_SAME.format(*given, *stands),
        given_kept=_SAME.format(*given, *kept_from),
        kept_stands=_SAME.format(*kept_to, *stands),
    )


HOLDS = holds()

# Everybody who belongs to a group of the meeting on its day, unless only chosen people are asked,
# and who is asked by name; once, with the partner and the function of that day. Events of others
# ("Sonstige") invite nobody.
ADD_PLANNED = """
INSERT INTO invitation (meeting_id, person_id, organisation_id, role_title, created_at)
SELECT m.id, p.id, belonging.organisation_id, coalesce(belonging.role_title, ''), $2::timestamptz
FROM meeting m
CROSS JOIN LATERAL (SELECT coalesce(m.starts_local::date, $2::timestamptz::date) AS day) day
CROSS JOIN LATERAL (
    SELECT person_id FROM meeting_audience WHERE meeting_id = m.id AND EXISTS (
        SELECT FROM meeting_group mg
        JOIN working_group g ON g.id = mg.group_id AND g.heading <> 'other'
        WHERE mg.meeting_id = m.id)
    UNION
    SELECT s.person_id FROM membership s
    JOIN meeting_group mg ON mg.group_id = s.group_id AND mg.meeting_id = m.id
    JOIN working_group g ON g.id = s.group_id AND g.heading <> 'other'
    WHERE m.audience = 'group' AND s.from_on <= day.day
        AND (s.to_on IS NULL OR s.to_on >= day.day)) wanted
JOIN person p ON p.id = wanted.person_id AND p.anonymised_at IS NULL
    AND (p.ended_on IS NULL OR p.ended_on >= day.day)
LEFT JOIN LATERAL (
    SELECT a.organisation_id, a.role_title FROM affiliation a
    WHERE a.person_id = p.id AND a.from_on <= day.day
        AND (a.to_on IS NULL OR a.to_on >= day.day)
    ORDER BY a.from_on DESC, a.id LIMIT 1) belonging ON true
WHERE m.id = $1
ON CONFLICT (meeting_id, person_id) DO UPDATE
    SET organisation_id = excluded.organisation_id, role_title = excluded.role_title
    WHERE invitation.state = 'planned' AND invitation.answer IS NULL
        AND (invitation.organisation_id, invitation.role_title)
            IS DISTINCT FROM (excluded.organisation_id, excluded.role_title)
RETURNING person_id, (xmax = 0) AS is_new
"""

# $1 groups, $2 people who are offered whatever they belong to, $3 false those of them alone whom
# the session $4 asks by name.
CANDIDATES = """
SELECT p.id, p.full_name AS name, coalesce(o.name, '') AS partner,
    p.email IS NOT NULL AS has_address, membership.is_member
FROM person p
CROSS JOIN LATERAL (SELECT EXISTS (SELECT FROM membership s WHERE s.person_id = p.id
    AND s.group_id = ANY ($1::uuid[]) AND s.to_on IS NULL) AS is_member) membership
LEFT JOIN LATERAL (
    SELECT organisation_id FROM affiliation WHERE person_id = p.id AND to_on IS NULL
    ORDER BY from_on DESC, id LIMIT 1) a ON true
LEFT JOIN organisation o ON o.id = a.organisation_id
WHERE p.anonymised_at IS NULL AND p.ended_on IS NULL
    AND (membership.is_member OR p.id = ANY ($2::uuid[]) AND ($3::boolean OR EXISTS (
        SELECT FROM meeting_audience n WHERE n.meeting_id = $4::uuid AND n.person_id = p.id)))
ORDER BY o.sort_key NULLS LAST, o.id, p.sort_key, p.id
"""

# Whoever left all of its groups before the day is not asked any more, and no member at all where
# only chosen people are; guests, who never belonged to one of the groups, stay.
DROP_PLANNED = """
DELETE FROM invitation i USING meeting m
WHERE m.id = $1 AND i.meeting_id = m.id AND i.state = 'planned' AND i.answer IS NULL
    AND NOT EXISTS (SELECT FROM meeting_audience a
        WHERE a.meeting_id = m.id AND a.person_id = i.person_id)
    AND EXISTS (SELECT FROM membership s JOIN meeting_group mg USING (group_id)
        WHERE mg.meeting_id = m.id AND s.person_id = i.person_id)
    AND NOT EXISTS (SELECT FROM membership s JOIN meeting_group mg USING (group_id)
        WHERE mg.meeting_id = m.id AND s.person_id = i.person_id AND m.audience = 'group'
            AND s.from_on <= coalesce(m.starts_local::date, $2::timestamptz::date)
            AND (s.to_on IS NULL
                OR s.to_on >= coalesce(m.starts_local::date, $2::timestamptz::date)))
"""

# Whose invitation was taken back before it left was never told of the meeting.
PLAN_AGAIN = """
UPDATE invitation i SET state = 'planned', invited_at = NULL, told_rev = 0
WHERE i.meeting_id = $1 AND i.state = 'invited' AND i.answer IS NULL
    AND EXISTS (SELECT FROM letter_about l JOIN outbox o ON o.id = l.letter_id
        WHERE l.subject_id = $1 AND l.recipient_id = i.person_id AND l.kind = 'invitation'
            AND (l.dropped_because = 'superseded'
                OR o.state = 'cancelled' AND o.reason = 'superseded'))
    AND NOT EXISTS (SELECT FROM letter_about l JOIN outbox o ON o.id = l.letter_id
        WHERE l.subject_id = $1 AND l.recipient_id = i.person_id AND o.state <> 'cancelled'
            AND l.dropped_because IS NULL
            AND l.kind IN ('invitation', 'date_confirmed', 'change', 'postponed', 'uncancellation'))
RETURNING i.id
"""

COUNT_ASKED_AGAIN = f"""
SELECT count(*) FROM invitation i JOIN meeting m ON m.id = i.meeting_id
WHERE i.meeting_id = $1 AND i.state = 'invited' AND i.answer IS NOT NULL AND NOT {HOLDS}
"""

RENEW_LINK = """
UPDATE invitation SET epoch = epoch + 1, renewed_at = $2 WHERE id = $1
RETURNING meeting_id, epoch, ARRAY(
    SELECT group_id FROM meeting_group WHERE meeting_id = invitation.meeting_id) AS group_ids
"""
FIND_MEETING_OF = "SELECT meeting_id FROM invitation WHERE id = $1"
UNINVITE = """
WITH found AS (
    SELECT id, state, has_seat FROM invitation WHERE id = $1 AND state <> 'uninvited' FOR UPDATE
)
UPDATE invitation i SET state = 'uninvited', has_seat = false,
    changed_at = greatest(date_trunc('second', $2::timestamptz), i.changed_at + interval '1 second')
FROM found WHERE i.id = found.id
RETURNING i.person_id, found.state AS was, found.has_seat AS had_seat,
    i.organisation_id::text AS partner
"""
# $2 is the partner as text; who belongs to none counts for none.
FREE_SEAT = """
UPDATE meeting_seats SET taken = taken - 1,
    by_partner = CASE WHEN by_partner ? $2::text THEN jsonb_set(by_partner, ARRAY[$2],
        to_jsonb(greatest(0, (by_partner ->> $2)::int - 1))) ELSE by_partner END
WHERE meeting_id = $1
"""
# All seats of a meeting, counted afresh: in sum, and by partner.
SEATED = """
SELECT $1::uuid, coalesce(sum(n), 0)::int,
    coalesce(jsonb_object_agg(organisation_id, n) FILTER (WHERE organisation_id IS NOT NULL), '{}')
FROM (SELECT organisation_id, count(*)::int AS n FROM invitation
    WHERE meeting_id = $1 AND has_seat GROUP BY organisation_id) seated
"""
# Who was taken off the list before is asked afresh: the old answer stays in the history only.
_AFRESH = """state = 'planned', invited_at = NULL,
    told_rev = 0, answer = NULL, answer_way = NULL, answered_at = NULL, answered_by = NULL,
    answered_for = '', is_late = false, deputy_name = '', note = '', access_needs = '',
    list_consent = false, given_starts_local = NULL, given_mode = NULL, given_town = NULL,
    looks_automatic = false, changed_at = greatest(
        date_trunc('second', $3::timestamptz), invitation.changed_at + interval '1 second')"""
# Who (i) was taken off the list and not told of that: they may come back as if nothing had been.
_OFF_UNTOLD = """(SELECT n.state IN ('pending', 'withdrawn') FROM notice n
        WHERE n.meeting_id = {i}.meeting_id AND n.kind = 'uninvited'
            AND {i}.person_id = ANY (n.person_ids)
        ORDER BY n.created_at DESC, n.id DESC LIMIT 1)"""
OFF_UNTOLD = f"(i.state = 'uninvited' AND {_OFF_UNTOLD.format(i='i')})"
# Who comes back before the news of it left stands as before, answer and all: nobody was told. Not
# so who missed a letter that was stopped meanwhile: only a new invitation brings what it said.
_RESTORE = f"""
UPDATE invitation SET state = 'invited',
    has_seat = coalesce(answer IN ('in_person', 'represented') AND given_mode <> 'online', false),
    changed_at = greatest(
        date_trunc('second', $3::timestamptz), invitation.changed_at + interval '1 second')
WHERE {{which}} AND invitation.state = 'uninvited' AND invited_at IS NOT NULL
    AND {_OFF_UNTOLD.format(i="invitation")}
    AND NOT EXISTS (SELECT FROM letter_about l JOIN outbox o ON o.id = l.letter_id
        WHERE l.subject_id = invitation.meeting_id AND l.recipient_id = invitation.person_id
            AND coalesce(l.cause ->> 'copies', l.kind) NOT IN ('reminder', 'nudge')
            AND (l.dropped_because = 'uninvited'
                OR o.state = 'cancelled' AND o.reason = 'uninvited'))
RETURNING id, meeting_id, has_seat
"""
RESTORE = _RESTORE.format(which="meeting_id = $1 AND person_id = ANY ($2::uuid[])")
ASK_AFRESH = f"""
UPDATE invitation SET {_AFRESH}
WHERE meeting_id = $1 AND person_id = ANY ($2::uuid[]) AND state = 'uninvited'
RETURNING person_id
"""
# $1 people and $2 the groups that each comes to, $3 now, $4 from which day: invitations that were
# taken back when they left. Whom the office took off the list while another group of the session
# has them stays off it. Asked before the memberships are saved.
_RETURNING = """
FROM unnest($1::uuid[], $2::uuid[]) AS new (person_id, group_id)
JOIN meeting_group mg ON mg.group_id = new.group_id
JOIN meeting m ON m.id = mg.meeting_id AND m.audience = 'group'
    AND m.state IN ('tentative', 'confirmed', 'postponed')
    AND (m.starts_at IS NULL OR m.starts_at > $3)
    AND (m.starts_local IS NULL OR m.starts_local::date >= $4::date)
JOIN invitation i ON i.meeting_id = m.id AND i.person_id = new.person_id
    AND i.state = 'uninvited'
WHERE NOT EXISTS (SELECT FROM membership s JOIN meeting_group o ON o.group_id = s.group_id
    WHERE o.meeting_id = m.id AND s.person_id = i.person_id AND s.to_on IS NULL)
"""
RETURNED_TO = f"SELECT DISTINCT m.id {_RETURNING}"
RESTORE_RETURNED = _RESTORE.format(which=f"invitation.id IN (SELECT i.id {_RETURNING})")
ASK_RETURNED = f"""
UPDATE invitation SET {_AFRESH} WHERE id IN (SELECT i.id {_RETURNING}) AND state = 'uninvited'
RETURNING id
"""
# One person beside the groups' members, with the partner and the function of the meeting's day.
ADD_ONE = f"""
INSERT INTO invitation (meeting_id, person_id, organisation_id, role_title, created_at)
SELECT $1, p.id, belonging.organisation_id, coalesce(belonging.role_title, ''), $3::timestamptz
FROM person p
LEFT JOIN LATERAL (
    SELECT a.organisation_id, a.role_title FROM affiliation a
    WHERE a.person_id = p.id AND a.from_on <= $4::date AND (a.to_on IS NULL OR a.to_on >= $4)
    ORDER BY a.from_on DESC, a.id LIMIT 1) belonging ON true
WHERE p.id = $2 AND p.anonymised_at IS NULL AND (p.ended_on IS NULL OR p.ended_on >= $4::date)
ON CONFLICT (meeting_id, person_id) DO UPDATE SET {_AFRESH},
    organisation_id = excluded.organisation_id, role_title = excluded.role_title
    WHERE invitation.state = 'uninvited'
RETURNING id
"""
FIND_OF_PERSON = "SELECT id FROM invitation WHERE meeting_id = $1 AND person_id = $2"
