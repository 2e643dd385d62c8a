"""Post news of a session where older news of it may still wait: one letter each, and a true one.

What waits says nothing that the newer letter does not say better. It is taken back, and the newer
letter starts from what its reader was told last; where that is how things stand again, none leaves.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from asyncpg import Connection, Record

from notifications import outbox
from service.domain import changes, overrides
from service.domain.changes import ChangeEffect, Tells
from service.domain.words import NoticeKind
from service.tables import facts, meeting_statements, notice_statements, overtaken_statements

_LETTERS = {kind: kind for kind in notice_statements.CHANGES} | {"confirmed": "date_confirmed"}
_NONE = ""


async def post(connection: "Connection[Any]", notice: Record, now: datetime) -> int:
    """Post the letters of a change whose meeting is locked, and return how many are new.

    Letters about earlier changes that have not left are taken back. One that leaves at this very
    moment counts as read.
    """
    kind, meeting_id = NoticeKind(notice["kind"]), notice["meeting_id"]
    letters = list(_LETTERS.values())
    for statement in (overtaken_statements.TAKE_BACK, overtaken_statements.TAKE_BACK_PARTS):
        await connection.execute(statement[kind], notice["id"], now, meeting_id, letters)
    own = await _tell_apart(connection, notice, letters)
    return await outbox.post_selected(
        connection, overtaken_statements.POST[kind], notice["id"], now, own
    )


async def put_off(connection: "Connection[Any]", notice_id: UUID, now: datetime) -> None:
    """Let older news of the session wait until the countdown of a notice ends."""
    letters = list(_LETTERS.values())
    await connection.execute(overtaken_statements.PUT_OFF, notice_id, now, letters)


async def _tell_apart(
    connection: "Connection[Any]", notice: Record, letters: list[str]
) -> dict[str, tuple[str, str]]:
    """Find those who know another state of things than the notice starts from.

    That is an older one where news did not leave, and a newer one where an invitation has said it.
    Returns by person the kind of the letter, "" for none, and the notice that says what they know.
    """
    own: dict[str, tuple[str, str]] = {}
    meeting_id = notice["meeting_id"]
    rows = await connection.fetch(notice_statements.INVITED_SINCE, notice["id"])
    rows += await connection.fetch(overtaken_statements.STILL_KNOW, meeting_id, letters)
    news: dict[UUID, tuple[ChangeEffect, str]] = {}
    for row in rows:
        known_id = row["known_id"]
        if known_id not in news:
            news[known_id] = await _net(connection, meeting_id, known_id)
        net, kind = news[known_id]
        is_spared = row["has_declined"] and net.tells is not Tells.ALL
        theirs = (_NONE if is_spared else kind, str(known_id))
        own |= dict.fromkeys(map(str, row["person_ids"]), theirs)
    return own


async def _net(
    connection: "Connection[Any]", meeting_id: UUID, known_id: UUID
) -> tuple[ChangeEffect, str]:
    """Return what has changed since a state of things, and the kind of letter that says so."""
    row = await connection.fetchrow(meeting_statements.FIND, meeting_id)
    after = facts.read(row)
    found = await connection.fetchrow(overtaken_statements.KNOWN, known_id)
    known = changes.from_json(found["before"])
    verdict = overrides.verdict_since(
        overrides.read(row), overrides.place(known), overrides.place(after), found["created_at"]
    )
    net = changes.diff(known, after, verdict)
    if net.notice is not None and net.notice is not NoticeKind.INVITATION:
        return net, _LETTERS[net.notice]
    steps = await connection.fetch(
        overtaken_statements.SINCE, meeting_id, known_id, list(notice_statements.CHANGES)
    )
    is_ticked = net.fields and _was_ticked(steps, after)
    return net, NoticeKind.CHANGE.value if is_ticked else _NONE


def _was_ticked(steps: Sequence[Record], now: changes.MeetingFacts) -> bool:
    """Tell whether the office had people told of what the rules would tell nobody."""
    stands = [*(changes.from_json(step["before"]) for step in steps), now]
    return any(
        step["kind"] == NoticeKind.CHANGE and changes.diff(before, after).notice is None
        for step, before, after in zip(steps, stands, stands[1:], strict=False)
    )
