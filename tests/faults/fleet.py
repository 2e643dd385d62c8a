"""Several real processes, some of which are killed, stopped or frozen while the others go on."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field

from tests.end_to_end import programs
from tests.end_to_end.programs import Program
from tests.faults import harness
from tests.faults.harness import Stage

# The pages send no mail.
UNUSED_PORT = 25
FROZEN_SECONDS = (0.5, 6.0)

Launch = Callable[[int], AbstractAsyncContextManager[Program]]


@dataclass
class Fleet:
    """Processes by their place; whoever ends is replaced."""

    name: str
    launch: Launch
    dice: random.Random
    stacks: list[AsyncExitStack] = field(default_factory=list)
    programs: list[Program] = field(default_factory=list)
    deaths: int = 0
    gave_up: int = 0

    async def start(self, count: int) -> None:
        """Start so many of them."""
        for place in range(count):
            stack = AsyncExitStack()
            self.stacks.append(stack)
            self.programs.append(await stack.enter_async_context(self.launch(place)))

    async def replace(self, place: int) -> None:
        """Start one where one has ended."""
        await self.stacks[place].aclose()
        self.stacks[place] = AsyncExitStack()
        self.programs[place] = await self.stacks[place].enter_async_context(self.launch(place))

    async def revive(self) -> None:
        """Start anew whoever ended by itself, as a supervisor does; most found no database."""
        for place, program in enumerate(self.programs):
            if program.process.returncode is not None:
                self.gave_up += 1
                said = next((line for line in reversed(program.lines) if line.strip()), "")
                print(f"{self.name} ended with {program.process.returncode}: {said}", flush=True)
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
    """Run so many workers, with more settings at will, and leave none behind."""
    workers = Fleet("a worker", lambda _: stage.worker(port, **more), dice)
    async with _out(workers, count):
        yield workers


@asynccontextmanager
async def serving(
    stage: Stage, ports: Sequence[int], dice: random.Random, **more: str
) -> AsyncIterator[Fleet]:
    """Run a process of the pages at each port, with more settings at will; all answer at first."""

    def launch(place: int) -> AbstractAsyncContextManager[Program]:
        settings = stage.environment(UNUSED_PORT) | {"TERMINBUCH_PORT": str(ports[place])} | more
        return programs.running(settings, "serve", "--role", "web")

    pages = Fleet("a process of the pages", launch, dice)
    async with _out(pages, len(ports)):
        for port, program in zip(ports, pages.programs, strict=True):
            await programs.until_ready(f"http://localhost:{port}", program)
        yield pages


@asynccontextmanager
async def _out(fleet: Fleet, count: int) -> AsyncIterator[None]:
    try:
        await fleet.start(count)
        yield
    except BaseException:
        for program in fleet.programs:
            print("\n".join(program.lines[-20:]))
        raise
    finally:
        await fleet.end()
