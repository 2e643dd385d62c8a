"""Answers of calendar programs that wait for the office, and whether any are heard."""

from typing import Any

from litestar import Request, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from service import probing, sifting
from service.domain.errors import AnsweringClosedError, SeatsTakenError
from service.services import Services
from service.web import forms, respond
from service.web.forms import Field
from service.web.policy import Policy
from service.web.visitors import Visitor

_OPT = {"policy": Policy.COORDINATOR}
_PATH = "/buero/kalenderantworten"
_DONE = frozenset({"applied", "dismissed", "too_late", "closed", "full"})

Page = Response[bytes]


@get(_PATH, opt=_OPT)
async def list_calendar_answers(
    request: Request[Any, Any, Any],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Show what calendar programs sent and nobody could believe or apply, with the ear's state."""
    done = forms.read_query(request, (Field("getan", most=20),))["getan"]
    ear = await probing.look(services.database, services.settings)
    return respond.page(
        services,
        visitor,
        "answers/list.html",
        status=200,
        found=await sifting.list_open(services.database),
        ear=ear,
        ear_state=_state(ear, visitor),
        done=done if done in _DONE else None,
    )


@post(f"{_PATH}/{{answer_id:int}}/uebernehmen", opt=_OPT)
async def apply_calendar_answer(
    answer_id: FromPath[int],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Let an answer count for the person that it names."""
    try:
        is_done = await sifting.apply(
            services.database, services.settings, visitor.actor, answer_id, visitor.now
        )
    except AnsweringClosedError:
        return _back(visitor, "closed")
    except SeatsTakenError:
        return _back(visitor, "full")
    return _back(visitor, "applied" if is_done else "too_late")


@post(f"{_PATH}/{{answer_id:int}}/verwerfen", opt=_OPT)
async def dismiss_calendar_answer(
    answer_id: FromPath[int],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Put an answer away."""
    is_done = await sifting.dismiss(services.database, visitor.actor, answer_id, visitor.now)
    return _back(visitor, "dismissed" if is_done else "too_late")


def _back(visitor: Visitor, done: str) -> Page:
    return respond.see_other(visitor, f"{_PATH}?getan={done}")


def _state(ear: probing.Hearing, visitor: Visitor) -> str:
    if not ear.is_set_up:
        return "off"
    if ear.is_open(visitor.now):
        return "open"
    return "deaf" if ear.heard_at else "waiting"


ROUTES = [list_calendar_answers, apply_calendar_answer, dismiss_calendar_answer]
