"""A client that speaks to the whole application, as a browser would, and people signed in to it."""

import io
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, cast
from uuid import UUID, uuid4

import httpx
import pytest
import pytest_asyncio
from litestar import Litestar

from service import authenticating, furnishing, keeping_sessions
from service.auditing import COMMAND
from service.database import Database
from service.domain.words import Role
from service.logs import configure_logs
from service.pages.assets import static_urls
from service.pages.rendering import Instance, Pages
from service.services import Services
from service.settings import Settings
from service.web import application, form_tokens
from service.web.direct import Direct
from service.web.feeds import FeedApplication
from service.web.outermost import Outermost

PUBLIC_URL = "http://localhost:8000"


@dataclass
class Clock:
    """A clock that tests set forward."""

    at: datetime

    def __call__(self) -> datetime:
        """Return the set instant."""
        return self.at

    def go_on(self, by: timedelta) -> None:
        """Let time pass."""
        self.at += by


@dataclass
class Browser:
    """A client with a session: `ft` is what every form of a page carries."""

    client: httpx.AsyncClient
    account_id: UUID
    ft: str

    async def get(self, path: str, **details: object) -> httpx.Response:
        """Read a page."""
        return await self.client.get(path, **details)  # type: ignore[arg-type]

    async def post(self, path: str, data: dict[str, object] | None = None) -> httpx.Response:
        """Send a form of one of our own pages."""
        return await self.client.post(
            path,
            data={"ft": self.ft, **(data or {})},
            headers={"sec-fetch-site": "same-origin", "origin": PUBLIC_URL},
        )


SignIn = Callable[..., Awaitable[Browser]]


@pytest.fixture(scope="session", autouse=True)
def _plain_logs() -> None:
    """Tracebacks as the server writes them: short, without local variables."""
    configure_logs("warning")


@pytest.fixture
def clock() -> Clock:
    return Clock(datetime.now(UTC).replace(microsecond=0))


@cache
def _pages() -> Pages:
    """Compile the templates once: it takes as long as the rest of a test."""
    return Pages(PUBLIC_URL, Instance("Bündnis", "buero@example.org"), static_urls())


@pytest.fixture
def services(settings: Settings, database: Database, clock: Clock) -> Services:
    return Services(settings, database, _pages(), clock, settings.token_keys)


@pytest_asyncio.fixture(loop_scope="session")
async def ready(database: Database) -> AsyncIterator[None]:
    """Set the legal texts, so that pages open."""
    data = furnishing.InstanceData("Bündnis", email="buero@example.org", phone="0361 1234")
    await furnishing.save_instance(database, COMMAND, data)
    for kind in furnishing.LEGAL_KINDS:
        now = datetime.now(UTC)
        await furnishing.save_text(database, COMMAND, (kind, "de"), "Ein Text.", now)
    yield
    furnishing.forget(database)


@pytest_asyncio.fixture(loop_scope="session")
async def anonymous(services: Services, ready: None) -> AsyncIterator[httpx.AsyncClient]:
    """Somebody without a cookie."""
    async with open_client(services) as client:
        yield client


@cache
def _router() -> Litestar:
    """Build the routes once: it takes seconds, and they do not change."""
    return application.create_router(cast("Services", None), application.collect_routes())


def patient_feeds(services: Services, **more: float) -> FeedApplication:
    """Return the feeds; where the machine stands still, nobody gets the last copy instead."""
    return FeedApplication(services, patience_seconds=100, **more)


def create_app(services: Services) -> Outermost:
    """Return the whole application over these services."""
    router = _router()
    router.state.services = services
    return Outermost(Direct(router), patient_feeds(services), services)


class _Ending(httpx.ASGITransport):
    """A way to an application; who is done with it ends what its feeds left running."""

    def __init__(self, app: Outermost | FeedApplication, **details: Any) -> None:
        super().__init__(app, **details)
        self._feeds = app.feeds if isinstance(app, Outermost) else app

    async def aclose(self) -> None:
        await super().aclose()
        if isinstance(self._feeds, FeedApplication):
            await self._feeds.cache.close()


def open_client(
    services: Services, app: Outermost | None = None, **details: Any
) -> httpx.AsyncClient:
    """Speak to an application, until the client is closed."""
    transport = _Ending(app or create_app(services), raise_app_exceptions=False, **details)
    return httpx.AsyncClient(transport=transport, base_url=PUBLIC_URL)


def open_program(feeds: FeedApplication) -> httpx.AsyncClient:
    """Give a calendar program its connection to nothing but feeds, until it is closed."""
    return httpx.AsyncClient(transport=_Ending(feeds), base_url="http://localhost")


@pytest_asyncio.fixture(loop_scope="session")
async def sign_in(services: Services, ready: None) -> AsyncIterator[SignIn]:
    """Give a way to sign in, by role and (for leads) groups."""
    opened: list[httpx.AsyncClient] = []
    app = create_app(services)

    async def open_session(role: str = "coordinator", groups: tuple[UUID, ...] = ()) -> Browser:
        client = open_client(services, app)
        opened.append(client)
        address = f"{role}-{uuid4().hex[:8]}@example.org"
        account_id = await authenticating.add_account(
            services.database,
            COMMAND,
            email=address,
            name=f"Eine {role}",
            role=Role(role),
            groups=groups,
        )
        async with services.database.unit_of_work() as unit:
            secret = await keeping_sessions.open_new(
                unit.connection, account_id, None, services.clock()
            )
        client.cookies.set("sid", secret)
        session = await keeping_sessions.find(services.database, secret, services.clock())
        assert session is not None
        return Browser(client, account_id, form_tokens.make(session.form_key, services.clock()))

    yield open_session
    for client in opened:
        await client.aclose()


def over_https(services: Services) -> Services:
    """Return the same services under a public https address."""
    settings = replace(services.settings, public_url="https://termine.example.org")
    return replace(services, settings=settings)


@pytest.fixture
def capture_lines() -> Iterator[Callable[[], str]]:
    """Give everything that was logged since the test began."""
    logging.getLogger("httpx").setLevel(logging.WARNING)
    stream = io.StringIO()
    configure_logs("debug", stream=stream)
    yield stream.getvalue
    configure_logs("warning")
