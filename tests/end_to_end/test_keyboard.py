"""A coordinator's day without a mouse: Tab reaches every step, and the focus is always seen."""

import re
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from playwright.async_api import Browser, Page, expect

from service import keeping_sessions
from service.database import Database
from service.demo.staging import COORDINATOR
from service.embedded import Server
from service.pages.catalogue import texts
from tests.chromium import needs_chromium
from tests.end_to_end.browser import visiting
from tests.end_to_end.stage import Demo

pytestmark = [*needs_chromium, pytest.mark.xdist_group("demo")]

MOST_TABS = 120
REASON = "Der Saal ist gesperrt."
# What has the focus: its words, its name in a form, and whether eyes find it.
_FOCUS = """() => {
  const e = document.activeElement, box = e.getBoundingClientRect();
  const labels = [...(e.labels || [])].map((each) => each.textContent).join(" ");
  const within = e.closest("label, .kern-form-check") || e;
  const marks = [e, within].map((each) => getComputedStyle(each));
  return {
    words: (e.getAttribute("aria-label") || labels || e.textContent).trim().replace(/\\s+/g, " "),
    name: e.name || "",
    value: e.value || "",
    place: `${e.tagName} ${e.className}`,
    is_seen: box.width > 1 && box.height > 1 && box.bottom > 0 && box.top < innerHeight
      // The parts of a day or time have marks of their own, which no script can see.
      && (["date", "time"].includes(e.type)
        || marks.some((each) => each.outlineStyle !== "none" || each.boxShadow !== "none")),
  };
}"""


@dataclass
class Hands:
    """Somebody at the keyboard, and where the focus got lost to their eyes."""

    page: Page
    unseen: list[str] = field(default_factory=list)

    async def focus(self) -> Any:
        """Return what has the focus."""
        return await self.page.evaluate(_FOCUS)

    async def reach(self, words: str = "", *, name: str = "") -> None:
        """Press Tab until the focus is on what begins with these words or has this name."""
        for _ in range(MOST_TABS):
            await self.page.keyboard.press("Tab")
            now = await self.focus()
            if not now["is_seen"]:
                self.unseen.append(f"{now['place']}: {now['words'][:40]}")
            if (words and re.match(words, now["words"])) or (name and now["name"] == name):
                return
        pytest.fail(f"{words or name} is farther than {MOST_TABS} steps on {self.page.url}")

    async def press(self, words: str) -> str:
        """Reach a link or button, and press the enter key on it; return all of its words."""
        await self.reach(words)
        pressed = str((await self.focus())["words"])
        async with self.page.expect_navigation():
            await self.page.keyboard.press("Enter")
        return pressed

    async def choose(self, name: str, value: str) -> None:
        """Reach the choices of this name, and take one of them with space or the arrow keys."""
        await self.reach(name=name)
        await self.page.keyboard.press("Space")
        while (await self.focus())["value"] != value:
            await self.page.keyboard.press("ArrowDown")

    async def type_day(self, day: date) -> None:
        """Reach the first day of the form, and type it in the order of this browser's language."""
        await self.reach(name="start_date")
        for order in ("%m%d%Y", "%d%m%Y"):
            await self.page.keyboard.type(f"{day:{order}}")
            if (await self.focus())["value"] == day.isoformat():
                return
            for _ in range(3):
                await self.page.keyboard.press("ArrowLeft")
        pytest.fail("the field took no day")


def _t(key: str) -> str:
    """Return the words of a text as a pattern, whatever number stands in them."""
    return re.escape(texts("de").t(key, n=2)).replace("2", r"\d+")


async def _session_of(demo: Demo) -> str:
    """Sign the coordinator in without a letter, and return the cookie's value."""
    async with Database(Server.under(demo.data_dir).dsn(), pool_size=1) as database:
        account = await database.fetchval("SELECT id FROM account WHERE email = $1", COORDINATOR)
        async with database.unit_of_work() as unit:
            now = datetime.now(UTC)
            return await keeping_sessions.open_new(unit.connection, account, None, now)


async def _send_now(hands: Hands, demo: Demo, kind: str) -> None:
    """End the countdown, and wait until the letters are in the box."""
    mark = await demo.count_letters()
    words = await hands.press(_t("notice.send_now"))
    await demo.letters(kind, _number(words), mark)


def _number(words: str) -> int:
    return int(re.findall(r"\d+", words)[0])


async def _plan_and_invite(hands: Hands, demo: Demo, day: date) -> None:
    await hands.press(_t("office.new"))
    await hands.press("Klima")
    await hands.choose("status", "confirmed")
    await hands.type_day(day)
    await hands.press(_t("plan.preview"))
    await expect(hands.page.get_by_text(texts("de").t("preview.nothing_yet"))).to_be_visible()
    await hands.press(_t("plan.send"))
    await _send_now(hands, demo, "invitation")


async def _enter_an_answer(hands: Hands) -> None:
    await hands.press(_t("guests.none"))
    await hands.press(_t("entry.link"))
    await hands.choose("answer", "declined")
    await hands.choose("way", "phone")
    await hands.press(_t("entry.go"))
    await expect(hands.page.locator("#people")).to_contain_text(texts("de").t("way.phone"))


async def _move(hands: Hands, demo: Demo, day: date) -> None:
    await hands.press(_t("move.move"))
    await hands.type_day(day)
    await hands.press(_t("plan.preview"))
    await expect(hands.page.get_by_text(texts("de").t("preview.not_saved"))).to_be_visible()
    await hands.press(_t("preview.save_and_tell"))
    await _send_now(hands, demo, "change")


async def _cancel(hands: Hands, demo: Demo) -> None:
    await hands.press(_t("move.cancel"))
    await hands.reach(name="reason")
    await hands.page.keyboard.type(REASON)
    # On a choice the enter key shows what would leave, and cancels nothing.
    await hands.reach(name="number_kept")
    async with hands.page.expect_navigation():
        await hands.page.keyboard.press("Enter")
    await expect(hands.page.locator("#f-reason")).to_have_value(REASON)
    mark = await demo.count_letters()
    words = await hands.press(_t("plan.cancel"))
    await expect(hands.page.locator("main")).to_contain_text(REASON)
    # Its countdown is so short that nobody can be sure to end it sooner.
    await demo.letters("cancellation", _number(words), mark)


@pytest.mark.long
async def test_a_whole_day_of_the_office_needs_no_mouse(demo: Demo, chromium: Browser) -> None:
    day = datetime.now(UTC).date() + timedelta(weeks=14)
    async with visiting(chromium, demo.base, reduced_motion="reduce") as visit:
        cookie: Any = {"name": "sid", "value": await _session_of(demo), "url": demo.base}
        await visit.context.add_cookies([cookie])
        hands = Hands(await visit.open("/buero"))
        await _plan_and_invite(hands, demo, day)
        await _enter_an_answer(hands)
        await _move(hands, demo, day + timedelta(weeks=1))
        await _cancel(hands, demo)
        await hands.press("Versand")
        title = await hands.page.title()

    assert "Versand" in title
    assert [] == hands.unseen
