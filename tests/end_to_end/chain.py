"""The steps of a session's life as an office and its members click through them.

Every step reads what a person would read and presses what a person would press; words come from
the catalogue, so that the same steps serve both languages.
"""

import re
from dataclasses import dataclass, field
from datetime import date, timedelta
from urllib.parse import urlsplit

from playwright.async_api import Locator, Page, expect

from service.pages.catalogue import texts
from tests.end_to_end.browser import Visit
from tests.end_to_end.stage import Demo, Letter

REASON = "Der Saal ist gesperrt. <b>Kein Ersatz</b> & keine Technik."
NOTE = "Wir bringen zwei Gäste mit.\nDanke & bis bald"
MOVED_BY = timedelta(days=7)


@dataclass
class Chain:
    """One session on its way, with the office's browser and what was seen so far."""

    demo: Demo
    office: Visit
    locale: str
    day: date
    title: str = ""
    address: str = ""
    invitations: list[Letter] = field(default_factory=list)
    mark: int = 0

    @property
    def page(self) -> Page:
        """What the office looks at."""
        return self.office.page

    def t(self, key: str, /, **values: object) -> str:
        """Return a text of the office's language."""
        return texts(self.locale).t(key, **values)

    def path(self, path: str) -> str:
        """Return a path of the office's language."""
        return f"/en{path}" if self.locale == "en" else path

    def field(self, name: str) -> Locator:
        """Return a field by its name."""
        return self.page.locator(f"#f-{name}")

    def choice(self, name: str, value: str) -> Locator:
        """Return one radio button."""
        return self.page.locator(f'input[name="{name}"][value="{value}"]')

    async def press(self, words: str) -> None:
        """Press the button that begins with these words."""
        await self.page.get_by_role("button", name=re.compile(f"^{re.escape(words)}")).click()

    async def follow(self, words: str) -> None:
        """Follow the link with exactly these words."""
        await self.page.get_by_role("link", name=words, exact=True).first.click()

    def row(self, letter: Letter) -> Locator:
        """Return a person's row on the session page."""
        name = self.page.get_by_role("rowheader").filter(has_text=letter.name)
        return self.page.locator("#people tr").filter(has=name)


def words_before(text: str) -> str:
    """Return a text up to its first placeholder's figure."""
    return re.split(r"\d", text, maxsplit=1)[0].strip()


async def sign_in(chain: Chain, path: str) -> None:
    """Open the link twice, press its button once; the browser then keeps exactly one cookie."""
    page = await chain.office.open(path)
    await chain.office.open(path)
    assert "sid" not in {cookie["name"] for cookie in await chain.office.cookies()}
    await page.locator("main form button").first.click()
    await page.wait_for_url("**/buero")
    await chain.office.open(chain.path("/buero"))
    (cookie,) = await chain.office.cookies()
    assert ("sid", True, "Lax") == (cookie["name"], cookie["httpOnly"], cookie["sameSite"])


async def plan(chain: Chain) -> None:
    """Fill in the form of the next session of AG Klima, up to the preview; nothing leaves."""
    await chain.office.open(chain.path("/buero"))
    await chain.follow(chain.t("office.new"))
    await expect(chain.page.locator("h1")).to_have_text(chain.t("office.new"))
    await chain.page.locator("main").get_by_role("link", name="Klima", exact=True).click()
    await chain.choice("status", "confirmed").check()
    await chain.field("start_date").fill(chain.day.isoformat())
    await chain.field("start_time").fill("10:00")
    await chain.field("end_time").fill("12:00")
    await chain.choice("mode", "on_site").check()
    await chain.field("place_name").fill("Rathaus")
    await chain.field("room").fill("Saal 1")
    await chain.field("town").fill("Gotha")
    await chain.field("capacity").fill("40")
    await chain.field("agenda").fill("TOP 1 Begrüßung\nTOP 2 Hitzeschutz")
    chain.mark = await chain.demo.count_letters()
    await chain.press(chain.t("plan.preview"))
    await expect(chain.page.locator("h1")).to_contain_text("Arbeitsgruppensitzung Klima")
    seen = await chain.page.locator("main").inner_text()
    found = re.search(r"\d+\. Arbeitsgruppensitzung Klima", seen)
    assert found is not None
    chain.title = found[0]
    for words in ("preview.nothing_yet", "preview.letters_h2", "preview.calendar_h2"):
        assert chain.t(words) in seen
    assert [] == await chain.demo.numbers("invitation", chain.mark)


async def invite(chain: Chain) -> None:
    """Invite everybody now, end the countdown by hand, and read the letters."""
    await chain.press(words_before(chain.t("plan.send", n=2)))
    await expect(chain.page.locator("h1")).to_have_text(chain.title)
    chain.address = urlsplit(chain.page.url).path
    assert [] == await chain.demo.numbers("invitation", chain.mark)
    count = await send_now(chain)
    chain.invitations = await chain.demo.letters("invitation", count, chain.mark)
    assert count == len({str(letter.message["To"]) for letter in chain.invitations})


async def send_now(chain: Chain) -> int:
    """Press “jetzt senden”, and return how many letters it announced."""
    words = chain.t("notice.send_now", n=2).replace("2", r"(\d+)")
    button = chain.page.get_by_role("button", name=re.compile(words))
    found = re.search(words, await button.inner_text())
    assert found is not None
    await button.click()
    await expect(button).to_have_count(0)
    return int(found[1])


async def accept(member: Visit, letter: Letter) -> None:
    """Open the letter in the box, follow its link, read what is pre-selected, and send it."""
    page = await member.open(letter.path)
    await page.locator('a[href*="/a/"][href$="?w=vor-ort"]').click()
    words = texts(await language(page))
    await expect(page.get_by_text(words.t("rsvp.preselected"))).to_be_visible()
    await expect(page.locator('input[name="answer"][value="in_person"]')).to_be_checked()
    await page.locator("#f-note").fill(NOTE)
    await page.get_by_role("button", name=words.t("rsvp.send")).click()
    await page.wait_for_url("**/danke*")
    await expect(page.locator("h1")).to_have_text(words.t("rsvp.done_yes"))
    await expect(page.locator("main")).to_contain_text("Danke & bis bald")


async def decline_in_english(member: Visit, letter: Letter) -> None:
    """Follow another letter's link, change the language at the foot of the page, and decline."""
    page = await member.open(letter.path)
    await page.locator('a[href*="/a/"][href$="?w=absage"]').click()
    if await language(page) != "en":
        await page.get_by_role("link", name="English").click()
        await page.wait_for_url("**/en/a/**")
    words = texts("en")
    await page.locator('input[name="answer"][value="declined"]').check()
    await page.get_by_role("button", name=words.t("rsvp.send")).click()
    await page.wait_for_url("**/en/a/**/danke*")
    await expect(page.locator("h1")).to_have_text(words.t("rsvp.done_other"))
    await expect(page.locator("main")).to_contain_text(words.t("rsvp.done_no"))


async def language(page: Page) -> str:
    """Return the language that a page says it is in."""
    await page.wait_for_url("**/a/**")
    return str(await page.locator("html").get_attribute("lang"))


async def look_at_answers(chain: Chain, coming: Letter, declining: Letter) -> None:
    """Look at the session page: both answers stand in their rows, with the way they took."""
    await chain.office.open(chain.address)
    for letter, answer in ((coming, "answer.in_person"), (declining, "answer.declined")):
        await expect(chain.row(letter)).to_contain_text(chain.t(answer))
        await expect(chain.row(letter)).to_contain_text(chain.t("way.link"))
    await expect(chain.row(coming)).to_contain_text("Wir bringen zwei Gäste mit.")


async def enter_call(chain: Chain, letter: Letter) -> None:
    """Enter what a third person said on the telephone."""
    await chain.row(letter).get_by_role("link", name=chain.t("entry.link")).click()
    await expect(chain.page.locator("h1")).to_contain_text(letter.name)
    await chain.choice("answer", "in_person").check()
    await chain.choice("way", "phone").check()
    await chain.press(chain.t("entry.go"))
    await expect(chain.row(letter)).to_contain_text(chain.t("answer.in_person"))
    await expect(chain.row(letter)).to_contain_text(chain.t("way.phone"))


async def move(chain: Chain) -> list[Letter]:
    """Move the date by a week; the preview and the letter name the old and the new day."""
    old, chain.day = chain.day, chain.day + MOVED_BY
    chain.mark = await chain.demo.count_letters()
    await chain.follow(chain.t("move.move"))
    await chain.field("start_date").fill(chain.day.isoformat())
    await chain.press(chain.t("plan.preview"))
    await expect(chain.page.get_by_text(chain.t("preview.not_saved"))).to_be_visible()
    seen = await chain.page.locator("main").inner_text()
    for day in (old, chain.day):
        assert re.search(rf"\b{day:%d}\.{day:%m}\.{day:%Y}|\b{day.day}\. \w+ {day:%Y}", seen)
    assert [] == await chain.demo.numbers("change", chain.mark)
    await chain.press(words_before(chain.t("preview.save_and_tell", n=2)))
    count = await send_now(chain)
    letters = await chain.demo.letters("change", count, chain.mark)
    assert {letter.name for letter in chain.invitations} == {letter.name for letter in letters}
    return letters


async def cancel(chain: Chain) -> list[Letter]:
    """Cancel with a reason that everybody reads as it was typed."""
    chain.mark = await chain.demo.count_letters()
    await chain.office.open(chain.address)
    await chain.follow(chain.t("move.cancel"))
    await chain.field("reason").fill(REASON)
    await chain.press(words_before(chain.t("plan.cancel", n=2)))
    count = await send_now(chain)
    return await chain.demo.letters("cancellation", count, chain.mark)


async def take_back(chain: Chain) -> list[Letter]:
    """Let it take place after all."""
    chain.mark = await chain.demo.count_letters()
    await chain.office.open(chain.address)
    await chain.follow(chain.t("move.uncancel"))
    await chain.press(words_before(chain.t("move.uncancel_go", n=2)))
    count = await send_now(chain)
    return await chain.demo.letters("uncancellation", count, chain.mark)
