"""What machines that watch ask: is the process there, and does everything behind it work."""

from typing import Any

import msgspec
from litestar import get
from litestar.di import NamedDependency
from litestar.response import Response

from service import looking_after
from service.services import Services
from service.web.policy import Policy

_OPT = {"policy": Policy.HEALTH, "one_language": True}


@get("/health/live", opt=_OPT)
async def show_life() -> Response[bytes]:
    """Answer as long as the process can answer at all; asks nothing of the database."""
    return _json({"status": "ok"}, 200)


@get("/health/ready", opt=_OPT)
async def show_readiness(services: NamedDependency[Services]) -> Response[bytes]:
    """Answer 200 when all conditions hold, else 503 with the names of those that do not."""
    conditions = await looking_after.examine(services.database, services.clock())
    holds = all(condition.holds for condition in conditions)
    body = {
        "status": "ok" if holds else "failing",
        "checks": {each.name: {"ok": each.holds, "detail": each.detail} for each in conditions},
    }
    return _json(body, 200 if holds else 503)


def _json(body: Any, status: int) -> Response[bytes]:
    headers = {"content-type": "application/json"}
    return Response(msgspec.json.encode(body), status_code=status, headers=headers)


ROUTES = [show_life, show_readiness]
