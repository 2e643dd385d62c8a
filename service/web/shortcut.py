"""Answer kept feeds on the server's own thread, before the event loop hears of them.

Granian hands each request from its network thread to a thread that may run Python, and that one
wakes the event loop up, which makes a task. For a feed from memory the second half of this way
costs more than the answer. So the thread that may run Python answers it; whatever needs the
database, or anything else that one waits for, goes on to the loop as always.

This stands in the place of Granian's own `Server._spawn_rsgi_worker` and follows it line by line.
"""

import asyncio
import os
import socket
from collections.abc import Callable
from contextvars import Context
from typing import Any

import structlog
from granian._granian import CallbackScheduler, RSGIWorker
from granian.server.embed import AsyncWorker

from notifications.hurrying import hurried
from service.web.bridge import Bridge

# Whoever asks and takes nothing of the answer for so long is gone, or holds a place on purpose:
# the server itself would wait for ever. In a tunnel one is for a minute at most.
STALLED_SECONDS = hurried(60.0, least=2.0)

_log = structlog.get_logger(__name__)


class _Scheduler(CallbackScheduler):
    """What the server calls with every request, in a thread that is not the loop's.

    The three after the bridge serve tasks that are none of asyncio's; there are none here.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop, bridge: Bridge, *_: None) -> None:
        super().__init__()
        self._schedule_fn = _dispatcher(loop, self._ctx, bridge)


async def _spawn(
    worker_id: int,
    shutdown_event: Any,
    bridge: Bridge,
    sock: Any,
    loop: asyncio.AbstractEventLoop,
    *options: Any,
) -> None:
    """Serve with one worker until the event is set."""
    specification, shared = sock
    listener = shared or specification.build()
    _let_go_of_stalled(listener.get_fd())
    # Threads and backpressure, the kind of tasks, protocols, the access log, TLS, prefixes.
    threads, protocols, tls = options[:5], options[6:11], options[12]
    stopped = loop.create_future()
    shutdown_event.add_cb(lambda: loop.call_soon_threadsafe(stopped.set_result, None))
    build: Any = RSGIWorker
    worker = build(worker_id, (None, listener), None, *threads, *protocols, *tls, (None, None))
    worker.serve_async(_Scheduler(loop, bridge, None, None, None), loop, shutdown_event)
    await stopped


def _let_go_of_stalled(descriptor: int) -> None:
    """Let the kernel end connections whose other end takes nothing; each inherits it (Linux)."""
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        with socket.socket(fileno=os.dup(descriptor)) as listener:
            limit = int(STALLED_SECONDS * 1000)
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, limit)


spawn = AsyncWorker.wrap_target(_spawn)  # type: ignore[no-untyped-call]


def _dispatcher(
    loop: asyncio.AbstractEventLoop, context: Context, bridge: Bridge
) -> Callable[[Any], None]:
    def start(watcher: Any) -> None:
        watcher.taskref(loop.create_task(_answer(bridge, watcher)))

    def dispatch(watcher: Any) -> None:
        """Answer at once or leave it to the loop; the server would not hear of an exception."""
        try:
            if bridge.answer_kept(watcher.scope, watcher.proto):
                return
        except Exception:  # noqa: BLE001 - the loop tries again, and answers whatever it is
            _log.warning("feeds.not_at_once", exc_info=True)
        loop.call_soon_threadsafe(start, watcher, context=context)

    return dispatch


async def _answer(bridge: Bridge, watcher: Any) -> None:
    try:
        await bridge.__rsgi__(watcher.scope, watcher.proto)
    except BaseException as error:  # noqa: BLE001 - the server has to know, or the client waits
        watcher.err(error)
    else:
        watcher.done()
