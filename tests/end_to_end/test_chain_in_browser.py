"""The whole chain through Chromium: an office and two members, with and without JavaScript."""

import re
from datetime import UTC, date, datetime, timedelta

import pytest
from playwright.async_api import Browser

from service.demo.staging import COORDINATOR
from service.pages.catalogue import texts
from tests.chromium import needs_chromium
from tests.end_to_end import chain as steps
from tests.end_to_end.browser import Visit, visiting
from tests.end_to_end.chain import Chain
from tests.end_to_end.stage import Demo, Letter

pytestmark = [*needs_chromium, pytest.mark.xdist_group("demo")]

GROUP_FEED = "/ics/g/klima/klima.ics"


def _working_day(weeks: int) -> date:
    """Return a Tuesday some weeks ahead."""
    day = datetime.now(UTC).date() + timedelta(weeks=weeks)
    return day + timedelta(days=(1 - day.weekday()) % 7)


async def _sign_in_path(demo: Demo, visit: Visit, locale: str) -> str:
    """Take the printed link, or ask for a letter as somebody of the office would."""
    if locale == "de":
        return demo.sign_in_path
    mark = await demo.count_letters()
    page = await visit.open("/en/anmelden")
    await page.locator("#f-email").fill(COORDINATOR)
    await page.get_by_role("button", name=texts("en").t("signin.send")).click()
    await page.get_by_text(texts("en").t("signin.sent_how")).wait_for()
    (letter,) = await demo.letters("sign_in", 1, mark)
    found = re.search(r"/anmelden/l/\S+", letter.text)
    assert found is not None
    return found[0]


def _three(letters: list[Letter], declining: str) -> tuple[Letter, Letter, Letter]:
    """Choose who comes, who declines (somebody with that language), and who calls."""
    first, last = [letter for letter in letters if letter.locale == "de"][:2]
    second = next(each for each in letters[::-1] if each.locale == declining)
    return first, second, last


def _names(letter: Letter, *keys: str) -> bool:
    """Tell whether a letter has lines with these labels."""
    return all(f"  {texts(letter.locale).t(key)}:" in letter.text for key in keys)


_WITHOUT_SCRIPTS = pytest.param("en", False, 11, marks=pytest.mark.long)


@pytest.mark.parametrize(("locale", "scripts", "weeks"), [("de", True, 8), _WITHOUT_SCRIPTS])
async def test_a_session_lives_from_planning_to_its_return_after_a_cancellation(
    demo: Demo, chromium: Browser, locale: str, *, scripts: bool, weeks: int
) -> None:
    async with (
        visiting(chromium, demo.base, java_script_enabled=scripts) as office,
        visiting(chromium, demo.base, java_script_enabled=scripts) as member,
    ):
        chain = Chain(demo, office, locale, _working_day(weeks))
        await steps.sign_in(chain, await _sign_in_path(demo, office, locale))
        await steps.plan(chain)
        await steps.invite(chain)
        first, second, third = _three(chain.invitations, declining=locale)
        await steps.accept(member, first)
        await steps.decline_in_english(member, second)
        await steps.look_at_answers(chain, first, second)
        await steps.enter_call(chain, third)
        before = await demo.entry(GROUP_FEED, chain.title, "STATUS:CONFIRMED")
        told = await steps.move(chain)
        after = await demo.entry(GROUP_FEED, chain.title, f"{chain.day:%Y%m%d}T100000")
        gone = await steps.cancel(chain)
        await demo.entry(GROUP_FEED, chain.title, "STATUS:CANCELLED")
        back = await steps.take_back(chain)
        again = await demo.entry(GROUP_FEED, chain.title, "STATUS:CONFIRMED")
        kept, setters = await member.cookies(), await member.setters()

    assert [] == kept == setters
    assert before["UID"] == after["UID"] == again["UID"]
    numbers = [int(entry["SEQUENCE"]) for entry in (before, after, again)]
    assert [numbers[0], numbers[0] + 1, numbers[0] + 3] == numbers
    assert all(_names(letter, "letter.before", "letter.after") for letter in told)
    assert all(steps.REASON in letter.text for letter in gone)
    everybody = {letter.name for letter in chain.invitations}
    assert everybody - {second.name} == {letter.name for letter in gone}
    assert everybody - {second.name} == {letter.name for letter in back}
