"""A test letter to oneself: what a preview shows, as it looks in one's own mailbox."""

from typing import Any
from uuid import UUID

from litestar import Request, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from service import overseeing, sampling
from service.pages.catalogue import LOCALES
from service.services import Services
from service.web import forms, respond
from service.web.forms import Field
from service.web.policy import Policy
from service.web.visitors import Visitor

_KIND = Field("art")
_LOCALE = Field("sprache", "choice", choices=tuple(LOCALES))
_FIELDS = (_KIND, _LOCALE, Field("von"))


@post("/buero/termin/{meeting_id:uuid}/testmail", opt={"policy": Policy.GROUP})
async def send_test_letter(
    request: Request[Any, Any, Any],
    meeting_id: FromPath[UUID],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Response[bytes]:
    """Send a letter of the session to whoever presses, and to nobody else."""
    form = await forms.read(request, _FIELDS)
    await overseeing.find_session(services.database, visitor.staff, meeting_id)
    kind, locale = form.parsed.get("art") or "", form.parsed.get("sprache") or visitor.locale
    await sampling.send_of_session(services, visitor.staff, meeting_id, kind, locale)
    is_office = form.parsed.get("von") == "vorschau"
    back = "/buero/vorschau" if is_office else f"/buero/termin/{meeting_id}/erinnerungen"
    return respond.see_other(visitor, f"{back}?testmail=1")


ROUTES = [send_test_letter]
