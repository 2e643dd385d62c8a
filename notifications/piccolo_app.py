"""The migrations of `notifications`, as Piccolo wants them declared."""

from pathlib import Path

from piccolo.conf.apps import AppConfig

# Table classes are not listed: the schema is SQL in migrations, so nothing is ever compared.
APP_CONFIG = AppConfig(
    app_name="notifications",
    migrations_folder_path=Path(__file__).parent / "piccolo_migrations",
)
