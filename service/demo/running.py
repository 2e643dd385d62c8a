"""`terminbuch demo`: the product on the alliance's data, on this machine only, until Ctrl-C."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

from service import app, authenticating, serving
from service.demo import staging
from service.demo.box import PREFIX, with_box
from service.demo.ports import free_port
from service.demo.staging import Stage
from service.web.application import create_app
from service.web.bridge import Bridge

# The reminder of the prepared session leaves while people still look around.
REMINDER_IN = timedelta(seconds=45)


@contextmanager
def own_folder() -> Iterator[Path]:
    """Lend a folder below ./var that goes with the demo; killed demos' folders go as well."""
    root = Path("var")
    root.mkdir(mode=0o700, exist_ok=True)
    for old in root.glob("demo-*"):
        if not _is_running(old.name.removeprefix("demo-")):
            shutil.rmtree(old, ignore_errors=True)
    folder = root / f"demo-{os.getpid()}"
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        if not any(root.iterdir()):
            root.rmdir()


def _is_running(pid: str) -> bool:
    try:
        os.kill(int(pid), 0)
    except (ValueError, ProcessLookupError):
        return False
    except PermissionError:
        return True
    return True


async def run(first_port: int, say: Callable[[str], object]) -> int:
    """Run the demo until a signal comes."""
    stopping = serving.stop_on_signals()
    say("Einen Moment, die Vorführung wird eingerichtet ...")
    port = free_port(first_port)
    with own_folder() as folder:
        async with (
            staging.set_up(folder, port, due_in=REMINDER_IN) as stage,
            app.working(stage.services),
        ):
            await _announce(stage, say)
            product = create_app(stage.services)
            application = with_box(product, stage.services, stage.catcher)
            bridge = Bridge(application, product.feeds.cache)
            await serving.serve_until(stopping, bridge, "127.0.0.1", port)
    say("Die Vorführung ist beendet; es bleibt nichts zurück.")
    return 0


async def _announce(stage: Stage, say: Callable[[str], object]) -> None:
    services = stage.services
    path = await authenticating.print_link(
        services.database, services.keys, stage.coordinator_id, services.clock()
    )
    day = services.clock().astimezone(staging.ZONE)
    for line in (
        "",
        f"  Termine (öffentlich)       {stage.base}/",
        f"  Büro, Anmeldung            {stage.base}{path}",
        f"  Postfach aller Briefe      {stage.base}{PREFIX}",
        f"  Kalender abonnieren        {stage.base}/kalender",
        "",
        f"  Weitere Zugänge: {staging.LEAD} (Leitung AG Klima); der Link dazu kommt ins Postfach.",
        f"  Gegen {day + REMINDER_IN:%H:%M:%S} Uhr geht eine Erinnerung an alle hinaus, die beim",
        "  Vorgespräch Leerstandsbewältigung dabei sind.",
        "  Alles läuft auf localhost, weil Browser Anmeldungen nur dort ohne https behalten.",
        "  Strg-C beendet die Vorführung.",
        "",
    ):
        say(line)
