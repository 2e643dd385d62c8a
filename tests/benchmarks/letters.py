"""Invitation letters a second, beside two other ways to the same SMTP sink.

Ours is the whole way with every guarantee: a due notice is expanded, the letters are claimed,
judged, rendered, marked, sent over eight connections and finished, each commit on disk. The naive
way writes each letter on its own with EmailMessage and sends it over one connection, and remembers
nothing. smtp-source, a program in C, writes nothing at all: it sends one filler of the median size
of our letters over as many connections. They take turns; medians of five are compared.

Ours runs on the event loop of `terminbuch serve`. The dwell time of a letter is what passes from
the moment it is due to the server's acceptance: at most a poll and its share of the queue.
"""

import asyncio
import os
import re
import shutil
import smtplib
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from html import escape
from pathlib import Path
from typing import Any
from uuid import UUID

import asyncpg
import uvloop

from notifications import letters
from notifications.clerk import Go
from notifications.letters import Draft, Envelope
from notifications.postman import POLL_SECONDS, Options, Postman
from notifications.relay import RelaySettings
from service import embedded, furnishing, noticing, relaying
from service.auditing import COMMAND
from service.composing import Clerk
from service.database import Database
from service.pages.assets import static_urls
from service.pages.rendering import Instance, Pages
from service.services import Services
from service.settings import Settings
from tests import builders

LETTERS = 5000
NAIVE_LETTERS = 500
HISTORY = 100
CONNECTIONS = 8
ROUNDS = 5
HISTORY_ROUNDS = 2
LEAST_OF_NAIVE = 8.0
LEAST_OF_SOURCE = 0.10
SAMPLES = 200

PEOPLE = """
INSERT INTO person (full_name, sort_key, email, email_normal, first_letter_on)
SELECT 'Mira Muster ' || n, 'muster ' || n, 'm' || n || '@example.org', 'm' || n || '@example.org',
    current_date
FROM generate_series((SELECT count(*) FROM person) + 1, $1::int) n
"""
_INVITE = """
INSERT INTO invitation (meeting_id, person_id, organisation_id, state)
SELECT $1, id, $2, 'planned' FROM person
"""
_DWELLING = """
SELECT percentile_cont(0.99) WITHIN GROUP (
    ORDER BY extract(epoch FROM accepted_at - greatest(next_attempt_at, outbox.created_at)))
FROM outbox JOIN letter USING (id) WHERE letter.subject_id = $1 AND accepted_at IS NOT NULL
"""
# What a hundred such meetings leave behind: answers, letters, attempts.
_HISTORY = (
    """
    INSERT INTO meeting (id, title, slug, state, starts_local, ends_local, starts_at, ends_at)
    SELECT gen_random_uuid(), 'Alte Sitzung ' || n, 'alt-' || n, 'held', at, at + '2 hours', at,
        at + interval '2 hours'
    FROM generate_series(1, $1::int) n,
        LATERAL (SELECT date_trunc('hour', now() - n * interval '7 days')::timestamp AS at) t
    """,
    """
    INSERT INTO invitation (meeting_id, person_id, state, invited_at, answer, answer_rev)
    SELECT m.id, p.id, 'invited', m.starts_at - interval '30 days', 'in_person', 1
    FROM meeting m CROSS JOIN person p WHERE m.state = 'held'
    """,
    """
    INSERT INTO letter (dedupe_key, kind, recipient_id, subject_id, ordering_key, locale,
        created_at)
    SELECT 'inv:' || meeting_id || ':' || person_id || ':1', 'invitation', person_id, meeting_id,
        person_id || ':' || meeting_id, 'de', invited_at
    FROM invitation
    """,
    """
    INSERT INTO outbox (id, state, ordering_key, recipient_domain, created_at, expires_at, attempts,
        accepted_at, finished_at)
    SELECT id, 'sent', ordering_key, 'example.org', created_at, created_at, 1, created_at,
        created_at
    FROM letter
    """,
    "ANALYZE",
)
_SINK = """
import asyncio, sys
async def serve(reader, writer):
    writer.write(b"220 sink\\r\\n")
    async for line in reader:
        verb = line[:4].upper()
        if verb == b"DATA":
            writer.write(b"354 go on\\r\\n")
            while await reader.readline() not in (b".\\r\\n", b""):
                pass
        writer.write(b"221 bye\\r\\n" if verb == b"QUIT" else b"250 ok\\r\\n")
        if verb == b"QUIT":
            break
    writer.close()
async def main():
    async with await asyncio.start_server(serve, "127.0.0.1", int(sys.argv[1])) as server:
        await server.serve_forever()
asyncio.run(main())
"""


def run() -> list[str]:
    """Return the figures as lines."""
    return run_apart(_measure_all)


def run_apart(measure: Callable[[Path], Coroutine[Any, Any, list[str]]]) -> list[str]:
    """Run it on the loop that serves, with a folder of its own whose database is stopped after."""
    folder = Path(tempfile.mkdtemp(prefix="terminbuch-bench-"))
    folder.chmod(0o755)
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            return runner.run(measure(folder))
    finally:
        embedded.Server.under(folder / "data").stop()
        shutil.rmtree(folder, ignore_errors=True)


async def _measure_all(folder: Path) -> list[str]:
    async with opened(folder) as services:
        with _sink() as (name, port):
            _tell(f"{LETTERS} invitations due at once, {CONNECTIONS} connections to {name}")
            rounds = [await _a_round(services, port) for _ in range(ROUNDS)]
            lines = [_verdict(rounds), _dwelling_verdict(rounds)]
            return [*lines, await _compare_history(folder, services, port)]


async def _compare_history(folder: Path, services: Services, port: int) -> str:
    """Send with a history, and right before and after without: the machine's pace drifts."""
    database = services.database
    young = await _send_some(services, port, "without")
    await _add_history(database)
    connection = await asyncpg.connect(embedded.Server.under(folder / "data").dsn())
    # What is old was tidied up long ago.
    await connection.execute("VACUUM ANALYZE letter, outbox, invitation, meeting")
    old = await _send_some(services, port, "with")
    async with database.unit_of_work(statement_seconds=60) as unit:
        await forget_all(unit.connection)
    await connection.execute("VACUUM ANALYZE letter, outbox, invitation, meeting")
    await connection.close()
    young += await _send_some(services, port, "without")
    slower = statistics.median(young) / statistics.median(old)
    what = f"with {HISTORY} times as many old letters: ours {_spread(old)} letters/s"
    return f"{what}, without {_spread(young)}: {slower:.2f} times as slow"


async def _send_some(services: Services, port: int, how: str) -> list[float]:
    rates = [await _send_due(services, port) for _ in range(HISTORY_ROUNDS)]
    _tell(f"{how} the history: ours {' and '.join(f'{rate:.0f}' for rate in rates)} letters/s")
    return rates


def _tell(line: str) -> None:
    """Print at once: the whole takes two minutes, and a pipe would keep it all until then."""
    print(f"  {line}", flush=True)


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Services]:
    """Start a database in the folder with all that invitations need, and people to invite."""
    async with embedded.running(folder / "data") as dsn, Database(dsn) as database:
        await database.migrate()
        settings = Settings.read({"TERMINBUCH_DATA_DIR": str(folder)})
        await builders.an_instance(database)
        for kind in furnishing.LEGAL_KINDS:
            await furnishing.save_text(database, COMMAND, (kind, "de"), "Text.", datetime.now(UTC))
        await database.fetch(PEOPLE, LETTERS)
        pages = Pages(settings.public_url, Instance("Bündnis", ""), static_urls())
        yield Services(settings, database, pages, lambda: datetime.now(UTC), settings.token_keys)


@contextmanager
def _sink() -> Iterator[tuple[str, int]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-c", _SINK, str(port)]
    name = "an asyncio sink"
    if shutil.which("smtp-sink"):
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        command, name = ["smtp-sink", *user, f"127.0.0.1:{port}", "256"], "smtp-sink"
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_for(port)
        yield name, port
    finally:
        process.terminate()
        process.wait()


def _wait_for(port: int) -> None:
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError("the sink does not listen")


async def forget_all(connection: "asyncpg.Connection[Any]") -> None:
    """Drop all letters and invitations, so that the next measurement begins with none."""
    await connection.execute("DELETE FROM notice")
    await connection.execute("TRUNCATE letter, invitation, reminder_slot CASCADE")


async def _add_history(database: Database) -> None:
    async with database.unit_of_work(statement_seconds=600) as unit:
        await forget_all(unit.connection)
        first, *others = _HISTORY
        await unit.connection.execute(first, HISTORY)
        for statement in others:
            await unit.connection.execute(statement)


@dataclass(frozen=True)
class Round:
    """Letters a second of each way in one turn, our median size in bytes and dwell time (p99)."""

    ours: float
    naive: float
    source: float | None
    size: int
    dwelt: float


async def _a_round(services: Services, port: int) -> Round:
    meeting = await a_due_session(services.database)
    ours = await _send_ours(services, port)
    dwelt = float(await services.database.fetchval(_DWELLING, meeting))
    draft, gos = await _sample(services, meeting)
    size = int(statistics.median(_sizes(services, draft, gos)))
    naive = await asyncio.to_thread(_send_naively, services, port, draft, gos)
    source = await asyncio.to_thread(_send_filler, port, size)
    told = f"smtp-source {source:.0f}" if source else "no smtp-source here"
    _tell(f"ours {ours:.0f} letters/s, naive {naive:.0f}, {told}; {size / 1000:.1f} kB each")
    return Round(ours, naive, source, size, dwelt)


async def _send_due(services: Services, port: int) -> float:
    await a_due_session(services.database)
    return await _send_ours(services, port)


def _send_filler(port: int, size: int) -> float | None:
    """Send as many letters of this size with Postfix's own generator; None without Postfix."""
    if not shutil.which("smtp-source"):
        return None
    command = ["smtp-source", "-s", str(CONNECTIONS), "-d", "-l", str(size), "-m", str(LETTERS)]
    started = time.perf_counter()
    subprocess.run(
        [*command, "-M", "localhost", "-f", "a@example.org", "-t", "b@example.org",
            f"127.0.0.1:{port}"],
        check=True,
        capture_output=True,
        timeout=60,
    )  # fmt: skip
    return LETTERS / (time.perf_counter() - started)


def _verdict(rounds: list[Round]) -> str:
    """Compare the medians; each turn's own ratio would let one busy moment speak twice."""
    ours = statistics.median(each.ours for each in rounds)
    factor = ours / statistics.median(each.naive for each in rounds)
    naive = _spread([each.naive for each in rounds])
    parts = [
        f"ours {_spread([each.ours for each in rounds])} letters/s",
        f"naive {naive}: {factor:.1f} times as many ({_wanted(factor, LEAST_OF_NAIVE)})",
    ]
    sources = [each.source for each in rounds if each.source is not None]
    if sources:
        ratio = ours / statistics.median(sources)
        wanted = _wanted(ratio, LEAST_OF_SOURCE)
        parts.append(f"smtp-source {_spread(sources)}: ratio {ratio:.3f} ({wanted})")
    return ", ".join(parts)


def _dwelling_verdict(rounds: list[Round]) -> str:
    """Compare each turn with its own limit: all letters are due at once, the last waits for all."""
    dwelt = [each.dwelt for each in rounds]
    limits = [POLL_SECONDS + 0.99 * LETTERS / each.ours for each in rounds]
    is_reached = all(one <= limit for one, limit in zip(dwelt, limits, strict=True))
    return (
        f"dwell time p99 {statistics.median(dwelt):.1f} s ({min(dwelt):.1f} to {max(dwelt):.1f}), "
        f"a poll and its share of the queue are {statistics.median(limits):.1f} s: "
        f"{'reached' if is_reached else 'missed'}"
    )


def _wanted(value: float, least: float) -> str:
    return f"at least {least:g}: {'reached' if value >= least else 'missed'}"


def _spread(rates: list[float]) -> str:
    return f"{statistics.median(rates):.0f} ({min(rates):.0f} to {max(rates):.0f})"


async def a_due_session(database: Database) -> UUID:
    """Plan a session with everybody; the notice of its invitations is due."""
    starts = (datetime.now(UTC) + timedelta(days=30)).replace(minute=0, second=0, microsecond=0)
    group = await builders.a_group(database, name="Arbeitsgruppe Klima")
    meeting = await builders.a_meeting(
        database,
        of=group,
        starts_local=starts.replace(tzinfo=None),
        mode="hybrid",
        online_url="https://video.example.org/klima",
        agenda="1. Begrüßung\n2. Förderrichtlinie: Stand und nächste Schritte\n3. Verschiedenes",
    )
    of = await builders.an_organisation(database, name=f"Stadt {group['slug']}")
    async with database.unit_of_work(statement_seconds=60) as unit:
        await unit.connection.execute(_INVITE, meeting["id"], of["id"])
        await unit.connection.execute("ANALYZE invitation")
    due = datetime.now(UTC) - timedelta(seconds=1)
    await builders.a_notice(database, meeting, kind="invitation", due_at=due)
    return UUID(str(meeting["id"]))


async def _send_ours(services: Services, port: int) -> float:
    """Go from the due notice to the last finished letter; return letters a second."""
    postman = Postman(
        services.database,
        RelaySettings("127.0.0.1", port, mode="plain", connections=CONNECTIONS),
        Clerk(services),
        relaying.sender(services.settings),
        Options(once_kinds=relaying.ONCE_KINDS),
    )
    started = time.perf_counter()
    count = await noticing.queue_due(services.database, datetime.now(UTC))
    await postman.deliver()
    seconds = time.perf_counter() - started
    await postman.stop()
    left = await services.database.fetchval("SELECT count(*) FROM outbox WHERE state <> 'sent'")
    if count != LETTERS or left:
        raise RuntimeError(f"{count} letters posted, {left} not sent")
    return count / seconds


async def _sample(services: Services, meeting_id: UUID) -> tuple[Draft, list[tuple[UUID, Go]]]:
    rows = await services.database.fetch(
        "SELECT id FROM letter WHERE subject_id = $1 LIMIT $2", meeting_id, NAIVE_LETTERS
    )
    clerk = Clerk(services)
    await services.database.fetch("UPDATE person SET first_letter_on = current_date")
    found = await clerk.look_up([row["id"] for row in rows])
    gos = [(letter_id, verdict) for letter_id, verdict in found.items() if isinstance(verdict, Go)]
    return await clerk.compose(gos[0][1].prototype_key), gos


def _sizes(services: Services, draft: Draft, gos: list[tuple[UUID, Go]]) -> list[int]:
    frozen = letters.prototype(draft, relaying.sender(services.settings), "de")
    now = datetime.now(UTC).replace(microsecond=0)
    return [
        len(letters.render(frozen, go.values, Envelope(letter_id, go.to_addr, go.to_name), now))
        for letter_id, go in gos[:SAMPLES]
    ]


def _send_naively(services: Services, port: int, draft: Draft, gos: list[tuple[UUID, Go]]) -> float:
    """Write each letter with the standard library and send it; return letters a second."""
    started = time.perf_counter()
    with smtplib.SMTP("127.0.0.1", port) as client:
        for letter_id, go in gos:
            client.send_message(_naive_letter(services.settings, draft, letter_id, go))
    return len(gos) / (time.perf_counter() - started)


def _naive_letter(settings: Settings, draft: Draft, letter_id: UUID, go: Go) -> EmailMessage:
    message = EmailMessage()
    message["From"] = f"{settings.mail_from_name} <{settings.mail_from}>"
    message["To"] = f"{go.to_name} <{go.to_addr}>"
    message["Reply-To"] = draft.reply_to or settings.mail_from
    message["Subject"] = draft.subject
    message["Date"] = datetime.now(UTC)
    message["Message-ID"] = f"<{letter_id}@{settings.mail_domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(_filled(draft.text, go.values))
    html = {name: escape(value) for name, value in go.values.items()}
    message.add_alternative(_filled(draft.html, html), subtype="html")
    message.add_attachment(
        (draft.calendar or b"").decode(), subtype="calendar", filename="termin.ics"
    )
    return message


def _filled(text: str, values: Mapping[str, Any]) -> str:
    return re.sub("⟦([a-z_]+)⟧", lambda found: values[found[1]], text)
