"""SQL text of the question "does this letter still hold, and for whom?" for a whole batch."""

from service.tables.invitation_statements import HOLDS
from service.tables.notice_statements import BLANK_LINE, CHANGES, NEWS_UNTIL, OFF
from service.tables.reminder_statements import AUDIENCE, LEADS
from service.tables.summary_statements import WORKS_WITH
from service.tables.wishes import OFFICE_ZONE

# How many reminders and nudges of the same person and day come first, by the office's calendar.
# Their order is fixed, so that whoever asks, about whichever of them, finds the same ones to be too
# many.
_REMINDERS_BEFORE = f"""
CASE WHEN l.kind IN ('reminder', 'nudge') THEN (
    SELECT count(*) FROM letter e JOIN outbox eo ON eo.id = e.id
    WHERE e.recipient_id = l.recipient_id AND e.kind IN ('reminder', 'nudge', 'reminders')
        AND eo.state IN ('queued', 'sending', 'uncertain', 'sent')
        AND e.created_at >= date_trunc('day', l.created_at, {OFFICE_ZONE})
        AND (e.created_at, e.id) < (l.created_at, l.id)) ELSE 0 END
"""

# Mail programs put what follows beside the first letter that arrived. An invitation is that first
# letter, so crowds of them are spared the look; it goes by the person, never by the whole session.
_FIRST_LETTER = """
CASE WHEN m.id IS NOT NULL AND l.kind <> 'invitation' THEN (
    SELECT e.id FROM letter e JOIN outbox eo ON eo.id = e.id
    WHERE e.recipient_id = l.recipient_id AND e.created_at < l.created_at AND eo.state = 'sent'
        AND (e.kind = 'copy') = (l.kind = 'copy')
        AND (e.subject_id IS NOT DISTINCT FROM m.id OR EXISTS (
            SELECT FROM letter_subject es WHERE es.letter_id = e.id AND es.subject_id = m.id
                AND es.dropped_because IS NULL))
    ORDER BY e.created_at, e.id LIMIT 1) END
"""

# Who leads a group of the session reads in a reminder how many have answered, and how.
_LEADS = f"coalesce(s.kind, l.cause ->> 'copies', l.kind) = 'reminder' AND {LEADS}"
_ANSWERS_NOW = f"""
CASE WHEN s.letter_id IS NULL AND {_LEADS} THEN (
    SELECT jsonb_object_agg(counted.bucket, counted.n) FROM (
        SELECT {AUDIENCE} AS bucket, count(*) AS n FROM invitation i
        WHERE i.meeting_id = m.id AND i.state = 'invited' GROUP BY 1) AS counted) END
"""

# The language that its reader reads by now. Bytes that somebody may have stay as they are, links to
# pages of their language included; what somebody was shown for trial is in that of the page.
LOCALE = """
CASE WHEN l.kind = 'test' THEN l.locale ELSE coalesce(
    CASE WHEN l.prototype_sha256 IS NOT NULL THEN (
        SELECT t.locale FROM prototype t JOIN outbox b ON b.id = l.id
        WHERE t.sha256 = l.prototype_sha256 AND b.letter_sha256 IS NOT NULL) END,
    p.locale, a.locale, l.locale) END
"""

# Links are those of now, but for bytes that somebody may have: beside those their epochs are kept.
_KEPT = """
CASE WHEN l.slot_values ? {name} THEN (
    SELECT l.slot_values ->> {name} FROM outbox b
    WHERE b.id = l.id AND b.letter_sha256 IS NOT NULL) END
"""
_OF_MAIL, _OF_PART = "'mail_epoch'", "('answer_epoch' || coalesce('_' || s.position, ''))"
_MAIL_EPOCH = f"coalesce(({_KEPT.format(name=_OF_MAIL)})::int, p.mail_epoch)"
_ANSWER_EPOCH = f"coalesce(({_KEPT.format(name=_OF_PART)})::int, i.epoch)"
_ROOTS = _KEPT.format(name="'roots'")

_WHOLE_KIND = "coalesce(l.cause ->> 'copies', l.kind)"
# Letters of joining and leaving name the groups of a session (m) that somebody is in, or was; all
# where nothing is known of that, as of whoever left on the day of joining.
_IS_THEIRS = f"""CASE WHEN {_WHOLE_KIND} IN ('welcome', 'farewell') THEN coalesce((
    SELECT bool_or(t.group_id = mg.group_id)
    FROM membership t JOIN meeting_group o ON o.group_id = t.group_id AND o.meeting_id = m.id
    WHERE t.person_id = p.id AND (t.to_on IS NULL) = ({_WHOLE_KIND} = 'welcome')), true)
    ELSE true END"""

# One row a letter, or one a part of a letter about several sessions (`part` counts them from 1).
LOOK_UP = f"""
SELECT l.id, l.kind = 'copy' AS is_copy,
    coalesce(s.kind, l.cause ->> 'copies', l.cause ->> 'updates', l.kind) AS kind,
    {_WHOLE_KIND} AS whole_kind, s.position AS part, s.dropped_because,
    CASE WHEN original.state = 'cancelled' THEN original.reason END AS taken_back_because,
    {LOCALE} AS locale, coalesce(s.cause, l.cause) AS cause,
    coalesce(s.time_rev, l.time_rev) AS time_rev,
    coalesce(s.subject_id, l.subject_id) AS subject_id, l.recipient_id,
    m.state AS meeting_state, m.revision AS meeting_revision, m.time_rev AS meeting_time_rev,
    m.starts_at, {NEWS_UNTIL} AS news_until, m.answer_by,
    i.handle, {_ANSWER_EPOCH} AS epoch, i.state AS invitation_state,
    i.answer, i.answer_rev, i.deputy_name, i.channel, l.created_at,
    ear.way AS ear_way, ear.heard_at AS ear_heard_at,
    CASE WHEN i.id IS NOT NULL THEN {AUDIENCE} END AS bucket,
    CASE WHEN i.id IS NOT NULL THEN i.answer IS NOT NULL AND {HOLDS} END AS holds,
    r.audience AS rule_audience, n.id AS notice_id,
    (coalesce(s.cause, l.cause) ->> 'known')::uuid AS known_id,
    {_LEADS} AS leads, {_ANSWERS_NOW} AS answers_now,
    p.full_name AS person_name, p.first_letter_on,
    CASE WHEN l.kind = 'copy' THEN p.copy_email ELSE p.email END AS person_email,
    p.anonymised_at IS NOT NULL OR p.ended_on < current_date AS person_is_gone,
    o.name AS organisation_name,
    a.full_name AS account_name, a.email AS account_email, a.disabled_at, a.summaries,
    CASE WHEN l.kind = 'summary' THEN {WORKS_WITH.format("a", "m")} END AS account_works,
    k.id AS token_id, k.used_at, k.replaced_at, k.expires_at < now() AS token_is_old,
    b.state AS address_state, b.address_normal, b.probe_letter_id,
    p.mail_handle, {_MAIL_EPOCH} AS mail_epoch, {_ROOTS} AS roots,
    w.reminders, w.nudges, w.papers, w.digest, w.digest_only, w.paused_until,
    w.has_own_times, w.own_days, w.own_at, w.own_minutes, w.text_only,
    w.no_calendar, {OFFICE_ZONE} AS office_zone, r.is_choice,
    {_REMINDERS_BEFORE} AS reminders_before,
    {_FIRST_LETTER} AS first_letter_id,
    -- What a rule of days gave rise to may wait for the morning.
    CASE WHEN r.minutes_before IS NULL OR r.kind = 'summary' THEN (
        SELECT expires_at FROM outbox WHERE id = l.id AND r.id IS NOT NULL) END AS waits_at_most,
    (SELECT max(holiday_country) FROM instance) AS holiday_country,
    (SELECT max(holiday_subdivision) FROM instance) AS holiday_subdivision,
    ARRAY(SELECT g.name FROM meeting_group mg JOIN working_group g ON g.id = mg.group_id
        WHERE mg.meeting_id = m.id AND {_IS_THEIRS}
        ORDER BY mg.position, g.position) AS group_names
FROM unnest($1::uuid[]) AS asked (id)
-- Shut in, so that each is looked up by its id: as a plain condition, all letters are read where
-- the planner misjudges what that costs.
CROSS JOIN LATERAL (SELECT * FROM letter WHERE id = asked.id OFFSET 0) l
LEFT JOIN letter_subject s ON s.letter_id = l.id
LEFT JOIN meeting m ON m.id = coalesce(s.subject_id, l.subject_id)
LEFT JOIN person p ON p.id = l.recipient_id
LEFT JOIN preference w ON w.person_id = p.id
-- Shut in, so that it is looked up by both: as a plain join, those of one person are all read where
-- the statistics still say that each has one.
LEFT JOIN LATERAL (
    SELECT * FROM invitation WHERE meeting_id = m.id AND person_id = p.id OFFSET 0) i ON true
LEFT JOIN organisation o ON o.id = i.organisation_id
LEFT JOIN reminder_rule r ON r.id = (coalesce(s.cause, l.cause) ->> 'rule')::uuid
LEFT JOIN notice n ON n.id = (coalesce(s.cause, l.cause) ->> 'notice')::uuid
LEFT JOIN account a ON a.id = l.recipient_id
LEFT JOIN one_time_token k ON k.id = (l.cause ->> 'token_id')::uuid
LEFT JOIN address_state b ON b.address_normal
    = CASE WHEN l.kind = 'copy' THEN lower(p.copy_email) ELSE p.email_normal END
LEFT JOIN ear ON true
LEFT JOIN outbox original ON original.id = (l.cause ->> 'of')::uuid
ORDER BY l.id, s.position
"""

# How a session stands, and all letters about it to somebody who is invited, the newest first; one
# row without a kind where there are none.
STANDS = "SELECT state, starts_at FROM meeting WHERE id = $1"
TOLD = """
SELECT l.letter_id AS id, l.kind, l.state
FROM invitation i
LEFT JOIN LATERAL (
    SELECT l.letter_id, l.kind, b.state, l.created_at
    FROM letter_about l JOIN outbox b ON b.id = l.letter_id
    WHERE l.subject_id = i.meeting_id AND l.recipient_id = i.person_id AND l.kind <> 'copy'
        AND l.dropped_because IS NULL AND i.state = 'invited') l ON true
WHERE i.id = $1 AND i.meeting_id = $2
ORDER BY l.created_at DESC, l.letter_id
"""

# $1 the notice of a change, $2 the one that says what its readers know, where that is another one:
# what the office wrote since is new to them, but for what a cancellation or postponement overtook.
NOTICE = f"""
SELECT coalesce(k.before, n.before) AS before, CASE WHEN k.id IS NULL OR n.kind IN {OFF}
    THEN n.message ELSE coalesce((
        SELECT string_agg(e.message, {BLANK_LINE} ORDER BY e.to_revision, e.id)
        FROM notice e
        WHERE e.meeting_id = n.meeting_id AND e.message <> '' AND e.kind NOT IN {OFF} AND (
            e.id = n.id OR e.state = 'sent' AND e.kind = ANY ('{{{",".join(CHANGES)}}}'::text[])
                AND e.to_revision < n.to_revision
                AND e.to_revision >= k.to_revision + (k.kind = 'invitation')::int
                AND NOT EXISTS (SELECT FROM notice off WHERE off.meeting_id = n.meeting_id
                    AND off.kind IN {OFF} AND off.state = 'sent'
                    AND off.to_revision > e.to_revision AND off.to_revision < n.to_revision))), '')
    END AS message
FROM notice n LEFT JOIN notice k ON k.id = $2
WHERE n.id = $1
"""

OPEN_LINKS = """
SELECT p.full_name, m.title, m.starts_local, i.handle, i.epoch
FROM person asked
JOIN person p ON p.email_normal = asked.email_normal AND p.anonymised_at IS NULL
JOIN invitation i ON i.person_id = p.id AND i.state = 'invited'
JOIN meeting m ON m.id = i.meeting_id AND m.state IN ('confirmed', 'postponed')
    AND (m.ends_at IS NULL OR m.ends_at > now())
WHERE asked.id = $1
ORDER BY p.sort_key, m.starts_at NULLS LAST
LIMIT 100
"""

# The calendars of everybody who gets mail at one address, in the order of the names.
SHARED_CALENDARS = """
SELECT p.full_name, f.handle, f.epoch
FROM person asked
JOIN person p ON p.email_normal = asked.email_normal
    AND p.anonymised_at IS NULL AND p.ended_on IS NULL
JOIN feed f ON f.kind = 'personal' AND f.person_id = p.id AND f.revoked_at IS NULL
WHERE asked.id = $1
ORDER BY p.sort_key, p.id
LIMIT 20
"""

NOTE_FIRST_LETTERS = """
UPDATE person p SET first_letter_on = f.accepted_on
FROM (
    SELECT l.recipient_id, min(o.accepted_at)::date AS accepted_on
    FROM outbox o JOIN letter l ON l.id = o.id
    WHERE o.state = 'sent' AND o.accepted_at IS NOT NULL AND l.kind <> 'copy'
      AND l.recipient_id IN (SELECT id FROM person WHERE first_letter_on IS NULL)
    GROUP BY l.recipient_id
) f
WHERE p.id = f.recipient_id AND p.first_letter_on IS NULL
"""

RELEASE_UNREADY = """
UPDATE outbox SET state = 'queued', reason = NULL, finished_at = NULL, next_attempt_at = now()
WHERE state = 'held' AND reason = 'not_ready' AND expires_at > now()
"""

# What an older version could not judge, or one that runs beside; $1 are the kinds known here.
RELEASE_KNOWN = """
UPDATE outbox o SET state = 'queued', reason = NULL, finished_at = NULL, next_attempt_at = now()
FROM letter l
WHERE l.id = o.id AND o.state = 'held' AND o.reason = 'kind_unknown' AND o.expires_at > now()
    AND (SELECT bool_and(coalesce(s.kind, l.cause ->> 'copies', l.cause ->> 'updates', l.kind)
            = ANY ($1::text[]))
        FROM (SELECT) one LEFT JOIN letter_subject s ON s.letter_id = l.id)
"""
