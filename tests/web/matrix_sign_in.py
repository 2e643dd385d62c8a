"""Rows of signing in and out."""

from collections.abc import Mapping
from uuid import uuid4

from service import authenticating
from service.auditing import COMMAND
from service.domain.words import Role
from tests.web.matrix import Row, World, everybody, signed_in


async def _link(world: World) -> Mapping[str, str]:
    services = world.services
    address = f"{uuid4().hex}@example.org"
    account = await authenticating.add_account(
        services.database, COMMAND, email=address, name="Eine", role=Role.READER
    )
    path = await authenticating.print_link(
        services.database, services.keys, account, services.clock()
    )
    return {"token": path.rpartition("/")[2]}


ROWS: dict[tuple[str, str], Row] = {
    ("GET", "/anmelden"): everybody(200),
    ("POST", "/anmelden"): everybody(200, data={"email": "niemand@example.org"}),
    ("POST", "/anmelden/code"): everybody(422, data={"code": "123456"}),
    ("GET", "/anmelden/l/{token:str}"): everybody(200, make=_link),
    # The form token belongs to another page here, so the form is shown again.
    ("POST", "/anmelden/l/{token:str}"): everybody(422, make=_link),
    ("POST", "/abmelden"): signed_in(
        reader=303, lead=303, other_lead=303, coordinator=303, posts=True
    ),
}
