"""SQL text of reminder rules: everybody's, a group's, a session's."""

HAS_GLOBAL_RULES = (
    "SELECT EXISTS (SELECT FROM reminder_rule WHERE group_id IS NULL AND meeting_id IS NULL)"
)

INSERT = """
INSERT INTO reminder_rule (group_id, meeting_id, kind, audience, anchor, days_before,
    at_local_time, minutes_before, only_online, min_days_invited, is_enabled)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
RETURNING id
"""

UPDATE = """
UPDATE reminder_rule SET kind = $2, audience = $3, anchor = $4, days_before = $5,
    at_local_time = $6, minutes_before = $7, only_online = $8, min_days_invited = $9,
    is_enabled = $10, revision = revision + 1
WHERE id = $1
RETURNING id
"""

# The rules that count in a scope: a session's own of a kind take the place of its group's, a
# group's of everybody's; also those that are switched off, or "none here" could not be said.
# $1 is a session or null, $2 the groups.
IN_FORCE = """
WITH near AS (
    SELECT r.*, CASE WHEN r.meeting_id IS NOT NULL THEN 3 WHEN r.group_id IS NOT NULL THEN 2
        ELSE 1 END AS nearness
    FROM reminder_rule r
    WHERE r.meeting_id = $1 OR r.group_id = ANY($2::uuid[])
        OR (r.meeting_id IS NULL AND r.group_id IS NULL)
)
SELECT * FROM near
WHERE nearness = (SELECT max(other.nearness) FROM near other WHERE other.kind = near.kind)
ORDER BY kind, anchor, days_before DESC NULLS LAST, minutes_before DESC, id
"""

GROUPS_OF_MEETING = """
SELECT ARRAY(SELECT group_id FROM meeting_group WHERE meeting_id = m.id) AS group_ids
FROM meeting m WHERE m.id = $1 FOR UPDATE OF m
"""
GROUP = "SELECT id FROM working_group WHERE id = $1 FOR UPDATE"
LOCK_GLOBAL = """
SELECT id FROM reminder_rule WHERE group_id IS NULL AND meeting_id IS NULL FOR UPDATE
"""

DELETE_OWN = """
DELETE FROM reminder_rule
WHERE (meeting_id = $1 AND $2::uuid IS NULL OR group_id = $2 AND $1::uuid IS NULL)
RETURNING id
"""

MEETINGS = """
SELECT m.id FROM meeting m
WHERE m.state = 'confirmed' AND m.ends_at > $3
    AND ($1::uuid IS NULL OR m.id = $1)
    AND ($2::uuid IS NULL OR EXISTS (
        SELECT FROM meeting_group mg WHERE mg.meeting_id = m.id AND mg.group_id = $2))
ORDER BY m.id FOR SHARE OF m
"""
