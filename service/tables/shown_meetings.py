"""Meetings as lists, pages and calendars show them: one row shape, and who may see which."""

from collections.abc import Collection
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime, time
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from asyncpg import Connection, Record

from service.domain import overrides
from service.domain.shown import GroupName, OwnAnswer, ShownMeeting

_OWN_COLUMNS = tuple(each.name for each in fields(ShownMeeting) if each.name != "groups")
_COLUMNS = ", ".join(f"meeting.{name}" for name in _OWN_COLUMNS)
SELECT = f"""
SELECT {_COLUMNS}, (
    SELECT jsonb_agg(jsonb_build_array(g.slug, g.name, g.heading) ORDER BY mg.position, g.position)
    FROM meeting_group mg JOIN working_group g ON g.id = mg.group_id
    WHERE mg.meeting_id = meeting.id) AS groups
"""

# What tells a feed which entries it holds and which of them it has to make anew: which meeting and
# which version of it, as so many bytes. A feed may have thousands.
_HEAD = """
uuid_send(meeting.id) || int4send(meeting.revision) || timestamptz_send(meeting.changed_at)
    || left(meeting.state, 4)::bytea
"""
_ID_BYTES, _HEAD_BYTES = 16, 32
# $1 is the first instant of the feed's window, $2 the same as a wall time; $3 and $4 are wishes:
# rough dates and tentative ones. $5 is since when those that fell out are shown, if they are. $6
# is how many there may be.
_WANTED = """
(meeting.starts_at >= $1
    OR meeting.starts_at IS NULL AND meeting.previous_starts_local >= $2)
AND (meeting.date_precision IN ('time', 'day') OR $3::boolean AND meeting.rough_on IS NOT NULL)
AND ($4::boolean OR meeting.state <> 'tentative' OR meeting.date_precision IN ('week', 'month'))
AND (meeting.state NOT IN ('cancelled', 'postponed')
    OR coalesce(meeting.starts_local, meeting.previous_starts_local) >= $5)
"""
_IN_ORDER = """
ORDER BY coalesce(meeting.starts_local, meeting.previous_starts_local), meeting.uid LIMIT $6
"""
_OF_GROUPS = """
EXISTS (SELECT FROM meeting_group
    WHERE meeting_group.meeting_id = meeting.id AND meeting_group.group_id = ANY($7))
"""
_PUBLIC = f"""SELECT string_agg(head, ''::bytea) FROM (SELECT {_HEAD} AS head FROM meeting
WHERE meeting.state <> 'draft' AND meeting.visibility = 'public' AND {_WANTED}
    AND ($7::uuid[] IS NULL OR {_OF_GROUPS})
{_IN_ORDER}) AS heads
"""
_OF_OFFICE = f"""SELECT string_agg(head, ''::bytea) FROM (SELECT {_HEAD} AS head FROM meeting
WHERE {_WANTED} AND ($7::uuid[] IS NULL OR {_OF_GROUPS})
    AND ($8::boolean OR meeting.state <> 'draft')
{_IN_ORDER}) AS heads
"""
# Whoever belongs to a group sees its dates before an invitation leaves, but no internal ones.
# Groups that were chosen take the place of the own ones; of others the public dates are shown.
_OF_PERSON = f"""SELECT {_HEAD} AS head, meeting.changed_at, meeting.state, meeting.starts_local,
    meeting.mode, meeting.town,
    invitation.state AS invitation_state, invitation.channel, invitation.answer,
    invitation.deputy_name, invitation.given_starts_local,
    invitation.given_mode, invitation.given_town, invitation.answered_at,
    meeting.kept_answers, meeting.asked_again_at,
    greatest(invitation.changed_at, date_trunc('second', invitation.invited_at))
        AS answer_changed_at
FROM meeting
LEFT JOIN invitation ON invitation.meeting_id = meeting.id AND invitation.person_id = $8
WHERE meeting.state <> 'draft' AND {_WANTED}
    AND invitation.state IS DISTINCT FROM 'uninvited'
    AND ($7::uuid[] IS NULL OR {_OF_GROUPS}) AND (
    invitation.state = 'invited'
    OR $7::uuid[] IS NOT NULL AND meeting.visibility = 'public'
    OR meeting.visibility <> 'internal' AND EXISTS (
        SELECT FROM meeting_group mg JOIN working_group g ON g.id = mg.group_id
        WHERE mg.meeting_id = meeting.id AND (g.is_everybody OR EXISTS (
            SELECT FROM membership
            WHERE membership.group_id = g.id AND membership.person_id = $8
                AND membership.from_on
                    <= coalesce(meeting.starts_local, meeting.previous_starts_local)
                AND (membership.to_on IS NULL OR membership.to_on
                    >= coalesce(meeting.starts_local, meeting.previous_starts_local)::date)))))
{_IN_ORDER}
"""
_BY_IDS = f"{SELECT} FROM meeting WHERE meeting.id = ANY($1)"
# Entries name their groups, and a group may get another name without its meetings changing.
_NAMES = """
SELECT md5(coalesce(string_agg(concat_ws('|', id, slug, name, heading, position), '/'
    ORDER BY id), '')) FROM working_group
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which meetings a feed holds, whoever reads it; `group_ids` None leaves all.

    `fallen_since` is the first day of which cancelled and postponed ones are shown, None for none.
    """

    window_on: date
    zone: ZoneInfo
    rough: bool
    tentative: bool
    fallen_since: date | None
    limit: int
    group_ids: tuple[UUID, ...] | None = None

    def values(self) -> tuple[object, ...]:
        """Return the first seven parameters of the statements."""
        local = datetime.combine(self.window_on, time.min)
        at = local.replace(tzinfo=self.zone).astimezone(UTC)
        since = self.fallen_since and datetime.combine(self.fallen_since, time.min)
        return at, local, self.rough, self.tentative, since, self.limit, self.group_ids


async def list_public(connection: Connection, wanted: Wanted) -> list[bytes]:
    """Return the heads of what anybody may see, by start and UID."""
    return _split(await connection.fetchval(_PUBLIC, *wanted.values()))


async def list_of_office(
    connection: Connection, wanted: Wanted, *, with_drafts: bool
) -> list[bytes]:
    """Return the heads of all meetings with a date, internal ones included."""
    return _split(await connection.fetchval(_OF_OFFICE, *wanted.values(), with_drafts))


async def list_of_person(connection: Connection, wanted: Wanted, person_id: UUID) -> list[Record]:
    """Return the heads of what one person is invited to or sees as a member, with the answers."""
    rows: list[Record] = await connection.fetch(_OF_PERSON, *wanted.values(), person_id)
    return rows


def id_bytes(head: bytes) -> bytes:
    """Return which meeting a head is of."""
    return head[:_ID_BYTES]


async def load(connection: Connection, meeting_ids: Collection[UUID]) -> dict[UUID, ShownMeeting]:
    """Return whole meetings by their ids; one that is gone is missing."""
    if not meeting_ids:
        return {}
    rows = await connection.fetch(_BY_IDS, list(meeting_ids))
    return {row["id"]: from_row(row) for row in rows}


async def find_names(connection: Connection) -> str:
    """Return a fingerprint of the names that entries take from their groups."""
    found: str = await connection.fetchval(_NAMES)
    return found


def from_row(row: Record) -> ShownMeeting:
    """Read one row of a statement that begins with `SELECT`."""
    values: dict[str, Any] = {name: row[name] for name in _OWN_COLUMNS}
    groups = tuple(GroupName(*triple) for triple in row["groups"] or ())
    return ShownMeeting(**values, groups=groups)


def own_answer(row: Record) -> OwnAnswer | None:
    """Read the answer in a head of a person's feed, None for whoever was never on the list."""
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


def _split(heads: bytes | None) -> list[bytes]:
    heads = heads or b""
    return [heads[at : at + _HEAD_BYTES] for at in range(0, len(heads), _HEAD_BYTES)]
