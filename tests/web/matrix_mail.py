"""Who gets what at the mail log: the office alone."""

from tests.notifications.builders import a_letter, post
from tests.web.matrix import Row, World, signed_in


async def _letter(world: World) -> dict[str, str]:
    [letter] = await post(world.services.database, a_letter())
    return {"letter_id": str(letter)}


def _office(status: int, *, posts: bool = False) -> Row:
    return signed_in(
        reader=403, lead=403, other_lead=403, coordinator=status, make=_letter, posts=posts
    )


_L = "/buero/versand/{letter_id:uuid}"
ROWS: dict[tuple[str, str], Row] = {
    ("GET", "/buero/versand"): _office(200),
    ("GET", "/buero/versand/tabelle"): _office(200),
    ("GET", "/buero/versand/drucken"): _office(200),
    ("POST", "/buero/versand/freigeben"): _office(303, posts=True),
    ("POST", "/buero/versand/verwerfen"): _office(303, posts=True),
    ("POST", "/buero/versand/fortsetzen"): _office(303, posts=True),
    ("GET", "/buero/versand/zurueckgehalten"): _office(200),
    ("POST", "/buero/versand/zurueckgehalten"): _office(422, posts=True),
    ("GET", "/buero/versand/auswahl"): _office(200),
    ("POST", "/buero/versand/auswahl"): _office(303, posts=True),
    ("GET", _L): _office(200),
    ("POST", f"{_L}/erneut-senden"): _office(303, posts=True),
    ("POST", f"{_L}/zurueckziehen"): _office(303, posts=True),
    ("POST", f"{_L}/freigeben"): _office(303, posts=True),
}
