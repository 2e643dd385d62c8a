"""The statements of notices: one pending at a time, expanded into letters as a set."""

from service.domain.words import NoticeKind
from service.tables.invitation_statements import HOLDS
from service.tables.reminder_statements import REMINDED_LATELY

# Kinds that tell a change of the meeting itself merge into one; the others stand for themselves.
CHANGES = ("change", "confirmed", "postponed", "cancellation", "uncancellation")

PENDING = """
SELECT * FROM notice WHERE meeting_id = $1 AND state = 'pending' AND kind = ANY ($2::text[])
ORDER BY created_at FOR UPDATE
"""
# What people know, when the last that they were to be told was taken back: only the notice of a
# change tells them what is new.
UNTOLD = """
SELECT before, from_revision, created_at FROM notice
WHERE meeting_id = $1 AND state = 'withdrawn' AND kind = ANY ($2::text[]) AND created_at > coalesce(
    (SELECT max(finished_at) FROM notice
    WHERE meeting_id = $1 AND state = 'sent' AND kind = ANY ($2::text[])), '-infinity')
ORDER BY created_at LIMIT 1
"""
# Who is invited to a meeting ($1) and has, or may have, a letter that said when and where after the
# revision $2.
READ_SINCE = """
SELECT DISTINCT l.recipient_id
FROM letter_about l
JOIN letter w ON w.id = l.letter_id
JOIN outbox o ON o.id = l.letter_id
    AND (o.state IN ('sent', 'uncertain') OR o.uncertain_count > 0 OR o.data_started_at IS NOT NULL)
JOIN invitation i ON i.meeting_id = l.subject_id AND i.person_id = l.recipient_id
    AND i.state = 'invited'
LEFT JOIN letter_subject s ON s.letter_id = l.letter_id AND s.subject_id = l.subject_id
WHERE l.subject_id = $1 AND l.dropped_because IS NULL
    AND l.kind IN ('invitation', 'date_confirmed', 'change', 'uncancellation', 'reminder', 'nudge',
        'receipt', 'answer_differs')
    AND coalesce(s.subject_rev, w.subject_rev) > $2
ORDER BY 1
"""
INSERT = """
INSERT INTO notice (meeting_id, kind, due_at, from_revision, to_revision, before, person_ids,
    with_decliners, asks_again, message, created_by, created_at, is_timed, batch_id, batch_kind)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
RETURNING id
"""
# What the office wrote to a change that nobody read of yet still holds beside what it writes to the
# next one, but never twice, and not where one of them puts the session off: that is its reason.
OFF = "('cancellation', 'postponed')"
BLANK_LINE = r"E'\n\n'"
_APART = f"{BLANK_LINE} || {{}} || {BLANK_LINE}"
_SAYS = f"strpos({_APART}, {_APART}) > 0"
MERGE = f"""
UPDATE notice SET kind = $2, due_at = $3, to_revision = $4, with_decliners = $5, asks_again = $6,
    message = CASE
        WHEN kind IN {OFF} OR $2 IN {OFF} THEN
            CASE WHEN $7::text = '' AND kind = $2 THEN message ELSE $7 END
        WHEN $7 = '' OR {_SAYS.format("message", "$7")} THEN message
        WHEN message = '' OR {_SAYS.format("$7", "message")} THEN $7
        ELSE message || {BLANK_LINE} || $7 END, person_ids = $8
WHERE id = $1 AND state = 'pending'
RETURNING id
"""
# $3 is when the rule would have it leave; what the office said itself stays while it is of use.
FOLLOW = """
UPDATE notice SET to_revision = $2,
    due_at = CASE WHEN is_timed AND due_at < $4 THEN due_at ELSE coalesce($3, due_at) END
WHERE meeting_id = $1 AND state = 'pending' AND kind = 'invitation'
RETURNING id
"""
HURRY = """
UPDATE notice SET due_at = least(due_at, $2), to_revision = $3 WHERE id = $1 AND state = 'pending'
"""
SET_TIME = """
UPDATE notice SET due_at = $2, is_timed = true
WHERE id = $1 AND state = 'pending' AND kind = 'invitation'
RETURNING id
"""
DROP = "DELETE FROM notice WHERE id = $1 AND state = 'pending'"
# Who was invited while a notice waits, by what their invitations said; whether they have declined.
INVITED_SINCE = """
SELECT k.id AS known_id, k.before, i.answer IS NOT DISTINCT FROM 'declined' AS has_declined,
    array_agg(i.person_id) AS person_ids
FROM notice n
JOIN invitation i ON i.meeting_id = n.meeting_id AND i.state = 'invited'
    AND i.told_rev > n.from_revision
CROSS JOIN LATERAL (
    SELECT id, before FROM notice
    WHERE meeting_id = n.meeting_id AND kind = 'invitation' AND state = 'sent'
        AND to_revision = i.told_rev ORDER BY id LIMIT 1) k
WHERE n.id = $1
GROUP BY k.id, k.before, 3
"""
FINISH = """
UPDATE notice SET state = $2, letters = $3, finished_at = $4
WHERE id = $1 AND state = 'pending'
RETURNING id, kind, meeting_id, created_at
"""
REPLACE = """
UPDATE notice SET state = 'replaced', finished_at = $3
WHERE meeting_id = $1 AND state = 'pending' AND kind = ANY ($2::text[])
RETURNING id
"""

# Both rows are locked, and both without waiting: whoever holds one of them comes later anyway. Only
# who gets the eldest that is due takes the others, so that two replicas do not share out what one
# person is to read in one letter.
CLAIM_FIRST = """
SELECT n.* FROM notice n JOIN meeting m ON m.id = n.meeting_id
WHERE n.state = 'pending' AND n.id = (
    SELECT id FROM notice
    WHERE state = 'pending' AND due_at <= $1 AND id <> ALL ($2::uuid[])
    ORDER BY due_at, id LIMIT 1)
FOR UPDATE OF n, m SKIP LOCKED
"""
CLAIM_OTHERS = """
SELECT n.* FROM notice n JOIN meeting m ON m.id = n.meeting_id
WHERE n.state = 'pending' AND n.due_at <= $1 AND n.id <> ALL ($2::uuid[])
ORDER BY n.due_at, n.id LIMIT $3
FOR UPDATE OF n, m SKIP LOCKED
"""
# The meetings come first, as with everybody who changes one. What one press gave rise to (a batch)
# is named by any of its notices.
_NAMED = """(n.id = ANY ($1::uuid[]) OR $2::boolean AND n.batch_id IN (
    SELECT batch_id FROM notice WHERE id = ANY ($1::uuid[])))"""
LOCK_MEETINGS = f"""
SELECT m.id, ARRAY(SELECT group_id FROM meeting_group WHERE meeting_id = m.id) AS group_ids,
    EXISTS (SELECT FROM notice n WHERE n.meeting_id = m.id AND n.id = ANY ($1::uuid[])) AS is_named
FROM meeting m
WHERE m.id IN (SELECT n.meeting_id FROM notice n WHERE {_NAMED})
ORDER BY m.id FOR UPDATE OF m
"""
LOCK_PENDING = f"""
SELECT n.* FROM notice n
WHERE {_NAMED} AND n.state = 'pending' AND n.meeting_id = ANY ($3::uuid[])
ORDER BY n.meeting_id, n.id FOR UPDATE OF n
"""
# $1 is a new notice, $2 when it is due, $3 who put it down, $4 now. What the same hand did within
# one countdown leaves together, where it tells the same people; nothing that is urgent waits.
GATHER = """
UPDATE notice SET due_at = $2 WHERE id IN (
    SELECT n.id FROM notice n JOIN meeting m ON m.id = n.meeting_id
    WHERE n.state = 'pending' AND n.id <> $1 AND n.created_by = $3 AND NOT n.is_timed
        AND n.due_at > $4 AND n.due_at < $2 AND n.created_at > $4 - interval '20 minutes'
        AND n.due_at >= n.created_at + interval '10 minutes' AND n.kind <> 'cancellation'
        AND (m.starts_at IS NULL OR m.starts_at > $4 + interval '48 hours')
        AND EXISTS (SELECT FROM notice one JOIN invitation mine USING (meeting_id)
            JOIN invitation theirs ON theirs.person_id = mine.person_id
            WHERE one.id = $1 AND theirs.meeting_id = n.meeting_id)
    FOR UPDATE OF n SKIP LOCKED)
"""

# Whom a notice of each kind is for, as a condition on invitation `i`, meeting `m`, notice `n`.
_NOT_DECLINED = "(n.with_decliners OR i.answer IS DISTINCT FROM 'declined')"
# Whoever was invited since has read of the change already.
_CHOSEN = "(n.person_ids IS NULL OR i.person_id = ANY (n.person_ids))"
_OF_CHANGE = f"i.state = 'invited' AND i.told_rev < n.to_revision AND {_NOT_DECLINED} AND {_CHOSEN}"
_UNANSWERED = f"(i.answer IS NULL OR i.answer <> 'declined' AND NOT {HOLDS})"
# The instant at which somebody is asked who it is for: when letters are posted, or would be.
_NOW, _THEN = "$2::timestamptz", "n.due_at"
_WHO = {
    NoticeKind.INVITATION: f"m.state = 'confirmed' AND i.state = 'planned' AND {_CHOSEN}",
    NoticeKind.NUDGE: f"m.state = 'confirmed' AND i.state = 'invited' AND {_CHOSEN}"
    f" AND {_UNANSWERED} AND NOT {REMINDED_LATELY.format(_NOW)}",
    NoticeKind.UNINVITED: f"i.state = 'uninvited' AND {_CHOSEN}",
} | dict.fromkeys((NoticeKind(kind) for kind in CHANGES), _OF_CHANGE)
_WILL_BE = {kind: condition.replace(_NOW, _THEN) for kind, condition in _WHO.items()}

_LETTER_KINDS = {kind: kind.value for kind in NoticeKind} | {NoticeKind.CONFIRMED: "date_confirmed"}
_KEYS = {
    NoticeKind.INVITATION: "'inv:' || m.id || ':' || p.id || ':' || n.to_revision",
    NoticeKind.CHANGE: "'chg:' || m.id || ':' || n.to_revision || ':' || p.id",
    NoticeKind.CANCELLATION: "'cnl:' || m.id || ':' || p.id || ':' || n.to_revision",
}
_KEY_OF_OTHERS = "n.kind || ':' || n.id || ':' || n.to_revision || ':' || p.id"
_PRIORITIES = dict.fromkeys(NoticeKind, 2) | {NoticeKind.INVITATION: 4, NoticeKind.NUDGE: 5}
# Until when it is of use to hear that a meeting (m) changes: on the second day of several there is
# still another one to come.
NEWS_UNTIL = """CASE WHEN m.ends_local::date > m.starts_local::date THEN m.ends_at
    ELSE m.starts_at END"""
# What has no date yet stays news for two weeks; a cancellation is of use an hour into the meeting.
_EXPIRES = dict.fromkeys(NoticeKind, "coalesce(m.starts_at, $2 + interval '14 days')") | {
    NoticeKind.CHANGE: f"coalesce({NEWS_UNTIL}, $2 + interval '14 days')",
    NoticeKind.UNCANCELLATION: f"coalesce({NEWS_UNTIL}, $2 + interval '14 days')",
    NoticeKind.CANCELLATION: f"coalesce({NEWS_UNTIL} + interval '1 hour', $2 + interval '14 days')",
    NoticeKind.NUDGE: "CASE WHEN m.answer_by > $2 THEN m.answer_by ELSE m.starts_at END",
}
# Who was invited after what a notice tells as the former state knows what the invitation said.
_KNOWN_BY_INVITATION = """(SELECT k.id FROM notice k
    WHERE i.told_rev > n.from_revision AND k.meeting_id = m.id AND k.kind = 'invitation'
        AND k.state = 'sent' AND k.to_revision = i.told_rev LIMIT 1)"""
_CAUSES = dict.fromkeys(NoticeKind, "jsonb_build_object('invitation', i.id, 'notice', n.id)")
_CAUSES |= dict.fromkeys(
    (NoticeKind(kind) for kind in CHANGES),
    "jsonb_strip_nulls(jsonb_build_object('invitation', i.id, 'notice', n.id,"
    f" 'known', {_KNOWN_BY_INVITATION}))",
)
# What the letters to them differ by. How entries go is fixed with the first letter.
AS_READERS = f"""
    i.answer, i.answer IS NOT NULL AND {HOLDS} AS holds, p.first_letter_on IS NULL AS is_first,
    CASE WHEN i.invited_at IS NOT NULL THEN i.channel
        WHEN EXISTS (SELECT FROM preference w WHERE w.person_id = p.id AND w.no_calendar)
        THEN 'plain' END AS channel
"""
_FROM = """
FROM notice n
JOIN meeting m ON m.id = n.meeting_id
JOIN invitation i ON i.meeting_id = m.id
JOIN person p ON p.id = i.person_id AND p.anonymised_at IS NULL
"""


def _expand(kind: NoticeKind) -> str:
    return f"""
SELECT {_KEYS.get(kind, _KEY_OF_OTHERS)}, '{_LETTER_KINDS[kind]}', p.id, m.id, n.to_revision,
    m.time_rev, p.id || ':' || m.id, p.locale,
    {_CAUSES[kind]}, {_PRIORITIES[kind]}::smallint,
    least($2::timestamptz, now()), {_EXPIRES[kind]}, lower(split_part(p.email, '@', 2))
{_FROM} AND p.email IS NOT NULL
WHERE n.id = $1 AND {_WHO[kind]}
"""


def _list(kind: NoticeKind) -> str:
    return f"""
SELECT p.id AS person_id, p.full_name AS name, coalesce(o.name, '') AS partner,
    p.email IS NOT NULL AS has_address,
    (lower(p.copy_email) <> p.email_normal) IS TRUE AS has_copy, {AS_READERS}
{_FROM}
LEFT JOIN organisation o ON o.id = i.organisation_id
WHERE n.id = $1 AND {_WILL_BE[kind]}
ORDER BY o.sort_key NULLS LAST, p.sort_key, p.id
"""


# $1 is the notice, $2 now; one constant text a kind.
EXPAND = {kind: _expand(kind) for kind in NoticeKind}
RECIPIENTS = {kind: _list(kind) for kind in NoticeKind}

# Letters that this transaction has posted, as one letter a person: those who get two or more, and
# those to newcomers and to who leaves. A subject occurs once in a letter, the urgent news of it.
TOGETHER = (
    *("invitation", "date_confirmed", "change", "postponed", "cancellation", "uncancellation"),
    "uninvited",
)
FOLD = """
SELECT id, kind, 'cmb:' || kind || ':' || batch || ':' || recipient_id, place
FROM (
    SELECT id, recipient_id,
        CASE WHEN is_welcome AND is_farewell OR NOT is_welcome AND NOT is_farewell THEN 'several'
            WHEN is_welcome THEN 'welcome' ELSE 'farewell' END AS kind,
        md5(string_agg(dedupe_key, ' ') OVER (PARTITION BY recipient_id ORDER BY dedupe_key
            ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING))::uuid AS batch,
        row_number() OVER (
            PARTITION BY recipient_id ORDER BY starts NULLS LAST, subject_id)::smallint AS place,
        count(*) OVER (PARTITION BY recipient_id) AS parts, is_welcome, is_farewell
    FROM (
        SELECT DISTINCT ON (l.recipient_id, l.subject_id) l.id, l.recipient_id, l.subject_id,
            l.dedupe_key, coalesce(m.starts_local, m.previous_starts_local) AS starts,
            coalesce(bool_or(n.batch_kind = 'welcome') OVER person, false) AS is_welcome,
            coalesce(bool_or(n.batch_kind = 'farewell') OVER person, false) AS is_farewell
        FROM letter l
        JOIN outbox o USING (id)
        JOIN meeting m ON m.id = l.subject_id
        JOIN notice n ON n.id = (l.cause ->> 'notice')::uuid
        WHERE l.created_at = now() AND l.kind = ANY ($1::text[])
            AND o.state = 'queued' AND o.lease_token = 0
        WINDOW person AS (PARTITION BY l.recipient_id)
        ORDER BY l.recipient_id, l.subject_id, o.priority, l.id) fresh) sorted
WHERE parts > 1 OR is_welcome OR is_farewell
"""

# The way of an entry is fixed with the first letter: with buttons only while somebody hears them.
_CHANNEL = """
CASE WHEN i.invited_at IS NOT NULL THEN i.channel
    WHEN EXISTS (SELECT FROM preference w WHERE w.person_id = p.id AND w.no_calendar) THEN 'plain'
    WHEN EXISTS (SELECT FROM ear WHERE heard_at > $2::timestamptz - interval '1 day')
    THEN 'request' ELSE 'publish' END
"""
# An invitation that leaves keeps what it says; the meeting is locked.
KEEP_SAID = """
UPDATE notice n SET before = $2, to_revision = m.revision
FROM meeting m WHERE n.id = $1 AND m.id = n.meeting_id
"""
# After the letters were posted, so that the conditions above still found everybody.
MARK_INVITED = f"""
UPDATE invitation SET state = 'invited', invited_at = $2, told_rev = found.to_revision,
    channel = found.channel,
    changed_at = greatest(date_trunc('second', $2::timestamptz),
        invitation.changed_at + interval '1 second')
FROM (SELECT i.id, n.to_revision, {_CHANNEL} AS channel {_FROM} AND p.email IS NOT NULL
    WHERE n.id = $1 AND {_WHO[NoticeKind.INVITATION]}) found
WHERE invitation.id = found.id
RETURNING invitation.id
"""
MARK_MEETING_INVITED = """
UPDATE meeting SET invited_at = coalesce(invited_at, $2) WHERE id = $1 RETURNING id
"""
MARK_TOLD = f"""
UPDATE invitation SET told_rev = found.to_revision,
    reset_sequence = CASE WHEN found.asks_again THEN found.sequence
        ELSE invitation.reset_sequence END
FROM (SELECT i.id, n.to_revision, n.asks_again, m.sequence {_FROM}
    WHERE n.id = $1 AND {_OF_CHANGE}) found
WHERE invitation.id = found.id
RETURNING invitation.id
"""

# Countdowns that run: not what waits for its own day.
RUNNING = """
SELECT n.id, n.kind, n.due_at, n.meeting_id, m.title,
    ARRAY(SELECT group_id FROM meeting_group WHERE meeting_id = m.id) AS group_ids
FROM notice n JOIN meeting m ON m.id = n.meeting_id
WHERE n.state = 'pending' AND n.due_at <= $1::timestamptz + interval '1 hour'
ORDER BY n.due_at, m.title, n.id LIMIT 200
"""
HISTORY = """
SELECT id, kind, state, due_at, from_revision, to_revision, with_decliners, asks_again, message,
    letters, created_at, finished_at
FROM notice WHERE meeting_id = $1 ORDER BY created_at DESC, id
"""
