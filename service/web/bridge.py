"""Speak the server's own protocol (RSGI) to the ASGI application, and hand out kept feeds at once.

RSGI takes a whole answer in one call where ASGI awaits several messages; that is most of what a
feed from memory costs. Everything else goes on as ASGI. Answers are whole here: no page streams,
and an answer that breaks half-way becomes a 500 instead of half a page.
"""

from collections.abc import Mapping
from typing import Any

from service.feed_cache import FeedCache
from service.web.feeds import READING, choose, client_family
from service.web.outermost import App, Message, Outermost

_ASGI = {"version": "3.0", "spec_version": "2.3"}


class Bridge:
    """The RSGI application: everything through the ASGI application, and kept feeds before it."""

    def __init__(self, app: App, cache: FeedCache) -> None:
        self._app = app
        self._cache = cache

    async def __rsgi__(self, scope: Any, proto: Any) -> None:
        """Answer a request that `answer_kept` left; `scope` and `proto` are Granian's."""
        exchange = _Exchange(proto)
        await self._app(asgi_scope(scope), exchange.receive, exchange.send)

    async def lead_to(self, app: Outermost) -> None:
        """Lead to another application from now on; what is under way ends where it began."""
        former, self._app, self._cache = self._cache, app, app.feeds.cache
        await former.close()

    async def close(self) -> None:
        """Let go of what was kept, before the database is closed."""
        await self._cache.close()

    def answer_kept(self, scope: Any, proto: Any) -> bool:
        """Answer from memory without waiting, in any thread; False when somebody else has to."""
        entry = self._cache.at_hand(scope.path)
        method = scope.method
        if entry is None or method not in READING:
            return False
        # The server copies the headers each time they are asked for.
        headers = scope.headers
        known = headers.get("if-none-match")
        since = headers.get("if-modified-since") if known is None else None
        if known is not None and known != entry.answers.tag:
            known = ",".join(headers.get_all("if-none-match"))
        if entry.fetched_by is None and method == "GET":
            entry.fetched_by = client_family(headers.get("user-agent", ""))
        answer = choose(entry, method, known, since)
        if answer.body:
            proto.response_bytes(answer.status, answer.headers, answer.body)
        else:
            proto.response_empty(answer.status, answer.headers)
        return True


def bridge_to(app: Outermost) -> Bridge:
    """Return the RSGI application of the product."""
    return Bridge(app, app.feeds.cache)


class _Exchange:
    """The two ends of one request as ASGI knows them."""

    def __init__(self, proto: Any) -> None:
        self._proto = proto
        self._is_read = False
        self._status = 500
        self._headers: list[tuple[str, str]] = []
        self._parts: list[bytes] = []

    async def receive(self) -> Message:
        """Return the whole body, then wait until the client is gone.

        A body that ends too early is the news that the client left, or a cut form would be stored.
        """
        if not self._is_read:
            self._is_read = True
            try:
                return {"type": "http.request", "body": await self._proto(), "more_body": False}
            except RuntimeError:
                return {"type": "http.disconnect"}
        await self._proto.client_disconnect()
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Collect the answer and hand it over when it is whole."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            self._headers = [(name.decode(), value.decode()) for name, value in message["headers"]]
            return
        self._parts.append(message.get("body", b""))
        if message.get("more_body"):
            return
        body = b"".join(self._parts)
        if body:
            self._proto.response_bytes(self._status, self._headers, body)
        else:
            self._proto.response_empty(self._status, self._headers)


def asgi_scope(scope: Any) -> Mapping[str, Any]:
    """Return the ASGI connection scope of a request."""
    headers = [(name.encode(), value.encode("latin-1")) for name, value in scope.headers.items()]
    return {
        "type": "http",
        "asgi": _ASGI,
        "http_version": scope.http_version,
        "method": scope.method,
        "scheme": scope.scheme,
        "path": scope.path,
        "query_string": scope.query_string.encode(),
        "root_path": "",
        "headers": headers,
        "client": _address(scope.client),
        "server": _address(scope.server),
        "state": {},
    }


def _address(text: str) -> tuple[str, int] | None:
    """Split `host:port`, where an IPv6 host stands in brackets; None for a socket file."""
    host, colon, port = text.rpartition(":")
    return (host.strip("[]"), int(port)) if colon and port.isdigit() else None
