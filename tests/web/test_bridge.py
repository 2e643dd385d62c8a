"""The product behind its real server: kept feeds at once, everything else through ASGI."""

import asyncio
import re
import socket
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest
import pytest_asyncio

from service import serving, tokens
from service.app import services_without_database
from service.database import Database
from service.feed_cache import FeedCache
from service.services import Services
from service.tokens import Purpose
from service.web.bridge import Bridge, bridge_to
from tests import shown
from tests.ports import free_port
from tests.web.conftest import Clock, create_app

FEED = "/ics/alle/termine.ics"
FORM = "content-type: application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Answer:
    """What came back over the wire."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Site:
    """A served product."""

    port: int
    cache: FeedCache

    async def keep(self, path: str) -> None:
        """Fetch a feed until it is kept and needs no look at the database."""
        while self.cache.at_hand(path) is None:
            await self.ask(f"GET {path}")

    async def ask(self, head: str, *lines: str, body: bytes = b"") -> Answer:
        """Send one request and read its answer to the end of the connection."""
        sent = [f"{head} HTTP/1.1", "host: localhost", "connection: close", *lines]
        return await self.send("\r\n".join(sent).encode() + b"\r\n\r\n" + body)

    async def send(self, raw: bytes) -> Answer:
        """Send exactly this, and read what comes until the connection ends."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(raw)
        found = await asyncio.wait_for(reader.read(), 60)
        writer.close()
        await writer.wait_closed()
        return read_answer(found)

    def ask_while_the_loop_stands(self, head: str) -> Answer:
        """Send one request from the thread of the event loop, which does nothing else meanwhile."""
        lines = f"{head} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n"
        with socket.create_connection(("127.0.0.1", self.port), timeout=100) as connection:
            connection.sendall(lines.encode())
            return read_answer(b"".join(iter(lambda: connection.recv(65536), b"")))


def read_answer(raw: bytes) -> Answer:
    head, _, body = raw.partition(b"\r\n\r\n")
    first, *rest = head.decode().split("\r\n")
    headers = dict(line.lower().split(": ", 1) for line in rest)
    return Answer(int(first.split()[1]), headers, body)


@pytest.fixture
def clock() -> Clock:
    """Return a day before the sessions that are shown."""
    return Clock(datetime(2027, 1, 20, 9, 0, tzinfo=UTC))


@pytest_asyncio.fixture(loop_scope="session")
async def site(services: Services, ready: None) -> AsyncIterator[Site]:
    await shown.make_feeds(services.database)
    app = create_app(services)
    async with served(bridge_to(app), app.feeds.cache) as site:
        yield site
    assert not app.feeds.cache.is_watching


@asynccontextmanager
async def served(bridge: Bridge, cache: FeedCache) -> AsyncIterator[Site]:
    port = free_port()
    stopping = asyncio.Event()
    serving_it = asyncio.create_task(serving.serve_until(stopping, bridge, "127.0.0.1", port))
    try:
        await _wait_for(port)
        yield Site(port, cache)
    finally:
        stopping.set()
        await serving_it


async def _wait_for(port: int) -> None:
    for _ in range(1000):
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
    raise RuntimeError("the server does not listen")


async def test_a_kept_feed_is_the_feed_that_was_made(database: Database, site: Site) -> None:
    await shown.a_meeting(database, await shown.a_group(database))

    made = await site.ask(f"GET {FEED}")
    kept = await site.ask(f"GET {FEED}")

    assert kept.status == made.status == 200
    assert kept.body == made.body
    assert kept.body.startswith(b"BEGIN:VCALENDAR")
    assert without_date(kept) == without_date(made)
    assert kept.headers["content-type"] == "text/calendar; charset=utf-8"


async def test_a_kept_feed_answers_conditions(site: Site) -> None:
    full = await site.ask(f"GET {FEED}")
    tag, since = full.headers["etag"], full.headers["last-modified"]

    exact = await site.ask(f"GET {FEED}", f"if-none-match: {tag}")
    listed = await site.ask(f"GET {FEED}", 'if-none-match: "x"', f"if-none-match: W/{tag}")
    dated = await site.ask(f"GET {FEED}", f"if-modified-since: {since}")
    other = await site.ask(f"GET {FEED}", 'if-none-match: "x"', f"if-modified-since: {since}")

    assert [each.status for each in (exact, listed, dated, other)] == [304, 304, 304, 200]
    assert exact.body == b""
    assert exact.headers["etag"] == tag
    assert exact.headers["x-content-type-options"] == "nosniff"


async def test_head_of_a_kept_feed_has_the_length_and_no_body(site: Site) -> None:
    full = await site.ask(f"GET {FEED}")

    head = await site.ask(f"HEAD {FEED}")

    assert head.status == 200
    assert head.body == b""
    assert head.headers["content-length"] == str(len(full.body))


async def test_a_kept_feed_does_not_wait_for_the_event_loop(site: Site) -> None:
    await site.keep(FEED)

    full = site.ask_while_the_loop_stands(f"GET {FEED}")
    head = site.ask_while_the_loop_stands(f"HEAD {FEED}")

    assert full.status == head.status == 200
    assert full.body.endswith(b"END:VCALENDAR\r\n")
    assert without_date(head) == without_date(full)


async def test_a_feed_that_fails_on_the_short_way_comes_by_the_long_one(
    services: Services, ready: None
) -> None:
    await shown.make_feeds(services.database)
    app = create_app(services)

    async with served(_Stumbling(app, app.feeds.cache), app.feeds.cache) as site:
        await site.keep(FEED)
        answer = await site.ask(f"GET {FEED}")

    assert answer.status == 200
    assert answer.body.endswith(b"END:VCALENDAR\r\n")


async def test_another_thread_may_serve_entries_while_all_are_looked_at(site: Site) -> None:
    await site.keep(FEED)
    cache = site.cache
    addresses = [f"/ics/g/{number}/{number}.ics" for number in range(300)]
    cache.entries.update(dict.fromkeys(addresses, cache.entries[FEED]))
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.000_01)

    try:
        serving_all = asyncio.to_thread(lambda: [cache.at_hand(each) for each in addresses * 300])
        served_all = asyncio.create_task(serving_all)
        while not served_all.done():
            cache.expect([uuid4()])
            await asyncio.sleep(0)
        await served_all
    finally:
        sys.setswitchinterval(before)

    assert len(cache.entries) == len(addresses) + 1


class _Stumbling(Bridge):
    """A bridge that cannot answer at once."""

    def answer_kept(self, scope: Any, proto: Any) -> bool:
        raise RuntimeError(scope, proto)


async def test_other_methods_are_refused_on_feeds(site: Site) -> None:
    await site.ask(f"GET {FEED}")

    refused = await site.ask(f"PUT {FEED}", "content-length: 0")

    assert refused.status == 405
    assert refused.headers["allow"] == "get, head, options"


async def test_pages_pass_with_headers_body_and_visitor(site: Site) -> None:
    page = await site.ask("GET /en?x=%C3%A4", "accept-encoding: identity")
    missing = await site.ask("GET /gibt-es-nicht/%C3%A4%FF")
    odd = await site.ask("GET /", "x-odd: \xe4")

    assert page.status == 200
    assert b'<html lang="en"' in page.body
    assert page.headers["content-length"] == str(len(page.body))
    assert missing.status == 404
    assert odd.status == 200


async def test_a_form_without_a_length_is_refused(site: Site) -> None:
    chunks = b"3\r\na=b\r\n0\r\n\r\n"

    answer = await site.ask("POST /a/x", FORM, "transfer-encoding: chunked", body=chunks)

    assert answer.status == 411
    assert b"Gespeichert wurde nichts" in answer.body


async def test_a_form_that_breaks_off_is_not_stored(
    services: Services, database: Database, site: Site, capture_lines: Callable[[], str]
) -> None:
    before = await answers(database)
    path = await a_link(services)
    page = await site.ask(f"GET {path}", "accept-encoding: identity")
    ft, revision = (_field(page, name) for name in ("ft", "revision"))
    body = f"ft={ft}&revision={revision}&answer=in_person&note=Ich+komme".encode()
    head = (
        f"POST {path} HTTP/1.1\r\nhost: localhost\r\nsec-fetch-site: same-origin\r\n"
        f"{FORM}\r\ncontent-length: {len(body) + 40}\r\n\r\n"
    )

    _, writer = await asyncio.open_connection("127.0.0.1", site.port)
    writer.write(head.encode() + body)
    await writer.drain()
    writer.close()
    await writer.wait_closed()
    async with asyncio.timeout(100):
        while '"outcome": "gone"' not in capture_lines():
            await asyncio.sleep(0.02)

    assert await answers(database) == before
    whole = head.replace(str(len(body) + 40), str(len(body))).replace("\r\n\r\n", "")
    stored = await site.send(f"{whole}\r\nconnection: close\r\n\r\n".encode() + body)
    assert stored.status == 303
    assert await answers(database) == before + 1


def _field(page: Answer, name: str) -> str:
    found = re.search(rf'name="{name}" value="([^"]+)"', page.body.decode())
    assert found is not None
    return found[1]


async def a_link(services: Services) -> str:
    group_id = await shown.a_group(services.database)
    meeting_id = await shown.a_meeting(services.database, group_id)
    person_id = await shown.a_person(services.database)
    invitation_id = await shown.an_invitation(services.database, meeting_id, person_id)
    handle = await services.database.fetchval(
        "SELECT handle FROM invitation WHERE id = $1", invitation_id
    )
    return f"/a/{tokens.derive(services.keys, Purpose.ANSWER, handle, 1)}"


def without_date(answer: Answer) -> dict[str, str]:
    return {name: value for name, value in answer.headers.items() if name != "date"}


async def answers(database: Database) -> int:
    count: int = await database.fetchval("SELECT count(*) FROM answer")
    return count


async def test_a_connection_of_the_waiting_room_goes_on_with_the_product(
    services: Services, ready: None
) -> None:
    waiting = create_app(services_without_database(services.settings))
    await shown.make_feeds(services.database)
    bridge, product = bridge_to(waiting), create_app(services)
    ask = f"GET {FEED} HTTP/1.1\r\nhost: localhost\r\n\r\n".encode()
    async with served(bridge, product.feeds.cache) as site:
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
        writer.write(ask)
        before = await asyncio.wait_for(_read_one(reader), 60)
        await bridge.lead_to(product)
        writer.write(ask)
        after = await asyncio.wait_for(_read_one(reader), 60)
        writer.close()

    assert (503, 200) == (before.status, after.status)
    assert not product.feeds.cache.is_watching


async def _read_one(reader: asyncio.StreamReader) -> Answer:
    """Read one answer of a connection that stays open."""
    head = await reader.readuntil(b"\r\n\r\n")
    answer = read_answer(head)
    body = await reader.readexactly(int(answer.headers["content-length"]))
    return Answer(answer.status, answer.headers, body)
