"""Returned mail is read out of a mailbox of a real Dovecot."""

import smtplib
import ssl
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from notifications import mailbox
from notifications.imap import MailboxError
from notifications.intake import Heard
from notifications.storage import Connection
from service.database import Database
from tests.notifications import dovecot
from tests.notifications.dovecot import Dovecot
from tests.notifications.large_mails import with_photos
from tests.notifications.returned import OPTIONS, a_sent_letter, events, sample

pytestmark = pytest.mark.skipif(not dovecot.HAS_IMAP, reason="dovecot-imapd is not installed")
NOW = datetime.now(UTC)


@pytest.fixture
def server() -> Iterator[Dovecot]:
    with dovecot.running() as running:
        yield running


def make_certificate(folder: Path) -> Path:
    """Make a certificate for this machine, with its key in the same file and once without."""
    path = folder / "server.pem"
    command = "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost"
    name = ("-addext", "subjectAltName=DNS:localhost")
    subprocess.run(
        [*command.split(), *name, "-keyout", path, "-out", path.with_suffix(".crt")],
        check=True,
        capture_output=True,
    )
    path.write_bytes(path.read_bytes() + path.with_suffix(".crt").read_bytes())
    return path


async def test_reports_are_taken_once_and_marked_and_words_of_people_stay_unread(
    database: Database, server: Dovecot
) -> None:
    letter = await a_sent_letter(database)
    for name in ("postfix_unknown_user", "words_html_only", "out_of_office_german"):
        server.put(name, sample(name, letter))
    first = await mailbox.read_new(database, server.mailbox, OPTIONS, NOW)
    server.put("late", sample("postfix_delayed", letter))
    second = await mailbox.read_new(database, server.mailbox, OPTIONS, NOW)
    third = await mailbox.read_new(database, server.mailbox, OPTIONS, NOW)

    kinds = [event["kind"] for event in await events(database)]
    assert (3, 1, 0) == (first, second, third)
    assert ["bounce", "words", "auto_reply", "delay"] == kinds
    assert [True, False, True, True] == server.seen()


@pytest.mark.skipif(not dovecot.HAS_LMTP, reason="dovecot-lmtpd is not installed")
async def test_the_server_notes_the_whole_address_of_what_it_took_by_lmtp(
    database: Database, server: Dovecot
) -> None:
    letter = await a_sent_letter(database)
    address = "rueck+tag@alliance.example.org"
    with smtplib.LMTP("127.0.0.1", server.lmtp_port) as client:
        client.sendmail("", [address], sample("postfix_unknown_user", letter))
    taken = await mailbox.read_new(database, server.mailbox, OPTIONS, NOW)

    [mail] = (server.folder / "mail" / "cur").iterdir()
    assert (1, [letter]) == (taken, [event["letter_id"] for event in await events(database)])
    assert f"Delivered-To: {address}\n".encode() in mail.read_bytes()


async def test_of_a_mail_with_large_files_words_and_answer_are_read(
    database: Database, server: Dovecot
) -> None:
    heard: list[Heard] = []

    async def hear(_: Connection, one: Heard) -> None:
        heard.append(one)

    server.put("photos", with_photos(5_000_000, "Ich komme."))
    server.put("words", b"From: a@x.example\r\nSubject: Re\r\n\r\nIch auch.\r\n")
    options = replace(OPTIONS, hear=hear)
    taken = await mailbox.read_new(database, server.mailbox, options, NOW)

    assert 2 == taken
    assert ["ACCEPTED"] == [one.answer.value for one in heard[0].answer.people]
    assert b"Ich komme." in heard[0].raw
    assert ["answer", "words"] == [event["kind"] for event in await events(database)]


async def test_a_mailbox_that_counts_anew_is_read_anew_and_nothing_counts_twice(
    database: Database, server: Dovecot
) -> None:
    letter = await a_sent_letter(database)
    server.put("a", sample("postfix_unknown_user", letter))
    await mailbox.read_new(database, server.mailbox, OPTIONS, NOW)
    before = await database.fetchval("SELECT uid_validity FROM mailbox_cursor")
    # A number of the mailbox is the second of its making.
    await database.fetch("UPDATE mailbox_cursor SET uid_validity = 1, last_uid = 99")
    server.put("b", sample("postfix_delayed", letter))
    again = await mailbox.read_new(database, server.mailbox, OPTIONS, NOW)

    assert (before, 2) == tuple(
        await database.fetchrow("SELECT uid_validity, last_uid FROM mailbox_cursor") or ()
    )
    assert 1 == again
    assert 2 == len(await events(database))


async def test_what_the_database_refused_is_read_again(database: Database, server: Dovecot) -> None:
    letter = await a_sent_letter(database)
    server.put("a", sample("words_html_only", letter))
    server.put("b", sample("postfix_unknown_user", letter))

    async def refuse(_: Connection, __: Heard) -> None:
        raise OSError

    with pytest.raises(OSError):  # noqa: PT011 - raised without words
        await mailbox.read_new(database, server.mailbox, replace(OPTIONS, hear=refuse), NOW)
    kept_before = await events(database)
    found = await mailbox.read_new(database, server.mailbox, OPTIONS, NOW)

    assert [] == kept_before
    assert 2 == found


async def test_a_mail_that_fails_by_its_content_is_left_to_the_office_and_the_next_one_read(
    database: Database, server: Dovecot
) -> None:
    letter = await a_sent_letter(database)
    server.put("a", sample("words_html_only", letter))
    server.put("b", sample("postfix_unknown_user", letter))

    async def stumble(_: Connection, __: Heard) -> None:
        raise RecursionError

    found = await mailbox.read_new(database, server.mailbox, replace(OPTIONS, hear=stumble), NOW)

    assert 2 == found
    assert ["unknown", "bounce"] == [event["kind"] for event in await events(database)]
    assert [False, True] == server.seen()


async def test_of_several_processes_one_reads_at_a_time(
    database: Database, server: Dovecot
) -> None:
    server.put("a", sample("postfix_unknown_user", await a_sent_letter(database)))
    await mailbox.read_new(database, server.mailbox, OPTIONS, NOW)
    server.put("b", sample("postfix_delayed", await a_sent_letter(database)))
    await database.fetch("UPDATE mailbox_cursor SET lease_until = now() + interval '1 minute'")
    meanwhile = await mailbox.read_new(database, server.mailbox, OPTIONS, NOW)
    await database.fetch("UPDATE mailbox_cursor SET lease_until = now()")

    assert 0 == meanwhile
    assert 1 == await mailbox.read_new(database, server.mailbox, OPTIONS, NOW)


@pytest.mark.long
async def test_a_mailbox_that_is_closed_to_us_says_why_without_the_password(
    server: Dovecot,
) -> None:
    wrong = replace(server.mailbox, password="wrong words")
    gone = replace(server.mailbox, port=1)
    no_folder = replace(server.mailbox, folder="Rückläufer")
    said = []
    for one in (wrong, gone, no_folder):
        with pytest.raises(MailboxError) as error:
            await mailbox.try_out(one)
        said.append(str(error.value))
    await mailbox.try_out(server.mailbox)

    assert "AUTHENTICATIONFAILED" in said[0]
    assert "refused" in said[1]
    assert [] == [words for words in said if "wrong words" in words or not words]


@pytest.mark.long
async def test_a_mailbox_is_opened_over_tls_only_where_the_certificate_is_trusted(
    tmp_path: Path,
) -> None:
    certificate = make_certificate(tmp_path)
    trusting = ssl.create_default_context(cafile=certificate.with_suffix(".crt"))
    with dovecot.running(certificate) as server:
        tls = replace(server.mailbox, host="localhost", port=server.tls_port, mode="tls")
        starttls = replace(server.mailbox, host="localhost", mode="starttls")
        for one in (tls, starttls):
            await mailbox.try_out(replace(one, tls_context=trusting))
            with pytest.raises(MailboxError, match="certificate"):
                await mailbox.try_out(one)
        umlauts = replace(tls, tls_context=trusting, password="Schlüssel")
        with pytest.raises(MailboxError, match="AUTHENTICATIONFAILED"):
            await mailbox.try_out(umlauts)
