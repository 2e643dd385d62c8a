import asyncio
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from litestar import Request, get, post
from litestar.params import FromPath, FromQuery
from litestar.response import Response

from service import furnishing
from service.database import Database
from service.pages.assets import static_urls
from service.services import Services
from service.web import application, outermost
from service.web.headers import CONTENT_SECURITY_POLICY
from service.web.outermost import Outermost
from service.web.policy import Policy
from tests.web.conftest import PUBLIC_URL, SignIn, open_client, over_https

PAGE = {"policy": Policy.PUBLIC}
PUNYCODE = (
    b'--b\r\nContent-Disposition: form-data; name="a"\r\n'
    b"Content-Type: text/plain; charset=punycode\r\n\r\n\xff\r\n--b--\r\n"
)
MARKUP = "<img src=x onerror=alert(1)>"


@get("/defekt", opt=PAGE)
async def fail() -> Response[bytes]:
    raise RuntimeError(MARKUP)


@get("/langsam", opt=PAGE)
async def sleep() -> Response[bytes]:
    await asyncio.sleep(60)
    return Response(b"")


@get("/zahl/{word:str}", opt=PAGE)
async def count(word: FromPath[str], page: FromQuery[int]) -> Response[bytes]:
    return Response(f"{word}{page}".encode())


@post("/json", opt=PAGE)
async def parse(request: Request[Any, Any, Any]) -> Response[bytes]:
    await request.json()
    return Response(b"")


@post("/form", opt=PAGE)
async def read(request: Request[Any, Any, Any]) -> Response[bytes]:
    await request.form()
    return Response(b"")


async def no_feeds(_scope: Any, _receive: Any, _send: Any) -> None:
    raise RuntimeError(MARKUP)


def client_of(services: Services, feeds: Any = no_feeds) -> httpx.AsyncClient:
    router = application.create_router(services, [fail, sleep, count, parse, read])
    return open_client(services, Outermost(router, feeds, services))


@pytest.mark.parametrize(
    "path", ["/impressum", "/robots.txt", "/gibt-es-nicht", "/health/ready", "/favicon.svg"]
)
async def test_every_answer_carries_the_security_headers(
    anonymous: httpx.AsyncClient, path: str
) -> None:
    answer = await anonymous.get(path)

    assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert answer.headers["permissions-policy"] == "camera=(), microphone=(), geolocation=()"
    assert "strict-transport-security" not in answer.headers
    assert "set-cookie" not in answer.headers


async def test_errors_carry_the_security_headers_too(services: Services, ready: None) -> None:
    async with client_of(over_https(services)) as client:
        answers = [await client.get(path) for path in ("/defekt", "/ics/alle/termine.ics", "/nix")]

    assert [answer.status_code for answer in answers] == [500, 500, 404]
    for answer in answers:
        assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["strict-transport-security"].startswith("max-age=63072000")
        assert "onerror" not in answer.text


@pytest.mark.parametrize(
    ("path", "referrer"),
    [("/a/unbekannt", "no-referrer"), ("/anmelden/l/unbekannt", "no-referrer")],
)
async def test_pages_with_a_secret_in_their_address_keep_it(
    anonymous: httpx.AsyncClient, path: str, referrer: str
) -> None:
    for spoken in (path, f"/en{path}"):
        answer = await anonymous.get(spoken)

        assert answer.headers["referrer-policy"] == referrer
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-robots-tag"] == "noindex"


async def test_office_pages_are_kept_by_no_cache_and_no_index(sign_in: SignIn) -> None:
    browser = await sign_in("coordinator")
    answer = await browser.get("/buero/einstellungen")

    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-robots-tag"] == "noindex"


async def test_a_header_that_an_answer_brings_is_kept(services: Services, ready: None) -> None:
    async def feeds(_scope: Any, _receive: Any, send: Any) -> None:
        headers = [(b"Content-Security-Policy", b"sandbox"), (b"cache-control", b"max-age=900")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"BEGIN:VCALENDAR"})

    async with client_of(services, feeds) as client:
        answer = await client.get("/ics/alle/termine.ics")

    assert answer.headers.get_list("content-security-policy") == ["sandbox"]
    assert answer.headers.get_list("cache-control") == ["max-age=900"]


@pytest.mark.parametrize("path", ["/impressum", "/favicon.svg", "/gibt-es-nicht"])
async def test_head_gets_the_headers_of_get_and_no_body(
    anonymous: httpx.AsyncClient, path: str
) -> None:
    plain = {"accept-encoding": "identity"}
    shown = await anonymous.get(path, headers=plain)
    asked = await anonymous.head(path, headers=plain)

    assert asked.status_code == shown.status_code
    assert asked.content == b""
    assert asked.headers["content-length"] == str(len(shown.content))


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "OPTIONS", "PUT", "DELETE", "PATCH", "X"])
async def test_other_methods_are_refused(anonymous: httpx.AsyncClient, method: str) -> None:
    answer = await anonymous.request(method, "/impressum")

    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD, POST"


async def test_a_post_where_only_get_is_says_what_is_allowed(
    anonymous: httpx.AsyncClient,
) -> None:
    answer = await anonymous.post("/impressum")

    assert answer.status_code == 405
    assert "GET" in answer.headers["allow"]
    assert '<html lang="de">' in answer.text


async def test_an_unknown_address_gets_our_page_in_its_language(
    anonymous: httpx.AsyncClient,
) -> None:
    german = await anonymous.get("/gibt-es-nicht")
    english = await anonymous.get("/en/not-there")

    assert [german.status_code, english.status_code] == [404, 404]
    assert '<html lang="de">' in german.text
    assert '<html lang="en">' in english.text


@pytest.mark.parametrize(
    "target",
    [
        f"/zahl/{MARKUP}?page=abc",
        f"/{MARKUP}",
        f"/en/{MARKUP}?x={MARKUP}",
        "/zahl/%3Cimg%20src=x%20onerror=alert(1)%3E?page=%3Cimg%20onerror=x%3E",
    ],
)
async def test_no_error_shows_markup_of_the_request(
    services: Services, ready: None, target: str
) -> None:
    async with client_of(services) as client:
        answer = await client.get(target)

    assert answer.status_code in {400, 404}
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "<img" not in answer.text


@pytest.mark.parametrize(
    "target",
    [
        "/%00",
        "/termin/%00",
        "/termin/x%00y",
        "/a/%00",
        "/%ff",
        "/a/%ff%fe",
        "/%ed%a0%80",
        "/termin/%0d%0aX-Evil:1",
        "/termin/..%2f..%2fetc%2fpasswd",
        "/static/../../etc/passwd",
        "/static/%2e%2e/%2e%2e/settings.py",
        "/static/..%2f..%2fsettings.py",
        "/static//etc/passwd",
        "/static/vendor/LICENSES/OFL-1.1.txt",
        "/" + "a" * 3000,
        "/a/" + "a" * 900,
        "/?q=%00",
        "/?" + "a=b&" * 500,
        "/.env",
        "//evil.example/",
        "/en//evil.example/",
        "/%5cevil.example",
        "/;x",
        "/buero%00",
        "/health/%00",
        "/ics/%00",
        "/ics/../buero",
        "/schema",
        "/schema/openapi.json",
        "/metrics",
    ],
)
async def test_odd_addresses_are_answered_and_never_a_failure(
    anonymous: httpx.AsyncClient, target: str
) -> None:
    answer = await anonymous.get(target)

    assert answer.status_code in {200, 303, 400, 404, 414}
    assert "x-evil" not in answer.headers
    assert not answer.headers.get("location", "/").startswith("//")
    assert 'href="//evil' not in answer.text


@pytest.mark.parametrize(
    ("path", "body", "content_type"),
    [
        ("/json", b"[" * 30_000, "application/json"),
        ("/json", b"\xff\xfe", "application/json"),
        ("/json", b"{", "application/json"),
        ("/form", b"a=\xff\xfe&b=%ff", "application/x-www-form-urlencoded"),
        ("/form", b"&".join([b"a=b"] * 15_000), "application/x-www-form-urlencoded"),
        ("/form", b"x", "multipart/form-data"),
        ("/form", b"x", "multipart/form-data; boundary="),
        ("/form", b"x", "multipart/form-data; boundary=\xe4"),
        ("/form", b"--b\r\n\r\nx", "multipart/form-data; boundary=b"),
        (
            "/form",
            PUNYCODE,
            "multipart/form-data; boundary=b",
        ),
        (
            "/form",
            b"".join(
                b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\nx\r\n' for _ in range(1001)
            )
            + b"--b--\r\n",
            "multipart/form-data; boundary=b",
        ),
    ],
)
async def test_odd_bodies_are_answered_and_never_a_failure(
    services: Services, ready: None, path: str, body: bytes, content_type: str
) -> None:
    async with client_of(services) as client:
        headers = [(b"content-type", content_type.encode("latin-1"))]
        answer = await client.post(path, content=body, headers=headers)

    assert answer.status_code in {201, 400}


@pytest.mark.parametrize("size", [70_000, 3_000_000])
async def test_a_body_beyond_the_limit_is_refused(
    services: Services, ready: None, size: int
) -> None:
    async with client_of(services) as client:
        headers = {"content-type": "application/x-www-form-urlencoded"}
        answer = await client.post("/form", content=b"a=" + b"x" * size, headers=headers)

    assert answer.status_code == 413


async def test_a_body_that_goes_on_beyond_its_length_is_given_up(
    services: Services, ready: None
) -> None:
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.request", "body": b"x" * 100_000, "more_body": True}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = bare_scope("/form", "POST")
    scope["headers"] += [
        (b"content-type", b"application/x-www-form-urlencoded"),
        (b"content-length", b"5"),
    ]
    await Outermost(application.create_router(services, [read]), no_feeds, services)(
        scope, receive, send
    )

    assert [message["status"] for message in sent[:1]] == [413]


async def test_a_handler_that_hangs_is_ended_with_503(
    services: Services, ready: None, brief_requests: None
) -> None:
    async with client_of(services) as client:
        answer = await client.get("/langsam")

    assert answer.status_code == 503
    assert "Wartung" in answer.text


@pytest.fixture
def brief_requests() -> Any:
    kept = outermost.REQUEST_SECONDS
    outermost.REQUEST_SECONDS = 0.3
    yield
    outermost.REQUEST_SECONDS = kept


async def test_lifespan_passes_through(services: Services) -> None:
    incoming = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
    sent: list[str] = []

    async def receive() -> Any:
        return next(incoming)

    async def send(message: Any) -> None:
        sent.append(message["type"])

    await application.create_app(services)({"type": "lifespan", "asgi": {}}, receive, send)

    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


async def test_pages_are_compressed_for_those_who_take_it(anonymous: httpx.AsyncClient) -> None:
    packed = await anonymous.get("/datenschutz", headers={"accept-encoding": "gzip"})
    plain = await anonymous.get("/datenschutz", headers={"accept-encoding": "gzip;q=0"})

    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert packed.headers["vary"] == plain.headers["vary"] == "accept-encoding"
    assert packed.text == plain.text
    assert int(packed.headers["content-length"]) <= 15 * 1024


async def test_feeds_are_never_compressed(services: Services, ready: None) -> None:
    async def feeds(_scope: Any, _receive: Any, send: Any) -> None:
        headers = [(b"content-type", b"text/calendar")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b"X" * 5000})

    async with client_of(services, feeds) as client:
        answer = await client.get("/ics/alle/termine.ics")

    assert "content-encoding" not in answer.headers


async def test_static_files_stay_for_ever_and_answer_304(anonymous: httpx.AsyncClient) -> None:
    path = static_urls()["app.css"]
    first = await anonymous.get(path)
    tag = first.headers["etag"]
    known = await anonymous.get(path, headers={"if-none-match": f'"x", W/{tag}'})
    plain = await anonymous.get(path, headers={"accept-encoding": "identity"})

    assert first.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert first.headers["content-encoding"] == "gzip"
    assert (known.status_code, known.content) == (304, b"")
    assert plain.content == first.content


async def test_the_host_header_changes_nothing(
    anonymous: httpx.AsyncClient, sign_in: SignIn
) -> None:
    evil = {
        "host": "evil.example",
        "x-forwarded-host": "evil.example",
        "forwarded": "host=evil.example",
        "x-forwarded-proto": "gopher",
    }
    pages = [await anonymous.get(path, headers=evil) for path in ("/impressum", "/buero", "/nix")]

    assert [page.status_code for page in pages] == [200, 303, 404]
    for page in pages:
        assert "evil" not in page.text
        assert "evil" not in str(page.headers)


async def test_pages_open_only_when_the_legal_texts_stand(
    services: Services, database: Database
) -> None:
    furnishing.forget(database)
    async with open_client(services) as client:
        closed = {
            path: (await client.get(path)).status_code
            for path in ("/impressum", "/barriere-melden", "/a/x", "/ics/alle/termine.ics")
        }
        opened = {
            path: (await client.get(path)).status_code
            for path in ("/anmelden", "/buero/einstellungen", "/health/live", "/favicon.svg")
        }
        page = await client.get("/en/impressum")
    furnishing.forget(database)

    assert set(closed.values()) == {503}
    assert list(opened.values()) == [200, 303, 200, 200]
    assert "Being set up" in page.text
    assert page.headers["retry-after"]


async def test_the_demo_is_open_without_legal_texts(services: Services, database: Database) -> None:
    await database.fetchval(
        "INSERT INTO instance (name, short_name, is_demo) VALUES ('Probe', '', true)"
    )
    furnishing.forget(database)
    async with open_client(services) as client:
        answer = await client.get("/impressum")
    furnishing.forget(database)

    assert answer.status_code == 200


async def test_a_database_that_is_away_gives_503_and_not_a_defect(
    services: Services, ready: None, database: Database
) -> None:
    async with open_client(services) as client:
        await client.get("/impressum")
        pool, database._pool = database._pool, None
        try:
            page = await client.get("/impressum")
            health = await client.get("/health/ready")
            life = await client.get("/health/live")
        finally:
            database._pool = pool

    assert [page.status_code, health.status_code, life.status_code] == [503, 503, 200]
    assert "Wartung" in page.text
    assert health.json()["checks"]["database"] == {"ok": False, "detail": "does not answer"}


def bare_scope(path: str, method: str = "GET") -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"host", b"localhost")],
        "client": ("127.0.0.1", 1),
        "server": ("localhost", 80),
        "scheme": "http",
        "root_path": "",
    }


Lines = Callable[[], str]


async def test_the_access_line_names_the_template_and_never_the_address(
    anonymous: httpx.AsyncClient, capture_lines: Lines
) -> None:
    await anonymous.get("/anmelden/l/geheim-1234567890?weiter=geheim-2")
    await anonymous.get("/geheim-3", headers={"cookie": "sid=geheim-4"})

    lines = capture_lines()
    assert "/anmelden/l/{token}" in lines
    assert "geheim" not in lines
    assert PUBLIC_URL not in lines
