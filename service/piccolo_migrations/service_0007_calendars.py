from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from notifications import scripts

ID = "2026-11-22T00:00:07:000000"
VERSION = "1.38.0"
DESCRIPTION = "The day of rough dates, and which state of a calendar was fetched"

# `rough_on` is the day on which a date known by week or month stands in calendars that ask for
# such; it is kept, because a new table of holidays must not move it. `fetched_state_at` is the
# `changed_at` of the copy that was last fetched, not the time of the fetch.
SQL = """
ALTER TABLE meeting ADD COLUMN rough_on date;
ALTER TABLE feed ADD COLUMN fetched_state_at timestamptz;
"""


async def forwards() -> MigrationManager:
    """Add what calendars with choices need."""
    return scripts.migration(ID, "service", DESCRIPTION, SQL)
