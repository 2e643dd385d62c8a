"""People at work over HTTP, and what they heard: answers, presses of the office, calendars.

Each writes down what is sent before it is sent; whoever hears nothing sends the same form again,
as people do. Processes of the pages and the database may die under them at any moment.
"""

import asyncio
import random
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
import httpx

from service import authenticating, keeping_sessions, publishing, subscribing, tokens
from service.auditing import COMMAND
from service.demo.visitor import LostError, read_page
from service.domain.words import Role
from service.engine import OUTAGES
from service.settings import Settings
from service.tokens import Purpose
from tests import builders
from tests.faults import ledger
from tests.faults.harness import Stage
from tests.faults.ledger import Fetch, Heard, Ledger, Press, Reply

MEMBERS = 8
READERS = 2
SEATS = 3
ANSWERERS = 3
TRIES = 6
PAUSE_SECONDS = (0.05, 0.4)
HASTENS_SECONDS = 1.0
REQUEST_SECONDS = 30.0
LAST_SECONDS = 120.0
ORIGIN = "http://localhost:8000"
PRESSED = {"sec-fetch-site": "same-origin", "origin": ORIGIN}
# Nobody of ours sends mail from here.
UNUSED_PORT = 25
SAVED, REFUSED, BROKEN = 303, 400, 500
FIRST_NUMBER = 1
# Each session is planned for, or moved to, a day of its own; so far off, nothing else is due.
FIRST_DAY = 70
FEW_SESSIONS, MOST_SESSIONS = 3, 60
AWAY = (*OUTAGES, OSError, asyncpg.PostgresError, asyncpg.InternalClientError)
_NUMBER = re.compile(r"(\d+)\. AG Klima")

_OPEN = """
SELECT i.id, i.handle, i.epoch, i.person_id FROM invitation i JOIN meeting m ON m.id = i.meeting_id
JOIN meeting_group g ON g.meeting_id = m.id
WHERE g.group_id = $1 AND m.state = 'confirmed' AND i.state = 'invited'
"""
_STANDING = """
SELECT m.id FROM meeting m JOIN meeting_group g ON g.meeting_id = m.id
WHERE g.group_id = $1 AND m.state = 'confirmed' ORDER BY m.id
"""
_COUNTDOWNS_END = "UPDATE notice SET due_at = now() WHERE state = 'pending' AND due_at > now()"
_PENDING = "SELECT count(*) FROM notice WHERE state = 'pending'"

Form = tuple[str, dict[str, str]]


@dataclass
class Crew:
    """A group with members, a coordinator, and calendars that somebody reads."""

    stage: Stage
    group_id: UUID
    members: Sequence[UUID]
    settings: Settings
    client: httpx.AsyncClient
    ports: Sequence[int]
    seed: int
    told: Ledger
    is_over: bool = False
    odd: list[str] = field(default_factory=list)
    planned: int = 0

    @property
    def readers(self) -> Sequence[UUID]:
        """Return who reads a calendar of their own."""
        return self.members[:READERS]

    def a_day(self) -> str:
        """Return a day that no session had before."""
        self.planned += 1
        return (datetime.now(UTC) + timedelta(days=FIRST_DAY + self.planned)).date().isoformat()

    def base(self, dice: random.Random) -> str:
        """Return the address of any process of the pages."""
        return f"http://localhost:{dice.choice(self.ports)}"

    async def form(
        self, dice: random.Random, page: str, /, *buttons: str, **entries: str
    ) -> Form | None:
        """Open a page and fill in the form with the first of these buttons; None without one."""
        try:
            opened = await self.client.get(self.base(dice) + page, follow_redirects=True)
        except httpx.TransportError:
            return None
        return self.fill_in(opened, *buttons, **entries)

    def fill_in(self, opened: httpx.Response, /, *buttons: str, **entries: str) -> Form | None:
        """Fill in the form of a page that is open."""
        page = read_page(str(opened.url), opened)
        for words in buttons:
            with suppress(LostError):
                form, (name, value) = page.form(words)
                button = {name: value} if name else {}
                return urlsplit(form.action).path, dict(form.fields) | entries | button
        self.note_breakdown(opened)
        # A session that was called off meanwhile has no form; no page of ours refuses to open.
        if REFUSED <= opened.status_code < BROKEN:
            self.odd.append(f"{opened.status_code} without {buttons[0]}: {page.text[:200]}")
        return None

    def note_breakdown(self, answer: httpx.Response | None) -> None:
        """Note a page that calls itself broken: a database that is away is no defect of ours."""
        if answer is not None and answer.status_code == BROKEN:
            self.odd.append(f"500 from {answer.url}")

    async def send(self, dice: random.Random, form: Form) -> httpx.Response | None:
        """Send a form once; None when nothing was heard."""
        with suppress(httpx.TransportError):
            return await self.client.post(self.base(dice) + form[0], data=form[1], headers=PRESSED)
        return None

    async def press(self, dice: random.Random, form: Form, leads_to: str) -> Heard:
        """Send a form until something is heard; a late refusal may follow an unheard success."""
        is_sure = True
        for _ in range(TRIES):
            answer = await self.send(dice, form)
            if answer is not None and answer.status_code < BROKEN:
                if answer.status_code == SAVED:
                    if answer.headers["location"].startswith(leads_to):
                        return Heard.YES
                    self.odd.append(f"{form[0]} leads to {answer.headers['location']}")
                elif answer.status_code < REFUSED:
                    self.odd.append(f"{answer.status_code} for {form[0]}")
                return Heard.NO if is_sure else Heard.NOTHING
            self.note_breakdown(answer)
            is_sure = False
            await asyncio.sleep(dice.uniform(*PAUSE_SECONDS))
        return Heard.NOTHING

    async def answer(self, dice: random.Random, place: int) -> None:
        """Answer one of the invitations that are this answerer's alone."""
        rows = await self.stage.database.fetch(_OPEN, self.group_id)
        own = [row for row in rows if row["id"].int % ANSWERERS == place]
        if not own:
            return
        row = dice.choice(own)
        token = tokens.derive(self.settings.token_keys, Purpose.ANSWER, row["handle"], row["epoch"])
        # What somebody declined leaves the own calendar; those that are read keep everything.
        no = "undecided" if row["person_id"] in self.readers else "declined"
        said = dice.choice(("in_person", "in_person", no, "undecided"))
        note = f"n{len(self.told.replies)}-{place}"
        buttons = ("Antwort senden", "Antwort ändern")
        form = await self.form(dice, f"/a/{token}", *buttons, answer=said, note=note)
        if form is None:
            return
        reply = Reply(row["id"], said, note)
        self.told.replies.append(reply)
        reply.heard = await self.press(dice, form, f"/a/{token}/danke")

    async def plan(self, dice: random.Random) -> None:
        """Plan a session and publish it, unless there are many; read which number it got."""
        rows = await self.stage.database.fetch(_STANDING, self.group_id)
        if len(rows) > MOST_SESSIONS:
            return
        entries = {"start_date": self.a_day(), "start_time": "10:00", "end_time": "12:00"}
        more = {"town": "Erfurt", "capacity": str(SEATS)}
        page = f"/buero/termin/neu?gruppe={self.group_id}"
        draft = await self.form(dice, page, "Entwurf speichern", **entries, **more)
        if draft is None:
            return
        meeting_id = UUID(draft[1]["id"])
        own_page = f"/buero/termin/{meeting_id}"
        if await self.press(dice, draft, own_page) is not Heard.YES:
            return
        form = await self.form(dice, f"{own_page}/vorschau?status=confirmed", "Jetzt einladen")
        if form is None:
            return
        press = Press("publish", meeting_id)
        self.told.presses.append(press)
        press.heard = await self.press(dice, form, own_page)
        if press.heard is Heard.YES:
            with suppress(httpx.TransportError):
                answer = await self.client.get(self.base(dice) + own_page)
                found = _NUMBER.search(answer.text)
                press.number = int(found[1]) if found else None

    async def change(self, dice: random.Random) -> None:
        """Move a session or, more seldom, cancel it."""
        rows = await self.stage.database.fetch(_STANDING, self.group_id)
        if len(rows) < FEW_SESSIONS:
            return
        meeting_id = dice.choice(rows)["id"]
        if dice.random() < 0.3:
            await self.cancel(dice, meeting_id)
        else:
            await self.move(dice, meeting_id)

    async def move(self, dice: random.Random, meeting_id: UUID) -> None:
        """Move a session to a day of its own, over the page that says what follows."""
        own_page, day = f"/buero/termin/{meeting_id}", self.a_day()
        way = await self.form(
            dice, f"{own_page}/verschieben", "Weiter zur Vorschau", start_date=day
        )
        answer = None if way is None else await self.send(dice, way)
        if answer is None or answer.status_code >= BROKEN:
            return
        form = self.fill_in(answer, "Speichern und ", "Jetzt einladen", "Speichern")
        if form is None:
            return
        press = Press("move", meeting_id, day)
        self.told.presses.append(press)
        press.heard = await self.press(dice, form, f"{own_page}?")

    async def cancel(self, dice: random.Random, meeting_id: UUID) -> None:
        """Cancel a session."""
        own_page = f"/buero/termin/{meeting_id}"
        form = await self.form(
            dice, f"{own_page}/absagen", "Sitzung absagen", reason="Wasserschaden"
        )
        if form is None:
            return
        press = Press("cancel", meeting_id)
        self.told.presses.append(press)
        press.heard = await self.press(dice, form, f"{own_page}?")

    async def feeds(self) -> list[str]:
        """Return the paths of the calendars that are read: of all, of the group, of two people."""
        keys, database = self.settings.token_keys, self.stage.database
        own = [await subscribing.find_personal(database, keys, one) for one in self.readers]
        personal = [each.path for each in own if each is not None]
        return [subscribing.public_path(), subscribing.group_path("klima"), *personal]

    async def fetch(self, port: int, feed: str, *, is_last: bool = False) -> Fetch | None:
        """Read a calendar as one process has it; None when it has none to give."""
        with suppress(httpx.TransportError):
            answer = await self.client.get(f"http://localhost:{port}{feed}")
            if answer.status_code == httpx.codes.OK:
                return Fetch(str(port), feed, ledger.read_entries(answer.text), is_last)
            self.note_breakdown(answer)
            if answer.status_code < BROKEN:
                self.odd.append(f"{answer.status_code} for {feed}")
        return None

    async def read(self, dice: random.Random, feeds: Sequence[str]) -> None:
        """Read one calendar."""
        found = await self.fetch(dice.choice(self.ports), dice.choice(feeds))
        if found is not None:
            self.told.fetches.append(found)

    async def hasten(self) -> None:
        """End all countdowns: what the office may still take back leaves at once."""
        await self.stage.database.fetch(_COUNTDOWNS_END)
        await asyncio.sleep(HASTENS_SECONDS)

    async def again_and_again(
        self, work: Callable[[random.Random], Awaitable[None]], name: str
    ) -> None:
        """Do something until it is over; a database that is away is asked next time."""
        dice = random.Random(f"{self.seed}:{name}")  # noqa: S311 - a run is to be repeatable
        while not self.is_over:
            with suppress(*AWAY):
                await work(dice)
            await asyncio.sleep(dice.uniform(*PAUSE_SECONDS))

    async def finish(self) -> None:
        """Wait until everybody has been told, then read each calendar of each process at last."""
        await self.stage.until(self._is_told, "every notice became letters", LAST_SECONDS)
        for port in self.ports:
            for feed in await self.feeds():
                await self._read_last(port, feed)

    async def _is_told(self) -> bool:
        await self.stage.database.fetch(_COUNTDOWNS_END)
        return not await self.stage.database.fetchval(_PENDING)

    async def _read_last(self, port: int, feed: str) -> None:
        """Read until it says what stands: what never does is a finding, not a failure here."""
        stands = await ledger.dump(self.stage.database, self.told)
        found, loop = None, asyncio.get_running_loop()
        end = loop.time() + LAST_SECONDS
        while loop.time() < end:
            found = await self.fetch(port, feed, is_last=True)
            if found is not None and ledger.is_fresh(found, stands):
                break
            await asyncio.sleep(0.2)
        assert found is not None, f"{feed} at {port} never answered again"
        self.told.fetches.append(found)


@asynccontextmanager
async def working(stage: Stage, ports: Sequence[int], seed: int) -> AsyncIterator[Crew]:
    """Let everybody work in the block, hear out whoever has sent something, and read at last."""
    async with httpx.AsyncClient(timeout=REQUEST_SECONDS) as client:
        crew = await _hire(stage, client, ports, seed)
        feeds = await crew.feeds()
        works: dict[str, Callable[[random.Random], Awaitable[None]]] = {
            f"answers {place}": lambda dice, place=place: crew.answer(dice, place)  # type: ignore[misc]
            for place in range(ANSWERERS)
        }
        works |= {
            "plans": crew.plan,
            "changes": crew.change,
            "reads": lambda dice: crew.read(dice, feeds),
            "hastens": lambda _: crew.hasten(),
        }
        async with asyncio.TaskGroup() as tasks:
            for name, work in works.items():
                tasks.create_task(crew.again_and_again(work, name))
            try:
                yield crew
            finally:
                crew.is_over = True
        await crew.finish()


async def _hire(stage: Stage, client: httpx.AsyncClient, ports: Sequence[int], seed: int) -> Crew:
    database = stage.database
    group = await builders.a_group(
        database,
        slug="klima",
        name="Klima",
        title_pattern="{number}. AG Klima",
        next_number=FIRST_NUMBER,
    )
    rows = await database.fetch("SELECT id FROM person ORDER BY created_at, id LIMIT $1", MEMBERS)
    for row in rows:
        await builders.a_membership(database, dict(row), group)
    await publishing.ensure_all_feeds(database)
    account = await authenticating.add_account(
        database, COMMAND, email="k@example.org", name="K", role=Role.COORDINATOR, groups=()
    )
    async with database.unit_of_work() as unit:
        session = await keeping_sessions.open_new(unit.connection, account, None, datetime.now(UTC))
    client.cookies.set("sid", session)
    told = Ledger({group["id"]: FIRST_NUMBER})
    settings = Settings.read(stage.environment(UNUSED_PORT))
    members = [row["id"] for row in rows]
    return Crew(stage, group["id"], members, settings, client, ports, seed, told)
