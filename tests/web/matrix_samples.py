"""Who may send a test letter."""

from collections.abc import Mapping

from tests.web.matrix import Row, World, signed_in
from tests.web.matrix_office import _add


async def _session(world: World) -> Mapping[str, str]:
    return {"meeting_id": str((await _add(world))["id"])}


ROWS: dict[tuple[str, str], Row] = {
    ("POST", "/buero/termin/{meeting_id:uuid}/testmail"): signed_in(
        reader=403,
        lead=303,
        other_lead=404,
        coordinator=303,
        make=_session,
        data={"art": "reminder"},
        posts=True,
    ),
}
