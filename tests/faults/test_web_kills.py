"""The process of the pages dies in the middle of what somebody saves: all of it stands, or nothing.

A lock on one of the tables that the act writes to holds the request there; the process is killed,
the lock is let go. Whoever sent the form sends it again, as people do, and once more.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import asyncpg
import httpx
import pytest
import pytest_asyncio

from service import authenticating, furnishing, keeping_sessions, tokens
from service.auditing import COMMAND
from service.database import Database
from service.demo.visitor import read_page
from service.domain.words import Role
from service.furnishing import InstanceData
from service.settings import Settings
from service.tokens import Purpose
from tests import builders
from tests import database as test_database
from tests.builders import Row
from tests.end_to_end import programs
from tests.end_to_end.programs import Program
from tests.end_to_end.stage import sums_of_tables
from tests.faults import proxy
from tests.faults.proxy import Proxy
from tests.ports import free_port

pytestmark = pytest.mark.long

ORIGIN = "http://localhost:8000"
PRESSED = {"sec-fetch-site": "same-origin", "origin": ORIGIN}
LISTED = "Nr;Name;E-Mail;Partner\n1;Ada Berg;ada@example.org;Amt\n"
# Each request notes these on its own, before the act and whatever becomes of it.
BESIDE = {"rate_bucket", "staff_session", "job_health", "worker", "feed_fetch"}
# Done already, older than what stands, or, of a list, no longer what was looked at.
AGAIN = {303, 409, 422}
BUSY, PATIENCE = 503, 5
_WAITS = """
SELECT count(*) FROM pg_stat_activity
WHERE application_name = 'terminbuch' AND wait_event_type = 'Lock' AND datname = current_database()
"""


@dataclass(frozen=True)
class Press:
    """A form, filled in, on its way; `effect` is what there must be one of in the end."""

    path: str
    data: Mapping[str, str]
    effect: str


@dataclass
class Scene:
    """A database, somebody who is signed in, and pages that can be killed."""

    database: Database
    dsn: str
    port: int
    client: httpx.AsyncClient
    keys: tokens.Keys
    group: Row
    people: list[Row]

    @asynccontextmanager
    async def pages(self) -> AsyncIterator[Program]:
        """Run the process that serves pages."""
        settings = {
            "TERMINBUCH_DATABASE_URL": self.dsn,
            "TERMINBUCH_TOKEN_KEY": "t1:" + "5a" * 32,
            "TERMINBUCH_PORT": str(self.port),
            "TERMINBUCH_POOL_SIZE": "5",
        }
        async with programs.running(settings, "serve", "--role", "web") as program:
            await programs.until_ready(f"http://localhost:{self.port}", program)
            yield program

    async def form(self, path: str, button: str, **entries: str) -> tuple[str, dict[str, str]]:
        """Open a page and fill in the form with that button."""
        answer = await self.client.get(path, follow_redirects=True)
        form, (name, value) = read_page(str(answer.url), answer).form(button)
        return urlsplit(form.action).path, dict(form.fields) | entries | (
            {name: value} if name else {}
        )

    async def send(self, press: Press, client: httpx.AsyncClient | None = None) -> httpx.Response:
        """Send a form as a browser does."""
        return await (client or self.client).post(press.path, data=press.data, headers=PRESSED)

    async def state(self) -> dict[str, str]:
        """Return a checksum of every table that an act can change."""
        sums = await sums_of_tables(self.database)
        return {table: found for table, found in sums.items() if table not in BESIDE}

    async def a_session(self, **columns: Any) -> Row:
        """Open a session of the group to which its people are invited."""
        starts = datetime.combine(datetime.now(UTC).date(), datetime.min.time())
        starts += timedelta(days=40, hours=10)
        # Above those that the group draws by itself.
        number = 100 + await self.database.fetchval("SELECT count(*) FROM meeting")
        meeting = await builders.a_meeting(
            self.database, of=self.group, number=number, starts_local=starts, **columns
        )
        if meeting["state"] != "draft":
            for person in self.people:
                await builders.an_invitation(self.database, meeting, person)
        return meeting


@asynccontextmanager
async def open_scene(database: Database, dsn: str, keys: tokens.Keys) -> AsyncIterator[Scene]:
    """Furnish a clean database: a group with people, and somebody who is signed in."""
    await furnishing.save_instance(
        database, COMMAND, InstanceData("Bündnis", email="b@example.org")
    )
    for kind in furnishing.LEGAL_KINDS:
        await furnishing.save_text(database, COMMAND, (kind, "de"), "Text", datetime.now(UTC))
    group = await builders.a_group(database, name="Klima")
    people = [await builders.a_person(database, member_of=group) for _ in range(3)]
    port = free_port()
    async with httpx.AsyncClient(base_url=f"http://localhost:{port}", timeout=100) as client:
        client.cookies.set("sid", await _sign_in(database))
        yield Scene(database, dsn, port, client, keys, group, people)
    furnishing.forget(database)


@pytest_asyncio.fixture(loop_scope="session")
async def scene(database: Database, database_url: str, settings: Settings) -> AsyncIterator[Scene]:
    async with open_scene(database, database_url, settings.token_keys) as opened:
        yield opened
    # Before all of it is deleted: what pages that were killed had said is still carried out.
    await test_database.hear_last_words(database)


async def _sign_in(database: Database) -> str:
    account = await authenticating.add_account(
        database, COMMAND, email="k@example.org", name="K", role=Role.COORDINATOR, groups=()
    )
    async with database.unit_of_work() as unit:
        return await keeping_sessions.open_new(unit.connection, account, None, datetime.now(UTC))


async def an_answer(scene: Scene) -> Press:
    meeting = await scene.a_session()
    sql = "SELECT handle FROM invitation WHERE meeting_id = $1 ORDER BY id LIMIT 1"
    handle = await scene.database.fetchval(sql, meeting["id"])
    token = tokens.derive(scene.keys, Purpose.ANSWER, handle, 1)
    path, data = await scene.form(f"/a/{token}", "Antwort senden", answer="in_person")
    effect = "SELECT count(*) FROM invitation WHERE answer = 'in_person' AND answer_rev = 1"
    return Press(path, data, effect)


async def a_draft(scene: Scene) -> Press:
    day = (datetime.now(UTC) + timedelta(days=60)).date().isoformat()
    entries = {"start_date": day, "start_time": "10:00", "end_time": "12:00", "town": "Erfurt"}
    path, data = await scene.form("/buero/termin/neu", "Entwurf speichern", **entries)
    return Press(path, data, "SELECT count(*) FROM meeting WHERE state = 'draft'")


async def a_publication(scene: Scene) -> Press:
    draft = await a_draft(scene)
    await scene.send(draft)
    meeting = await scene.database.fetchval("SELECT id FROM meeting WHERE state = 'draft'")
    preview = f"/buero/termin/{meeting}/vorschau?status=confirmed"
    path, data = await scene.form(preview, "Jetzt einladen")
    # The number is drawn once, and the invitations are put down once.
    effect = """SELECT count(*) FROM meeting m JOIN meeting_group g ON g.meeting_id = m.id
        JOIN notice n ON n.meeting_id = m.id JOIN working_group w ON w.id = g.group_id
        WHERE m.state = 'confirmed' AND g.number = 17 AND w.next_number = 18"""
    return Press(path, data, effect)


async def a_move(scene: Scene) -> Press:
    meeting = await scene.a_session()
    day = (datetime.now(UTC) + timedelta(days=47)).date().isoformat()
    way = await scene.form(
        f"/buero/termin/{meeting['id']}/verschieben", "Weiter zur Vorschau", start_date=day
    )
    answer = await scene.client.post(way[0], data=way[1], headers=PRESSED, follow_redirects=True)
    form, (name, value) = read_page(str(answer.url), answer).form("Speichern und 3")
    data = dict(form.fields) | ({name: value} if name else {})
    effect = """SELECT count(*) FROM meeting m JOIN notice n ON n.meeting_id = m.id
        WHERE n.kind = 'change' AND m.sequence = 1 AND m.time_rev = 1"""
    return Press(urlsplit(form.action).path, data, effect)


async def a_cancellation(scene: Scene) -> Press:
    meeting = await scene.a_session()
    path, data = await scene.form(
        f"/buero/termin/{meeting['id']}/absagen", "Sitzung absagen und 3", reason="Krankheit"
    )
    effect = """SELECT count(*) FROM meeting m JOIN notice n ON n.meeting_id = m.id
        WHERE m.state = 'cancelled' AND n.kind = 'cancellation' AND m.sequence = 1"""
    return Press(path, data, effect)


async def an_import(scene: Scene) -> Press:
    # Without the form's file: pasted cells take the same way.
    pasted = {"kind": "members", "legal": "1", "text": LISTED}
    path, data = await scene.form("/buero/import", "Weiter zu den Spalten", **pasted)
    for button in ("Weiter zur Prüfung", "Jetzt übernehmen"):
        page = await scene.client.post(path, data=data, headers=PRESSED)
        form, _ = read_page(str(page.url), page).form(button)
        path, data = urlsplit(form.action).path, dict(form.fields)
    effect = """SELECT count(*) FROM person p JOIN affiliation a ON a.person_id = p.id
        JOIN organisation o ON o.id = a.organisation_id
        WHERE p.full_name = 'Ada Berg' AND o.name = 'Amt'"""
    return Press(path, data, effect)


ACTS: dict[str, Callable[[Scene], Awaitable[Press]]] = {
    "answer": an_answer,
    "draft": a_draft,
    "publish": a_publication,
    "move": a_move,
    "cancel": a_cancellation,
    "import": an_import,
}
# The tables that each act writes to, which the test holds true.
POINTS = {
    "answer": ("invitation", "answer", "meeting_seats", "letter", "outbox", "feed", "audit"),
    "draft": ("meeting", "meeting_group", "audit"),
    "publish": ("meeting", "working_group", "meeting_group", "meeting_seats", "invitation",
        "notice", "reminder_slot", "feed", "audit"),
    "move": ("meeting", "reminder_slot", "notice", "feed", "audit"),
    "cancel": ("meeting", "notice", "feed", "audit"),
    "import": ("person", "organisation", "affiliation", "feed", "audit"),
}  # fmt: skip


@asynccontextmanager
async def held(scene: Scene, table: str) -> AsyncIterator[None]:
    """Let nobody write to a table; reading and asking for row locks goes on."""
    connection = await asyncpg.connect(scene.dsn)
    try:
        async with connection.transaction():
            await connection.execute(f"LOCK TABLE {table} IN SHARE ROW EXCLUSIVE MODE")
            yield
    finally:
        await connection.close()


async def until_one_waits(scene: Scene) -> None:
    """Wait until a statement of the pages waits for a lock."""
    async with asyncio.timeout(100):
        while not await scene.database.fetchval(_WAITS):
            await asyncio.sleep(0.02)


async def kill_while_writing(scene: Scene, press: Press, table: str) -> object:
    """Send the form, kill the pages when they come to this table; return what the sender heard.

    Pages give a lock up after two seconds. Where this process stood still for so long, they have
    answered before they could be killed, and are asked anew.
    """
    for _ in range(PATIENCE):
        heard = await _kill_once(scene, press, table)
        if getattr(heard, "status_code", None) != BUSY:
            break
    return heard


async def _kill_once(scene: Scene, press: Press, table: str) -> object:
    async with scene.pages() as program:
        async with held(scene, table):
            sending = asyncio.create_task(scene.send(press))
            waiting = asyncio.create_task(until_one_waits(scene))
            await asyncio.wait({sending, waiting}, return_when=asyncio.FIRST_COMPLETED)
            await program.kill()
            waiting.cancel()
        # The connection's own process on the server finds nobody to answer to.
        await test_database.hear_last_words(scene.database)
        return (await asyncio.gather(sending, waiting, return_exceptions=True))[0]


@pytest.mark.parametrize("act", list(ACTS))
async def test_f2_killed_while_it_writes_nothing_stands_and_the_next_press_does_it_once(
    scene: Scene, act: str
) -> None:
    async with scene.pages():
        press = await ACTS[act](scene)
    before = await scene.state()
    heard = [await kill_while_writing(scene, press, table) for table in POINTS[act]]
    after = await scene.state()
    async with scene.pages():
        first = await scene.send(press)
        done = await scene.state()
        second = await scene.send(press)

    assert [True] * len(heard) == [isinstance(each, httpx.TransportError) for each in heard]
    assert before == after
    assert (303, True) == (first.status_code, second.status_code in AGAIN)
    assert set(POINTS[act]) == {table for table in done if done[table] != before[table]}
    assert 1 == await scene.database.fetchval(press.effect)


@asynccontextmanager
async def over_a_way(scene: Scene) -> AsyncIterator[tuple[httpx.AsyncClient, Proxy]]:
    """Lend a client whose way to the pages can be cut."""
    async with proxy.running(scene.port) as network:
        base = f"http://127.0.0.1:{network.port}"
        cookies = scene.client.cookies
        async with httpx.AsyncClient(base_url=base, cookies=cookies, timeout=100) as client:
            yield client, network


async def hear_nothing_after(
    scene: Scene, press: Press, after: int, program: Program | None = None
) -> httpx.Response:
    """Cut the reply before this byte of it, then send the form again; return what is heard then.

    A program that is given dies in between.
    """
    before = await scene.state()
    async with over_a_way(scene) as (client, network):
        network.cut_reply_after = after
        answered = await asyncio.gather(scene.send(press, client), return_exceptions=True)
    done = await scene.state()
    if program is not None:
        await program.kill()
        async with scene.pages():
            again = await scene.send(press)
    else:
        again = await scene.send(press)

    assert isinstance(answered[0], httpx.TransportError)
    assert before != done
    assert done == await scene.state()
    return again


@pytest.mark.parametrize("act", list(ACTS))
async def test_f2_killed_before_its_reply_is_heard_the_next_press_changes_nothing(
    scene: Scene, act: str
) -> None:
    async with scene.pages() as program:
        press = await ACTS[act](scene)
        again = await hear_nothing_after(scene, press, 1, program)

    assert again.status_code in AGAIN
    assert 1 == await scene.database.fetchval(press.effect)
