"""A group without reminders: what would fall away, the one press, and the way back."""

from typing import Any
from uuid import UUID

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from service import ruling, silencing
from service.ruling import Scope
from service.services import Services
from service.web import respond, rule_words
from service.web.policy import Policy
from service.web.visitors import Visitor

_PATH = "/buero/gruppe/{group_id:uuid}/erinnerungen/keine"
_OPT = {"policy": Policy.GROUP}

Page = Response[bytes]


@get(_PATH, opt=_OPT)
async def ask(
    group_id: FromPath[UUID],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Show what ending a group's reminders does, or taking them up again."""
    scope = Scope(group_id=group_id)
    book = await ruling.open_book(services.database, scope, authority=visitor.staff)
    is_silent = silencing.is_silent(book)
    if not is_silent and not silencing.can_silence(book):
        return respond.see_other(visitor, _list_of(group_id))
    outlook = await silencing.rehearse(
        *(services.database, visitor.actor, group_id, visitor.now),
        on=is_silent,
        authority=visitor.staff,
    )
    return respond.page(
        services,
        visitor,
        "reminders/silence.html",
        base=_list_of(group_id),
        level="group",
        is_silent=is_silent,
        **_words(outlook, visitor),
    )


@post(_PATH, opt=_OPT)
async def silence(
    group_id: FromPath[UUID],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """End a group's reminders."""
    await silencing.silence(
        *(services.database, visitor.actor, group_id, visitor.now), authority=visitor.staff
    )
    return respond.see_other(visitor, f"{_list_of(group_id)}?getan=silenced")


@post("/buero/gruppe/{group_id:uuid}/erinnerungen/wieder", opt=_OPT)
async def wake(
    group_id: FromPath[UUID],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Take a group's reminders up again."""
    await silencing.wake(
        *(services.database, visitor.actor, group_id, visitor.now), authority=visitor.staff
    )
    return respond.see_other(visitor, f"{_list_of(group_id)}?getan=woken")


def _list_of(group_id: UUID) -> str:
    return f"/buero/gruppe/{group_id}/erinnerungen"


def _words(outlook: silencing.Outlook, visitor: Visitor) -> dict[str, Any]:
    return {
        "book": outlook.book,
        "rules": [rule_words.say(each.rule, visitor.locale) for each in outlook.rules],
        "mailings": [
            (each, rule_words.say(each.slot.rule, visitor.locale)) for each in outlook.mailings
        ],
    }


ROUTES = [ask, silence, wake]
