"""Reminder rules as rows: whose they are, and which of them count where."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from asyncpg import Connection

from service.domain.reminders import Anchor, Audience, Kind, Rule
from service.tables import rule_statements


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What rules are for: one session, one group, or (neither) everybody."""

    group_id: UUID | None = None
    meeting_id: UUID | None = None

    def __post_init__(self) -> None:
        if self.group_id is not None and self.meeting_id is not None:
            raise ValueError("a scope is a group or a session")


EVERYBODY = Scope()


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownRule:
    """A rule that counts in a scope; `is_own` is False where it comes from farther out."""

    id: UUID
    rule: Rule
    is_enabled: bool
    is_own: bool


async def add(
    connection: "Connection[Any]", rule: Rule, scope: Scope = EVERYBODY, *, is_enabled: bool = True
) -> UUID:
    """Add one rule as it is; return its id."""
    rule_id: UUID = await connection.fetchval(
        rule_statements.INSERT, scope.group_id, scope.meeting_id, *_values(rule), is_enabled
    )
    return rule_id


async def change(
    connection: "Connection[Any]", rule_id: UUID, rule: Rule, *, is_enabled: bool
) -> None:
    """Write a rule anew."""
    await connection.execute(rule_statements.UPDATE, rule_id, *_values(rule), is_enabled)


async def load(
    connection: "Connection[Any]", scope: Scope, group_ids: Sequence[UUID]
) -> list[KnownRule]:
    """Return the rules that count in a scope which these groups' rules reach."""
    rows = await connection.fetch(rule_statements.IN_FORCE, scope.meeting_id, list(group_ids))
    return [
        KnownRule(
            id=row["id"],
            rule=_read(row),
            is_enabled=row["is_enabled"],
            is_own=(row["group_id"], row["meeting_id"]) == (scope.group_id, scope.meeting_id),
        )
        for row in rows
    ]


def _values(rule: Rule) -> tuple[Any, ...]:
    return (
        rule.kind.value,
        [audience.value for audience in rule.audience],
        rule.anchor.value,
        rule.days_before,
        rule.at_local_time,
        rule.minutes_before,
        rule.only_online,
        rule.min_days_invited,
    )


def _read(row: Mapping[str, Any]) -> Rule:
    return Rule(
        kind=Kind(row["kind"]),
        audience=tuple(Audience(word) for word in row["audience"]),
        anchor=Anchor(row["anchor"]),
        days_before=row["days_before"],
        at_local_time=row["at_local_time"],
        minutes_before=row["minutes_before"],
        only_online=row["only_online"],
        min_days_invited=row["min_days_invited"],
    )
