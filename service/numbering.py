"""Give a meeting its number for life and the address of its page, once, at first publication."""

from typing import Any
from uuid import UUID

from asyncpg import Connection, Record, UniqueViolationError

from service.domain import titles
from service.domain.errors import FieldsError
from service.domain.meeting_forms import MeetingForm
from service.tables import meeting_statements

# Groups are locked in the order of their ids, so that joint sessions never wait in a ring.
_GROUPS = """
SELECT id, title_pattern, next_number FROM working_group WHERE id = ANY ($1::uuid[])
ORDER BY id FOR UPDATE
"""


async def draw_numbers(
    connection: "Connection[Any]", meeting_id: UUID, form: MeetingForm
) -> dict[UUID, int]:
    """Draw the next number of each numbered group; return group -> number.

    A number of one's own counts for the first group and raises its counter; when another session
    has it, `FieldsError` says which. An unnumbered session draws none.
    """
    if not form.is_numbered:
        return {}
    drawn: dict[UUID, int] = {}
    for group in await connection.fetch(_GROUPS, list(form.group_ids)):
        own = form.number if group["id"] == form.group_ids[0] else None
        number = await _draw(connection, meeting_id, group, own)
        if number is not None:
            drawn[group["id"]] = number
            await connection.execute(meeting_statements.SET_NUMBER, meeting_id, group["id"], number)
    return drawn


async def name_meeting(
    connection: "Connection[Any]", meeting_id: UUID, form: MeetingForm, drawn: dict[UUID, int]
) -> tuple[str, str]:
    """Give the meeting its final title and its slug; return both.

    A title that follows the group's pattern gets the drawn number, whatever was proposed when it
    was typed. A slug that is taken gets the year, then a part of the id.
    """
    title = await _final_title(connection, form, drawn)
    base = titles.slug(title)
    year = f"-{form.start_on.year}" if form.start_on else "-neu"
    for ending in ("", year, f"-{meeting_id.hex[:8]}", f"-{meeting_id.hex}"):
        if await _set_slug(connection, meeting_id, title, base + ending):
            return title, base + ending
    raise RuntimeError("a random id was not unique")


async def _draw(
    connection: "Connection[Any]", meeting_id: UUID, group: Record, own: int | None
) -> int | None:
    if group["next_number"] is None:
        return None
    if own is None:
        return await connection.fetchval(  # type: ignore[no-any-return]
            meeting_statements.DRAW_NUMBER, group["id"]
        )
    taken_by = await connection.fetchval(
        meeting_statements.WHO_HAS_NUMBER, group["id"], own, meeting_id
    )
    if taken_by is not None:
        raise FieldsError({"number": ("plan.err_number", {"session": taken_by})})
    await connection.execute(meeting_statements.TAKE_NUMBER, group["id"], own)
    return own


async def _final_title(
    connection: "Connection[Any]", form: MeetingForm, drawn: dict[UUID, int]
) -> str:
    first = form.group_ids[0]
    if first not in drawn:
        return form.title
    pattern = await connection.fetchval(
        "SELECT title_pattern FROM working_group WHERE id = $1", first
    )
    if titles.read_number(pattern, form.title) is None:
        return form.title
    return titles.fill(pattern, drawn[first], form.title)


async def _set_slug(connection: "Connection[Any]", meeting_id: UUID, title: str, slug: str) -> bool:
    """Try one slug inside a savepoint: two sessions of one name may be published at once."""
    try:
        async with connection.transaction():
            await connection.execute(meeting_statements.SET_TITLE_AND_SLUG, meeting_id, title, slug)
    except UniqueViolationError:
        return False
    return True
