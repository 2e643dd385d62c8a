from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from notifications import scripts

ID = "2026-11-23T00:00:13:000000"
VERSION = "1.38.0"
DESCRIPTION = "When a backup was restored, and what may have fallen due since it was made"

# A restore makes this table itself, in the transaction that loads the rows of an older release.
SQL = """
CREATE TABLE IF NOT EXISTS restoration (
    restored_at timestamptz PRIMARY KEY,
    notice_ids uuid[] NOT NULL DEFAULT '{}',
    slot_ids uuid[] NOT NULL DEFAULT '{}'
);
"""


async def forwards() -> MigrationManager:
    """Create the table of restores."""
    return scripts.migration(ID, "service", DESCRIPTION, SQL)
