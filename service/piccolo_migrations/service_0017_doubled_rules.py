from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from notifications import scripts

ID = "2026-11-23T00:00:17:000000"
VERSION = "1.38.0"
DESCRIPTION = "Rules that several processes made twice when they started together"

# Of equal rules of one scope that nobody ever changed, the first stays: the pages add no rule that
# is there already, so each other one was made by a start, or copied from such a one. What a double
# planned or sent counts as done by the one that stays, and so do its letters that wait: without
# their rule nobody could tell any more whom they are for.
SQL = """
CREATE TEMPORARY TABLE doubled ON COMMIT DROP AS
SELECT id, kept_id FROM (
    SELECT id, first_value(id) OVER (
        PARTITION BY group_id, meeting_id, kind, audience, anchor, days_before, at_local_time,
            minutes_before, only_online, min_days_invited
        ORDER BY id) AS kept_id
    FROM reminder_rule WHERE NOT is_choice AND is_enabled AND revision = 1) same
WHERE id <> kept_id;

WITH ranked AS (
    SELECT s.id, row_number() OVER (
        PARTITION BY s.meeting_id, s.person_id, s.time_rev, coalesce(d.kept_id, s.rule_id)
        ORDER BY s.state = 'expanded' DESC, s.state <> 'planned' DESC, d.id IS NULL DESC, s.id
        ) AS place
    FROM reminder_slot s LEFT JOIN doubled d ON d.id = s.rule_id
    WHERE d.id IS NOT NULL OR s.rule_id IN (SELECT kept_id FROM doubled))
DELETE FROM reminder_slot s USING ranked WHERE ranked.id = s.id AND ranked.place > 1;
UPDATE reminder_slot s SET rule_id = d.kept_id FROM doubled d WHERE s.rule_id = d.id;

UPDATE letter l SET cause = jsonb_set(l.cause, '{rule}', to_jsonb(d.kept_id::text))
FROM outbox o, doubled d
WHERE o.id = l.id AND o.state IN ('queued', 'sending', 'uncertain', 'held')
    AND l.cause ->> 'rule' = d.id::text;
UPDATE letter_subject s SET cause = jsonb_set(s.cause, '{rule}', to_jsonb(d.kept_id::text))
FROM outbox o, doubled d
WHERE o.id = s.letter_id AND o.state IN ('queued', 'sending', 'uncertain', 'held')
    AND s.cause ->> 'rule' = d.id::text;

-- A scope may have changed its copies of several doubles. Only one of them goes on as the copy of
-- the rule that stays: the slots of two could not both go back to it.
UPDATE reminder_rule c SET copied_from = heir.kept_id
FROM (
    SELECT DISTINCT ON (r.group_id, r.meeting_id, d.kept_id) r.id, d.kept_id
    FROM reminder_rule r JOIN doubled d ON d.id = r.copied_from
    WHERE NOT EXISTS (SELECT FROM doubled gone WHERE gone.id = r.id)
        AND NOT EXISTS (SELECT FROM reminder_rule o
            WHERE o.copied_from = d.kept_id AND o.group_id IS NOT DISTINCT FROM r.group_id
                AND o.meeting_id IS NOT DISTINCT FROM r.meeting_id
                AND NOT EXISTS (SELECT FROM doubled gone WHERE gone.id = o.id))
    ORDER BY r.group_id, r.meeting_id, d.kept_id, r.id) heir
WHERE c.id = heir.id;
DELETE FROM reminder_rule r USING doubled d WHERE r.id = d.id;
DROP TABLE doubled;
"""


async def forwards() -> MigrationManager:
    """Remove the doubles of rules that nobody changed, and keep what they did."""
    return scripts.migration(ID, "service", DESCRIPTION, SQL)
