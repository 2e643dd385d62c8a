"""Reports that a real Postfix writes come back to their letters over LMTP.

A scripted server behind it refuses or takes what it relays.
"""

import asyncio
import subprocess
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
from tests.notifications import builders, postfix
from tests.notifications.returned import OPTIONS, a_sent_letter, events, standing
from tests.ports import free_port

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not postfix.CAN_RUN, reason="needs Postfix, which begins as root"),
]


@contextmanager
def _postfix() -> Iterator[tuple[Path, int]]:
    """Run Postfix and the servers behind it; yield its folder and its port."""
    ports = {name: free_port() for name in ("good", "bad", "busy")}
    routes = {f"{name}.example": f"smtp:[127.0.0.1]:{port}" for name, port in ports.items()}
    sinks = [
        subprocess.Popen(
            [postfix.SINK or "", "-u", "nobody", *flags, f"127.0.0.1:{ports[name]}", "50"]
        )
        for name, flags in (
            # A server that knows no reports leaves that of success to the one before it.
            ("good", ("-N",)),
            ("bad", ("-f", "RCPT", "-B", "550 5.1.1 no such user here")),
            ("busy", ("-r", "RCPT", "-b", "452 4.2.2 mailbox full")),
        )
    ]
    try:
        with postfix.running(
            {"alliance.example.org": "lmtp:unix:{folder}/lmtp.sock"} | routes
        ) as it:
            for port in ports.values():
                # A letter that finds nobody four seconds long is given up.
                postfix.wait_for(port, it[0])
            yield it
    finally:
        for sink in sinks:
            sink.terminate()
            sink.wait(60)


async def _send(port: int, letter: UUID, to: str) -> None:
    """Hand a letter to Postfix as our postman does, asking for reports."""
    sender = returning.return_address(OPTIONS.returns, letter)
    raw = f"From: a@alliance.example.org\r\nTo: {to}\r\nSubject: x\r\n\r\nHallo\r\n".encode()
    async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, local_hostname="app") as client:
        await client.mail(sender, options=["RET=HDRS", f"ENVID={letter}"])
        await client.rcpt(to, options=["NOTIFY=SUCCESS,FAILURE,DELAY"])
        await client.data(raw)


async def _wait_for_events(database: Database, count: int, folder: Path) -> None:
    for _ in range(1500):
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
