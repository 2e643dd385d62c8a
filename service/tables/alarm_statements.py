"""SQL text behind alarms: what is wrong now, since when, and whether somebody has to be told."""

from service.tables.posting_statements import REFUSED
from service.tables.return_statements import ABOUT

# Of letters that were given up or refused only those count that nobody was told of yet; $1 is the
# time. A trial that was refused stands on the pages with the server's words, where sending rests.
LETTERS = f"""
SELECT a.reason, count(*)::int AS count, min(o.finished_at) AS since
FROM (VALUES ('letters_dead', false), ('letters_unwritable', true)) AS a (reason, is_ours)
LEFT JOIN alarm told ON told.reason = a.reason
JOIN outbox o ON o.state = 'dead'
    AND (o.reason IN ('unwritable', 'bytes_differ')) IS NOT DISTINCT FROM a.is_ours
    AND o.finished_at > greatest(told.told_at, $1::timestamptz - interval '1 day')
JOIN letter l ON l.id = o.id AND l.kind <> 'alarm'
GROUP BY a.reason
UNION ALL
SELECT a.reason, count(*)::int, min(o.finished_at)
FROM (VALUES ('letters_refused')) AS a (reason)
LEFT JOIN alarm told ON told.reason = a.reason
JOIN outbox o ON {REFUSED}
    AND o.finished_at > greatest(told.told_at, $1::timestamptz - interval '1 day')
JOIN letter l ON l.id = o.id AND l.kind NOT IN ('alarm', 'probe')
GROUP BY a.reason
"""
# Longer than the hold: then evidence or the next attempt should have settled it.
UNCERTAIN = """
SELECT count(*)::int AS count, min(data_started_at) AS since FROM outbox
WHERE state = 'uncertain' AND data_started_at < $1::timestamptz - interval '1 hour'
"""
JOBS = "SELECT job, last_start_at, last_ok_at, last_error_at FROM job_health ORDER BY job"

# What was over begins anew; the database may be ahead of whoever looks.
SEE = """
INSERT INTO alarm AS a (reason, began_at, seen_at, letters)
VALUES ($1, least($2::timestamptz, $3), $3, $4)
ON CONFLICT (reason) DO UPDATE SET
    began_at = CASE WHEN a.ended_at IS NULL THEN a.began_at ELSE excluded.began_at END,
    ended_at = NULL, seen_at = excluded.seen_at, letters = excluded.letters
"""
END = """
UPDATE alarm SET ended_at = $2 WHERE ended_at IS NULL AND NOT reason = ANY ($1::text[])
"""
# Told once when it begins, once a day while it lasts where $4 is true, never twice within an hour,
# and not while the last letter about it still waits. Whoever changes the row tells.
TELL = """
UPDATE alarm SET told_at = $2
WHERE reason = $1 AND ended_at IS NULL AND began_at <= $2::timestamptz - $3::interval
    AND (told_at IS NULL OR told_at <= $2::timestamptz - interval '1 hour'
        AND (told_at < began_at OR $4 AND told_at <= $2::timestamptz - interval '1 day'))
    AND NOT EXISTS (SELECT FROM letter l JOIN outbox o USING (id)
        WHERE l.subject_id IS NULL AND l.kind = 'alarm' AND l.cause ->> 'reason' = $1
            AND o.state IN ('queued', 'sending', 'uncertain'))
RETURNING reason
"""
OPEN = """
SELECT reason, began_at, ended_at, told_at, letters FROM alarm WHERE ended_at IS NULL
ORDER BY began_at, reason
"""
ONE = "SELECT reason, began_at, ended_at, told_at, letters FROM alarm WHERE reason = $1"
ADDRESS_STATE = "SELECT state FROM address_state WHERE address_normal = lower($1)"

# How many mails went on to the office within the last hour.
FORWARDED = """
SELECT count(*) FROM letter
WHERE subject_id IS NULL AND kind = $1 AND created_at > $2::timestamptz - interval '1 hour'
"""
OFFICE_ADDRESS = "SELECT email FROM instance"
IS_TO_THE_OFFICE = "SELECT recipient_id IS NULL FROM letter WHERE id = $1"
WRITTEN = f"""
SELECT coalesce(e.details ->> 'sender', '') AS sender,
    coalesce(e.details ->> 'subject', '') AS subject, coalesce(e.details ->> 'words', '') AS words,
    e.received_at, coalesce(p.full_name, '') AS person, coalesce(o.name, '') AS partner,
    m.id AS meeting_id, coalesce(m.title, '') AS meeting_title, m.starts_local
FROM mail_event e
{ABOUT}
LEFT JOIN organisation o ON o.id = i.organisation_id
WHERE e.id = $1
"""
