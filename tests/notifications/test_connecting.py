"""A name has several addresses, and the first one swallows what is sent to it."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvloop

from notifications import connecting
from notifications.backoff import Phase
from notifications.relay import Link, RelaySettings, SmtpError
from tests.notifications import smtp_servers, tls_servers
from tests.notifications.tls_servers import SECRET, a_real_server, trusting

SILENT, LOUD = "127.0.0.2", "127.0.0.1"
# The kernel gives a silent address up after two minutes; who waits for it fails long before.
SECONDS = 60.0


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tls_servers.make_certificate(tmp_path_factory.mktemp("tls"))


class _TwoAddresses:
    """Finds two addresses for every name, the silent one first."""

    async def getaddrinfo(self, host: Any, port: Any, **_: Any) -> Any:
        """Resolve; one of the loops asks again for what is an address already."""
        return [
            (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (address, port))
            for address in ((host,) if host in {SILENT, LOUD} else (SILENT, LOUD))
        ]


class PlainLoop(_TwoAddresses, asyncio.SelectorEventLoop):
    """The loop of the standard library."""


class FastLoop(_TwoAddresses, uvloop.Loop):
    """The loop that the product runs on."""


@contextmanager
def swallowing(port: int) -> Iterator[None]:
    """Let the silent address swallow: nobody takes what waits in its full queue."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind((SILENT, port))
        listener.listen(0)
        for _ in range(4):
            waiting = stack.enter_context(socket.socket())
            waiting.setblocking(False)
            waiting.connect_ex((SILENT, port))
        yield


@pytest.mark.parametrize("loop", [PlainLoop, FastLoop])
@pytest.mark.parametrize("mode", ["tls", "starttls"])
def test_a_letter_leaves_over_the_second_address_and_the_certificate_names_the_host(
    certificate: Path, mode: Any, loop: Any
) -> None:
    async def try_out() -> list[bytes]:
        async with a_real_server(certificate, implicit=mode == "tls") as (keeper, port):
            with swallowing(port):
                for host in ("localhost", "elsewhere.example"):
                    relay = RelaySettings(
                        host, port, mode, "office", SECRET, connect_seconds=SECONDS,
                        tls_context=trusting(certificate),
                    )  # fmt: skip
                    if host == "localhost":
                        await Link(relay).try_out()
                        continue
                    with pytest.raises(SmtpError) as caught:
                        await Link(relay).try_out()
                    assert caught.value.phase is Phase.TLS
            return keeper.logins

    with asyncio.Runner(loop_factory=loop) as runner:
        logins = runner.run(try_out())

    assert [SECRET.encode()] == logins


async def test_a_greeting_that_comes_at_once_is_not_lost() -> None:
    async with smtp_servers.running() as server:
        for _ in range(20):
            link = Link(server.relay())
            await link.open()
            await link.leave()

    assert 20 == server.connections


async def test_who_cannot_be_reached_is_named_in_plain_words() -> None:
    with pytest.raises(ConnectionRefusedError, match="Connection refused"):
        await connecting.connect(LOUD, 1, SECONDS)


async def test_nobody_waits_longer_than_told() -> None:
    with socket.socket() as listener:
        listener.bind((SILENT, 0))
        port = listener.getsockname()[1]
    with swallowing(port), pytest.raises(TimeoutError):
        await connecting.connect(SILENT, port, 0.1)


def test_the_families_of_addresses_take_turns() -> None:
    six, four = socket.AF_INET6, socket.AF_INET

    assert [(six, 1), (four, 1), (six, 2), (six, 3)] == connecting._by_turns(
        [(six, 1), (six, 2), (six, 3), (four, 1)]
    )


@pytest.mark.parametrize("loop", [asyncio.SelectorEventLoop, uvloop.Loop])
def test_who_gives_up_leaves_no_connection_behind(loop: Any) -> None:
    async def give_up() -> int:
        async with smtp_servers.running() as server:
            for steps in range(12):
                connection = asyncio.create_task(connecting.connect(LOUD, server.port, SECONDS))
                for _ in range(steps):
                    await asyncio.sleep(0)
                connection.cancel()
                for one in await asyncio.gather(connection, return_exceptions=True):
                    if isinstance(one, socket.socket):
                        one.close()
            async with asyncio.timeout(SECONDS):
                while server.open:
                    await asyncio.sleep(0)
            return len(server.open)

    with asyncio.Runner(loop_factory=loop) as runner:
        assert 0 == runner.run(give_up())
