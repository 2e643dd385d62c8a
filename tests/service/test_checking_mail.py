"""What `terminbuch check mail` finds: a real name server, a real mail server, good and bad."""

import asyncio
import os
import socket
import ssl
import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes, policy
from ipaddress import ip_address
from pathlib import Path

import pytest

from notifications.relay import RelaySettings
from service import checking_domain, checking_mail
from service.checking_domain import Domains, Finding, Level
from service.checking_mail import Inquiry
from service.pages.catalogue import texts
from service.resolver import DnsSilentError, Resolver
from service.settings import Settings
from tests.domain.test_mail_records import rsa_key
from tests.notifications import smtp_servers, tls_servers
from tests.notifications.tls_servers import SECRET, a_real_server, trusting
from tests.ports import deaf_port
from tests.service import name_server
from tests.service.name_server import Zone, txt

OURS = "203.0.113.7"
NOW = datetime.now(UTC)
POLICY = "v=DMARC1; p=quarantine; rua=mailto:termine@example.org"

DOMAINS = Domains(
    sender="example.org",
    envelope="rueck.example.org",
    reports_to="termine@example.org",
    relay_host="mail.example.org",
    addresses=[ip_address(OURS)],
    selectors=["s1"],
)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tls_servers.make_certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def good_zone() -> Zone:
    return {
        ("example.org", "MX"): ["10 mail.example.org."],
        ("rueck.example.org", "MX"): ["20 two.example.org.", "10 mail.example.org."],
        ("mail.example.org", "A"): [OURS],
        ("two.example.org", "AAAA"): ["2001:db8::2"],
        ("rueck.example.org", "TXT"): [
            txt("something=else"),
            txt("v=spf1 include:example.org -all"),
        ],
        ("example.org", "TXT"): [txt("v=spf1 mx -all")],
        ("s1._domainkey.example.org", "TXT"): [txt(f"v=DKIM1; k=rsa; p={rsa_key(2048)}")],
        ("_dmarc.example.org", "TXT"): [txt(POLICY)],
        ("7.113.0.203.in-addr.arpa", "PTR"): ["mail.example.org."],
    }


async def look(
    zone: Zone, domains: Domains = DOMAINS, broken: Sequence[str] = ()
) -> dict[str, Finding]:
    """Return what is found, by its key."""
    async with name_server.running(zone, broken) as server:
        resolver = Resolver("127.0.0.1", port=server.port, seconds=60)
        found = [each async for each in checking_domain.look(resolver, domains)]
    for locale in ("de", "en"):
        # Every finding has its words, with every value in its place.
        assert all(checking_mail.lines(each, texts(locale)) for each in found)
    return {each.key: each for each in found}


async def test_a_domain_in_order_needs_nothing(good_zone: Zone) -> None:
    found = await look(good_zone)

    assert {"mx", "spf_read", "spf", "dkim", "dmarc", "alignment", "ptr"} == set(found)
    assert {Level.OK} == {each.level for each in found.values()}
    assert "mail.example.org, two.example.org" == found["mx"].values["hosts"]
    assert (2, 2048) == (found["spf_read"].values["n"], found["dkim"].values["n"])


async def test_an_empty_domain_lacks_everything_and_each_line_is_told() -> None:
    found = await look({("other.test", "A"): [OURS]})

    assert {
        "mx_none": "rueck.example.org. IN MX 10 mail.example.org.",
        "spf_none": f'rueck.example.org. IN TXT "v=spf1 mx ip4:{OURS} ~all"',
        "dkim_none": 's1._domainkey.example.org. IN TXT "v=DKIM1; k=rsa; p=..."',
        "dmarc_none": (
            '_dmarc.example.org. IN TXT "v=DMARC1; p=none; rua=mailto:termine@example.org"'
        ),
        "ptr_none": "7.113.0.203.in-addr.arpa. IN PTR mail.example.org.",
    } == {key: each.line for key, each in found.items()}
    assert {Level.MISSING} == {each.level for each in found.values()}


async def test_what_was_told_mends_what_was_missing(good_zone: Zone) -> None:
    """Put every line that is told into the zone, and look again."""
    found = await look({("mail.example.org", "A"): [OURS]})
    mended = dict(good_zone)
    for key in ("spf_none", "dmarc_none", "ptr_none"):
        name, _, kind, records = found[key].line.split(" ", 3)
        mended[name.rstrip("."), kind] = [records]
    again = await look(mended)

    assert {"spf", "ptr", "dmarc_weak"} <= set(again)
    assert {Level.OK, Level.WARN} == {each.level for each in again.values()}


@pytest.mark.parametrize(
    ("name", "kind", "records", "key", "level"),
    [
        ("example.org", "MX", ["0 ."], "mx_refuses", Level.WRONG),
        ("example.org", "MX", ["5 gone.example.org."], "mx_lost", Level.WRONG),
        ("rueck.example.org", "TXT", [txt("v=spf1 -all")], "spf_refuses", Level.WRONG),
        ("rueck.example.org", "TXT", [txt("v=spf1 ~all")], "spf_refuses", Level.WRONG),
        ("rueck.example.org", "TXT", [txt("v=spf1 +all")], "spf_everybody", Level.WRONG),
        ("rueck.example.org", "TXT", [txt("v=spf1 ipv4:1 -all")], "spf_syntax", Level.WRONG),
        ("rueck.example.org", "TXT", [txt("v=spf1 include:a.b -all")], "spf_nothing", Level.WRONG),
        ("rueck.example.org", "TXT", [txt("v=spf1 redirect=rueck.example.org")], "spf_lookups",
            Level.WRONG),
        ("rueck.example.org", "TXT", [txt("v=spf1 a:a.b a:b.c a:c.d")], "spf_void", Level.WRONG),
        ("rueck.example.org", "TXT", [txt("v=spf1 mx"), txt("v=spf1 a")], "spf_several",
            Level.WRONG),
        ("rueck.example.org", "TXT", [txt("v=spf1 ptr mx -all")], "spf_unread", Level.WARN),
        ("s1._domainkey.example.org", "TXT", [txt("p=")], "dkim_withdrawn", Level.WRONG),
        ("s1._domainkey.example.org", "TXT", [txt("p=x")], "dkim_unreadable", Level.WRONG),
        ("s1._domainkey.example.org", "TXT", [txt("p="), txt("p=x")], "dkim_several", Level.WRONG),
        ("s1._domainkey.example.org", "TXT", [txt(f"p={rsa_key(768)}")], "dkim_too_short",
            Level.WRONG),
        ("s1._domainkey.example.org", "TXT", [txt(f"p={rsa_key(1024)}")], "dkim_short", Level.WARN),
        ("s1._domainkey.example.org", "TXT", [txt(f"t=y; p={rsa_key(2048)}")], "dkim_testing",
            Level.WARN),
        ("s1._domainkey.example.org", "TXT", [txt("k=ed25519; p=" + "A" * 43 + "=")],
            "dkim_new_kind", Level.WARN),
        ("_dmarc.example.org", "TXT", [txt("v=DMARC1; p=none")], "dmarc_weak", Level.WARN),
        ("_dmarc.example.org", "TXT", [txt("v=DMARC1; p=no")], "dmarc_unreadable", Level.WRONG),
        ("_dmarc.example.org", "TXT", [txt(POLICY), txt("v=DMARC1; p=none")], "dmarc_several",
            Level.WRONG),
        ("_dmarc.example.org", "TXT", [txt(POLICY + "; aspf=s")], "alignment_apart", Level.WARN),
        ("7.113.0.203.in-addr.arpa", "PTR", ["two.example.org."], "ptr_astray", Level.WRONG),
    ],
)  # fmt: skip
async def test_each_fault_is_named(  # noqa: PLR0917 - a table's columns
    good_zone: Zone, name: str, kind: str, records: list[str], key: str, level: Level
) -> None:
    found = await look({**good_zone, (name, kind): records})

    assert key in found
    assert level == found[key].level


async def test_a_host_without_exchange_takes_mail_and_is_asked_for_one(good_zone: Zone) -> None:
    zone = {**good_zone, ("example.org", "MX"): [], ("example.org", "A"): [OURS]}
    found = await look(zone)

    assert Level.WARN == found["mx_implicit"].level
    assert "example.org. IN MX 10 mail.example.org." == found["mx_implicit"].line


async def test_a_refused_address_is_told_with_the_whole_record(good_zone: Zone) -> None:
    zone = {**good_zone, ("rueck.example.org", "TXT"): [txt("v=spf1 ip4:192.0.2.1 -all")]}
    found = await look(zone)
    presumed = await look(zone, replace(DOMAINS, are_presumed=True))
    line = f'rueck.example.org. IN TXT "v=spf1 ip4:192.0.2.1 ip4:{OURS} -all"'

    assert (Level.WRONG, line) == (found["spf_refuses"].level, found["spf_refuses"].line)
    assert Level.WARN == presumed["spf_presumed_refuses"].level


async def test_what_nobody_told_is_asked_for(good_zone: Zone) -> None:
    found = await look(good_zone, replace(DOMAINS, addresses=[], selectors=[]))

    assert {"spf_no_address", "dkim_no_selector"} == {
        key for key, each in found.items() if each.level is Level.WARN
    }
    assert not {"spf", "ptr", "dkim"} & set(found)


async def test_the_policy_of_the_organisation_counts_for_its_parts(good_zone: Zone) -> None:
    zone = {**good_zone, ("termine.example.org", "MX"): ["10 mail.example.org."]}
    found = await look(zone, replace(DOMAINS, sender="termine.example.org"))

    assert ("example.org", Level.OK) == (found["dmarc"].values["domain"], found["dmarc"].level)
    assert Level.OK == found["alignment"].level


async def test_a_weak_policy_is_told_in_its_next_form(good_zone: Zone) -> None:
    weak = [txt("v=DMARC1; p=none; rua=mailto:elsewhere@example.org")]
    below = [txt("v=DMARC1; p=reject; sp=none")]
    own = await look({**good_zone, ("_dmarc.example.org", "TXT"): weak})
    inherited = await look(
        {**good_zone, ("_dmarc.example.org", "TXT"): below},
        replace(DOMAINS, sender="termine.example.org"),
    )

    start = 'IN TXT "v=DMARC1; p=quarantine; rua=mailto:'

    assert f'_dmarc.example.org. {start}elsewhere@example.org"' == own["dmarc_weak"].line
    assert (
        f'_dmarc.termine.example.org. {start}termine@example.org"' == inherited["dmarc_weak"].line
    )


async def test_an_address_of_the_newer_kind_has_a_name_too(good_zone: Zone) -> None:
    address = ip_address("2001:db8::2")
    found = await look(good_zone, replace(DOMAINS, addresses=[address]))
    line = found["ptr_none"].line

    assert line.endswith(".8.b.d.0.1.0.0.2.ip6.arpa. IN PTR mail.example.org.")
    assert f"ip6:{address}" in found["spf_refuses"].line


async def test_a_name_whose_servers_fail_is_told_and_the_rest_is_looked_at(good_zone: Zone) -> None:
    found = await look(good_zone, broken=["_dmarc.example.org"])

    assert "_dmarc.example.org" == found["dns_silent"].values["name"]
    assert {"spf", "dkim", "ptr"} <= set(found)
    assert not {"dmarc", "dmarc_none"} & set(found)


async def test_a_domain_whose_servers_fail_is_not_a_dns_that_is_away(good_zone: Zone) -> None:
    found = await look(good_zone, broken=["example.org"])

    assert "example.org" == found["dns_silent"].values["name"]
    assert "no_dns" not in found


async def test_silence_is_told_once_and_ends_the_questions() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        resolver = Resolver("127.0.0.1", port=silent.getsockname()[1], seconds=0.2)
        found = [each async for each in checking_domain.look(resolver, DOMAINS)]

    assert [Finding(Level.WRONG, "no_dns")] == found


def test_what_strangers_wrote_does_not_command_the_terminal() -> None:
    wild = Finding(Level.WRONG, "dmarc_unreadable", {"domain": "a.test", "text": "v=\x1b[2J\r\nok"})
    said = checking_mail.lines(replace(wild, line="a.test. IN TXT \x1b]0;x"), texts("en"))

    assert ["wrong    DMARC: the record of a.test is not readable: v=[2J ok",
        "         DNS: a.test. IN TXT ]0;x"] == said  # fmt: skip


async def test_nothing_there_is_not_nobody_there() -> None:
    async with name_server.running({("a.test", "A"): [OURS]}, ["b.test"]) as server:
        resolver = Resolver("127.0.0.1", port=server.port, seconds=60)
        there = [await resolver.ask("A", "A.test."), await resolver.ask("A", "a.test")]
        nothing = [
            await resolver.ask(*each)
            for each in (("TXT", "a.test"), ("A", "c.test"), ("A", "x" * 64 + ".test"))
        ]
        with pytest.raises(DnsSilentError):
            await resolver.ask("A", "b.test")

    assert ([[OURS], [OURS]], [[], [], []]) == (there, nothing)
    assert 1 == server.asked.count(("a.test", "A"))


# --- the mail server --------------------------------------------------------------------------


async def look_at(relay: RelaySettings, now: datetime = NOW) -> dict[str, Finding]:
    found = [each async for each in checking_mail.look_at_relay(relay, now)]
    assert all(checking_mail.lines(each, texts("de")) for each in found)
    return {each.key: each for each in found}


@pytest.mark.parametrize("mode", ["starttls", "tls"])
async def test_the_certificate_is_told_with_its_name_and_end(certificate: Path, mode: str) -> None:
    async with a_real_server(certificate, implicit=mode == "tls") as (keeper, port):
        relay = RelaySettings("localhost", port, mode, tls_context=trusting(certificate))  # type: ignore[arg-type]
        soon = await look_at(relay)
        early = await look_at(relay, NOW - timedelta(days=30))

    assert f"relay_{mode}" in soon
    assert ("localhost", Level.WARN) == (
        soon["certificate_ends"].values["names"],
        soon["certificate_ends"].level,
    )
    assert Level.OK == early["certificate"].level
    assert [] == keeper.mails


@pytest.mark.parametrize(("host", "reason"), [("127.0.0.1", "IP address"), ("localhost", "signed")])
async def test_a_doubtful_certificate_says_why(certificate: Path, host: str, reason: str) -> None:
    context = trusting(certificate) if host == "127.0.0.1" else ssl.create_default_context()
    async with a_real_server(certificate) as (_, port):
        found = await look_at(RelaySettings(host, port, "starttls", tls_context=context))

    assert ["certificate_doubtful"] == list(found)
    assert reason in str(found["certificate_doubtful"].values["reason"])


async def test_a_wrong_password_is_told_without_it(certificate: Path) -> None:
    async with a_real_server(certificate) as (_, port):
        relay = RelaySettings(
            "localhost", port, user="office", password=SECRET, tls_context=trusting(certificate)
        )
        right = await look_at(relay)
        wrong = await look_at(replace(relay, password="n0t-th1s"))

    assert "ehlo_auth" in right
    assert ["login_refused"] == list(wrong)
    assert "n0t-th1s" not in checking_mail.lines(wrong["login_refused"], texts("en"))[0]


async def test_what_the_server_offers_is_told_and_what_it_lacks() -> None:
    everything = ("PIPELINING", "DSN", "8BITMIME", "SIZE 52428800", "AUTH PLAIN LOGIN")
    async with smtp_servers.running(extensions=everything) as server:
        rich = await look_at(server.relay())
    async with smtp_servers.running(extensions=("SIZE 500000",)) as server:
        poor = await look_at(server.relay())

    assert {
        "relay_plain": Level.OK,
        "ehlo_size": Level.OK,
        "ehlo_pipelining": Level.OK,
        "ehlo_dsn": Level.OK,
        "ehlo_8bitmime": Level.OK,
        "ehlo_auth_unused": Level.WARN,
    } == {key: each.level for key, each in rich.items()}
    assert "52.4" == rich["ehlo_size"].values["megabytes"]
    assert {
        "relay_plain": Level.OK,
        "ehlo_size_small": Level.WARN,
        "ehlo_no_pipelining": Level.WARN,
        "ehlo_no_dsn": Level.WARN,
        "ehlo_no_8bitmime": Level.OK,
    } == {key: each.level for key, each in poor.items()}


@pytest.mark.parametrize(
    ("extensions", "key"), [((), "ehlo_no_size"), (("SIZE",), "ehlo_size_open")]
)
async def test_a_size_may_be_open_or_not_told(extensions: tuple[str, ...], key: str) -> None:
    async with smtp_servers.running(extensions=extensions) as server:
        assert key in await look_at(server.relay())


async def test_a_server_without_tls_or_without_anybody_is_told(certificate: Path) -> None:
    async with smtp_servers.running() as server:
        bare = await look_at(replace(server.relay(), mode="starttls"))
    with deaf_port() as port:
        gone = await look_at(smtp_servers.Server(port=port).relay())

    assert (["tls_refused"], ["relay_away"]) == (list(bare), list(gone))


# --- the whole command ------------------------------------------------------------------------


def settings_for(folder: Path, port: int, **more: str) -> dict[str, str]:
    given = {
        "DATA_DIR": str(folder / "var"),
        "TOKEN_KEY": "t1:" + "5a" * 32,
        "SMTP_HOST": "localhost",
        "SMTP_PORT": str(port),
        "SMTP_USER": "office",
        "SMTP_PASSWORD": SECRET,
        "MAIL_FROM": "termine@example.org",
        "BOUNCE_ADDRESS": "b@rueck.example.org",
        **more,
    }
    return {f"TERMINBUCH_{name}": value for name, value in given.items()}


async def run_command(environment: dict[str, str], *options: str) -> tuple[int | None, str]:
    """Run the real command beside our servers; return its code and what it printed."""
    process = await asyncio.create_subprocess_exec(
        Path(sys.executable).with_name("terminbuch"), "check", *options,
        env=os.environ | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await process.communicate()
    return process.returncode, said.decode()


async def test_the_command_tells_all_and_sends_a_letter(
    certificate: Path, good_zone: Zone, tmp_path: Path
) -> None:
    trust = {"SSL_CERT_FILE": str(certificate.with_suffix(".crt"))}
    async with (
        name_server.running(good_zone) as names,
        a_real_server(certificate) as (keeper, port),
    ):
        code, said = await run_command(
            settings_for(tmp_path, port) | trust,
            "mail",
            "--nameserver=127.0.0.1", f"--nameserver-port={names.port}", f"--address={OURS}",
            "--selector=s1", "--to=erika@example.net", "--locale=en",
        )  # fmt: skip
    letter = message_from_bytes(keeper.mails[0], policy=policy.default)

    assert (0, 1) == (code, len(keeper.mails)), said
    assert f"ok       SPF: {OURS} may send for rueck.example.org." in said.splitlines()
    assert "The mail server says: 2.0.0 kept" in said
    assert SECRET not in said
    assert ("erika@example.net", "Trial letter: the way out is open") == (
        letter["To"],
        letter["Subject"],
    )
    assert not (tmp_path / "var").exists()


@pytest.mark.long
async def test_the_command_needs_a_hand_in_german(certificate: Path, tmp_path: Path) -> None:
    trust = {"SSL_CERT_FILE": str(certificate.with_suffix(".crt"))}
    async with (
        name_server.running({}) as names,
        a_real_server(certificate) as (keeper, port),
    ):
        code, said = await run_command(
            settings_for(tmp_path, port) | trust,
            "mail",
            "--nameserver=127.0.0.1",
            f"--nameserver-port={names.port}",
        )

    assert (1, []) == (code, keeper.mails)
    assert "fehlt    SPF: rueck.example.org sagt nicht, wer für sie senden darf." in said
    assert '         DNS: rueck.example.org. IN TXT "v=spf1 mx ~all"' in said.splitlines()


@pytest.mark.long
async def test_without_any_name_server_the_command_says_so(tmp_path: Path) -> None:
    async with (
        smtp_servers.running() as server,
        name_server.running({}, broken=["example.org", "."]) as names,
    ):
        code, said = await run_command(
            settings_for(tmp_path, server.port, SMTP_MODE="plain", SMTP_USER="", SMTP_PASSWORD=""),
            "mail",
            "--nameserver=127.0.0.1",
            f"--nameserver-port={names.port}",
        )

    assert 2 == code, said
    assert "DNS: Kein Nameserver antwortet." in said
    assert "Mailserver: localhost:" in said
    assert "SPF" not in said


async def test_the_check_of_everything_stands_as_it_did(tmp_path: Path) -> None:
    code, said = await run_command(
        settings_for(tmp_path, 1, DATABASE_URL="postgresql://nobody@127.0.0.1:1/none")
    )

    assert 1 == code
    assert "ok      settings: read; public address http://localhost:8000" in said.splitlines()
    assert "PROBLEM mail: localhost:1 refuses us" in said


async def test_a_sender_that_others_cannot_know_is_told(tmp_path: Path) -> None:
    said: list[str] = []
    settings = Settings.read({"TERMINBUCH_DATA_DIR": str(tmp_path)})
    code = await checking_mail.run(settings, Inquiry(), Resolver("127.0.0.1"), NOW, said.append)

    assert 1 == code
    assert ["falsch", "falsch"] == [line.split()[0] for line in said]
    assert "termine@localhost" in said[0]


async def test_a_refused_trial_letter_is_told_in_the_words_of_the_server(tmp_path: Path) -> None:
    settings = Settings.read({"TERMINBUCH_DATA_DIR": str(tmp_path)})

    def refuse(line: str, _: smtp_servers.Session) -> str | None:
        return "550 5.7.1 not from you" if line.startswith("RCPT") else None

    async with smtp_servers.running(refuse) as server:
        refused = await checking_mail.send_trial(
            server.relay(), settings, "e@example.net", "de", NOW
        )
        odd = await checking_mail.send_trial(server.relay(), settings, "e@exa mple", "de", NOW)

    assert ("trial_refused", "trial_address") == (refused.key, odd.key)
    assert "5.7.1 not from you" in str(refused.values["reason"])
    assert [] == server.mails
