from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from notifications import scripts

ID = "2026-11-23T00:00:11:000000"
VERSION = "1.38.0"
DESCRIPTION = "Let the office get summaries of the answers to a session"

# Rules of an installation that has some get two more; a new one gets all when it starts.
SQL = """
ALTER TABLE reminder_rule DROP CONSTRAINT IF EXISTS reminder_rule_kind_check;
ALTER TABLE reminder_rule ADD CONSTRAINT reminder_rule_kind_check
    CHECK (kind IN ('reminder', 'nudge', 'summary'));
ALTER TABLE reminder_rule DROP CONSTRAINT IF EXISTS reminder_rule_audience_check;
ALTER TABLE reminder_rule ADD CONSTRAINT reminder_rule_audience_check CHECK (
    audience <@ ARRAY['accepted', 'undecided', 'no_answer', 'lead', 'office']
    AND cardinality(audience) > 0
    AND (kind = 'summary') = (audience = ARRAY['office']));
ALTER TABLE account ADD COLUMN IF NOT EXISTS summaries boolean NOT NULL DEFAULT true;
INSERT INTO reminder_rule (kind, audience, anchor, days_before, at_local_time, minutes_before)
SELECT 'summary', ARRAY['office'], new.anchor, new.days_before, new.at_local_time,
    new.minutes_before
FROM (VALUES ('answer_by', NULL::smallint, NULL::time, 0),
        ('start', 1::smallint, time '09:00', NULL))
    AS new (anchor, days_before, at_local_time, minutes_before)
WHERE EXISTS (SELECT FROM reminder_rule
        WHERE group_id IS NULL AND meeting_id IS NULL AND NOT is_choice)
    AND NOT EXISTS (SELECT FROM reminder_rule WHERE kind = 'summary');
"""


async def forwards() -> MigrationManager:
    """Widen the kinds of rules and add those that everybody starts with."""
    return scripts.migration(ID, "service", DESCRIPTION, SQL)
