from service.database import Database


async def test_a_unit_of_work_is_committed(database: Database) -> None:
    async with database.unit_of_work() as unit:
        await unit.connection.execute("CREATE TABLE made (id int)")

    assert await database.fetchval("SELECT to_regclass('made') IS NOT NULL")
    await database.pool.execute("DROP TABLE made")
