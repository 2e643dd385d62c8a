"""Turn a script of SQL into a migration; what a table looks like is said in SQL alone."""

from piccolo.apps.migrations.auto.migration_manager import MigrationManager
from piccolo.engine import engine_finder


def migration(migration_id: str, app_name: str, description: str, sql: str) -> MigrationManager:
    """Return the migration that runs the script in the transaction of all pending ones."""
    manager = MigrationManager(
        migration_id=migration_id, app_name=app_name, description=description
    )

    async def run() -> None:
        # Table.raw reads braces as placeholders, so the script goes to the connection itself.
        await engine_finder().current_transaction.get().connection.execute(sql)  # type: ignore[union-attr]

    manager.add_raw(run)
    return manager
