"""Members on the web: the list with search, one person, adding, ending."""

from datetime import datetime, timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from service import addressing, enrolling, mending, preferring, subscribing
from service.domain.errors import FieldsError
from service.enrolling import Member, MemberForm, Search
from service.services import Services
from service.subscribing import Owner
from service.tallying import Tally
from service.web import calendar_addresses, editing, forms, preferences, respond, stale
from service.web.forms import Field, Form
from service.web.policy import Policy
from service.web.visitors import Visitor

_FURTHEST = timedelta(days=366)
_OPT = {"policy": Policy.COORDINATOR}
_FORM = {"policy": Policy.COORDINATOR, "form": True}

FILTERS = (
    Field("suche", label="people.search", most=100),
    Field("gruppe", kind="id", label="people.group"),
    Field("partner", kind="id", label="people.partner"),
    Field("ohne", kind="flag", label="people.without_address"),
    Field("ausgeschieden", kind="flag", label="people.ended"),
    Field("seite", kind="number", label="people.page"),
    Field("gespeichert", kind="flag"),
    Field("beendet", kind="flag"),
)
FIELDS = (
    Field("id", kind="id"),
    Field("revision", kind="number"),
    Field("full_name", label="people.full_name", required=True, most=120),
    Field("email", kind="email", label="people.email", most=254),
    Field("copy_email", kind="email", label="people.copy_email", most=254),
    Field("phone", label="people.phone", most=60),
    Field("locale", kind="choice", label="people.locale", required=True, choices=("de", "en")),
    Field("ref", label="people.ref", most=60),
    Field("partner_id", kind="id", label="people.partner"),
    Field("role_title", label="people.role_title", most=200),
    Field("group_ids", kind="ids", label="people.groups"),
    Field("since", kind="day", label="people.since"),
    Field("internal_note", kind="text", label="people.note", most=2000),
    Field("anyway", kind="flag", label="people.anyway"),
    Field("letters", kind="choice", label="people.letters", choices=("yes", "no")),
    Field("many", kind="flag", label="together.many"),
)
_DONE = (Field("gespeichert", kind="flag"), Field("kalender"), Field("links", kind="flag"))

AnyRequest = Request[Any, Any, Any]
Page = Response[bytes]


@get("/buero/mitglieder", opt={"policy": Policy.GROUP})
async def list_members(
    request: AnyRequest, services: NamedDependency[Services], visitor: NamedDependency[Visitor]
) -> Page:
    """Show the people that the account may see, fifty a page."""
    typed = forms.read_query(request, FILTERS)
    found = await enrolling.list_members(services.database, visitor.staff, _search(typed))
    return respond.page(
        services,
        visitor,
        "people/members.html",
        status=200,
        found=found,
        filters=typed,
        groups=await enrolling.list_groups(services.database, visitor.staff),
        partners=await enrolling.list_partners(services.database),
        query=_query(typed),
        is_filtered=any(typed[name] for name in ("gruppe", "partner", "ohne", "ausgeschieden")),
    )


@get("/buero/mitglied/neu", opt=_OPT)
async def show_new(services: NamedDependency[Services], visitor: NamedDependency[Visitor]) -> Page:
    """Show an empty form with the id that the new person will have."""
    form = forms.empty(visitor, FIELDS)
    return await _edit(services, visitor, form, person_id=uuid4())


@post("/buero/mitglied/neu", opt=_FORM)
async def add_member(
    request: AnyRequest, services: NamedDependency[Services], visitor: NamedDependency[Visitor]
) -> Page:
    """Add a person, and ask first when somebody alike is there."""
    form = await forms.read(request, FIELDS)
    person_id = editing.new_id(form)
    _check(form, visitor.now)
    alike = None
    if form.is_valid and not form["anyway"]:
        alike = await enrolling.find_alike(
            services.database, form["full_name"], form["email"] or ""
        )
    # The form that was sent twice finds itself.
    if alike is not None and alike.id != person_id:
        form.refuse("full_name", "people.err_alike", name=alike.name)
    tally = await _foresee(services, visitor, form, person_id)
    return await editing.add(
        visitor,
        form,
        f"/buero/mitglied/{person_id}",
        write=lambda: enrolling.add_member(
            services.database, visitor.actor, person_id, _read(form), visitor.now
        ),
        show=partial(_edit, services, visitor, form, person_id=person_id, alike=alike, tally=tally),
    )


@get("/buero/mitglied/{person_id:uuid}", opt=_OPT)
async def show_member(
    request: AnyRequest,
    person_id: FromPath[UUID],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Show a person for correcting."""
    member = await enrolling.find_member(services.database, person_id)
    done = forms.read_query(request, _DONE)
    form = forms.empty(visitor, FIELDS)
    calendar_done = done["kalender"] if done["kalender"] in calendar_addresses.DONE else None
    context = {
        "saved": done["gespeichert"],
        "calendar_done": calendar_done,
        "links_renewed": done["links"],
    }
    return await _edit(services, visitor, form, member, **context)


@post("/buero/mitglied/{person_id:uuid}", opt=_FORM)
async def save_member(
    request: AnyRequest,
    person_id: FromPath[UUID],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Save a person; what somebody else saved meanwhile is shown beside what was typed."""
    form = await forms.read(request, FIELDS)
    _check(form, visitor.now)
    tally = await _foresee(services, visitor, form, person_id)
    return await editing.save(
        visitor,
        form,
        f"/buero/mitglied/{person_id}",
        find=lambda: enrolling.find_member(services.database, person_id),
        write=lambda: enrolling.save_member(
            services.database,
            visitor.actor,
            person_id,
            _read(form),
            visitor.now,
            seen_revision=form["revision"],
        ),
        show=partial(_edit, services, visitor, form, tally=tally),
    )


@post("/buero/mitglied/{person_id:uuid}/beenden", opt=_OPT)
async def end_member(
    person_id: FromPath[UUID],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """End a person with all memberships."""
    await enrolling.end_member(services.database, visitor.actor, person_id, visitor.now)
    return respond.see_other(visitor, "/buero/mitglieder?beendet=1")


def _check(form: Form, now: datetime) -> None:
    """Refuse addresses that no letter could reach, and days that are slips of the pen."""
    for name in ("email", "copy_email"):
        typed = form.parsed.get(name)
        if typed and addressing.read_address(typed) is None:
            form.refuse(name, addressing.refusal_of(typed))
    since = form.parsed.get("since")
    if since is not None and since > now.date() + _FURTHEST:
        form.refuse("since", "people.err_since")


def _read(form: Form) -> MemberForm:
    names = ("full_name", "phone", "locale", "ref", "partner_id", "role_title", "since")
    return MemberForm(
        **{name: form[name] for name in names},
        email=addressing.read_address(form["email"] or "") or "",
        copy_email=addressing.read_address(form["copy_email"] or "") or "",
        internal_note=form["internal_note"],
        group_ids=frozenset(form["group_ids"]),
        with_letters=form["letters"] == "yes",
    )


async def _foresee(
    services: Services, visitor: Visitor, form: Form, person_id: UUID
) -> Tally | None:
    """Tell which letters hang on what was typed, and ask whether they are to leave."""
    if not form.is_valid or form["letters"] == "no":
        return None
    try:
        tally = await enrolling.foresee(
            services.database, visitor.actor, person_id, _read(form), visitor.now
        )
    except FieldsError:
        # Saving says what is wrong.
        return None
    if tally.letters and not form["letters"]:
        form.refuse("letters", "people.err_letters")
    if tally.is_many and not form["many"]:
        form.refuse("many", "together.err_many")
    return tally if tally.letters else None


def _search(typed: Form) -> Search:
    """Read the filters; an odd one filters nothing."""
    return Search(
        text=typed["suche"] or "",
        group_id=typed["gruppe"],
        partner_id=typed["partner"],
        without_address=bool(typed["ohne"]),
        has_ended=bool(typed["ausgeschieden"]),
        page=typed["seite"] or 1,
    )


def _query(typed: Form) -> str:
    """Return the filters as the beginning of a query, for the links to other pages."""
    names = ("suche", "gruppe", "partner", "ohne", "ausgeschieden")
    return stale.query({name: str(typed.values[name]) for name in names if typed.values[name]})


async def _edit(
    services: Services,
    visitor: Visitor,
    form: Form,
    member: Member | None = None,
    *,
    person_id: UUID | None = None,
    **context: Any,
) -> Page:
    context = {"saved": False, "calendar_done": None, "alike": None, "is_stale": False} | context
    context.setdefault("links_renewed", False)
    context.setdefault("tally", None)
    context.setdefault("bad", ())
    if member is not None:
        context["calendar_use"] = await subscribing.find_use(
            services.database, Owner.person(member.id)
        )
        context["bad"] = await mending.list_addresses_of(services.database, member.id)
        wishes = await preferring.find_of_person(services.database, member.id)
        context["wished"] = preferences.summary(visitor, wishes)
        context["paused_until"] = preferences.pause_of(visitor, wishes.preferences)
    return respond.page(
        services,
        visitor,
        "people/member.html",
        form=form,
        member=member,
        person_id=person_id,
        groups=await enrolling.list_groups(services.database, visitor.staff),
        partners=await enrolling.list_partners(services.database),
        **context,
    )


ROUTES = [list_members, show_new, add_member, show_member, save_member, end_member]
