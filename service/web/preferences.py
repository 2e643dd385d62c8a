"""Which letters somebody gets: by the link in a letter's foot, by one press, and by the office."""

from datetime import time
from typing import Any
from uuid import UUID

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from service import preferring
from service.domain import preferences, reminders
from service.domain.errors import DomainError, FieldsError, LinkReplacedError, LinkUnknownError
from service.domain.preferences import OwnTimes, Preferences, Topic
from service.pages import dates
from service.pages.catalogue import LOCALES
from service.preferring import Wishes
from service.services import Services
from service.web import errors, form_tokens, forms, respond, rule_words
from service.web.forms import Field, Form
from service.web.policy import Policy
from service.web.visitors import Visitor

_REMINDERS = ("usual", "own", "none")
_FORMATS = ("both", "text")
_WAYS = ("calendar", "mail")
_DAYS = tuple(str(days) for days in reminders.OWN_DAYS)
_HOURS = tuple(f"{hour:02}:00" for hour in reminders.OWN_HOURS)
_MINUTES = tuple(str(minutes) for minutes in reminders.OWN_MINUTES)
FIELDS = (
    Field("reminders", "choice", "prefs.reminders", required=True, choices=_REMINDERS),
    Field("own_days", "many", "prefs.own_days", choices=_DAYS),
    Field("own_at", "choice", "prefs.own_at", choices=_HOURS),
    Field("own_minutes", "many", "prefs.own_minutes", choices=_MINUTES),
    Field("nudges", kind="flag", label="prefs.nudges"),
    Field("papers", kind="flag", label="prefs.papers"),
    Field("digest", kind="flag", label="prefs.digest"),
    Field("digest_only", kind="flag", label="prefs.digest_only"),
    Field("paused_until", kind="day", label="prefs.paused_until"),
    Field("mail_lang", "choice", "prefs.language", choices=LOCALES),
    Field("mail_format", "choice", "prefs.format", choices=_FORMATS),
    Field("calendar_way", "choice", "prefs.way", choices=_WAYS),
)
_SAVED = (Field("gespeichert", kind="flag"),)
_ONE_CLICK = ("List-Unsubscribe", "One-Click")
_AGAIN = (Field("war", most=60),)
_IS_AGAIN = (Field("wieder", "flag"),)
_STOP = (Field("umfang"), Field("ft"), Field(_ONE_CLICK[0]))
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
                *(services.database, services.keys, token, _read(form), visitor.now),
                locale=form["mail_lang"],
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
    request: AnyRequest,
    token: FromPath[str],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Ask before anything is switched off: programs that look at links must not unsubscribe."""
    is_again = bool(forms.read_query(request, _IS_AGAIN)["wieder"])
    return await _ask(services, visitor, token, is_again=is_again)


@post("/u/{token:str}", opt={"policy": Policy.TOKEN, "one_click": True})
async def unsubscribe(
    request: AnyRequest,
    token: FromPath[str],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Switch the topic off at once: for the word of mail programs, or our own question's answer.

    Programs that look at links press at what they find; the word is what tells (RFC 8058 section
    3.1). Whatever else is in the form does not matter.
    """
    form = await forms.read(request, _STOP)
    is_answer = form_tokens.is_fresh(form["ft"] or "", visitor.form_secrets, visitor.now)
    if not is_answer and not await _is_one_click(request, form):
        if form["ft"]:
            form.refuse("", "err.form_expired")
        return await _ask(services, visitor, token, form)
    is_all = form.parsed.get("umfang") == "alles"
    try:
        stopped = await preferring.unsubscribe(
            services.database, services.keys, token, visitor.now, from_all=is_all
        )
    except _LINK_ERRORS as error:
        return _refuse(services, visitor, error)
    return respond.page(
        services,
        visitor,
        "preferences/unsubscribed.html",
        wishes=stopped.wishes,
        topic="all" if is_all else stopped.topic.value,
        switches=",".join(stopped.switches),
        token=token,
    )


@post("/u/{token:str}/wieder", opt=_TOKEN_FORM)
async def subscribe_again(
    request: AnyRequest,
    token: FromPath[str],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Switch on again what was taken off; a form that was open too long asks once more."""
    form = await forms.read(request, _AGAIN)
    if not form.is_valid:
        return await _ask(services, visitor, token, form)
    switches = (form["war"] or "").split(",")
    try:
        await preferring.subscribe_again(
            services.database, services.keys, token, visitor.now, switches
        )
    except _LINK_ERRORS as error:
        return _refuse(services, visitor, error)
    return respond.see_other(visitor, f"/u/{token}?wieder=1")


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
                *(services.database, visitor.actor, person_id, _read(form), visitor.now),
                locale=form["mail_lang"],
            )
            return respond.see_other(visitor, f"{_office_path(person_id)}?gespeichert=1")
        except FieldsError as error:
            form.refuse_fields(error)
    wishes = await preferring.find_of_person(services.database, person_id)
    action = _office_path(person_id)
    return _show(services, visitor, wishes, form, action=action, person_id=person_id)


@post("/buero/mitglied/{person_id:uuid}/benachrichtigungen/erneuern", opt=_OFFICE)
async def renew_links(
    person_id: FromPath[UUID],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """End all links to the preferences that were mailed to a person."""
    await preferring.renew_links(services.database, visitor.actor, person_id)
    return respond.see_other(visitor, f"/buero/mitglied/{person_id}?links=1")


async def _is_one_click(request: AnyRequest, form: Form) -> bool:
    """Tell whether a mail program says the word, be it in a form or without saying in what."""
    name, word = _ONE_CLICK
    return form[name] == word or (await request.body()).strip() == f"{name}={word}".encode()


async def _ask(
    services: Services,
    visitor: Visitor,
    token: str,
    form: Form | None = None,
    *,
    is_again: bool = False,
) -> Page:
    """Show the question; whoever posted something else may take nothing for done.

    `is_again` tells that somebody came back to what was taken off.
    """
    try:
        wishes, topic = await preferring.find_topic(services.database, services.keys, token)
    except _LINK_ERRORS as error:
        return _refuse(services, visitor, error)
    return respond.page(
        services,
        visitor,
        "preferences/unsubscribe.html",
        422 if form else 200,
        form=form,
        wishes=wishes,
        topic=topic.value,
        token=token,
        is_off=not wishes.preferences.wants(topic),
        again=_say_wanted(visitor, wishes) if is_again else "",
        paused_until=pause_of(visitor, wishes.preferences),
    )


def _say_wanted(visitor: Visitor, wishes: Wishes) -> str:
    """Name what somebody gets now beside what always goes; "" for nothing."""
    wished = wishes.preferences
    if wished.digest_only:
        return visitor.t("prefs.digest_only_short")
    return ", ".join(visitor.t(f"prefs.{topic}_short") for topic in Topic if wished.wants(topic))


def summary(visitor: Visitor, wishes: Wishes) -> list[tuple[str, str]]:
    """Say in a few words what a person chose, as label and value."""
    t, wished = visitor.t, wishes.preferences
    rows = [(t(f"prefs.{topic}"), _say_topic(visitor, wished, topic)) for topic in Topic]
    if wished.digest_only:
        rows.append((t("prefs.digest_only_short"), t("prefs.on")))
    rows.append((t("prefs.language"), t(f"prefs.language_{wishes.locale}")))
    if wished.text_only:
        rows.append((t("prefs.format"), t("prefs.format_text")))
    if wished.no_calendar:
        rows.append((t("prefs.way"), t("prefs.way_mail")))
    return rows


def _say_topic(visitor: Visitor, wished: Preferences, topic: Topic) -> str:
    if not wished.wants(topic):
        return visitor.t("prefs.off")
    if topic is Topic.REMINDERS and wished.own_times is not None:
        times = (rule_words.say_when(rule, visitor.locale) for rule in wished.own_times.rules)
        return "; ".join(times)
    return visitor.t("prefs.on")


def pause_of(visitor: Visitor, wished: Preferences) -> Any:
    """Return the last day of a pause that still lasts, None without one."""
    zone = visitor.furnishing.time_zone
    return wished.paused_until if preferences.is_paused(wished, visitor.now, zone) else None


def _office_path(person_id: UUID) -> str:
    return f"/buero/mitglied/{person_id}/benachrichtigungen"


def _read(form: Form) -> Preferences:
    names = ("nudges", "papers", "digest", "digest_only")
    return Preferences(
        **{name: bool(form[name]) for name in names},
        reminders=form["reminders"] != "none",
        own_times=_own_times(form) if form["reminders"] == "own" else None,
        paused_until=form["paused_until"],
        text_only=form["mail_format"] == "text",
        no_calendar=form["calendar_way"] == "mail",
    )


def _own_times(form: Form) -> OwnTimes:
    at = form["own_at"]
    return OwnTimes(
        days=tuple(int(each) for each in _DAYS if each in form["own_days"]),
        at=time.fromisoformat(at) if at else reminders.DAY_HOUR,
        minutes=tuple(int(each) for each in _MINUTES if each in form["own_minutes"]),
    )


def _choices(visitor: Visitor, wished: Preferences) -> dict[str, Any]:
    """Return what can be chosen about reminders, and what is."""
    t, own = visitor.t, wished.own_times or OwnTimes()
    return {
        "days": [(each, t(f"prefs.day_{each}")) for each in _DAYS],
        "hours": [
            (each, dates.format_clock(time.fromisoformat(each), visitor.locale)) for each in _HOURS
        ],
        "minutes": [(each, t(f"prefs.minutes_{each}")) for each in _MINUTES],
        "reminders_now": "none" if not wished.reminders else "own" if wished.own_times else "usual",
        "own_days": [str(each) for each in own.days],
        "own_at": f"{own.at:%H:%M}",
        "own_minutes": [str(each) for each in own.minutes],
    }


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
    until = pause_of(visitor, wishes.preferences)
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
        **_choices(visitor, wishes.preferences),
    )


def _was_saved(request: AnyRequest) -> bool:
    return bool(forms.read_query(request, _SAVED)["gespeichert"])


def _refuse(services: Services, visitor: Visitor, error: DomainError) -> Page:
    return errors.show_dead_link(services, visitor, error, heading="prefs", text="prefs")


ROUTES = [
    show_preferences,
    save_preferences,
    ask_unsubscribe,
    unsubscribe,
    subscribe_again,
    show_of_person,
    save_of_person,
    renew_links,
]
