"""What leaves within the hour, sent at once by one press, and how many letters that is."""

from typing import Any

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.response import Response

from service import noticing, tallying
from service.noticing import Running
from service.pages import dates
from service.services import Services
from service.tallying import Tally
from service.web import forms, respond
from service.web.forms import Field, Form
from service.web.policy import Policy
from service.web.visitors import Visitor

FIELDS = (
    Field("notice_ids", kind="ids", label="together.waiting"),
    Field("many", kind="flag", label="together.many"),
)
_DONE = (Field("gesendet", kind="number"),)

AnyRequest = Request[Any, Any, Any]
Page = Response[bytes]


@get("/buero/wartet", opt={"policy": Policy.GROUP})
async def show_waiting(
    request: AnyRequest, services: NamedDependency[Services], visitor: NamedDependency[Visitor]
) -> Page:
    """Show what waits for its countdown, everything chosen."""
    waiting = await noticing.list_running(services.database, visitor.staff, visitor.now)
    tally = await _tally(services, visitor, waiting)
    sent = forms.read_query(request, _DONE)["gesendet"]
    form = forms.empty(visitor, FIELDS)
    return _page(services, visitor, form, waiting, tally, sent=sent)


@post("/buero/wartet", opt={"policy": Policy.GROUP, "form": True})
async def send_waiting(
    request: AnyRequest, services: NamedDependency[Services], visitor: NamedDependency[Visitor]
) -> Page:
    """Send what was chosen, one letter a person; ask once more when somebody gets many."""
    form = await forms.read(request, FIELDS)
    waiting = await noticing.list_running(services.database, visitor.staff, visitor.now)
    chosen = [one for one in waiting if one.id in set(form["notice_ids"] or ())]
    if not chosen:
        form.refuse("notice_ids", "together.err_none")
    tally = await _tally(services, visitor, chosen or waiting)
    if tally.is_many and not form["many"]:
        form.refuse("many", "together.err_many")
    if not form.is_valid:
        return _page(services, visitor, form, waiting, tally)
    sent = await noticing.send_together(
        services.database,
        visitor.actor,
        [one.id for one in chosen],
        visitor.now,
        authority=visitor.staff,
    )
    return respond.see_other(visitor, f"/buero/wartet?gesendet={sent or 0}")


async def _tally(services: Services, visitor: Visitor, chosen: list[Running]) -> Tally:
    ids = [one.id for one in chosen]
    return await tallying.tally(
        services.database, visitor.actor, ids, visitor.now, authority=visitor.staff
    )


def _page(  # noqa: PLR0917 - what the page shows
    services: Services,
    visitor: Visitor,
    form: Form,
    waiting: list[Running],
    tally: Tally,
    sent: int | None = None,
) -> Page:
    return respond.page(
        services,
        visitor,
        "together/waiting.html",
        form=form,
        waiting=waiting,
        choices=[(str(one.id), _sentence(visitor, one)) for one in waiting],
        tally=tally,
        sent=sent,
    )


def _sentence(visitor: Visitor, one: Running) -> str:
    at = dates.format_moment(one.due_at, visitor.locale)
    kind = visitor.t(f"notice.{one.kind}")
    return visitor.t("together.waiting_one", title=one.title, kind=kind, at=at)


ROUTES = [show_waiting, send_waiting]
