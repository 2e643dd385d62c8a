"""Mail somebody the own links again, to the address that we hold and to no other."""

from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from asyncpg import Connection

from notifications import outbox
from service import finding
from service.database import Database
from service.tokens import Keys

KIND = "lost_links"
LETTERS_PER_HOUR = 2
LETTERS_PER_DAY = 5
LETTER_LIFE = timedelta(hours=6)

# One letter an address: people who share a mailbox stand in it together. The key admits one letter
# a minute whatever races; the counts do the rest.
_POST = """
SELECT 'lnk:' || found.first_id || ':' || to_char($2::timestamptz AT TIME ZONE 'UTC',
        'YYYYMMDDHH24MI'),
    'lost_links', found.first_id, NULL::uuid, 0, 0, 'lnk:' || found.first_id, found.locale,
    jsonb_build_object('persons', found.ids), 1::smallint, $2, $3::timestamptz, found.domain
FROM (
    SELECT (array_agg(id ORDER BY sort_key, id))[1] AS first_id,
        (array_agg(locale ORDER BY sort_key, id))[1] AS locale,
        jsonb_agg(id ORDER BY sort_key, id) AS ids,
        split_part(email_normal, '@', 2) AS domain
    FROM person
    WHERE {who} AND email IS NOT NULL AND ended_on IS NULL AND anonymised_at IS NULL
    GROUP BY email_normal
) found
WHERE (
    SELECT count(*) FILTER (WHERE l.created_at > $2 - interval '1 hour') < $4::int
        AND count(*) < $5::int
    FROM letter l
    WHERE l.recipient_id = found.first_id AND l.kind = 'lost_links'
        AND l.created_at > $2 - interval '1 day'
)
"""
_POST_BY_ADDRESS = _POST.format(who="email_normal = $1")
_POST_BY_PERSON = _POST.format(who="email_normal = (SELECT email_normal FROM person WHERE id = $1)")


async def mail_links(database: Database, address: str, now: datetime) -> None:
    """Mail all links of whoever has this address; nothing tells whether anybody has.

    At most two letters an hour and five a day leave for one address.
    """
    await _mail(database, _POST_BY_ADDRESS, address.strip().casefold(), now)


async def mail_links_to(database: Database, person_id: UUID, now: datetime) -> None:
    """Mail all links of a person to the registered address, under the same limits."""
    await _mail(database, _POST_BY_PERSON, person_id, now)


async def post_links_to(connection: "Connection[Any]", person_id: UUID, now: datetime) -> bool:
    """Do so within a transaction; False when there is no address, or the limits are reached."""
    return await _post(connection, _POST_BY_PERSON, person_id, now)


async def mail_links_by_token(database: Database, keys: Keys, token: str, now: datetime) -> None:
    """Mail all links of the person whom a private link is for, to the registered address."""
    view = await finding.find_invitation(database, keys, token, now)
    await mail_links_to(database, view.person_id, now)


async def _mail(database: Database, sql: str, who: object, now: datetime) -> None:
    async with database.unit_of_work() as unit:
        await _post(unit.connection, sql, who, now)


async def _post(connection: "Connection[Any]", sql: str, who: object, now: datetime) -> bool:
    limits = (now + LETTER_LIFE, LETTERS_PER_HOUR, LETTERS_PER_DAY)
    return await outbox.post_selected(connection, sql, who, now, *limits) > 0
