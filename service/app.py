"""Wiring and nothing but wiring: settings in, running parts out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial

from notifications.postman import CUT_SECONDS, Postman
from service import (
    clock,
    composing,
    embedded,
    jobs,
    migrations,
    publishing,
    relaying,
    reminding,
    reviving,
    ticking,
)
from service.clock import Clock, SharedClock
from service.database import Database
from service.hearing import Ear
from service.pages.assets import static_urls
from service.pages.rendering import Instance, Pages
from service.services import Services
from service.settings import Settings


@asynccontextmanager
async def open_database(settings: Settings, *, migrate: bool) -> AsyncIterator[Database]:
    """Open the configured database, or the embedded one where none is configured."""
    async with AsyncExitStack() as stack:
        dsn = settings.database_url
        if dsn is None:
            dsn = await stack.enter_async_context(embedded.running(settings.data_dir))
            await stack.enter_async_context(reviving.kept_alive(settings.data_dir))
        database = await stack.enter_async_context(Database(dsn, pool_size=settings.pool_size))
        if migrate:
            await database.migrate()
        yield database


@asynccontextmanager
async def open_services(
    settings: Settings, *, migrate: bool = True, now: Clock = clock.now
) -> AsyncIterator[Services]:
    """Open everything that handlers and ticks need; the time is the database's, or pretended."""
    async with AsyncExitStack() as stack:
        database = await stack.enter_async_context(open_database(settings, migrate=migrate))
        if migrate:
            await _furnish(database)
        if now is clock.now:
            read = partial(database.fetchval, "SELECT now()")
            now = await stack.enter_async_context(SharedClock(read).kept())
        yield _services(settings, database, now)


def services_without_database(settings: Settings) -> Services:
    """Return what handlers need to tell, until there is a database, that there is none."""
    return _services(settings, Database(""), clock.now)


def _services(settings: Settings, database: Database, now: Clock) -> Services:
    # Pages show the instance from the database; this one is for the time before there is any.
    pages = Pages(settings.public_url, Instance("Terminbuch", ""), static_urls())
    return Services(settings, database, pages, now, settings.token_keys)


async def _furnish(database: Database) -> None:
    """Make what every installation has: the reminder rules everybody starts with, and the feeds.

    Where an import has just brought many people, that takes its time, as migrations do. Of several
    processes that start on an empty database one makes it, and the others find it there.
    """
    async with database.unit_of_work() as unit:
        await migrations.take_turn(unit.connection)
        await reminding.ensure_rules(unit.connection)
        await publishing.ensure_feeds(unit.connection)


@asynccontextmanager
async def working(services: Services) -> AsyncIterator[jobs.Ticks]:
    """Run the ticks and, where a mail server is set, the postman; drain both at the end."""
    postman = _hire(services)
    ear = Ear(services)
    ticks = jobs.Ticks(services.database, ticking.ticks(services, postman, ear), services.clock)
    delivering = asyncio.create_task(postman.run()) if postman else None
    ticks.start()
    try:
        yield ticks
    finally:
        await ticks.stop()
        await ear.close()
        if postman is not None and delivering is not None:
            await postman.stop()
            await asyncio.wait({delivering}, timeout=CUT_SECONDS)
            delivering.cancel()
            await asyncio.wait({delivering})


def _hire(services: Services) -> Postman | None:
    relay = relaying.relay_settings(services.settings)
    if relay is None:
        return None
    return Postman(
        services.database,
        relay,
        composing.Clerk(services),
        relaying.sender(services.settings),
        relaying.postman_options(services),
    )
