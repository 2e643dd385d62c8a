"""Reminder rules as rows: whose they are, and which of them count where."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
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


class Origin(StrEnum):
    """Whose rule it is."""

    EVERYBODY = "everybody"
    GROUP = "group"
    SESSION = "session"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownRule:
    """A rule that counts in a scope; `is_own` is False where it comes from farther out.

    `copied_from` is the rule whose place it took when somebody made it the scope's own.
    """

    id: UUID
    rule: Rule
    is_enabled: bool
    is_own: bool
    origin: Origin = Origin.EVERYBODY
    copied_from: UUID | None = None
    revision: int = 1

    def goes_by(self, rule_id: UUID) -> bool:
        """Tell whether the id means this rule: its own, or the one that it is a copy of."""
        return rule_id in {self.id, self.copied_from}


async def add(
    connection: "Connection[Any]", rule: Rule, scope: Scope = EVERYBODY, *, is_enabled: bool = True
) -> UUID:
    """Add one rule as it is; return its id."""
    rule_id: UUID = await connection.fetchval(
        rule_statements.INSERT,
        *(scope.group_id, scope.meeting_id, *_values(rule), is_enabled, None, 1),
    )
    return rule_id


async def copy(connection: "Connection[Any]", known: KnownRule, scope: Scope) -> UUID:
    """Give the scope its own copy, with the slots of its sessions; return the copy's id."""
    copy_id: UUID = await connection.fetchval(
        rule_statements.INSERT,
        *(scope.group_id, scope.meeting_id, *_values(known.rule), known.is_enabled),
        *(known.id, known.revision),
    )
    await connection.execute(
        rule_statements.MOVE_SLOTS, known.id, copy_id, scope.meeting_id, scope.group_id
    )
    return copy_id


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
            rule=read(row),
            is_enabled=row["is_enabled"],
            is_own=(row["group_id"], row["meeting_id"]) == (scope.group_id, scope.meeting_id),
            origin=_ORIGINS[row["nearness"]],
            copied_from=row["copied_from"],
            revision=row["revision"],
        )
        for row in rows
    ]


_ORIGINS = {1: Origin.EVERYBODY, 2: Origin.GROUP, 3: Origin.SESSION}


async def keep_choice(connection: "Connection[Any]", rule: Rule) -> None:
    """Keep a time that somebody chose, once for all who choose it."""
    kind, audience, anchor, days, at, minutes, *_ = _values(rule)
    await connection.execute(rule_statements.KEEP_CHOICE, kind, audience, anchor, days, at, minutes)


async def choices(connection: "Connection[Any]", meeting_id: UUID) -> list[KnownRule]:
    """Return the times that people who are asked to a session chose for themselves."""
    rows = await connection.fetch(rule_statements.CHOICES, meeting_id)
    return [KnownRule(id=row["id"], rule=read(row), is_enabled=True, is_own=False) for row in rows]


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


def read(row: Mapping[str, Any]) -> Rule:
    """Return the rule of a row."""
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
