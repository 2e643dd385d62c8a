"""The classes mirror the database; the migration is the truth."""

from piccolo.columns import Array, ForeignKey
from piccolo.columns.base import Column

from service.database import Database
from service.tables import TABLES

_COLUMNS = """
SELECT table_name, column_name, udt_name, is_nullable = 'YES' AS is_nullable
FROM information_schema.columns
WHERE table_schema = 'public' AND table_name = ANY ($1::text[])
"""
_NAMES = {
    "BIGINT": "int8",
    "BIGSERIAL": "int8",
    "BOOLEAN": "bool",
    "INTEGER": "int4",
    "REAL": "float4",
    "SMALLINT": "int2",
    "TIMESTAMP WITH TIME ZONE": "timestamptz",
}


def type_of(column: Column) -> str:
    """Return the column's type as the database's catalogue writes it."""
    if isinstance(column, Array):
        return f"_{type_of(column.base_column)}"
    if isinstance(column, ForeignKey):
        return type_of(column._foreign_key_meta.resolved_references._meta.primary_key)
    return _NAMES.get(column.column_type, column.column_type.lower())


async def test_every_class_has_the_columns_that_the_database_has(database: Database) -> None:
    rows = await database.fetch(_COLUMNS, [table._meta.tablename for table in TABLES])
    in_database = {tuple(row.values()) for row in rows}
    in_code = {
        (table._meta.tablename, column._meta.db_column_name, type_of(column), column._meta.null)
        for table in TABLES
        for column in table._meta.columns
    }

    assert in_code == in_database


async def test_every_table_of_the_service_has_a_class(database: Database) -> None:
    source = await database.fetch(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    )
    of_others = {
        "migration", "prototype", "letter", "letter_subject", "outbox", "mail_attempt",
        "relay_state", "relay_slot", "relay_worker", "address_state", "address_event", "mail_event",
        "mailbox_cursor",
    }  # fmt: skip
    in_database = {row["relname"] for row in source} - of_others

    assert {table._meta.tablename for table in TABLES} == in_database
