"""Mail scanners fetch every link of every letter; nothing comes of it but a mark.

Some press the button too: their answer is taken, and marked until the person answers.
"""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from uuid import UUID, uuid4

import httpx
import pytest
from playwright.async_api import Browser

from service import authenticating, furnishing, noticing, planning, publishing, scheduling
from service.auditing import Actor
from service.database import Database
from service.demo.catcher import Caught, MailCatcher
from service.demo.visitor import Visitor
from service.domain.meeting_forms import MeetingForm
from service.domain.words import State
from service.furnishing import InstanceData
from service.settings import Settings
from tests import builders
from tests.chromium import STEP_MILLISECONDS, needs_chromium
from tests.end_to_end.programs import running, until, until_ready
from tests.end_to_end.stage import sums_of_tables

PEOPLE = 3
LETTER_SECONDS = 120
ACTOR = Actor("command")
SCANNER = {"user-agent": "LinkCheck/7"}
# As if the letters had just been accepted, however long the scan took.
_ACCEPTED = "UPDATE outbox SET accepted_at = now() + interval '1 hour' WHERE state = 'sent'"
_MARKED = "SELECT count(*) FROM invitation WHERE looks_automatic"
_HIDDEN = re.compile(r'<input type="hidden" name="(\w+)" value="([^"]*)">')
_ADDRESS = re.compile(r"https?://[^\s\"'<>]+")


@pytest.mark.long
async def test_fetching_every_link_of_every_letter_changes_nothing(
    database: Database, environment: dict[str, str], catcher: MailCatcher
) -> None:
    async with running(environment, "serve", "--role", "worker") as worker:
        await _let_letters_leave(database, environment, catcher)
        await worker.stop()
    links = sorted({link for letter in catcher.letters for link in _links(letter)})
    base = environment["TERMINBUCH_PUBLIC_URL"]
    async with running(environment, "serve", "--role", "web") as web:
        await until_ready(base, web)
        before = await sums_of_tables(database)
        statuses = await _scan([link for link in links if link.startswith(base)])
        after = await sums_of_tables(database)
        await database.fetch(_ACCEPTED)
        marked = await _press_as_scanner(database, next(link for link in links if "?w=" in link))
        answered = await _press(base, links, "?w=vor-ort", "Antwort ändern")
        unmarked = await database.fetchval(_MARKED)
        signed_in = await _press(base, links, "/anmelden/l/", "Jetzt anmelden")

    assert {200} == set(statuses.values()), statuses
    assert [] == [table for table in before if before[table] != after[table]]
    assert (1, 0) == (marked, unmarked)
    assert answered.endswith("/danke")
    assert signed_in.endswith("/buero")


@pytest.mark.long
@needs_chromium[0]
@needs_chromium[1]
async def test_37_a_browser_that_runs_scripts_and_presses_nothing_changes_nothing(
    database: Database, environment: dict[str, str], catcher: MailCatcher, chromium: Browser
) -> None:
    async with running(environment, "serve", "--role", "worker") as worker:
        await _let_letters_leave(database, environment, catcher)
        await worker.stop()
    base = environment["TERMINBUCH_PUBLIC_URL"]
    links = {link for letter in catcher.letters for link in _links(letter)}
    # The pages of one person are those of all.
    ways = {re.sub(r"/[a-z0-9]{30,}", "/*", link): link for link in links if link.startswith(base)}
    async with running(environment, "serve", "--role", "web") as web:
        await until_ready(base, web)
        before = await sums_of_tables(database)
        opened = [await _look(chromium, link) for link in ways.values()]
        after = await sums_of_tables(database)

    assert any("?w=vor-ort" in way for way in ways)
    assert {200} == set(opened)
    assert [] == [table for table in before if before[table] != after[table]]


async def _look(chromium: Browser, link: str) -> int:
    """Open a link in a browser until nothing loads any more; return its status."""
    context = await chromium.new_context()
    context.set_default_timeout(STEP_MILLISECONDS)
    page = await context.new_page()
    answer = await page.goto(link, wait_until="networkidle")
    await context.close()
    assert answer is not None
    return answer.status


async def _scan(links: list[str]) -> dict[str, int]:
    """Fetch each link three times by GET and HEAD, as scanners do; return what came last."""
    statuses = {}
    async with httpx.AsyncClient(follow_redirects=True, timeout=100, headers=SCANNER) as client:
        for method in ("GET", "HEAD") * 3:
            for link in links:
                statuses[f"{method} {link}"] = (await client.request(method, link)).status_code
    return statuses


async def _press_as_scanner(database: Database, link: str) -> int:
    """Look at a link and press its button; return how many answers are marked then."""
    async with httpx.AsyncClient(timeout=100, headers=SCANNER) as client:
        # The look is remembered for a minute: on a machine that stood still, once more.
        for answer in ("declined", "undecided") * 3:
            page = await client.get(link)
            await client.head(link)
            fields = dict(_HIDDEN.findall(page.text))
            sent = await client.post(link.partition("?")[0], data={**fields, "answer": answer})
            assert sent.status_code == 303
            if marked := await database.fetchval(_MARKED):
                return int(marked)
    return 0


async def _press(base: str, links: list[str], part: str, button: str) -> str:
    """Open the first link with this part and press a button; return where that leads."""
    visitor = Visitor(base)
    page = await visitor.open(next(link for link in links if part in link))
    done = await visitor.press(page, button)
    await visitor.close()
    return done.address.split("?")[0]


def _links(letter: Caught) -> set[str]:
    both = letter.part("text/plain") + letter.part("text/html")
    return {link.replace("&amp;", "&") for link in _ADDRESS.findall(both)}


async def _let_letters_leave(
    database: Database, environment: Mapping[str, str], catcher: MailCatcher
) -> None:
    """Have invitations, change notices and a sign-in letter written and sent."""
    group_id = await _open_house(database)
    now = datetime.now(UTC)
    earlier, start = now - timedelta(days=2), now.date() + timedelta(days=20)
    meeting_id, form = uuid4(), _form(group_id, start)
    await planning.save_draft(database, ACTOR, meeting_id, form, earlier)
    await scheduling.publish(database, ACTOR, meeting_id, form, earlier)
    await noticing.queue_due(database, now)
    await until(lambda: len(catcher.letters) >= PEOPLE, "invitations arrive", LETTER_SECONDS)
    moved = _form(group_id, start + timedelta(days=7))
    await scheduling.change(database, ACTOR, meeting_id, moved, earlier + timedelta(hours=1))
    await noticing.queue_due(database, now)
    keys = Settings.read(environment).token_keys
    await authenticating.request_link(database, keys, "buero@example.org", "browser", now)
    wanted = 2 * PEOPLE + 1
    await until(lambda: len(catcher.letters) >= wanted, "all letters arrive", LETTER_SECONDS)


async def _open_house(database: Database) -> UUID:
    await furnishing.save_instance(database, ACTOR, InstanceData("Bündnis", email="b@example.org"))
    for kind in furnishing.LEGAL_KINDS:
        await furnishing.save_text(database, ACTOR, (kind, "de"), "Text", datetime.now(UTC))
    await builders.an_account(database, email="buero@example.org")
    group = await builders.a_group(database)
    for number in range(PEOPLE):
        person = await builders.a_person(database, email=f"m{number}@example.org")
        await builders.a_membership(database, person, group)
    async with database.unit_of_work() as unit:
        await publishing.ensure_feeds(unit.connection)
    group_id: UUID = group["id"]
    return group_id


def _form(group_id: UUID, day: date) -> MeetingForm:
    return MeetingForm(
        group_ids=(group_id,),
        status=State.CONFIRMED,
        start_on=day,
        start_time=time(10),
        end_time=time(12),
        place_name="Rathaus",
        town="Erfurt",
    )
