"""A real Dovecot of one's own: on a free port of this machine, with a mailbox in a folder."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from notifications.imap import Mailbox
from tests.ports import free_port

PROGRAM = shutil.which("dovecot", path="/usr/sbin:/usr/local/sbin:/usr/bin")
HAS_IMAP = PROGRAM is not None and Path("/usr/lib/dovecot/imap").exists()
HAS_LMTP = HAS_IMAP and Path("/usr/lib/dovecot/lmtp").exists()

_CONFIG = """
base_dir = {folder}/run
state_dir = {folder}/run
log_path = {folder}/log
protocols = {protocols}
listen = 127.0.0.1
{tls}
disable_plaintext_auth = no
default_internal_user = {internal}
default_internal_group = {internal_group}
default_login_user = {login}
first_valid_uid = 1
mail_location = maildir:{folder}/mail
passdb {{
  driver = static
  args = password=secret
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/mail allow_all_users=yes
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = {port}
  }}
  inet_listener imaps {{
    port = {tls_port}
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
"""
_LMTP = """
service lmtp {{
  chroot =
  inet_listener lmtp {{
    address = 127.0.0.1
    port = {port}
  }}
}}
"""


@dataclass
class Dovecot:
    """The server, its mailbox and the folder of its new mail."""

    folder: Path
    port: int
    tls_port: int
    uid: int
    gid: int
    lmtp_port: int

    @property
    def mailbox(self) -> Mailbox:
        """How to get in."""
        return Mailbox("127.0.0.1", self.port, "plain", "rueck", "secret")

    def put(self, name: str, raw: bytes) -> None:
        """Deliver a mail."""
        for each in ("cur", "new", "tmp"):
            (self.folder / "mail" / each).mkdir(parents=True, exist_ok=True)
            self._give(self.folder / "mail" / each)
        file = self.folder / "mail" / "new" / f"{time.time_ns()}.{name}.test"
        file.write_bytes(raw)
        self._give(file)

    def seen(self) -> list[bool]:
        """Return for each mail whether it is marked as read, in the order of arrival."""
        files = [
            *(self.folder / "mail" / "cur").iterdir(),
            *(self.folder / "mail" / "new").iterdir(),
        ]
        return ["S" in one.name.partition(":2,")[2] for one in sorted(files, key=lambda f: f.name)]

    def _give(self, path: Path) -> None:
        if os.geteuid() == 0:
            os.chown(path, self.uid, self.gid)


@contextmanager
def running(certificate: Path | None = None) -> Iterator[Dovecot]:
    """Run Dovecot with one empty mailbox; with a certificate (and its key) it speaks TLS, too.

    Where Debian's dovecot-lmtpd is installed, it takes mail by LMTP for any address.
    """
    # Folders of pytest are closed to the users that Dovecot becomes.
    folder = Path(tempfile.mkdtemp(prefix="tb-dovecot-"))
    folder.chmod(0o755)
    mail = folder / "mail"
    mail.mkdir()
    port, lmtp_port = free_port(), free_port()
    tls_port, tls = 0, "ssl = no"
    if certificate is not None:
        tls_port = free_port()
        tls = f"ssl = yes\nssl_cert = <{certificate}\nssl_key = <{certificate}"
    is_root = os.geteuid() == 0
    me = pwd.getpwuid(os.geteuid()).pw_name
    owner = pwd.getpwnam("nobody") if is_root else pwd.getpwuid(os.geteuid())
    if is_root:
        os.chown(mail, owner.pw_uid, owner.pw_gid)
    config = folder / "dovecot.conf"
    config.write_text(
        _CONFIG.format(
            folder=folder,
            port=port,
            tls=tls,
            tls_port=tls_port,
            uid=owner.pw_uid,
            gid=owner.pw_gid,
            internal="dovecot" if is_root else me,
            internal_group="dovecot" if is_root else me,
            login="dovenull" if is_root else me,
            protocols="imap lmtp" if HAS_LMTP else "imap",
        )
        + (_LMTP.format(port=lmtp_port) if HAS_LMTP else "")
    )
    process = subprocess.Popen([PROGRAM or "", "-F", "-c", str(config)])
    try:
        _wait_for(port, process)
        yield Dovecot(folder, port, tls_port, owner.pw_uid, owner.pw_gid, lmtp_port)
    finally:
        process.terminate()
        process.wait(60)
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(1000):
        assert process.poll() is None, "Dovecot ended at once"
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError
