"""Call the hottest forms without the framework's router.

Routing, injection and the building of a response take a third of the time of an answer by link. A
handler with `opt["direct"]` is therefore called here, behind the same guard and with the same
answers to errors. Only the plainest request comes this way: a form of the usual encoding, at an
address as letters write it. Whatever is odd goes through the router, which knows what to say.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from litestar import Litestar, Request
from litestar.handlers import HTTPRouteHandler
from litestar.response import Response

from service.web import errors
from service.web.guard import guard
from service.web.visitors import VISITOR

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_FORM = b"application/x-www-form-urlencoded"
_HOST = re.compile(rb"[A-Za-z0-9.-]+(:[0-9]{1,5})?")
# Tokens as `service.tokens` writes them.
_PLACE = "{token:str}"
_TOKEN = "([a-z2-7]{52})"  # noqa: S105 - what a token looks like


class Direct:
    """The ASGI application of all pages: the direct ones from here, the rest by the router."""

    def __init__(self, app: Litestar) -> None:
        self._app = app
        self._routes = _direct_routes(app)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        found = self._find(scope) if scope["type"] == "http" else None
        if found is None:
            await self._app(scope, receive, send)  # type: ignore[arg-type]
            return
        request = self._request(scope, receive, send, found)
        response = await _respond(request, found[0])
        body: bytes = response.content
        headers = [
            (key.lower().encode(), value.encode()) for key, value in response.headers.items()
        ]
        headers.append((b"content-length", str(len(body)).encode()))
        await send(
            {"type": "http.response.start", "status": response.status_code, "headers": headers}
        )
        await send({"type": "http.response.body", "body": body, "more_body": False})

    def _find(self, scope: Scope) -> tuple[HTTPRouteHandler, str, str] | None:
        """Return handler, path template and token of a plain request, None for all others."""
        if scope["method"] != "POST" or not _is_plain(scope["headers"]):
            return None
        for pattern, handler, template in self._routes:
            match = pattern.fullmatch(scope["path"])
            if match is not None:
                return handler, template, match[1]
        return None

    def _request(
        self, scope: Scope, receive: Receive, send: Send, found: tuple[HTTPRouteHandler, str, str]
    ) -> "Request[Any, Any, Any]":
        handler, template, token = found
        scope["app"] = scope["litestar_app"] = self._app
        scope["route_handler"] = handler
        scope["path_template"] = template
        scope["path_params"] = {"token": token}
        return Request(scope, receive, send)  # type: ignore[arg-type]


def _direct_routes(app: Litestar) -> list[tuple[re.Pattern[str], HTTPRouteHandler, str]]:
    found = []
    for route in app.routes:
        for handler in getattr(route, "route_handlers", ()):
            if handler.opt.get("direct"):
                written = re.escape(route.path).replace(re.escape(_PLACE), _TOKEN)
                found.append((re.compile(written), handler, route.path))
    return found


def _is_plain(headers: list[tuple[bytes, bytes]]) -> bool:
    """Tell whether the form has the usual encoding and the host is a name or an IPv4 address."""
    kinds = [value for name, value in headers if name == b"content-type"]
    hosts = [value for name, value in headers if name == b"host"]
    return kinds == [_FORM] and len(hosts) == 1 and _HOST.fullmatch(hosts[0]) is not None


async def _respond(request: "Request[Any, Any, Any]", handler: HTTPRouteHandler) -> Response[Any]:
    try:
        await guard(request, handler)
        called: Response[Any] = await handler.fn(
            request,
            **request.path_params,
            visitor=request.scope[VISITOR],  # type: ignore[literal-required]
        )
    except Exception as error:  # noqa: BLE001 - each kind has its answer, the last is our 500
        return _answer_to(error)(request, error)
    return called


def _answer_to(error: Exception) -> Callable[[Any, Exception], Response[Any]]:
    handlers: Mapping[Any, Any] = errors.HANDLERS
    return next(handlers[kind] for kind in type(error).__mro__ if kind in handlers)  # type: ignore[no-any-return]
