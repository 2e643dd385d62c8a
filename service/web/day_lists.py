"""Black-out lists on the web: choose a file, look at its days, take it in, replace it, remove it.

The file travels in the form from the dry run to the last press, and each step reads it anew.
"""

import base64
import binascii
from typing import Any
from uuid import UUID, uuid4

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from calendars.obstacles import MOST_BYTES
from service import barring, obstacles, overseeing
from service.barring import File, KeptList, ListForm
from service.domain.errors import FieldsError, StaleFormError
from service.domain.obstacles import Treatment
from service.services import Services
from service.web import forms, respond, stale
from service.web.forms import Field, Form
from service.web.policy import Policy
from service.web.visitors import Visitor

# Three bytes of a file are four signs in a form; what the form has around them is small.
_MOST_SIGNS = MOST_BYTES // 3 * 4 + 4
_BODY_BYTES = _MOST_SIGNS + 100_000
# A page with more days opens slowly; what is not shown is counted.
MOST_SHOWN = 300
_OPT = {"policy": Policy.COORDINATOR}
_FORM = {"policy": Policy.COORDINATOR, "form": True}
_DONE = frozenset({"added", "saved", "replaced", "removed"})

FIELDS = (
    Field("id", kind="id"),
    Field("revision", kind="number"),
    Field("name", label="bar.name", required=True, most=80),
    Field(
        "treatment",
        kind="choice",
        label="bar.treatment",
        required=True,
        choices=tuple(one.value for one in Treatment),
    ),
    Field("covered_until", kind="day", label="bar.covered"),
    Field("source", kind="file", label="bar.file"),
)
SAVE_FIELDS = (*FIELDS, Field("file_name"), Field("raw", kind="text", most=_MOST_SIGNS))

AnyRequest = Request[Any, Any, Any]
Page = Response[bytes]


@get("/buero/sperrzeiten", opt=_OPT)
async def show_lists(
    request: AnyRequest, services: NamedDependency[Services], visitor: NamedDependency[Visitor]
) -> Page:
    """Show what is known about days without sessions, and until when."""
    region = await overseeing.find_region(services.database)
    done = forms.read_query(request, (Field("getan"),))["getan"]
    return respond.page(
        services,
        visitor,
        "office/day_lists.html",
        lists=await barring.list_lists(services.database),
        last_planned=await barring.last_planned_day(services.database, visitor.today),
        last_school=obstacles.last_school_day(region),
        done=done if done in _DONE else None,
    )


@get("/buero/sperrzeiten/neu", opt=_OPT)
async def show_new(services: NamedDependency[Services], visitor: NamedDependency[Visitor]) -> Page:
    """Ask for a new list, under the id that it will have."""
    form = forms.empty(visitor, FIELDS)
    form.values["id"] = str(uuid4())
    return await _edit(services, visitor, form, None)


@get("/buero/sperrzeiten/{list_id:uuid}", opt=_OPT)
async def show_list(
    list_id: FromPath[UUID],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Show the days of a list, and the form that saves or replaces it."""
    kept = await barring.find_list(services.database, list_id)
    return await _edit(services, visitor, forms.empty(visitor, FIELDS), kept)


@post("/buero/sperrzeiten/pruefen", opt=_FORM, request_max_body_size=_BODY_BYTES)
async def check_list(
    request: AnyRequest, services: NamedDependency[Services], visitor: NamedDependency[Visitor]
) -> Page:
    """Show what a file would do; without a file an old list is saved at once."""
    form = await forms.read(request, FIELDS)
    kept = await _find_kept(services, form)
    upload = form.parsed.get("source")
    if upload is None and kept is None:
        form.refuse("source", "bar.err_file")
    if not form.is_valid:
        return await _edit(services, visitor, form, kept)
    if upload is None:
        return await _save(services, visitor, form, kept, None)
    return await _check(services, visitor, form, kept, File(upload.filename, upload.content))


@post("/buero/sperrzeiten/speichern", opt=_FORM, request_max_body_size=_BODY_BYTES)
async def save_list(
    request: AnyRequest, services: NamedDependency[Services], visitor: NamedDependency[Visitor]
) -> Page:
    """Take in what was looked at."""
    form = await forms.read(request, SAVE_FIELDS)
    kept = await _find_kept(services, form)
    content = _unpacked(form)
    if not form.is_valid:
        return await _edit(services, visitor, form, kept)
    return await _save(services, visitor, form, kept, File(form["file_name"], content))


@get("/buero/sperrzeiten/{list_id:uuid}/entfernen", opt=_OPT)
async def ask_remove(
    list_id: FromPath[UUID],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Ask once before a list goes."""
    kept = await barring.find_list(services.database, list_id)
    return respond.page(services, visitor, "office/day_list_remove.html", kept=kept)


@post("/buero/sperrzeiten/{list_id:uuid}/entfernen", opt=_OPT)
async def remove_list(
    list_id: FromPath[UUID],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Remove a list."""
    await barring.remove_list(services.database, visitor.actor, list_id)
    return respond.see_other(visitor, "/buero/sperrzeiten?getan=removed")


async def _find_kept(services: Services, form: Form) -> KeptList | None:
    """Return the list that a form is about: one with a revision was there before."""
    if form["id"] is None or form["revision"] is None:
        return None
    return await barring.find_list(services.database, form["id"])


def _read(form: Form) -> ListForm:
    return ListForm(
        name=form["name"],
        treatment=Treatment(form["treatment"]),
        covered_until_on=form["covered_until"],
    )


def _unpacked(form: Form) -> bytes:
    """Return the file that came along; without one there is nothing to take in."""
    try:
        content = base64.urlsafe_b64decode(form["raw"] or "")
    except (binascii.Error, ValueError):
        content = b""
    if not content:
        form.refuse("source", "bar.err_file")
    return content


async def _check(
    services: Services, visitor: Visitor, form: Form, kept: KeptList | None, file: File
) -> Page:
    list_id = kept.id if kept else None
    try:
        run = await barring.rehearse(services.database, list_id, _read(form), file, visitor.now)
    except FieldsError as error:
        form.refuse_fields(error)
        return await _edit(services, visitor, form, kept)
    return respond.page(
        services,
        visitor,
        "office/day_list_check.html",
        form=form,
        kept=kept,
        run=run,
        raw=base64.urlsafe_b64encode(file.content).decode(),
        file_name=file.name,
        most=MOST_SHOWN,
        last_planned=await barring.last_planned_day(services.database, visitor.today),
    )


async def _save(
    services: Services, visitor: Visitor, form: Form, kept: KeptList | None, file: File | None
) -> Page:
    try:
        done = await _write(services, visitor, form, kept, file)
    except FieldsError as error:
        form.refuse_fields(error)
    except StaleFormError as error:
        kept = await barring.find_list(services.database, form["id"])
        stale.explain(form, visitor, error, kept.revision)
    else:
        return respond.see_other(visitor, f"/buero/sperrzeiten?getan={done}")
    return await _edit(services, visitor, form, kept)


async def _write(
    services: Services, visitor: Visitor, form: Form, kept: KeptList | None, file: File | None
) -> str:
    """Add a list, or save an old one; return what was done."""
    said, database = _read(form), services.database
    if kept is None and file is not None:
        list_id = form["id"] or uuid4()
        await barring.add_list(database, visitor.actor, list_id, said, file, visitor.now)
        return "added"
    seen, list_id = form["revision"], form["id"]
    await barring.save_list(
        database, visitor.actor, list_id, said, file, visitor.now, seen_revision=seen
    )
    return "saved" if file is None else "replaced"


async def _edit(services: Services, visitor: Visitor, form: Form, kept: KeptList | None) -> Page:
    spans = await barring.list_spans(services.database, kept.id) if kept else ()
    coming = [span for span in spans if span.last_on >= visitor.today]
    return respond.page(
        services,
        visitor,
        "office/day_list.html",
        form=form,
        kept=kept,
        coming=coming[:MOST_SHOWN],
        hidden_days=max(0, len(coming) - MOST_SHOWN),
        past=len(spans) - len(coming),
        treatments=tuple(Treatment),
        last_planned=await barring.last_planned_day(services.database, visitor.today),
    )


ROUTES = [show_lists, show_new, show_list, check_list, save_list, ask_remove, remove_list]
