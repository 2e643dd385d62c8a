"""The faults of a storm: each lets one thing fail, and heals it again."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.faults.crew import Crew
from tests.faults.fleet import Fleet
from tests.faults.harness import Stage
from tests.faults.ledger import Heard
from tests.faults.proxy import Proxy
from tests.faults.servers import Fault, Faulty
from tests.notifications import smtp_servers
from tests.notifications.smtp_servers import Server

# Between two faults so many letters leave, answers and presses are acknowledged, and calendars are
# read, or all had so much time for it.
LETTERS_BETWEEN = 10
HEARD_BETWEEN = (3, 1, 4)
PATIENCE_SECONDS = 30.0
HEAL_SECONDS = (0.3, 3.0)
PAUSE_SECONDS = (0.2, 3.0)
REFUSALS = (
    ("RCPT", "451 4.3.0 later"),
    ("RCPT", "550 5.1.1 no such user"),
    ("MAIL", "421 4.3.2 going down"),
    ("DATA", "451 4.3.0 later"),
    (".", "451 4.3.0 later"),
    (".", "554 5.7.1 looks like spam"),
    (".", smtp_servers.CLOSE),
    ("CONNECT", "421 4.3.2 too many connections"),
    ("RCPT", "hello"),
)
SLOW = ("CONNECT", ".")
SLOW_SECONDS = (0.5, 4.0)
AWAY_SECONDS = (1.0, 8.0)
STEPS = ("-1h", "+3h", "+0")


_HANG_UP = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE application_name = 'terminbuch' AND pid <> pg_backend_pid()
"""

# Who is in a transaction, for how long, whom it waits for and what it said last.
_SESSIONS = """
SELECT pid, state, wait_event_type, wait_event, clock_timestamp() - xact_start AS lasts,
    pg_blocking_pids(pid) AS waits_for, left(query, 80) AS query
FROM pg_stat_activity WHERE xact_start IS NOT NULL AND pid <> pg_backend_pid() ORDER BY xact_start
"""


@dataclass
class Storm:
    """The faults, and how often each struck."""

    stage: Stage
    server: Server
    script: Faulty
    network: Proxy
    way: Proxy
    workers: Fleet
    pages: Fleet
    crew: Crew
    dice: random.Random
    clock: Path
    struck: Counter[str] = field(default_factory=Counter)

    @property
    def faults(self) -> dict[str, Callable[[], Awaitable[None]]]:
        """Return all faults by their names; refusals are as many as all others of the mail."""
        return {
            "refuse": self.refuse,
            "refuse_again": self.refuse,
            "cut": self.cut,
            "freeze_network": self.freeze_network,
            "be_slow": self.be_slow,
            "kill_worker": self.workers.kill_one,
            "stop_worker": self.workers.stop_one,
            "freeze_worker": self.workers.freeze_one,
            "kill_pages": self.pages.kill_one,
            "stop_pages": self.pages.stop_one,
            "freeze_pages": self.pages.freeze_one,
            "cut_pages_off": self.cut_pages_off,
            "lose_pages": self.lose_pages,
            "restart_database": self.stage.restart_at_once,
            "be_away": self.be_away,
            "hang_up": self.hang_up,
            "step_clocks": self.step_clocks,
        }

    async def strike(self, names: Sequence[str]) -> None:
        """Let one of these faults happen, and heal it."""
        await self.revive()
        await self.let_flow(PATIENCE_SECONDS)
        name = self.dice.choice(names)
        self.struck[name] += 1
        await self.faults[name]()
        await asyncio.sleep(self.dice.uniform(*PAUSE_SECONDS))

    async def revive(self) -> None:
        """Start anew whoever ended by itself."""
        await self.workers.revive()
        await self.pages.revive()

    async def let_flow(self, seconds: float) -> bool:
        """Wait until things went well for a while: who only ever starts meets no fault."""
        before, end = self.progress(), time.monotonic() + seconds
        wanted = [LETTERS_BETWEEN, *HEARD_BETWEEN]
        while time.monotonic() < end:
            now = self.progress()
            if all(b - a >= w for a, b, w in zip(before, now, wanted, strict=True)):
                return True
            await asyncio.sleep(0.1)
        return False

    def progress(self) -> tuple[int, int, int, int]:
        """Count letters that arrived, answers and presses that were acknowledged, and fetches."""
        told = self.crew.told
        return len(self.server.mails), *told.count(Heard.YES), len(told.fetches)

    async def sessions(self) -> list[dict[str, object]]:
        """Tell who is in the middle of something, for a run that ends badly."""
        return [dict(row) for row in await self.stage.database.fetch(_SESSIONS)]

    def heal(self) -> None:
        """Let all be well from now on, but for what is down: that comes back by itself."""
        self.script.faults, self.server.delays = [], {}
        self.network.heal()
        self.way.heal()
        self.clock.write_text("+0\n")

    async def refuse(self) -> None:
        """Let the mail server refuse, or lose, one to three letters."""
        phase, answer = self.dice.choice(REFUSALS)
        self.script.faults = [Fault(phase, answer, times=self.dice.randint(1, 3))]
        await asyncio.sleep(self.dice.uniform(*HEAL_SECONDS))
        self.script.faults = []

    async def cut(self) -> None:
        """Cut connections after some bytes, by FIN or RST."""
        self.network.reset = self.dice.random() < 0.5
        limit = self.dice.randint(1, 30000)
        if self.dice.random() < 0.3:
            self.network.cut_reply_after = limit % 600
        else:
            self.network.cut_after = limit
        await asyncio.sleep(self.dice.uniform(*HEAL_SECONDS))
        self.network.heal()

    async def freeze_network(self) -> None:
        """Let nothing pass for a while."""
        self.network.frozen = True
        await asyncio.sleep(self.dice.uniform(*HEAL_SECONDS))
        self.network.heal()

    async def be_slow(self) -> None:
        """Let the mail server take its time for a while."""
        self.server.delays = {self.dice.choice(SLOW): self.dice.uniform(*SLOW_SECONDS)}
        await asyncio.sleep(self.dice.uniform(*HEAL_SECONDS))
        self.server.delays = {}

    async def cut_pages_off(self) -> None:
        """Let the pages reach no database for a while, in the middle of what they write."""
        self.way.reset = self.dice.random() < 0.5
        self.way.close()
        await asyncio.sleep(self.dice.uniform(*HEAL_SECONDS))
        self.way.heal()
        await self.way.open()

    async def lose_pages(self) -> None:
        """Let what the pages hold of the database go dead without a word."""
        self.way.lose()
        await asyncio.sleep(self.dice.uniform(*HEAL_SECONDS))

    async def hang_up(self) -> None:
        """Let the database end all connections that stand."""
        await self.stage.database.fetch(_HANG_UP)

    async def be_away(self) -> None:
        """Let the database be away for longer than a restart takes."""
        await asyncio.to_thread(self.stage.postgres, "stop", "-m", "immediate")
        await asyncio.sleep(self.dice.uniform(*AWAY_SECONDS))
        await asyncio.to_thread(self.stage.server.start, fsync=True)

    async def step_clocks(self) -> None:
        """Set the clocks of all workers to another hour; without libfaketime nothing happens."""
        self.clock.write_text(self.dice.choice(STEPS) + "\n")
