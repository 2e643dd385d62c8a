"""A relay signs our letters (DKIM, RFC 6376): what it signed is still true behind a real Postfix.

We sign nothing ourselves, so the test plays the relay, with another program's idea of DKIM.
"""

import base64
import re
import shutil
import subprocess
from pathlib import Path
from urllib.parse import urlsplit

import aiosmtplib
import pytest

from tests.faults.harness import Stage
from tests.notifications import postfix, smtp_servers
from tests.ports import free_port

PYTHON, OPENSSL = "/usr/bin/python3", shutil.which("openssl")
HAS_DKIM = any(Path("/usr/lib/python3/dist-packages").glob("dkim/__init__.py"))
pytestmark = [
    pytest.mark.xdist_group("faults"),
    pytest.mark.long,
    pytest.mark.skipif(not postfix.CAN_RUN, reason="needs Postfix, which begins as root"),
    pytest.mark.skipif(not HAS_DKIM, reason="dkimpy (Debian package python3-dkim) is missing"),
    pytest.mark.skipif(OPENSSL is None, reason="openssl makes the key"),
]

PUBLIC_URL = "https://termine.alliance-fuer-lebendige-innenstaedte.example.org"
# Both unsubscribe headers must be covered (RFC 8058 section 4).
SIGNED = (
    "from to subject date message-id reply-to mime-version content-type content-language"
    " list-unsubscribe list-unsubscribe-post list-id auto-submitted from"
)
_SIGN = """
import sys, dkim
raw, key = sys.stdin.buffer.read(), open(sys.argv[1], "rb").read()
headers = sys.argv[2].encode().split()
way = (b"relaxed", b"relaxed")
sys.stdout.buffer.write(dkim.sign(raw, b"s1", b"example.org", key, canonicalize=way,
    include_headers=headers) + raw)
"""
_VERIFY = """
import sys, dkim
record = open(sys.argv[1], "rb").read()
sys.exit(0 if dkim.verify(sys.stdin.buffer.read(), dnsfunc=lambda *_, **__: record) else 3)
"""


def a_key(folder: Path) -> tuple[Path, Path]:
    """Make a key; return where it is, and where the record is that the DNS would hold."""
    key, record = folder / "key.pem", folder / "record"
    make = ["genrsa", "-out", str(key), "2048"]
    tell = ["rsa", "-in", str(key), "-pubout", "-outform", "DER"]
    subprocess.run([OPENSSL or "", *make], check=True, capture_output=True)
    public = subprocess.run([OPENSSL or "", *tell], check=True, capture_output=True).stdout
    record.write_bytes(b"v=DKIM1; k=rsa; p=" + base64.b64encode(public))
    return key, record


def sign(raw: bytes, key: Path) -> bytes:
    done = subprocess.run(
        [PYTHON, "-c", _SIGN, str(key), SIGNED], input=raw, capture_output=True, check=True
    )
    return done.stdout


def verifies(raw: bytes, record: Path) -> bool:
    asked = [PYTHON, "-c", _VERIFY, str(record)]
    done = subprocess.run(asked, input=raw, capture_output=True, check=False)
    assert done.returncode in {0, 3}, done.stderr.decode()
    return done.returncode == 0


async def a_nudge(stage: Stage) -> bytes:
    """Let a real worker send what can be switched off, with both ways to do so."""
    more = {
        "TERMINBUCH_PUBLIC_URL": PUBLIC_URL,
        "TERMINBUCH_INTAKE_LMTP": f"127.0.0.1:{free_port()}",
    }
    await stage.post(1, "nudge")
    async with smtp_servers.running() as server, stage.worker(server.port, **more):
        await stage.in_state("sent")
        return server.mails[0].raw


async def behind_postfix(stage: Stage, raw: bytes) -> bytes:
    """Hand bytes to a real Postfix and return what the server behind it got."""
    async with smtp_servers.running() as server:
        with postfix.running({"example.org": f"smtp:[127.0.0.1]:{server.port}"}) as (_, port):
            async with aiosmtplib.SMTP(hostname="127.0.0.1", port=port, local_hostname="a") as to:
                await to.mail("termine@example.org")
                await to.rcpt("m1@example.org")
                await to.data(raw)

            async def has_arrived() -> bool:
                return bool(server.mails)

            await stage.until(has_arrived, "Postfix has handed the letter on")
        return server.mails[0].raw


def unsubscribe_lines(raw: bytes) -> list[str]:
    head = raw.partition(b"\r\n\r\n")[0].decode("ascii")
    return [line for line in head.split("\r\n") if line.startswith("List-Unsubscribe")]


async def test_40_what_a_relay_signed_is_true_behind_postfix_and_covers_both_headers(
    stage: Stage, tmp_path: Path
) -> None:
    raw = await a_nudge(stage)
    key, record = a_key(tmp_path)
    signed = sign(raw, key)
    after = await behind_postfix(stage, signed)

    ways, post = unsubscribe_lines(after)
    found = re.fullmatch(r"List-Unsubscribe: <(https://[^<>\s]+)>, <(mailto:[^<>\s]+)>", ways)
    assert unsubscribe_lines(raw) == [ways, post]
    assert "List-Unsubscribe-Post: List-Unsubscribe=One-Click" == post
    assert found is not None
    # Beyond 78 characters other writers fold, or encode what no program reads any more.
    assert len(ways) > 150
    assert PUBLIC_URL == "{0.scheme}://{0.netloc}".format(urlsplit(found[1]))
    assert urlsplit(found[2]).path.startswith("unsub+")
    assert (True, True) == (verifies(signed, record), verifies(after, record))
    assert after.endswith(signed.partition(b"\r\n\r\n")[2])


async def test_40_a_change_of_either_unsubscribe_header_breaks_the_signature(
    stage: Stage, tmp_path: Path
) -> None:
    key, record = a_key(tmp_path)
    signed = sign(await a_nudge(stage), key)

    assert not verifies(signed.replace(b"One-Click", b"No-Click"), record)
    assert not verifies(signed.replace(b"<mailto:unsub", b"<mailto:other"), record)
    assert not verifies(signed.replace(b"Auto-Submitted: auto", b"Auto-Submitted: x"), record)
    assert not verifies(signed.replace(b"List-Id: <", b"List-Id: <x-"), record)
