"""Answers a second of one cached feed, beside nginx with one worker serving the same bytes.

`run()` starts the real command with the web role on a database of its own, and measures with wrk:
one load thread, 32 connections that stay open, ours and nginx in turns, the median of five.
"""

import asyncio
import os
import re
import shutil
import statistics
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from service import embedded
from tests.benchmarks import programme, servers

SESSIONS = 200
FACTOR = 100
CONNECTIONS = 32
SECONDS = 2
ROUNDS = 5
LEAST = 0.4
_MILLISECONDS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


class Load(NamedTuple):
    """Answers a second, and how long the slowest hundredth of them took at least."""

    rate: float
    p99_ms: float


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
            lines += await _two_workers(folder, dsn)
            lines += await _beside_radicale(folder, dsn)
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
    async with servers.our_server(folder, dsn) as ours:
        body, our_tag = await asyncio.to_thread(servers.fetch, ours)
        with servers.nginx(folder, body) as theirs:
            _, their_tag = await asyncio.to_thread(servers.fetch, theirs)
            lines, figures = [], {}
            for name, tags in (("200", None), ("304", (our_tag, their_tag))):
                found = await asyncio.to_thread(_in_turns, ours, theirs, tags)
                figures[name] = found[0].rate
                lines.append(_line(name, len(body), found))
    return lines, figures


async def _two_workers(folder: Path, dsn: str) -> list[str]:
    """Load two processes at the same time, and each alone, from two load threads in turns."""
    async with servers.our_server(folder, dsn) as one, servers.our_server(folder, dsn) as two:
        alone, together = [], []
        for _ in range(ROUNDS):
            alone.append((await asyncio.to_thread(_load, one, None)).rate)
            both = await asyncio.gather(
                *(asyncio.to_thread(_load, url, None) for url in (one, two))
            )
            together.append(sum(load.rate for load in both))
    ratio = statistics.median(together) / statistics.median(alone)
    line = (
        f"two workers, 200: {statistics.median(together):,.0f}/s, {ratio:.2f} of one; "
        f"{os.cpu_count()} cores are shared with two load programs"
    )
    return [line]


async def _beside_radicale(folder: Path, dsn: str) -> list[str]:
    if shutil.which(servers.RADICALE) is None:
        how = "python -m venv DIR; DIR/bin/pip install radicale; PATH=DIR/bin:$PATH make bench"
        return [f"Radicale, for orientation: not measured, not found ({how})"]
    async with servers.our_server(folder, dsn) as ours:
        body, _ = await asyncio.to_thread(servers.fetch, ours)
        with servers.radicale(folder, body) as theirs:
            named = ("-H", f"Authorization: {servers.NAMED}")
            other = await asyncio.to_thread(_load, theirs, None, *named)
            mine = await asyncio.to_thread(_load, ours, None)
    line = (
        f"for orientation, Radicale with the same {SESSIONS} sessions: {other.rate:,.0f}/s, "
        f"p99 {other.p99_ms:,.0f} ms; ours {mine.rate:,.0f}/s, p99 {mine.p99_ms:.1f} ms"
    )
    return [line]


def _line(name: str, size: int, found: tuple[Load, Load]) -> str:
    mine, reference = found
    ratio = mine.rate / reference.rate
    verdict = "" if ratio >= LEAST else f"  BELOW {LEAST}"
    return (
        f"feed of {SESSIONS} sessions ({size // 1000} kB), {name}: {mine.rate:,.0f}/s, "
        f"p99 {mine.p99_ms:.1f} ms, nginx {reference.rate:,.0f}/s, p99 {reference.p99_ms:.1f} ms, "
        f"ratio {ratio:.2f}{verdict}"
    )


def _in_turns(ours: str, theirs: str, tags: tuple[str, str] | None) -> tuple[Load, Load]:
    mine, reference = [], []
    for _ in range(ROUNDS):
        mine.append(_load(ours, tags[0] if tags else None))
        reference.append(_load(theirs, tags[1] if tags else None))
    return _median(mine), _median(reference)


def _median(loads: Sequence[Load]) -> Load:
    return Load(
        statistics.median(load.rate for load in loads),
        statistics.median(load.p99_ms for load in loads),
    )


def _load(url: str, tag: str | None, *more: str) -> Load:
    """Measure with wrk; an answer of another kind than asked for is an error."""
    condition = ["-H", f"If-None-Match: {tag}"] if tag else []
    options = ["-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "--latency"]
    command = ["wrk", *options, *condition, *more, url]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in printed and not tag:
        raise RuntimeError(printed)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", printed)
    slowest = re.search(r"99%\s+([\d.]+)(us|ms|s)", printed)
    if rate is None or slowest is None:
        raise RuntimeError(printed)
    return Load(float(rate[1]), float(slowest[1]) * _MILLISECONDS[slowest[2]])


if __name__ == "__main__":
    for each in run():
        print(each)
