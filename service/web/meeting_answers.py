"""Answers that came by telephone, post or mail, codes to read out, and the table for elsewhere."""

from functools import partial
from typing import Any
from uuid import UUID

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from service import doubting, inviting, overseeing, replying, tabulating, transcribing
from service.domain import replies
from service.domain.errors import (
    AnsweringClosedError,
    FieldsError,
    MeetingChangedError,
    SeatsTakenError,
)
from service.domain.words import Answer, Mode, Way
from service.overseeing import InvitedPerson, Session
from service.pages.rendering import localised
from service.replying import InvitationView, Reply
from service.services import Services
from service.transcribing import Words
from service.web import errors, forms, respond
from service.web.forms import Field, Form
from service.web.meeting_page import ask_about, find_guest
from service.web.policy import Policy
from service.web.visitors import Visitor

_OPT = {"policy": Policy.GROUP}
_FORM = {"policy": Policy.GROUP, "form": True}
_WAYS = (Way.PHONE.value, Way.MAIL.value, Way.POST.value)
FIELDS = (
    Field("answer", "choice", "entry.answer", required=True, choices=tuple(Answer)),
    Field("way", "choice", "entry.way", required=True, choices=_WAYS),
    Field("deputy_name", label="entry.deputy", most=20_000),
    Field("note", "text", "entry.note", most=20_000),
    Field("access_needs", "text", "entry.needs", most=20_000),
    Field("action"),
    Field("nachricht", "number"),
)
# Which answer somebody looked at: a newer one may stand.
_SEEN = (Field("stand", "number"),)
# What the presses beside somebody's words fill in.
_WRITTEN = (Field("nachricht", "number"), Field("antwort", choices=tuple(Answer)))

AnyRequest = Request[Any, Any, Any]
Page = Response[bytes]


@get("/buero/termin/{meeting_id:uuid}/antwort/{invitation_id:uuid}", opt=_OPT)
async def show_entry(
    request: AnyRequest,
    meeting_id: FromPath[UUID],
    invitation_id: FromPath[UUID],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Show the form for somebody's answer, with what stands now."""
    session, person = await find_guest(services, visitor, meeting_id, invitation_id)
    form = forms.empty(visitor, FIELDS)
    form.values |= {
        "answer": person.answer if person.holds and person.answer else "",
        "way": Way.PHONE.value,
        "deputy_name": person.deputy_name,
        "note": person.note,
        "access_needs": person.access_needs,
    }
    query = forms.read_query(request, _WRITTEN)
    words = await _find_words(services, session, person, query["nachricht"])
    if words is not None:
        form.values |= {"way": Way.MAIL.value, "note": words.note}
        form.values |= {"answer": query["antwort"]} if query["antwort"] in tuple(Answer) else {}
    return await _show(services, visitor, session, person, form, words=words)


@post("/buero/termin/{meeting_id:uuid}/antwort/{invitation_id:uuid}", opt=_FORM)
async def enter(
    request: AnyRequest,
    meeting_id: FromPath[UUID],
    invitation_id: FromPath[UUID],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Store what somebody told the office; the same rules hold as on the answer page."""
    form = await forms.read(request, FIELDS)
    session, person = await find_guest(services, visitor, meeting_id, invitation_id)
    words = await _find_words(services, session, person, form["nachricht"])
    show = partial(_show, services, visitor, session, person, form, words=words)
    if not form.is_valid:
        return await show()
    kept = await replying.load_invitation(services.database, invitation_id, visitor.now)
    reply, way = _reply(form, session, kept), Way(form["way"])
    database, actor, now = services.database, visitor.actor, visitor.now
    try:
        if words is not None:
            await transcribing.enter(database, actor, words, reply, way, now)
        else:
            await replying.enter_reply(
                database, actor, invitation_id, reply, way, now, meeting_id=meeting_id
            )
    except FieldsError as error:
        form.refuse_fields(error)
        return await show()
    except (AnsweringClosedError, SeatsTakenError, MeetingChangedError) as error:
        form.refuse("", f"entry.err_{error.code}")
        return await show(status=errors.status_of(error))
    return respond.see_other(visitor, f"/buero/termin/{meeting_id}?getan=entered")


@post("/buero/termin/{meeting_id:uuid}/antwort/{invitation_id:uuid}/echt", opt=_OPT)
async def confirm(
    request: AnyRequest,
    meeting_id: FromPath[UUID],
    invitation_id: FromPath[UUID],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Let an answer count that looked like a program's."""
    seen = (await forms.read(request, _SEEN))["stand"] or 0
    await find_guest(services, visitor, meeting_id, invitation_id)
    await doubting.confirm(services.database, visitor.actor, meeting_id, invitation_id, seen)
    return respond.see_other(visitor, f"/buero/termin/{meeting_id}?getan=answer_confirmed")


@post("/buero/termin/{meeting_id:uuid}/antwort/{invitation_id:uuid}/zuruecksetzen", opt=_OPT)
async def reset(
    request: AnyRequest,
    meeting_id: FromPath[UUID],
    invitation_id: FromPath[UUID],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Take an answer off that looked like a program's."""
    seen = (await forms.read(request, _SEEN))["stand"] or 0
    await find_guest(services, visitor, meeting_id, invitation_id)
    database, actor, now = services.database, visitor.actor, visitor.now
    await doubting.reset(database, actor, meeting_id, invitation_id, seen, now)
    return respond.see_other(visitor, f"/buero/termin/{meeting_id}?getan=answer_reset")


@get(
    "/buero/termin/{meeting_id:uuid}/code/{invitation_id:uuid}",
    opt={"policy": Policy.COORDINATOR},
)
async def ask_code(
    meeting_id: FromPath[UUID],
    invitation_id: FromPath[UUID],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Say what the code is before one is made."""
    return await ask_about(services, visitor, "office/code_ask.html", meeting_id, invitation_id)


@post(
    "/buero/termin/{meeting_id:uuid}/code/{invitation_id:uuid}",
    opt={"policy": Policy.COORDINATOR},
)
async def make_code(
    meeting_id: FromPath[UUID],
    invitation_id: FromPath[UUID],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Make the code that is read out on the telephone; it is shown this once."""
    session, person = await find_guest(services, visitor, meeting_id, invitation_id)
    code = await inviting.make_phone_code(
        services.database, services.keys, visitor.actor, invitation_id, visitor.now
    )
    address = f"{services.settings.public_url}{localised('/c', visitor.locale)}"
    return respond.page(
        services,
        visitor,
        "office/code.html",
        session=session,
        person=person,
        code=code,
        address=address,
    )


@get("/buero/termin/{meeting_id:uuid}/tabelle", opt=_OPT)
async def download_table(
    meeting_id: FromPath[UUID],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Return the people and their answers as a file for spreadsheets."""
    session = await overseeing.find_session(services.database, visitor.staff, meeting_id)
    guests = await overseeing.list_guests(services.database, session)
    body = tabulating.write_table(guests.people, visitor.locale, is_private=session.sees_private)
    name = f"{session.meeting.slug or 'entwurf'}.csv"
    return Response(
        body,
        headers={
            "content-type": "text/csv; charset=utf-8",
            "content-disposition": f'attachment; filename="{name}"',
        },
    )


def _reply(form: Form, session: Session, kept: InvitationView) -> Reply:
    """Keep what this page does not ask: a lead neither sees nor types the note and the needs."""
    typed = form if session.sees_private else kept.row
    return Reply(
        answer=Answer(form["answer"]),
        note=typed["note"],
        access_needs=typed["access_needs"],
        list_consent=kept.row["list_consent"],
        deputy_name=form["deputy_name"],
        answered_for=kept.row["answered_for"],
    )


async def _find_words(
    services: Services, session: Session, person: InvitedPerson, event_id: int | None
) -> Words | None:
    """Return the words that are being entered; a lead sees nobody's."""
    if not session.sees_private:
        return None
    return await transcribing.find(services.database, event_id, person.id)


async def _show(
    services: Services,
    visitor: Visitor,
    session: Session,
    person: InvitedPerson,
    form: Form,
    *,
    words: Words | None = None,
    status: int = 200,
) -> Page:
    return respond.page(
        services,
        visitor,
        "office/answer.html",
        status,
        form=form,
        session=session,
        person=person,
        words=words,
        offered_options=[
            (answer.value, visitor.t(f"answer.{answer}"))
            for answer in replies.offered_answers(Mode(session.meeting.mode))
        ],
        answers=await replying.list_answers(services.database, person.id),
    )


ROUTES = [show_entry, enter, confirm, reset, ask_code, make_code, download_table]
