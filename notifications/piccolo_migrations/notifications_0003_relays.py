from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from notifications import scripts

ID = "2026-11-22T00:00:13:000000"
VERSION = "1.38.0"
DESCRIPTION = "Which worker hands letters to which relay; what waits for a person"

# An attempt names its worker, and a worker has one relay for life: so the hot path writes nothing
# more, and each relay is judged by its own letters. Both indexes hold few rows and no column that
# a delivery changes.
SQL = """
CREATE TABLE relay_worker (
    worker text PRIMARY KEY,
    relay text NOT NULL,
    began_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX mail_event_words ON mail_event (received_at)
    WHERE kind = 'words' AND settled_at IS NULL;
CREATE INDEX outbox_dead ON outbox (id) WHERE state = 'dead';
"""


async def forwards() -> MigrationManager:
    """Create what tells relays apart."""
    return scripts.migration(ID, "notifications", DESCRIPTION, SQL)
