"""Letters ticked in the mail log: a second look, then one press for all of them."""

from typing import Any

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.response import Response

from service import picking
from service.picking import Act
from service.services import Services
from service.web import forms, respond
from service.web.forms import Field
from service.web.policy import Policy
from service.web.visitors import Visitor

_OPT = {"policy": Policy.COORDINATOR}
_PATH = "/buero/versand/auswahl"
FIELDS = (
    Field("briefe", kind="ids", label="log.picked", required=True),
    Field("tat", kind="choice", label="log.acts", choices=tuple(Act), required=True),
)

AnyRequest = Request[Any, Any, Any]
Page = Response[bytes]


@get(_PATH, opt=_OPT)
async def look_at_picked(
    request: AnyRequest, services: NamedDependency[Services], visitor: NamedDependency[Visitor]
) -> Page:
    """Show what an act would do to the ticked letters; nothing changes."""
    typed = forms.read_query(request, FIELDS)
    act = Act(typed.parsed.get("tat") or Act.REPEAT)
    picked = await picking.look(services.database, act, typed.parsed.get("briefe") or ())
    return respond.page(services, visitor, "mail/picked.html", picked=picked)


@post(_PATH, opt=_OPT)
async def settle_picked(
    request: AnyRequest, services: NamedDependency[Services], visitor: NamedDependency[Visitor]
) -> Page:
    """Do it to all letters that the page showed, as far as their state still allows it."""
    form = await forms.read(request, FIELDS)
    if not form.is_valid:
        return respond.see_other(visitor, "/buero/versand?getan=none_picked")
    act = Act(form["tat"])
    count = await picking.carry_out(
        services.database, visitor.actor, act, form["briefe"], visitor.now
    )
    done = f"all_{act}" if count else "too_late"
    return respond.see_other(visitor, f"/buero/versand?getan={done}&n={count}")


ROUTES = [look_at_picked, settle_picked]
