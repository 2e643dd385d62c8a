"""Reports that a real Postfix writes come back to their letters over LMTP.

Postfix runs with a folder of its own, on free ports of this machine; a scripted server behind it
refuses or takes what it relays.
"""

import asyncio
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import aiosmtplib
import pytest

from notifications import returning
from notifications.listening import Listener, Place
from service.database import Database
from tests.notifications import builders
from tests.notifications.returned import OPTIONS, a_sent_letter, events, standing

POSTFIX = shutil.which("postfix", path="/usr/sbin")
SINK = shutil.which("smtp-sink", path="/usr/sbin")
pytestmark = [
    pytest.mark.long,
    pytest.mark.timeout(180),
    pytest.mark.skipif(
        POSTFIX is None or SINK is None or os.geteuid() != 0,
        reason="needs Postfix, which begins as root",
    ),
]

_MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/queue
data_directory = {folder}/data
mail_owner = postfix
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
maillog_file = {folder}/log
maillog_file_prefixes = {folder}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.town.example
mydestination =
alias_maps =
local_recipient_maps =
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
recipient_delimiter = +
relay_domains = alliance.example.org
transport_maps = inline:{{
    alliance.example.org=lmtp:unix:{folder}/lmtp.sock,
    good.example=smtp:[127.0.0.1]:{good},
    bad.example=smtp:[127.0.0.1]:{bad},
    busy.example=smtp:[127.0.0.1]:{busy} }}
smtp_dns_support_level = disabled
smtp_host_lookup = native
minimal_backoff_time = 1s
maximal_backoff_time = 2s
queue_run_delay = 1s
maximal_queue_lifetime = 4s
bounce_queue_lifetime = 60s
"""
_MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 1 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
postlog unix-dgram n - n - 1 postlogd
"""  # fmt: skip


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@contextmanager
def _postfix() -> Iterator[tuple[Path, int]]:
    """Run Postfix and the servers behind it; yield its folder and its port."""
    folder = Path(tempfile.mkdtemp(prefix="tb-postfix-"))
    folder.chmod(0o755)
    ports = {name: _free_port() for name in ("port", "good", "bad", "busy")}
    (folder / "etc").mkdir()
    (folder / "queue").mkdir()
    (folder / "data").mkdir()
    os.chown(folder / "data", pwd.getpwnam("postfix").pw_uid, -1)
    (folder / "etc" / "main.cf").write_text(_MAIN.format(folder=folder, **ports))
    (folder / "etc" / "master.cf").write_text(_MASTER.format(**ports))
    sinks = [
        subprocess.Popen([SINK or "", "-u", "nobody", *flags, f"127.0.0.1:{ports[name]}", "50"])
        for name, flags in (
            # A server that knows no reports leaves that of success to the one before it.
            ("good", ("-N",)),
            ("bad", ("-f", "RCPT", "-B", "550 5.1.1 no such user here")),
            ("busy", ("-r", "RCPT", "-b", "452 4.2.2 mailbox full")),
        )
    ]
    try:
        _control(folder, "start")
        _wait_for(ports["port"], folder)
        yield folder, ports["port"]
    finally:
        _control(folder, "stop")
        for sink in sinks:
            sink.terminate()
            sink.wait(5)
        shutil.rmtree(folder, ignore_errors=True)


def _control(folder: Path, act: str) -> None:
    said = subprocess.run(
        [POSTFIX or "", "-c", str(folder / "etc"), act],
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert act == "stop" or said.returncode == 0, said.stderr.decode()


def _wait_for(port: int, folder: Path) -> None:
    for _ in range(100):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError((folder / "log").read_text())


async def _send(port: int, letter: UUID, to: str) -> None:
    """Hand a letter to Postfix as our postman does, asking for reports."""
    sender = returning.return_address(OPTIONS.returns, letter)
    raw = f"From: a@alliance.example.org\r\nTo: {to}\r\nSubject: x\r\n\r\nHallo\r\n".encode()
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, local_hostname="app") as client:
        await client.mail(sender, options=["RET=HDRS", f"ENVID={letter}"])
        await client.rcpt(to, options=["NOTIFY=SUCCESS,FAILURE,DELAY"])
        await client.data(raw)


async def _wait_for_events(database: Database, count: int, folder: Path) -> None:
    for _ in range(600):
        if len(await events(database)) >= count:
            return
        await asyncio.sleep(0.1)
    raise TimeoutError((folder / "log").read_text())


async def test_what_postfix_reports_comes_back_to_its_letter(database: Database) -> None:
    addresses = ("a@good.example", "b@bad.example", "c@busy.example")
    letters = [await a_sent_letter(database, "uncertain", one) for one in addresses]
    with _postfix() as (folder, port):
        place = Place(path=folder / "lmtp.sock")
        listener = Listener(place, database, OPTIONS, lambda: datetime.now(UTC))
        await listener.open()
        try:
            for letter, to in zip(letters, addresses, strict=True):
                await _send(port, letter, to)
            await _wait_for_events(database, 3, folder)
        finally:
            await listener.close()

    kinds = {event["letter_id"]: event["kind"] for event in await events(database)}
    rows = [await builders.state_of(database, letter) for letter in letters]
    assert ["relayed", "bounce", "bounce"] == [kinds[letter] for letter in letters]
    assert [("sent", "relayed"), ("failed", "failed"), ("failed", "failed")] == [
        (row["state"], row["dsn_state"]) for row in rows
    ]
    assert ["5.1.1", "4.2.2"] == [row["last_enhanced"] for row in rows[1:]]
    assert [None, "soft", "soft"] == [await standing(database, one) for one in addresses]


async def test_while_nobody_listens_postfix_keeps_the_report_and_comes_again(
    database: Database,
) -> None:
    letter = await a_sent_letter(database, "uncertain", "b@bad.example")
    with _postfix() as (folder, port):
        await _send(port, letter, "b@bad.example")
        await asyncio.sleep(3)
        before = await events(database)
        place = Place(path=folder / "lmtp.sock")
        listener = Listener(place, database, OPTIONS, lambda: datetime.now(UTC))
        await listener.open()
        try:
            await _wait_for_events(database, 1, folder)
        finally:
            await listener.close()

    assert [] == before
    assert ["bounce"] == [event["kind"] for event in await events(database)]
