"""Who gets what at the pages of own calendars."""

from service import publishing, tailoring
from service.web import form_tokens
from service.web.visitors import token_form_secrets
from tests import builders
from tests.web.matrix import Make, Row, World, everybody, signed_in


async def _page(world: World) -> dict[str, str]:
    services = world.services
    person = await builders.a_person(services.database)
    await publishing.ensure_all_feeds(services.database)
    path = await tailoring.find_page(services.database, services.keys, person["id"])
    assert path is not None
    token = path.rsplit("/", 1)[-1]
    ft = form_tokens.make(token_form_secrets(services.keys, token)[0], services.clock())
    return {"token": token, "act": "zusenden", "ft": ft}


async def _person(world: World) -> dict[str, str]:
    person = await builders.a_person(world.services.database)
    await publishing.ensure_all_feeds(world.services.database)
    return {"person_id": str(person["id"])}


async def _own(world: World) -> dict[str, str]:
    await publishing.ensure_all_feeds(world.services.database)
    return {}


def _office(status: int, make: Make, *, posts: bool = False) -> Row:
    return signed_in(
        reader=403, lead=403, other_lead=403, coordinator=status, make=make, posts=posts
    )


_OF_PERSON = "/buero/mitglied/{person_id:uuid}/kalender"

ROWS: dict[tuple[str, str], Row] = {
    ("GET", "/meine/kalender/{token:str}"): everybody(200, make=_page),
    # Without the form's token nothing is stored and the form is shown again.
    ("POST", "/meine/kalender/{token:str}"): everybody(422, make=_page),
    ("POST", "/meine/kalender/{token:str}/{act:str}"): everybody(403, make=_page),
    ("GET", _OF_PERSON): _office(200, _person),
    ("POST", _OF_PERSON): _office(422, _person, posts=True),
    ("GET", "/buero/kalender"): _office(200, _own),
    ("POST", "/buero/kalender"): _office(422, _own, posts=True),
}
