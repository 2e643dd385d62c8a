"""Whom a session asks beside its groups' members: one person more, or one less."""

from typing import Any
from uuid import UUID

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from service import inviting, overseeing
from service.services import Services
from service.web import forms, respond
from service.web.forms import Field
from service.web.meeting_page import ask_about
from service.web.policy import Policy
from service.web.visitors import Visitor

_OPT = {"policy": Policy.GROUP}
# Looking for people outside the own group takes the office's eyes.
_OFFICE = {"policy": Policy.COORDINATOR}
_SEARCH = (Field("suche", most=100),)
_CHOSEN = (Field("person", "id", required=True),)

AnyRequest = Request[Any, Any, Any]
Page = Response[bytes]


@get("/buero/termin/{meeting_id:uuid}/ausladen/{invitation_id:uuid}", opt=_OPT)
async def ask_uninvite(
    meeting_id: FromPath[UUID],
    invitation_id: FromPath[UUID],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Ask before an invitation is taken back."""
    return await ask_about(services, visitor, "office/uninvite.html", meeting_id, invitation_id)


@post("/buero/termin/{meeting_id:uuid}/ausladen/{invitation_id:uuid}", opt=_OPT)
async def uninvite(
    meeting_id: FromPath[UUID],
    invitation_id: FromPath[UUID],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Take one invitation back."""
    await inviting.uninvite(
        services.database, visitor.actor, invitation_id, visitor.now, authority=visitor.staff
    )
    return respond.see_other(visitor, f"/buero/termin/{meeting_id}?getan=uninvited")


@get("/buero/termin/{meeting_id:uuid}/person", opt=_OFFICE)
async def search_person(
    request: AnyRequest,
    meeting_id: FromPath[UUID],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Look for somebody who is not on the list yet."""
    session = await overseeing.find_session(services.database, visitor.staff, meeting_id)
    search = forms.read_query(request, _SEARCH)["suche"] or ""
    found = await overseeing.search_people(services.database, meeting_id, search)
    return respond.page(
        services, visitor, "office/person.html", session=session, search=search, found=found
    )


@post("/buero/termin/{meeting_id:uuid}/person", opt=_OFFICE)
async def invite_person(
    request: AnyRequest,
    meeting_id: FromPath[UUID],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Put one more person on the list."""
    form = await forms.read(request, _CHOSEN)
    if not form.is_valid:
        return respond.see_other(visitor, f"/buero/termin/{meeting_id}/person")
    await inviting.invite_one_more(
        services.database,
        visitor.actor,
        meeting_id,
        form["person"],
        visitor.now,
        authority=visitor.staff,
    )
    return respond.see_other(visitor, f"/buero/termin/{meeting_id}?getan=added")


ROUTES = [ask_uninvite, uninvite, search_person, invite_person]
