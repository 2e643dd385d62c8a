"""Letters that a restored backup holds back: the office chooses which of them still leave."""

from typing import Any

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.response import Response

from service import posting
from service.pages import dates
from service.posting import PostedLetter
from service.services import Services
from service.web import forms, respond
from service.web.forms import Field, Form
from service.web.policy import Policy
from service.web.visitors import Visitor

_OPT = {"policy": Policy.COORDINATOR}
_PATH = "/buero/versand/zurueckgehalten"
FIELDS = (
    Field("briefe", kind="ids", label="held.choose", required=True),
    Field("tat", kind="choice", label="held.choose", choices=("release", "drop")),
)
DONE = (Field("getan", most=20), Field("n", kind="number"))
_DONE = frozenset({"released", "dropped"})

AnyRequest = Request[Any, Any, Any]
Page = Response[bytes]


@get(_PATH, opt=_OPT)
async def list_held(
    request: AnyRequest, services: NamedDependency[Services], visitor: NamedDependency[Visitor]
) -> Page:
    """Show what is held, with a box to tick beside each letter."""
    return await _page(services, visitor, forms.empty(visitor, FIELDS), request)


@post(_PATH, opt={**_OPT, "form": True})
async def settle_held(
    request: AnyRequest, services: NamedDependency[Services], visitor: NamedDependency[Visitor]
) -> Page:
    """Release or drop what was ticked."""
    form = await forms.read(request, FIELDS)
    if not form.is_valid:
        return await _page(services, visitor, form, request)
    releases = form["tat"] != "drop"
    work = posting.release_restored if releases else posting.drop_restored
    count = await work(services.database, visitor.actor, form["briefe"])
    return _said(visitor, "released" if releases else "dropped", count)


@post("/buero/versand/verwerfen", opt=_OPT)
async def drop_all(services: NamedDependency[Services], visitor: NamedDependency[Visitor]) -> Page:
    """Drop everything that a restored backup held back."""
    count = await posting.drop_restored(services.database, visitor.actor)
    return _said(visitor, "dropped", count)


async def _page(services: Services, visitor: Visitor, form: Form, request: AnyRequest) -> Page:
    typed = forms.read_query(request, DONE)
    done = typed.parsed.get("getan")
    letters = await posting.list_restored(services.database)
    return respond.page(
        services,
        visitor,
        "mail/held.html",
        form=form,
        letters=[_choice(visitor, letter) for letter in letters],
        total=await posting.count_restored(services.database),
        done=done if done in _DONE else None,
        done_n=typed.parsed.get("n") or 0,
    )


def _choice(visitor: Visitor, letter: PostedLetter) -> tuple[str, str, str]:
    """Return value, what it is about, and to whom and from when."""
    kind = visitor.t(f"kind.{letter.kind}")
    name = f"{kind}: {letter.meeting_title}" if letter.meeting_title else kind
    whom = ", ".join(part for part in (letter.name, letter.address) if part)
    at = dates.format_moment(letter.created_at, visitor.locale)
    return str(letter.id), name, f"{whom}, {at}" if whom else at


def _said(visitor: Visitor, done: str, count: int) -> Page:
    return respond.see_other(visitor, f"{_PATH}?getan={done}&n={count}")


ROUTES = [list_held, settle_held, drop_all]
