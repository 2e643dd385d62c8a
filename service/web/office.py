"""The office's start page: what is to be done, what comes, what left, what runs."""

from collections.abc import Callable
from typing import Any

from litestar import Request, get
from litestar.di import NamedDependency
from litestar.response import Response

from service import alarming, pausing, subscribing, surveying
from service.pages.catalogue import texts
from service.services import Services
from service.subscribing import Owner
from service.web import forms, respond
from service.web.forms import Field
from service.web.policy import Policy
from service.web.visitors import Visitor

_DONE = frozenset({"discarded", "calendar_renew", "calendar_end", "calendar_reopen"})


@get("/buero", opt={"policy": Policy.STAFF})
async def show_board(
    request: Request[Any, Any, Any],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Response[bytes]:
    """Show the start page."""
    board = await surveying.survey(services.database, visitor.staff, visitor.now)
    done = forms.read_query(request, (Field("getan"),))["getan"]
    calendar = await subscribing.find_office(services.database, services.keys, visitor.staff.id)
    use = await subscribing.find_use(services.database, Owner.account(visitor.staff.id))
    return respond.page(
        services,
        visitor,
        "office/board.html",
        board=board,
        account=visitor.staff,
        standstill=(await pausing.find(services, visitor.now) if visitor.staff.is_office else None),
        wrong=(
            await alarming.look_over(services, visitor.locale) if visitor.staff.is_office else None
        ),
        may_plan=visitor.staff.role != "reader",
        done=done if done in _DONE else None,
        job_name=_job_name(visitor),
        calendar=f"{services.settings.public_url}{calendar.path}" if calendar else None,
        calendar_use=use if visitor.staff.is_office else None,
    )


def _job_name(visitor: Visitor) -> Callable[[str], str]:
    """Return what says what a tick does; one without words shows its own name."""
    known = texts(visitor.locale)
    return lambda name: known.t(f"job.{name}") if known.has(f"job.{name}") else name


ROUTES = [show_board]
