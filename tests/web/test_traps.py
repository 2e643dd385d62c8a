"""What the web framework does that ours must not: an upgrade that changes it is noticed here.

That our own layer is safe stands in the tests of the outermost layer, forms, errors and sign-in.
"""

from typing import Any

import httpx
import pytest
from litestar import Litestar, MediaType, Request, get, post
from litestar.datastructures import ResponseHeader
from litestar.middleware.session.server_side import ServerSideSessionConfig
from litestar.params import FromPath, FromQuery
from litestar.response import Redirect, Response
from litestar.stores.memory import MemoryStore

MARKUP = "<img src=x onerror=alert(1)>"


def client_of(*handlers: Any, **details: Any) -> httpx.AsyncClient:
    app: Any = Litestar(list(handlers), openapi_config=None, logging_config=None, **details)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://localhost:8000")


@get("/seite/{word:str}", media_type=MediaType.HTML)
async def show(word: FromPath[str], page: FromQuery[int]) -> str:
    return f"{word}{page}"


@get("/weiter")
async def go() -> Redirect:
    return Redirect("//evil.example")


@get("/etag")
async def tag() -> Response[str]:
    return Response("x", headers={"etag": '"x"'})


@post("/json")
async def parse(request: Request[Any, Any, Any]) -> None:
    await request.json()


@get("/besuch")
async def visit(request: Request[Any, Any, Any]) -> str:
    request.session["seen"] = True
    return "x"


async def test_the_framework_shows_markup_of_an_address_in_its_errors() -> None:
    async with client_of(show) as client:
        answer = await client.get(f"/seite/{MARKUP}?page=abc")

    assert answer.headers["content-type"].startswith("text/html")
    assert MARKUP in answer.text


async def test_the_framework_refuses_head() -> None:
    async with client_of(tag) as client:
        assert (await client.head("/etag")).status_code == 405


async def test_the_framework_never_answers_304() -> None:
    async with client_of(tag) as client:
        answer = await client.get("/etag", headers={"if-none-match": '"x"'})

    assert answer.status_code == 200


async def test_the_framework_redirects_to_other_sites() -> None:
    async with client_of(go) as client:
        assert (await client.get("/weiter")).headers["location"] == "//evil.example"


async def test_the_framework_leaves_its_own_headers_out_of_errors() -> None:
    ours = [ResponseHeader(name="x-ours", value="1")]
    async with client_of(show, response_headers=ours) as client:
        answers = [await client.get(path) for path in ("/seite/a?page=1", "/nix")]

    assert [answer.headers.get("x-ours") for answer in answers] == ["1", None]


@pytest.mark.parametrize("body", [b"[" * 30_000, b"{"])
async def test_the_framework_fails_on_odd_json(body: bytes) -> None:
    async with client_of(parse) as client:
        assert (await client.post("/json", content=body)).status_code == 500


async def test_the_framework_keeps_a_session_id_that_a_visitor_chose() -> None:
    store = MemoryStore()
    sessions = ServerSideSessionConfig()
    async with client_of(
        visit, middleware=[sessions.middleware], stores={"sessions": store}
    ) as client:
        client.cookies.set("session", "chosen-by-eve")
        await client.get("/besuch")

    assert await store.exists("chosen-by-eve")


async def test_the_framework_takes_nul_in_an_address() -> None:
    async with client_of(show) as client:
        answer = await client.get("/seite/%00?page=1")

    assert (answer.status_code, answer.text) == (200, "\x001")
