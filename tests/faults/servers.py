"""Mail servers that misbehave by script: by recipient, by phase, so many times."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import pytest

from tests.faults import history
from tests.faults.history import Copy
from tests.notifications.smtp_servers import Answer, Script, Server, Session
from tests.ports import free_port

NOTHING: Script = lambda _line, _session: None  # noqa: E731
LISTENS_SECONDS = 100


@dataclass
class Fault:
    """Answer so in this phase: `times` to the recipients that `whom` fits, None for ever.

    The phase is the verb, `CONNECT` for the greeting or `.` for the final dot.
    """

    phase: str
    answer: str
    whom: Callable[[str], bool] = lambda _: True
    times: int | None = None
    seen: int = 0

    def fits(self, line: str, session: Session) -> bool:
        """Tell whether it strikes here, and count that."""
        verb = line.split(" ", maxsplit=1)[0].upper()
        recipient = line.partition("<")[2].partition(">")[0] if verb == "RCPT" else ""
        if verb != self.phase or not self.whom(recipient or session.recipient):
            return False
        self.seen += 1
        return self.times is None or self.seen <= self.times


@dataclass
class Faulty:
    """A script whose faults can be changed while the server runs."""

    faults: list[Fault] = field(default_factory=list)

    def __call__(self, line: str, session: Session) -> Answer:
        """Answer as the first fault that strikes wants it."""
        return next((each.answer for each in self.faults if each.fits(line, session)), None)


def copies(server: Server) -> list[Copy]:
    """Return what the server took over; it calls its letters by their place."""
    return [
        history.copy_of(mail.raw, mail.recipient, mail.at, str(place))
        for place, mail in enumerate(server.mails, 1)
    ]


@asynccontextmanager
async def smtp_sink(*flags: str) -> AsyncIterator[int]:
    """Run Postfix's smtp-sink, another program's idea of SMTP; skip where it is not installed."""
    program = shutil.which("smtp-sink", path="/usr/sbin:/usr/bin:/usr/local/sbin")
    if program is None:
        pytest.skip("smtp-sink (Debian package postfix) is not installed")
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *(program, "-u", "nobody", *flags, f"127.0.0.1:{port}", "64"),
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        await _until_it_listens(port, process)
        yield port
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _until_it_listens(port: int, process: asyncio.subprocess.Process) -> None:
    async with asyncio.timeout(LISTENS_SECONDS):
        while True:
            assert process.returncode is None, "smtp-sink has ended"
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", port)
            except OSError:
                await asyncio.sleep(0.02)
            else:
                writer.close()
                return
