"""Confirm, postpone, cancel, un-cancel, invite, remind: each with a page that says what follows."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath
from litestar.response import Response

from service import (
    noticing,
    overseeing,
    planning,
    previewing,
    rehearsing,
    reminding,
    repeating,
    scheduling,
)
from service.domain.errors import FieldsError
from service.domain.meetings import Move
from service.domain.reminders import Kind
from service.domain.words import NoticeKind, State
from service.moving import Ending, Letters, Options
from service.overseeing import InvitedPerson, Session
from service.rehearsing import Wish
from service.services import Services
from service.web import forms, meeting_previews, respond
from service.web.forms import Field, Form
from service.web.meeting_entries import INVITE_FIELDS, read_invite_time, refuses_invite_time
from service.web.meeting_page import count_reminded, find_guest, reason_text, require_change
from service.web.policy import Policy
from service.web.visitors import Visitor

_OPT = {"policy": Policy.GROUP}
_FORM = {"policy": Policy.GROUP, "form": True}
# Whoever was invited so lately had hardly time to answer.
_LATELY = timedelta(days=2)
_HOW = {"now": Letters.NOW, "rule": Letters.BY_RULE, "silent": Letters.NONE}
_MOVE_FIELDS = (
    Field("revision", "number"),
    Field("how"),
    Field("message", "text", "plan.message", most=2000),
    *INVITE_FIELDS,
    meeting_previews.TEST,
)
_PEOPLE_FIELDS = (meeting_previews.TEST,)
_LETTERS = {"invite": NoticeKind.INVITATION, "remind": NoticeKind.NUDGE}
_CANCEL_FIELDS = (
    Field("revision", "number"),
    Field("action"),
    Field("reason", "text", "plan.reason_label", most=20_000),
    Field("number_kept", "choice", "plan.number_kept", choices=("1", "0")),
    Field("notify", "flag"),
    meeting_previews.TEST,
)

AnyRequest = Request[Any, Any, Any]
Page = Response[bytes]


@dataclass(frozen=True, slots=True)
class _Act:
    """A move without a form of its own: the end of its path, its words and what is then done.

    `move` None takes a cancellation back to where the session stood.
    """

    path: str
    name: str
    done: str
    move: Move | None


_ACTS = (
    _Act("bestaetigen", "confirm", "confirmed", Move.CONFIRM),
    _Act("aussetzen", "postpone", "postponed", Move.POSTPONE),
    _Act("doch-stattfinden", "uncancel", "uncancelled", None),
)


def _routes_of(act: _Act) -> list[HTTPRouteHandler]:
    """Return the page that shows what a move does, and the button that makes it."""
    path = f"/buero/termin/{{meeting_id:uuid}}/{act.path}"

    @get(path, opt=_OPT)
    async def ask(
        meeting_id: FromPath[UUID],
        services: NamedDependency[Services],
        visitor: NamedDependency[Visitor],
    ) -> Page:
        return await _ask(services, visitor, meeting_id, act, forms.empty(visitor, _MOVE_FIELDS))

    @post(path, opt=_FORM)
    async def make(
        request: AnyRequest,
        meeting_id: FromPath[UUID],
        services: NamedDependency[Services],
        visitor: NamedDependency[Visitor],
    ) -> Page:
        form = await forms.read(request, _MOVE_FIELDS)
        options = _options(visitor, form)
        if not form.is_valid or form["how"] == "preview" or form["test"]:
            return await _ask(services, visitor, meeting_id, act, form)
        try:
            await scheduling.make(
                services.database,
                visitor.actor,
                meeting_id,
                act.move,
                visitor.now,
                options=options,
            )
        except FieldsError as error:
            if refuses_invite_time(error):
                form.refuse_fields(error)
            return await _ask(services, visitor, meeting_id, act, form)
        return _done(visitor, meeting_id, act.done)

    return [ask, make]


@get("/buero/termin/{meeting_id:uuid}/absagen", opt=_OPT)
async def ask_cancel(
    meeting_id: FromPath[UUID],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Ask for the reason, and show what cancelling does."""
    _, revision = await planning.load_form(services.database, meeting_id, visitor.staff)
    form = forms.empty(visitor, _CANCEL_FIELDS)
    form.values |= {"notify": "1", "number_kept": "1", "revision": str(revision)}
    return await _ask_cancel(services, visitor, meeting_id, form, Ending())


@post("/buero/termin/{meeting_id:uuid}/absagen", opt=_FORM)
async def cancel(
    request: AnyRequest,
    meeting_id: FromPath[UUID],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Cancel, or show the letter with the typed reason."""
    form = await forms.read(request, _CANCEL_FIELDS)
    ending = Ending(reason=form["reason"] or "", number_kept=form["number_kept"] != "0")
    if not form.is_valid or form["action"] == "preview" or form["test"]:
        return await _ask_cancel(services, visitor, meeting_id, form, ending)
    options = Options(
        authority=visitor.staff,
        seen_revision=form["revision"],
        letters=Letters.BY_RULE if form["notify"] else Letters.NONE,
    )
    try:
        await scheduling.cancel(
            services.database,
            visitor.actor,
            meeting_id,
            ending.reason,
            visitor.now,
            number_kept=ending.number_kept,
            options=options,
        )
    except FieldsError as error:
        form.refuse_fields(error)
        return await _ask_cancel(services, visitor, meeting_id, form, Ending())
    return _done(visitor, meeting_id, "cancelled")


@get("/buero/termin/{meeting_id:uuid}/verwerfen", opt=_OPT)
async def ask_discard(
    meeting_id: FromPath[UUID],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Ask once more before a draft is thrown away."""
    session = await overseeing.find_session(services.database, visitor.staff, meeting_id)
    require_change(session)
    return respond.page(services, visitor, "office/discard.html", session=session)


@post("/buero/termin/{meeting_id:uuid}/verwerfen", opt=_OPT)
async def discard(
    meeting_id: FromPath[UUID],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Throw a draft away."""
    await planning.discard_draft(
        services.database, visitor.actor, meeting_id, authority=visitor.staff
    )
    return respond.see_other(visitor, "/buero?getan=discarded")


def _people_routes(
    path: str, name: str, call: Callable[..., Awaitable[UUID | None]], done: str
) -> list[HTTPRouteHandler]:
    """Return the page that shows whom a letter would reach, and the button that sends it."""
    path = f"/buero/termin/{{meeting_id:uuid}}/{path}"

    @get(path, opt=_OPT)
    async def ask(
        meeting_id: FromPath[UUID],
        services: NamedDependency[Services],
        visitor: NamedDependency[Visitor],
    ) -> Page:
        form = forms.empty(visitor, _PEOPLE_FIELDS)
        return await _ask_people(services, visitor, meeting_id, name, form)

    @post(path, opt=_FORM)
    async def send(
        request: AnyRequest,
        meeting_id: FromPath[UUID],
        services: NamedDependency[Services],
        visitor: NamedDependency[Visitor],
    ) -> Page:
        form = await forms.read(request, _PEOPLE_FIELDS)
        if not form.is_valid or form["test"]:
            return await _ask_people(services, visitor, meeting_id, name, form)
        notice = await call(
            services.database, visitor.actor, meeting_id, visitor.now, authority=visitor.staff
        )
        return _done(visitor, meeting_id, done if notice else f"{done}_none")

    return [ask, send]


@get("/buero/termin/{meeting_id:uuid}/erneut-senden/{invitation_id:uuid}", opt=_OPT)
async def ask_repeat(
    meeting_id: FromPath[UUID],
    invitation_id: FromPath[UUID],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Show which letter one person would get once more, or why none can leave."""
    session, person = await find_guest(services, visitor, meeting_id, invitation_id)
    chance = await repeating.find_chance(services.database, meeting_id, invitation_id, visitor.now)
    return respond.page(
        services,
        visitor,
        "office/repeat.html",
        session=session,
        person=person,
        chance=chance,
        reason_text=reason_text(visitor),
    )


@post("/buero/termin/{meeting_id:uuid}/erneut-senden/{invitation_id:uuid}", opt=_OPT)
async def repeat(
    meeting_id: FromPath[UUID],
    invitation_id: FromPath[UUID],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Send one person the last letter again."""
    is_posted = await repeating.send_again(
        services.database,
        visitor.actor,
        meeting_id,
        invitation_id,
        visitor.now,
        authority=visitor.staff,
    )
    return _done(visitor, meeting_id, "repeated" if is_posted else "repeated_none")


def _options(visitor: Visitor, form: Form) -> Options:
    return Options(
        authority=visitor.staff,
        seen_revision=form["revision"],
        letters=_HOW.get(form["how"], Letters.BY_RULE),
        invite_local=read_invite_time(form) if form["how"] == "later" else None,
        message=form["message"] or "",
    )


def _done(visitor: Visitor, meeting_id: UUID, done: str) -> Page:
    return respond.see_other(visitor, f"/buero/termin/{meeting_id}?getan={done}")


async def _ask(
    services: Services, visitor: Visitor, meeting_id: UUID, act: _Act, form: Form
) -> Page:
    """Show the consequences of a move; what it lacks is asked for in the form."""
    session = await overseeing.find_session(services.database, visitor.staff, meeting_id)
    require_change(session)
    message = form.parsed.get("message") or ""
    wish = Wish(move=act.move, options=Options(authority=visitor.staff, message=message))
    try:
        seen = await rehearsing.rehearse(
            services.database, visitor.actor, meeting_id, wish, visitor.now
        )
    except FieldsError:
        to_form = f"/buero/termin/{meeting_id}/bearbeiten?status=confirmed"
        return respond.see_other(visitor, to_form)
    preview = meeting_previews.describe(services, visitor, seen)
    return respond.page(
        services,
        visitor,
        "office/move_confirm.html",
        session=session,
        act=act,
        form=form,
        is_tested=await meeting_previews.send_test(services, visitor, form, preview.letters),
        look=await meeting_previews.look_at_meeting(
            services, visitor, seen.meeting, session.group_ids
        ),
        p=preview,
    )


async def _ask_cancel(
    services: Services, visitor: Visitor, meeting_id: UUID, form: Form, ending: Ending
) -> Page:
    session = await overseeing.find_session(services.database, visitor.staff, meeting_id)
    require_change(session)
    options = Options(authority=visitor.staff)
    wish = Wish(move=Move.CANCEL, ending=ending, options=options)
    seen = await rehearsing.rehearse(
        services.database, visitor.actor, meeting_id, wish, visitor.now
    )
    preview = meeting_previews.describe(services, visitor, seen)
    return respond.page(
        services,
        visitor,
        "office/cancel.html",
        session=session,
        form=form,
        is_tested=await meeting_previews.send_test(services, visitor, form, preview.letters),
        p=preview,
    )


async def _ask_people(
    services: Services, visitor: Visitor, meeting_id: UUID, name: str, form: Form
) -> Page:
    session = await overseeing.find_session(services.database, visitor.staff, meeting_id)
    require_change(session)
    guests = await overseeing.list_guests(services.database, session)
    if name == "invite":
        wanted = [one for one in guests.people if one.state == overseeing.PLANNED]
        lost = [one for one in wanted if not one.has_address]
    else:
        wanted = [one for one in guests.people if one.can_be_reminded(visitor.now)]
        lost = [one for one in guests.without_address if one.lacks_answer]
    letters = await previewing.show_both(services, _LETTERS[name], meeting_id)
    return respond.page(
        services,
        visitor,
        "office/people_confirm.html",
        session=session,
        name=name,
        form=form,
        letters=letters,
        is_tested=await meeting_previews.send_test(services, visitor, form, letters),
        wanted=wanted,
        lost=lost,
        spared=count_reminded(guests, visitor.now).spared if name == "remind" else 0,
        is_confirmed=session.meeting.state == State.CONFIRMED,
        next_nudge=await _next_nudge(services, session) if name == "remind" else None,
        fresh_at=_lately_invited(wanted, visitor.now) if name == "remind" else None,
    )


async def _next_nudge(services: Services, session: Session) -> datetime | None:
    """Return when the rules ask those without an answer next by themselves; None if never."""
    planned = await reminding.planned_letters(services.database, session.meeting.id)
    nudges = (one for one in planned if one.kind is Kind.NUDGE and one.state == "planned")
    return min((one.due_at for one in nudges), default=None)


def _lately_invited(wanted: Sequence[InvitedPerson], now: datetime) -> datetime | None:
    """Return when somebody of these was invited last, if that is no two days ago."""
    newest = max((one.invited_at for one in wanted if one.invited_at), default=None)
    return newest if newest is not None and now - newest < _LATELY else None


ROUTES = [
    *(route for act in _ACTS for route in _routes_of(act)),
    *_people_routes("einladen", "invite", noticing.invite, "invited"),
    *_people_routes("erinnern", "remind", noticing.remind, "reminded"),
    *(ask_cancel, cancel, ask_discard, discard, ask_repeat, repeat),
]
