"""The servers that the benchmark of feeds measures: ours, nginx, and Radicale for orientation."""

import asyncio
import base64
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from tests.ports import free_port

FEED = "/ics/g/klima/klima.ics"
RADICALE = "radicale"
NAMED = "Basic " + base64.b64encode(b"bench:").decode()
_READY_SECONDS = 60

_NGINX = """
{user}
worker_processes 1;
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    keepalive_requests 1000000000;
    open_file_cache max=10;
    types {{ text/calendar ics; }}
    client_body_temp_path {folder}/t1;
    proxy_temp_path {folder}/t2;
    fastcgi_temp_path {folder}/t3;
    uwsgi_temp_path {folder}/t4;
    scgi_temp_path {folder}/t5;
    server {{ listen 127.0.0.1:{port}; root {folder}/root; }}
}}
"""


def fetch(url: str, headers: Mapping[str, str] | None = None) -> tuple[bytes, str]:
    """Return the bytes behind an address, and their tag."""
    request = urllib.request.Request(url, headers=dict(headers or {}))  # noqa: S310 - our own address
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        return answer.read(), answer.headers["etag"]


@asynccontextmanager
async def our_server(folder: Path, dsn: str) -> AsyncIterator[str]:
    """Run the real command with the web role, one process."""
    port = free_port()
    environ = {name: value for name, value in os.environ.items() if "TERMINBUCH" not in name}
    environ |= {
        "TERMINBUCH_DATABASE_URL": dsn,
        "TERMINBUCH_DATA_DIR": str(folder / "var"),
        "TERMINBUCH_TOKEN_KEY": "b1:" + "5a" * 32,
        "TERMINBUCH_PORT": str(port),
        "TERMINBUCH_PUBLIC_URL": f"http://localhost:{port}",
        "TERMINBUCH_LOG_LEVEL": "warning",
    }
    command = [sys.executable, "-m", "service", "serve", "--role", "web"]
    with program(command, folder / "ours.log", environ):
        url = f"http://127.0.0.1:{port}{FEED}"
        await asyncio.to_thread(wait_for, url, folder / "ours.log")
        yield url


@contextmanager
def nginx(folder: Path, body: bytes) -> Iterator[str]:
    """Run nginx with one worker and the bytes as a file."""
    port = free_port()
    target = folder / "root" / FEED.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(body)
    user = "user root;" if os.geteuid() == 0 else ""
    conf = folder / "nginx.conf"
    conf.write_text(_NGINX.format(user=user, folder=folder, port=port))
    with program(["nginx", "-p", str(folder), "-c", str(conf)], folder / "nginx.log", None):
        url = f"http://127.0.0.1:{port}{FEED}"
        wait_for(url, folder / "error.log")
        yield url


@contextmanager
def program(command: Sequence[str], log: Path, environ: dict[str, str] | None) -> Iterator[None]:
    """Run a program and end it."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environ)
        try:
            yield
        finally:
            process.terminate()
            try:
                process.wait(timeout=40)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_for(url: str, log: Path, headers: Mapping[str, str] | None = None) -> None:
    """Wait until the program answers; say what it wrote when it does not."""
    deadline = time.monotonic() + _READY_SECONDS
    while True:
        try:
            fetch(url, headers)
        except OSError as error:
            if time.monotonic() > deadline:
                told = log.read_text(errors="replace")[-2000:] if log.exists() else ""
                raise RuntimeError(f"{url} does not answer: {told}") from error
            time.sleep(0.1)
        else:
            return


@contextmanager
def radicale(folder: Path, body: bytes) -> Iterator[str]:
    """Run Radicale with the same entries, one file each; it asks for a name, any will do."""
    place = folder / "radicale" / "collection-root" / "bench" / "termine"
    place.mkdir(parents=True)
    (place / ".Radicale.props").write_text('{"tag": "VCALENDAR"}')
    head, *events = body.split(b"BEGIN:VEVENT")
    for number, event in enumerate(events):
        whole, _, _ = event.partition(b"END:VEVENT")
        item = head + b"BEGIN:VEVENT" + whole + b"END:VEVENT\r\nEND:VCALENDAR\r\n"
        (place / f"{number}.ics").write_bytes(item)
    port = free_port()
    command = [
        RADICALE,
        f"--server-hosts=127.0.0.1:{port}",
        f"--storage-filesystem-folder={folder / 'radicale'}",
        "--auth-type=none",
        "--web-type=none",
        "--logging-level=error",
    ]
    with program(command, folder / "radicale.log", None):
        url = f"http://127.0.0.1:{port}/bench/termine/"
        wait_for(url, folder / "radicale.log", {"authorization": NAMED})
        yield url
