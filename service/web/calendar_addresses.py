"""Private calendar addresses that the office renews or ends: a person's, and the own one."""

from uuid import UUID

from litestar import post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from service import subscribing
from service.domain.errors import NotFoundError
from service.services import Services
from service.subscribing import Owner, Wish
from service.web import respond
from service.web.policy import Policy
from service.web.visitors import Visitor

_OPT = {"policy": Policy.COORDINATOR}
_ACTS = {"erneuern": Wish.RENEW, "beenden": Wish.END, "anlegen": Wish.REOPEN}
# What the person's page says afterwards; the first two without the letter that tells the address.
DONE = frozenset({"renew", "reopen", "renew_told", "reopen_told", "end"})

Page = Response[bytes]


@post("/buero/mitglied/{person_id:uuid}/kalender/{act:str}", opt=_OPT)
async def change_of_person(
    person_id: FromPath[UUID],
    act: FromPath[str],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Renew or end a person's calendar; a new address goes to the person by mail."""
    wish, told = await _change(services, visitor, Owner.person(person_id), act)
    done = f"{wish}_told" if told else wish
    return respond.see_other(visitor, f"/buero/mitglied/{person_id}?kalender={done}")


@post("/buero/kalender/{act:str}", opt=_OPT)
async def change_own(
    act: FromPath[str],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Renew or end the calendar of whoever is signed in."""
    wish, _ = await _change(services, visitor, Owner.account(visitor.staff.id), act)
    return respond.see_other(visitor, f"/buero?getan=calendar_{wish}#kalender")


async def _change(
    services: Services, visitor: Visitor, owner: Owner, act: str
) -> tuple[Wish, bool]:
    wish = _ACTS.get(act)
    if wish is None:
        raise NotFoundError
    told = await subscribing.change_own(services.database, visitor.actor, owner, wish, visitor.now)
    return wish, told


ROUTES = [change_of_person, change_own]
