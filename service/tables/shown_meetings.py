"""Meetings as lists, pages and calendars show them: one row shape, and who may see which."""

from collections.abc import Iterator, Sequence
from dataclasses import fields
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from asyncpg import Connection, Record

from service.domain import overrides
from service.domain.shown import GroupName, OwnAnswer, ShownMeeting

# One above what a feed takes, so that a cut is noticed.
FEED_LIMIT = 1001

_OWN_COLUMNS = tuple(each.name for each in fields(ShownMeeting) if each.name != "groups")
_COLUMNS = ", ".join(f"meeting.{name}" for name in _OWN_COLUMNS)
SELECT = f"""
SELECT {_COLUMNS}, (
    SELECT jsonb_agg(jsonb_build_array(g.slug, g.name, g.heading) ORDER BY mg.position, g.position)
    FROM meeting_group mg JOIN working_group g ON g.id = mg.group_id
    WHERE mg.meeting_id = meeting.id) AS groups
"""

# $1 is the first instant of the feed's window, $2 the same as a wall time.
_IN_WINDOW = """
(meeting.starts_at >= $1
    OR meeting.starts_at IS NULL AND meeting.previous_starts_local >= $2)
AND meeting.date_precision IN ('time', 'day')
"""
_IN_ORDER = f"""
ORDER BY coalesce(meeting.starts_local, meeting.previous_starts_local), meeting.uid
LIMIT {FEED_LIMIT}
"""
_PUBLIC = f"""{SELECT} FROM meeting
WHERE meeting.state <> 'draft' AND meeting.visibility = 'public' AND {_IN_WINDOW} {_IN_ORDER}
"""
_OF_GROUP = f"""{SELECT} FROM meeting
WHERE meeting.state <> 'draft' AND meeting.visibility = 'public' AND {_IN_WINDOW}
    AND EXISTS (SELECT FROM meeting_group
        WHERE meeting_group.meeting_id = meeting.id AND meeting_group.group_id = $3)
{_IN_ORDER}
"""
_OF_OFFICE = f"{SELECT} FROM meeting WHERE {_IN_WINDOW} {_IN_ORDER}"
# Whoever belongs to a group sees its dates before an invitation leaves, but no internal ones.
_OF_PERSON = f"""{SELECT}, invitation.state AS invitation_state, invitation.channel,
    invitation.answer, invitation.deputy_name, invitation.given_starts_local,
    invitation.given_mode, invitation.given_town, invitation.answered_at,
    meeting.kept_answers, meeting.asked_again_at,
    greatest(invitation.changed_at, date_trunc('second', invitation.invited_at))
        AS answer_changed_at
FROM meeting
LEFT JOIN invitation ON invitation.meeting_id = meeting.id AND invitation.person_id = $3
WHERE meeting.state <> 'draft' AND {_IN_WINDOW} AND (
    invitation.state = 'invited'
    OR invitation.state IS DISTINCT FROM 'uninvited' AND meeting.visibility <> 'internal'
        AND EXISTS (
        SELECT FROM meeting_group mg JOIN working_group g ON g.id = mg.group_id
        WHERE mg.meeting_id = meeting.id AND (g.is_everybody OR EXISTS (
            SELECT FROM membership
            WHERE membership.group_id = g.id AND membership.person_id = $3
                AND membership.from_on
                    <= coalesce(meeting.starts_local, meeting.previous_starts_local)
                AND (membership.to_on IS NULL OR membership.to_on
                    >= coalesce(meeting.starts_local, meeting.previous_starts_local)::date)))))
{_IN_ORDER}
"""


async def public(connection: Connection, window_on: date, zone: ZoneInfo) -> list[ShownMeeting]:
    """Return what anybody may see from the window's first day on, by start and UID."""
    return list(_read(await connection.fetch(_PUBLIC, *_window(window_on, zone))))


async def of_group(
    connection: Connection, window_on: date, zone: ZoneInfo, group_id: UUID
) -> list[ShownMeeting]:
    """Return what anybody may see of one group."""
    return list(_read(await connection.fetch(_OF_GROUP, *_window(window_on, zone), group_id)))


async def of_office(connection: Connection, window_on: date, zone: ZoneInfo) -> list[ShownMeeting]:
    """Return every meeting with a date, drafts and internal ones included."""
    return list(_read(await connection.fetch(_OF_OFFICE, *_window(window_on, zone))))


async def of_person(
    connection: Connection, window_on: date, zone: ZoneInfo, person_id: UUID
) -> list[tuple[ShownMeeting, OwnAnswer | None]]:
    """Return what one person is invited to or sees as a member, with the own answer."""
    rows = await connection.fetch(_OF_PERSON, *_window(window_on, zone), person_id)
    return [(from_row(row), _own_answer(row)) for row in rows]


def from_row(row: Record) -> ShownMeeting:
    """Read one row of a statement that begins with `SELECT`."""
    values: dict[str, Any] = {name: row[name] for name in _OWN_COLUMNS}
    groups = tuple(GroupName(*triple) for triple in row["groups"] or ())
    return ShownMeeting(**values, groups=groups)


def _read(rows: Sequence[Record]) -> Iterator[ShownMeeting]:
    return (from_row(row) for row in rows)


def _own_answer(row: Record) -> OwnAnswer | None:
    if row["invitation_state"] is None:
        return None
    return OwnAnswer(
        state=row["invitation_state"],
        channel=row["channel"],
        answer=row["answer"],
        deputy_name=row["deputy_name"],
        given_starts_local=row["given_starts_local"],
        given_mode=row["given_mode"],
        given_town=row["given_town"],
        answered_at=row["answered_at"],
        said=overrides.read(row),
        changed_at=row["answer_changed_at"],
    )


def _window(window_on: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    local = datetime(window_on.year, window_on.month, window_on.day)  # noqa: DTZ001 - a wall time
    return local.replace(tzinfo=zone).astimezone(UTC), local
