"""The list of dates for other sites: as HTML, as JSON, in a frame and as an element of its own."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import msgspec
from litestar import Request, get
from litestar.di import NamedDependency
from litestar.response import Response

from service import embedding, subscribing
from service.embedding import MOST_ITEMS, Block, Choice
from service.pages import assets
from service.pages.rendering import localised
from service.services import Services
from service.web import foreign, forms, respond, rss
from service.web.forms import Field, Form
from service.web.policy import Policy
from service.web.visitors import Visitor

FORMATS = ("html", "rss", "json", "ics", "element", "frame")
_USUAL_COUNT, _USUAL_LEVEL = 10, 3
_LEAST_LEVEL, _DEEPEST_LEVEL = 2, 6
FIELDS = (
    Field("gruppe", kind="many"),
    Field("anzahl", kind="number", label="embed.count"),
    Field("vergangene", kind="flag"),
    Field("ohne_voraussichtliche", kind="flag"),
    Field("ohne_leere", kind="flag"),
    Field("h", kind="number", label="embed.level"),
)
_HELP_FIELDS = (
    *FIELDS,
    Field("sprache", kind="choice", label="embed.language", choices=("", "de", "en")),
    Field("art", kind="choice", label="embed.format", choices=("", *FORMATS)),
)
_OPT = {"policy": Policy.PUBLIC}
_HTML = "text/html; charset=utf-8"
_NOINDEX = "noindex"
# The address of a version never changes its bytes: other sites wrote their sum into their pages.
_ELEMENT_PATH = "/einbetten/v1/termine.js"
_ELEMENT_FILE = "embed/termine.js"

AnyRequest = Request[Any, Any, Any]


@dataclass(frozen=True, slots=True)
class Recipe:
    """What a web editor pastes, what their site has to allow, and what they tell their visitors."""

    code: str
    policy: str
    is_pulled: bool


@get("/einbetten/termine.html", opt=_OPT)
async def show_fragment(
    request: AnyRequest, services: NamedDependency[Services], visitor: NamedDependency[Visitor]
) -> Response[bytes]:
    """Send the list as a piece of HTML without style and script, for another server to insert."""
    form = forms.read_query(request, FIELDS)
    html = services.pages.render(
        "embed/fragment.html",
        visitor.locale,
        block=await _block(services, form, visitor.locale, visitor.now),
        level=_level(form),
    )
    return foreign.answer(request, html.encode(), _HTML, x_robots_tag=_NOINDEX)


@get("/einbetten/termine.json", opt=_OPT)
async def show_data(
    request: AnyRequest, services: NamedDependency[Services], visitor: NamedDependency[Visitor]
) -> Response[bytes]:
    """Send the list as JSON."""
    form = forms.read_query(request, FIELDS)
    block = await _block(services, form, visitor.locale, visitor.now)
    body = msgspec.json.encode(embedding.as_data(block))
    return foreign.answer(request, body, "application/json", x_robots_tag=_NOINDEX)


@get("/einbetten/termine", opt=_OPT)
async def show_frame(
    request: AnyRequest, services: NamedDependency[Services], visitor: NamedDependency[Visitor]
) -> Response[bytes]:
    """Show the list as a page that the configured sites may show inside of theirs."""
    form = forms.read_query(request, FIELDS)
    html = services.pages.render(
        "embed/frame.html",
        visitor.locale,
        block=await _block(services, form, visitor.locale, visitor.now),
        instance=visitor.furnishing.instance,
        path="/einbetten/termine",
    )
    policy = frame_policy(services.settings.embed_origins or ())
    return foreign.answer(
        request,
        html.encode(),
        _HTML,
        content_security_policy=policy,
        x_robots_tag=_NOINDEX,
    )


@get(_ELEMENT_PATH, opt={**_OPT, "one_language": True, "while_setting_up": True})
async def show_element(request: AnyRequest) -> Response[bytes]:
    """Send the module that makes <termin-liste> an element."""
    asset = _element()
    return foreign.answer(request, asset.body, asset.content_type, kept=foreign.FOR_EVER)


@get("/einbetten", opt=_OPT)
async def show_help(
    request: AnyRequest, services: NamedDependency[Services], visitor: NamedDependency[Visitor]
) -> Response[bytes]:
    """Show a web editor what to paste for the chosen list, and what it will look like."""
    form = forms.read_query(request, _HELP_FIELDS)
    _refuse_odd_numbers(form)
    _fill_in_usual(form, visitor.locale)
    offers = await subscribing.list_offers(services.database)
    locale = form["sprache"] or visitor.locale
    chosen = form["art"] or FORMATS[0]
    return respond.page(
        services,
        visitor,
        "embed/help.html",
        form=form,
        group_options=[(offer.slug, offer.name) for offer in offers],
        block=await _block(services, form, locale, visitor.now),
        way=chosen,
        format_options=[(each, visitor.t(f"embed.format_{each}")) for each in FORMATS],
        recipe=_recipe(services, form, chosen, locale),
        frame_is_open=bool(services.settings.embed_origins),
        most=MOST_ITEMS,
    )


def frame_policy(origins: Sequence[str]) -> str:
    """Return the content security policy of the frame page: shown inside these origins only."""
    ancestors = " ".join(origins) or "'none'"
    return (
        "default-src 'none'; style-src 'self'; font-src 'self'; img-src data:; base-uri 'none'; "
        f"form-action 'none'; frame-ancestors {ancestors}"
    )


def element_sum() -> str:
    """Return what browsers check the module against (Subresource Integrity)."""
    digest = hashlib.sha384(_element().body).digest()
    return f"sha384-{base64.b64encode(digest).decode()}"


def _element() -> assets.Asset:
    found = assets.find(assets.static_urls()[_ELEMENT_FILE])
    if found is None:
        raise LookupError(_ELEMENT_FILE)
    return found


async def _block(services: Services, form: Form, locale: str, now: datetime) -> Block:
    choice = Choice(
        groups=tuple(form["gruppe"] or ()),
        count=_within(form["anzahl"], 1, MOST_ITEMS, _USUAL_COUNT),
        shows_past=bool(form["vergangene"]),
        leaves_out_tentative=bool(form["ohne_voraussichtliche"]),
        leaves_out_empty=bool(form["ohne_leere"]),
    )
    url = services.settings.public_url
    return await embedding.list_block(services.database, choice, locale, url, now)


def _level(form: Form) -> int:
    return _within(form["h"], _LEAST_LEVEL, _DEEPEST_LEVEL, _USUAL_LEVEL)


def _within(number: int | None, least: int, most: int, usual: int) -> int:
    """Return a number that another site asks for, or the nearest that we give."""
    return usual if number is None else min(max(number, least), most)


def _refuse_odd_numbers(form: Form) -> None:
    limits = {"anzahl": (1, MOST_ITEMS), "h": (_LEAST_LEVEL, _DEEPEST_LEVEL)}
    for name, (least, most) in limits.items():
        if form[name] is not None and not least <= form[name] <= most:
            form.refuse(name, "embed.err_range", least=least, most=most)


def _fill_in_usual(form: Form, locale: str) -> None:
    """Show what holds where nothing was typed."""
    usual = {
        "art": FORMATS[0],
        "anzahl": str(_USUAL_COUNT),
        "h": str(_USUAL_LEVEL),
        "sprache": locale,
    }
    for name, value in usual.items():
        form.values[name] = form.values[name] or value


def _recipe(services: Services, form: Form, chosen: str, locale: str) -> Recipe:
    host = services.settings.public_url
    address = f"{host}{localised(f'/einbetten/termine{_query(form)}', locale)}"
    if chosen == "element":
        code = _element_code(host, form, locale)
        return Recipe(code, f"script-src {host}; connect-src {host}", is_pulled=False)
    if chosen == "frame":
        title = "Termine" if locale == "de" else "Meetings"
        code = (
            f'<iframe src="{_escaped(address)}" title="{title}" loading="lazy"\n'
            '  width="100%" height="600"></iframe>'
        )
        return Recipe(code, f"frame-src {host}", is_pulled=False)
    return Recipe("\n".join(_addresses(host, form, chosen, locale)), "", is_pulled=True)


def _addresses(host: str, form: Form, chosen: str, locale: str) -> list[str]:
    slugs: list[str] = form["gruppe"] or []
    if chosen == "rss":
        paths = [rss.path_of(slug) for slug in slugs] or [rss.path_of()]
        return [f"{host}{localised(path, locale)}" for path in paths]
    if chosen == "ics":
        paths = [subscribing.group_path(slug) for slug in slugs] or [subscribing.public_path()]
        return [f"{host}{path}" for path in paths]
    return [f"{host}{localised(f'/einbetten/termine.{chosen}{_query(form)}', locale)}"]


def _element_code(host: str, form: Form, locale: str) -> str:
    source = f"{host}{localised(f'/einbetten/termine.json{_query(form)}', locale)}"
    words = "Alle Termine" if locale == "de" else "All meetings"
    return (
        f'<script type="module" src="{host}{_ELEMENT_PATH}"\n'
        f'  integrity="{element_sum()}" crossorigin></script>\n'
        f'<termin-liste src="{_escaped(source)}" heading-level="{_level(form)}">\n'
        f'  <a href="{host}{localised("/", locale)}">{words}</a>\n'
        "</termin-liste>"
    )


def _query(form: Form) -> str:
    """Return the query of the chosen list; what is as usual is left out."""
    usual: Mapping[str, object] = {"anzahl": _USUAL_COUNT, "h": _USUAL_LEVEL}
    pairs: list[tuple[str, object]] = [("gruppe", slug) for slug in form["gruppe"] or ()]
    for each in FIELDS[1:]:
        value = form[each.name]
        if value and value != usual.get(each.name) and form.errors.get(each.name) is None:
            pairs.append((each.name, "1" if value is True else value))
    return f"?{urlencode(pairs)}" if pairs else ""


def _escaped(address: str) -> str:
    """Write an address for an attribute between double quotes."""
    return address.replace("&", "&amp;").replace('"', "&quot;")


ROUTES = [show_fragment, show_data, show_frame, show_element, show_help]
