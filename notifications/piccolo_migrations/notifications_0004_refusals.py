from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from notifications import scripts

ID = "2026-11-23T00:00:14:000000"
VERSION = "1.38.0"
DESCRIPTION = "How often a letter could not be written, and which ones were refused"

# Tries of SMTP are counted by themselves. The index is for alarms, like the one of the dead: it
# holds few rows and no column that a delivery changes.
SQL = """
ALTER TABLE outbox ADD COLUMN unwritable_count smallint NOT NULL DEFAULT 0;
CREATE INDEX outbox_failed ON outbox (id) WHERE state = 'failed';
"""


async def forwards() -> MigrationManager:
    """Count what could not be written, and find quickly what was refused."""
    return scripts.migration(ID, "notifications", DESCRIPTION, SQL)
