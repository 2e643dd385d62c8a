"""Who did what and when, one row per change, written in the transaction of the change."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from asyncpg import Connection

_INSERT = """
INSERT INTO audit (actor_kind, actor_id, action, object_kind, object_id, details)
VALUES ($1, $2, $3, $4, $5, $6)
"""


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts: a signed-in account, an invited person, the clock, or a command on the server.

    `name` is for showing ("saved by"); it is never written to the audit.
    """

    kind: str
    id: UUID | None = None
    name: str = ""


CLOCK = Actor("clock")
COMMAND = Actor("command")


async def record(
    connection: "Connection[Any]",
    actor: Actor,
    action: str,
    object_kind: str,
    object_id: UUID | None,
    **details: Any,
) -> None:
    """Write one audit row; details hold field names and plain values, never free text of people."""
    await connection.execute(_INSERT, actor.kind, actor.id, action, object_kind, object_id, details)


async def record_many(
    connection: "Connection[Any]",
    actor: Actor,
    object_kind: str,
    rows: Sequence[tuple[str, UUID, dict[str, Any]]],
) -> None:
    """Write one row for each (action, object, details) in one round trip."""
    values = [
        (actor.kind, actor.id, action, object_kind, object_id, details)
        for action, object_id, details in rows
    ]
    await connection.executemany(_INSERT, values)
