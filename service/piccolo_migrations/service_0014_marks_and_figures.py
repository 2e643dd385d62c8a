from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from notifications import scripts

ID = "2026-11-23T00:00:14:000000"
VERSION = "1.38.0"
DESCRIPTION = "Answers that look like a program's, and the figures that stay of a session"

# `forgotten` counts the steps that were taken; a session that got another end is looked at again.
SQL = """
ALTER TABLE invitation ADD COLUMN looks_automatic boolean NOT NULL DEFAULT false;
ALTER TABLE answer ADD COLUMN looks_automatic boolean NOT NULL DEFAULT false;

ALTER TABLE meeting ADD COLUMN forgotten smallint NOT NULL DEFAULT 0,
    ADD COLUMN forgotten_ends_at timestamptz;
CREATE INDEX meeting_to_forget ON meeting (ends_at)
    WHERE forgotten < 3 OR forgotten_ends_at IS DISTINCT FROM ends_at;

CREATE TABLE kept_count (
    meeting_id uuid NOT NULL REFERENCES meeting (id) ON DELETE CASCADE,
    bucket text NOT NULL,
    persons integer NOT NULL,
    partners integer NOT NULL,
    PRIMARY KEY (meeting_id, bucket)
);

CREATE TABLE kept_partner (
    meeting_id uuid NOT NULL REFERENCES meeting (id) ON DELETE CASCADE,
    organisation_id uuid NOT NULL REFERENCES organisation (id),
    was_represented boolean NOT NULL,
    PRIMARY KEY (meeting_id, organisation_id)
);
"""


async def forwards() -> MigrationManager:
    """Add the marks, and what a session keeps when its answers are forgotten."""
    return scripts.migration(ID, "service", DESCRIPTION, SQL)
