"""SQL text of what becomes of news that waits when newer news of the same session is posted."""

from service.domain.words import NoticeKind
from service.tables.notice_statements import CHANGES, EXPAND

# The columns in the order that every posting has them.
_COLUMNS = """dedupe_key, kind, recipient_id, subject_id, subject_rev, time_rev, ordering_key,
    locale, cause, priority, not_before, expires_at, recipient_domain"""

# What nobody can have, whatever was tried: refusals are known for certain, an end that was not is
# counted. What a restored backup holds may have left after the backup was made.
_STAYED = "o.uncertain_count = 0 AND {} AND o.reason IS DISTINCT FROM 'restored'"
_WAITS = _STAYED.format("o.state IN ('queued', 'held')")
_NEVER_LEFT = _STAYED.format("o.state IN ('cancelled', 'held', 'expired', 'failed', 'dead')")

# $1 is the notice whose letters are posted next, $2 now, $3 its meeting, $4 the kinds of letters.
# A letter that is being claimed is either taken back here, or leaves and counts as read: the row is
# looked at again once its lock is free. The planner takes all readers for one row: as a value, not
# as a condition, the last line becomes a hashed lookup.
_TAKE_BACK = """
UPDATE outbox o SET state = 'cancelled', reason = 'replaced', finished_at = now()
FROM letter l
WHERE l.id = o.id AND l.subject_id = $3 AND l.created_at < now() AND {waits}
    AND (l.kind = ANY ($4::text[])
        OR l.kind = 'entry_update' AND l.cause ->> 'updates' = ANY ($4::text[]))
    AND (l.recipient_id IN (SELECT e.recipient_id FROM ({expand}) AS e ({columns}))) IS TRUE
"""
_TAKE_BACK_PARTS = """
WITH open AS MATERIALIZED (
    SELECT o.id FROM letter_subject s
    JOIN letter l ON l.id = s.letter_id
    JOIN outbox o ON o.id = s.letter_id
    WHERE s.subject_id = $3 AND s.kind = ANY ($4::text[]) AND s.dropped_because IS NULL
        AND l.created_at < now() AND {waits}
        AND (l.recipient_id IN (SELECT e.recipient_id FROM ({expand}) AS e ({columns}))) IS TRUE
    FOR UPDATE OF o
), dropped AS (
    UPDATE letter_subject s SET dropped_because = 'replaced' FROM open
    WHERE s.letter_id = open.id AND s.subject_id = $3
)
UPDATE outbox o SET state = 'cancelled', reason = 'replaced', finished_at = now()
FROM open WHERE o.id = open.id AND NOT EXISTS (
    SELECT FROM letter_subject other WHERE other.letter_id = open.id
        AND other.subject_id <> $3 AND other.dropped_because IS NULL)
"""
# Older news ($3 their kinds) waits for the end of a countdown ($1, $2 now) that may replace it: it
# would say the newest already, or nothing at all. A minute more, so that it never leaves first.
PUT_OFF = """
UPDATE outbox o SET next_attempt_at = greatest(
    o.next_attempt_at, now() + (n.due_at - $2::timestamptz) + interval '1 minute')
FROM notice n
WHERE n.id = $1 AND n.state = 'pending' AND o.state = 'queued' AND o.id = ANY (ARRAY(
    SELECT l.letter_id FROM letter_about l
    WHERE l.subject_id = n.meeting_id AND l.dropped_because IS NULL
        AND CASE l.kind WHEN 'copy' THEN l.cause ->> 'copies' ELSE l.kind END = ANY ($3::text[])))
"""
# Those who know an older state of things than the notice says, by the notice of the eldest news
# since then that never left; whether they have declined.
STILL_KNOW = f"""
SELECT eldest AS known_id, i.answer IS NOT DISTINCT FROM 'declined' AS has_declined,
    array_agg(news.recipient_id) AS person_ids
FROM (
    SELECT recipient_id, (array_agg(coalesce(cause ->> 'known', cause ->> 'notice')::uuid
        ORDER BY created_at, letter_id)
        FILTER (WHERE has_stayed AND kind <> 'invitation'
            AND (told_at IS NULL OR created_at > told_at)))[1] AS eldest
    FROM (
        SELECT l.letter_id, l.recipient_id, l.kind, l.cause, l.created_at, stayed.has_stayed,
            max(l.created_at) FILTER (WHERE NOT stayed.has_stayed)
                OVER (PARTITION BY l.recipient_id) AS told_at
        FROM letter_about l JOIN outbox o ON o.id = l.letter_id
        CROSS JOIN LATERAL (
            SELECT l.dropped_because IS NOT NULL OR {_NEVER_LEFT} AS has_stayed) AS stayed
        WHERE l.subject_id = $1 AND (l.kind = ANY ($2::text[]) OR l.kind = 'invitation')
            AND l.created_at < now()) AS letters
    GROUP BY recipient_id) AS news
JOIN invitation i ON i.meeting_id = $1 AND i.person_id = news.recipient_id
WHERE eldest IS NOT NULL
GROUP BY 1, 2
"""
# What was told of a meeting ($1) since a notice ($2), or is about to be, the eldest first.
SINCE = """
SELECT n.kind, n.before FROM notice n
WHERE n.meeting_id = $1 AND n.kind = ANY ($3::text[]) AND n.state IN ('sent', 'pending')
    AND n.to_revision >= (SELECT k.to_revision FROM notice k WHERE k.id = $2)
ORDER BY n.to_revision, n.id
"""
KNOWN = "SELECT before, created_at FROM notice WHERE id = $1"
# $3 holds by person the kind of the letter, "" for none, and the notice that says what they know.
# It is looked up, because a join would compare each letter with each person.
_POST = """
SELECT e.dedupe_key, coalesce(k.own ->> 0, e.kind), e.recipient_id, e.subject_id, e.subject_rev,
    e.time_rev, e.ordering_key, e.locale,
    CASE WHEN k.own IS NULL THEN e.cause
        ELSE e.cause || jsonb_build_object('known', k.own -> 1) END,
    e.priority, e.not_before, e.expires_at, e.recipient_domain
FROM ({expand}) AS e ({columns})
CROSS JOIN LATERAL (SELECT $3::jsonb -> e.recipient_id::text AS own OFFSET 0) AS k
WHERE k.own ->> 0 IS DISTINCT FROM ''
"""


def _of_each_kind(statement: str) -> dict[NoticeKind, str]:
    return {
        kind: statement.format(expand=EXPAND[kind], columns=_COLUMNS, waits=_WAITS)
        for kind in map(NoticeKind, CHANGES)
    }


TAKE_BACK = _of_each_kind(_TAKE_BACK)
TAKE_BACK_PARTS = _of_each_kind(_TAKE_BACK_PARTS)
POST = _of_each_kind(_POST)
