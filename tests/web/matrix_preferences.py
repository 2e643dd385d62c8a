"""Who gets what at the pages of preferences."""

from service import preferring
from service.domain.preferences import Topic
from service.web import form_tokens
from service.web.visitors import token_form_secrets
from tests import builders
from tests.web.matrix import Row, World, everybody, signed_in


async def _page(world: World) -> dict[str, str]:
    services = world.services
    person = await builders.a_person(services.database)
    token = preferring.page_token(services.keys, person["mail_handle"], 1)
    ft = form_tokens.make(token_form_secrets(services.keys, token)[0], services.clock())
    return {"token": token, "ft": ft}


async def _unsubscribe(world: World) -> dict[str, str]:
    services = world.services
    person = await builders.a_person(services.database)
    topic = Topic.REMINDERS
    token = preferring.unsubscribe_token(services.keys, topic, person["mail_handle"], 1)
    return {"token": token}


async def _person(world: World) -> dict[str, str]:
    return {"person_id": str((await builders.a_person(world.services.database))["id"])}


_OF_PERSON = "/buero/mitglied/{person_id:uuid}/benachrichtigungen"
_ONE_CLICK = {"List-Unsubscribe": "One-Click"}

ROWS: dict[tuple[str, str], Row] = {
    ("GET", "/b/{token:str}"): everybody(200, make=_page),
    # Without the form's token nothing is stored and the form is shown again.
    ("POST", "/b/{token:str}"): everybody(422, make=_page, data={"nudges": "1"}),
    ("GET", "/u/{token:str}"): everybody(200, make=_unsubscribe),
    ("POST", "/u/{token:str}"): everybody(200, make=_unsubscribe, data=_ONE_CLICK),
    # Without the form's token nothing is stored and the question is shown again.
    ("POST", "/u/{token:str}/wieder"): everybody(422, make=_unsubscribe),
    ("GET", _OF_PERSON): signed_in(
        reader=403, lead=403, other_lead=403, coordinator=200, make=_person
    ),
    ("POST", f"{_OF_PERSON}/erneuern"): signed_in(
        reader=403, lead=403, other_lead=403, coordinator=303, make=_person, posts=True
    ),
    ("POST", _OF_PERSON): signed_in(
        reader=403,
        lead=403,
        other_lead=403,
        coordinator=303,
        make=_person,
        data={"reminders": "usual", "nudges": "1"},
        posts=True,
    ),
}
