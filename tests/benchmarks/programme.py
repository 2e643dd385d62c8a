"""A programme of sessions to measure with: one group at a time, texts as long as real ones."""

import tempfile
from pathlib import Path

from service.database import Database
from tests import shown

# As long as descriptions are in the alliance's own programme.
_TEXT = (
    "Austausch zu Pilotprojekten, Klimaanpassung und Aufenthaltsqualität in den Innenstädten. "
    "Die Leitung stellt den Stand vor; danach ist Zeit für Fragen aus den Städten."
)


def folder() -> Path:
    """Make a folder that the database's own system user reaches too."""
    made = Path(tempfile.mkdtemp(prefix="terminbuch-bench-"))
    made.chmod(0o755)
    return made


async def fill(dsn: str, sessions: int, *, title: str, slug: str, every: str = "7 days") -> None:
    """Add one group with its sessions, one a week from now on or as often as said."""
    async with Database(dsn, pool_size=2) as database:
        await database.migrate()
        await database.fetch(
            "INSERT INTO instance (id, name, short_name, is_demo) VALUES (1, 'Messung', 'M', true)"
            " ON CONFLICT DO NOTHING"
        )
        group_id = await shown.a_group(database, slug, name=title)
        async with database.unit_of_work() as unit:
            await unit.connection.execute(_SESSIONS, group_id, sessions, title, _TEXT, every)
        await shown.make_feeds(database)


_SESSIONS = """
WITH made AS (
    INSERT INTO meeting (id, slug, state, title, starts_local, ends_local, starts_at, ends_at,
        place_name, street, town, description, published_at)
    SELECT gen_random_uuid(), gen_random_uuid()::text, 'confirmed',
        n || '. Arbeitsgruppensitzung ' || $3, starts, starts + interval '2 hours',
        starts AT TIME ZONE 'Europe/Berlin',
        (starts + interval '2 hours') AT TIME ZONE 'Europe/Berlin',
        'Verband der Wohnungswirtschaft', 'Regierungsstraße 58', 'Erfurt', $4, now()
    FROM generate_series(1, $2) AS n,
        LATERAL (SELECT date_trunc('day', now()::timestamp) + n * $5::text::interval
            + interval '10 hours' AS starts) AS planned
    RETURNING id)
INSERT INTO meeting_group (meeting_id, group_id, number)
SELECT id, $1, row_number() OVER () FROM made
"""
