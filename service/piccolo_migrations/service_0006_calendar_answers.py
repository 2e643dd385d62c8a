from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from notifications import scripts

ID = "2026-11-22T00:06:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Answers of calendar programs, and whether we hear them"

# One row an answer, whatever became of it; the office settles those that wait. `ear` is the last
# letter to ourselves, and when it came back.
SQL = """
CREATE TABLE ear (
    id smallint PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    way text NOT NULL,
    letter_id uuid,
    posted_at timestamptz,
    heard_at timestamptz
);

CREATE TABLE calendar_answer (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    message_sha256 bytea NOT NULL,
    part_sha256 bytea NOT NULL,
    event_id bigint,
    received_at timestamptz NOT NULL,
    outcome text NOT NULL,
    needs_look boolean NOT NULL DEFAULT false,
    trust smallint NOT NULL CHECK (trust BETWEEN 1 AND 4),
    method text NOT NULL DEFAULT '',
    meeting_id uuid REFERENCES meeting (id) ON DELETE CASCADE,
    invitation_id uuid REFERENCES invitation (id) ON DELETE CASCADE,
    attendee text NOT NULL DEFAULT '',
    attendee_name text NOT NULL DEFAULT '',
    sender text NOT NULL DEFAULT '',
    sent_by text NOT NULL DEFAULT '',
    partstat text NOT NULL DEFAULT '',
    sequence integer NOT NULL DEFAULT 0,
    stamped_at timestamptz,
    comment text NOT NULL DEFAULT '',
    details jsonb NOT NULL DEFAULT '{}',
    settled_at timestamptz,
    settled_by uuid,
    settled_as text CHECK (settled_as IN ('applied', 'dismissed')),
    UNIQUE (message_sha256, part_sha256)
);
CREATE INDEX calendar_answer_open ON calendar_answer (received_at DESC)
    WHERE needs_look AND settled_at IS NULL;
CREATE INDEX calendar_answer_invitation ON calendar_answer (invitation_id);
CREATE INDEX calendar_answer_received ON calendar_answer (received_at);
"""


async def forwards() -> MigrationManager:
    """Create the tables of what calendar programs answer."""
    return scripts.migration(ID, "service", DESCRIPTION, SQL)
