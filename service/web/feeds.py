"""Answer calendar programs: a plain ASGI callable before the router, from memory.

A cached feed is answered without waiting for anything. It never says 429, and no 5xx while a copy
is kept: several programs switch a calendar off for good when they meet one. It reads no cookie,
compresses nothing (Outlook) and writes nothing.
"""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import partial
from typing import Any
from uuid import UUID

import structlog

from calendars import feed
from service import feed_hints, feed_paths, feeding, furnishing
from service.domain.errors import NotReadyError
from service.feed_cache import (
    PATIENCE_SECONDS,
    POLL_SECONDS,
    Answer,
    Answers,
    Entry,
    FeedCache,
    FeedCopy,
    Fetch,
)
from service.feeding import Kitchen
from service.services import Services

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_ALLOW = ("allow", "GET, HEAD, OPTIONS")
_NOTHING = ("content-length", "0")
_TEXT = ("content-type", "text/plain; charset=utf-8")
_RETRY = ("retry-after", "60")
_PRIVATE = ("cache-control", "private, no-cache")
_PUBLIC = ("cache-control", "public, max-age=300")
_MEGABYTE = 1_000_000
READING = frozenset({"GET", "HEAD"})
_FAMILIES = (
    ("google", "Google"),
    ("thunderbird", "Thunderbird"),
    ("microsoft", "Outlook"),
    ("outlook", "Outlook"),
    ("dataaccessd", "Apple"),
    ("calendaragent", "Apple"),
    ("ios/", "Apple"),
    ("macos/", "Apple"),
    ("icsx5", "ICSx5"),
    ("nextcloud", "Nextcloud"),
    ("evolution", "Evolution"),
    ("vdirsyncer", "vdirsyncer"),
    ("mozilla", "Browser"),
)

Header = tuple[str, str]

_log = structlog.get_logger(__name__)


class FeedApplication:
    """The feeds of one process; sets all headers itself and lets no exception out."""

    def __init__(
        self,
        services: Services,
        *,
        poll_seconds: float = POLL_SECONDS,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
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
            listen=partial(feed_hints.listen, services.database),
            poll_seconds=poll_seconds,
            patience_seconds=patience_seconds,
        )
        self._safety = _safety_headers(is_local=services.settings.is_local)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002
        """Answer one request."""
        given = scope["headers"]
        answer = await self.answer(
            scope["method"],
            scope["path"],
            _joined(given, b"if-none-match"),
            _joined(given, b"if-modified-since"),
            _joined(given, b"user-agent") or "",
        )
        headers = [(name.encode(), value.encode()) for name, value in answer.headers]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body, "more_body": False})

    async def answer(
        self, method: str, path: str, known: str | None, since: str | None, agent: str
    ) -> Answer:
        """Answer a request; `known` and `since` are If-None-Match and If-Modified-Since."""
        if method not in READING:
            return self._complete(204 if method == "OPTIONS" else 405, (_ALLOW, _NOTHING))
        entry = self.cache.at_hand(path)
        if entry is None:
            try:
                entry = await self.cache.find(path)
            except NotReadyError:
                return self._say(method, 503, b"Being set up.\n", _RETRY)
            except Exception:  # noqa: BLE001 - whatever it is, a calendar program gets an answer
                _log.warning("feeds.not_made", exc_info=True)
                return self._say(method, 503, b"Try again in a minute.\n", _RETRY)
            if entry is None:
                return self._say(method, 404, b"There is no calendar at this address.\n")
        if entry.fetched_by is None and method == "GET":
            entry.fetched_by = client_family(agent)
        return choose(entry, method, known, since)

    async def _load(self, path: str) -> FeedCopy | None:
        if not await furnishing.is_ready(self._services.database):
            raise NotReadyError
        address = feed_paths.read_path(path)
        if address is None:
            return None
        return await self._kitchen.make(address, self._services.clock())

    async def _note(self, fetched: Mapping[UUID, Fetch]) -> None:
        await feeding.note_fetches(self._services.database, fetched, self._services.clock())

    def _prepare(self, copy: FeedCopy) -> Answers:
        """Write the headers of a copy once."""
        unchanged = (
            ("etag", copy.etag),
            ("last-modified", _http_date(copy.changed_at)),
            _PRIVATE if copy.is_private else _PUBLIC,
        )
        full = (
            ("content-type", "text/calendar; charset=utf-8"),
            ("content-disposition", f'inline; filename="{copy.filename}"'),
            ("content-length", str(len(copy.body))),
            *unchanged,
        )
        return Answers(
            self._complete(copy.status, full, copy.body),
            self._complete(304, unchanged),
            copy.etag,
        )

    def _say(self, method: str, status: int, text: bytes, *more: Header) -> Answer:
        length = ("content-length", str(len(text)))
        headers = (_TEXT, length, ("cache-control", "no-store"), *more)
        return self._complete(status, headers, b"" if method == "HEAD" else text)

    def _complete(self, status: int, headers: Sequence[Header], body: bytes = b"") -> Answer:
        return Answer(status, [*headers, *self._safety], body)


def choose(entry: Entry, method: str, known: str | None, since: str | None) -> Answer:
    """Return what a GET or HEAD with these conditions gets."""
    answers, copy = entry.answers, entry.copy
    if copy.status == 200 and (  # noqa: PLR2004
        known == answers.tag or _is_unchanged(copy, known, since)
    ):
        return answers.unchanged
    if method == "HEAD":
        return Answer(answers.full.status, answers.full.headers)
    return answers.full


def _is_unchanged(copy: FeedCopy, known: str | None, since: str | None) -> bool:
    if known is None and since is None:
        return False
    return feed.not_modified(copy.etag, copy.changed_at, known, since)


def _joined(headers: Sequence[tuple[bytes, bytes]], wanted: bytes) -> str | None:
    """Return a header's value; several lines of one name are one list (RFC 9110 5.3)."""
    found = [value.decode("latin-1") for name, value in headers if name == wanted]
    return ",".join(found) if found else None


def client_family(agent: str) -> str:
    """Return what kind of program asks, as coarse as the office needs it to help."""
    agent = agent.lower()
    return next((family for sign, family in _FAMILIES if sign in agent), "andere")


def _http_date(moment: datetime) -> str:
    return format_datetime(moment.astimezone(UTC).replace(microsecond=0), usegmt=True)


def _safety_headers(*, is_local: bool) -> tuple[Header, ...]:
    headers = (
        ("x-robots-tag", "noindex"),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
        ("cross-origin-resource-policy", "cross-origin"),
    )
    if is_local:
        return headers
    return (*headers, ("strict-transport-security", "max-age=31536000"))
