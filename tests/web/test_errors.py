import importlib
import pkgutil
from collections.abc import Iterator

import asyncpg
import httpx
import pytest
from litestar import get
from litestar.params import FromPath
from litestar.response import Response

import service
from service.database import DatabaseBusyError
from service.domain.errors import DomainError, LinkReplacedError, NotFoundError, SeatsTakenError
from service.pages.catalogue import texts
from service.services import Services
from service.web import application, errors
from service.web.outermost import Outermost
from service.web.policy import Policy
from tests.web.conftest import SignIn, open_client


def every_domain_error(kind: type[DomainError] = DomainError) -> Iterator[type[DomainError]]:
    for module in pkgutil.iter_modules(service.__path__):
        if module.name not in {"asgi", "__main__"}:
            importlib.import_module(f"service.{module.name}")
    return _below(kind)


def _below(kind: type[DomainError]) -> Iterator[type[DomainError]]:
    yield kind
    for each in kind.__subclasses__():
        yield from _below(each)


def test_every_domain_error_has_a_status_of_its_own_or_of_a_listed_ancestor() -> None:
    unlisted = [
        kind.__name__
        for kind in every_domain_error()
        if not any(ancestor in errors.STATUS for ancestor in kind.__mro__[:-3])
    ]

    assert unlisted == []


@pytest.mark.parametrize("locale", ["de", "en"])
def test_every_domain_error_has_a_page(locale: str) -> None:
    known = texts(locale)
    codes = {kind.code for kind in every_domain_error()} - {"not_ready"}
    missing = [
        code
        for code in codes
        if not (known.has(f"error.{code}") and known.has(f"error.{code}_text"))
    ]

    assert missing == []


@get("/fehler/{n:int}", opt={"policy": Policy.PUBLIC})
async def refuse(n: FromPath[int]) -> Response[bytes]:
    raise (NotFoundError, LinkReplacedError, SeatsTakenError)[n]


async def no_feeds(_scope: object, _receive: object, _send: object) -> None:
    raise NotImplementedError


@pytest.mark.parametrize(
    ("n", "status", "words"),
    [
        (0, 404, "Seite nicht gefunden"),
        (1, 410, "Dieser Link wurde ersetzt"),
        (2, 409, "Alle Plätze sind vergeben"),
    ],
)
async def test_a_refusal_that_no_handler_shows_becomes_a_page(
    services: Services, ready: None, n: int, status: int, words: str
) -> None:
    router = application.create_router(services, [refuse])
    async with open_client(services, Outermost(router, no_feeds, services)) as client:
        answer = await client.get(f"/fehler/{n}")

    assert status == answer.status_code
    assert words in answer.text


@get("/ausfall/{n:int}", opt={"policy": Policy.PUBLIC})
async def break_off(n: FromPath[int]) -> Response[bytes]:
    raise (
        DatabaseBusyError,
        asyncpg.LockNotAvailableError,
        asyncpg.DeadlockDetectedError,
        asyncpg.QueryCanceledError,
        asyncpg.DiskFullError,
        ConnectionResetError,
    )[n]


@pytest.mark.parametrize("n", range(6))
async def test_what_works_when_it_comes_again_is_no_defect(
    services: Services, ready: None, n: int
) -> None:
    router = application.create_router(services, [break_off])
    async with open_client(services, Outermost(router, no_feeds, services)) as client:
        answer = await client.get(f"/ausfall/{n}")

    assert (503, "30") == (answer.status_code, answer.headers["retry-after"])


async def test_machines_get_a_problem_document(anonymous: httpx.AsyncClient) -> None:
    answer = await anonymous.post("/health/live")

    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "urn:terminbuch:problem:method",
        "title": "This does not work here",
        "status": 405,
    }


async def test_a_reader_is_sent_to_sign_in_and_back(anonymous: httpx.AsyncClient) -> None:
    answer = await anonymous.get("/en/buero/einstellungen")

    assert answer.status_code == 303
    assert answer.headers["location"] == "/en/anmelden?weiter=/buero/einstellungen"


async def test_a_form_sent_after_the_session_ended_tells_how_to_keep_what_was_typed(
    sign_in: SignIn,
) -> None:
    browser = await sign_in("coordinator")
    browser.client.cookies.clear()
    answer = await browser.post("/buero/einstellungen/geschaeftsstelle", {"name": "X"})

    assert answer.status_code == 403
    assert "Melden Sie sich in einem neuen Fenster an" in answer.text


async def test_a_role_that_may_not_sees_our_page(sign_in: SignIn) -> None:
    browser = await sign_in("reader")
    answer = await browser.get("/buero/einstellungen")

    assert answer.status_code == 403
    assert "Kein Zugang" in answer.text
