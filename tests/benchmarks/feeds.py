"""Answers a second of one cached feed, beside nginx with one worker serving the same bytes.

`run()` starts the real command with the web role on a database of its own, and measures with wrk:
one load thread, 32 connections that stay open, ours and nginx in turns, the median of five.
"""

import asyncio
import os
import re
import shutil
import socket
import statistics
import subprocess
import sys
import time
import urllib.request
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from service import embedded
from tests.benchmarks import programme

SESSIONS = 200
FACTOR = 100
CONNECTIONS = 32
SECONDS = 2
ROUNDS = 5
LEAST = 0.3
_FEED = "/ics/g/klima/klima.ics"
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


def run() -> list[str]:
    """Return the figures as lines, or one line that says what is missing and how to get it."""
    missing = [name for name in ("nginx", "wrk") if shutil.which(name) is None]
    if missing:
        names = " ".join(missing)
        return [f"feeds: not measured, {names} not found (Debian: apt-get install {names})"]
    return asyncio.run(_measure_all())


async def _measure_all() -> list[str]:
    folder = programme.folder()
    try:
        async with embedded.running(folder / "data", fsync=False) as dsn:
            await programme.fill(dsn, SESSIONS, title="Klima", slug="klima")
            lines, small = await _compare(folder, dsn)
            for number in range(FACTOR - 1):
                await programme.fill(
                    dsn, SESSIONS, title=f"Andere {number}", slug=f"andere-{number}"
                )
            more, large = await _compare(folder, dsn)
        lines += [f"  with {FACTOR} times the sessions:", *more]
        lines += [
            f"  {name}: {large[name] / small[name]:.2f} of the figure with few sessions"
            for name in small
        ]
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return lines


async def _compare(folder: Path, dsn: str) -> tuple[list[str], dict[str, float]]:
    async with _our_server(folder, dsn) as ours:
        body, our_tag = await asyncio.to_thread(_fetch, ours)
        with _nginx(folder, body) as theirs:
            _, their_tag = await asyncio.to_thread(_fetch, theirs)
            lines, figures = [], {}
            for name, tags in (("200", None), ("304", (our_tag, their_tag))):
                found = await asyncio.to_thread(_in_turns, ours, theirs, tags)
                figures[name] = found[0]
                lines.append(_line(name, len(body), found))
    return lines, figures


def _line(name: str, size: int, found: tuple[float, float]) -> str:
    mine, reference = found
    ratio = mine / reference
    verdict = "" if ratio >= LEAST else f"  BELOW {LEAST}"
    return (
        f"feed of {SESSIONS} sessions ({size // 1000} kB), {name}: {mine:,.0f}/s, "
        f"nginx {reference:,.0f}/s, ratio {ratio:.2f}{verdict}"
    )


def _in_turns(ours: str, theirs: str, tags: tuple[str, str] | None) -> tuple[float, float]:
    mine, reference = [], []
    for _ in range(ROUNDS):
        mine.append(_load(ours, tags[0] if tags else None))
        reference.append(_load(theirs, tags[1] if tags else None))
    return statistics.median(mine), statistics.median(reference)


def _load(url: str, tag: str | None) -> float:
    """Return the answers a second; an answer of another kind than asked for is an error."""
    condition = ["-H", f"If-None-Match: {tag}"] if tag else []
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", *condition, url]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in printed and not tag:
        raise RuntimeError(printed)
    found = re.search(r"Requests/sec:\s+([\d.]+)", printed)
    if found is None:
        raise RuntimeError(printed)
    return float(found[1])


def _fetch(url: str) -> tuple[bytes, str]:
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310 - our own address
        return answer.read(), answer.headers["etag"]


@asynccontextmanager
async def _our_server(folder: Path, dsn: str) -> AsyncIterator[str]:
    """Run the real command with the web role, one process."""
    port = _free_port()
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
    with _program(command, folder / "ours.log", environ):
        url = f"http://127.0.0.1:{port}{_FEED}"
        await asyncio.to_thread(_wait_for, url, folder / "ours.log")
        yield url


@contextmanager
def _nginx(folder: Path, body: bytes) -> Iterator[str]:
    port = _free_port()
    target = folder / "root" / _FEED.lstrip("/")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(body)
    user = "user root;" if os.geteuid() == 0 else ""
    conf = folder / "nginx.conf"
    conf.write_text(_NGINX.format(user=user, folder=folder, port=port))
    with _program(["nginx", "-p", str(folder), "-c", str(conf)], folder / "nginx.log", None):
        url = f"http://127.0.0.1:{port}{_FEED}"
        _wait_for(url, folder / "error.log")
        yield url


@contextmanager
def _program(command: Sequence[str], log: Path, environ: dict[str, str] | None) -> Iterator[None]:
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


def _wait_for(url: str, log: Path) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while True:
        try:
            _fetch(url)
        except OSError as error:
            if time.monotonic() > deadline:
                told = log.read_text(errors="replace")[-2000:] if log.exists() else ""
                raise RuntimeError(f"{url} does not answer: {told}") from error
            time.sleep(0.1)
        else:
            return


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


if __name__ == "__main__":
    for each in run():
        print(each)
