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
    """Return an event that SIGTERM and SIGINT set, however often they come."""
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in _STOP_SIGNALS:
        loop.add_signal_handler(number, stopping.set)
    return stopping


def ignore_signals() -> None:
    """Let no second signal spoil the exit code of a process that is at its end."""
    loop = asyncio.get_running_loop()
    for number in _STOP_SIGNALS:
        loop.remove_signal_handler(number)
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
        try:
            services = await _open(stack, stopping, settings, role)
        except _FATAL as error:
            _log.error("database.refused", told=awaiting.describe(error))
            return 1
        if services is not None:
            await _work(stack, stopping, services, role)
        _log.info("stopping", role=role)
    ignore_signals()
    return 0


async def _open(
    stack: AsyncExitStack, stopping: asyncio.Event, settings: Settings, role: str
) -> Services | None:
    """Open everything, or return None when told to stop before it was there."""

    def opens() -> Coroutine[Any, Any, Services]:
        return stack.enter_async_context(app.open_services(settings))

    if settings.database_url is None:
        # The embedded one is started by ourselves: whatever it lacks, it does not come later.
        return await awaiting.unless_stopped(opens(), stopping)
    async with AsyncExitStack() as waiting:

        async def receive_visitors() -> None:
            if role != "worker":
                await waiting.enter_async_context(_waiting_room(settings))

        return await awaiting.open_patiently(opens, stopping, receive_visitors)


@asynccontextmanager
async def _waiting_room(settings: Settings) -> AsyncIterator[None]:
    """Answer that we live, and that there is no database, while the block lasts."""
    found = asyncio.Event()
    application = bridge_to(create_app(app.services_without_database(settings)))
    serving = asyncio.create_task(serve_until(found, application, settings.host, settings.port))
    try:
        yield
    finally:
        found.set()
        await serving


async def _work(
    stack: AsyncExitStack, stopping: asyncio.Event, services: Services, role: str
) -> None:
    if role != "web":
        warn_of_python(guards_headers=gates.python_guards_headers())
        await stack.enter_async_context(app.working(services))
    _log.info("started", role=role, public_url=services.settings.public_url)
    await _serve_role(stopping, services, role)


def warn_of_python(*, guards_headers: bool) -> None:
    """Say once a start that Python itself would write a broken header; our gate still refuses."""
    if not guards_headers:
        _log.warning("python.lacks_a_repair", version=platform.python_version(), of="CVE-2024-6923")


async def _serve_role(stopping: asyncio.Event, services: Services, role: str) -> None:
    if role == "worker":
        await stopping.wait()
        return
    settings = services.settings
    await serve_until(stopping, bridge_to(create_app(services)), settings.host, settings.port)
