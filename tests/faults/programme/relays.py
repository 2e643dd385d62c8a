"""F6: mail servers refuse, hang, reset and trickle while the same process answers for pages.

Bad certificates and a stripped STARTTLS are tests, which run here as they are.
"""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import httpx

from notifications import backoff, hurrying
from service import publishing, subscribing
from tests import database as test_database
from tests.end_to_end import programs
from tests.faults import harness, proxy, servers
from tests.faults.harness import Stage
from tests.faults.programme.borrowed import tests_of
from tests.faults.programme.tallies import Run, Tally
from tests.faults.proxy import Proxy
from tests.faults.servers import Fault, Faulty
from tests.notifications import smtp_servers
from tests.notifications.smtp_servers import CLOSE, HANG, Server
from tests.ports import free_port

LETTERS, REQUESTS = 5, 100
HASTE = 8
# Slower than that, pages suffer from what the mail server does; a busy machine alone does less.
TIMES_SLOWER, SLOWER_SECONDS = 3.0, 0.5
FIRST = "m1@example.org"

_ROWS = "SELECT o.*, l.kind FROM outbox o JOIN letter l USING (id) WHERE l.kind <> 'alarm'"
_RESTS = "SELECT count(*) FROM relay_state WHERE paused_until > now()"
_PUT_OFF = """
SELECT extract(epoch FROM o.next_attempt_at - a.ended_at) FROM outbox o
JOIN mail_attempt a ON a.letter_id = o.id WHERE o.state = 'queued' AND o.attempts = 1
"""


@dataclass(frozen=True)
class Case:
    """What the mail server does to whom, and what becomes of five letters."""

    faults: tuple[Fault, ...] = ()
    is_away: bool = False
    reset_after: int | None = None
    byte_seconds: float = 0.0
    states: Mapping[str, int] = field(default_factory=lambda: {"sent": LETTERS})
    most_attempts: int = 1
    blamed: int = 0
    put_off_seconds: float = 0.0


def _is_first(recipient: str) -> bool:
    return recipient == FIRST


CASES: dict[str, Callable[[], Case]] = {
    "is away": lambda: Case(is_away=True),
    "says 421": lambda: Case((Fault("CONNECT", "421 4.3.2 too busy", times=3),)),
    "greylists for ten minutes": lambda: Case(
        (Fault("RCPT", "450 4.2.0 greylisted", _is_first, times=3),),
        most_attempts=4,
        put_off_seconds=300.0,
    ),
    "knows no such user": lambda: Case(
        (Fault("RCPT", "550 5.1.1 no such user", _is_first),),
        states={"sent": LETTERS - 1, "failed": 1},
        blamed=1,
    ),
    "hangs before its banner": lambda: Case((Fault("CONNECT", HANG, times=3),)),
    "hangs after DATA": lambda: Case((Fault("DATA", HANG, times=1),), most_attempts=2),
    "resets in the middle of DATA": lambda: Case(reset_after=3000, most_attempts=2),
    "loses its reply to the dot": lambda: Case((Fault(".", CLOSE, times=1),), most_attempts=2),
    "says a byte a second": lambda: Case(byte_seconds=1.0),
}


@dataclass
class Scene:
    """One process of pages and letters, and the way to its mail server."""

    stage: Stage
    server: Server
    script: Faulty
    network: Proxy
    trickle: "Trickle"
    base: str

    async def play(self, run: Run, case: Case) -> None:
        """Let the server be so, and see what becomes of letters and pages."""
        await self.stage.clean()
        self.server.mails.clear()
        quiet = await self._p99()
        self.script.faults = list(case.faults)
        self.trickle.seconds = case.byte_seconds / HASTE
        if case.is_away:
            self.network.close()
        if case.reset_after is not None:
            self.network.cut_after, self.network.reset = case.reset_after, True
        await self.stage.post(LETTERS)
        meanwhile = await self._p99()
        if case.put_off_seconds:
            await self._see_it_put_off(run, case.put_off_seconds / HASTE)
        if case.byte_seconds:
            await self.stage.until(self._is_paused, "the relay rests")
            self.trickle.seconds = 0.0
        if case.is_away:
            await self.network.open()
        if case.reset_after is not None:
            await self.stage.until(self._is_cut, "the way was cut")
            self.network.heal()
        await self.stage.settled()
        await self._judge(run, case)
        run.notes.append(f"p99 of pages {1000 * quiet:.0f} ms before, {1000 * meanwhile:.0f} ms")
        is_slower = meanwhile > TIMES_SLOWER * quiet + SLOWER_SECONDS
        run.expect(holds=not is_slower, otherwise="pages were slower")

    async def _judge(self, run: Run, case: Case) -> None:
        run.judge(await self.stage.history(servers.copies(self.server)))
        rows: list[Any] = list(await self.stage.database.fetch(_ROWS))
        states = Counter(row["state"] for row in rows)
        run.expect(holds=states == case.states, otherwise=f"states {dict(states)}")
        attempts = max(row["attempts"] for row in rows)
        run.expect(holds=attempts <= case.most_attempts, otherwise=f"{attempts} attempts")

        async def is_blamed() -> bool:
            blamed = await self.stage.database.fetchval("SELECT count(*) FROM address_state")
            return bool(blamed == case.blamed)

        await self.stage.until(is_blamed, f"{case.blamed} addresses are on record")

    async def _see_it_put_off(self, run: Run, seconds: float) -> None:
        async def is_put_off() -> bool:
            return await self.stage.database.fetchval(_PUT_OFF) is not None

        await self.stage.until(is_put_off, "a letter waits for its second try")
        found = float(await self.stage.database.fetchval(_PUT_OFF) or 0)
        least = seconds * (1 - backoff.JITTER)
        run.expect(holds=found >= least, otherwise=f"tried again after {found:.1f} s")

    async def _is_paused(self) -> bool:
        """Tell whether the greeting took too long: nobody was blamed, and every letter waits."""
        return bool(await self.stage.database.fetchval(_RESTS))

    async def _is_cut(self) -> bool:
        return self.network.cuts > 0

    async def _p99(self) -> float:
        """Return how long the slowest but one of a hundred requests took."""
        times = []
        async with httpx.AsyncClient(base_url=self.base, timeout=60) as client:
            for turn in range(REQUESTS):
                started = time.monotonic()
                answer = await client.get(("/", subscribing.public_path())[turn % 2])
                times.append(time.monotonic() - started)
                assert answer.status_code == 200, answer.status_code
        return sorted(times)[-2]


@dataclass
class Trickle:
    """A way on which every byte of a reply takes its time."""

    target: int
    port: int = 0
    seconds: float = 0.0
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection."""
        task = asyncio.create_task(self._carry(reader, writer))
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        task.add_done_callback(lambda _: writer.close())

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            there, back = await asyncio.open_connection("127.0.0.1", self.target)
            ways = {
                asyncio.create_task(self._pump(reader, back, is_slow=False)),
                asyncio.create_task(self._pump(there, writer, is_slow=True)),
            }
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
                back.close()

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_slow: bool
    ) -> None:
        while data := await reader.read(1 if is_slow and self.seconds else 65536):
            if is_slow and self.seconds:
                await asyncio.sleep(self.seconds * len(data))
            writer.write(data)
            await writer.drain()


@asynccontextmanager
async def _trickling(target: int) -> AsyncIterator[Trickle]:
    trickle = Trickle(target)
    listener = await asyncio.start_server(trickle.accept, "127.0.0.1", 0)
    trickle.port = listener.sockets[0].getsockname()[1]
    try:
        yield trickle
    finally:
        listener.close()
        for task in list(trickle.tasks):
            task.cancel()
        await asyncio.gather(*trickle.tasks, return_exceptions=True)


async def play(tally: Tally) -> None:
    """Play all cases, then what tests play."""
    await _play_cases(tally)
    borrowed: Callable[[Tally], Awaitable[None]] = tests_of("F6")
    await borrowed(tally)


async def _play_cases(tally: Tally) -> None:
    tally.plan(map(_title, CASES))
    folder = test_database.make_folder()
    try:
        script = Faulty()
        async with (
            harness.open_stage(folder, people=LETTERS) as stage,
            smtp_servers.running(script) as server,
            proxy.running(server.port) as network,
            _trickling(network.port) as trickle,
        ):
            await publishing.ensure_all_feeds(stage.database)
            await stage.trust(trickle.port)
            port = free_port()
            more = {"TERMINBUCH_PORT": str(port), hurrying.VARIABLE: str(HASTE)}
            settings = stage.environment(trickle.port) | more
            async with programs.running(settings, "serve", "--role", "all") as program:
                base = f"http://localhost:{port}"
                await programs.until_ready(base, program)
                scene = Scene(stage, server, script, network, trickle, base)
                for name, case in CASES.items():
                    async with tally.run(_title(name)) as run:
                        await scene.play(run, case())
    finally:
        test_database.remove_folder(folder)


def _title(name: str) -> str:
    return f"the mail server {name}"
