"""The page about subscribing, and the doors to other calendars that a click opens."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

import segno
from litestar import Request, get
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response
from markupsafe import Markup

from calendars.entry import Entry
from service import describing, publishing, subscribing
from service.domain.errors import NotFoundError
from service.domain.feed_profiles import LOCALES, Fallen, Profile
from service.pages.rendering import localised
from service.services import Services
from service.subscribing import Offer
from service.web import forms, respond
from service.web.forms import Field, Form
from service.web.policy import Policy
from service.web.visitors import Visitor

FIELDS = (
    Field("gruppe", kind="many", label="sub.choose"),
    Field("vorlaeufig", kind="flag"),
    Field("ungefaehr", kind="flag"),
    Field("abgesagt", kind="choice", choices=("", *(each.value for each in Fallen))),
    Field("sprache", kind="choice", choices=("", *LOCALES)),
    Field("anzeigen", kind="flag"),
)
_DOOR = (Field("kalender"), Field("auswahl", most=900), Field("termin"))
# What the feeds without choices in their path show.
_USUAL = Profile(locale="de")
ALL = "alle"
_OUTLOOK = {
    "m365": "https://outlook.office.com/calendar/0",
    "outlook": "https://outlook.live.com/calendar/0",
}
_GOOGLE = "https://calendar.google.com/calendar"
# Readable from a screen at arm's length; the address beside it says the same.
_QR_SCALE = 4


@dataclass(frozen=True, slots=True)
class Calendar:
    """One chosen calendar as the page shows it."""

    name: str
    address: str
    links: Sequence[Mapping[str, str | None]]
    qr: Markup


@get("/kalender", opt={"policy": Policy.PUBLIC})
async def show_subscriptions(
    request: Request[Any, Any, Any],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Response[bytes]:
    """Show the address of what was chosen; at first that of all dates."""
    form = forms.read_query(request, FIELDS)
    offers = await subscribing.list_offers(services.database)
    slugs = form["gruppe"] or ()
    chosen = [slug for slug in slugs if slug == ALL or slug in {each.slug for each in offers}]
    if not form["anzeigen"]:
        # The page was not asked for by its form, so nothing is ticked but what a link says.
        form = forms.empty(visitor, FIELDS)
    if not chosen and request.query_params:
        form.refuse("gruppe", "sub.err_none")
    profile = _profile(form, visitor.locale)
    if form.parsed.get("anzeigen"):
        # What a link leaves open is shown as what holds.
        form.values["abgesagt"] = form.values["abgesagt"] or profile.fallen.value
        form.values["sprache"] = form.values["sprache"] or profile.locale
    calendar = None
    if form.is_valid:
        calendar = _calendar(services, visitor, offers, chosen or [ALL], profile)
    return respond.page(
        services,
        visitor,
        "public/subscribe.html",
        form=form,
        options=[(ALL, visitor.t("sub.all")), *((each.slug, each.name) for each in offers)],
        chosen_slugs=chosen or ([] if request.query_params else [ALL]),
        profile=profile,
        calendar=calendar,
    )


@get("/zu/{provider:str}", opt={"policy": Policy.PUBLIC})
async def open_door(
    request: Request[Any, Any, Any],
    provider: FromPath[str],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Response[bytes]:
    """Lead to another provider's calendar, with one of our public calendars or sessions."""
    if provider not in {*_OUTLOOK, "google"}:
        raise NotFoundError
    query = forms.read_query(request, _DOOR)
    if query["termin"]:
        entry = await _entry(services, visitor, query["termin"])
        return _elsewhere(_entry_door(provider, entry))
    offers = await subscribing.list_offers(services.database)
    if query["auswahl"]:
        name, path = _chosen(services, query["auswahl"], offers, visitor)
    else:
        name, path = _found(offers, query["kalender"] or ALL, visitor)
    return _elsewhere(_feed_door(provider, services.settings.public_url + path, name))


def _profile(form: Form, locale: str) -> Profile:
    """Return the choices of the page's form, the usual ones for whoever comes by a link."""
    if not form.parsed.get("anzeigen"):
        return replace(_USUAL, locale=locale)
    return Profile(
        shows_tentative=bool(form["vorlaeufig"]),
        shows_rough=bool(form["ungefaehr"]),
        fallen=Fallen(form["abgesagt"] or Fallen.PREFIXED),
        locale=form["sprache"] or locale,
    )


def _calendar(
    services: Services,
    visitor: Visitor,
    offers: Sequence[Offer],
    chosen: Sequence[str],
    profile: Profile,
) -> Calendar:
    """Return one calendar for all that was chosen; usual choices have an address for people."""
    groups = [] if ALL in chosen else [each for each in offers if each.slug in chosen]
    name = ", ".join(each.name for each in groups) or visitor.t("sub.all")
    if profile == _USUAL and len(groups) <= 1:
        query = {"kalender": groups[0].slug if groups else ALL}
        path = groups[0].path if groups else subscribing.public_path()
    else:
        wanted = replace(profile, group_ids=tuple(each.id for each in groups) or None)
        path, spelled = subscribing.chosen_path(services.keys, wanted)
        query = {"auswahl": spelled}
    address = services.settings.public_url + path
    title = visitor.t("sub.qr_title", name=name)
    return Calendar(name, address, _links(visitor, query, address), _qr_code(address, title))


def _links(visitor: Visitor, query: Mapping[str, str], address: str) -> list[dict[str, str | None]]:
    webcal = _webcal(address)
    rows = [
        ("sub.apple", webcal, None),
        ("sub.outlook_desktop", webcal, None),
        *((f"sub.{provider}", provider, "Microsoft") for provider in _OUTLOOK),
        ("sub.google", "google", "Google"),
    ]
    links: list[dict[str, str | None]] = []
    for text, target, owner in rows:
        door = localised(f"/zu/{target}?{urlencode(query)}", visitor.locale)
        note = f"({visitor.t('meeting.opens', provider=owner)})" if owner else None
        links.append({"text": visitor.t(text), "href": door if owner else target, "note": note})
    return links


def _webcal(address: str) -> str:
    return "webcal://" + address.partition("://")[2]


def _qr_code(address: str, title: str) -> Markup:
    """Draw the address as SVG without styles, so that the page needs no exception for it."""
    drawn = io.BytesIO()
    segno.make(address, error="m", micro=False).save(
        drawn,
        kind="svg",
        scale=_QR_SCALE,
        xmldecl=False,
        svgns=True,
        svgclass="tb-qr",
        lineclass=None,
        light="#fff",
        title=title,
        nl=False,
    )
    svg = drawn.getvalue().decode().replace("<svg ", '<svg role="img" ', 1)
    # The title is escaped by the library; everything else in it is drawn from numbers.
    return Markup(svg)  # noqa: S704


async def _entry(services: Services, visitor: Visitor, slug: str) -> Entry:
    session = await publishing.find_session(services.database, slug, visitor.now)
    instance = visitor.furnishing.instance
    voice = describing.voice_of(
        services.settings, visitor.locale, instance.office_name, instance.phone
    )
    entry = describing.public_entry(session.meeting, voice)
    if entry is None:
        raise NotFoundError
    return entry


def _found(offers: Sequence[Offer], slug: str, visitor: Visitor) -> tuple[str, str]:
    if slug == ALL:
        return visitor.t("sub.all"), subscribing.public_path()
    for offer in offers:
        if offer.slug == slug:
            return offer.name, offer.path
    raise NotFoundError


def _chosen(
    services: Services, spelled: str, offers: Sequence[Offer], visitor: Visitor
) -> tuple[str, str]:
    profile = subscribing.find_choices(services.keys, spelled)
    if profile is None:
        raise NotFoundError
    names = [each.name for each in offers if each.id in (profile.group_ids or ())]
    path, _ = subscribing.chosen_path(services.keys, profile)
    return ", ".join(names) or visitor.t("sub.all"), path


def _feed_door(provider: str, address: str, name: str) -> str:
    if provider == "google":
        # This parameter takes no https address.
        return f"{_GOOGLE}/r?cid={quote(_webcal(address), safe='')}"
    query = urlencode({"url": address, "name": name}, quote_via=quote)
    return f"{_OUTLOOK[provider]}/addfromweb/?{query}"


def _entry_door(provider: str, entry: Entry) -> str:
    where = entry.location
    if provider == "google":
        span = f"{_google_moment(entry, ends=False)}/{_google_moment(entry, ends=True)}"
        values = {
            "action": "TEMPLATE",
            "text": entry.summary,
            "dates": span,
            "location": where,
            "details": entry.url,
        }
        return f"{_GOOGLE}/render?{urlencode(values, quote_via=quote)}"
    values = {
        "path": "/calendar/action/compose",
        "rru": "addevent",
        "subject": entry.summary,
        "startdt": entry.starts.isoformat(),
        "enddt": entry.ends.isoformat(),
        "location": where,
        "body": entry.url,
    }
    if entry.all_day:
        values["allday"] = "true"
    return f"{_OUTLOOK[provider]}/deeplink/compose?{urlencode(values, quote_via=quote)}"


def _google_moment(entry: Entry, *, ends: bool) -> str:
    moment = entry.ends if ends else entry.starts
    if isinstance(moment, datetime):
        return f"{moment.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    return f"{moment + timedelta(days=1) if ends else moment:%Y%m%d}"


def _elsewhere(address: str) -> Response[bytes]:
    headers = {"location": address, "referrer-policy": "no-referrer", "x-robots-tag": "noindex"}
    return Response(b"", status_code=303, headers=headers)


ROUTES = [show_subscriptions, open_door]
