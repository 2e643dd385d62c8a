from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from notifications import scripts

ID = "2026-11-22T00:04:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Notices that belong together because one press gave rise to them"

SQL = """
ALTER TABLE notice
    ADD COLUMN batch_id uuid,
    ADD COLUMN batch_kind text CHECK (batch_kind IN ('welcome', 'farewell')),
    ADD CHECK ((batch_id IS NULL) = (batch_kind IS NULL));
CREATE INDEX notice_batch ON notice (batch_id) WHERE batch_id IS NOT NULL;
"""


async def forwards() -> MigrationManager:
    """Let notices of one press know of each other."""
    return scripts.migration(ID, "service", DESCRIPTION, SQL)
