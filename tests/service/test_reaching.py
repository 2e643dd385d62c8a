"""Letters that wait for an address leave once it works: one about each session."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from notifications import addresses
from notifications.addresses import Verdict
from service import reaching
from service.database import Database
from tests import builders

# Letters are as old as the database says, which knows no other day than today.
NOW = datetime.now(UTC).replace(microsecond=0)
STARTS = (NOW + timedelta(days=30)).replace(hour=9, minute=0, second=0, tzinfo=None)
ADDRESS = "mira@example.org"


async def invited(database: Database, **more: Any) -> tuple[UUID, UUID]:
    """Return a person and a session that invites her."""
    person = await builders.a_person(database, email=ADDRESS)
    meeting = await builders.a_meeting(database, starts_local=STARTS)
    await builders.an_invitation(database, meeting, person, **more)
    return person["id"], meeting["id"]


async def a_letter(
    database: Database,
    of: tuple[UUID, UUID],
    kind: str,
    *,
    state: str = "held",
    reason: str | None = "undeliverable",
    expires_in: timedelta = timedelta(days=3000),
    to_addr: str | None = None,
) -> UUID:
    person, meeting = of
    number = await database.fetchval("SELECT count(*) FROM letter")
    letter = await database.fetchval(
        "INSERT INTO letter (dedupe_key, kind, recipient_id, subject_id, ordering_key, locale,"
        " to_addr, created_at) VALUES ($1, $2, $3, $4, 'k', 'de', $5,"
        " now() - interval '1 hour' + make_interval(mins => $6)) RETURNING id",
        f"{kind}:{number}",
        kind,
        person,
        meeting,
        to_addr,
        number,
    )
    await database.fetch(
        "INSERT INTO outbox (id, state, reason, ordering_key, expires_at, finished_at)"
        " VALUES ($1, $2, $3, 'k', now() + $4::interval, now())",
        letter,
        state,
        reason,
        expires_in,
    )
    return UUID(str(letter))


async def distrust(database: Database, at: datetime = NOW) -> None:
    async with database.unit_of_work() as unit:
        await addresses.note(
            unit.connection, ADDRESS, Verdict.HARD_CONFIRMED, letter_id=None, status="5.1.1", at=at
        )


async def standing(database: Database, letter_id: UUID) -> tuple[str, str | None]:
    row = await database.fetchrow("SELECT state, reason FROM outbox WHERE id = $1", letter_id)
    assert row is not None
    return row["state"], row["reason"]


async def trust(database: Database) -> None:
    async with database.unit_of_work() as unit:
        await addresses.clear(unit.connection, ADDRESS, by=None, at=datetime.now(UTC))


async def test_letters_stay_while_the_address_does_not_work(database: Database) -> None:
    of = await invited(database)
    held = await a_letter(database, of, "invitation")
    await distrust(database)

    assert await reaching.release(database, datetime.now(UTC)) == 0
    assert await standing(database, held) == ("held", "undeliverable")


@pytest.mark.parametrize(
    ("kinds", "leaves"),
    [
        (["invitation", "change", "reminder"], "invitation"),
        (["change", "cancellation", "reminder"], "cancellation"),
        (["nudge", "reminder"], "reminder"),
    ],
)
async def test_of_the_letters_about_a_session_one_leaves_and_the_others_are_replaced(
    database: Database, kinds: list[str], leaves: str
) -> None:
    of = await invited(database)
    held = {kind: await a_letter(database, of, kind) for kind in kinds}
    await distrust(database)
    await trust(database)

    count = await reaching.release(database, NOW)

    found = {kind: await standing(database, one) for kind, one in held.items()}
    expected = dict.fromkeys(kinds, ("cancelled", "replaced")) | {leaves: ("queued", None)}
    assert (1, expected) == (count, found)


async def test_a_corrected_address_lets_letters_go(database: Database) -> None:
    of = await invited(database)
    held = await a_letter(database, of, "invitation")
    await distrust(database)
    await database.fetch("UPDATE person SET email = 'm@x.example', email_normal = 'm@x.example'")

    await reaching.release(database, NOW)

    assert await standing(database, held) == ("queued", None)


async def test_what_is_too_late_by_then_does_not_leave(database: Database) -> None:
    of = await invited(database)
    held = await a_letter(database, of, "reminder", expires_in=timedelta(days=-1))

    await reaching.release(database, NOW)

    assert await standing(database, held) == ("expired", "expired")


async def test_an_answer_by_link_proves_the_address(database: Database) -> None:
    of = await invited(
        database, answer="online", answer_way="link", answered_at=NOW + timedelta(hours=1)
    )
    held = await a_letter(database, of, "reminder")
    await distrust(database)

    await reaching.release(database, NOW + timedelta(hours=2))

    assert await standing(database, held) == ("queued", None)


@pytest.mark.parametrize(("way", "hours"), [("phone", 1), ("link", -1)])
async def test_a_call_or_an_older_answer_proves_nothing(
    database: Database, way: str, hours: int
) -> None:
    await invited(
        database, answer="online", answer_way=way, answered_at=NOW + timedelta(hours=hours)
    )
    await distrust(database)

    assert await reaching.believe(database, NOW) == 0


async def test_a_refused_invitation_goes_once_more_to_a_corrected_address(
    database: Database,
) -> None:
    of = await invited(database)
    refused = await a_letter(
        database, of, "invitation", state="failed", reason="bounced", to_addr="mira@exmaple.org"
    )

    found = [await reaching.release(database, datetime.now(UTC)) for _ in range(2)]

    assert found == [1, 0]
    assert await standing(database, refused) == ("failed", "bounced")
    newest = "SELECT kind FROM letter ORDER BY created_at DESC LIMIT 1"
    assert await database.fetchval(newest) == "invitation"


async def test_a_refused_invitation_stays_while_the_address_is_the_same(
    database: Database,
) -> None:
    of = await invited(database)
    await a_letter(database, of, "invitation", state="failed", reason="bounced", to_addr=ADDRESS)
    await distrust(database)

    assert await reaching.release(database, datetime.now(UTC)) == 0
