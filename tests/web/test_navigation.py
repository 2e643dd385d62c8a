"""What the navigation offers opens, and nobody is offered a closed door."""

import re

import pytest

from service.pages.rendering import OFFICE_NAVIGATION, PUBLIC_NAVIGATION
from tests.web.conftest import SignIn

_OFFERED = re.compile(r'<ul class="tb-nav tb-nav--office">(.*?)</ul>', re.DOTALL)
_LINK = re.compile(r'<li><a href="([^"]+)"')


async def test_every_link_of_the_navigation_opens_for_the_office(sign_in: SignIn) -> None:
    browser = await sign_in("coordinator")
    links = {link.path for link in PUBLIC_NAVIGATION + OFFICE_NAVIGATION}

    answers = {path: (await browser.get(path)).status_code for path in links}
    assert dict.fromkeys(links, 200) == answers


@pytest.mark.parametrize("role", ["coordinator", "admin", "lead", "reader"])
async def test_what_a_page_offers_an_account_opens_for_it(sign_in: SignIn, role: str) -> None:
    browser = await sign_in(role)
    [offered] = _OFFERED.findall((await browser.get("/buero")).text)
    paths = _LINK.findall(offered)

    answers = {path: (await browser.get(path)).status_code for path in paths}
    is_office = role in {"coordinator", "admin"}
    assert len(OFFICE_NAVIGATION) == len(paths) or not is_office
    assert dict.fromkeys(paths, 200) == answers
