"""SQL text of what becomes of letters, notices and reminders after a restore."""

# What this transaction has posted.
HOLD = """
UPDATE outbox SET state = 'held', reason = 'restored'
WHERE state = 'queued' AND created_at = now()
"""

_LAST = "(SELECT max(restored_at) FROM restoration)"
_PUT_ASIDE = f"""id IN (
    SELECT unnest({{}}) FROM restoration WHERE restored_at = {_LAST})"""
REVIVE_NOTICES = f"""
UPDATE notice SET state = 'pending', finished_at = NULL, due_at = least(due_at, $1::timestamptz)
WHERE state = 'withdrawn' AND {_PUT_ASIDE.format("notice_ids")}
"""
REVIVE_SLOTS = f"""
UPDATE reminder_slot SET state = 'planned', reason = NULL
WHERE state = 'missed' AND reason = 'restored' AND {_PUT_ASIDE.format("slot_ids")}
"""
# What could not be written stays in the row of the restore, which names it for the office.
PUT_NOTICES_ASIDE = f"""
WITH failed AS (
    UPDATE notice SET state = 'withdrawn', finished_at = $1
    WHERE state = 'pending' AND {_PUT_ASIDE.format("notice_ids")} RETURNING id)
UPDATE restoration SET notice_ids = ARRAY(SELECT id FROM failed) WHERE restored_at = {_LAST}
"""
PUT_SLOTS_ASIDE = f"""
WITH failed AS (
    UPDATE reminder_slot SET state = 'missed', reason = 'restored'
    WHERE state = 'planned' AND {_PUT_ASIDE.format("slot_ids")} RETURNING id)
UPDATE restoration SET slot_ids = ARRAY(SELECT id FROM failed) WHERE restored_at = {_LAST}
"""

HELD = """
SELECT kind, title, count(*)::int AS letters
FROM (
    SELECT l.kind, coalesce(m.title, (
        SELECT string_agg(t.title, ', ' ORDER BY s.position)
        FROM letter_subject s JOIN meeting t ON t.id = s.subject_id
        WHERE s.letter_id = l.id AND s.dropped_because IS NULL), '') AS title
    FROM outbox o JOIN letter l USING (id) LEFT JOIN meeting m ON m.id = l.subject_id
    WHERE o.state = 'held' AND o.reason = 'restored') found
GROUP BY kind, title ORDER BY title, kind
"""
# What the letters of a notice are called.
_LETTER = "CASE n.kind WHEN 'confirmed' THEN 'date_confirmed' ELSE n.kind END"
UNWRITTEN = f"""
SELECT found.kind, m.title, found.due_at
FROM (
    SELECT n.id, {_LETTER} AS kind, n.meeting_id, n.due_at
    FROM restoration r JOIN notice n ON n.id = ANY (r.notice_ids) WHERE n.state = 'withdrawn'
    UNION ALL
    SELECT s.id, u.kind, s.meeting_id, s.due_at
    FROM restoration r JOIN reminder_slot s ON s.id = ANY (r.slot_ids)
    JOIN reminder_rule u ON u.id = s.rule_id WHERE s.state = 'missed') found
JOIN meeting m ON m.id = found.meeting_id
ORDER BY found.due_at, m.title, found.id
"""
WAITING = f"""
SELECT {_LETTER} AS kind, m.title, n.due_at
FROM notice n JOIN meeting m ON m.id = n.meeting_id
WHERE n.state = 'pending' ORDER BY n.due_at, m.title, n.id
"""
