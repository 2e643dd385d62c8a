"""What an own calendar shows: for its reader by a link, and for the office on request."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from service import tailoring
from service.domain.errors import DomainError, LinkReplacedError, LinkUnknownError, NotFoundError
from service.domain.feed_profiles import Extent, Fallen, Profile
from service.services import Services
from service.subscribing import Owner, Wish
from service.tailoring import OwnCalendar
from service.web import errors, forms, respond
from service.web.forms import Field, Form
from service.web.policy import Policy
from service.web.visitors import Visitor

ALARMS = ("", "15", "30", "60", "120", "1440")
_SHARED = (
    Field("groups", kind="ids", label="mycal.groups", required=True),
    Field("shows_tentative", kind="flag"),
    Field("shows_rough", kind="flag"),
    Field(
        "fallen",
        kind="choice",
        label="mycal.fallen",
        required=True,
        choices=tuple(each.value for each in Fallen),
    ),
    Field("locale", kind="choice", label="mycal.locale", choices=("", "de", "en")),
)
FIELDS = (
    *_SHARED,
    Field(
        "extent",
        kind="choice",
        label="mycal.extent",
        required=True,
        choices=tuple(each.value for each in Extent),
    ),
    Field("mailed", kind="choice", label="mycal.mailed", required=True, choices=("no", "yes")),
    Field("shows_answer", kind="flag"),
    Field("shows_declined", kind="flag"),
    Field("alarm", kind="choice", label="mycal.alarm", choices=ALARMS),
)
OFFICE_FIELDS = (
    *_SHARED,
    Field("shows_drafts", kind="flag"),
    Field("shows_deadlines", kind="flag"),
)
_DONE = (Field("getan"),)
_KNOWN_DONE = frozenset({"saved", "mailed", "end", "reopen_told", "reopen"})
_ACTS = {"erneuern": Wish.RENEW, "beenden": Wish.END, "anlegen": Wish.REOPEN}
_LINK_ERRORS = (LinkUnknownError, LinkReplacedError)
_TOKEN = {"policy": Policy.TOKEN}
_TOKEN_FORM = {"policy": Policy.TOKEN, "form": True}
_OFFICE = {"policy": Policy.COORDINATOR}
_OFFICE_FORM = {"policy": Policy.COORDINATOR, "form": True}
AnyRequest = Request[Any, Any, Any]
Page = Response[bytes]


@get("/meine/kalender/{token:str}", opt=_TOKEN)
async def show_own(
    request: AnyRequest,
    token: FromPath[str],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Show what the reader's calendar holds; store nothing."""
    try:
        found = await tailoring.find(services.database, services.keys, token)
    except _LINK_ERRORS as error:
        return _refuse(services, visitor, error)
    form = forms.empty(visitor, FIELDS)
    return _show(services, visitor, found, form, action=_path(token), done=_done(request))


@post("/meine/kalender/{token:str}", opt=_TOKEN_FORM)
async def save_own(
    request: AnyRequest,
    token: FromPath[str],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Store what was chosen, or show the form again."""
    form = await forms.read(request, FIELDS)
    try:
        found = await tailoring.find(services.database, services.keys, token)
        profile = read_profile(form, found)
        if profile is None:
            return _show(services, visitor, found, form, action=_path(token))
        await tailoring.save_by_link(services.database, services.keys, token, profile, visitor.now)
    except _LINK_ERRORS as error:
        return _refuse(services, visitor, error)
    return respond.see_other(visitor, f"{_path(token)}?getan=saved")


@post("/meine/kalender/{token:str}/{act:str}", opt=_TOKEN)
async def change_own(
    token: FromPath[str],
    act: FromPath[str],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Mail, renew, end or begin anew the address of the reader's calendar."""
    database, keys = services.database, services.keys
    try:
        if act == "zusenden":
            await tailoring.mail_address(database, keys, token, visitor.now)
            return respond.see_other(visitor, f"{_path(token)}?getan=mailed")
        if act not in _ACTS:
            raise NotFoundError
        wish = _ACTS[act]
        told = await tailoring.change_by_link(database, keys, token, wish, visitor.now)
    except _LINK_ERRORS as error:
        return _refuse(services, visitor, error)
    return respond.see_other(visitor, f"{_path(token)}?getan={wish}{'_told' if told else ''}")


@get("/buero/mitglied/{person_id:uuid}/kalender", opt=_OFFICE)
async def show_of_person(
    request: AnyRequest,
    person_id: FromPath[UUID],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Show the office what a person's calendar holds."""
    found = await tailoring.find_of(services.database, Owner.person(person_id))
    form, action = forms.empty(visitor, FIELDS), f"/buero/mitglied/{person_id}/kalender"
    return _show(services, visitor, found, form, action=action, done=_done(request))


@post("/buero/mitglied/{person_id:uuid}/kalender", opt=_OFFICE_FORM)
async def save_of_person(
    request: AnyRequest,
    person_id: FromPath[UUID],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Store what a person asked the office for."""
    found = await tailoring.find_of(services.database, Owner.person(person_id))
    action = f"/buero/mitglied/{person_id}/kalender"
    return await _save(request, services, visitor, found, action=action, fields=FIELDS)


@get("/buero/kalender", opt=_OFFICE)
async def show_of_office(
    request: AnyRequest,
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Show what the calendar of whoever is signed in holds."""
    found = await tailoring.find_of(services.database, Owner.account(visitor.staff.id))
    form = forms.empty(visitor, OFFICE_FIELDS)
    return _show(services, visitor, found, form, action="/buero/kalender", done=_done(request))


@post("/buero/kalender", opt=_OFFICE_FORM)
async def save_of_office(
    request: AnyRequest,
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Store what the calendar of whoever is signed in is to hold."""
    found = await tailoring.find_of(services.database, Owner.account(visitor.staff.id))
    fields = OFFICE_FIELDS
    return await _save(request, services, visitor, found, action="/buero/kalender", fields=fields)


def read_profile(form: Form, calendar: OwnCalendar) -> Profile | None:
    """Return the choices of a form, None where something is wrong with them.

    Whoever leaves the groups as they are follows later changes of the own ones.
    """
    if not form.is_valid:
        return None
    known = {group.id for group in calendar.groups}
    chosen = tuple(sorted(known & set(form["groups"])))
    if not chosen:
        form.refuse("groups", "mycal.err_groups")
        return None
    usual = {group.id for group in calendar.groups if group.is_own}
    if calendar.owner.kind == "office":
        usual = known
    profile = replace(
        calendar.profile,
        group_ids=None if set(chosen) == usual else chosen,
        shows_tentative=bool(form["shows_tentative"]),
        shows_rough=bool(form["shows_rough"]),
        fallen=Fallen(form["fallen"]),
        locale=form["locale"] or "",
    )
    if calendar.owner.kind == "office":
        return replace(
            profile,
            shows_drafts=bool(form["shows_drafts"]),
            shows_deadlines=bool(form["shows_deadlines"]),
        )
    return replace(
        profile,
        extent=Extent(form["extent"]),
        leaves_out_mailed=form["mailed"] == "yes",
        shows_answer=bool(form["shows_answer"]),
        shows_declined=bool(form["shows_declined"]),
        alarm_minutes=int(form["alarm"]) if form["alarm"] else None,
    )


async def _save(
    request: AnyRequest,
    services: Services,
    visitor: Visitor,
    found: OwnCalendar,
    *,
    action: str,
    fields: Sequence[Field],
) -> Page:
    form = await forms.read(request, fields)
    profile = read_profile(form, found)
    if profile is None:
        return _show(services, visitor, found, form, action=action)
    await tailoring.save(services.database, visitor.actor, found, profile, visitor.now)
    return respond.see_other(visitor, f"{action}?getan=saved")


def _path(token: str) -> str:
    return f"/meine/kalender/{token}"


def _done(request: AnyRequest) -> str | None:
    done = forms.read_query(request, _DONE)["getan"]
    return done if done in _KNOWN_DONE else None


def _show(
    services: Services,
    visitor: Visitor,
    found: OwnCalendar,
    form: Form,
    *,
    action: str,
    done: str | None = None,
) -> Page:
    return respond.page(
        services,
        visitor,
        "calendars/own.html",
        calendar=found,
        profile=found.profile,
        groups=[(str(group.id), group.name) for group in found.groups],
        chosen_ids=[str(each) for each in found.chosen_ids],
        alarms=[(each, visitor.t(f"mycal.alarm_{each or 'none'}")) for each in ALARMS],
        form=form,
        action=action,
        done=done,
    )


def _refuse(services: Services, visitor: Visitor, error: DomainError) -> Page:
    return errors.show_dead_link(services, visitor, error, heading="prefs", text="mycal")


ROUTES = [
    show_own,
    save_own,
    change_own,
    show_of_person,
    save_of_person,
    show_of_office,
    save_of_office,
]
