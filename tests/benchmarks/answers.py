"""Answers by link a second, beside pgbench's simple-update on the same server.

`run()` starts the real command with the web role on a database of its own and posts the form over
16 connections that stay open: find, check, commit with history, audit, receipt and feed, redirect.
Ours and pgbench in turns, the median of five (of three for the figures beside it); each answer is
a first answer, and is counted in the database afterwards. The requests are written before the clock
runs, and one thread that waits for sockets and nothing else sends them: the cores belong to the
server, as they do with pgbench.
"""

import asyncio
import os
import re
import select
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager
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
from tests.benchmarks import answer_rows
from tests.benchmarks.answer_rows import FACTOR, SESSIONS

CONNECTIONS = 16
ROUNDS = 5
ROUNDS_BESIDE = 3
PER_ROUND = 1_000
SECONDS = 2
LEAST = 0.15
MOST_SLOWDOWN = 1.5

_SECRET = "5a" * 32
_KEYS = Keys([Key("b1", bytes.fromhex(_SECRET))])
_READY_SECONDS = 60
_SCALE = 16

_WAITING = """
SELECT i.handle FROM invitation i JOIN meeting m ON m.id = i.meeting_id
WHERE m.title LIKE $1 || '%' AND i.answer IS NULL ORDER BY md5(i.id::text) LIMIT $2
"""


@dataclass(frozen=True, slots=True)
class Place:
    """Where our server listens and where the database is."""

    port: int
    database: Database
    pgbench: Sequence[str | Path]
    superuser_dsn: str


def run() -> Iterator[str]:
    """Yield the figures as lines, each as soon as it is known."""
    folder = Path(tempfile.mkdtemp(prefix="terminbuch-bench-"))
    folder.chmod(0o755)
    try:
        with asyncio.Runner() as runner:
            lines = _measure_all(folder)
            while (line := runner.run(_next(lines))) is not None:
                yield line
    finally:
        embedded.Server.under(folder / "data").stop()
        shutil.rmtree(folder, ignore_errors=True)


async def _next(lines: AsyncIterator[str]) -> str | None:
    return await anext(lines, None)


async def _measure_all(folder: Path) -> AsyncIterator[str]:
    # The server writes as it does in operation: an answer counts when it is on the disk.
    async with embedded.running(folder / "data") as dsn:
        pgbench = await _prepare_pgbench(dsn)
        async with Database(dsn, pool_size=2) as database:
            await database.migrate()
            await answer_rows.fill(database)
            async with _our_server(folder, dsn) as port:
                superuser_dsn = embedded.Server.under(folder / "data").dsn(role="postgres")
                async for line in _measure(Place(port, database, pgbench, superuser_dsn)):
                    yield line


async def _measure(place: Place) -> AsyncIterator[str]:
    spread = await _in_turns(place, "Sitzung ")
    yield _line(f"answers to {SESSIONS} sessions", spread)
    single = await _in_turns(place, "Eine ", rounds=ROUNDS_BESIDE)
    yield _line("all answers to one session", single, least=0.0)
    await answer_rows.add_history(place.superuser_dsn)
    later = await _in_turns(place, "Sitzung ", rounds=ROUNDS_BESIDE)
    yield _line(f"with {FACTOR} times the history", later, least=0.0)
    slowdown = (spread[0] / spread[1]) / (later[0] / later[1])
    verdict = "" if slowdown <= MOST_SLOWDOWN else f"  ABOVE {MOST_SLOWDOWN}"
    yield f"with {FACTOR} times the history: {slowdown:.2f} times as slow{verdict}"


def _line(name: str, found: tuple[float, float], *, least: float = LEAST) -> str:
    ours, reference = found
    ratio = ours / reference
    verdict = "" if ratio >= least else f"  BELOW {least}"
    return (
        f"{name}: {ours:,.0f}/s, pgbench simple-update {reference:,.0f}/s, "
        f"ratio {ratio:.2f}{verdict}"
    )


async def _in_turns(place: Place, title: str, *, rounds: int = ROUNDS) -> tuple[float, float]:
    ours, reference = [], []
    for _ in range(rounds):
        ours.append(await _post_round(place, title))
        reference.append(await asyncio.to_thread(_load_pgbench, place.pgbench))
    return statistics.median(ours), statistics.median(reference)


async def _post_round(place: Place, title: str) -> float:
    """Post first answers of one round and return how many a second were stored."""
    rows = await place.database.fetch(_WAITING, title, PER_ROUND)
    requests = [_request(place.port, row["handle"]) for row in rows]
    before = await place.database.fetchval("SELECT count(*) FROM answer")
    taken = await asyncio.to_thread(_post_all, place.port, requests)
    stored = await place.database.fetchval("SELECT count(*) FROM answer") - before
    if stored != PER_ROUND:
        raise RuntimeError(f"{stored} of {PER_ROUND} answers were stored")
    return PER_ROUND / taken


def _post_all(port: int, requests: Sequence[bytes]) -> float:
    """Send the requests over the open connections and return the seconds until the last answer."""
    with ExitStack() as stack:
        ready = stack.enter_context(select.epoll())
        connections = {}
        for _ in range(CONNECTIONS):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            connections[connection.fileno()] = connection
            ready.register(connection, select.EPOLLIN)
        started = time.perf_counter()
        waiting = list(requests)
        for connection in connections.values():
            connection.sendall(waiting.pop())
        answered = 0
        while answered < len(requests):
            for number, _ in ready.poll():
                _take_answer(connections[number])
                answered += 1
                if waiting:
                    connections[number].sendall(waiting.pop())
        return time.perf_counter() - started


def _take_answer(connection: socket.socket) -> None:
    """Read one redirect, which has no body and comes in one piece; else end the run."""
    answer = connection.recv(65_536)
    if not (answer.startswith(b"HTTP/1.1 303") and answer.endswith(b"\r\n\r\n")):
        raise RuntimeError(answer.decode("latin-1"))


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
