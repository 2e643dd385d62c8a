"""Answers that other sites may take and keep for a while: open to all, and never with a cookie."""

from datetime import UTC, datetime
from typing import Any

from litestar import Request
from litestar.response import Response

from calendars import feed

# Their page stays whole while we are away for a day.
_KEPT = "public, max-age=300, stale-if-error=86400"
FOR_EVER = "public, max-age=31536000, immutable"


def answer(
    request: "Request[Any, Any, Any]",
    body: bytes,
    content_type: str,
    *,
    kept: str = _KEPT,
    **more: str,
) -> Response[bytes]:
    """Return the body for any origin, or 304 where the reader has it; `more` are other headers."""
    headers = {
        "content-type": content_type,
        "etag": feed.etag(body),
        "cache-control": kept,
        "access-control-allow-origin": "*",
        "cross-origin-resource-policy": "cross-origin",
        **{name.replace("_", "-"): value for name, value in more.items()},
    }
    known = request.headers.get("if-none-match")
    # Only the tag is compared: a list also changes by the time that passes.
    if feed.not_modified(headers["etag"], datetime.max.replace(tzinfo=UTC), known, None):
        return Response(b"", status_code=304, headers=headers)
    return Response(body, headers=headers)
