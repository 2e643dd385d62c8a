"""A real Postfix with a folder of its own, on free ports of this machine, with routes by domain."""

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.ports import free_port

PROGRAM = shutil.which("postfix", path="/usr/sbin")
SINK = shutil.which("smtp-sink", path="/usr/sbin")
CAN_RUN = PROGRAM is not None and SINK is not None and os.geteuid() == 0
"""Postfix begins as root."""

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
transport_maps = inline:{{ {routes} }}
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


@contextmanager
def running(routes: Mapping[str, str]) -> Iterator[tuple[Path, int]]:
    """Run Postfix; yield its folder, for which `{folder}` stands in routes, and its port."""
    folder = Path(tempfile.mkdtemp(prefix="tb-postfix-"))
    folder.chmod(0o755)
    port = free_port()
    (folder / "etc").mkdir()
    (folder / "queue").mkdir()
    (folder / "data").mkdir()
    os.chown(folder / "data", pwd.getpwnam("postfix").pw_uid, -1)
    ways = ", ".join(f"{domain}={way}" for domain, way in routes.items()).format(folder=folder)
    (folder / "etc" / "main.cf").write_text(_MAIN.format(folder=folder, routes=ways))
    (folder / "etc" / "master.cf").write_text(_MASTER.format(port=port))
    try:
        _control(folder, "start")
        wait_for(port, folder)
        yield folder, port
    finally:
        _control(folder, "stop")
        shutil.rmtree(folder, ignore_errors=True)


def _control(folder: Path, act: str) -> None:
    said = subprocess.run(
        [PROGRAM or "", "-c", str(folder / "etc"), act],
        capture_output=True,
        timeout=110,
        check=False,
    )
    assert act == "stop" or said.returncode == 0, said.stderr.decode()


def wait_for(port: int, folder: Path) -> None:
    """Return once somebody listens at a port."""
    for _ in range(1000):
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise TimeoutError((folder / "log").read_text())
