"""What is written as an array literal comes back as it was."""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import pytest

from notifications import arrays
from notifications.backoff import Phase
from service.database import Database

AT = datetime(2026, 11, 22, 23, 50, 0, 123456, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("text", ["", "NULL", None, 'a "b" \\ c', "{x,y}", " Müller,\n1 ", "\\x41", Phase.DOT]),
        ("int", [0, -1, None]),
        ("float8", [0.0, 0.1, 900.0]),
        ("bool", [True, False]),
        ("bytea", [b"", b'\x00\\"\xff']),
        ("uuid", [UUID(int=7)]),
        ("timestamptz", [AT, None]),
        ("jsonb", [{"name": 'Ä "x" \\ \n', "deputy": ""}, {}]),
        ("text", []),
    ],
)
async def test_values_survive_the_way_into_the_database(
    database: Database, kind: str, values: Sequence[object]
) -> None:
    sql = f"SELECT w.value FROM unnest($1::text::{kind}[]) AS w (value)"
    rows = await database.fetch(sql, arrays.write(values))

    assert values == [row["value"] for row in rows]
