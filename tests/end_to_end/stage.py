"""The running demo as the tests see it: its addresses, its letter box, its database."""

import asyncio
import re
import time
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.header import decode_header, make_header
from email.message import EmailMessage
from email.utils import parseaddr
from pathlib import Path

import httpx
import icalendar

from service.database import Database
from service.pages.catalogue import LOCALES, texts
from tests.end_to_end.programs import Program

# A letter whose writing met a busy database is tried again after a minute.
LETTER_SECONDS = 150
FEED_SECONDS = 100
POLL_SECONDS = 0.25
_LINE = re.compile(r'<td[^>]*><a href="/demo/post/(\d+)">([^<]*)</a>')
_SIGN_IN = re.compile(r"(http://localhost:\d+)(/anmelden/l/\S+)")


@dataclass(frozen=True)
class Letter:
    """One letter that the demo's mail server got."""

    number: int
    message: EmailMessage

    @property
    def subject(self) -> str:
        """The decoded subject line."""
        return str(self.message["Subject"])

    @property
    def name(self) -> str:
        """The name of the person that it is for."""
        # The library's parser puts a space between two encoded words of one name.
        line = dict(self.message.raw_items())["To"]
        return parseaddr(str(make_header(decode_header(line))))[0]

    @property
    def text(self) -> str:
        """The text part."""
        body = self.message.get_body(("plain",))
        assert body is not None
        return str(body.get_content())

    @property
    def path(self) -> str:
        """Where the letter box shows it."""
        return f"/demo/post/{self.number}"

    @property
    def locale(self) -> str:
        """The language that it is written in."""
        return str(self.message["Content-Language"] or "de")


@dataclass(frozen=True)
class Demo:
    """A running `terminbuch demo`."""

    program: Program
    base: str
    sign_in_path: str
    data_dir: Path
    client: httpx.AsyncClient

    async def letters(self, kind: str, count: int, after: int = 0) -> list[Letter]:
        """Wait until so many letters of a kind came after the given one; oldest first."""
        deadline = time.monotonic() + LETTER_SECONDS
        while len(numbers := await self.numbers(kind, after)) < count:
            if time.monotonic() > deadline:
                raise AssertionError(f"{len(numbers)} of {count} letters of {kind} came")
            await asyncio.sleep(POLL_SECONDS)
        return [await self.letter(number) for number in numbers]

    async def numbers(self, kind: str, after: int) -> list[int]:
        """Return the letters of a kind that came after the given one; oldest first."""
        box, begins = (await self.client.get("/demo/post")).text, beginnings(kind)
        lines = [(int(number), title) for number, title in _LINE.findall(box)]
        return sorted(n for n, title in lines if n > after and title.startswith(begins))

    async def letter(self, number: int) -> Letter:
        """Read one letter as it was transferred."""
        raw = (await self.client.get(f"/demo/post/{number}/eml")).content
        parsed = message_from_bytes(raw, policy=policy.default)
        assert isinstance(parsed, EmailMessage)
        return Letter(number, parsed)

    async def count_letters(self) -> int:
        """Return how many letters are in the box."""
        found = re.search(r"(\d+) Briefe?\b", (await self.client.get("/demo/post")).text)
        assert found is not None
        return int(found[1])

    async def entry(self, path: str, title: str, wanted: str) -> icalendar.Event:
        """Return an entry of a feed by words of its title, once it says what is wanted."""
        deadline = time.monotonic() + FEED_SECONDS
        said = ""
        while time.monotonic() < deadline:
            body = (await self.client.get(path)).content
            for event in icalendar.Calendar.from_ical(body).events:
                if title in str(event["SUMMARY"]):
                    said = event.to_ical().decode()
                    if wanted in said:
                        return event
            await asyncio.sleep(POLL_SECONDS)
        raise AssertionError(f"{path} says no {wanted} about {title}: {said}")


def beginnings(kind: str) -> tuple[str, ...]:
    """Return how subjects of a kind begin, in both languages."""
    key = f"letter.{kind}.subject"
    key = key if texts("de").has(key) else f"letter.{kind}.title"
    wordings = (texts(locale).wordings[key] for locale in LOCALES)
    return tuple(wording.other.split("{")[0].rstrip("(") for wording in wordings)


def announced(program: Program) -> tuple[str, str] | None:
    """Return address and sign-in path once the demo has printed them."""
    found = _SIGN_IN.search("\n".join(program.lines))
    return (found[1], found[2]) if found else None


_SUM = "SELECT md5(coalesce(string_agg(t::text, '|' ORDER BY t::text), '')) FROM {} t"


async def sums_of_tables(database: Database) -> dict[str, str]:
    """Return a checksum of all rows of every table."""
    tables = await database.fetch(
        "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename"
    )
    return {
        row["tablename"]: await database.fetchval(_SUM.format(row["tablename"])) for row in tables
    }
