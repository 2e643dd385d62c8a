"""Who gets what at answers of calendar programs: the office alone."""

from datetime import UTC, datetime
from uuid import uuid4

from tests.web.matrix import Row, World, signed_in


async def _answer(world: World) -> dict[str, str]:
    answer_id = await world.services.database.fetchval(
        "INSERT INTO calendar_answer (message_sha256, part_sha256, received_at, outcome,"
        " needs_look, trust) VALUES ($1, $1, $2, 'odd', true, 4) RETURNING id",
        *(uuid4().bytes, datetime.now(UTC)),
    )
    return {"answer_id": str(answer_id)}


ROWS: dict[tuple[str, str], Row] = {
    ("GET", "/buero/kalenderantworten"): signed_in(
        reader=403, lead=403, other_lead=403, coordinator=200
    ),
    ("POST", "/buero/kalenderantworten/{answer_id:int}/uebernehmen"): signed_in(
        reader=403, lead=403, other_lead=403, coordinator=404, make=_answer, posts=True
    ),
    ("POST", "/buero/kalenderantworten/{answer_id:int}/verwerfen"): signed_in(
        reader=403, lead=403, other_lead=403, coordinator=303, make=_answer, posts=True
    ),
}
