from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from notifications import scripts

ID = "2026-11-23T00:00:09:000000"
VERSION = "1.38.0"
DESCRIPTION = "Find the invitation of a person to a session without reading those to all others"

# By the person alone it was chosen also where the session is known, and then its cost grew with the
# sessions that the person was ever invited to.
SQL = """
DROP INDEX invitation_person;
CREATE INDEX invitation_person ON invitation (person_id, meeting_id);
"""


async def forwards() -> MigrationManager:
    """Replace the index."""
    return scripts.migration(ID, "service", DESCRIPTION, SQL)
