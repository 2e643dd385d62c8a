"""The private link of one invited person: ended, and replaced by a new one."""

from uuid import UUID

from litestar import get, post
from litestar.di import NamedDependency
from litestar.params import FromPath
from litestar.response import Response

from service import inviting
from service.services import Services
from service.web import respond
from service.web.meeting_page import ask_about
from service.web.policy import Policy
from service.web.visitors import Visitor

_OPT = {"policy": Policy.GROUP}

Page = Response[bytes]


@get("/buero/termin/{meeting_id:uuid}/link/{invitation_id:uuid}", opt=_OPT)
async def ask_renewal(
    meeting_id: FromPath[UUID],
    invitation_id: FromPath[UUID],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """Say what a new link ends, and ask once more."""
    return await ask_about(services, visitor, "office/renewal.html", meeting_id, invitation_id)


@post("/buero/termin/{meeting_id:uuid}/link/{invitation_id:uuid}", opt=_OPT)
async def renew(
    meeting_id: FromPath[UUID],
    invitation_id: FromPath[UUID],
    services: NamedDependency[Services],
    visitor: NamedDependency[Visitor],
) -> Page:
    """End the links that were mailed, and let a letter with the new one leave."""
    follows = await inviting.renew_link(
        services.database, visitor.actor, invitation_id, visitor.now, authority=visitor.staff
    )
    done = "renewed" if follows else "renewed_alone"
    return respond.see_other(visitor, f"/buero/termin/{meeting_id}?getan={done}")


ROUTES = [ask_renewal, renew]
