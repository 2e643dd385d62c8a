"""Several real workers, some of which are killed, stopped or frozen while the others go on."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field

from tests.end_to_end.programs import Program
from tests.faults import harness
from tests.faults.harness import Stage

READY_SECONDS = 60.0
FROZEN_SECONDS = (0.5, 6.0)


@dataclass
class Fleet:
    """Workers by their place; whoever ends is replaced."""

    stage: Stage
    port: int
    dice: random.Random
    more: dict[str, str]
    stacks: list[AsyncExitStack] = field(default_factory=list)
    programs: list[Program] = field(default_factory=list)
    deaths: int = 0
    gave_up: int = 0

    async def start(self, count: int) -> None:
        """Start so many workers."""
        for _ in range(count):
            stack = AsyncExitStack()
            self.stacks.append(stack)
            self.programs.append(await stack.enter_async_context(self._worker()))

    async def replace(self, place: int) -> None:
        """Start a worker where one has ended."""
        await self.stacks[place].aclose()
        self.stacks[place] = AsyncExitStack()
        self.programs[place] = await self.stacks[place].enter_async_context(self._worker())

    def _worker(self) -> AbstractAsyncContextManager[Program]:
        return self.stage.worker(self.port, **self.more)

    async def revive(self) -> None:
        """Start anew whoever ended by itself, as a supervisor does; most found no database."""
        for place, program in enumerate(self.programs):
            if program.process.returncode is not None:
                self.gave_up += 1
                said = next((line for line in reversed(program.lines) if line.strip()), "")
                print(f"a worker ended with {program.process.returncode}: {said}", flush=True)
                await self.replace(place)

    async def kill_one(self) -> None:
        """End any of them as a power cut would, and start another one."""
        place = self.dice.randrange(len(self.programs))
        with suppress(ProcessLookupError):
            await self.programs[place].kill()
        self.deaths += 1
        await self.replace(place)

    async def stop_one(self) -> None:
        """Ask any of them to stop, and start another one."""
        place = self.dice.randrange(len(self.programs))
        await self.programs[place].stop()
        await self.replace(place)

    async def freeze_one(self) -> None:
        """Freeze any of them for a while, longer than a lease perhaps."""
        program = self.dice.choice(self.programs)
        # It may end by itself at any moment.
        with suppress(ProcessLookupError):
            harness.freeze(program)
            await asyncio.sleep(self.dice.uniform(*FROZEN_SECONDS))
            harness.thaw(program)

    async def end(self) -> None:
        """Kill all that are left."""
        for program, stack in zip(self.programs, self.stacks, strict=True):
            if program.process.returncode is None:
                await program.kill()
            await stack.aclose()


@asynccontextmanager
async def sailing(
    stage: Stage, port: int, count: int, dice: random.Random, **more: str
) -> AsyncIterator[Fleet]:
    """Run a fleet, with more settings at will, and leave no worker behind."""
    fleet = Fleet(stage, port, dice, more)
    try:
        await fleet.start(count)
        yield fleet
    except BaseException:
        for program in fleet.programs:
            print("\n".join(program.lines[-20:]))
        raise
    finally:
        await fleet.end()
