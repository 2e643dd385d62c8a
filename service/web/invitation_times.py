"""When waiting invitations leave: the page that chooses another day and time."""

from typing import Any
from uuid import UUID

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from service import noticing, overseeing
from service.domain import instants
from service.domain.errors import FieldsError, NotFoundError
from service.services import Services
from service.web import forms, respond
from service.web.forms import Form
from service.web.meeting_entries import INVITE_FIELDS, read_invite_time
from service.web.meeting_page import require_change
from service.web.policy import Policy
from service.web.visitors import Visitor

_PATH = "/buero/termin/{meeting_id:uuid}/mitteilung/{notice_id:uuid}/zeit"

AnyRequest = Request[Any, Any, Any]
Page = Response[bytes]


@get(_PATH, opt={"policy": Policy.GROUP})
async def show_time(
    meeting_id: FromPath[UUID],
    notice_id: FromPath[UUID],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Show when the invitations leave, and ask for another time."""
    return await _page(services, visitor, meeting_id, notice_id, None)


@post(_PATH, opt={"policy": Policy.GROUP, "form": True})
async def save_time(
    request: AnyRequest,
    meeting_id: FromPath[UUID],
    notice_id: FromPath[UUID],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Let the invitations leave at another time."""
    form = await forms.read(request, INVITE_FIELDS)
    local = read_invite_time(form) if form.is_valid else None
    if local is None or not form.is_valid:
        return await _page(services, visitor, meeting_id, notice_id, form)
    try:
        in_time = await noticing.set_time(
            services.database,
            visitor.actor,
            notice_id,
            local,
            visitor.now,
            authority=visitor.staff,
        )
    except FieldsError as error:
        form.refuse_fields(error)
        return await _page(services, visitor, meeting_id, notice_id, form)
    done = "timed" if in_time else "withdrawn_late"
    return respond.see_other(visitor, f"/buero/termin/{meeting_id}?getan={done}")


async def _page(
    services: Services, visitor: Visitor, meeting_id: UUID, notice_id: UUID, typed: Form | None
) -> Page:
    session = await overseeing.find_session(services.database, visitor.staff, meeting_id)
    require_change(session)
    pending = await noticing.find_pending(services.database, meeting_id)
    notice = next((one for one in pending if one.id == notice_id and one.has_own_time), None)
    if notice is None:
        raise NotFoundError
    local = instants.to_local(notice.due_at, str(session.meeting.zone))
    form = typed or forms.empty(visitor, INVITE_FIELDS)
    return respond.page(
        services,
        visitor,
        "office/invitation_time.html",
        form=form,
        session=session,
        notice=notice,
        day=local.date(),
        clock=f"{local:%H:%M}",
    )


ROUTES = [show_time, save_time]
