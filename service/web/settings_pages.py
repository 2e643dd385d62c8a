"""The office's settings: who it is, and the legal texts that its pages must have."""

from dataclasses import fields
from typing import Any

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from service import furnishing
from service.domain.errors import NotFoundError
from service.furnishing import LEGAL_KINDS, LOCALES, InstanceData
from service.services import Services
from service.web import forms, respond
from service.web.forms import Field, Form
from service.web.policy import Policy
from service.web.visitors import Visitor

_TEXT_BYTES = 512 * 1024
_LONGEST_TEXT = 100_000
_OPT = {"policy": Policy.COORDINATOR}
_FORM = {"policy": Policy.COORDINATOR, "form": True}

INSTANCE_FIELDS = (
    Field("name", label="settings.name", required=True, most=120),
    Field("short_name", label="settings.short_name", most=40),
    Field("aim", label="settings.aim", most=300),
    Field("office_name", label="settings.office_name", required=True, most=120),
    Field("street", label="settings.street", required=True, most=120),
    Field("postcode", label="settings.postcode", required=True, most=10),
    Field("town", label="settings.town", required=True, most=80),
    Field("email", kind="email", label="settings.email", required=True, most=254),
    Field("phone", label="settings.phone", required=True, most=40),
)
TEXT_FIELDS = (
    Field("body", kind="text", label="settings.body", most=_LONGEST_TEXT),
    Field("preview", kind="flag"),
)

AnyRequest = Request[Any, Any, Any]
Page = Response[bytes]


@get("/buero/einstellungen", opt=_OPT)
async def show_settings(
    request: AnyRequest, services: NamedDependency[Services], visitor: NamedDependency[Visitor]
) -> Page:
    """Show what stands and what is missing, read afresh."""
    known = await furnishing.read(services.database)
    written = await furnishing.read_texts(services.database)
    return respond.page(
        services,
        visitor,
        "staff/settings.html",
        furnishing=known,
        kinds=LEGAL_KINDS,
        written={key for key, body in written.items() if body.strip()},
        saved=forms.read_query(request, (Field("gespeichert", kind="flag"),))["gespeichert"],
    )


@get("/buero/einstellungen/geschaeftsstelle", opt=_OPT)
async def show_instance(
    services: NamedDependency[Services], visitor: NamedDependency[Visitor]
) -> Page:
    """Show who runs this instance, for editing."""
    return await _edit_instance(services, visitor, forms.empty(visitor, INSTANCE_FIELDS))


@post("/buero/einstellungen/geschaeftsstelle", opt=_FORM)
async def save_instance(
    request: AnyRequest, services: NamedDependency[Services], visitor: NamedDependency[Visitor]
) -> Page:
    """Save who runs this instance."""
    form = await forms.read(request, INSTANCE_FIELDS)
    if not form.is_valid:
        return await _edit_instance(services, visitor, form)
    data = InstanceData(**{each.name: form[each.name] for each in fields(InstanceData)})
    await furnishing.save_instance(services.database, visitor.actor, data)
    return respond.see_other(visitor, "/buero/einstellungen?gespeichert=1")


@get("/buero/einstellungen/rechtstexte/{kind:str}/{spoken:str}", opt=_OPT)
async def show_text(
    kind: FromPath[str],
    spoken: FromPath[str],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Show one legal text for editing."""
    _check_text(kind, spoken)
    form = forms.empty(visitor, TEXT_FIELDS)
    return await _edit_text(services, visitor, kind, spoken, form)


@post(
    "/buero/einstellungen/rechtstexte/{kind:str}/{spoken:str}",
    opt=_FORM,
    request_max_body_size=_TEXT_BYTES,
)
async def save_text(
    request: AnyRequest,
    kind: FromPath[str],
    spoken: FromPath[str],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Save one legal text, or only show what it would look like."""
    _check_text(kind, spoken)
    form = await forms.read(request, TEXT_FIELDS)
    if not form.is_valid or form["preview"]:
        return await _edit_text(services, visitor, kind, spoken, form)
    await furnishing.save_text(
        services.database, visitor.actor, (kind, spoken), form["body"], visitor.now
    )
    return respond.see_other(visitor, "/buero/einstellungen?gespeichert=1")


def _check_text(kind: str, spoken: str) -> None:
    if kind not in LEGAL_KINDS or spoken not in LOCALES:
        raise NotFoundError


async def _edit_instance(services: Services, visitor: Visitor, form: Form) -> Page:
    known = await furnishing.read(services.database)
    return respond.page(services, visitor, "staff/instance.html", form=form, data=known.instance)


async def _edit_text(
    services: Services, visitor: Visitor, kind: str, spoken: str, form: Form
) -> Page:
    written = await furnishing.read_texts(services.database)
    return respond.page(
        services,
        visitor,
        "staff/legal_text.html",
        form=form,
        kind=kind,
        spoken=spoken,
        body=written.get((kind, spoken), ""),
        preview=form["body"] if form.parsed.get("preview") else "",
    )


ROUTES = [show_settings, show_instance, save_instance, show_text, save_text]
