"""Render pages: one Jinja environment a language, with texts, dates and addresses bound to it."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from jinja2 import Environment, PackageLoader, StrictUndefined
from markdown_it import MarkdownIt
from markdown_it.token import Token
from markupsafe import Markup

from service.pages import dates
from service.pages.assets import static_urls
from service.pages.catalogue import DEFAULT_LOCALE, LOCALES, texts
from service.pages.stacking import make_stackable

# What the native controls take as a value; anything else they would silently throw away.
_ISO_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_CLOCK_TIME = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


class Form(Protocol):
    """What was typed and what is wrong with it; errors under "" belong to the whole form."""

    @property
    def values(self) -> Mapping[str, str | list[str]]:
        """Return the typed values by field name."""

    @property
    def errors(self) -> Mapping[str, str | None]:
        """Return the error texts by field name, in the order of the fields."""


@dataclass(frozen=True, slots=True)
class Instance:
    """Who runs this Terminbuch: shown in the header, the footer and on error pages.

    Any object with these names may stand in the context as `instance`.
    """

    name: str
    contact_email: str = ""
    contact_phone: str = ""


_UNNAMED = Instance("Terminbuch")


@dataclass(frozen=True, slots=True)
class NavigationLink:
    """One entry of a navigation: the id of its text and the address without language.

    `is_for_office` leaves it out for leads and readers, who would find a closed door.
    """

    text: str
    path: str
    is_for_office: bool = False


PUBLIC_NAVIGATION = (
    NavigationLink("nav.meetings", "/"),
    NavigationLink("nav.subscribe", "/kalender"),
    NavigationLink("nav.office", "/buero"),
)
OFFICE_NAVIGATION = (
    NavigationLink("nav.overview", "/buero"),
    NavigationLink("nav.members", "/buero/mitglieder"),
    NavigationLink("nav.partners", "/buero/partner", is_for_office=True),
    NavigationLink("nav.groups", "/buero/gruppen", is_for_office=True),
    NavigationLink("nav.import", "/buero/import", is_for_office=True),
    NavigationLink("nav.mail_log", "/buero/versand", is_for_office=True),
    NavigationLink("nav.settings", "/buero/einstellungen", is_for_office=True),
)


class Pages:
    """Renders every page of the service."""

    def __init__(
        self,
        public_url: str,
        instance: Instance = _UNNAMED,
        static: Mapping[str, str] | None = None,
        *,
        navigation: tuple[NavigationLink, ...] = PUBLIC_NAVIGATION,
        office_navigation: tuple[NavigationLink, ...] = OFFICE_NAVIGATION,
    ) -> None:
        self._defaults: dict[str, Any] = {
            "instance": instance,
            "public_url": public_url.rstrip("/"),
            "navigation": navigation,
            "office_navigation": office_navigation,
            "office": None,
            "form": None,
            "private": False,
        }
        addresses = static_urls() if static is None else static
        self._environments = {locale: _environment(locale, addresses) for locale in LOCALES}

    def render(self, template: str, locale: str, **context: Any) -> str:
        """Return the HTML of a template; `path` is the address without language.

        Anything a template asks for and does not get is an error, never an empty string.
        """
        environment = self._environments.get(locale, self._environments[DEFAULT_LOCALE])
        return environment.get_template(template).render({**self._defaults, **context})


def split_locale(path: str) -> tuple[str, str]:
    """Split an address into its language and the tail that both languages share."""
    if path == "/en" or path.startswith("/en/"):
        return "en", path.removeprefix("/en") or "/"
    return DEFAULT_LOCALE, path


def localised(path: str, locale: str) -> str:
    """Return the address of a tail in a language: German bare, English under /en.

    Full addresses and those that already carry a language stay as they are.
    """
    if locale == DEFAULT_LOCALE or not path.startswith("/") or split_locale(path)[0] != "de":
        return path
    return f"/{locale}{path}" if path != "/" else f"/{locale}/"


def _environment(locale: str, static: Mapping[str, str]) -> Environment:
    environment = Environment(
        loader=PackageLoader("service", "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    other = next(name for name in LOCALES if name != locale)
    environment.globals |= {
        "t": texts(locale).t,
        "locale": locale,
        "other_locale": other,
        "url": lambda path: localised(path, locale),
        "other_url": lambda path: localised(path, other),
        "static_url": static.__getitem__,
        "typed": typed,
        "chosen": chosen,
        "error_of": error_of,
        "is_current": is_current,
    }
    environment.tests |= {
        "iso_day": lambda text: not text or _ISO_DAY.fullmatch(text) is not None,
        "clock_time": lambda text: not text or _CLOCK_TIME.fullmatch(text) is not None,
    }
    environment.filters |= _date_filters(locale) | {
        "markdown": render_markdown,
        "stackable": make_stackable,
    }
    return environment


def _date_filters(locale: str) -> dict[str, Callable[..., Any]]:
    """Bind the date formats to a language; names without `_text` give a `<time>` element."""

    def when(starts: Any, ends: Any = None, **details: Any) -> Markup:
        text = dates.format_when(starts, ends, locale, **details)
        details.pop("zone_note", None)
        return dates.time_element(text, dates.machine_form(starts, **details))

    def tagged(say: Callable[..., str]) -> Callable[..., Markup]:
        def element(value: Any, **details: Any) -> Markup:
            machine = dates.machine_form(value, **details)
            return dates.time_element(say(value, locale, **details), machine)

        return element

    def month(value: Any) -> Markup:
        machine = dates.machine_form(value, precision="month")
        return dates.time_element(dates.format_month(value, locale), machine)

    return {
        "when": when,
        "when_text": lambda starts, ends=None, **d: dates.format_when(starts, ends, locale, **d),
        "short_when": tagged(dates.format_short_when),
        "short_when_text": lambda starts, **d: dates.format_short_when(starts, locale, **d),
        "moment": tagged(dates.format_moment),
        "moment_text": lambda at: dates.format_moment(at, locale),
        "long_date": tagged(dates.format_long_date),
        "long_date_text": lambda day: dates.format_long_date(day, locale),
        "short_date": tagged(dates.format_short_date),
        "short_date_text": lambda day: dates.format_short_date(day, locale),
        "month": month,
        "month_text": lambda day: dates.format_month(day, locale),
        "clock": lambda at, **d: dates.format_clock(at, locale, **d),
    }


def typed(form: Form | None, name: str, otherwise: object = "") -> str:
    """Return what stands in a field: the typed value, else the given one."""
    value = form.values.get(name) if form is not None else None
    if isinstance(value, list):
        value = value[0] if value else None
    return str(otherwise if value is None else value)


def chosen(form: Form | None, name: str, otherwise: Sequence[object] = ()) -> list[str]:
    """Return the ticked values of a field: the typed ones, else the given ones.

    A browser does not send what is not ticked, so a form that was sent without the name ticked
    nothing.
    """
    if form is None or not form.values:
        return [str(one) for one in otherwise]
    value = form.values.get(name)
    if value is None:
        return []
    return [str(one) for one in value] if isinstance(value, list) else [str(value)]


def error_of(form: Form | None, name: str) -> str | None:
    """Return the error text of a field, None where there is none."""
    return form.errors.get(name) if form is not None else None


def is_current(path: str, link: str) -> bool:
    """Tell whether a page lies at or below a navigation link; the two roots match exactly."""
    return path == link or (link not in {"/", "/buero"} and path.startswith(f"{link}/"))


def render_markdown(source: str, level: int = 3) -> Markup:
    """Render a description or a legal text; raw HTML stays text, headings begin at `level`."""
    # Everything in the result comes from the renderer, which escapes what people wrote.
    return Markup(_MARKDOWN.render(source, {"level": level}))  # noqa: S704


def _link_is_allowed(url: str) -> bool:
    return url.strip().lower().startswith(("http://", "https://", "mailto:"))


def _heading_tag(token: Token, env: Mapping[str, Any]) -> str:
    """Shift a heading so that a text's first level is the level of its place on the page."""
    return f"h{min(6, int(token.tag[1]) + env['level'] - 1)}"


def _shift_headings(state: Any) -> None:
    for token in state.tokens:
        if token.type in {"heading_open", "heading_close"}:
            token.tag = _heading_tag(token, state.env)
        for child in token.children or ():
            if child.type == "link_open":
                child.attrSet("rel", "noopener noreferrer")


def _markdown() -> MarkdownIt:
    # Who writes an agenda or an address line by line reads it line by line, as letters show it.
    rules = {"html": False, "breaks": True}
    parser = MarkdownIt("commonmark", rules).enable("table").disable("image")
    parser.validateLink = _link_is_allowed  # type: ignore[method-assign]
    parser.core.ruler.push("house_rules", _shift_headings)
    return parser


_MARKDOWN = _markdown()
