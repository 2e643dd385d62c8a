"""Answer calendar programs: a plain ASGI callable before the router, from memory.

A cached feed is answered without waiting for anything. It never says 429, and no 5xx while a copy
is kept: several programs switch a calendar off for good when they meet one. It reads no cookie,
compresses nothing (Outlook) and writes nothing.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, MutableMapping, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from uuid import UUID

import structlog

from calendars import feed
from service import feeding, furnishing
from service.domain.errors import NotReadyError
from service.feed_cache import Answers, Entry, FeedCache, FeedCopy, Message
from service.feeding import Kitchen
from service.services import Services

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_ALLOW = (b"allow", b"GET, HEAD, OPTIONS")
_TEXT = (b"content-type", b"text/plain; charset=utf-8")
_RETRY = (b"retry-after", b"60")
_PRIVATE = (b"cache-control", b"private, no-cache")
_PUBLIC = (b"cache-control", b"public, max-age=300")
_MEGABYTE = 1_000_000
_FAMILIES = (
    (b"google", "Google"),
    (b"thunderbird", "Thunderbird"),
    (b"microsoft", "Outlook"),
    (b"outlook", "Outlook"),
    (b"dataaccessd", "Apple"),
    (b"calendaragent", "Apple"),
    (b"ios/", "Apple"),
    (b"macos/", "Apple"),
    (b"icsx5", "ICSx5"),
    (b"nextcloud", "Nextcloud"),
    (b"evolution", "Evolution"),
    (b"vdirsyncer", "vdirsyncer"),
    (b"mozilla", "Browser"),
)

Headers = tuple[tuple[bytes, bytes], ...]
_NO_BODY: Message = {"type": "http.response.body", "body": b"", "more_body": False}

_log = structlog.get_logger(__name__)


def feed_application(services: Services) -> "FeedApplication":
    """Return the callable for everything below /ics/."""
    return FeedApplication(services)


class FeedApplication:
    """The feeds of one process; sets all headers itself and lets no exception out."""

    def __init__(self, services: Services) -> None:
        self._services = services
        # Finished feeds take three quarters of the memory, single entries the rest.
        room = services.settings.feed_cache_mb * _MEGABYTE
        self._kitchen = Kitchen(
            services.database, services.settings, services.keys, max_bytes=room // 4
        )
        self.cache = FeedCache(
            load=self._load,
            poll=self._kitchen.versions,
            prepare=self._prepare,
            note=self._note,
            now=services.clock,
            month_of=feeding.month_of,
            max_bytes=room - room // 4,
        )
        self._safety = _safety_headers(is_local=services.settings.is_local)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Answer one request."""
        method = scope["method"]
        if method not in {"GET", "HEAD"}:
            status = 204 if method == "OPTIONS" else 405
            await self._answer(send, status, (_ALLOW, (b"content-length", b"0")), b"")
            return
        path = scope["path"]
        cache = self.cache
        entry = cache.entries.get(path)
        if entry is None or entry.is_doubtful or not cache.is_watching:
            entry = await self._find(send, method, path)
            if entry is None:
                return
        else:
            cache.was_used = True
            cache.entries.move_to_end(path)
        start, body = _choose(method, scope["headers"], entry)
        await send(start)
        await send(body)

    async def _find(self, send: Send, method: str, path: str) -> Entry | None:
        """Look the address up; answer here where there is nothing to show."""
        try:
            entry = await self.cache.find(path)
        except NotReadyError:
            await self._say(send, method, 503, b"Being set up.\n", _RETRY)
        except Exception:  # noqa: BLE001 - whatever it is, a calendar program gets an answer
            _log.warning("feeds.not_made", exc_info=True)
            await self._say(send, method, 503, b"Try again in a minute.\n", _RETRY)
        else:
            if entry is None:
                await self._say(send, method, 404, b"There is no calendar at this address.\n")
            return entry
        return None

    async def _load(self, path: str) -> FeedCopy | None:
        if not await furnishing.is_ready(self._services.database):
            raise NotReadyError
        address = feeding.read_path(path)
        if address is None:
            return None
        return await self._kitchen.make(address, self._services.clock())

    async def _note(self, fetched: Mapping[UUID, str]) -> None:
        await feeding.note_fetches(self._services.database, fetched, self._services.clock())

    def _prepare(self, copy: FeedCopy) -> Answers:
        """Write the headers of a copy once."""
        tag = copy.etag.encode()
        unchanged = (
            (b"etag", tag),
            (b"last-modified", _http_date(copy.changed_at)),
            _PRIVATE if copy.is_private else _PUBLIC,
            *self._safety,
        )
        full = (
            (b"content-type", b"text/calendar; charset=utf-8"),
            (b"content-disposition", f'inline; filename="{copy.filename}"'.encode()),
            (b"content-length", str(len(copy.body)).encode()),
            *unchanged,
        )
        return Answers(_start(copy.status, full), _start(304, unchanged), _body(copy.body), tag)

    async def _say(
        self, send: Send, method: str, status: int, text: bytes, *more: tuple[bytes, bytes]
    ) -> None:
        length = (b"content-length", str(len(text)).encode())
        headers = (_TEXT, length, (b"cache-control", b"no-store"), *more)
        await self._answer(send, status, headers, b"" if method == "HEAD" else text)

    async def _answer(self, send: Send, status: int, headers: Headers, body: bytes) -> None:
        await send(_start(status, (*headers, *self._safety)))
        await send(_body(body))


def _choose(
    method: str, headers: Sequence[tuple[bytes, bytes]], entry: Entry
) -> tuple[Message, Message]:
    """Return the two messages that answer a GET or HEAD with these headers."""
    if_none_match = if_modified_since = None
    for name, value in headers:
        if name == b"if-none-match":
            if_none_match = value if if_none_match is None else if_none_match + b"," + value
        elif name == b"if-modified-since":
            if_modified_since = value
    if entry.fetched_by is None:
        entry.fetched_by = client_family(headers)
    answers, copy = entry.answers, entry.copy
    if copy.status == 200 and (  # noqa: PLR2004
        if_none_match == answers.tag or _is_unchanged(copy, if_none_match, if_modified_since)
    ):
        return answers.unchanged, _NO_BODY
    return answers.full, _NO_BODY if method == "HEAD" else answers.body


def _is_unchanged(
    copy: FeedCopy, if_none_match: bytes | None, if_modified_since: bytes | None
) -> bool:
    if if_none_match is None and if_modified_since is None:
        return False
    return feed.not_modified(
        copy.etag,
        copy.changed_at,
        None if if_none_match is None else if_none_match.decode("latin-1"),
        None if if_modified_since is None else if_modified_since.decode("latin-1"),
    )


def _start(status: int, headers: Headers) -> Message:
    return {"type": "http.response.start", "status": status, "headers": list(headers)}


def _body(body: bytes) -> Message:
    return {"type": "http.response.body", "body": body, "more_body": False}


def client_family(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Return what kind of program asks, as coarse as the office needs it to help."""
    agent = next((value for name, value in headers if name == b"user-agent"), b"").lower()
    return next((family for sign, family in _FAMILIES if sign in agent), "andere")


def _http_date(moment: datetime) -> bytes:
    return format_datetime(moment.astimezone(UTC).replace(microsecond=0), usegmt=True).encode()


def _safety_headers(*, is_local: bool) -> Headers:
    headers = (
        (b"x-robots-tag", b"noindex"),
        (b"x-content-type-options", b"nosniff"),
        (b"referrer-policy", b"no-referrer"),
        (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"),
        (b"cross-origin-resource-policy", b"cross-origin"),
    )
    if is_local:
        return headers
    return (*headers, (b"strict-transport-security", b"max-age=31536000"))
