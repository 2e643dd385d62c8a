"""Join and leave groups with one letter a person: welcome, or farewell.

Whoever comes to a group gets one letter with a link for each session that the others are invited
to already; sessions whose invitations still wait invite newcomers with everybody. Whoever leaves
gets one letter for all invitations that end with that. Both only where the office says so.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from itertools import groupby
from operator import itemgetter
from typing import Any
from uuid import UUID, uuid4

from asyncpg import Connection, Record

from service import announcing, asking, auditing, inviting, keeping_people, planning, publishing
from service.announcing import Asking, Batch, BatchKind
from service.auditing import Actor
from service.domain.authority import EVERYTHING
from service.domain.words import NoticeKind
from service.tables import invitation_statements as statements

# $1 people, $2 now: who is planned for sessions that the others were invited to, and is not about
# to be invited with everybody anyway.
_WELCOMED = """
SELECT m.id, m.starts_at, array_agg(i.person_id ORDER BY i.person_id) AS person_ids
FROM invitation i
JOIN meeting m ON m.id = i.meeting_id
JOIN person p ON p.id = i.person_id AND p.email IS NOT NULL AND p.anonymised_at IS NULL
WHERE i.person_id = ANY ($1::uuid[]) AND i.state = 'planned' AND m.state = 'confirmed'
    AND m.invited_at IS NOT NULL AND m.starts_at > $2
    AND NOT EXISTS (SELECT FROM notice n WHERE n.meeting_id = m.id AND n.state = 'pending'
        AND n.kind = 'invitation' AND (n.person_ids IS NULL OR i.person_id = ANY (n.person_ids)))
GROUP BY m.id ORDER BY m.id
"""
# $1 and $2 who leaves which group, $3 and $4 who joins which, $5 now, $6 the first day without:
# invitations to coming sessions that nothing else is a reason for.
_LEFT = """
WITH gone AS (SELECT * FROM unnest($1::uuid[], $2::uuid[]) AS g (person_id, group_id)),
new AS (SELECT * FROM unnest($3::uuid[], $4::uuid[]) AS n (person_id, group_id))
SELECT m.id AS meeting_id, i.id, m.starts_at
FROM invitation i
JOIN meeting m ON m.id = i.meeting_id
WHERE i.person_id IN (SELECT person_id FROM gone) AND i.state = 'invited'
    AND m.state IN ('tentative', 'confirmed', 'postponed')
    AND (m.starts_at IS NULL OR m.starts_at > $5)
    AND (m.starts_local IS NULL OR m.starts_local::date >= $6::date)
    AND EXISTS (SELECT FROM meeting_group mg JOIN gone USING (group_id)
        WHERE mg.meeting_id = m.id AND gone.person_id = i.person_id)
    AND NOT EXISTS (SELECT FROM meeting_group mg JOIN new USING (group_id)
        WHERE mg.meeting_id = m.id AND new.person_id = i.person_id)
    AND NOT EXISTS (SELECT FROM membership s JOIN meeting_group mg USING (group_id)
        WHERE mg.meeting_id = m.id AND s.person_id = i.person_id AND s.to_on IS NULL
            AND (s.person_id, s.group_id) NOT IN (SELECT person_id, group_id FROM gone))
    AND NOT EXISTS (SELECT FROM meeting_audience a
        WHERE a.meeting_id = m.id AND a.person_id = i.person_id)
ORDER BY m.id, i.id
"""


_LOCK = "SELECT FROM meeting WHERE id = ANY ($1::uuid[]) ORDER BY id FOR UPDATE"


@dataclass(frozen=True, slots=True)
class Regrouped:
    """The notices that a change of groups put down, welcome and farewell."""

    notice_ids: Sequence[UUID] = ()


async def regroup(
    connection: "Connection[Any]",
    actor: Actor,
    wanted: Mapping[UUID, Collection[UUID]],
    now: datetime,
    *,
    since: date | None = None,
    with_letters: bool = False,
) -> Regrouped:
    """Let each person be in exactly these groups from a day, None being today.

    With letters, newcomers are invited to what the others are invited to, and invitations of who
    leaves are withdrawn, after a countdown. Without, nothing leaves and no invitation ends. Who
    comes back is planned again where the invitation was withdrawn, and keeps its link.
    Order of locks: meetings, invitations, seats, then feeds.
    """
    moves = await keeping_people.find_moves(connection, wanted)
    day = since or keeping_people.today(now)
    await _lock_meetings(connection, moves, day, now)
    await _ask_returned(connection, actor, moves, day, now)
    if not with_letters:
        await keeping_people.set_groups(connection, wanted, now, since)
        return Regrouped()
    left = await _withdraw(connection, actor, moves, day, now)
    await keeping_people.set_groups(connection, wanted, now, since)
    for meeting_id in left:
        await publishing.touch_feeds(connection, meeting_id, now)
    welcome = await _welcome(connection, actor, {person for person, _ in moves.new}, now)
    return Regrouped((*left.values(), *welcome))


async def _lock_meetings(
    connection: "Connection[Any]", moves: keeping_people.Moves, day: date, now: datetime
) -> None:
    """Lock all sessions whose invitations end or begin anew, before the first invitation."""
    gone, new = keeping_people.columns(moves.gone), keeping_people.columns(moves.new)
    left = await connection.fetch(_LEFT, *gone, *new, now, day)
    returned = await connection.fetch(statements.RETURNED_TO, *new, now, day)
    ids = {row["meeting_id"] for row in left} | {row["id"] for row in returned}
    await connection.execute(_LOCK, list(ids))


async def _ask_returned(
    connection: "Connection[Any]",
    actor: Actor,
    moves: keeping_people.Moves,
    day: date,
    now: datetime,
) -> None:
    """Plan the invitations of who comes back to a group again: the same rows, the same links.

    Who was not told yet that they had left stands as before.
    """
    new = keeping_people.columns(moves.new)
    restored = await connection.fetch(statements.RESTORE_RETURNED, *new, now, day)
    await asking.follow_restored(connection, restored, now)
    for row in restored:
        await auditing.record(connection, actor, "invited_again", "invitation", row["id"])
    for row in await connection.fetch(statements.ASK_RETURNED, *new, now, day):
        await auditing.record(connection, actor, "invited_again", "invitation", row["id"])


async def _withdraw(
    connection: "Connection[Any]",
    actor: Actor,
    moves: keeping_people.Moves,
    day: date,
    now: datetime,
) -> dict[UUID, UUID]:
    """Take invitations back with which nothing is left to do; return the notices by session."""
    gone, new = keeping_people.columns(moves.gone), keeping_people.columns(moves.new)
    rows = await connection.fetch(_LEFT, *gone, *new, now, day)
    due = _due(NoticeKind.UNINVITED, rows, now)
    batch = Batch(uuid4(), BatchKind.FAREWELL)
    notices: dict[UUID, UUID] = {}
    for meeting_id, invitations in groupby(rows, itemgetter("meeting_id")):
        meeting = await planning.lock(connection, meeting_id, EVERYTHING)
        ids = [row["id"] for row in invitations]
        taken = [await inviting.take_back(connection, actor, meeting_id, one, now) for one in ids]
        people = sorted(row["person_id"] for row in taken if row and row["was"] == "invited")
        if people:
            asking = Asking(
                kind=NoticeKind.UNINVITED, meeting_id=meeting_id, person_ids=people, batch=batch
            )
            told = await inviting.tell_withdrawn(connection, actor, asking, meeting, now, due=due)
            if told is not None:
                notices[meeting_id] = told
    return notices


async def _welcome(
    connection: "Connection[Any]", actor: Actor, people: Collection[UUID], now: datetime
) -> list[UUID]:
    """Put down the invitations of newcomers, all of them for the same moment."""
    rows = await connection.fetch(_WELCOMED, sorted(people), now)
    batch = Batch(uuid4(), BatchKind.WELCOME)
    due = _due(NoticeKind.INVITATION, rows, now)
    asked = [
        Asking(
            kind=NoticeKind.INVITATION,
            meeting_id=row["id"],
            person_ids=row["person_ids"],
            batch=batch,
        )
        for row in rows
    ]
    found = [await announcing.put_down_asking(connection, actor, one, due, now) for one in asked]
    return [one for one in found if one is not None]


def _due(kind: NoticeKind, sessions: Sequence[Record], now: datetime) -> datetime:
    """Return when the letter leaves: what is urgent with one session hurries all of it."""
    found = [announcing.due_at(kind, row["starts_at"], now) for row in sessions]
    return min(found, default=now)
