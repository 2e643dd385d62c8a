"""The way to the relay: no password without protection, and no surprise from a broken server."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from notifications import backoff
from notifications.backoff import Phase
from notifications.envelopes import SmtpEnvelope
from notifications.relay import Link, RelaySettings, SmtpError
from tests.notifications import smtp_servers, tls_servers
from tests.notifications.tls_servers import SECRET, a_real_server, trusting


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tls_servers.make_certificate(tmp_path_factory.mktemp("tls"))


def settings_for(port: int, mode: str, password: str = SECRET, **more: Any) -> RelaySettings:
    return RelaySettings(
        host="localhost", port=port, mode=mode, user="office", password=password, **more
    )


async def send_over(link: Link, recipient: str) -> None:
    await link.address(SmtpEnvelope(recipient, recipient))
    await link.transfer(b"Subject: x\r\n\r\n")


async def send(settings: RelaySettings) -> str:
    link = Link(settings)
    try:
        await link.address(SmtpEnvelope("a@example.org", "b@example.org"))
        return await link.transfer(b"Subject: x\r\n\r\n.dot\r\n")
    finally:
        await link.leave()


@pytest.mark.parametrize("mode", ["starttls", "tls"])
async def test_a_password_travels_protected(certificate: Path, mode: str) -> None:
    async with a_real_server(certificate, implicit=mode == "tls") as (keeper, port):
        words = await send(settings_for(port, mode, tls_context=trusting(certificate)))

    assert words == "2.0.0 kept"
    assert keeper.logins == [SECRET.encode()]
    assert keeper.mails == [b"Subject: x\r\n\r\n.dot\r\n"]


async def test_trying_the_way_out_logs_in_and_sends_nothing(certificate: Path) -> None:
    async with a_real_server(certificate) as (keeper, port):
        settings = settings_for(port, "starttls", tls_context=trusting(certificate))
        await Link(settings).try_out()

        assert ([SECRET.encode()], []) == (keeper.logins, keeper.mails)
        with pytest.raises(SmtpError):
            await Link(replace(settings, password="wrong")).try_out()


async def test_a_wrong_password_is_tried_once(certificate: Path) -> None:
    async with a_real_server(certificate) as (keeper, port):
        settings = settings_for(port, "starttls", "wrong", tls_context=trusting(certificate))
        with pytest.raises(SmtpError) as caught:
            await send(settings)

    assert (caught.value.phase, len(keeper.logins)) == (Phase.AUTH, 1)
    outcome = backoff.decide(caught.value.phase, caught.value.reply, 0)
    assert (outcome.reason, outcome.alarm) == ("relay_config", True)


@pytest.mark.parametrize("mode", ["starttls", "tls"])
async def test_a_certificate_that_nobody_vouches_for_gets_no_password(
    certificate: Path, mode: str
) -> None:
    async with a_real_server(certificate, implicit=mode == "tls") as (keeper, port):
        with pytest.raises(SmtpError) as caught:
            await send(settings_for(port, mode))

    assert (caught.value.phase, keeper.logins) == (Phase.TLS, [])


@pytest.mark.parametrize("offered", [(), ("AUTH PLAIN LOGIN",)])
async def test_stripped_starttls_sends_no_password(offered: tuple[str, ...]) -> None:
    async with smtp_servers.running(extensions=offered) as server:
        with pytest.raises(SmtpError) as caught:
            await send(settings_for(server.port, "starttls"))

    assert caught.value.phase is Phase.TLS
    assert backoff.decide(caught.value.phase, caught.value.reply, 0).reason == "relay_config"
    assert [line for line in server.lines if not line.startswith(("EHLO", "QUIT"))] == []


@pytest.mark.parametrize(
    "more", [{"host": "mail.example.org"}, {"user": "office", "password": SECRET}]
)
def test_an_open_way_is_for_loopback_without_a_name(more: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="loopback"):
        RelaySettings(**{"host": "localhost", "port": 25, "mode": "plain", **more})


async def test_a_connection_is_renewed_after_a_hundred_letters() -> None:
    async with smtp_servers.running() as server:
        link = Link(server.relay())
        for _ in range(201):
            await link.address(SmtpEnvelope("a@example.org", "b@example.org"))
            await link.transfer(b"Subject: x\r\n\r\n")
        await link.leave()

    assert (len(server.mails), server.connections) == (201, 3)


@pytest.mark.parametrize("extensions", [(), ("PIPELINING",)])
async def test_lines_that_begin_with_a_dot_arrive_as_they_were(extensions: tuple[str, ...]) -> None:
    raw = b"Subject: x\r\n\r\n.\r\n..\r\n.a\r\n"
    async with smtp_servers.running(extensions=extensions) as server:
        link = Link(server.relay())
        await link.address(SmtpEnvelope("a@example.org", "b@example.org"))
        await link.transfer(raw)
        await link.leave()

    assert [mail.raw for mail in server.mails] == [raw]


@pytest.mark.parametrize("extensions", [(), ("PIPELINING",)])
@pytest.mark.parametrize("reply", ["hello", "x" * 40000, "250-" + "y" * 200 + "\r\n250-", "99"])
async def test_a_malformed_reply_closes_the_connection(
    reply: str, extensions: tuple[str, ...]
) -> None:
    async with smtp_servers.running(
        lambda line, _: reply if line.startswith("RCPT") else None, extensions
    ) as server:
        link = Link(server.relay(command_seconds=0.3))
        with pytest.raises(SmtpError) as caught:
            await link.address(SmtpEnvelope("a@example.org", "b@example.org"))

        assert (caught.value.reply, link.is_open) == (None, False)


async def test_a_cancelled_transfer_closes_the_connection() -> None:
    async with smtp_servers.running(
        lambda line, _: smtp_servers.HANG if line == "." else None
    ) as server:
        reached = server.reached["."] = asyncio.Event()
        link = Link(server.relay())
        await link.address(SmtpEnvelope("a@example.org", "b@example.org"))
        task = asyncio.create_task(link.transfer(b"Subject: x\r\n\r\n"))
        await reached.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

        assert not link.is_open


@pytest.mark.parametrize(
    "address", ["a@x.example> SIZE=1", "a@exa mple.org", "a@x,b@y", "a@x\r\nQUIT"]
)
async def test_an_odd_address_is_refused_before_anything_is_said(address: str) -> None:
    async with smtp_servers.running() as server:
        link = Link(server.relay())
        for sender, recipient in (("a@example.org", address), (address, "b@example.org")):
            with pytest.raises(ValueError, match="plain mail address"):
                await link.address(SmtpEnvelope(sender, recipient))

    assert server.lines == []


@pytest.mark.parametrize("extensions", [(), ("PIPELINING",)])
@pytest.mark.parametrize(
    ("at", "phase"), [("MAIL", Phase.MAIL), ("RCPT", Phase.RCPT), ("DATA", Phase.DATA)]
)
async def test_after_a_clean_refusal_the_connection_goes_on(
    extensions: tuple[str, ...], at: str, phase: Phase
) -> None:
    def script(line: str, session: smtp_servers.Session) -> str | None:
        refused = line.startswith(at) and "bad" in session.recipient + line + session.sender
        return "550 5.1.1 no" if refused else None

    async with smtp_servers.running(script, extensions) as server:
        link = Link(server.relay())
        with pytest.raises(SmtpError) as caught:
            await send_over(link, "bad@example.org")
        await link.address(SmtpEnvelope("a@example.org", "b@example.org"))
        await link.transfer(b"Subject: y\r\n\r\n")
        await link.leave()

    assert (caught.value.phase, server.connections) == (phase, 1)
    assert [mail.raw for mail in server.mails] == [b"Subject: y\r\n\r\n"]


async def test_a_server_that_asks_for_content_without_a_recipient_gets_none() -> None:
    answers = {"RCPT": "550 5.1.1 no", "DATA": "354 go on"}
    async with smtp_servers.running(lambda line, _: answers.get(line.split(" ")[0])) as server:
        link = Link(server.relay())
        with pytest.raises(SmtpError) as caught:
            await link.address(SmtpEnvelope("a@example.org", "b@example.org"))

        assert (caught.value.phase, link.is_open, server.mails) == (Phase.RCPT, False, [])


async def test_an_envelope_that_is_not_used_leaves_no_letter() -> None:
    async with smtp_servers.running() as server:
        link = Link(server.relay())
        await link.address(SmtpEnvelope("a@example.org", "b@example.org"))
        await link.rewind()
        await link.address(SmtpEnvelope("a@example.org", "c@example.org"))
        await link.transfer(b"Subject: y\r\n\r\n")
        await link.leave()

    assert [mail.recipient for mail in server.mails] == ["c@example.org"]


FIRST = SmtpEnvelope("a@example.org", "b@example.org")
SECOND = SmtpEnvelope("a@example.org", "c@example.org")
LETTER = b"Subject: x\r\n\r\n"


async def test_the_next_envelope_leaves_with_the_end_of_a_letter() -> None:
    waiting = asyncio.Event()
    async with smtp_servers.running(extensions=("PIPELINING",)) as server:
        server.reached["DATA"] = waiting
        link = Link(server.relay())
        await link.address(FIRST)
        waiting.clear()
        await link.transfer(LETTER, SECOND)
        await waiting.wait()
        await link.address(SECOND)
        await link.transfer(LETTER)
        await link.leave()

    assert [mail.recipient for mail in server.mails] == ["b@example.org", "c@example.org"]
    assert server.connections == 1


async def test_a_server_without_pipelining_hears_of_the_next_letter_in_its_turn() -> None:
    async with smtp_servers.running(extensions=()) as server:
        link = Link(server.relay())
        await link.address(FIRST)
        await link.transfer(LETTER, SECOND)
        heard = list(server.lines)
        await link.address(SECOND)
        await link.transfer(LETTER)
        await link.leave()

    assert [line for line in heard if "c@example.org" in line] == []
    assert [mail.recipient for mail in server.mails] == ["b@example.org", "c@example.org"]


@pytest.mark.parametrize("extensions", [(), ("PIPELINING",)])
async def test_another_letter_than_the_one_that_was_told_of_gets_a_fresh_connection(
    extensions: tuple[str, ...],
) -> None:
    third = SmtpEnvelope("a@example.org", "d@example.org")
    async with smtp_servers.running(extensions=extensions) as server:
        link = Link(server.relay())
        await link.address(FIRST)
        await link.transfer(LETTER, SECOND)
        await link.address(third)
        await link.transfer(LETTER)
        await link.leave()

    assert [mail.recipient for mail in server.mails] == ["b@example.org", "d@example.org"]


async def test_who_leaves_after_telling_of_a_letter_sends_none() -> None:
    async with smtp_servers.running(extensions=("PIPELINING",)) as server:
        link = Link(server.relay())
        await link.address(FIRST)
        await link.transfer(LETTER, SECOND)
        await link.leave()

    assert [mail.recipient for mail in server.mails] == ["b@example.org"]


@pytest.mark.parametrize("code", ["550 5.6.0 no", "450 4.3.0 later"])
async def test_a_refused_letter_does_not_take_the_next_one_with_it(code: str) -> None:
    def script(line: str, session: smtp_servers.Session) -> str | None:
        return code if line == "." and "b@" in session.recipient else None

    async with smtp_servers.running(script, ("PIPELINING",)) as server:
        link = Link(server.relay())
        await link.address(FIRST)
        with pytest.raises(SmtpError) as caught:
            await link.transfer(LETTER, SECOND)
        await link.address(SECOND)
        await link.transfer(LETTER)
        await link.leave()

    assert (caught.value.phase, server.connections) == (Phase.DOT, 1)
    assert [mail.recipient for mail in server.mails] == ["c@example.org"]


async def test_a_server_that_hangs_up_after_a_letter_hears_the_next_one_anew() -> None:
    def script(line: str, session: smtp_servers.Session) -> str | None:
        hangs_up = line.startswith("MAIL") and (session.number, session.mails) == (1, 1)
        return smtp_servers.CLOSE if hangs_up else None

    async with smtp_servers.running(script, ("PIPELINING",)) as server:
        link = Link(server.relay())
        await link.address(FIRST)
        await link.transfer(LETTER, SECOND)
        await link.address(SECOND)
        await link.transfer(LETTER)
        await link.leave()

    assert [mail.recipient for mail in server.mails] == ["b@example.org", "c@example.org"]
    assert server.connections == 2


async def test_a_worn_connection_is_told_of_no_next_letter() -> None:
    async with smtp_servers.running(extensions=("PIPELINING",)) as server:
        link = Link(server.relay())
        for _ in range(201):
            await link.address(FIRST)
            await link.transfer(LETTER, FIRST)
        await link.leave()

    assert (len(server.mails), server.connections) == (201, 3)
