"""F4: the database dies, hangs up on everybody or is away for twenty seconds, under full load.

500 people answer over fifty connections to a session of fifty seats, while three workers write and
send 5,000 reminders; five times each. The same processes live through all runs.
"""

import asyncio
import random
import re
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import httpx

from notifications import hurrying
from service import reminding
from service.domain import instants
from service.domain.reminders import Audience, Kind, Rule
from tests import builders
from tests import database as test_database
from tests.faults import fleet, harness, servers
from tests.faults.crew import BROKEN, PRESSED, SAVED
from tests.faults.fleet import Fleet
from tests.faults.harness import Stage
from tests.faults.programme.forms import Form, open_all, path_of
from tests.faults.programme.tallies import Run, Tally
from tests.faults.test_clocks import ticks_go_on
from tests.faults.test_databases import ready
from tests.notifications import smtp_servers
from tests.notifications.smtp_servers import Server
from tests.ports import free_port

RUNS = 5
PEOPLE, INVITED, SEATS, CONNECTIONS = 5000, 500, 50, 50
WORKERS, POOL, PAGES_POOL = 3, 5, 10
# Beside its pool each process may listen over one more.
MOST_CONNECTIONS = PAGES_POOL + WORKERS * POOL + WORKERS + 1
# With more of it three workers have nothing to do but to look whether there is something to do.
HASTE = 8
AWAY_SECONDS, BACK_SECONDS = 20.0, 10.0
FAULTS = ("restarted at once", "hung up on everybody", f"away for {AWAY_SECONDS:.0f} s")
# What was under way when the database went may be told so late: all of it has limits of its own.
TAKEN_BEFORE, SENT_BEFORE = 20, 200
TICK_SECONDS = 30.0
# Nothing of it is a promise: 5,000 letters take a busy machine as long as they take.
PATIENCE_SECONDS = 1500.0
AGAIN_SECONDS = 0.1

_INVITE = """
INSERT INTO invitation (meeting_id, person_id, state, invited_at, told_rev)
SELECT $1, id, 'invited', now() - interval '1 day', 1 FROM person
ORDER BY email LIMIT $2 RETURNING handle, epoch
"""
_ACCEPT = """
INSERT INTO invitation (meeting_id, person_id, state, invited_at, told_rev, answer, answer_way,
    answered_at, answer_rev, given_starts_local, given_mode, given_town, has_seat)
SELECT m.id, p.id, 'invited', now() - interval '1 day', m.revision, 'in_person', 'link',
    now() - interval '6 hours', 1, m.starts_local, m.mode, m.town, true
FROM person p, meeting m WHERE m.id = $1 AND p.email LIKE 'm%@example.org'
"""
_TAKEN = """
SELECT s.taken, count(i.id) FILTER (WHERE i.answer = 'in_person') AS said_yes
FROM meeting_seats s JOIN invitation i USING (meeting_id) WHERE s.meeting_id = $1 GROUP BY 1
"""
_SAID_YES = "SELECT handle, epoch FROM invitation WHERE meeting_id = $1 AND answer = 'in_person'"
_HANG_UP = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()
"""
_CONNECTIONS = """
SELECT count(*) AS count, count(*) FILTER (WHERE state LIKE 'idle in transaction%') AS left_open
FROM pg_stat_activity WHERE application_name = 'terminbuch' AND pid <> ALL ($1::int[])
"""
_OUTAGE = re.compile(r"(?P<at>\S+) +warning +request\.outage .*\bkind=(?P<kind>\w+)")
BUSY = "DatabaseBusyError"
LINES_OF_A_TRACE = 60


@dataclass
class Burst:
    """Everybody who answers, and when they heard what."""

    base: str
    waiting: list[Form]
    yes: list[str] = field(default_factory=list)
    no: int = 0
    errors: list[tuple[float, int]] = field(default_factory=list)
    heard: list[float] = field(default_factory=list)
    odd: Counter[int] = field(default_factory=Counter)

    async def answer_all(self) -> None:
        """Let fifty at a time say yes until all have heard what became of it."""
        limits = httpx.Limits(max_connections=CONNECTIONS)
        async with (
            httpx.AsyncClient(base_url=self.base, timeout=60, limits=limits) as client,
            asyncio.TaskGroup() as tasks,
        ):
            for _ in range(CONNECTIONS):
                tasks.create_task(self._answer_some(client))

    async def _answer_some(self, client: httpx.AsyncClient) -> None:
        while self.waiting:
            form = self.waiting.pop()
            while not await self._answer(client, form):
                await asyncio.sleep(AGAIN_SECONDS)

    async def _answer(self, client: httpx.AsyncClient, form: Form) -> bool:
        """Send the form once; False when nobody knows what became of it."""
        answer = None
        with suppress(httpx.TransportError):
            answer = await client.post(form[0], data=form[1], headers=PRESSED)
        now = time.time()
        if answer is None or answer.status_code >= BROKEN:
            self.errors.append((now, 0 if answer is None else answer.status_code))
            self.odd[0 if answer is None else answer.status_code] += 1
            return False
        self.heard.append(now)
        if answer.status_code == SAVED:
            self.yes.append(form[0])
        else:
            self.no += 1
            self.odd[answer.status_code] += 1
        return True


@dataclass
class Load:
    """The processes that live through all runs."""

    stage: Stage
    server: Server
    port: int
    web: Fleet
    workers: Fleet
    lines_before: int = 0

    @property
    def base(self) -> str:
        """Return the address of the pages."""
        return f"http://localhost:{self.port}"

    async def outlive(self, run: Run, fault: Callable[[], Awaitable[float]]) -> None:
        """Strike in the middle of answers and reminders, and judge what became of both."""
        await self.stage.clean()
        self.server.mails.clear()
        self.lines_before = len(self.web.programs[0].lines)
        seats, burst = await self._invite()
        reminded = await self._remind()
        await self.stage.in_state("sent", SENT_BEFORE, PATIENCE_SECONDS)
        answering = asyncio.create_task(burst.answer_all())
        try:
            await self.stage.until(lambda: self._are_taken(seats), "some seats are taken")
        except AssertionError:
            run.wrong.append(f"heard {len(burst.yes)} yes, {burst.no} no and {burst.odd}")
            raise
        struck = time.time()
        back = await fault()
        await answering
        await self.stage.settled(PATIENCE_SECONDS)
        await self.stage.until(ticks_go_on(self.stage), "the next ticks", TICK_SECONDS)
        run.judge(await self.stage.history(servers.copies(self.server)))
        run.expect(
            holds=len({mail.recipient for mail in self.server.mails}) == PEOPLE,
            otherwise="somebody got no reminder",
        )
        self._judge_times(run, burst, struck, back)
        await self._judge_seats(run, burst, seats)
        await self._judge_pools(run)
        ids = [seats, reminded]
        await self.stage.database.fetch("DELETE FROM meeting WHERE id = ANY ($1)", ids)

    async def _invite(self) -> tuple[UUID, Burst]:
        starts = datetime.now(UTC).replace(tzinfo=None, microsecond=0) + timedelta(days=40)
        meeting = await builders.a_meeting(self.stage.database, starts_local=starts, capacity=SEATS)
        rows = await self.stage.database.fetch(_INVITE, meeting["id"], INVITED)
        paths = [path_of(row["handle"], row["epoch"]) for row in rows]
        opened = await open_all(self.base, paths)
        meeting_id: UUID = meeting["id"]
        yes = {"answer": "in_person"}
        return meeting_id, Burst(self.base, [(path, fields | yes) for path, fields in opened])

    async def _remind(self) -> UUID:
        """Let a reminder of 5,000 people be due."""
        now, database = datetime.now(UTC), self.stage.database
        starts = instants.to_local(now + timedelta(hours=2, seconds=-1), "Europe/Berlin")
        meeting = await builders.a_meeting(
            database, starts_local=starts, answer_by_local=starts - timedelta(minutes=30)
        )
        await database.fetch(_ACCEPT, meeting["id"])
        rule = Rule(kind=Kind.REMINDER, audience=(Audience.ACCEPTED,), minutes_before=120)
        async with database.unit_of_work() as unit:
            await reminding.ensure_rules(unit.connection)
            await reminding.add_rule(unit.connection, rule, meeting_id=meeting["id"])
            await reminding.plan_slots(unit.connection, meeting["id"], now - timedelta(hours=1))
        meeting_id: UUID = meeting["id"]
        return meeting_id

    async def _are_taken(self, seats: UUID) -> bool:
        row = await self.stage.database.fetchrow(_TAKEN, seats)
        return row is not None and row["taken"] >= TAKEN_BEFORE

    def _judge_times(self, run: Run, burst: Burst, struck: float, back: float) -> None:
        """Errors only in the window, and both pages and workers back within ten seconds of it."""
        unheard = [at for at, status in burst.errors if not status]
        told = self._outages()
        # Fifty at once may find ten connections taken: a busy machine says so at any time.
        busy = [at for at, kind in told if kind == BUSY]
        errors = [*unheard, *(at for at, kind in told if kind != BUSY)]
        early = [at for at in errors if at < struck]
        late = [at for at in errors if at > back + BACK_SECONDS]
        run.expect(holds=not early, otherwise=f"{len(early)} errors before the fault")
        run.wrong += [f"a page called itself broken: {each}" for each in self._breakdowns()]
        run.expect(holds=not late, otherwise=f"{len(late)} errors long after the fault")
        run.notes.append(f"{len(errors)} outages, {len(busy)} times all connections were in use")
        for name, times in (
            ("pages", burst.heard),
            ("workers", [mail.at for mail in self.server.mails]),
        ):
            first = min((at for at in times if at > back), default=None)
            run.expect(holds=first is not None, otherwise=f"{name} did nothing after the fault")
            if first is not None:
                run.recoveries.append(first - back)
                run.expect(holds=first - back < BACK_SECONDS, otherwise=f"{name} came back late")
        known = ", ".join(
            f"{count} x {status or 'no reply'}" for status, count in sorted(burst.odd.items())
        )
        run.notes.append(f"{len(burst.yes)} yes, {burst.no} no, heard beside: {known}")

    def _breakdowns(self) -> list[str]:
        """Return what the log of the pages says of each page that called itself broken."""
        lines = self.web.programs[0].lines[self.lines_before :]
        places = [place for place, line in enumerate(lines) if " request.failed " in line]
        return ["; ".join(lines[place : place + LINES_OF_A_TRACE]) for place in places]

    def _outages(self) -> list[tuple[float, str]]:
        """Return when the pages failed to answer in this run, and why, as their log has it."""
        lines = self.web.programs[0].lines[self.lines_before :]
        found = [_OUTAGE.match(line) for line in lines]
        return [
            (datetime.fromisoformat(one["at"]).timestamp(), one["kind"])
            for one in found
            if one is not None
        ]

    async def _judge_seats(self, run: Run, burst: Burst, seats: UUID) -> None:
        row = await self.stage.database.fetchrow(_TAKEN, seats)
        assert row is not None
        found = (row["taken"], row["said_yes"], len(burst.yes) + burst.no)
        run.expect(holds=found == (SEATS, SEATS, INVITED), otherwise=f"seats, yes, heard: {found}")
        rows = await self.stage.database.fetch(_SAID_YES, seats)
        stands = {path_of(each["handle"], each["epoch"]) for each in rows}
        gone = set(burst.yes) - stands
        run.expect(holds=not gone, otherwise=f"I1 {len(gone)} acknowledged answers are not there")

    def hear_the_dead(self, run: Run) -> None:
        """Nobody may have ended."""
        for each in (*self.web.programs, *self.workers.programs):
            said = "; ".join(each.lines[-5:])
            run.expect(holds=each.process.returncode is None, otherwise=f"a process ended: {said}")

    async def _judge_pools(self, run: Run) -> None:
        """See pages that are ready, no open transaction, and no more connections than may be."""
        await self.stage.until(lambda: ready(self.port, httpx.codes.OK), "the pages are ready")
        await self.stage.until(self._are_all_closed, "no transaction is left open", TICK_SECONDS)
        count = (await self._connections())["count"]
        run.expect(holds=count <= MOST_CONNECTIONS, otherwise=f"{count} connections")

    async def _connections(self) -> asyncpg.Record:
        async with self.stage.database.reading() as connection:
            ours = [
                holder._con.get_server_pid()
                for holder in self.stage.database.pool._holders
                if holder._con
            ]
            row = await connection.fetchrow(_CONNECTIONS, ours)
            assert row is not None
            return row

    async def _are_all_closed(self) -> bool:
        return bool((await self._connections())["left_open"] == 0)

    async def die(self) -> float:
        """Let the server restart as after a power cut."""
        await self.stage.restart_at_once()
        return await self._answers_since()

    async def hang_up(self) -> float:
        """Let the server end every connection, ours too."""
        with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            connection = await asyncpg.connect(self.stage.server.dsn(role="postgres"))
            await connection.execute(_HANG_UP)
            await connection.close()
        return await self._answers_since()

    async def be_away(self) -> float:
        """Let the server be away for twenty seconds."""
        await asyncio.to_thread(self.stage.postgres, "stop", "-m", "immediate")
        await asyncio.sleep(AWAY_SECONDS)
        await asyncio.to_thread(self.stage.server.start, fsync=True)
        return await self._answers_since()

    async def _answers_since(self) -> float:
        """Return when a fresh connection is let in."""
        while True:
            with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
                connection = await asyncpg.connect(self.stage.dsn)
                await connection.close()
                return time.time()
            await asyncio.sleep(0.02)


async def play(tally: Tally) -> None:
    """Play all runs."""
    tally.plan(_title(name, turn) for turn in tally.turns(RUNS) for name in FAULTS)
    folder, dice = test_database.make_folder(), random.Random(tally.seed)  # noqa: S311 - repeatable
    try:
        async with (
            harness.open_stage(folder, people=PEOPLE) as stage,
            smtp_servers.running() as server,
            AsyncExitStack() as stack,
        ):
            port, more = free_port(), {hurrying.VARIABLE: str(HASTE)}
            pool = {"TERMINBUCH_POOL_SIZE": str(PAGES_POOL)}
            serving = fleet.serving(stage, [port], dice, **more, **pool)
            web = await stack.enter_async_context(serving)
            sailing = fleet.sailing(stage, server.port, WORKERS, dice, **more)
            load = Load(stage, server, port, web, await stack.enter_async_context(sailing))
            # Nobody is ready before a worker looked around.
            await stage.until(lambda: ready(port, httpx.codes.OK), "the pages are ready")
            faults = dict(zip(FAULTS, (load.die, load.hang_up, load.be_away), strict=True))
            for turn in tally.turns(RUNS):
                for name, fault in faults.items():
                    async with tally.run(_title(name, turn)) as run:
                        try:
                            await load.outlive(run, fault)
                        finally:
                            load.hear_the_dead(run)
    finally:
        test_database.remove_folder(folder)


def _title(name: str, turn: int) -> str:
    return f"database {name}, run {turn + 1}"
