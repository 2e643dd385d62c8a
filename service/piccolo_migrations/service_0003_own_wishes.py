from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from notifications import scripts

ID = "2026-11-22T00:03:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Own times of reminders, and how letters look"

# A chosen time is one rule for everybody who chose it, made with the first of them; whose it is
# stands in the preferences alone.
SQL = """
ALTER TABLE preference
    ADD COLUMN has_own_times boolean NOT NULL DEFAULT false,
    ADD COLUMN own_days smallint[] NOT NULL DEFAULT '{}',
    ADD COLUMN own_at time NOT NULL DEFAULT '09:00',
    ADD COLUMN own_minutes smallint[] NOT NULL DEFAULT '{}',
    ADD COLUMN text_only boolean NOT NULL DEFAULT false,
    ADD COLUMN no_calendar boolean NOT NULL DEFAULT false;

ALTER TABLE reminder_rule ADD COLUMN is_choice boolean NOT NULL DEFAULT false,
    ADD CHECK (NOT is_choice OR group_id IS NULL AND meeting_id IS NULL);
CREATE UNIQUE INDEX reminder_rule_choice
    ON reminder_rule (days_before, at_local_time, minutes_before) NULLS NOT DISTINCT
    WHERE is_choice;
"""


async def forwards() -> MigrationManager:
    """Add what people may choose."""
    return scripts.migration(ID, "service", DESCRIPTION, SQL)
