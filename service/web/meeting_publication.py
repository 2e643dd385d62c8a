"""Publish a draft: its preview, and the buttons that do what the preview says."""

from typing import Any
from uuid import UUID

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from service import overseeing, planning, rehearsing, scheduling
from service.domain.errors import FieldsError
from service.domain.meeting_forms import MeetingForm
from service.domain.words import State
from service.moving import Letters, Options
from service.rehearsing import Rehearsal, Wish
from service.services import Services
from service.web import forms, meeting_form_page, meeting_previews, respond
from service.web.forms import Field, Form
from service.web.meeting_entries import (
    INVITE_FIELDS,
    prefilled,
    read_invite_time,
    refuses_invite_time,
)
from service.web.meeting_previews import wanted_move
from service.web.policy import Policy
from service.web.visitors import Visitor

_OPT = {"policy": Policy.GROUP}
_FORM = {"policy": Policy.GROUP, "form": True}
_SEEN_FIELDS = (
    Field("status", "choice", choices=("tentative", "confirmed")),
    Field("nummer", "number"),
    Field("how"),
)
_FIELDS = (
    *_SEEN_FIELDS,
    Field("revision", "number"),
    *INVITE_FIELDS,
    meeting_previews.TEST,
)
_HOW = {
    "now": Letters.NOW,
    "rule": Letters.BY_RULE,
    "later": Letters.BY_RULE,
    "silent": Letters.NONE,
}

AnyRequest = Request[Any, Any, Any]
Page = Response[bytes]


@get("/buero/termin/{meeting_id:uuid}/vorschau", opt=_OPT)
async def show_preview(
    request: AnyRequest,
    meeting_id: FromPath[UUID],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Show what publishing a draft would do."""
    return await _show_preview(
        services, visitor, meeting_id, forms.read_query(request, _SEEN_FIELDS)
    )


async def _show_preview(
    services: Services, visitor: Visitor, meeting_id: UUID, typed: Form
) -> Page:
    entries, revision = await planning.load_form(services.database, meeting_id, visitor.staff)
    session = await overseeing.find_session(services.database, visitor.staff, meeting_id)
    if session.meeting.state != State.DRAFT:
        return respond.see_other(visitor, f"/buero/termin/{meeting_id}")
    entries = as_wished(entries, typed)
    try:
        seen = await rehearse(services, visitor, meeting_id, entries)
    except FieldsError as error:
        form = prefilled(visitor, entries, meeting_id=meeting_id, revision=revision)
        form.refuse_fields(error)
        return await meeting_form_page.show(services, visitor, form, session=session)
    preview = meeting_previews.describe(services, visitor, seen)
    return respond.page(
        services,
        visitor,
        "office/publish.html",
        form=typed,
        session=session,
        revision=revision,
        entries=entries,
        is_tested=await meeting_previews.send_test(services, visitor, typed, preview.letters),
        look=await meeting_previews.look_at_meeting(
            services, visitor, seen.meeting, session.group_ids
        ),
        p=preview,
    )


async def rehearse(
    services: Services, visitor: Visitor, meeting_id: UUID, entries: MeetingForm
) -> Rehearsal:
    """Return what publishing a draft with these entries would do; raises `FieldsError`."""
    wish = Wish(
        move=wanted_move(State.DRAFT, entries.status),
        form=entries,
        options=Options(authority=visitor.staff),
    )
    return await rehearsing.rehearse(
        services.database, visitor.actor, meeting_id, wish, visitor.now
    )


@post("/buero/termin/{meeting_id:uuid}/veroeffentlichen", opt=_FORM)
async def publish(
    request: AnyRequest,
    meeting_id: FromPath[UUID],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Publish the draft as its preview was seen, with the letters of the pressed button."""
    form = await forms.read(request, _FIELDS)
    entries, _ = await planning.load_form(services.database, meeting_id, visitor.staff)
    options = Options(
        authority=visitor.staff,
        seen_revision=form["revision"],
        letters=_HOW.get(form["how"], Letters.NOW),
        invite_local=read_invite_time(form) if form["how"] == "later" else None,
    )
    if not form.is_valid or form["how"] == "preview" or form["test"]:
        return await _show_preview(services, visitor, meeting_id, form)
    wished = as_wished(entries, form)
    try:
        await scheduling.publish(
            services.database, visitor.actor, meeting_id, wished, visitor.now, options=options
        )
    except FieldsError as error:
        if refuses_invite_time(error):
            form.refuse_fields(error)
            return await _show_preview(services, visitor, meeting_id, form)
        # The preview meets the same refusal and says it at the field.
        return respond.see_other(visitor, preview_path(meeting_id, wished))
    return respond.see_other(visitor, f"/buero/termin/{meeting_id}?getan=published")


def preview_path(meeting_id: UUID, entries: MeetingForm) -> str:
    """Return the address of a draft's preview, with what its row does not keep."""
    number = f"&nummer={entries.number}" if entries.number and entries.is_numbered else ""
    return f"/buero/termin/{meeting_id}/vorschau?status={entries.status}{number}"


def as_wished(entries: MeetingForm, form: Form) -> MeetingForm:
    """Add what a draft's row does not keep: the status it is to get, and a number of one's own."""
    status = State.TENTATIVE if form["how"] == "tentative" else form["status"]
    return meeting_previews.with_status(entries, State(status or State.TENTATIVE), form["nummer"])


ROUTES = [show_preview, publish]
