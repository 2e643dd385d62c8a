"""The hottest form takes a shorter way, and nobody can tell by what comes back."""

from typing import Any, cast
from urllib.parse import urlencode

import httpx
import pytest
from litestar import Litestar, Request, post
from litestar.di import NamedDependency
from litestar.params import FromPath

from service.database import Database
from service.services import Services
from service.web import application
from service.web.direct import Direct
from service.web.feeds import FeedApplication
from service.web.outermost import Outermost
from service.web.policy import Policy
from service.web.visitors import Visitor
from tests.web import conftest
from tests.web.test_replies import Link, link, stored

__all__ = ["link"]
FORM = "application/x-www-form-urlencoded"
ODD = {
    "no form": {"content-type": "text/plain"},
    "a form with its charset": {"content-type": f"{FORM}; charset=utf-8"},
    "multipart without a boundary": {"content-type": "multipart/form-data"},
    "an odd host": {"content-type": FORM, "host": "a b"},
    "another site": {"content-type": FORM, "sec-fetch-site": "cross-site"},
    "a plain form": {"content-type": FORM},
}
TOO_LONG = b"note=" + b"x" * 70_000
BODIES = {
    "all fields": None,
    "nothing": b"",
    "no token": b"answer=declined",
    "bad escapes": b"answer=%ff%00&ft=%",
    "too long": TOO_LONG,
}


async def _body(link: Link, name: str) -> bytes:
    given = BODIES[name]
    return (
        urlencode({**await link.fields(), "answer": "declined"}).encode()
        if given is None
        else given
    )


def _routed(services: Services) -> Outermost:
    """Return the application as it is without the shorter way."""
    router = conftest._router()
    router.state.services = services
    return Outermost(router, FeedApplication(services), services)


async def _post(client: httpx.AsyncClient, link: Link, odd: str, body: bytes) -> httpx.Response:
    return await client.post(f"/a/{link.token}", content=body, headers=ODD[odd])


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("odd", ODD)
async def test_both_ways_give_the_same_answer(
    services: Services, link: Link, anonymous: httpx.AsyncClient, odd: str, body: str
) -> None:
    content = await _body(link, body)

    direct = await _post(anonymous, link, odd, content)
    async with conftest.open_client(services, _routed(services)) as client:
        routed = await _post(client, link, odd, content)

    assert _told(routed) == _told(direct)


def _told(answer: httpx.Response) -> tuple[int, str, dict[str, str]]:
    own = {"x-request-id", "content-length"}
    headers = {name: value for name, value in answer.headers.items() if name not in own}
    # A page of failure names its request.
    return answer.status_code, answer.text.replace(answer.headers["x-request-id"], ""), headers


async def test_a_plain_form_never_meets_the_router(
    services: Services, link: Link, anonymous: httpx.AsyncClient, database: Database
) -> None:
    class Unreachable(Direct):
        def __init__(self) -> None:
            super().__init__(conftest._router())
            self._app = cast("Litestar", _Refusing(self._app))

    app = Outermost(Unreachable(), FeedApplication(services), services)
    body = await _body(link, "all fields")
    async with conftest.open_client(services, app) as client:
        answer = await _post(client, link, "a plain form", body)

    assert answer.status_code == 303
    assert (await stored(database))["answer"] == "declined"


class _Refusing:
    """An application that has its state and takes no calls."""

    def __init__(self, app: Litestar) -> None:
        self.state = app.state

    async def __call__(self, *_: object) -> None:
        raise AssertionError


async def test_a_defect_of_a_direct_handler_is_our_500(services: Services) -> None:
    @post("/kaputt/{token:str}", opt={"policy": Policy.HEALTH, "direct": True})
    async def fail(
        request: Request[Any, Any, Any], token: FromPath[str], visitor: NamedDependency[Visitor]
    ) -> None:
        raise ZeroDivisionError(f"{request.method}{token}{visitor.locale}")

    app = Direct(application.create_router(services, [fail]))
    outer = Outermost(app, FeedApplication(services), services)
    async with conftest.open_client(services, outer) as client:
        answer = await client.post(f"/kaputt/{'a' * 52}", headers={"content-type": FORM})

    assert answer.status_code == 500
