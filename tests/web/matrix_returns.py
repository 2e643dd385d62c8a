"""Who gets what at the list of addresses and at what came back: the office alone."""

from datetime import UTC, datetime

from notifications import intake
from tests import builders
from tests.notifications.builders import a_letter, post
from tests.notifications.returned import OPTIONS, PLAIN
from tests.web.matrix import Row, World, signed_in


async def _person(world: World) -> dict[str, str]:
    person = await builders.a_person(world.services.database)
    return {"person_id": str(person["id"])}


async def _letter(world: World) -> dict[str, str]:
    [letter] = await post(world.services.database, a_letter())
    return {"letter_id": str(letter)}


async def _event(world: World) -> dict[str, str]:
    raw = f"From: a@x.example\r\nSubject: Hallo\r\n\r\n{datetime.now(UTC)}".encode()
    taken = await intake.take(world.services.database, OPTIONS, raw, PLAIN, datetime.now(UTC))
    return {"event_id": str(taken.event_id)}


ROWS: dict[tuple[str, str], Row] = {
    ("GET", "/buero/adressen"): signed_in(reader=403, lead=403, other_lead=403, coordinator=200),
    ("GET", "/buero/antworten"): signed_in(reader=403, lead=403, other_lead=403, coordinator=200),
    ("POST", "/buero/adressen/{person_id:uuid}/erneut-versuchen"): signed_in(
        reader=403, lead=403, other_lead=403, coordinator=303, make=_person, posts=True
    ),
    ("POST", "/buero/adressen/eigene/erneut-versuchen"): signed_in(
        reader=403, lead=403, other_lead=403, coordinator=303, posts=True
    ),
    ("POST", "/buero/versand/{letter_id:uuid}/adresse-gestoert"): signed_in(
        reader=403, lead=403, other_lead=403, coordinator=303, make=_letter, posts=True
    ),
    ("POST", "/buero/ruecklauf/{event_id:int}/erledigt"): signed_in(
        reader=403, lead=403, other_lead=403, coordinator=303, make=_event, posts=True
    ),
}
