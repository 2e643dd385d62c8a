from piccolo.apps.migrations.auto.migration_manager import MigrationManager

from notifications import scripts

ID = "2026-11-22T00:02:00:000000"
VERSION = "1.38.0"
DESCRIPTION = "Letters with several subjects: what each part is, and the order it keeps"

# A letter about several subjects has none of its own; each part keeps what its single letter would
# have had: kind, order, key and cause. Whoever asks what was written about a subject asks the view.
SQL = """
ALTER TABLE letter_subject
    ADD COLUMN kind text NOT NULL DEFAULT '',
    ADD COLUMN time_rev integer NOT NULL DEFAULT 0,
    ADD COLUMN ordering_key text NOT NULL DEFAULT '',
    ADD COLUMN dedupe_key text UNIQUE,
    ADD COLUMN cause jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN dropped_because text;
CREATE INDEX letter_subject_order ON letter_subject (ordering_key);
CREATE INDEX letter_subject_about ON letter_subject (subject_id, kind);

CREATE VIEW letter_about AS
    SELECT id AS letter_id, subject_id, kind, recipient_id, cause, created_at,
        NULL::text AS dropped_because
    FROM letter WHERE subject_id IS NOT NULL
    UNION ALL
    SELECT l.id, s.subject_id, CASE WHEN l.kind = 'copy' THEN l.kind ELSE s.kind END,
        l.recipient_id, s.cause, l.created_at, s.dropped_because
    FROM letter_subject s JOIN letter l ON l.id = s.letter_id;
"""


async def forwards() -> MigrationManager:
    """Let one letter be about several subjects."""
    return scripts.migration(ID, "notifications", DESCRIPTION, SQL)
