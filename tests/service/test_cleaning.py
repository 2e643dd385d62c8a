"""What lies between two tests: the rows of the first are gone."""

from service.database import Database
from tests import database as test_database


async def _count_rows(database: Database) -> dict[str, int]:
    tables = await database.fetch(test_database._TABLES)
    return {
        row["relname"]: await database.fetchval(f'SELECT count(*) FROM "{row["relname"]}"')
        for row in tables
    }


async def _fill(database: Database) -> None:
    async with database.unit_of_work() as unit:
        await unit.connection.execute(
            "WITH made AS (INSERT INTO account (email, email_normal, full_name, role)"
            " VALUES ('a@example.org', 'a@example.org', 'A', 'admin') RETURNING id)"
            " INSERT INTO staff_session (secret_hash, account_id, form_key, created_at, seen_at,"
            " ends_at) SELECT 'x', id, 'x', now(), now(), now() FROM made"
        )


def test_children_are_deleted_before_their_parents() -> None:
    links = [("invitation", "meeting"), ("reply", "invitation"), ("meeting", "place")]

    ordered = test_database._children_first(["invitation", "meeting", "place", "reply"], links)

    assert ordered == ["reply", "invitation", "meeting", "place"]


def test_tables_in_a_ring_are_all_deleted() -> None:
    ordered = test_database._children_first(["a", "b"], [("a", "b"), ("b", "a")])

    assert sorted(ordered) == ["a", "b"]


async def test_one_message_empties_every_table_but_the_record_of_migrations(
    database: Database,
) -> None:
    await _fill(database)
    assert (await _count_rows(database))["staff_session"] == 1

    cleaning = await test_database.compose_cleaning(database.dsn)
    async with database.reading() as connection:
        await connection.execute(cleaning)

    assert set((await _count_rows(database)).values()) == {0}
    assert await database.fetchval("SELECT count(*) FROM migration") > 0
    assert await database.pending_migrations() == []
