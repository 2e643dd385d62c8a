from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from notifications import scripts

ID = "2026-11-22T00:00:08:000000"
VERSION = "1.38.0"
DESCRIPTION = "Lists of days on which nobody meets"

# `covered_until_on` is the last day that a list speaks of, which may lie after its last span:
# beyond it the list does not say that a day is free. `uploaded_by` is a name, as it stood then.
SQL = """
CREATE TABLE day_list (
    id uuid PRIMARY KEY,
    name text NOT NULL CHECK (name <> ''),
    treatment text NOT NULL DEFAULT 'note' CHECK (treatment IN ('move', 'skip', 'note')),
    covered_until_on date NOT NULL,
    file_name text NOT NULL DEFAULT '',
    uploaded_at timestamptz NOT NULL,
    uploaded_by text NOT NULL DEFAULT '',
    revision integer NOT NULL DEFAULT 1
);
CREATE UNIQUE INDEX day_list_name ON day_list (lower(name));
CREATE TABLE day_list_span (
    list_id uuid NOT NULL REFERENCES day_list (id) ON DELETE CASCADE,
    first_on date NOT NULL,
    last_on date NOT NULL CHECK (last_on >= first_on),
    name text NOT NULL DEFAULT '',
    PRIMARY KEY (list_id, first_on, last_on, name)
);
CREATE INDEX day_list_span_days ON day_list_span (last_on, first_on);
"""


async def forwards() -> MigrationManager:
    """Add the lists that the office uploads."""
    return scripts.migration(ID, "service", DESCRIPTION, SQL)
