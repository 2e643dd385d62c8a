from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from notifications import scripts

ID = "2026-11-23T00:00:10:000000"
VERSION = "1.38.0"
DESCRIPTION = "Let a reminder rule be for those who lead a group of the session"

SQL = """
ALTER TABLE reminder_rule DROP CONSTRAINT IF EXISTS reminder_rule_audience_check;
ALTER TABLE reminder_rule ADD CONSTRAINT reminder_rule_audience_check CHECK (
    audience <@ ARRAY['accepted', 'undecided', 'no_answer', 'lead']
    AND cardinality(audience) > 0);
"""


async def forwards() -> MigrationManager:
    """Widen whom a rule may be for."""
    return scripts.migration(ID, "service", DESCRIPTION, SQL)
