"""Who may upload lists of days on which nobody meets."""

from collections.abc import Mapping
from uuid import uuid4

from service import barring
from service.auditing import Actor
from service.barring import File, ListForm
from service.domain.obstacles import Treatment
from tests.builders import NOW
from tests.web.matrix import Make, Row, World, signed_in

_SAID = {"name": "Eigene Liste", "treatment": "note"}
# What a file of "21.01.2027" looks like between the dry run and the last press; sent by several, it
# is taken in once.
_CARRIED = {
    **_SAID,
    "id": "6e1f3c52-9d0b-4a58-8f43-0d4c2f1b7a90",
    "file_name": "liste.csv",
    "raw": "MjEuMDEuMjAyNw==",
}


async def _list(world: World) -> Mapping[str, str]:
    list_id = uuid4()
    form = ListForm(name=str(list_id), treatment=Treatment.NOTE)
    file = File("liste.csv", b"21.01.2027")
    await barring.add_list(world.services.database, Actor("command"), list_id, form, file, NOW)
    return {"list_id": str(list_id)}


def _office(
    status: int, make: Make | None = None, data: Mapping[str, str] | None = None, *, posts: bool
) -> Row:
    return signed_in(
        reader=403,
        lead=403,
        other_lead=403,
        coordinator=status,
        make=make,
        data=data,
        posts=posts,
    )


ROWS: dict[tuple[str, str], Row] = {
    ("GET", "/buero/sperrzeiten"): _office(200, posts=False),
    ("GET", "/buero/sperrzeiten/neu"): _office(200, posts=False),
    ("GET", "/buero/sperrzeiten/{list_id:uuid}"): _office(200, _list, posts=False),
    # A new list needs a file, which these forms do not carry.
    ("POST", "/buero/sperrzeiten/pruefen"): _office(422, data=_SAID, posts=True),
    ("POST", "/buero/sperrzeiten/speichern"): _office(303, data=_CARRIED, posts=True),
    ("GET", "/buero/sperrzeiten/{list_id:uuid}/entfernen"): _office(200, _list, posts=False),
    ("POST", "/buero/sperrzeiten/{list_id:uuid}/entfernen"): _office(303, _list, posts=True),
}
