"""Rows of the routes that other sites take our list from."""

from collections.abc import Mapping

from tests.web.matrix import Row, World, everybody


async def _everything(world: World) -> Mapping[str, str]:
    return {"name": "termine.rss"}


ROWS: dict[tuple[str, str], Row] = {
    ("GET", "/einbetten"): everybody(200),
    ("GET", "/einbetten/termine"): everybody(200),
    ("GET", "/einbetten/termine.html"): everybody(200),
    ("GET", "/einbetten/termine.json"): everybody(200),
    ("GET", "/einbetten/v1/termine.js"): everybody(200),
    ("GET", "/feeds/{name:str}"): everybody(200, make=_everything),
}
