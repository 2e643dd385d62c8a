"""Run the HTTP server, the worker, or both in this process, and stop them gracefully."""

import asyncio
import platform
import signal
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import structlog
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server

from notifications import gates
from service import app, awaiting, watching
from service.embedded import EmbeddedServerError
from service.services import Services
from service.settings import Settings
from service.web import shortcut
from service.web.application import create_app
from service.web.bridge import Bridge, bridge_to
from service.web.outermost import Outermost

# Headers of a request must be there within this time, or the connection is given up.
HEADER_SECONDS = 10
# What is under way may finish; then the process ends whatever is left.
DRAIN_SECONDS = 30
_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
# Somebody has to change something before the next start.
_FATAL: tuple[type[Exception], ...] = (EmbeddedServerError, *awaiting.REFUSALS)

_log = structlog.get_logger(__name__)


def http_server(application: Bridge, host: str, port: int) -> Server:
    """Build the server of one application; it logs no paths."""
    return Server(
        application,
        address=host,
        port=port,
        interface=Interfaces.RSGI,
        # Proxies speak HTTP/1.1 to us; nothing else is there to be attacked.
        http=HTTPModes.http1,
        websockets=False,
        log_enabled=False,
        log_access=False,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_SECONDS * 1000),
        backlog=1024,
    )


def stop_on_signals() -> asyncio.Event:
    """Return an event that SIGTERM and SIGINT set, however often they come.

    A handler that is the loop's could only be replaced by way of the default, and a signal in that
    moment would be the end.
    """
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()

    def stop(*_: object) -> None:
        # Who insists may do so when the loop has ended.
        if not loop.is_closed():
            loop.call_soon_threadsafe(stopping.set)

    for number in _STOP_SIGNALS:
        signal.signal(number, stop)
    return stopping


def ignore_signals() -> None:
    """Let no second signal spoil the exit code of a process that is at its end."""
    for number in _STOP_SIGNALS:
        signal.signal(number, signal.SIG_IGN)


async def serve_until(stopping: asyncio.Event, application: Bridge, host: str, port: int) -> None:
    """Serve until the event is set; refuse to go on when the server cannot start."""
    server = http_server(application, host, port)
    serving = asyncio.create_task(server.serve(shortcut.spawn))
    waiting = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait({serving, waiting}, return_when=asyncio.FIRST_COMPLETED)
        if serving.done():
            waiting.cancel()
            serving.result()
            return
        server.stop()  # type: ignore[no-untyped-call]
        await asyncio.wait({serving}, timeout=DRAIN_SECONDS)
    finally:
        await application.close()


async def run(settings: Settings, role: str) -> int:
    """Run the role (`all`, `web` or `worker`) until a signal asks to stop.

    Return 1 when the database refuses us or the embedded one does not start. One that is away is
    waited for; meanwhile the pages say so.
    """
    stopping = stop_on_signals()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(watching.watched())
        entrance = await stack.enter_async_context(_entrance(stopping, settings))
        try:
            services = await _open(stack, entrance, role)
        except _FATAL as error:
            _log.error("database.refused", told=awaiting.describe(error))
            return 1
        if services is not None:
            await _work(stack, entrance, services, role)
        _log.info("stopping", role=role)
    ignore_signals()
    return 0


class _Entrance:
    """The pages of one process: at first a waiting room where need be, then the product.

    The server stays the same one, so nobody is refused in between.
    """

    def __init__(self, stopping: asyncio.Event, settings: Settings) -> None:
        self.stopping = stopping
        self.settings = settings
        self._bridge: Bridge | None = None
        self._serving: asyncio.Task[None] | None = None

    async def open_waiting_room(self) -> None:
        """Answer from now on that we live, and that there is no database."""
        self._open(create_app(app.services_without_database(self.settings)))

    async def serve(self, product: Outermost) -> None:
        """Lead everybody to the product, and serve it until the end."""
        if self._bridge is None:
            self._open(product)
        else:
            await self._bridge.lead_to(product)
        await self.close()

    async def close(self) -> None:
        """Wait for the end of the server, if there is one; raise why it could not start."""
        if self._serving is not None:
            await self._serving

    def _open(self, application: Outermost) -> None:
        host, port = self.settings.host, self.settings.port
        self._bridge = bridge_to(application)
        serving = serve_until(self.stopping, self._bridge, host, port)
        self._serving = asyncio.create_task(serving)
        # One that cannot start waits for nothing either.
        self._serving.add_done_callback(lambda _: self.stopping.set())


@asynccontextmanager
async def _entrance(stopping: asyncio.Event, settings: Settings) -> AsyncIterator[_Entrance]:
    """Yield the entrance; whatever ends the block ends its server, too."""
    entrance = _Entrance(stopping, settings)
    try:
        yield entrance
    finally:
        stopping.set()
        await entrance.close()


async def _open(stack: AsyncExitStack, entrance: _Entrance, role: str) -> Services | None:
    """Open everything, or return None when told to stop before it was there."""
    settings, stopping = entrance.settings, entrance.stopping

    def opens() -> Coroutine[Any, Any, Services]:
        return stack.enter_async_context(app.open_services(settings))

    if settings.database_url is None:
        # The embedded one is started by ourselves: whatever it lacks, it does not come later.
        return await awaiting.unless_stopped(opens(), stopping)

    async def receive_visitors() -> None:
        if role != "worker":
            await entrance.open_waiting_room()

    return await awaiting.open_patiently(opens, stopping, receive_visitors)


async def _work(stack: AsyncExitStack, entrance: _Entrance, services: Services, role: str) -> None:
    if role != "web":
        warn_of_python(guards_headers=gates.python_guards_headers())
        await stack.enter_async_context(app.working(services))
    _log.info("started", role=role, public_url=services.settings.public_url)
    if role == "worker":
        await entrance.stopping.wait()
    else:
        await entrance.serve(create_app(services))


def warn_of_python(*, guards_headers: bool) -> None:
    """Say once a start that Python itself would write a broken header; our gate still refuses."""
    if not guards_headers:
        _log.warning("python.lacks_a_repair", version=platform.python_version(), of="CVE-2024-6923")
