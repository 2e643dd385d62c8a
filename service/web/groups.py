"""Groups on the web: names, title patterns, number counters, the rules of their sessions."""

from functools import partial
from typing import Any
from uuid import UUID, uuid4

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from service import grouping
from service.domain.words import Heading
from service.grouping import Group, GroupForm
from service.services import Services
from service.web import editing, forms, respond
from service.web.forms import Field, Form
from service.web.policy import Policy
from service.web.visitors import Visitor

_OPT = {"policy": Policy.COORDINATOR}
_FORM = {"policy": Policy.COORDINATOR, "form": True}
# A year ahead is as far as anybody invites; a month of working days as long as anybody waits.
_RANGES = {
    "next_number": (1, 100_000),
    "invite_weeks_before": (0, 52),
    "answer_working_days_before": (0, 30),
}

FIELDS = (
    Field("id", kind="id"),
    Field("revision", kind="number"),
    Field("name", label="group.name", required=True, most=120),
    Field("short_name", label="group.short_name", most=40),
    Field(
        "heading",
        kind="choice",
        label="group.heading",
        required=True,
        choices=tuple(heading.value for heading in Heading),
    ),
    Field("title_pattern", label="group.title_pattern", required=True, most=150),
    Field("next_number", kind="number", label="group.next_number"),
    Field("aim", kind="text", label="group.aim", most=500),
    Field("invite_weeks_before", kind="number", label="group.weeks", required=True),
    Field("answer_working_days_before", kind="number", label="group.days", required=True),
    Field("answer_by_time", kind="clock", label="group.time", required=True),
)

AnyRequest = Request[Any, Any, Any]
Page = Response[bytes]


@get("/buero/gruppen", opt=_OPT)
async def list_groups(
    services: NamedDependency[Services], visitor: NamedDependency[Visitor]
) -> Page:
    """Show all groups in the order of the public list."""
    groups = await grouping.list_groups(services.database)
    return respond.page(services, visitor, "people/groups.html", groups=groups)


@get("/buero/gruppe/neu", opt=_OPT)
async def show_new(services: NamedDependency[Services], visitor: NamedDependency[Visitor]) -> Page:
    """Show an empty form with the id that the new group will have."""
    return await _edit(services, visitor, forms.empty(visitor, FIELDS), group_id=uuid4())


@post("/buero/gruppe/neu", opt=_FORM)
async def add_group(
    request: AnyRequest, services: NamedDependency[Services], visitor: NamedDependency[Visitor]
) -> Page:
    """Add a group."""
    form = await forms.read(request, FIELDS)
    group_id = editing.new_id(form)
    _check(form)
    return await editing.add(
        visitor,
        form,
        f"/buero/gruppe/{group_id}",
        write=lambda: grouping.add_group(services.database, visitor.actor, group_id, _read(form)),
        show=partial(_edit, services, visitor, form, group_id=group_id),
    )


@get("/buero/gruppe/{group_id:uuid}", opt=_OPT)
async def show_group(
    request: AnyRequest,
    group_id: FromPath[UUID],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Show a group for correcting."""
    group = await grouping.find_group(services.database, group_id)
    saved = forms.read_query(request, (Field("gespeichert", kind="flag"),))["gespeichert"]
    return await _edit(services, visitor, forms.empty(visitor, FIELDS), group, saved=saved)


@post("/buero/gruppe/{group_id:uuid}", opt=_FORM)
async def save_group(
    request: AnyRequest,
    group_id: FromPath[UUID],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Save a group."""
    form = await forms.read(request, FIELDS)
    _check(form)
    return await editing.save(
        visitor,
        form,
        f"/buero/gruppe/{group_id}",
        find=lambda: grouping.find_group(services.database, group_id),
        write=lambda: grouping.save_group(
            services.database,
            visitor.actor,
            group_id,
            _read(form),
            visitor.now,
            seen_revision=form["revision"],
        ),
        show=partial(_edit, services, visitor, form),
    )


def _check(form: Form) -> None:
    for name, (least, most) in _RANGES.items():
        number = form.parsed.get(name)
        if number is not None and not least <= number <= most:
            form.refuse(name, "group.err_range", least=least, most=most)


def _read(form: Form) -> GroupForm:
    values = {name: form[name] for name in GroupForm.__dataclass_fields__}
    return GroupForm(**values | {"heading": Heading(form["heading"])})


async def _edit(
    services: Services,
    visitor: Visitor,
    form: Form,
    group: Group | None = None,
    *,
    group_id: UUID | None = None,
    **context: Any,
) -> Page:
    said = {"saved": False, "is_stale": False, **context}
    return respond.page(
        services, visitor, "people/group.html", form=form, group=group, group_id=group_id, **said
    )


ROUTES = [list_groups, show_new, add_group, show_group, save_group]
