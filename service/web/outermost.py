"""What surrounds every request: limits, headers, HEAD, compression, the log line, the last net."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from uuid import uuid4

import structlog

from service import furnishing
from service.pages.rendering import split_locale
from service.services import Services
from service.web import errors
from service.web.compressing import Compressing, accepts_gzip
from service.web.feeds import FeedApplication
from service.web.headers import add_headers
from service.web.visitors import FACTS, Facts, unknown

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Any, Any, Any], Awaitable[None]]

FEEDS = "/ics/"
METHODS = frozenset({"GET", "HEAD", "POST"})
# The body must be here within this time, and the whole answer within the second one.
RECEIVE_SECONDS = 15.0
REQUEST_SECONDS = 30.0
# No route takes more; a larger announced body is refused before it is read.
LARGEST_BODY = 2_500_000
LONGEST_PATH = 1000
# Controls, what stands where bytes were no UTF-8, and slashes that the router would forgive: no
# address of ours has them.
_ODD_PATH = re.compile("[\x00-\x1f\x7f-\x9f\ufffd\ud800-\udfff]|//")

_log = structlog.get_logger(__name__)


class _ClientGoneError(BaseException):
    """Nobody is left to read the answer.

    The framework would make a defect of ours of any other exception, and answer it.
    """


class Outermost:
    """The ASGI application; lifespan messages pass through untouched."""

    def __init__(self, app: App, feeds: FeedApplication, services: Services) -> None:
        self.app = app
        self.feeds = feeds
        self._services = services

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one connection."""
        if scope["type"] == "http" and scope["path"].startswith(FEEDS):
            # Feeds set their own headers and catch their own errors; whatever else happened here
            # would cost more than the answer itself.
            try:
                await self.feeds(scope, receive, send)
            except Exception as error:  # noqa: BLE001 - as below
                await self._catch(_Exchange(scope, receive, send, self._services), error)
            return
        if scope["type"] != "http":
            await self._pass(scope, receive, send)
            return
        exchange = _Exchange(scope, receive, send, self._services)
        try:
            async with asyncio.timeout(REQUEST_SECONDS):
                await self._route(exchange)
        except _ClientGoneError:
            exchange.note("gone")
        except Exception as error:  # noqa: BLE001 - the last net: whatever it is, we answer
            await self._catch(exchange, error)
        finally:
            exchange.log()

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let lifespan through; there are no websockets here."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1000})

    async def _route(self, exchange: "_Exchange") -> None:
        refused = exchange.refusal()
        if refused is not None:
            await self._refuse(exchange, *refused)
        else:
            await self.app(exchange.scope, exchange.receive, exchange.send)

    async def _refuse(self, exchange: "_Exchange", status: int, code: str) -> None:
        known = furnishing.last_known(self._services.database)
        visitor = unknown(exchange.facts, known, self._services.clock())
        if exchange.facts.path.startswith("/health/"):
            response = errors.problem(status, code)
        else:
            response = errors.render_page(self._services, visitor, status, code)
        await exchange.answer(status, dict(response.headers), response.content)

    async def _catch(self, exchange: "_Exchange", error: Exception) -> None:
        if exchange.status is not None:
            # Half an answer is out; cutting the connection is the only honest end.
            _log.error("request.cut", request_id=exchange.facts.request_id, exc_info=error)
            raise error
        slow = isinstance(error, TimeoutError)
        if slow:
            _log.warning("request.too_slow", route=exchange.route)
        else:
            _log.error(
                "request.failed",
                route=exchange.route,
                request_id=exchange.facts.request_id,
                exc_info=error,
            )
        await self._refuse(exchange, *((503, "maintenance") if slow else (500, "failed")))


class _Exchange:
    """One request and its answer on their way through."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, services: Services) -> None:
        self.started = time.monotonic()
        locale, path = split_locale(scope["path"])
        self.method: str = scope["method"]
        self.facts = Facts(uuid4().hex, locale, path, self.method == "HEAD")
        self.scope = {**scope, FACTS: self.facts}
        if self.method == "HEAD":
            self.scope["method"] = "GET"
        self.status: int | None = None
        self.template = ""
        self._receive = receive
        self._is_local = services.settings.is_local
        self._sender = Compressing(send, accepted=accepts_gzip(scope["headers"]))
        self._deadline = self.started + RECEIVE_SECONDS
        self._received = 0
        self._is_whole = False
        self._outcome = ""

    @property
    def route(self) -> str:
        """Return the template of the route; the path itself may hold a token."""
        return self.template or str(self.scope.get("path_template") or "")

    def refusal(self) -> tuple[int, str] | None:
        """Tell what is wrong with the request before anything reads it."""
        if self.method not in METHODS:
            return 405, "method"
        if _ODD_PATH.search(self.scope["path"]) or len(self.scope["path"]) > LONGEST_PATH:
            return 404, "not_found"
        if b"%00" in self.scope.get("query_string", b""):
            return 400, "bad_request"
        length = next((v for k, v in self.scope["headers"] if k == b"content-length"), None)
        if length is None:
            # A body whose length nobody tells could be read without end, or be cut unnoticed.
            return (411, "no_length") if self.method == "POST" else None
        if not length.isdigit() or int(length[:12]) > LARGEST_BODY:
            return 413, "too_large"
        return None

    async def receive(self) -> Message:
        """Hand the body on, within its time and size."""
        if self._is_whole:
            # What comes now is only the news that the client left.
            return await self._receive()
        async with asyncio.timeout(max(0.0, self._deadline - time.monotonic())):
            message = await self._receive()
        if message["type"] == "http.disconnect":
            raise _ClientGoneError
        self._received += len(message.get("body", b""))
        if self._received > LARGEST_BODY:
            raise _ClientGoneError
        self._is_whole = not message.get("more_body", False)
        return message

    async def send(self, message: Message) -> None:
        """Complete the headers of the answer; the body of HEAD stays here."""
        if message["type"] == "http.response.start":
            self.status = message["status"]
            given = message.get("headers", ())
            headers = add_headers(given, self.facts, self.scope, is_local=self._is_local)
            message = {**message, "headers": headers}
        elif self.method == "HEAD":
            if message.get("more_body"):
                return
            message = {**message, "body": b""}
        await self._sender(message)

    async def answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        """Send a whole answer of our own."""
        raw = [(key.lower().encode(), value.encode()) for key, value in headers.items()]
        raw.append((b"content-length", str(len(body)).encode()))
        if status == 405:  # noqa: PLR2004
            raw.append((b"allow", b"GET, HEAD, POST"))
        await self.send({"type": "http.response.start", "status": status, "headers": raw})
        await self.send({"type": "http.response.body", "body": body})

    def note(self, outcome: str) -> None:
        """Remember how it ended where no status tells."""
        self._outcome = outcome

    def log(self) -> None:
        """Write the one line of this request: no path, no address, no cookie."""
        _log.info(
            "request",
            method=self.method,
            route=self.route,
            status=self.status,
            ms=round((time.monotonic() - self.started) * 1000, 1),
            request_id=self.facts.request_id,
            **({"outcome": self._outcome} if self._outcome else {}),
        )
