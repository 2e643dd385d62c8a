"""Rows for the benchmark of answers: invitations that wait, and what a hundred times as many leave.

Two million answers with their audits, letters and indexes would take a quarter of an hour row by
row. The history is therefore loaded without indexes, triggers and flushes, like a dump, and the
indexes are built afterwards. Its ids are random like those of every day.
"""

import asyncio
from collections.abc import Sequence

import asyncpg

from service.database import Database

SESSIONS = 200
INVITATIONS = 20_000
FACTOR = 100

_FILL = """
INSERT INTO instance (id, name, short_name, email) VALUES (1, 'Bench', 'B', 'b@example.org');
INSERT INTO legal_text (kind, locale, body)
SELECT kind, 'de', 'Text' FROM unnest(ARRAY['imprint', 'privacy', 'accessibility']) kind;
INSERT INTO organisation (name, sort_key) SELECT 'Partner ' || n, 'partner ' || n
FROM generate_series(1, 60) n;
INSERT INTO person (full_name, sort_key, email, email_normal)
SELECT 'Person ' || n, 'person ' || n, address, address
FROM generate_series(1, 20000) n, LATERAL (SELECT 'person' || n || '@example.org') a (address);
INSERT INTO feed (kind, person_id) SELECT 'personal', id FROM person;
"""
_SESSIONS = """
INSERT INTO meeting (id, slug, state, title, starts_local, ends_local, starts_at, ends_at, mode,
    place_name, town, online_url, capacity)
SELECT gen_random_uuid(), $1 || n, $2, $1 || n, at, at + interval '2 hours',
    at AT TIME ZONE 'Europe/Berlin', at AT TIME ZONE 'Europe/Berlin' + interval '2 hours',
    'hybrid', 'Rathaus', 'Erfurt', 'https://video.example.org/', 100000
FROM generate_series(1, $3::int) n, LATERAL (SELECT date_trunc('hour', now()::timestamp)
    + $4::int * interval '1 day') d (at)
"""
_INVITE = """
INSERT INTO invitation (meeting_id, person_id, organisation_id, state, invited_at)
SELECT m.id, p.id, o.id, 'invited', now()
FROM (SELECT id, row_number() OVER () - 1 AS n FROM meeting WHERE title LIKE $1 || '%') m
JOIN (SELECT id, row_number() OVER () - 1 AS n FROM person) p
    ON p.n % $2::int = m.n % $2
CROSS JOIN (SELECT id FROM organisation LIMIT 1) o
"""
# Each session of the past has a hundred answers, as each of those to come has.
_HELD = """
INSERT INTO meeting (id, slug, state, title, starts_local, ends_local, starts_at, ends_at, mode,
    place_name, town, capacity)
SELECT gen_random_uuid(), 'alt-' || n, 'held', 'Alt ' || n, at, at + interval '2 hours',
    at AT TIME ZONE 'Europe/Berlin', at AT TIME ZONE 'Europe/Berlin' + interval '2 hours',
    'hybrid', 'Rathaus', 'Erfurt', 100000
FROM generate_series(1, $1::int) n, LATERAL (SELECT date_trunc('hour', now()::timestamp)
    - n * interval '1 hour' - interval '2 days') d (at)
"""
_HELD_SEATS = """
INSERT INTO meeting_seats (meeting_id, taken) SELECT id, $1 FROM meeting WHERE state = 'held'
"""
_OLD_INVITATIONS = """
INSERT INTO invitation (meeting_id, person_id, organisation_id, state, invited_at, answer,
    answer_way, answered_at, answer_rev, has_seat, given_starts_local, given_mode, given_town, note)
SELECT m.id, p.id, o.id, 'invited', m.starts_at - interval '40 days', 'in_person', 'link',
    m.starts_at - interval '20 days', 1, true, m.starts_local, m.mode, m.town, 'Ich komme.'
FROM (SELECT *, row_number() OVER () - 1 AS n FROM meeting WHERE state = 'held') m
JOIN (SELECT id, row_number() OVER () - 1 AS n FROM person) p ON p.n % $1::int = m.n % $1
CROSS JOIN (SELECT id FROM organisation LIMIT 1) o
"""
_OLD = "FROM invitation i JOIN meeting m ON m.id = i.meeting_id AND m.state = 'held'"
_OLD_ANSWERS = f"""
INSERT INTO answer (invitation_id, answer_rev, answer, way, note, given_starts_local, given_mode,
    given_town, answered_at)
SELECT i.id, 1, i.answer, i.answer_way, i.note, i.given_starts_local, i.given_mode, i.given_town,
    i.answered_at {_OLD}
"""
_OLD_AUDITS = f"""
INSERT INTO audit (happened_at, actor_kind, actor_id, action, object_kind, object_id, details)
SELECT i.answered_at, 'person', i.person_id, 'answered', 'invitation', i.id, jsonb_build_object(
    'answer', i.answer, 'way', 'link', 'late', false, 'meeting', i.meeting_id) {_OLD}
"""
_OLD_LETTERS = f"""
INSERT INTO letter (dedupe_key, kind, recipient_id, subject_id, subject_rev, ordering_key, locale,
    cause, created_at)
SELECT 'rcp:' || i.id || ':1', 'receipt', i.person_id, i.meeting_id, 1,
    i.person_id || ':' || i.meeting_id, 'de',
    jsonb_build_object('invitation', i.id, 'answer_rev', 1), i.answered_at {_OLD}
"""
_OLD_OUTBOX = """
INSERT INTO outbox (id, state, priority, ordering_key, recipient_domain, created_at,
    next_attempt_at, expires_at, attempts, accepted_at, finished_at)
SELECT id, 'sent', 3, ordering_key, 'example.org', created_at, created_at, created_at, 1,
    created_at, created_at
FROM letter WHERE dedupe_key LIKE 'rcp:%' AND created_at < now() - interval '1 day'
"""
_LOADED = ("invitation", "answer", "audit", "letter", "outbox")
_LEAVE_INDEXES = """
UPDATE pg_index SET indisready = false, indisvalid = false
WHERE indrelid = ANY($1::text[]::regclass[])
"""
_UNSAFE = ("fsync = off", "max_wal_size = '16GB'", "autovacuum = off")


async def fill(database: Database) -> None:
    """Add 20,000 invitations to 200 sessions, and as many to one."""
    async with database.unit_of_work(statement_seconds=600) as unit:
        await unit.connection.execute(_FILL)
        for title, number, share in (("Sitzung ", SESSIONS, SESSIONS), ("Eine ", 1, 1)):
            await unit.connection.execute(_SESSIONS, title, "confirmed", number, 30)
            await unit.connection.execute(_INVITE, title, share)
        await unit.connection.execute(
            "INSERT INTO meeting_seats (meeting_id) SELECT id FROM meeting"
        )
    async with database.reading() as connection:
        await connection.execute("SET statement_timeout = '600s'")
        await connection.execute("VACUUM ANALYZE")


async def add_history(superuser_dsn: str) -> None:
    """Add a hundred times the sessions and answers, with all their rows, by a superuser."""
    connections = [await asyncpg.connect(superuser_dsn) for _ in range(2)]
    try:
        await _load(connections)
    finally:
        for connection in connections:
            await connection.close()


async def _load(connections: Sequence[asyncpg.Connection]) -> None:
    first, second = connections
    for each in connections:
        await each.execute("SET session_replication_role = replica")
        await each.execute("SET maintenance_work_mem = '1GB'; SET work_mem = '256MB'")
    for setting in _UNSAFE:
        await first.execute(f"ALTER SYSTEM SET {setting}")
    await first.execute("SELECT pg_reload_conf()")
    await first.execute(_HELD, SESSIONS * FACTOR)
    await first.execute(_HELD_SEATS, INVITATIONS // SESSIONS)
    await first.execute("ANALYZE meeting")
    await first.execute(_LEAVE_INDEXES, _LOADED)
    await first.execute(_OLD_INVITATIONS, SESSIONS)
    await asyncio.gather(
        _run(first, _OLD_ANSWERS, _OLD_AUDITS, *_finishing("invitation", "answer", "audit")),
        _run(second, _OLD_LETTERS, _OLD_OUTBOX, *_finishing("letter", "outbox")),
    )
    await first.execute("VACUUM ANALYZE meeting, meeting_seats")
    await first.execute("ALTER SYSTEM RESET ALL")
    await first.execute("SELECT pg_reload_conf()")
    # What was written without flushes reaches the disk here, before anything is measured.
    await first.execute("CHECKPOINT")


def _finishing(*tables: str) -> Sequence[str]:
    """Name the statements that end a load; a REINDEX also makes the indexes valid again."""
    return [
        *(f"REINDEX TABLE {table}" for table in tables),
        *(f"VACUUM ANALYZE {table}" for table in tables),
    ]


async def _run(connection: asyncpg.Connection, *statements: str) -> None:
    for statement in statements:
        await connection.execute(statement)
