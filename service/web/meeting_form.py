"""Plan and change a session: the form, the look at the day, and the preview before it leaves."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

from litestar import Request, get, post
from litestar.datastructures import MultiDict
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from service import overseeing, planning, rehearsing, scheduling
from service.domain.errors import FieldsError, StaleFormError
from service.domain.meeting_forms import MeetingForm, check, find_errors
from service.domain.words import Precision, State, Verdict
from service.moving import Letters, Options
from service.overseeing import Session
from service.rehearsing import Wish
from service.services import Services
from service.web import (
    forms,
    meeting_form_page,
    meeting_previews,
    meeting_publication,
    respond,
    rule_ticks,
)
from service.web.forms import Field, Form
from service.web.meeting_entries import (
    FIELDS,
    MOVE_FIELDS,
    prefilled,
    read_entries,
    read_invite_time,
    refuses_invite_time,
    typed_values,
)
from service.web.meeting_previews import wanted_move
from service.web.policy import Policy
from service.web.visitors import Visitor

_OPT = {"policy": Policy.GROUP}
_FORM = {"policy": Policy.GROUP, "form": True}
_LETTERS = {
    "save": Letters.BY_RULE,
    "rule": Letters.BY_RULE,
    "later": Letters.BY_RULE,
    "now": Letters.NOW,
    "silent": Letters.NONE,
    "ticked": Letters.TICKED,
}

# Buttons that show the form again.
_SHOWING = frozenset({"check", "search", "back"})

AnyRequest = Request[Any, Any, Any]
Page = Response[bytes]


@get("/buero/termin/neu", opt=_OPT)
async def show_new(
    request: AnyRequest, services: NamedDependency[Services], visitor: NamedDependency[Visitor]
) -> Page:
    """Ask for the group, then show the form with the group's proposal."""
    groups = await overseeing.list_groups(services.database, visitor.staff, visitor.today)
    query = forms.read_query(request, (Field("gruppe", "id"),))
    chosen = query["gruppe"] or (groups[0].id if len(groups) == 1 else None)
    if chosen is None:
        return respond.page(services, visitor, "office/new.html", groups=groups)
    proposal = await planning.propose(services.database, chosen, visitor.now, visitor.staff)
    form = prefilled(
        visitor,
        proposal.form,
        meeting_id=proposal.meeting_id,
        revision=None,
        number=proposal.number,
    )
    return await meeting_form_page.show(services, visitor, form, groups)


@post("/buero/termin/neu", opt=_FORM)
async def save_new(
    request: AnyRequest, services: NamedDependency[Services], visitor: NamedDependency[Visitor]
) -> Page:
    """Keep the draft and go on to its preview, or show the form again."""
    form = await forms.read(request, FIELDS)
    meeting_id = form["id"] or uuid4()
    form.values["id"] = str(meeting_id)
    return await _save_draft(services, visitor, meeting_id, form, None)


@get("/buero/termin/{meeting_id:uuid}/bearbeiten", opt=_OPT)
async def show_edit(
    request: AnyRequest,
    meeting_id: FromPath[UUID],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Show a kept session for editing."""
    entries, revision = await planning.load_form(services.database, meeting_id, visitor.staff)
    session = await overseeing.find_session(services.database, visitor.staff, meeting_id)
    form = prefilled(visitor, entries, meeting_id=meeting_id, revision=revision)
    asked = forms.read_query(request, (Field("status", "choice", choices=("confirmed",)),))
    if asked["status"]:
        form.values |= _certain(entries)
    return await meeting_form_page.show(services, visitor, form, session=session)


def _certain(entries: MeetingForm) -> dict[str, str | list[str]]:
    """Return the fields of a date that becomes certain: a rough one has no day to begin with."""
    certain: dict[str, str | list[str]] = {"status": State.CONFIRMED, "precision": Precision.TIME}
    if entries.precision in {Precision.WEEK, Precision.MONTH}:
        certain |= {"start_date": "", "end_date": ""}
    return certain


@post("/buero/termin/{meeting_id:uuid}/bearbeiten", opt=_FORM)
async def save_edit(
    request: AnyRequest,
    meeting_id: FromPath[UUID],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Show what the change does, save it, or show the form again."""
    form = await forms.read(request, FIELDS)
    form.values["id"] = str(meeting_id)
    session = await overseeing.find_session(services.database, visitor.staff, meeting_id)
    kept, _ = await planning.load_form(services.database, meeting_id, visitor.staff)
    if session.meeting.state == State.DRAFT:
        return await _save_draft(services, visitor, meeting_id, form, kept, session)
    if not form.is_valid or form["action"] in _SHOWING:
        return await meeting_form_page.show(services, visitor, form, session=session)
    return await _change(services, visitor, session, form, _entries(visitor, form, kept))


@get("/buero/termin/{meeting_id:uuid}/verschieben", opt=_OPT)
async def show_move(
    meeting_id: FromPath[UUID],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Show the short form of a new date."""
    entries, revision = await planning.load_form(services.database, meeting_id, visitor.staff)
    session = await overseeing.find_session(services.database, visitor.staff, meeting_id)
    form = prefilled(visitor, entries, meeting_id=meeting_id, revision=revision)
    if session.meeting.state == State.POSTPONED:
        form.values["status"] = ""
    return respond.page(services, visitor, "office/move.html", form=form, session=session)


@post("/buero/termin/{meeting_id:uuid}/verschieben", opt=_FORM)
async def preview_move(
    request: AnyRequest,
    meeting_id: FromPath[UUID],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Show what the new date does; the buttons there save it."""
    typed = await forms.read(request, MOVE_FIELDS)
    session = await overseeing.find_session(services.database, visitor.staff, meeting_id)
    kept, _ = await planning.load_form(services.database, meeting_id, visitor.staff)
    values = {**typed_values(kept), **typed.values, "id": str(meeting_id)}
    values["status"] = typed.values.get("status") or kept.status.value
    form = forms.read_values(visitor.locale, FIELDS, MultiDict(_pairs(values)))
    form.expired, form.errors = typed.expired, {**typed.errors, **form.errors}
    entries = _entries(visitor, form, kept)
    if form.is_valid:
        form.refuse_fields(FieldsError(find_errors(entries)))
    if not form.is_valid:
        return respond.page(services, visitor, "office/move.html", form=form, session=session)
    return await _change(services, visitor, session, form, entries, "office/move.html")


def _pairs(values: Mapping[str, str | list[str]]) -> list[tuple[str, str]]:
    """Return values as a browser sends them, lists by one pair an entry."""
    return [
        (name, one)
        for name, value in values.items()
        for one in ([value] if isinstance(value, str) else value)
    ]


def _entries(visitor: Visitor, form: Form, kept: MeetingForm | None) -> MeetingForm:
    return read_entries(form, kept, sees_guests=visitor.staff.is_office)


async def _save_draft(  # noqa: PLR0917 - a form and what it is about
    services: Services,
    visitor: Visitor,
    meeting_id: UUID,
    form: Form,
    kept: MeetingForm | None,
    session: Session | None = None,
) -> Page:
    """Keep a draft; towards the preview it has to be complete."""
    action = form["action"]
    if not form.is_valid or action in _SHOWING:
        return await meeting_form_page.show(services, visitor, form, session=session)
    entries = await meeting_previews.with_deadline(services, form, _entries(visitor, form, kept))
    try:
        if action != "draft":
            check(entries if entries.title else _titled(entries, visitor))
        await planning.save_draft(
            services.database,
            visitor.actor,
            meeting_id,
            entries,
            visitor.now,
            authority=visitor.staff,
            seen_revision=form["revision"],
            ticks=rule_ticks.read(form),
        )
    except FieldsError as error:
        form.refuse_fields(error)
        return await meeting_form_page.show(services, visitor, form, session=session)
    except StaleFormError as error:
        return await meeting_form_page.show_stale(services, visitor, form, meeting_id, error)
    if action == "draft":
        return respond.see_other(visitor, f"/buero/termin/{meeting_id}?getan=drafted")
    return respond.see_other(visitor, meeting_publication.preview_path(meeting_id, entries))


def _titled(entries: MeetingForm, visitor: Visitor) -> MeetingForm:
    """Stand in for the title that the group's pattern will give."""
    return meeting_previews.with_title(entries, visitor.t("plan.title"))


async def _change(  # noqa: PLR0917 - a form, its session and the page to show it again
    services: Services,
    visitor: Visitor,
    session: Session,
    form: Form,
    entries: MeetingForm,
    template: str = "office/form.html",
) -> Page:
    """Save a change of what is published, or show what it would do."""
    meeting_id = session.meeting.id
    move = wanted_move(State(session.meeting.state), entries.status)
    options = _options(visitor, form)
    wish = Wish(move=move, form=entries, options=replace(options, letters=Letters.BY_RULE))
    try:
        if await _save(services, visitor, meeting_id, form, wish, options):
            return respond.see_other(visitor, f"/buero/termin/{meeting_id}?getan=changed")
        seen = await rehearsing.rehearse(
            services.database, visitor.actor, meeting_id, wish, visitor.now
        )
    except FieldsError as error:
        form.refuse_fields(error)
        if template != "office/form.html":
            return respond.page(services, visitor, template, form=form, session=session)
        return await meeting_form_page.show(services, visitor, form, session=session)
    except StaleFormError as error:
        return await meeting_form_page.show_stale(services, visitor, form, meeting_id, error)
    preview = meeting_previews.describe(services, visitor, seen)
    return respond.page(
        services,
        visitor,
        "office/change.html",
        form=form,
        session=session,
        is_tested=await meeting_previews.send_test(services, visitor, form, preview.letters),
        look=await meeting_previews.look_at_meeting(
            services, visitor, seen.meeting, session.group_ids
        ),
        p=preview,
    )


def _options(visitor: Visitor, form: Form) -> Options:
    return Options(
        authority=visitor.staff,
        seen_revision=form["revision"],
        letters=_LETTERS.get(form["action"], Letters.BY_RULE),
        answers=None if form["answers"] is None else Verdict(form["answers"]),
        message=form["message"],
        ticks=rule_ticks.read(form),
    )


async def _save(  # noqa: PLR0917 - a form and what it asks for
    services: Services,
    visitor: Visitor,
    meeting_id: UUID,
    form: Form,
    wish: Wish,
    options: Options,
) -> bool:
    """Make the change when its button was pressed under what the preview showed.

    Another word on the answers than it showed, or an odd time of invitations, shows it again.
    """
    if form["action"] == "later":
        options = replace(options, invite_local=read_invite_time(form))
    is_seen = form["answers"] == form["answers_shown"]
    if form["action"] not in _LETTERS or not form.is_valid or not is_seen:
        return False
    try:
        await scheduling.make(
            services.database,
            visitor.actor,
            meeting_id,
            wish.move,
            visitor.now,
            form=wish.form,
            options=options,
        )
    except FieldsError as error:
        if not refuses_invite_time(error):
            raise
        form.refuse_fields(error)
        return False
    return True


ROUTES = [show_new, save_new, show_edit, save_edit, show_move, preview_move]
