"""What is forgotten, and when; what is younger stays."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from notifications import outbox
from service import housekeeping
from service.database import Database
from tests import builders
from tests.builders import insert
from tests.notifications.builders import a_letter, age, post

NOW = datetime.now(UTC).replace(microsecond=0)
DAY = timedelta(days=1)


async def _a_session(database: Database, account: UUID, ended: timedelta) -> None:
    ends_at = NOW - ended
    await insert(
        database,
        "staff_session",
        secret_hash=uuid4().bytes,
        account_id=account,
        form_key=b"k",
        created_at=ends_at,
        seen_at=ends_at,
        ends_at=ends_at,
    )


async def _a_link(database: Database, account: UUID, ended: timedelta) -> None:
    await insert(
        database,
        "one_time_token",
        purpose="sign_in",
        secret_hash=uuid4().bytes,
        account_id=account,
        created_at=NOW - ended,
        expires_at=NOW - ended,
    )


async def _ages(database: Database, table: str, column: str) -> list[timedelta]:
    rows = await database.fetch(f"SELECT {column} AS at FROM {table}")
    return [NOW - row["at"] for row in rows]


async def test_sessions_go_at_their_end_and_sign_in_links_a_week_later(database: Database) -> None:
    account = (await builders.an_account(database))["id"]
    for ended in (-DAY, DAY):
        await _a_session(database, account, ended)
    for ended in (6 * DAY, 8 * DAY):
        await _a_link(database, account, ended)
    await housekeeping.keep_house(database, NOW)

    assert [-DAY] == await _ages(database, "staff_session", "ends_at")
    assert [6 * DAY] == await _ages(database, "one_time_token", "expires_at")


async def test_what_is_old_goes_in_portions_however_much_it_is(database: Database) -> None:
    await database.fetch(
        "INSERT INTO one_time_token (purpose, secret_hash, created_at, expires_at)"
        " SELECT 'sign_in', sha256(n::text::bytea), $1, $1 FROM generate_series(1, $2::int) n",
        NOW - 8 * DAY,
        2 * outbox.FORGET_AT_ONCE + 1,
    )
    await housekeeping.forget_sign_ins(database, NOW)

    assert 0 == await database.fetchval("SELECT count(*) FROM one_time_token")


async def test_a_clean_up_that_fails_holds_up_no_other(database: Database) -> None:
    done = []

    async def fails(_database: Database, _now: datetime) -> None:
        done.append("fails")
        raise ZeroDivisionError

    async def works(_database: Database, _now: datetime) -> None:
        done.append("works")

    with pytest.raises(ZeroDivisionError):
        await housekeeping.in_turn([fails, works], database, NOW)

    assert ["fails", "works"] == done


async def test_every_clean_up_has_its_turn() -> None:
    written = {
        name for name in vars(housekeeping) if name.startswith(("forget_", "delete_", "purge"))
    }

    assert written == {work.__name__ for work in housekeeping.CLEAN_UPS} - {"purge"}


async def test_telephone_codes_go_a_week_after_their_end(database: Database) -> None:
    meeting = await builders.a_meeting(database)
    invitation = await builders.an_invitation(database, meeting)
    for ended in (6 * DAY, 8 * DAY):
        await insert(
            database,
            "phone_code",
            invitation_id=invitation["id"],
            meeting_id=meeting["id"],
            code_hash=uuid4().bytes,
            created_at=NOW - ended,
            expires_at=NOW - ended,
        )
    await housekeeping.keep_house(database, NOW)

    assert [6 * DAY] == await _ages(database, "phone_code", "expires_at")


async def test_letters_go_ninety_days_after_their_end(database: Database) -> None:
    old, young, waiting = await post(database, a_letter(1), a_letter(2), a_letter(3))
    await age(database, old, 91)
    await age(database, young, 89)
    await database.fetch(
        "UPDATE letter SET created_at = now() - interval '99 days' WHERE id = $1", waiting
    )
    await housekeeping.keep_house(database, NOW)

    rows = await database.fetch("SELECT id FROM letter ORDER BY created_at DESC")
    assert [young, waiting] == [row["id"] for row in rows]


async def test_a_report_of_a_barrier_is_forgotten_after_thirty_days(database: Database) -> None:
    cause = {"problem": "Ich sehe den Knopf nicht.", "email": "erika@example.org"}
    [hint] = await post(database, a_letter(kind="hint_received", recipient_id=None, cause=cause))
    await age(database, hint, 31)
    await housekeeping.keep_house(database, NOW)

    assert {} == await database.fetchval("SELECT cause FROM letter")


async def test_wordings_go_thirty_days_after_their_last_use_unless_a_letter_waits_for_them(
    database: Database,
) -> None:
    sent, held = await post(database, a_letter(1), a_letter(2))
    days = {b"young": 29, b"sent": 31, b"held": 31, b"alone": 31}
    for name, used in days.items():
        values = {"kind": "invitation", "locale": "de", "segments": {}}
        await insert(database, "prototype", sha256=name, used_at=NOW - used * DAY, **values)
    for letter, name in ((sent, b"sent"), (held, b"held")):
        await database.fetch("UPDATE letter SET prototype_sha256 = $2 WHERE id = $1", letter, name)
        await database.fetch("UPDATE outbox SET state = $2 WHERE id = $1", letter, name.decode())
    await age(database, sent, 31)
    await housekeeping.keep_house(database, NOW)

    kept = await database.fetch("SELECT sha256 FROM prototype ORDER BY sha256")
    assert [b"held", b"young"] == [row["sha256"] for row in kept]


async def test_the_clean_up_finds_old_letters_by_an_index(database: Database) -> None:
    """However many young letters there are, they are not read."""
    await database.fetch(
        "INSERT INTO letter (dedupe_key, kind, ordering_key, locale)"
        " SELECT 'k' || n, 'invitation', 'o', 'de' FROM generate_series(1, 20000) n"
    )
    await database.fetch("ANALYZE letter")
    plan = await database.fetch(
        "EXPLAIN SELECT id FROM letter WHERE created_at < now() - interval '90 days'"
    )

    assert any("letter_created" in row[0] for row in plan)


async def test_what_was_learnt_about_addresses_of_nobody_is_forgotten(database: Database) -> None:
    long_ago = NOW - timedelta(days=91)
    person = await builders.a_person(database, email="mira@example.org")
    for address in ("mira@example.org", "gone@example.org"):
        await builders.insert(
            database, "address_state", address_normal=address, state="soft", updated_at=long_ago
        )
    await builders.insert(
        database, "address_state", address_normal="new@example.org", state="soft", updated_at=NOW
    )
    for at in (long_ago, NOW):
        await builders.insert(
            database,
            "address_event",
            address_normal="mira@example.org",
            verdict="hard",
            happened_at=at,
        )
    await housekeeping.forget_addresses(database, NOW)

    kept = await database.fetch("SELECT address_normal FROM address_state ORDER BY 1")
    assert [person["email"], "new@example.org"] == [row["address_normal"] for row in kept]
    assert [NOW] == [
        row["happened_at"] for row in await database.fetch("SELECT happened_at FROM address_event")
    ]


async def test_the_last_fetch_of_a_calendar_is_forgotten_after_90_days(database: Database) -> None:
    for days in (89, 91):
        person = await builders.a_person(database)
        await insert(
            database,
            "feed",
            kind="personal",
            person_id=person["id"],
            last_fetch_on=(NOW - days * DAY).date(),
            client_family="Thunderbird",
            fetched_state_at=NOW - days * DAY,
        )

    await housekeeping.keep_house(database, NOW)
    rows = await database.fetch(
        "SELECT client_family, fetched_state_at IS NULL FROM feed ORDER BY last_fetch_on"
    )

    assert [("Thunderbird", False), ("", True)] == [tuple(row) for row in rows]


async def test_who_did_what_is_forgotten_after_a_year(database: Database) -> None:
    year = timedelta(days=365)
    for kept in (year + DAY, year - DAY, DAY):
        await database.fetch(
            "INSERT INTO audit (happened_at, actor_kind, action, object_kind)"
            " VALUES ($1, 'clock', 'held', 'meeting')",
            NOW - kept,
        )
    await housekeeping.keep_house(database, NOW)

    assert [year - DAY, DAY] == await _ages(database, "audit", "happened_at")


async def test_people_are_not_read_as_a_whole_for_each_address(database: Database) -> None:
    sql = housekeeping._FORGET_ADDRESSES
    async with database.reading() as connection:
        await connection.execute(f"PREPARE forget_addresses (timestamptz, bigint) AS {sql}")
        plan = await connection.fetch("EXPLAIN EXECUTE forget_addresses (now(), 1000)")
        await connection.execute("DEALLOCATE forget_addresses")

    assert "Anti Join" in str(plan)
    assert "SubPlan" not in str(plan)
