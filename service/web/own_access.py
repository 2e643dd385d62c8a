"""One's own access to the office: who one is here, and which letters one gets for that."""

from typing import Any

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.response import Response

from service import summarising
from service.domain.words import Role
from service.services import Services
from service.web import forms, respond
from service.web.forms import Field
from service.web.policy import Policy
from service.web.visitors import Visitor

_PATH = "/buero/zugang"
_FIELDS = (Field("summaries", "flag"),)

AnyRequest = Request[Any, Any, Any]
Page = Response[bytes]


@get(_PATH, opt={"policy": Policy.STAFF})
async def show_access(
    request: AnyRequest, services: NamedDependency[Services], visitor: NamedDependency[Visitor]
) -> Page:
    """Show the signed-in account and its choice."""
    return respond.page(
        services,
        visitor,
        "staff/access.html",
        account=visitor.staff,
        gets_summaries=visitor.staff.role is not Role.READER,
        wants_summaries=await summarising.is_wanted(services.database, visitor.staff.id),
        saved=forms.read_query(request, (Field("gespeichert", kind="flag"),))["gespeichert"],
    )


@post(_PATH, opt={"policy": Policy.STAFF, "form": True})
async def save_access(
    request: AnyRequest, services: NamedDependency[Services], visitor: NamedDependency[Visitor]
) -> Page:
    """Save the choice."""
    form = await forms.read(request, _FIELDS)
    await summarising.switch(
        services.database, visitor.actor, visitor.staff.id, wanted=form["summaries"]
    )
    return respond.see_other(visitor, f"{_PATH}?gespeichert=1")


ROUTES = [show_access, save_access]
