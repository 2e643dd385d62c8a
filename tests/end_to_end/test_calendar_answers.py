"""An invitation goes out through a real Postfix, and the buttons of five programs come back in.

Over LMTP as Postfix hands it over, and out of a mailbox of a real Dovecot.
"""

import asyncio
import base64
import email
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiosmtplib
import icalendar
import pytest

from notifications.postman import Options, Postman
from service import furnishing, noticing, probing, relaying
from service.auditing import COMMAND
from service.composing import Clerk
from service.database import Database
from service.hearing import Ear
from service.services import Services
from tests import builders
from tests.calendars.replying_programs import DIALECTS, Said
from tests.notifications import dovecot, postfix, smtp_servers
from tests.notifications.smtp_servers import Mail
from tests.service.test_composing import a_session
from tests.service.test_requesting import services_with

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not postfix.CAN_RUN, reason="needs Postfix, which begins as root"),
]
_BUTTONS = ("ACCEPTED", "DECLINED", "TENTATIVE", "ACCEPTED", "DECLINED")
_STORED = {"ACCEPTED": "in_person", "DECLINED": "declined", "TENTATIVE": "undecided"}


async def wait_until(holds: Callable[[], Awaitable[bool]], folder: Path) -> None:
    for _ in range(3000):
        if await holds():
            return
        await asyncio.sleep(0.1)
    raise TimeoutError((folder / "log").read_text())


def services_at(database: Database, folder: Path, port: int, **more: str) -> Services:
    """Return services that send through Postfix; their clock is the real one."""
    found = services_with(database, folder, SMTP_PORT=str(port), **more)
    return Services(found.settings, database, found.pages, lambda: datetime.now(UTC), found.keys)


async def send(services: Services) -> None:
    relay = relaying.relay_settings(services.settings)
    assert relay is not None
    options = Options(clock=services.clock)
    sender = relaying.sender(services.settings)
    postman = Postman(services.database, relay, Clerk(services), sender, options)
    await postman.deliver()
    await postman.stop()


async def make_house(database: Database) -> None:
    await builders.an_instance(database, email="termine@alliance.example.org")
    for kind in furnishing.LEGAL_KINDS:
        await furnishing.save_text(database, COMMAND, (kind, "de"), "Ein Text.", datetime.now(UTC))
    furnishing.forget(database)


async def invite_all(database: Database) -> None:
    """Invite one person for each program to a session on site, at once."""
    meeting = await a_session(database, mode="on_site")
    for name in DIALECTS:
        address = f"{name}@partner.example.org"
        person = await builders.a_person(database, full_name=f"Person {name}", email=address,
            email_normal=address)  # fmt: skip
        await builders.an_invitation(database, meeting, person, state="planned")
    now = datetime.now(UTC)
    notice_id = await noticing.invite(database, COMMAND, meeting["id"], now)
    assert notice_id is not None
    await noticing.send_now(database, COMMAND, notice_id, now)


def press(mail: Mail, partstat: str) -> Said:
    """Press a button under an invitation, as the program reads it."""
    message = email.message_from_bytes(mail.raw)
    [part] = [one for one in message.walk() if one.get_content_type() == "text/calendar"]
    content: Any = part.get_payload()
    (event,) = icalendar.Calendar.from_ical(base64.b64decode(content)).walk("VEVENT")
    assert "REQUEST" == part.get_param("method")
    now = datetime.now(UTC) + timedelta(seconds=1)
    return Said(
        partstat=partstat,
        attendee=str(event["ATTENDEE"]).removeprefix("mailto:"),
        name=event["ATTENDEE"].params["CN"],
        to=str(event["ORGANIZER"]).removeprefix("mailto:"),
        uid=str(event["UID"]),
        sequence=int(str(event["SEQUENCE"])),
        stamp=now.strftime("%Y%m%dT%H%M%SZ"),
        message_id=f"{mail.recipient}.{partstat}",
    )


def pressed(mails: list[Mail]) -> Iterator[tuple[str, Said, bytes]]:
    """Yield for each program what it answers to its person's invitation."""
    for (name, dialect), partstat in zip(DIALECTS.items(), _BUTTONS, strict=True):
        [mail] = [one for one in mails if one.recipient.startswith(f"{name}@")]
        said = press(mail, partstat)
        yield name, said, dialect(said)


async def stored(database: Database) -> dict[str, tuple[str, str]]:
    rows = await database.fetch(
        "SELECT split_part(p.email, '@', 1), i.answer, i.answer_way FROM invitation i"
        " JOIN person p ON p.id = i.person_id WHERE i.answer IS NOT NULL"
    )
    return {row[0]: (row[1], row[2]) for row in rows}


def wanted() -> dict[str, tuple[str, str]]:
    return {
        name: (_STORED[partstat], "calendar")
        for name, partstat in zip(DIALECTS, _BUTTONS, strict=True)
    }


@contextmanager
def mail_system(member_port: int) -> Iterator[tuple[Path, int]]:
    routes = {
        "alliance.example.org": "lmtp:unix:{folder}/lmtp.sock",
        "partner.example.org": f"smtp:[127.0.0.1]:{member_port}",
    }
    with postfix.running(routes) as it:
        yield it


async def test_buttons_of_five_programs_come_back_over_lmtp(
    database: Database, tmp_path: Path
) -> None:
    await make_house(database)
    async with smtp_servers.running() as members:
        with mail_system(members.port) as (folder, port):
            services = services_at(
                database, tmp_path, port, INTAKE_LMTP=f"unix:{folder / 'lmtp.sock'}"
            )
            ear = Ear(services)
            await ear.attend(services.clock())
            try:
                await probing.post_probe(services, services.clock())
                await send(services)

                async def hears() -> bool:
                    found = await probing.look(database, services.settings)
                    return found.is_open(services.clock())

                await wait_until(hears, folder)
                await invite_all(database)
                await send(services)

                async def all_invited() -> bool:
                    return len(members.mails) == len(DIALECTS)

                await wait_until(all_invited, folder)
                async with aiosmtplib.SMTP(
                    hostname="127.0.0.1", port=port, local_hostname="partner"
                ) as client:
                    for _, said, raw in pressed(members.mails):
                        await client.mail(said.attendee)
                        await client.rcpt(said.to)
                        await client.data(raw)

                async def all_answered() -> bool:
                    return len(await stored(database)) == len(DIALECTS)

                await wait_until(all_answered, folder)
            finally:
                await ear.close()

    assert wanted() == await stored(database)
    kinds = await database.fetch("SELECT kind FROM letter GROUP BY kind ORDER BY kind")
    assert ["ear", "invitation"] == [row["kind"] for row in kinds]


@pytest.mark.skipif(not dovecot.HAS_IMAP, reason="dovecot-imapd is not installed")
async def test_buttons_of_five_programs_come_back_by_a_mailbox(
    database: Database, tmp_path: Path
) -> None:
    await make_house(database)
    async with smtp_servers.running() as members:
        with mail_system(members.port) as (folder, port), dovecot.running() as box:
            services = services_at(
                database,
                tmp_path,
                port,
                INTAKE_LMTP="",
                IMAP_HOST="127.0.0.1",
                IMAP_PORT=str(box.port),
                IMAP_MODE="plain",
                IMAP_USER="rueck",
                IMAP_PASSWORD="secret",
            )
            address = services.settings.imip_address
            now = services.clock()
            await database.fetch("INSERT INTO ear (way, heard_at) VALUES ($1, $2)", address, now)
            await invite_all(database)
            await send(services)

            async def all_invited() -> bool:
                return len(members.mails) == len(DIALECTS)

            await wait_until(all_invited, folder)
            for name, said, raw in pressed(members.mails):
                # The mailbox's server notes where a mail went to; the envelope is gone.
                box.put(name, f"Delivered-To: {said.to}\r\n".encode() + raw)
            await asyncio.sleep(1.5)
            await Ear(services).attend(services.clock())
            seen = box.seen()

    assert wanted() == await stored(database)
    assert [True] * len(DIALECTS) == seen
