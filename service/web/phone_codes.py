"""Where somebody types the code that the office read out on the telephone."""

from datetime import datetime, timedelta
from typing import Any

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.response import Response

from service import inviting, limiting
from service.domain.errors import CodeWrongError, TooManyTriesError
from service.limiting import Limit
from service.pages import dates
from service.pages.rendering import localised
from service.services import Services
from service.web import forms, respond
from service.web.forms import Field, Form
from service.web.policy import Policy
from service.web.visitors import Visitor

FIELDS = (Field("code", label="rsvp.code", required=True, most=40),)
# An office's people share a network; nobody types this often by hand.
TRIES = Limit("phone_network", 30, timedelta(hours=1))


@get("/c", opt={"policy": Policy.PUBLIC})
async def show_code_form(
    services: NamedDependency[Services], visitor: NamedDependency[Visitor]
) -> Response[bytes]:
    """Ask for the code."""
    return _show(services, visitor, forms.empty(visitor, FIELDS))


@post("/c", opt={"policy": Policy.PUBLIC})
async def use_phone_code(
    request: Request[Any, Any, Any],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Response[bytes]:
    """Go to the answer page in the person's language, or say that the code opens nothing."""
    form = await forms.read(request, FIELDS)
    if not form.is_valid:
        return _show(services, visitor, form)
    network = limiting.network_key(services.keys, visitor.network, visitor.now)
    until = await limiting.take(services.database, TRIES, network, visitor.now)
    if until is not None:
        return _show_later(services, visitor, form, until)
    try:
        opened = await inviting.use_phone_code(
            services.database, services.keys, form["code"], visitor.now
        )
    except CodeWrongError:
        form.refuse("code", "rsvp.err_code")
        return _show(services, visitor, form)
    except TooManyTriesError as error:
        return _show_later(services, visitor, form, error.values["until"])
    return respond.see_other(visitor, localised(f"/a/{opened.token}", opened.locale))


def _show_later(
    services: Services, visitor: Visitor, form: Form, until: datetime
) -> Response[bytes]:
    form.refuse("code", "err.too_many", time=dates.format_clock(until, visitor.locale))
    return _show(services, visitor, form, status=429)


def _show(
    services: Services, visitor: Visitor, form: Form, *, status: int = 200
) -> Response[bytes]:
    return respond.page(services, visitor, "replies/code.html", status, form=form)


ROUTES = [show_code_form, use_phone_code]
