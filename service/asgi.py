"""The ASGI application for a server that the operator runs: `service.asgi:app`.

It opens the database at the start of its lifespan; the worker runs as a process of its own
(`terminbuch serve --role worker`).
"""

import os
from contextlib import AsyncExitStack
from typing import Any

from service import app as wiring
from service.settings import Settings
from service.web.application import create_app

_settings = Settings.read(os.environ)


class _Lazy:
    """Build the application when the server opens the lifespan, not at import."""

    def __init__(self) -> None:
        self._stack = AsyncExitStack()
        self._application: Any = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        await self._application(scope, receive, send)

    async def _lifespan(self, receive: Any, send: Any) -> None:
        await receive()
        services = await self._stack.enter_async_context(wiring.open_services(_settings))
        self._application = create_app(services)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._stack.aclose()
        await send({"type": "lifespan.shutdown.complete"})


app = _Lazy()
