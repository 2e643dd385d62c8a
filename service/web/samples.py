"""A test letter to oneself: what a preview shows, as it looks in one's own mailbox."""

from typing import Any
from uuid import UUID

from litestar import Request, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from service import overseeing, planning, sampling
from service.domain.errors import NotFoundError
from service.pages.catalogue import LOCALES
from service.services import Services
from service.web import forms, meeting_previews, meeting_publication, respond
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


@post("/buero/termin/{meeting_id:uuid}/vorschau/testmail", opt={"policy": Policy.GROUP})
async def send_test_of_draft(
    request: Request[Any, Any, Any],
    meeting_id: FromPath[UUID],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Response[bytes]:
    """Send a letter of a draft's preview, as publishing would, to whoever presses."""
    form = await forms.read(request, (*meeting_publication.FIELDS, meeting_previews.TEST))
    entries, _ = await planning.load_form(services.database, meeting_id, visitor.staff)
    wished = meeting_publication.as_wished(entries, form)
    seen = await meeting_publication.rehearse(services, visitor, meeting_id, wished)
    preview = meeting_previews.describe(services, visitor, seen)
    if not await meeting_previews.send_test(services, visitor, form, preview):
        raise NotFoundError
    back = meeting_publication.preview_path(meeting_id, wished)
    return respond.see_other(visitor, f"{back}&testmail=1")


ROUTES = [send_test_letter, send_test_of_draft]
