"""The way back for whoever unsubscribed: one press on the page that says so."""

import re
from collections.abc import Mapping
from datetime import timedelta

import httpx
import pytest

from service import preferring
from service.auditing import COMMAND
from service.domain.preferences import Preferences, Topic
from service.pages.dates import format_long_date
from service.services import Services
from tests import builders
from tests.web.conftest import Clock
from tests.web.test_preferences import ONE_CLICK, send, stop_path, wished


async def press_again(client: httpx.AsyncClient, page: httpx.Response) -> httpx.Response:
    """Press "Doch wieder bekommen" as a browser would."""
    found = re.search(r'action="([^"]+/wieder)"[^>]*>(.*?)</form>', page.text, re.DOTALL)
    assert found is not None
    fields = dict(re.findall(r'name="(\w+)" value="([^"]*)"', found[2]))
    return await client.post(found[1], data=fields, follow_redirects=True)


@pytest.mark.parametrize("scope", ["", "alles"])
@pytest.mark.parametrize(
    ("topic", "before"),
    [
        (Topic.REMINDERS, Preferences()),
        (Topic.PAPERS, Preferences(nudges=False, digest=True)),
        (Topic.DIGEST, Preferences(digest=True, reminders=False)),
        (Topic.DIGEST, Preferences(digest_only=True, nudges=False, text_only=True)),
    ],
)
async def test_whoever_comes_back_at_once_gets_again_what_the_press_took_and_no_more(
    services: Services,
    anonymous: httpx.AsyncClient,
    topic: Topic,
    before: Preferences,
    scope: str,
) -> None:
    person = await builders.a_person(services.database)
    await preferring.save(services.database, COMMAND, person["id"], before, services.clock())
    stopped = await send(anonymous, stop_path(services, person, topic), {"umfang": scope})
    off = await wished(services.database, person)
    done = await press_again(anonymous, stopped)
    await press_again(anonymous, stopped)

    assert not off.wants(topic)
    assert before == await wished(services.database, person)
    assert 200 == done.status_code
    assert "Wieder angestellt. Sie bekommen jetzt: " in done.text
    assert "set-cookie" not in {*stopped.headers, *done.headers}


async def test_whoever_was_taken_off_by_a_mail_program_comes_back_by_the_link(
    services: Services, anonymous: httpx.AsyncClient
) -> None:
    person = await builders.a_person(services.database)
    path = stop_path(services, person, Topic.NUDGES)
    await anonymous.post(path, data=ONE_CLICK)
    page = await anonymous.get("/en" + path)
    looked = await wished(services.database, person)
    done = await press_again(anonymous, page)

    assert not looked.nudges
    assert Preferences() == await wished(services.database, person)
    assert "You now get: reminders, requests for an answer, papers." in done.text
    assert "set-cookie" not in done.headers


@pytest.mark.parametrize("sent", [{}, {"ft": "0.00000000000000000000000000000000"}, ONE_CLICK])
async def test_nothing_comes_back_without_a_press_on_our_page(
    services: Services, anonymous: httpx.AsyncClient, sent: Mapping[str, str]
) -> None:
    person = await builders.a_person(services.database)
    path = stop_path(services, person)
    await anonymous.post(path, data=ONE_CLICK)
    answers = [
        await anonymous.post(f"{path}/wieder", data={"war": "reminders,digest", **sent}),
        await anonymous.get(f"{path}?wieder=1"),
        await anonymous.get(f"{path}/wieder"),
    ]

    assert [422, 200, 405] == [one.status_code for one in answers]
    assert Preferences(reminders=False) == await wished(services.database, person)


async def test_a_pause_is_named_to_whoever_comes_back(
    services: Services, anonymous: httpx.AsyncClient, clock: Clock
) -> None:
    person = await builders.a_person(services.database)
    until = clock.at.date() + timedelta(days=9)
    pause = Preferences(paused_until=until)
    await preferring.save(services.database, COMMAND, person["id"], pause, clock.at)
    done = await press_again(
        anonymous, await anonymous.post(stop_path(services, person), data=ONE_CLICK)
    )

    assert pause == await wished(services.database, person)
    assert (
        f"Ihre Pause gilt weiter, bis einschließlich {format_long_date(until, 'de')}" in done.text
    )
