"""Ask for the own links again; the answer is the same for every address."""

from datetime import timedelta
from typing import Any

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.response import Response

from service import limiting, resending
from service.limiting import Limit
from service.pages import dates
from service.services import Services
from service.web import forms, respond
from service.web.forms import Field, Form
from service.web.policy import Policy
from service.web.visitors import Visitor

FIELDS = (Field("email", kind="email", label="rsvp.lost_email", required=True, most=254),)
_QUERY = (Field("gesendet", kind="flag"),)
REQUESTS = Limit("lost_links_network", 20, timedelta(hours=1))


@get("/link-anfordern", opt={"policy": Policy.PUBLIC})
async def show_lost_links(
    request: Request[Any, Any, Any],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Response[bytes]:
    """Ask for the address, or say what happens now."""
    is_sent = bool(forms.read_query(request, _QUERY)["gesendet"])
    return _show(services, visitor, forms.empty(visitor, FIELDS), is_sent=is_sent)


@post("/link-anfordern", opt={"policy": Policy.PUBLIC})
async def mail_lost_links(
    request: Request[Any, Any, Any],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Response[bytes]:
    """Mail the links if anybody has this address; say the same in either case."""
    form = await forms.read(request, FIELDS)
    if not form.is_valid:
        return _show(services, visitor, form)
    network = limiting.network_key(services.keys, visitor.network, visitor.now)
    until = await limiting.take(services.database, REQUESTS, network, visitor.now)
    if until is not None:
        form.refuse("", "err.too_many", time=dates.format_clock(until, visitor.locale))
        return _show(services, visitor, form, status=429)
    await resending.mail_links(services.database, form["email"], visitor.now)
    return respond.see_other(visitor, "/link-anfordern?gesendet=1")


def _show(
    services: Services, visitor: Visitor, form: Form, *, is_sent: bool = False, status: int = 200
) -> Response[bytes]:
    return respond.page(services, visitor, "replies/lost.html", status, form=form, is_sent=is_sent)


ROUTES = [show_lost_links, mail_lost_links]
