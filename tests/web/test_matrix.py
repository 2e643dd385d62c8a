"""Every route against every identity, by the table in `matrix_*.py`."""

import re
from datetime import timedelta
from uuid import UUID

import pytest
from litestar.routes import HTTPRoute

from service.database import Database
from service.services import Services
from service.web import application
from service.web.policy import UndeclaredPolicyError, policy_of
from tests.web import matrix
from tests.web.conftest import Browser, Clock, SignIn

ROWS = matrix.collect()
_GROUP = """
INSERT INTO working_group (slug, heading, name, title_pattern)
VALUES ($1, 'groups', $1, '{n}. Sitzung') RETURNING id
"""


def declared_routes() -> set[tuple[str, str]]:
    return {
        (method, path)
        for handler in application.collect_routes()
        for path in handler.paths
        for method in handler.http_methods
    }


def test_every_route_has_a_row_and_every_row_a_route() -> None:
    assert declared_routes() == set(ROWS)


def test_every_registered_handler_declares_a_policy(services: Services) -> None:
    app = application.create_router(services, application.collect_routes())
    undeclared = []
    for route in app.routes:
        assert isinstance(route, HTTPRoute)
        for handler in route.route_handlers:
            if handler.http_methods == {"OPTIONS"}:
                continue
            try:
                policy_of(handler)
            except UndeclaredPolicyError:
                undeclared.append(str(handler))

    assert undeclared == []


@pytest.mark.parametrize("key", sorted(ROWS), ids=" ".join)
async def test_each_identity_gets_what_the_table_says(
    key: tuple[str, str],
    services: Services,
    database: Database,
    sign_in: SignIn,
    clock: Clock,
) -> None:
    row = ROWS[key]
    own = await database.fetchval(_GROUP, "eigene")
    other = await database.fetchval(_GROUP, "andere")
    world = matrix.World(services, own, other)
    found = {}

    for identity in matrix.IDENTITIES:
        # All of them come from one network; its limits have tests of their own.
        await database.fetchval("DELETE FROM rate_bucket")
        browser = await _become(identity, sign_in, world, clock)
        parameters = await row.make(world) if row.make else {}
        path = _fill(key[1], parameters)
        if key[0] == "GET":
            answer = await browser.get(path)
        else:
            answer = await browser.post(path, dict(row.data))
        found[identity] = answer.status_code

    assert dict(row.expected) == found


async def _become(identity: str, sign_in: SignIn, world: matrix.World, clock: Clock) -> Browser:
    roles = {"other_lead": "lead", "anonymous": "reader", "disabled": "admin", "expired": "admin"}
    groups: dict[str, tuple[UUID, ...]] = {
        "lead": (world.own_group,),
        "other_lead": (world.other_group,),
    }
    browser = await sign_in(roles.get(identity, identity), groups.get(identity, ()))
    execute = world.services.database.fetchval
    if identity == "anonymous":
        browser.client.cookies.clear()
    elif identity == "disabled":
        await execute("UPDATE account SET disabled_at = now() WHERE id = $1", browser.account_id)
    elif identity == "expired":
        ended = clock() - timedelta(minutes=1)
        by = "UPDATE staff_session SET ends_at = $2 WHERE account_id = $1"
        await execute(by, browser.account_id, ended)
    return browser


def _fill(template: str, parameters: object) -> str:
    assert isinstance(parameters, dict)
    return re.sub(r"/?\{(\w+)(:\w+)?\}", lambda m: _slashed(str(parameters[m[1]])), template)


def _slashed(value: str) -> str:
    return value if value.startswith("/") else f"/{value}"
