"""Rows of static files."""

from collections.abc import Mapping

from tests.web.matrix import Row, World, everybody


async def _style(_: World) -> Mapping[str, str]:
    return {"rest": "/app.css"}


ROWS: dict[tuple[str, str], Row] = {
    ("GET", "/static/{rest:path}"): everybody(404, make=_style),
    ("GET", "/favicon.ico"): everybody(200),
    ("GET", "/favicon.svg"): everybody(200),
    ("GET", "/robots.txt"): everybody(200),
}
