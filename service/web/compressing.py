"""Compress whole HTML answers for those who accept it; everything else passes as it is.

Feeds are never compressed, and streams are not ours to hold back.
"""

import gzip
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

Message = MutableMapping[str, Any]
Header = tuple[bytes, bytes]

# Below this the headers weigh more than what is saved.
_LEAST_BYTES = 600
_LEVEL = 6


class Compressing:
    """An ASGI `send` that holds the start of an HTML answer until its body is known."""

    def __init__(self, send: Callable[[Message], Awaitable[None]], *, accepted: bool) -> None:
        self._send = send
        self._accepted = accepted
        self._start: Message | None = None

    async def __call__(self, message: Message) -> None:
        """Pass a message on."""
        if message["type"] == "http.response.start" and _is_html(message["headers"]):
            headers = [*message["headers"], (b"vary", b"accept-encoding")]
            self._start = {**message, "headers": headers}
            return
        if self._start is None:
            await self._send(message)
            return
        start, self._start = self._start, None
        body = message.get("body", b"")
        if self._accepted and not message.get("more_body") and len(body) >= _LEAST_BYTES:
            body = gzip.compress(body, _LEVEL, mtime=0)
            start = {**start, "headers": _compressed_headers(start["headers"], len(body))}
            message = {**message, "body": body}
        await self._send(start)
        await self._send(message)


def accepts_gzip(headers: Iterable[Header]) -> bool:
    """Tell whether the request takes gzip (RFC 9110, section 12.5.3)."""
    offered = b",".join(value for key, value in headers if key == b"accept-encoding").lower()
    for part in offered.split(b","):
        name, _, weight = part.partition(b";")
        refused = weight.replace(b" ", b"").rstrip(b"0.") == b"q="
        if name.strip() in {b"gzip", b"*"} and not refused:
            return True
    return False


def _is_html(headers: Iterable[Header]) -> bool:
    found = dict(headers)
    content_type = found.get(b"content-type", b"")
    return content_type.startswith(b"text/html") and b"content-encoding" not in found


def _compressed_headers(headers: Iterable[Header], length: int) -> list[Header]:
    kept = [(key, value) for key, value in headers if key != b"content-length"]
    return [*kept, (b"content-encoding", b"gzip"), (b"content-length", str(length).encode())]
