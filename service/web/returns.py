"""What came back: addresses that do not work, and mail that names no letter of ours."""

from typing import Any
from uuid import UUID

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from service import mending, transcribing
from service.services import Services
from service.web import forms, respond
from service.web.forms import Field, Form
from service.web.policy import Policy
from service.web.visitors import Visitor

_OPT = {"policy": Policy.COORDINATOR}
_DONE = frozenset({"tried", "marked", "settled", "too_late"})
# Both lists have the button; the answer leads back to the one it was pressed in.
_PAGES = {
    "adressen": "/buero/adressen",
    "versand": "/buero/versand",
    "antworten": "/buero/antworten",
}
_SESSION = "termin"
_FIELDS = (
    Field("von", kind="choice", choices=(*_PAGES, _SESSION)),
    Field("termin", kind="id"),
)

AnyRequest = Request[Any, Any, Any]
Page = Response[bytes]


@get("/buero/adressen", opt=_OPT)
async def list_addresses(
    request: AnyRequest, services: NamedDependency[Services], visitor: NamedDependency[Visitor]
) -> Page:
    """Show the addresses that do not work, with whom to call."""
    return respond.page(
        services,
        visitor,
        "returns/addresses.html",
        status=200,
        addresses=await mending.list_addresses(services.database),
        own=await mending.list_own(services),
        gone=await mending.list_gone(services.database),
        done=_done(request),
    )


@get("/buero/antworten", opt=_OPT)
async def list_words(
    request: AnyRequest, services: NamedDependency[Services], visitor: NamedDependency[Visitor]
) -> Page:
    """Show what people wrote and nobody has looked at yet."""
    found = await transcribing.list_all(services.database)
    return respond.page(
        services,
        visitor,
        "returns/words.html",
        status=200,
        found=found,
        about=[one for one in found if one.meeting_id],
        others=[one for one in found if not one.meeting_id],
        done=_done(request),
    )


@post("/buero/adressen/{person_id:uuid}/erneut-versuchen", opt=_OPT)
async def try_again(
    person_id: FromPath[UUID],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Believe in a person's addresses again."""
    is_done = await mending.try_again(services.database, visitor.actor, person_id, visitor.now)
    return respond.see_other(visitor, f"/buero/adressen?getan={'tried' if is_done else 'too_late'}")


@post("/buero/adressen/eigene/erneut-versuchen", opt=_OPT)
async def try_own_again(
    services: NamedDependency[Services], visitor: NamedDependency[Visitor]
) -> Page:
    """Believe in the office's own addresses again."""
    is_done = await mending.try_own_again(services, visitor.actor, visitor.now)
    return respond.see_other(visitor, f"/buero/adressen?getan={'tried' if is_done else 'too_late'}")


@post("/buero/versand/{letter_id:uuid}/adresse-gestoert", opt=_OPT)
async def mark_address(
    letter_id: FromPath[UUID],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Give up the address of a letter's reader, until somebody tries it again."""
    is_done = await mending.mark(services.database, visitor.actor, letter_id, visitor.now)
    done = "marked" if is_done else "too_late"
    return respond.see_other(visitor, f"/buero/adressen?getan={done}")


@post("/buero/ruecklauf/{event_id:int}/erledigt", opt=_OPT)
async def settle(
    request: AnyRequest,
    event_id: FromPath[int],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Put away what somebody has looked at."""
    form = await forms.read(request, _FIELDS)
    page = _page_of(form)
    is_done = await mending.settle(services.database, visitor.actor, event_id, visitor.now)
    return respond.see_other(visitor, f"{page}?getan={'settled' if is_done else 'too_late'}")


def _page_of(form: Form) -> str:
    """Return the page on which the button was pressed."""
    if form.parsed.get("von") == _SESSION and form.parsed.get("termin"):
        return f"/buero/termin/{form['termin']}"
    return _PAGES.get(form.parsed.get("von") or "", "/buero/versand")


def _done(request: AnyRequest) -> str | None:
    done = forms.read_query(request, (Field("getan", most=20),))["getan"]
    return done if done in _DONE else None


ROUTES = [list_addresses, list_words, try_again, try_own_again, mark_address, settle]
