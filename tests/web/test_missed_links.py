"""Whoever tries links that nobody has is told to wait; links that somebody has always open."""

from datetime import timedelta
from uuid import uuid4

import httpx
import pytest

from service import limiting, tokens
from service.database import Database
from service.footprints import MISSES, MISSES_PER, SPAN, Bursts, Misses
from service.services import Services
from service.tokens import Purpose
from tests import builders
from tests.invited import snapshot
from tests.web.conftest import Clock, open_client
from tests.web.test_replies import make_link

PATHS = {
    "/a/{}": Purpose.ANSWER,
    "/b/{}": Purpose.PREFERENCES,
    "/u/{}": Purpose.UNSUBSCRIBE_REMINDERS,
    "/meine/kalender/{}": Purpose.CALENDAR_PAGE,
}


@pytest.fixture
def clock() -> Clock:
    """Return a morning: networks have another name every day."""
    return Clock(builders.NOW)


def _unknown(services: Services, path: str) -> str:
    return path.format(tokens.derive(services.keys, PATHS[path], uuid4(), 1))


async def _miss(
    services: Services, client: httpx.AsyncClient, times: int, path: str = "/a/{}"
) -> list[int]:
    return [(await client.get(_unknown(services, path))).status_code for _ in range(times)]


def _use_up(services: Services, tries: int = MISSES) -> None:
    """Let so many misses of the test's network have been."""
    now = services.clock()
    network = limiting.network_key(services.keys, "127.0.0.1", now)
    for _ in range(tries):
        services.footprints.misses.take(network, now)


@pytest.mark.parametrize("path", PATHS)
async def test_so_many_unknown_links_an_hour_are_answered_and_no_more(
    services: Services, anonymous: httpx.AsyncClient, path: str
) -> None:
    _use_up(services, MISSES - 1)
    last, over = await _miss(services, anonymous, 2, path)
    refused = await anonymous.get(_unknown(services, path))

    assert (404, 429) == (last, over)
    assert "Zu viele Versuche" in refused.text
    assert "60" == refused.headers["retry-after"]


async def test_links_that_somebody_has_always_open(
    services: Services, anonymous: httpx.AsyncClient
) -> None:
    link = await make_link(services, anonymous)
    _use_up(services)
    opened = await link.get()
    answered = await link.answer(answer="declined")

    assert (200, 303) == (opened.status_code, answered.status_code)


async def test_a_link_that_was_renewed_says_so_however_often(
    services: Services, anonymous: httpx.AsyncClient
) -> None:
    link = await make_link(services, anonymous)
    await services.database.fetch("UPDATE invitation SET epoch = 2, renewed_at = now()")
    _use_up(services)
    statuses = {(await link.get()).status_code for _ in range(2)}

    assert {410} == statuses


async def test_tries_come_back_one_after_the_other(
    services: Services, anonymous: httpx.AsyncClient, clock: Clock
) -> None:
    _use_up(services)
    clock.go_on(2 * MISSES_PER / MISSES)

    assert [404, 404, 429] == await _miss(services, anonymous, 3)


async def test_a_miss_writes_nothing(
    services: Services, anonymous: httpx.AsyncClient, database: Database
) -> None:
    before = await snapshot(database)
    await _miss(services, anonymous, 2)

    assert before == await snapshot(database)


async def test_the_office_and_public_pages_are_not_held_up(
    services: Services, anonymous: httpx.AsyncClient
) -> None:
    _use_up(services)

    assert 200 == (await anonymous.get("/kalender")).status_code


async def test_another_network_has_tries_of_its_own(
    services: Services, anonymous: httpx.AsyncClient
) -> None:
    _use_up(services)
    async with open_client(services, client=("198.51.100.7", 1)) as client:
        elsewhere = await _miss(services, client, 1)

    assert [404] == elsewhere


def test_no_more_is_remembered_than_fits() -> None:
    misses = Misses(most=3)
    now = builders.NOW
    for number in range(9):
        misses.take(f"network-{number}", now)
    bursts = Bursts(most=3)
    for _ in range(9):
        bursts.note(str(uuid4()), b"x", now, is_head=False)

    assert (3, 3) == (len(misses), len(bursts))


def test_what_is_old_is_not_remembered() -> None:
    bursts = Bursts()
    bursts.note("first", b"x", builders.NOW, is_head=True)
    bursts.note("second", b"x", builders.NOW + SPAN + timedelta(seconds=1), is_head=True)

    assert 1 == len(bursts)
