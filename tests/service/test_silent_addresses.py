"""The database's name has several addresses, or there are several names, and one is silent."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from notifications.connecting import Caller
from service.database import Database
from tests.faults import proxy
from tests.notifications import tls_servers
from tests.notifications.test_connecting import SILENT, FastLoop, PlainLoop, swallowing
from tests.notifications.tls_servers import a_real_server, trusting

pytestmark = pytest.mark.xdist_group("database")

_TELL = "SELECT pg_notify('edits', '')"
LOOPS = pytest.mark.parametrize("loop", [PlainLoop, FastLoop])


def _by_name(dsn: str, host: str) -> str:
    parts = urlsplit(dsn)
    return f"postgresql://{parts.username}@{host}{parts.path}"


def _through(
    loop: Any, dsn: str, host: str, work: Callable[[Database], Awaitable[object]]
) -> object:
    """Do the work in a database over TCP; `host` may name the port."""
    folder = parse_qs(urlsplit(dsn).query)["host"][0]

    async def go() -> object:
        async with proxy.running(Path(folder) / ".s.PGSQL.5432") as way:
            with swallowing(way.port):
                named = _by_name(dsn, host.format(port=way.port))
                async with Database(named, pool_size=1) as opened:
                    return await work(opened)

    with asyncio.Runner(loop_factory=loop) as runner:
        return runner.run(go())


@LOOPS
def test_a_database_is_opened_and_heard_at_its_second_address(database_url: str, loop: Any) -> None:
    async def listen(opened: Database) -> object:
        heard, began = asyncio.Event(), asyncio.Event()
        listening = asyncio.create_task(opened.listen("edits", heard.set, began.set))
        async with asyncio.timeout(100):
            await began.wait()
            await opened.fetchval(_TELL)
            await heard.wait()
        listening.cancel()
        return heard.is_set()

    found = _through(loop, database_url, "database.example:{port}", listen)

    assert found is True


def test_of_several_hosts_the_one_that_answers_is_found(database_url: str) -> None:
    async def ask(opened: Database) -> object:
        return await opened.fetchval("SELECT 1")

    hosts = f"{SILENT}:{{port}},127.0.0.1:{{port}}"

    assert 1 == _through(FastLoop, database_url, hosts, ask)


@LOOPS
def test_a_certificate_is_held_against_the_name_and_not_the_address(
    tmp_path: Path, loop: Any
) -> None:
    certificate = tls_servers.make_certificate(tmp_path)

    async def call() -> None:
        async with a_real_server(certificate, implicit=True) as (_, port):
            with swallowing(port):
                caller = Caller(100.0)
                transport, _ = await caller.create_connection(
                    asyncio.Protocol, "localhost", port, ssl=trusting(certificate)
                )
                transport.close()
                with pytest.raises(ssl.SSLCertVerificationError):
                    await caller.create_connection(
                        asyncio.Protocol, "elsewhere.example", port, ssl=trusting(certificate)
                    )

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(call())
