"""Say who is reminded when: rules for everybody, for one group, for one session.

The nearest rules of a kind count. Whoever changes a rule in a nearer scope gets own copies of all
that counted there, so that the others stay as they were. A rule that is switched off counts too:
it says that nothing is sent. What a rule has already sent for a date it never sends again.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from asyncpg import Connection

from service import auditing, reminding
from service.auditing import Actor
from service.database import Database
from service.domain import authority as rights
from service.domain.authority import EVERYTHING, Authority
from service.domain.errors import NotFoundError
from service.domain.reminders import Kind, Rule
from service.tables import rule_rows, rule_statements
from service.tables.rule_rows import EVERYBODY, KnownRule, Scope

__all__ = ["EVERYBODY", "KnownRule", "Scope", "inherit_rules", "list_rules", "save_rule"]


async def list_rules(
    database: Database, scope: Scope = EVERYBODY, *, authority: Authority = EVERYTHING
) -> list[KnownRule]:
    """Return the rules that count in a scope, own and inherited, nudges first."""
    async with database.unit_of_work() as unit:
        return await rule_rows.load(
            unit.connection, scope, await _lock(unit.connection, scope, authority)
        )


async def save_rule(
    database: Database,
    actor: Actor,
    scope: Scope,
    rule: Rule,
    now: datetime,
    *,
    rule_id: UUID | None = None,
    is_enabled: bool = True,
    authority: Authority = EVERYTHING,
) -> UUID:
    """Save a rule in a scope and plan its reminders; `rule_id` None adds one. Return its id.

    An inherited rule is not changed: the scope gets its own copies first. Raises NotFoundError for
    a foreign scope, or a rule that does not count there.
    """
    async with database.unit_of_work() as unit:
        connection = unit.connection
        group_ids = await _lock(connection, scope, authority)
        own = await _make_own(
            connection, scope, await rule_rows.load(connection, scope, group_ids), rule.kind
        )
        if rule_id is None:
            saved = await rule_rows.add(connection, rule, scope, is_enabled=is_enabled)
        elif rule_id in own:
            saved = own[rule_id]
            await rule_rows.change(connection, saved, rule, is_enabled=is_enabled)
        else:
            raise NotFoundError
        await _note(connection, actor, scope, "saved_rule", rule.kind)
        await _plan(connection, scope, now)
        return saved


async def inherit_rules(
    database: Database,
    actor: Actor,
    scope: Scope,
    now: datetime,
    *,
    authority: Authority = EVERYTHING,
) -> None:
    """Drop the own rules of a group or session, so that those from farther out count again.

    Their slots go with them; letters that left stay in the log.
    """
    if scope == EVERYBODY:
        raise NotFoundError
    async with database.unit_of_work() as unit:
        await _lock(unit.connection, scope, authority)
        await unit.connection.execute(rule_statements.DELETE_OWN, scope.meeting_id, scope.group_id)
        await _note(unit.connection, actor, scope, "dropped_rules")
        await _plan(unit.connection, scope, now)


async def _lock(
    connection: "Connection[Any]", scope: Scope, authority: Authority
) -> Sequence[UUID]:
    """Let one editor at a time change a scope; return the groups whose rules reach it."""
    group_ids: Sequence[UUID] = ()
    if scope.meeting_id is not None:
        row = await connection.fetchrow(rule_statements.GROUPS_OF_MEETING, scope.meeting_id)
        if row is None:
            raise NotFoundError
        group_ids = row["group_ids"]
    elif scope.group_id is not None:
        if await connection.fetchval(rule_statements.GROUP, scope.group_id) is None:
            raise NotFoundError
        group_ids = [scope.group_id]
    else:
        await connection.fetch(rule_statements.LOCK_GLOBAL)
    rights.require_change(authority, group_ids)
    return group_ids


async def _make_own(
    connection: "Connection[Any]", scope: Scope, known: Sequence[KnownRule], kind: Kind
) -> Mapping[UUID, UUID]:
    """Copy what is inherited of a kind into the scope; return where each rule is found there."""
    found = {}
    for each in known:
        if each.rule.kind is kind:
            found[each.id] = each.id
            if not each.is_own:
                found[each.id] = await rule_rows.add(
                    connection, each.rule, scope, is_enabled=each.is_enabled
                )
    return found


async def _plan(connection: "Connection[Any]", scope: Scope, now: datetime) -> None:
    for row in await connection.fetch(
        rule_statements.MEETINGS, scope.meeting_id, scope.group_id, now
    ):
        await reminding.plan_slots(connection, row["id"], now)


async def _note(
    connection: "Connection[Any]", actor: Actor, scope: Scope, action: str, kind: str = ""
) -> None:
    object_kind = "meeting" if scope.meeting_id else "group" if scope.group_id else "instance"
    object_id = scope.meeting_id or scope.group_id
    await auditing.record(connection, actor, action, object_kind, object_id, kind=str(kind))
