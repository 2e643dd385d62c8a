"""Which letters somebody gets: by the link in a letter's foot, by one press, and by the office."""

from datetime import datetime
from typing import Any
from uuid import UUID

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from service import preferring
from service.domain import preferences
from service.domain.errors import FieldsError, LinkReplacedError, LinkUnknownError
from service.domain.preferences import Preferences
from service.preferring import Wishes
from service.services import Services
from service.web import errors, forms, respond
from service.web.forms import Field, Form
from service.web.policy import Policy
from service.web.visitors import Visitor

FIELDS = (
    Field("reminders", kind="flag", label="prefs.reminders"),
    Field("nudges", kind="flag", label="prefs.nudges"),
    Field("papers", kind="flag", label="prefs.papers"),
    Field("digest", kind="flag", label="prefs.digest"),
    Field("digest_only", kind="flag", label="prefs.digest_only"),
    Field("paused_until", kind="day", label="prefs.paused_until"),
)
_SAVED = (Field("gespeichert", kind="flag"),)
_SCOPE = (Field("umfang"),)
_LINK_ERRORS = (LinkUnknownError, LinkReplacedError)
_TOKEN_FORM = {"policy": Policy.TOKEN, "form": True}
_OFFICE = {"policy": Policy.COORDINATOR}
_OFFICE_FORM = {"policy": Policy.COORDINATOR, "form": True}
AnyRequest = Request[Any, Any, Any]
Page = Response[bytes]


@get("/b/{token:str}", opt={"policy": Policy.TOKEN})
async def show_preferences(
    request: AnyRequest,
    token: FromPath[str],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Show the switches; store nothing."""
    try:
        wishes = await preferring.find(services.database, services.keys, token)
    except _LINK_ERRORS as error:
        return _refuse(services, visitor, error)
    form = forms.empty(visitor, FIELDS)
    saved = _was_saved(request)
    return _show(services, visitor, wishes, form, action=f"/b/{token}", saved=saved)


@post("/b/{token:str}", opt=_TOKEN_FORM)
async def save_preferences(
    request: AnyRequest,
    token: FromPath[str],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Store what was chosen, or show the form again."""
    form = await forms.read(request, FIELDS)
    try:
        if form.is_valid:
            await preferring.save_by_link(
                services.database, services.keys, token, _read(form), visitor.now
            )
            return respond.see_other(visitor, f"/b/{token}?gespeichert=1")
    except FieldsError as error:
        form.refuse_fields(error)
    except _LINK_ERRORS as error:
        return _refuse(services, visitor, error)
    try:
        wishes = await preferring.find(services.database, services.keys, token)
    except _LINK_ERRORS as error:
        return _refuse(services, visitor, error)
    return _show(services, visitor, wishes, form, action=f"/b/{token}")


@get("/u/{token:str}", opt={"policy": Policy.TOKEN})
async def ask_unsubscribe(
    token: FromPath[str],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Ask before anything is switched off: programs that look at links must not unsubscribe."""
    try:
        wishes, topic = await preferring.find_topic(services.database, services.keys, token)
    except _LINK_ERRORS as error:
        return _refuse(services, visitor, error)
    return respond.page(
        services,
        visitor,
        "preferences/unsubscribe.html",
        wishes=wishes,
        topic=topic.value,
        token=token,
        is_off=not wishes.preferences.wants(topic),
    )


@post("/u/{token:str}", opt={"policy": Policy.TOKEN, "one_click": True})
async def unsubscribe(
    request: AnyRequest,
    token: FromPath[str],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Switch the topic off at once, whatever else is in the form (RFC 8058 section 3.2)."""
    form = await forms.read(request, _SCOPE)
    is_all = form.parsed.get("umfang") == "alles"
    try:
        wishes, topic = await preferring.unsubscribe(
            services.database, services.keys, token, visitor.now, from_all=is_all
        )
    except _LINK_ERRORS as error:
        return _refuse(services, visitor, error)
    return respond.page(
        services,
        visitor,
        "preferences/unsubscribed.html",
        wishes=wishes,
        topic="all" if is_all else topic.value,
    )


@get("/buero/mitglied/{person_id:uuid}/benachrichtigungen", opt=_OFFICE)
async def show_of_person(
    request: AnyRequest,
    person_id: FromPath[UUID],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Show the office what a person chose."""
    wishes = await preferring.find_of_person(services.database, person_id)
    form, saved = forms.empty(visitor, FIELDS), _was_saved(request)
    action = _office_path(person_id)
    return _show(services, visitor, wishes, form, action=action, saved=saved, person_id=person_id)


@post("/buero/mitglied/{person_id:uuid}/benachrichtigungen", opt=_OFFICE_FORM)
async def save_of_person(
    request: AnyRequest,
    person_id: FromPath[UUID],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Store what a person asked the office for."""
    form = await forms.read(request, FIELDS)
    if form.is_valid:
        try:
            await preferring.save(
                services.database, visitor.actor, person_id, _read(form), visitor.now
            )
            return respond.see_other(visitor, f"{_office_path(person_id)}?gespeichert=1")
        except FieldsError as error:
            form.refuse_fields(error)
    wishes = await preferring.find_of_person(services.database, person_id)
    action = _office_path(person_id)
    return _show(services, visitor, wishes, form, action=action, person_id=person_id)


def summary(visitor: Visitor, wished: Preferences) -> list[tuple[str, str]]:
    """Say in a few words what a person chose, as label and value."""
    t = visitor.t
    rows = [
        (t(f"prefs.{topic}"), t("prefs.on") if wished.wants(topic) else t("prefs.off"))
        for topic in preferences.Topic
    ]
    if wished.digest_only:
        rows.append((t("prefs.digest_only_short"), t("prefs.on")))
    return rows


def pause_of(wished: Preferences, now: datetime) -> Any:
    """Return the last day of a pause that still lasts, None without one."""
    return wished.paused_until if preferences.is_paused(wished, now) else None


def _office_path(person_id: UUID) -> str:
    return f"/buero/mitglied/{person_id}/benachrichtigungen"


def _read(form: Form) -> Preferences:
    names = ("reminders", "nudges", "papers", "digest", "digest_only")
    return Preferences(
        **{name: bool(form[name]) for name in names}, paused_until=form["paused_until"]
    )


def _show(
    services: Services,
    visitor: Visitor,
    wishes: Wishes,
    form: Form,
    *,
    action: str,
    saved: bool = False,
    person_id: UUID | None = None,
) -> Page:
    until = pause_of(wishes.preferences, visitor.now)
    return respond.page(
        services,
        visitor,
        "preferences/preferences.html",
        wishes=wishes,
        wished=wishes.preferences,
        paused_until=until.isoformat() if until else "",
        form=form,
        action=action,
        person_id=person_id,
        saved=saved,
    )


def _was_saved(request: AnyRequest) -> bool:
    return bool(forms.read_query(request, _SAVED)["gespeichert"])


def _refuse(
    services: Services, visitor: Visitor, error: LinkUnknownError | LinkReplacedError
) -> Page:
    return respond.page(
        services,
        visitor,
        "replies/link.html",
        errors.status_of(error),
        heading=visitor.t(f"prefs.{error.code}"),
        text=visitor.t(f"prefs.{error.code}_text"),
    )


ROUTES = [
    show_preferences,
    save_preferences,
    ask_unsubscribe,
    unsubscribe,
    show_of_person,
    save_of_person,
]
