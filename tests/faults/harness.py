"""The stage of the faults: a PostgreSQL of their own, invited people, and real workers on it."""

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import asyncpg

from notifications import crashing, hurrying, outbox
from service import app, embedded, furnishing
from service.auditing import Actor
from service.database import Database
from service.engine import OUTAGES
from service.furnishing import InstanceData
from service.settings import Settings
from tests import builders
from tests import database as test_database
from tests.end_to_end.programs import Program, running
from tests.faults import history, proxy, servers
from tests.faults.history import Copy, History
from tests.faults.ledger import Heard, Ledger
from tests.faults.proxy import Proxy
from tests.notifications.smtp_servers import Server

HASTE = 30
"""Leases last four seconds, holds and marks thirty; a poll comes five times a second."""

PEOPLE = 2000
SETTLE_SECONDS = 480.0
FAKETIME = next(iter(sorted(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))), None)
"""Debian's package faketime, where it is installed."""

_ACTOR = Actor("command")

_PEOPLE = """
WITH people AS (
    INSERT INTO person (full_name, sort_key, email, email_normal, first_letter_on)
    SELECT 'Mitglied ' || n, 'mitglied ' || n, 'm' || n || '@example.org',
        'm' || n || '@example.org', current_date
    FROM generate_series(1, $2) AS n RETURNING id
)
INSERT INTO invitation (meeting_id, person_id, state, invited_at, told_rev)
SELECT $1, id, 'invited', now() - interval '1 day', 1 FROM people
"""

# Everybody's next letter: same order per person and meeting, a key of its own for each round.
_LETTERS = """
SELECT 'fault:' || $4 || ':' || p.id, $2::text, p.id, $1::uuid, 1, m.time_rev,
    $1::text || ':' || p.id, 'de', '{}'::jsonb, $6::smallint, now() + $5::interval,
    now() + interval '2 days', 'example.org'
FROM person p JOIN meeting m ON m.id = $1::uuid
ORDER BY substr(p.email, 2, strpos(p.email, '@') - 2)::int LIMIT $3
"""

# Not when it is tried next, which a refusal may have put off meanwhile.
_POSTED = "SELECT id, created_at FROM letter WHERE dedupe_key LIKE $1"

_TIME_GOES_BY = (
    """UPDATE outbox SET lease_until = lease_until - $1::interval,
        next_attempt_at = next_attempt_at - $1::interval
    WHERE state IN ('queued', 'sending', 'uncertain')""",
    "UPDATE relay_slot SET lease_until = lease_until - $1::interval",
    "UPDATE relay_state SET paused_until = paused_until - $1::interval",
)
_HOLDS_END = (
    """UPDATE outbox SET next_attempt_at = now()
    WHERE state = 'uncertain' OR state = 'queued' AND attempts > 0""",
    "UPDATE relay_state SET paused_until = now() WHERE paused_until > now()",
)
_TRUST = """
INSERT INTO relay_state (relay, tried_at) VALUES ($1, now()) ON CONFLICT DO NOTHING
"""
_CLEAN = """
DELETE FROM letter; DELETE FROM relay_slot; DELETE FROM address_state;
DELETE FROM notice; DELETE FROM reminder_slot;
UPDATE relay_state SET paused_until = NULL, reason = NULL, consecutive_failures = 0,
    failing_since = NULL, alarmed_at = NULL, counted_from = now()
"""


@dataclass
class Stage:
    """Where faults are played: database, its server, and one session with everybody invited."""

    database: Database
    dsn: str
    server: embedded.Server
    meeting_id: UUID
    due: dict[UUID, datetime] = field(default_factory=dict)
    rounds: int = 0
    workers: int = 0

    async def post(
        self, count: int, kind: str = "invitation", *, due_in: float = 0.0, priority: int = 4
    ) -> None:
        """Post one more letter to each of the first so many people."""
        self.rounds += 1
        key = f"{self.rounds}:{time.monotonic_ns()}"
        wait = timedelta(seconds=due_in)
        async with self.database.unit_of_work() as unit:
            await outbox.post_selected(
                unit.connection, _LETTERS, self.meeting_id, kind, count, key, wait, priority
            )
        for row in await self.database.fetch(_POSTED, f"fault:{key}:%"):
            self.due[row["id"]] = row["created_at"] + wait

    async def states(self) -> dict[str, int]:
        """Return how many letters are in which state; the office may hear of a fault meanwhile."""
        sql = """SELECT o.state, count(*) AS n FROM outbox o JOIN letter l USING (id)
            WHERE l.kind <> 'alarm' GROUP BY o.state"""
        return {row["state"]: row["n"] for row in await self.database.fetch(sql)}

    async def let_pass(self, seconds: float) -> None:
        """Let time go by for the database: leases, holds and pauses end so much earlier."""
        for sql in _TIME_GOES_BY:
            await self.database.fetch(sql, timedelta(seconds=seconds))

    async def end_holds(self) -> None:
        """Let whoever waits for proof, for a next try or for the relay wait no longer."""
        for sql in _HOLDS_END:
            await self.database.fetch(sql)

    async def trust(self, port: int) -> None:
        """Note that a trial of this mail server went well, so that crowds may leave."""
        await self.database.fetch(_TRUST, f"127.0.0.1:{port}")

    async def rescue(self, port: int) -> None:
        """Do what any other worker would once leases, holds and waits of the dead are over."""
        settings = Settings.read(self.environment(port))
        await self.trust(port)
        await self.let_pass(1000)
        async with app.open_services(settings, migrate=False) as services:
            postman = app._hire(services)
            assert postman is not None
            for _ in range(4):
                await postman.reap()
                await self.end_holds()
                await postman.reap()
                await postman.deliver()
            await postman.stop()

    async def until(
        self, holds: Callable[[], Awaitable[object]], what: str, seconds: float = SETTLE_SECONDS
    ) -> None:
        """Wait until something holds; a database that is away is asked again."""
        end = time.monotonic() + seconds
        while True:
            try:
                if await holds():
                    return
            except (*OUTAGES, OSError, asyncpg.PostgresError, asyncpg.InternalClientError):
                pass
            if time.monotonic() > end:
                raise AssertionError(f"in {seconds} s not: {what}; {await self.states()}")
            await asyncio.sleep(0.05)

    async def hear_last_words(self) -> None:
        """Wait until only we are connected: on a busy machine the dead still claim and renew."""

        async def are_written() -> bool:
            return await test_database.is_alone(self.database)

        await self.until(are_written, "the last words of the dead are written")

    async def settled(self, seconds: float = SETTLE_SECONDS, *, hurry: bool = True) -> None:
        """Wait until no letter is open any more; in a hurry no hold and no pause lasts."""

        async def is_settled() -> bool:
            if hurry:
                await self.end_holds()
            return not set(await self.states()) & {"queued", "sending", "uncertain"}

        await self.until(is_settled, "every letter has ended", seconds)

    async def in_state(self, state: str, count: int = 1, seconds: float = SETTLE_SECONDS) -> None:
        """Wait until at least so many letters are in a state."""

        async def are_there() -> bool:
            return (await self.states()).get(state, 0) >= count

        await self.until(are_there, f"{count} letters are {state}", seconds)

    async def history(self, copies: Sequence[Copy], told: Ledger | None = None) -> History:
        """Return what happened since the stage was cleaned, and what clients were told of it."""
        return await history.read(self.database, copies, self.due, told)

    async def check(self, server: Server) -> History:
        """Return what happened, after all that must hold was found to hold."""
        found = await self.history(servers.copies(server))
        assert [] == found.violations()
        return found

    async def clean(self) -> None:
        """Forget all letters; people, session and set-up stay. Crowds may leave at once."""
        async with self.database.reading() as connection:
            await connection.execute(_CLEAN)
        self.due.clear()

    def postgres(self, *arguments: str) -> None:
        """Run pg_ctl of the embedded server."""
        data = ("-D", str(self.server.cluster), "-l", str(self.server.cluster / "server.log"))
        done = self.server._run("pg_ctl", *arguments, *data, "-w", "-t", "300")
        assert 0 == done.returncode, done.stderr

    async def restart_at_once(self) -> None:
        """Restart PostgreSQL as after a power cut."""
        await asyncio.to_thread(self.postgres, "restart", "-m", "immediate")

    @asynccontextmanager
    async def far_way(self) -> AsyncIterator[tuple[Proxy, str]]:
        """Open a way to the database that can be cut; yield it and the address at its end."""
        folder = parse_qs(urlsplit(self.dsn).query)["host"][0]
        async with proxy.running(Path(folder) / ".s.PGSQL.5432") as network:
            yield network, f"postgresql://terminbuch@127.0.0.1:{network.port}/terminbuch"

    @asynccontextmanager
    async def worker(self, port: int, crash: str = "", **more: str) -> AsyncIterator[Program]:
        """Run one real worker that hands letters over at this port."""

        async def is_trusted() -> bool:
            await self.trust(port)
            return True

        await self.until(is_trusted, "the database is there")
        async with running(self.environment(port, crash) | more, "serve", "--role", "worker") as it:
            self.workers += 1
            try:
                yield it
            except BaseException:
                # What the worker had to say is half of the explanation.
                print("\n".join(it.lines[-50:]))
                raise
            finally:
                self.workers -= 1

    def environment(self, port: int, crash: str = "") -> dict[str, str]:
        """Return the settings of a worker."""
        return {
            "TERMINBUCH_DATABASE_URL": self.dsn,
            "TERMINBUCH_TOKEN_KEY": "t1:" + "5a" * 32,
            "TERMINBUCH_SMTP_HOST": "127.0.0.1",
            "TERMINBUCH_SMTP_PORT": str(port),
            "TERMINBUCH_SMTP_MODE": "plain",
            "TERMINBUCH_MAIL_FROM": "termine@example.org",
            "TERMINBUCH_PACE_PER_DOMAIN": "10000",
            "TERMINBUCH_SMTP_CONNECTIONS": "3",
            "TERMINBUCH_POOL_SIZE": "5",
            hurrying.VARIABLE: str(HASTE),
            crashing.VARIABLE: crash,
        }


@asynccontextmanager
async def open_stage(folder: Path, people: int = PEOPLE) -> AsyncIterator[Stage]:
    """Build the stage on a PostgreSQL server of its own, so that it may be shot down."""
    async with embedded.running(folder / "data") as dsn:
        server = embedded.Server.under(folder / "data")
        await _spare_the_disk(server)
        async with Database(dsn, pool_size=5) as database:
            await database.migrate()
            yield Stage(database, dsn, server, await _furnish(database, people))


async def _spare_the_disk(server: embedded.Server) -> None:
    """Write without fsync: a killed server loses nothing, only a power cut would."""
    connection = await asyncpg.connect(server.dsn(role="postgres", database="postgres"))
    try:
        await connection.execute("ALTER SYSTEM SET fsync = off")
        await connection.execute("ALTER SYSTEM SET full_page_writes = off")
        await connection.execute("SELECT pg_reload_conf()")
    finally:
        await connection.close()


async def _furnish(database: Database, people: int) -> UUID:
    await furnishing.save_instance(database, _ACTOR, InstanceData("Bündnis", email="b@example.org"))
    for kind in furnishing.LEGAL_KINDS:
        await furnishing.save_text(database, _ACTOR, (kind, "de"), "Text", datetime.now(UTC))
    starts = datetime.now(UTC).replace(tzinfo=None, microsecond=0) + timedelta(days=60)
    meeting = await builders.a_meeting(
        database, starts_local=starts, ends_local=starts + timedelta(hours=2)
    )
    await database.fetch(_PEOPLE, meeting["id"], people)
    meeting_id: UUID = meeting["id"]
    return meeting_id


def faked(clock: Path) -> dict[str, str]:
    """Let a process read the wall clock as this file says, from now on; empty without the library.

    The clock that only goes forward stays as it is.
    """
    clock.write_text("+0\n")
    if FAKETIME is None:
        return {}
    return {
        "LD_PRELOAD": str(FAKETIME),
        "FAKETIME_TIMESTAMP_FILE": str(clock),
        "FAKETIME_NO_CACHE": "1",
        "DONT_FAKE_MONOTONIC": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
    }


def freeze(program: Program) -> None:
    """Stop a process in the middle of whatever it does."""
    program.tell(signal.SIGSTOP)


def thaw(program: Program) -> None:
    """Let a frozen process go on as if nothing had been."""
    program.tell(signal.SIGCONT)


def describe(found: History) -> str:
    """Return one line for people."""
    unclear = sum(row["uncertain_count"] > 0 for row in found.rows)
    return (
        f"{len(found.rows)} letters, lost {len(found.lost)}, duplicates {found.duplicates} "
        f"(unclear {unclear}), violations {len(found.violations())}"
    )


def describe_clients(found: History) -> str:
    """Return one line about what clients heard."""
    told = found.told
    heard = ", ".join(f"{each.value} {told.count(each)}" for each in Heard)
    return (
        f"answers and presses: {heard}; answers acknowledged and lost {found.forgotten}; "
        f"{len(told.fetches)} calendars read, {len(found.stands.meetings)} sessions"
    )
