"""Partners on the web: the list, one partner, adding, ending."""

from functools import partial
from typing import Any
from uuid import UUID, uuid4

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from service import partnering
from service.partnering import Partner, PartnerForm
from service.services import Services
from service.web import editing, forms, respond
from service.web.forms import Field, Form
from service.web.policy import Policy
from service.web.visitors import Visitor

_OPT = {"policy": Policy.COORDINATOR}
_FORM = {"policy": Policy.COORDINATOR, "form": True}

FIELDS = (
    Field("id", kind="id"),
    Field("revision", kind="number"),
    Field("name", label="partner.name", required=True, most=200),
    Field("short_name", label="partner.short_name", most=40),
    Field("kind", label="partner.kind", most=60),
    Field("town", label="partner.town", most=80),
    Field("phone", label="people.phone", most=60),
    Field("website", kind="url", label="partner.website", most=300),
)
_SAID = (
    Field("gespeichert", kind="flag"),
    Field("beendet", kind="flag"),
    Field("personen", kind="flag"),
)

AnyRequest = Request[Any, Any, Any]
Page = Response[bytes]


@get("/buero/partner", opt=_OPT)
async def list_partners(
    request: AnyRequest, services: NamedDependency[Services], visitor: NamedDependency[Visitor]
) -> Page:
    """Show all partners with their people counted."""
    asked = forms.read_query(
        request, (Field("ausgeschieden", kind="flag"), Field("beendet", kind="flag"))
    )
    has_ended = bool(asked["ausgeschieden"])
    partners = await partnering.list_partners(services.database, has_ended=has_ended)
    return respond.page(
        services,
        visitor,
        "people/partners.html",
        partners=partners,
        has_ended=has_ended,
        was_ended=asked["beendet"],
    )


@get("/buero/partner/neu", opt=_OPT)
async def show_new(services: NamedDependency[Services], visitor: NamedDependency[Visitor]) -> Page:
    """Show an empty form with the id that the new partner will have."""
    return await _edit(services, visitor, forms.empty(visitor, FIELDS), partner_id=uuid4())


@post("/buero/partner/neu", opt=_FORM)
async def add_partner(
    request: AnyRequest, services: NamedDependency[Services], visitor: NamedDependency[Visitor]
) -> Page:
    """Add a partner."""
    form = await forms.read(request, FIELDS)
    partner_id = editing.new_id(form)
    return await editing.add(
        visitor,
        form,
        f"/buero/partner/{partner_id}",
        write=lambda: partnering.add_partner(
            services.database, visitor.actor, partner_id, _read(form)
        ),
        show=partial(_edit, services, visitor, form, partner_id=partner_id),
    )


@get("/buero/partner/{partner_id:uuid}", opt=_OPT)
async def show_partner(
    request: AnyRequest,
    partner_id: FromPath[UUID],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Show a partner for correcting, with its people."""
    partner = await partnering.find_partner(services.database, partner_id)
    said = forms.read_query(request, _SAID)
    form = forms.empty(visitor, FIELDS)
    return await _edit(
        services,
        visitor,
        form,
        partner,
        saved=said["gespeichert"],
        still_people=said["personen"],
    )


@post("/buero/partner/{partner_id:uuid}", opt=_FORM)
async def save_partner(
    request: AnyRequest,
    partner_id: FromPath[UUID],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Save a partner."""
    form = await forms.read(request, FIELDS)
    return await editing.save(
        visitor,
        form,
        f"/buero/partner/{partner_id}",
        find=lambda: partnering.find_partner(services.database, partner_id),
        write=lambda: partnering.save_partner(
            services.database,
            visitor.actor,
            partner_id,
            _read(form),
            visitor.now,
            seen_revision=form["revision"],
        ),
        show=partial(_edit, services, visitor, form),
    )


@post("/buero/partner/{partner_id:uuid}/beenden", opt=_OPT)
async def end_partner(
    partner_id: FromPath[UUID],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """End a partner to whom nobody belongs any more."""
    ended = await partnering.end_partner(services.database, visitor.actor, partner_id, visitor.now)
    path = "/buero/partner?beendet=1" if ended else f"/buero/partner/{partner_id}?personen=1"
    return respond.see_other(visitor, path)


def _read(form: Form) -> PartnerForm:
    return PartnerForm(**{name: form[name] for name in PartnerForm.__dataclass_fields__})


async def _edit(
    services: Services,
    visitor: Visitor,
    form: Form,
    partner: Partner | None = None,
    *,
    partner_id: UUID | None = None,
    **context: Any,
) -> Page:
    said = {"saved": False, "still_people": False, "is_stale": False, **context}
    return respond.page(
        services,
        visitor,
        "people/partner.html",
        form=form,
        partner=partner,
        partner_id=partner_id,
        **said,
    )


ROUTES = [list_partners, show_new, add_partner, show_partner, save_partner, end_partner]
