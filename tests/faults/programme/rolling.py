"""F10: three replicas are restarted one after the other, ten times, while people and letters go on.

Each replica serves pages and sends letters. Before them is what any proxy does: who gets no reply,
or is told to come again, asks the next replica.
"""

import asyncio
import random
import time
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from notifications import hurrying
from service import publishing, subscribing
from tests import database as test_database
from tests.end_to_end import programs
from tests.end_to_end.programs import Program
from tests.faults import harness, servers
from tests.faults.crew import BROKEN, PRESSED, REFUSED
from tests.faults.harness import Stage
from tests.faults.programme.forms import Form, open_all, path_of
from tests.faults.programme.tallies import Run, Tally
from tests.faults.test_databases import ready
from tests.notifications import smtp_servers
from tests.notifications.smtp_servers import Server
from tests.ports import free_port

RUNS, REPLICAS, CLIENTS, PEOPLE, LETTERS = 10, 3, 8, 400, 300
DRAIN_SECONDS = 15.0
LOOK_SECONDS = 0.02
# A proxy gives up after that: by then every replica was asked more than once.
TRIES = 6
PAUSE_SECONDS = 0.05
THINKING_SECONDS = 0.05
BETWEEN_REQUESTS = 20
REPLY_SECONDS = 0.02
HASTE = 8
FORMS = 60

_INVITATIONS = "SELECT handle, epoch FROM invitation ORDER BY id LIMIT $1"
_RECEIPTS_ARE_DUE = """
UPDATE outbox SET next_attempt_at = now() WHERE state = 'queued' AND attempts = 0
    AND id IN (SELECT id FROM letter WHERE kind = 'receipt')
"""


@dataclass
class Traffic:
    """Clients that read and answer without an end, behind a proxy that asks again."""

    ports: Sequence[int]
    dice: random.Random
    forms: list[Form]
    feeds: list[str]
    asked: int = 0
    again: int = 0
    failed: list[str] = field(default_factory=list)
    is_over: bool = False

    async def flow(self) -> None:
        """Ask until it is over."""
        async with httpx.AsyncClient(timeout=60) as client, asyncio.TaskGroup() as tasks:
            for _ in range(CLIENTS):
                tasks.create_task(self._ask_on(client))

    async def _ask_on(self, client: httpx.AsyncClient) -> None:
        while not self.is_over:
            path, fields = self.dice.choice(self.forms)
            kind = self.dice.randrange(3)
            if kind == 0:
                said = {"answer": self.dice.choice(("in_person", "declined", "undecided"))}
                await self._ask(client, "POST", path, fields | said)
            else:
                page = path if kind == 1 else self.dice.choice(self.feeds)
                await self._ask(client, "GET", page, {})
            # A replica that starts needs the processor, too.
            await asyncio.sleep(THINKING_SECONDS)

    async def _ask(
        self, client: httpx.AsyncClient, method: str, path: str, fields: dict[str, str]
    ) -> None:
        """Ask one replica after the other, as a proxy does, and count what none could answer."""
        self.asked += 1
        start, heard = self.dice.randrange(REPLICAS), ""
        for turn in range(TRIES):
            url = f"http://localhost:{self.ports[(start + turn) % REPLICAS]}{path}"
            try:
                answer = await client.request(
                    method, url, data=fields or None, headers=PRESSED if fields else None
                )
            except httpx.TransportError as error:
                heard = type(error).__name__
            else:
                if answer.status_code < REFUSED:
                    return
                heard = str(answer.status_code)
                if answer.status_code < BROKEN:
                    break
            self.again += 1
            await asyncio.sleep(PAUSE_SECONDS)
        self.failed.append(f"{method} {path[:6]}: {heard}")


@dataclass
class Replicas:
    """Processes that do everything, at ports of their own."""

    stage: Stage
    server: Server
    ports: Sequence[int]
    stacks: list[AsyncExitStack] = field(default_factory=list)
    programs: list[Program] = field(default_factory=list)

    def launch(self, place: int) -> AbstractAsyncContextManager[Program]:
        """Start the replica of this place."""
        settings = self.stage.environment(self.server.port)
        more = {"TERMINBUCH_PORT": str(self.ports[place]), hurrying.VARIABLE: str(HASTE)}
        return programs.running(settings | more, "serve", "--role", "all")

    async def start(self) -> None:
        """Start all of them, and wait until they answer."""
        for place in range(len(self.ports)):
            self.stacks.append(AsyncExitStack())
            self.programs.append(await self.stacks[place].enter_async_context(self.launch(place)))
            await self._until_ready(place)

    async def _until_ready(self, place: int) -> None:
        port = self.ports[place]
        await self.stage.until(lambda: ready(port, httpx.codes.OK), f"replica {place} is ready")

    async def restart(self, place: int) -> tuple[int, float, float]:
        """Ask one to stop, start it anew, and return its exit code and how long it took to end.

        The last figure is how much of that it waited for a processor that others had.
        """
        asked, before = time.monotonic(), _waited(self.programs[place])
        stopping = asyncio.create_task(self.programs[place].stop())
        waited = before
        while not stopping.done():
            waited = max(waited, _waited(self.programs[place]))
            await asyncio.wait({stopping}, timeout=LOOK_SECONDS)
        code, seconds = stopping.result(), time.monotonic() - asked
        await self.stacks[place].aclose()
        self.stacks[place] = AsyncExitStack()
        self.programs[place] = await self.stacks[place].enter_async_context(self.launch(place))
        await self._until_ready(place)
        return code, seconds, waited - before

    async def end(self) -> None:
        """End all of them."""
        for stack in self.stacks:
            await stack.aclose()


async def play(tally: Tally) -> None:
    """Play all runs."""
    plan = {f"three replicas restarted, run {turn + 1}": turn for turn in tally.turns(RUNS)}
    tally.plan(plan)
    folder = test_database.make_folder()
    try:
        async with (
            harness.open_stage(folder, people=PEOPLE) as stage,
            smtp_servers.running() as server,
        ):
            await stage.trust(server.port)
            await publishing.ensure_all_feeds(stage.database)
            server.delays["."] = REPLY_SECONDS
            replicas = Replicas(stage, server, [free_port() for _ in range(REPLICAS)])
            try:
                await replicas.start()
                for title, turn in plan.items():
                    async with tally.run(title) as run:
                        await _roll(run, replicas, random.Random(f"{tally.seed}:{turn}"))  # noqa: S311
            finally:
                await replicas.end()
    finally:
        test_database.remove_folder(folder)


async def _roll(run: Run, replicas: Replicas, dice: random.Random) -> None:
    stage = replicas.stage
    await stage.clean()
    replicas.server.mails.clear()
    traffic = await _traffic(replicas, dice)
    flowing = asyncio.create_task(traffic.flow())
    try:
        await stage.post(LETTERS)
        for place in range(REPLICAS):
            before = traffic.asked

            async def has_flowed(before: int = before) -> bool:
                return traffic.asked >= before + BETWEEN_REQUESTS

            await stage.until(has_flowed, "requests are answered")
            code, seconds, waited = await replicas.restart(place)
            run.recoveries.append(seconds - waited)
            took = f"{seconds:.1f} s to end, {waited:.1f} s of it without a processor"
            run.expect(holds=code == 0, otherwise=f"a replica ended with {code}")
            run.expect(holds=seconds - waited < DRAIN_SECONDS, otherwise=f"it took {took}")
            run.notes.append(took)
    finally:
        traffic.is_over = True
        await flowing
    # Who answers again and again gets a receipt every two minutes: nobody learns from that wait.
    await stage.database.fetch(_RECEIPTS_ARE_DUE)
    await stage.settled(hurry=False)
    run.judge(await stage.history(servers.copies(replicas.server)))
    run.expect(holds=run.unclear == 0, otherwise=f"{run.unclear} letters are unclear")
    run.wrong += traffic.failed
    run.notes.append(
        f"{traffic.asked} requests, {len(traffic.failed)} failed, {traffic.again} asked again"
    )


async def _traffic(replicas: Replicas, dice: random.Random) -> Traffic:
    rows = await replicas.stage.database.fetch(_INVITATIONS, FORMS)
    paths = [path_of(row["handle"], row["epoch"]) for row in rows]
    forms = await open_all(f"http://localhost:{replicas.ports[0]}", paths)
    return Traffic(replicas.ports, dice, forms, [subscribing.public_path(), "/"])


def _waited(program: Program) -> float:
    """Return for how long the process was ready to go on and had no processor; 0 when unknown."""
    with suppress(OSError, ValueError, IndexError):
        waited = Path(f"/proc/{program.process.pid}/schedstat").read_text().split()[1]
        return int(waited) / 1e9
    return 0.0
