"""Answers by link a second, beside pgbench's simple-update on the same server.

`run()` starts the real command with the web role on a database of its own and posts the form over
16 connections that stay open: find, check, commit with history, audit, receipt and feed, redirect.
Ours and pgbench in turns, the median of five; each answer is a first answer, and is counted in the
database afterwards.
"""

import asyncio
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode
from uuid import UUID

import asyncpg

from service import clock, embedded, tokens
from service.database import Database
from service.tokens import Key, Keys, Purpose
from service.web import form_tokens
from service.web.visitors import token_form_secrets

SESSIONS = 200
INVITATIONS = 20_000
CONNECTIONS = 16
ROUNDS = 5
PER_ROUND = 1_000
SECONDS = 4
FACTOR = 100
LEAST = 0.15
MOST_SLOWDOWN = 1.5

_SECRET = "5a" * 32
_KEYS = Keys([Key("b1", bytes.fromhex(_SECRET))])
_READY_SECONDS = 60
_SCALE = 16

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
_PAST = """
WITH old AS (
    UPDATE invitation i SET answer = 'in_person', answer_way = 'link', answered_at = now(),
        answer_rev = 1, has_seat = true
    FROM meeting m WHERE m.id = i.meeting_id AND m.title LIKE $1 || '%'
    RETURNING i.id, i.meeting_id, i.person_id
), said AS (
    INSERT INTO answer (invitation_id, answer_rev, answer, way, answered_at)
    SELECT id, 1, 'in_person', 'link', now() FROM old
), audited AS (
    INSERT INTO audit (actor_kind, actor_id, action, object_kind, object_id)
    SELECT 'person', person_id, 'answered', 'invitation', id FROM old
), written AS (
    INSERT INTO letter (dedupe_key, kind, recipient_id, subject_id, ordering_key, locale)
    SELECT 'rcp:' || id || ':1', 'receipt', person_id, meeting_id,
        person_id || ':' || meeting_id, 'de' FROM old
    RETURNING id, ordering_key
)
INSERT INTO outbox (id, state, ordering_key, expires_at, finished_at)
SELECT id, 'sent', ordering_key, now(), now() FROM written
"""
_WAITING = """
SELECT i.handle FROM invitation i JOIN meeting m ON m.id = i.meeting_id
WHERE m.title LIKE $1 || '%' AND i.answer IS NULL ORDER BY i.handle LIMIT $2
"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where our server listens and where the database is."""

    port: int
    database: Database
    pgbench: Sequence[str | Path]


def run() -> list[str]:
    """Return the figures as lines."""
    folder = Path(tempfile.mkdtemp(prefix="terminbuch-bench-"))
    folder.chmod(0o755)
    try:
        return asyncio.run(_measure_all(folder))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


async def _measure_all(folder: Path) -> list[str]:
    # The server writes as it does in operation: an answer counts when it is on the disk.
    async with embedded.running(folder / "data") as dsn:
        pgbench = await _prepare_pgbench(dsn)
        async with Database(dsn, pool_size=2) as database:
            await database.migrate()
            await _fill(database)
            async with _our_server(folder, dsn) as port:
                return await _measure(Place(port, database, pgbench))


async def _measure(place: Place) -> list[str]:
    spread = await _in_turns(place, "Sitzung ")
    single = await _in_turns(place, "Eine ")
    for _ in range(FACTOR // 10):
        await _fill_past(place.database, SESSIONS * 10)
    later = await _in_turns(place, "Sitzung ")
    slowdown = (spread[0] / spread[1]) / (later[0] / later[1])
    return [
        _line(f"answers to {SESSIONS} sessions", spread),
        _line("all answers to one session", single, least=0.0),
        _line(f"with {FACTOR} times the history", later),
        f"with {FACTOR} times the history: {slowdown:.2f} times as slow"
        + ("" if slowdown <= MOST_SLOWDOWN else f"  ABOVE {MOST_SLOWDOWN}"),
    ]


def _line(name: str, found: tuple[float, float], *, least: float = LEAST) -> str:
    ours, reference = found
    ratio = ours / reference
    verdict = "" if ratio >= least else f"  BELOW {least}"
    return (
        f"{name}: {ours:,.0f}/s, pgbench simple-update {reference:,.0f}/s, "
        f"ratio {ratio:.2f}{verdict}"
    )


async def _in_turns(place: Place, title: str) -> tuple[float, float]:
    ours, reference = [], []
    for _ in range(ROUNDS):
        ours.append(await _post_round(place, title))
        reference.append(await asyncio.to_thread(_load_pgbench, place.pgbench))
    return statistics.median(ours), statistics.median(reference)


async def _post_round(place: Place, title: str) -> float:
    """Post first answers of one round and return how many a second were stored."""
    rows = await place.database.fetch(_WAITING, title, PER_ROUND)
    requests = iter([_request(place.port, row["handle"]) for row in rows])
    before = await place.database.fetchval("SELECT count(*) FROM answer")
    started = time.perf_counter()
    await asyncio.gather(*[_post_each(place.port, requests) for _ in range(CONNECTIONS)])
    taken = time.perf_counter() - started
    stored = await place.database.fetchval("SELECT count(*) FROM answer") - before
    if stored != PER_ROUND:
        raise RuntimeError(f"{stored} of {PER_ROUND} answers were stored")
    return PER_ROUND / taken


async def _post_each(port: int, requests: Iterator[bytes]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for request in requests:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 303"):
            raise RuntimeError(head.decode("latin-1"))
        length = re.search(rb"content-length: (\d+)", head, re.IGNORECASE)
        await reader.readexactly(int(length[1]) if length else 0)
    writer.close()
    await writer.wait_closed()


def _request(port: int, handle: UUID) -> bytes:
    token = tokens.derive(_KEYS, Purpose.ANSWER, handle, 1)
    ft = form_tokens.make(token_form_secrets(_KEYS, token)[0], clock.now())
    form = {"ft": ft, "revision": 1, "answer": "in_person", "note": "Ich komme mit dem Zug."}
    body = urlencode(form).encode()
    head = (
        f"POST /a/{token} HTTP/1.1\r\nHost: localhost:{port}\r\nOrigin: null\r\n"
        "Sec-Fetch-Site: same-origin\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def _prepare_pgbench(dsn: str) -> Sequence[str | Path]:
    connection = await asyncpg.connect(dsn)
    await connection.execute("CREATE DATABASE pgbench")
    await connection.close()
    address = dsn.replace("/terminbuch?", "/pgbench?")
    command = [embedded.tool("pgbench"), "-i", "-q", "-s", str(_SCALE), address]
    await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True)
    load = ("-n", "-b", "simple-update", "-c", str(CONNECTIONS), "-T", str(SECONDS))
    return [embedded.tool("pgbench"), *load, address]


def _load_pgbench(command: Sequence[str | Path]) -> float:
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"tps = ([\d.]+)", printed)
    if found is None:
        raise RuntimeError(printed)
    return float(found[1])


async def _fill(database: Database) -> None:
    async with database.unit_of_work(statement_seconds=600) as unit:
        await unit.connection.execute(_FILL)
        for title, number, share in (("Sitzung ", SESSIONS, SESSIONS), ("Eine ", 1, 1)):
            await unit.connection.execute(_SESSIONS, title, "confirmed", number, 30)
            await unit.connection.execute(_INVITE, title, share)
        await unit.connection.execute(
            "INSERT INTO meeting_seats (meeting_id) SELECT id FROM meeting"
        )
    await _settle(database)


async def _fill_past(database: Database, sessions: int) -> None:
    """Add sessions of the past with a hundred answers each."""
    title = f"Alt {await database.fetchval('SELECT count(*) FROM meeting')}-"
    async with database.unit_of_work(statement_seconds=600) as unit:
        await unit.connection.execute(_SESSIONS, title, "held", sessions, -30)
        await unit.connection.execute(_INVITE, title, SESSIONS)
        await unit.connection.execute(_PAST, title)
    await _settle(database)


async def _settle(database: Database) -> None:
    """Let the server's own housekeeping be done before anything is measured."""
    async with database.reading() as connection:
        await connection.execute("SET statement_timeout = '600s'")
        await connection.execute("VACUUM ANALYZE")


@asynccontextmanager
async def _our_server(folder: Path, dsn: str) -> AsyncIterator[int]:
    """Run the real command with the web role, one process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    environ = {name: value for name, value in os.environ.items() if "TERMINBUCH" not in name}
    environ |= {
        "TERMINBUCH_DATABASE_URL": dsn,
        "TERMINBUCH_DATA_DIR": str(folder / "var"),
        "TERMINBUCH_TOKEN_KEY": f"b1:{_SECRET}",
        "TERMINBUCH_PORT": str(port),
        "TERMINBUCH_PUBLIC_URL": f"http://localhost:{port}",
        "TERMINBUCH_LOG_LEVEL": "warning",
        "TERMINBUCH_POOL_SIZE": str(CONNECTIONS),
    }
    command = [sys.executable, "-m", "service", "serve", "--role", "web"]
    log = folder / "ours.log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command, stdout=output, stderr=output, env=environ
        )
        try:
            await _wait_for(port, log)
            yield port
        finally:
            process.terminate()
            await process.wait()


async def _wait_for(port: int, log: Path) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while True:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError as error:
            if time.monotonic() > deadline:
                told = await asyncio.to_thread(log.read_text, errors="replace")
                raise RuntimeError(told[-2000:]) from error
            await asyncio.sleep(0.1)
        else:
            writer.close()
            return
