"""SQL text of reminder rules: everybody's, a group's, a session's."""

from service.tables import wishes

# Rules that count for everybody; what single people choose for themselves is none of them.
_GLOBAL = "{0}group_id IS NULL AND {0}meeting_id IS NULL AND NOT {0}is_choice"

HAS_GLOBAL_RULES = f"SELECT EXISTS (SELECT FROM reminder_rule WHERE {_GLOBAL.format('')})"

INSERT = """
INSERT INTO reminder_rule (group_id, meeting_id, kind, audience, anchor, days_before,
    at_local_time, minutes_before, only_online, min_days_invited, is_enabled, copied_from, revision)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
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
IN_FORCE = f"""
WITH near AS (
    SELECT r.*, CASE WHEN r.meeting_id IS NOT NULL THEN 3 WHEN r.group_id IS NOT NULL THEN 2
        ELSE 1 END AS nearness
    FROM reminder_rule r
    WHERE r.meeting_id = $1 OR r.group_id = ANY($2::uuid[])
        OR ({_GLOBAL.format("r.")})
)
SELECT * FROM near
WHERE nearness = (SELECT max(other.nearness) FROM near other WHERE other.kind = near.kind)
ORDER BY kind, anchor, days_before DESC NULLS LAST, minutes_before DESC, id
"""

GROUPS_OF_MEETING = """
SELECT m.title AS name, ARRAY(
    SELECT group_id FROM meeting_group WHERE meeting_id = m.id) AS group_ids
FROM meeting m WHERE m.id = $1
"""
GROUPS = """
SELECT g.id, g.name FROM meeting_group mg JOIN working_group g ON g.id = mg.group_id
WHERE mg.meeting_id = $1 ORDER BY mg.position
"""
# Who has own rules in a nearer scope, where a change of these does not count: $1 is the group, null
# for everybody; sessions that are over are past changing.
NEARER = """
SELECT r.group_id, r.meeting_id, coalesce(g.name, m.title) AS name,
    array_agg(DISTINCT r.kind ORDER BY r.kind) AS kinds
FROM reminder_rule r
LEFT JOIN working_group g ON g.id = r.group_id
LEFT JOIN meeting m ON m.id = r.meeting_id
WHERE NOT r.is_choice
    AND (r.group_id IS NOT NULL AND $1::uuid IS NULL AND g.ended_on IS NULL
        OR m.state IN ('draft', 'tentative', 'confirmed', 'postponed')
            AND ($1 IS NULL OR EXISTS (
                SELECT FROM meeting_group mg WHERE mg.meeting_id = m.id AND mg.group_id = $1)))
GROUP BY r.group_id, r.meeting_id, g.name, g.position, m.title, m.starts_at
ORDER BY r.meeting_id IS NOT NULL, g.position, m.starts_at NULLS LAST, 3
"""
GROUP = "SELECT name FROM working_group WHERE id = $1"
LOCK_MEETING = "SELECT FROM meeting WHERE id = $1 FOR UPDATE"
# Weaker than FOR UPDATE: whoever saves a session of the group need not wait for its rules.
LOCK_GROUP = "SELECT FROM working_group WHERE id = $1 FOR NO KEY UPDATE"
LOCK_GLOBAL = f"SELECT id FROM reminder_rule WHERE {_GLOBAL.format('')} FOR UPDATE"

DELETE_OWN = """
DELETE FROM reminder_rule
WHERE (meeting_id = $1 AND $2::uuid IS NULL OR group_id = $2 AND $1::uuid IS NULL)
RETURNING id
"""

# A copy goes on where its rule stood: what was sent by the one is not sent again by the other.
# $1 is the rule, $2 its copy, $3 the session, $4 the group.
MOVE_SLOTS = """
UPDATE reminder_slot s SET rule_id = $2
WHERE s.rule_id = $1 AND (s.meeting_id = $3 OR EXISTS (
    SELECT FROM meeting_group mg WHERE mg.meeting_id = s.meeting_id AND mg.group_id = $4))
"""

# The way back, before own rules are dropped. $1 is the session, $2 the group.
GIVE_SLOTS_BACK = """
UPDATE reminder_slot s SET rule_id = r.copied_from
FROM reminder_rule r
WHERE s.rule_id = r.id AND r.copied_from IS NOT NULL AND (r.meeting_id = $1 OR r.group_id = $2)
    AND NOT EXISTS (
        SELECT FROM reminder_slot o WHERE o.rule_id = r.copied_from AND o.time_rev = s.time_rev
            AND o.meeting_id = s.meeting_id AND o.person_id IS NOT DISTINCT FROM s.person_id)
"""
# Copies of copies become copies of what lies farther out.
KEEP_LINEAGE = """
UPDATE reminder_rule c SET copied_from = r.copied_from
FROM reminder_rule r
WHERE c.copied_from = r.id AND (r.meeting_id = $1 OR r.group_id = $2)
"""

LAST_SAVED = """
SELECT a.happened_at AS at, coalesce(c.full_name, '') AS by
FROM audit a LEFT JOIN account c ON c.id = a.actor_id
WHERE a.action IN ('saved_rule', 'dropped_rules')
    AND (a.object_kind = 'instance' OR a.object_id = $1 OR a.object_id = ANY ($2::uuid[]))
ORDER BY a.id DESC LIMIT 1
"""

MEETINGS = """
SELECT m.id FROM meeting m
WHERE m.state = 'confirmed' AND m.ends_at > $3
    AND ($1::uuid IS NULL OR m.id = $1)
    AND ($2::uuid IS NULL OR EXISTS (
        SELECT FROM meeting_group mg WHERE mg.meeting_id = m.id AND mg.group_id = $2))
ORDER BY m.id FOR SHARE OF m
"""

# A time that somebody chose; whoever chooses it next finds it there.
KEEP_CHOICE = """
INSERT INTO reminder_rule (kind, audience, anchor, days_before, at_local_time, minutes_before,
    is_choice)
VALUES ($1, $2, $3, $4, $5, $6, true)
ON CONFLICT (days_before, at_local_time, minutes_before) WHERE is_choice DO NOTHING
"""

# $1 is the session: the times that people who are asked to it chose for themselves.
CHOICES = f"""
SELECT r.* FROM reminder_rule r
WHERE r.is_choice AND EXISTS (
    SELECT FROM invitation i JOIN preference w ON w.person_id = i.person_id
    WHERE i.meeting_id = $1 AND i.state IN ('planned', 'invited') AND {wishes.CHOSE.format("r")})
ORDER BY r.days_before DESC NULLS LAST, r.minutes_before DESC, r.id
"""

# The coming sessions of one person, in the order in which everybody locks them.
MEETINGS_OF_PERSON = """
SELECT m.id FROM meeting m
WHERE m.state = 'confirmed' AND m.ends_at > $2 AND EXISTS (
    SELECT FROM invitation i WHERE i.meeting_id = m.id AND i.person_id = $1
        AND i.state IN ('planned', 'invited'))
ORDER BY m.id FOR SHARE OF m
"""

# What is planned for the coming sessions of a group ($1) at $2, in order of time.
COMING_OF_GROUP = """
SELECT m.id, m.title FROM meeting m
WHERE m.state = 'confirmed' AND m.ends_at > $2 AND EXISTS (
    SELECT FROM meeting_group mg WHERE mg.meeting_id = m.id AND mg.group_id = $1)
ORDER BY m.starts_at, m.id
"""
# Which rules the last press switched off that ended a group's reminders.
LAST_SILENCED = """
SELECT details -> 'rules' FROM audit
WHERE action = 'silenced_rules' AND object_kind = 'group' AND object_id = $1
ORDER BY id DESC LIMIT 1
"""
