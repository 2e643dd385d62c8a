"""From the settings to what hears, and back: a report that comes in reaches its letter."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from notifications import intake, listening, returning
from notifications.listening import Place
from service import checking, hearing, preferring, probing, relaying, ticking, transcribing
from service.database import Database
from service.domain.preferences import Preferences, Topic
from service.hearing import Ear
from service.pages.rendering import Instance, Pages
from service.services import Services
from service.settings import Settings, SettingsError
from tests import builders as service_builders
from tests import invited
from tests.notifications import builders, dovecot
from tests.notifications.returned import a_sent_letter, events, sample


def settings_with(folder: Path, **more: str) -> Settings:
    given = {
        "DATA_DIR": str(folder / "var"),
        "TOKEN_KEY": "t1:" + "5a" * 32,
        "MAIL_FROM": "termine@alliance.example.org",
        "BOUNCE_ADDRESS": "rueck@alliance.example.org",
        "BOUNCE_PER_LETTER": "yes",
    }
    return Settings.read({f"TERMINBUCH_{name}": value for name, value in (given | more).items()})


def services_with(database: Database, settings: Settings) -> Services:
    pages = Pages(settings.public_url, Instance("Bündnis", ""), {})
    return Services(settings, database, pages, lambda: datetime.now(UTC), settings.token_keys)


def mailbox_settings(server: dovecot.Dovecot) -> dict[str, str]:
    return {
        "IMAP_HOST": "127.0.0.1",
        "IMAP_PORT": str(server.port),
        "IMAP_MODE": "plain",
        "IMAP_USER": "rueck",
        "IMAP_PASSWORD": "secret",
    }


async def hand_over(place: Path, recipient: str, raw: bytes, sender: bytes = b"") -> bytes:
    reader, writer = await asyncio.open_unix_connection(place)
    lines = [
        b"LHLO x",
        b"MAIL FROM:<%b>" % sender,
        b"RCPT TO:<%b>" % recipient.encode(),
        b"DATA",
        raw + b"\r\n.",
    ]
    for line in [*lines, b"QUIT"]:
        writer.write(line + b"\r\n")
        await writer.drain()
        await asyncio.sleep(0.05)
    said = await asyncio.wait_for(reader.read(), 100)
    writer.close()
    return said


async def test_a_report_that_a_mail_server_hands_over_reaches_its_letter(
    database: Database, tmp_path: Path
) -> None:
    socket = tmp_path / "lmtp.sock"
    settings = settings_with(tmp_path, INTAKE_LMTP=f"unix:{socket}")
    letter = await a_sent_letter(database)
    recipient = returning.return_address(relaying.return_options(settings), letter)
    ear = Ear(services_with(database, settings))
    await ear.attend(datetime.now(UTC))
    await ear.attend(datetime.now(UTC))
    said = await hand_over(socket, recipient, sample("postfix_unknown_user", letter))
    await ear.close()

    assert b"250 2.0.0 kept" in said
    assert "failed" == (await builders.state_of(database, letter))["state"]


@pytest.mark.skipif(not dovecot.HAS_IMAP, reason="dovecot-imapd is not installed")
async def test_a_report_in_the_mailbox_reaches_its_letter_and_the_check_opens_it(
    database: Database, tmp_path: Path
) -> None:
    letter = await a_sent_letter(database)
    with dovecot.running() as server:
        settings = settings_with(tmp_path, **mailbox_settings(server))
        returns = relaying.return_options(settings)
        server.put("a", sample("postfix_unknown_user", letter, returns))
        await Ear(services_with(database, settings)).attend(datetime.now(UTC))
        well = [one async for one in checking.look_at_returns(settings)]
        wrong = settings_with(tmp_path, **mailbox_settings(server) | {"IMAP_PASSWORD": "wrong"})
        refused = [one async for one in checking.look_at_returns(wrong)]

    assert [letter] == [event["letter_id"] for event in await events(database)]
    assert [True, False] == [one.is_well for one in (*well, *refused)]
    assert "wrong" not in refused[0].sentence


async def test_the_check_says_whether_a_worker_listens(database: Database, tmp_path: Path) -> None:
    settings = settings_with(tmp_path, INTAKE_LMTP=f"unix:{tmp_path / 'lmtp.sock'}")
    before = [one async for one in checking.look_at_returns(settings)]
    ear = Ear(services_with(database, settings))
    await ear.attend(datetime.now(UTC))
    after = [one async for one in checking.look_at_returns(settings)]
    await ear.close()
    nothing = [one async for one in checking.look_at_returns(settings_with(tmp_path))]

    assert [False, True, True] == [one.is_well for one in (*before, *after, *nothing)]
    assert "rueck@alliance.example.org" in nothing[0].sentence


async def test_of_two_processes_on_one_machine_one_listens(
    database: Database, tmp_path: Path
) -> None:
    settings = settings_with(tmp_path, INTAKE_LMTP=f"unix:{tmp_path / 'lmtp.sock'}")
    first, second = (Ear(services_with(database, settings)) for _ in range(2))
    for ear in (first, second):
        await ear.attend(datetime.now(UTC))
    await first.close()
    between = await listening.answers(Place(path=tmp_path / "lmtp.sock"))
    await second.attend(datetime.now(UTC))
    after = await listening.answers(Place(path=tmp_path / "lmtp.sock"))
    await second.close()

    assert (False, True) == (between, after)


def test_only_who_has_a_way_in_has_the_tick(database: Database, tmp_path: Path) -> None:
    names = []
    for more in ({}, {"INTAKE_LMTP": "127.0.0.1:2424"}):
        services = services_with(database, settings_with(tmp_path, **more))
        names.append([tick.name for tick in ticking.ticks(services, None, Ear(services))])

    assert ["inbound"] == sorted({*names[1]} - {*names[0]})


def test_places_are_read_from_settings(tmp_path: Path) -> None:
    port = hearing.place(settings_with(tmp_path, INTAKE_LMTP="localhost:2424"))
    socket = hearing.place(settings_with(tmp_path, INTAKE_LMTP="unix:/run/x.sock"))

    assert Place(host="localhost", port=2424) == port
    assert Place(path=Path("/run/x.sock")) == socket
    assert None is hearing.place(settings_with(tmp_path))
    assert None is hearing.mailbox_of(settings_with(tmp_path))


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"INTAKE_LMTP": "unix:lmtp.sock"}, "INTAKE_LMTP"),
        ({"INTAKE_LMTP": "unix:/" + "x" * 120}, "INTAKE_LMTP"),
        ({"INTAKE_LMTP": "0.0.0.0:2424"}, "INTAKE_LMTP"),
        ({"INTAKE_LMTP": "127.0.0.1:99999"}, "INTAKE_LMTP"),
        ({"IMAP_HOST": "mail.example.org"}, "IMAP_USER"),
        ({"IMAP_USER": "a", "IMAP_PASSWORD": "b"}, "IMAP_HOST"),
        (
            {
                "IMAP_HOST": "mail.example.org",
                "IMAP_USER": "a",
                "IMAP_PASSWORD": "b",
                "IMAP_MODE": "plain",
            },
            "IMAP_MODE",
        ),
    ],
)
def test_odd_ways_in_are_refused_by_name(tmp_path: Path, more: dict[str, str], named: str) -> None:
    with pytest.raises(SettingsError) as error:
        settings_with(tmp_path, **more)

    assert f"TERMINBUCH_{named}" in str(error.value)
    assert 1 == len(error.value.problems)


def test_the_port_of_the_mailbox_follows_its_mode(tmp_path: Path) -> None:
    ways = [
        settings_with(
            tmp_path, IMAP_HOST="m.example.org", IMAP_USER="a", IMAP_PASSWORD="b", IMAP_MODE=mode
        )
        for mode in ("tls", "starttls")
    ]

    assert [993, 143] == [settings.imap_port for settings in ways]
    assert "INBOX" == ways[0].imap_folder


async def test_words_to_the_address_of_an_invitation_stand_beside_its_person(
    database: Database, tmp_path: Path
) -> None:
    where = tmp_path / "lmtp.sock"
    plus = "termine+@alliance.example.org"
    settings = settings_with(tmp_path, INTAKE_LMTP=f"unix:{where}", IMIP_ADDRESS=plus)
    services = services_with(database, settings)
    first = await invited.somebody_invited(database)
    other = await invited.invite(
        database, first.meeting_id, await invited.a_person(database, "Zoe Zweite")
    )
    ear = Ear(services)
    await ear.attend(datetime.now(UTC))
    for one, change in ((first, str.upper), (other, str), (other, _forge)):
        token = probing.derive_token(services.keys, one.handle)
        address = change(probing.write_address(settings, token))
        raw = b"From: x@private.example\r\nSubject: %b\r\n\r\nIch komme gern." % address.encode()
        said = await hand_over(where, address, raw, b"x@private.example")
        assert (change is not _forge) == (b"250 2.0.0 kept" in said)
    await ear.close()

    found = await transcribing.list_of_session(database, first.meeting_id)
    everything = await transcribing.list_all(database)
    answers = await database.fetch("SELECT answer, reply_stamped_at FROM invitation")
    assert [(other.invitation_id, "Zoe Zweite"), (first.invitation_id, "Mira Muster")] == [
        (one.invitation_id, one.person_name) for one in found
    ]
    assert ["Ich komme gern."] * 2 == [one.text for one in everything]
    assert [(None, None)] * 2 == [tuple(row) for row in answers]


def _forge(address: str) -> str:
    begin, end = address.split("+r")
    return f"{begin}+r{'b' if end[0] == 'a' else 'a'}{end[1:]}"


async def test_the_address_that_words_came_to_outweighs_the_letter_that_they_answer_to(
    database: Database, tmp_path: Path
) -> None:
    plus = "termine+@alliance.example.org"
    settings = settings_with(tmp_path, INTAKE_LMTP="127.0.0.1:2424", IMIP_ADDRESS=plus)
    services = services_with(database, settings)
    guest = await invited.somebody_invited(database)
    letter = await a_sent_letter(database)
    to = probing.write_address(settings, probing.derive_token(services.keys, guest.handle))
    raw = f"In-Reply-To: <{letter}@alliance.example.org>\r\nFrom: x@y.example\r\n\r\nJa"
    await intake.take(database, Ear(services).options, raw.encode(), to, datetime.now(UTC))

    [words] = await transcribing.list_all(database)
    [event] = await events(database)
    assert (letter, guest.invitation_id) == (event["letter_id"], words.invitation_id)


async def test_a_mail_from_a_program_that_knows_only_mail_unsubscribes(
    database: Database, tmp_path: Path
) -> None:
    where = tmp_path / "lmtp.sock"
    services = services_with(database, settings_with(tmp_path, INTAKE_LMTP=f"unix:{where}"))
    person = await service_builders.a_person(database)
    token = preferring.unsubscribe_token(
        services.keys, Topic.NUDGES, person["mail_handle"], person["mail_epoch"]
    )
    local, _, domain = hearing.stop_address(services.settings).partition("@")
    ear = Ear(services)
    await ear.attend(datetime.now(UTC))
    for tag in (token, "unbekannt"):
        await hand_over(where, f"{local}{tag}@{domain}", b"Subject: unsubscribe\r\n\r\n")
    await ear.close()

    found = await preferring.find_of_person(database, person["id"])
    assert Preferences(nudges=False) == found.preferences


@pytest.mark.skipif(not dovecot.HAS_IMAP, reason="dovecot-imapd is not installed")
async def test_a_mail_in_the_mailbox_unsubscribes_and_lies_there_as_read(
    database: Database, tmp_path: Path
) -> None:
    person = await service_builders.a_person(database)
    with dovecot.running() as server:
        services = services_with(database, settings_with(tmp_path, **mailbox_settings(server)))
        token = preferring.unsubscribe_token(
            services.keys, Topic.NUDGES, person["mail_handle"], person["mail_epoch"]
        )
        local, _, domain = hearing.stop_address(services.settings).partition("@")
        for name, tag in (("a", token), ("b", "unbekannt")):
            to = f"Delivered-To: {local}{tag}@{domain}\r\nSubject: unsubscribe\r\n\r\n"
            server.put(name, to.encode())
        await Ear(services).attend(datetime.now(UTC))
        await Ear(services).attend(datetime.now(UTC))
        seen = server.seen()

    found = await preferring.find_of_person(database, person["id"])
    assert Preferences(nudges=False) == found.preferences
    assert ([True, True], []) == (seen, await events(database))


def test_mail_unsubscribes_only_where_somebody_reads_it(tmp_path: Path) -> None:
    mailbox = {"IMAP_HOST": "m.example.org", "IMAP_USER": "a", "IMAP_PASSWORD": "b"}
    ways: tuple[tuple[dict[str, str], str], ...] = (
        ({}, ""),
        ({"INTAKE_LMTP": "127.0.0.1:2424"}, "unsub+@alliance.example.org"),
        (mailbox, "rueck+u-@alliance.example.org"),
        (mailbox | {"BOUNCE_PER_LETTER": "no"}, ""),
        (mailbox | {"BOUNCE_ADDRESS": "ruecklaeufer@alliance.example.org"}, ""),
        (mailbox | {"INTAKE_LMTP": "127.0.0.1:2424"}, "unsub+@alliance.example.org"),
    )
    found = [hearing.stop_address(settings_with(tmp_path, **more)) for more, _ in ways]

    assert [address for _, address in ways] == found
