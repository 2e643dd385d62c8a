"""`terminbuch demo --check`: play the whole chain without a person, and say what was seen.

The play uses the pages as people do: it opens them, follows links and presses buttons, and reads
the letters that a real SMTP server got. A step that does not find what it needs fails the check.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import date, timedelta

from service import app, serving
from service.demo import staging
from service.demo.play import Failed, Play
from service.demo.ports import free_port
from service.demo.running import own_folder
from service.demo.steps import STEPS
from service.demo.visitor import LostError, Visitor
from service.web.application import create_app
from service.web.bridge import bridge_to

REMINDER_IN = timedelta(seconds=20)
SESSION_IN_DAYS = 40

Step = Callable[[Play], Awaitable[str]]


async def run(first_port: int, say: Callable[[str], object]) -> int:
    """Play all steps; return 0 only if every one held."""
    started = time.monotonic()
    with own_folder() as folder:
        async with (
            staging.set_up(folder, free_port(first_port), due_in=REMINDER_IN) as stage,
            app.working(stage.services),
        ):
            stopping = asyncio.Event()
            settings = stage.services.settings
            pages = asyncio.create_task(
                serving.serve_until(
                    stopping, bridge_to(create_app(stage.services)), "127.0.0.1", settings.port
                )
            )
            play = Play(stage, Visitor(stage.base), Visitor(stage.base), _first_day())
            held = await _play(play, say)
            await play.close()
            stopping.set()
            await pages
    seconds = time.monotonic() - started
    say(f"{'All steps held' if held else 'The check failed'} ({seconds:.0f} s).")
    return 0 if held else 1


def _first_day() -> date:
    """Return a working day some weeks ahead; the day of the week is what people expect."""
    day = date.today() + timedelta(days=SESSION_IN_DAYS)  # noqa: DTZ011 - any day will do
    return day + timedelta(days=(7 - day.weekday()) % 7 + 1)


async def _play(play: Play, say: Callable[[str], object]) -> bool:
    for number, (name, step) in enumerate(STEPS, 1):
        try:
            seen = await step(play)
        except (Failed, LostError, TimeoutError) as problem:
            say(f"{number:2} FAILED {name}: {problem or type(problem).__name__}")
            return False
        say(f"{number:2} ok     {name}: {seen}")
    return True
