"""Who gets what at the pages of the private link, of codes and of lost links."""

from service import tokens
from service.tokens import Purpose
from service.web import form_tokens
from service.web.visitors import token_form_secrets
from tests.invited import a_meeting_to_come, a_person, invite
from tests.web.matrix import Row, World, everybody


async def _invited(world: World) -> dict[str, str]:
    services = world.services
    meeting = await a_meeting_to_come(services.database, services.clock())
    invited = await invite(services.database, meeting, await a_person(services.database))
    token = tokens.derive(services.keys, Purpose.ANSWER, invited.handle, 1)
    ft = form_tokens.make(token_form_secrets(services.keys, token)[0], services.clock())
    return {"token": token, "ft": ft}


ROWS: dict[tuple[str, str], Row] = {
    ("GET", "/a/{token:str}"): everybody(200, make=_invited),
    ("POST", "/a/{token:str}"): everybody(422, make=_invited, data={"answer": "declined"}),
    ("GET", "/a/{token:str}/danke"): everybody(200, make=_invited),
    ("GET", "/a/{token:str}/nicht-ich"): everybody(200, make=_invited),
    ("POST", "/a/{token:str}/meine-termine"): everybody(403, make=_invited),
    ("POST", "/a/{token:str}/kalender"): everybody(403, make=_invited),
    ("GET", "/c"): everybody(200),
    ("POST", "/c"): everybody(422, data={"code": "0000"}),
    ("GET", "/link-anfordern"): everybody(200),
    ("POST", "/link-anfordern"): everybody(303, data={"email": "wer@example.org"}),
}
