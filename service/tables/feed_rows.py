"""Rows of calendar addresses: made once, and followed by everything that readers would see.

A feed's `changed_at` never goes back and grows by a whole second at least: programs that ask
"changed since" compare seconds. Rows are locked in one order, the office's and the public one
first because every change has them: two transactions that touch many rows, even for several
meetings each, wait for each other instead of failing.
"""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from asyncpg import Connection

# Processes that keep feeds listen here, and look at the rows at once instead of within a second.
CHANNEL = "terminbuch_feeds"
_TELL = f"NOTIFY {CHANNEL}"

# A calendar that was fetched in a state no older than the session shows the session as it is.
_TOUCH_MEETING = """
UPDATE feed SET revision = revision + 1,
    changed_at = greatest(date_trunc('second', $2::timestamptz), changed_at + interval '1 second',
        (SELECT meeting.changed_at FROM meeting WHERE meeting.id = $1))
WHERE id IN (
    SELECT feed.id FROM feed WHERE feed.kind = 'office'
        OR EXISTS (SELECT FROM meeting WHERE meeting.id = $1 AND meeting.state <> 'draft') AND (
            feed.kind = 'public'
            OR feed.kind = 'group' AND feed.group_id IN (
                SELECT group_id FROM meeting_group WHERE meeting_id = $1)
            OR feed.kind = 'personal' AND feed.person_id IN (
                SELECT person_id FROM invitation WHERE meeting_id = $1
                UNION
                SELECT membership.person_id FROM membership
                JOIN meeting_group USING (group_id)
                WHERE meeting_group.meeting_id = $1 AND membership.to_on IS NULL)
            OR feed.kind = 'personal' AND feed.profile -> 'group_ids' ?| ARRAY(
                SELECT group_id::text FROM meeting_group WHERE meeting_id = $1)
            OR feed.kind = 'personal' AND EXISTS (
                SELECT FROM meeting_group
                JOIN working_group ON working_group.id = meeting_group.group_id
                WHERE meeting_group.meeting_id = $1 AND working_group.is_everybody))
    ORDER BY feed.kind = 'office' DESC, feed.kind = 'public' DESC, feed.id FOR UPDATE OF feed)
RETURNING id
"""

_TOUCH_PERSON = """
UPDATE feed SET revision = revision + 1,
    changed_at = greatest(date_trunc('second', $2::timestamptz), changed_at + interval '1 second')
WHERE person_id = $1 AND kind = 'personal'
RETURNING id
"""

_TOUCH_PEOPLE = """
UPDATE feed SET revision = revision + 1,
    changed_at = greatest(date_trunc('second', $2::timestamptz), changed_at + interval '1 second')
WHERE id IN (
    SELECT id FROM feed WHERE person_id = ANY ($1) AND kind = 'personal' ORDER BY id FOR UPDATE)
RETURNING id
"""

_TOUCH_ACCOUNT = """
UPDATE feed SET revision = revision + 1,
    changed_at = greatest(date_trunc('second', $2::timestamptz), changed_at + interval '1 second')
WHERE account_id = $1 AND kind = 'office'
RETURNING id
"""

_TOUCH_ALL = """
UPDATE feed SET revision = revision + 1,
    changed_at = greatest(date_trunc('second', $1::timestamptz), changed_at + interval '1 second')
WHERE id IN (
    SELECT id FROM feed ORDER BY kind = 'office' DESC, kind = 'public' DESC, id FOR UPDATE)
RETURNING id
"""

_ENSURE = (
    "INSERT INTO feed (kind) VALUES ('public') ON CONFLICT DO NOTHING",
    """
    INSERT INTO feed (kind, group_id) SELECT 'group', working_group.id FROM working_group
    WHERE NOT EXISTS (SELECT FROM feed
        WHERE feed.kind = 'group' AND feed.group_id = working_group.id)
    ON CONFLICT DO NOTHING
    """,
    """
    INSERT INTO feed (kind, person_id) SELECT 'personal', person.id FROM person
    WHERE person.ended_on IS NULL AND person.anonymised_at IS NULL
        AND NOT EXISTS (SELECT FROM feed
            WHERE feed.kind = 'personal' AND feed.person_id = person.id)
    ON CONFLICT DO NOTHING
    """,
    """
    INSERT INTO feed (kind, account_id) SELECT 'office', account.id FROM account
    WHERE account.role IN ('coordinator', 'admin') AND account.disabled_at IS NULL
        AND NOT EXISTS (SELECT FROM feed
            WHERE feed.kind = 'office' AND feed.account_id = account.id)
    ON CONFLICT DO NOTHING
    """,
)


async def touch_meeting(connection: Connection, meeting_id: UUID, now: datetime) -> Sequence[UUID]:
    """Raise every feed that shows or showed the meeting; return their ids.

    Call it after the meeting's own rows were saved. A draft touches the office's feeds only.
    """
    return [row["id"] for row in await connection.fetch(_TOUCH_MEETING, meeting_id, now)]


async def touch_person(connection: Connection, person_id: UUID, now: datetime) -> Sequence[UUID]:
    """Raise the person's own feed, as an answer does; return its id."""
    return [row["id"] for row in await connection.fetch(_TOUCH_PERSON, person_id, now)]


async def touch_people(
    connection: Connection, person_ids: Sequence[UUID], now: datetime
) -> Sequence[UUID]:
    """Raise the own feeds of several people at once; return their ids."""
    return [row["id"] for row in await connection.fetch(_TOUCH_PEOPLE, person_ids, now)]


async def touch_account(connection: Connection, account_id: UUID, now: datetime) -> Sequence[UUID]:
    """Raise the account's own feed, as the end of its access does; return its id."""
    return [row["id"] for row in await connection.fetch(_TOUCH_ACCOUNT, account_id, now)]


async def touch_all(connection: Connection, now: datetime) -> Sequence[UUID]:
    """Raise every feed, as a new name of the office does; return their ids."""
    return [row["id"] for row in await connection.fetch(_TOUCH_ALL, now)]


async def tell(connection: Connection) -> None:
    """Tell all processes after the commit that feeds moved on.

    For edits of the office only: a commit that tells waits for all others that do, so answers and
    letters do without, and are found by the look at the rows that comes every second.
    """
    await connection.execute(_TELL)


async def ensure(connection: Connection) -> None:
    """Make the missing rows: the public one, one a group, a person and an office account."""
    for statement in _ENSURE:
        await connection.execute(statement)
