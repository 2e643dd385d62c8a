"""Impressum, Datenschutz, Barrierefreiheit, and the form that reports a barrier."""

from datetime import timedelta
from typing import Any

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.response import Response

from service import furnishing, limiting, reporting
from service.domain import retention
from service.domain.retention import Purpose
from service.limiting import Limit
from service.pages import dates
from service.reporting import BarrierReport
from service.services import Services
from service.web import forms, respond
from service.web.forms import Field, Form
from service.web.policy import Policy
from service.web.visitors import Visitor

REPORTS_PER_NETWORK = Limit("barrier", 5, timedelta(hours=1))
BARRIER_FIELDS = (
    Field("page_url", most=500, label="barrier.page"),
    Field("problem", kind="text", most=4000, label="barrier.problem"),
    Field("need", kind="text", most=1000, label="barrier.need"),
    Field("email", kind="email", most=254, label="barrier.email"),
    # Hidden from people; whoever fills it in is a program.
    Field("website"),
)
_OPT = {"policy": Policy.PUBLIC}
_SEEN_BY_LEADS = frozenset({"answers", "history", "deputies", "invitations"})
_SEEN_BY_NOBODY = frozenset({"answer_link", "sign_in", "feeds", "tries"})
_DAYS_OF_MONTH, _DAYS_OF_YEAR = 30, 365

AnyRequest = Request[Any, Any, Any]
Page = Response[bytes]


@get("/impressum", opt=_OPT)
async def show_imprint(
    services: NamedDependency[Services], visitor: NamedDependency[Visitor]
) -> Page:
    """Show who is responsible (§ 5 DDG)."""
    return await _show(services, visitor, "imprint")


@get("/datenschutz", opt=_OPT)
async def show_privacy(
    services: NamedDependency[Services], visitor: NamedDependency[Visitor]
) -> Page:
    """Show what is kept for what, from the same table that deletes it."""
    purposes = list_purposes(visitor)
    return await _show(services, visitor, "privacy", purposes=purposes)


@get("/barrierefreiheit", opt=_OPT)
async def show_accessibility(
    services: NamedDependency[Services], visitor: NamedDependency[Visitor]
) -> Page:
    """Show the statement with the way to report a barrier."""
    documents = await reporting.count_documents(services.database)
    return await _show(services, visitor, "accessibility", documents=documents)


@get("/barriere-melden", opt=_OPT)
async def show_barrier_form(
    request: AnyRequest, services: NamedDependency[Services], visitor: NamedDependency[Visitor]
) -> Page:
    """Show the form with the page that somebody came from."""
    query = forms.read_query(request, (Field("seite", most=500),))
    page_url = query["seite"] if respond.is_local(query["seite"] or "") else ""
    return _show_barrier(services, visitor, forms.empty(visitor), page_url)


@post("/barriere-melden", opt=_OPT)
async def report_barrier(
    request: AnyRequest, services: NamedDependency[Services], visitor: NamedDependency[Visitor]
) -> Page:
    """Send the report to the office."""
    form = await forms.read(request, BARRIER_FIELDS)
    if not form["problem"]:
        form.refuse("problem", "barrier.problem_missing")
    if form.is_valid:
        await _check_limit(services, visitor, form)
    if not form.is_valid:
        return _show_barrier(services, visitor, form, "")
    if not form["website"]:
        report = BarrierReport(form["page_url"], form["problem"], form["need"], form["email"] or "")
        await reporting.report_barrier(services.database, report, visitor.locale, visitor.now)
    return respond.see_other(visitor, "/barriere-melden/danke")


@get("/barriere-melden/danke", opt=_OPT)
async def show_thanks(
    services: NamedDependency[Services], visitor: NamedDependency[Visitor]
) -> Page:
    """Say that the report arrived."""
    return respond.page(services, visitor, "legal/barrier_thanks.html")


def list_purposes(visitor: Visitor) -> list[dict[str, str]]:
    """Return the rows of the purposes table in the visitor's language."""
    return [
        {
            "name": purpose.name,
            "period": say_period(visitor, purpose.period) if isinstance(purpose, Purpose) else "",
            "seen_by": _seen_by(purpose.name),
        }
        for purpose in retention.PURPOSES
    ]


def say_period(visitor: Visitor, period: timedelta) -> str:
    """Say a period in its largest whole unit that people use for it."""
    days = period.days
    if days < 1:
        return visitor.t("legal.hours", n=int(period.total_seconds() // 3600))
    if days >= 2 * _DAYS_OF_YEAR and days % _DAYS_OF_YEAR == 0:
        return visitor.t("legal.years", n=days // _DAYS_OF_YEAR)
    if days >= 6 * _DAYS_OF_MONTH:
        return visitor.t("legal.months", n=round(days * 12 / _DAYS_OF_YEAR))
    return visitor.t("legal.days", n=days)


def _seen_by(name: str) -> str:
    if name in _SEEN_BY_LEADS:
        return "leads"
    return "nobody" if name in _SEEN_BY_NOBODY else "office"


async def _show(services: Services, visitor: Visitor, kind: str, **context: Any) -> Page:
    text = await furnishing.read_text(services.database, kind, visitor.locale)
    return respond.page(
        services,
        visitor,
        "legal/text.html",
        kind=kind,
        text=text,
        text_locale=text.locale,
        **context,
    )


def _show_barrier(services: Services, visitor: Visitor, form: Form, page_url: str) -> Page:
    return respond.page(services, visitor, "legal/barrier.html", form=form, page_url=page_url)


async def _check_limit(services: Services, visitor: Visitor, form: Form) -> None:
    network = limiting.network_key(services.keys, visitor.network, visitor.now)
    again_at = await limiting.take(services.database, REPORTS_PER_NETWORK, network, visitor.now)
    if again_at is not None:
        form.refuse("", "err.too_many", time=dates.format_clock(again_at, visitor.locale))


ROUTES = [
    show_imprint,
    show_privacy,
    show_accessibility,
    show_barrier_form,
    report_barrier,
    show_thanks,
]
