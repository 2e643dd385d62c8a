"""The public pages: open to everybody, and nothing of what is not public."""

from collections.abc import Mapping

from tests import shown
from tests.web.matrix import Row, World, everybody


async def _session(world: World) -> Mapping[str, str]:
    meeting_id = await shown.a_meeting(world.services.database, world.own_group)
    sql = "SELECT slug FROM meeting WHERE id = $1"
    return {"slug": await world.services.database.fetchval(sql, meeting_id)}


async def _provider(_: World) -> Mapping[str, str]:
    return {"provider": "google"}


ROWS: dict[tuple[str, str], Row] = {
    ("GET", "/"): everybody(200),
    ("GET", "/vergangene-termine"): everybody(200),
    ("GET", "/termin/{slug:str}"): everybody(200, make=_session),
    ("GET", "/termin/{slug:str}/kalenderdatei"): everybody(200, make=_session),
    ("GET", "/kalender"): everybody(200),
    ("GET", "/zu/{provider:str}"): everybody(303, make=_provider),
}
