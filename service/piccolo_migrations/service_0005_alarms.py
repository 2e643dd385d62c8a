from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from notifications import scripts

ID = "2026-11-22T00:00:05:000000"
VERSION = "1.38.0"
DESCRIPTION = "What went wrong, since when, and when somebody was told"

# One row a reason for ever, so that two workers that notice the same thing tell it once.
SQL = """
CREATE TABLE alarm (
    reason text PRIMARY KEY,
    began_at timestamptz NOT NULL,
    seen_at timestamptz NOT NULL,
    ended_at timestamptz,
    told_at timestamptz,
    letters integer NOT NULL DEFAULT 0
);
"""


async def forwards() -> MigrationManager:
    """Create the table of alarms."""
    return scripts.migration(ID, "service", DESCRIPTION, SQL)
