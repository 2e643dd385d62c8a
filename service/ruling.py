"""Say who is reminded when: rules for everybody, for one group, for one session.

The nearest rules of a kind count. Whoever changes a rule in a nearer scope gets own copies of all
that counted there, so that the others stay as they were. A rule that is switched off counts too:
it says that nothing is sent. What a rule has already sent for a date it never sends again, and
neither do its copies.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from asyncpg import Connection

from service import auditing, reminding
from service.auditing import Actor
from service.database import Database
from service.domain import authority as rights
from service.domain.authority import EVERYTHING, Authority
from service.domain.errors import NotFoundError, StaleFormError
from service.domain.reminders import Kind, Rule
from service.reminding import Occasion, PlannedLetters
from service.tables import rule_rows, rule_statements
from service.tables.rule_rows import EVERYBODY, KnownRule, Origin, Scope

__all__ = [
    "EVERYBODY",
    "NO_TICKS",
    "KnownRule",
    "Origin",
    "RuleBook",
    "Scope",
    "Ticks",
    "find_rule",
    "inherit_rules",
    "list_rules",
    "open_book",
    "rehearse_inheriting",
    "rehearse_rule",
    "save_rule",
    "switch_rule",
    "tick_rules",
]

# A switched rule is the rule that it was.
_AS_IT_IS = None


@dataclass(frozen=True, slots=True)
class Nearer:
    """A group or session with own rules of these kinds: farther rules do not count there."""

    group_id: UUID | None
    meeting_id: UUID | None
    name: str
    kinds: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleBook:
    """The rules that count in a scope and its name; for one session, its groups and its slots.

    `nearer` has rules of its own.
    """

    scope: Scope
    name: str
    rules: tuple[KnownRule, ...]
    groups: tuple[tuple[UUID, str], ...] = ()
    slots: tuple[PlannedLetters, ...] = ()
    nearer: tuple[Nearer, ...] = ()

    @property
    def has_own(self) -> bool:
        """Tell whether there is anything to go back from."""
        return self.scope != EVERYBODY and any(each.is_own for each in self.rules)

    def find(self, rule_id: UUID) -> KnownRule:
        """Return the rule that the id means here; raises `NotFoundError`."""
        for each in self.rules:
            if each.goes_by(rule_id):
                return each
        raise NotFoundError


@dataclass(frozen=True, slots=True)
class Ticks:
    """What a form showed as switched on, and what was ticked when it was sent.

    Only what somebody has changed is saved: what others have switched meanwhile stays.
    """

    shown_on: frozenset[UUID] = frozenset()
    ticked: frozenset[UUID] = frozenset()

    def wish_for(self, known: KnownRule) -> bool | None:
        """Return whether the rule is to be on from now, None where the form leaves it."""
        names = {known.id, known.copied_from}
        wish = not names.isdisjoint(self.ticked)
        was = not names.isdisjoint(self.shown_on)
        return None if wish is was or wish is known.is_enabled else wish


NO_TICKS = Ticks()


@dataclass(frozen=True, slots=True)
class _Desk:
    """A locked scope and the rules that count there, on one connection."""

    connection: "Connection[Any]"
    actor: Actor
    scope: Scope
    group_ids: Sequence[UUID]
    known: Sequence[KnownRule]
    now: datetime


async def list_rules(
    database: Database, scope: Scope = EVERYBODY, *, authority: Authority = EVERYTHING
) -> list[KnownRule]:
    """Return the rules that count in a scope, own and inherited, nudges first."""
    return list((await open_book(database, scope, authority=authority)).rules)


async def open_book(
    database: Database, scope: Scope = EVERYBODY, *, authority: Authority = EVERYTHING
) -> RuleBook:
    """Return what counts in a scope and, for a session, what is planned there.

    Raises NotFoundError for a scope that is not there or not this account's.
    """
    async with database.reading() as connection:
        name, group_ids = await _reach(connection, scope, authority)
        groups = await connection.fetch(rule_statements.GROUPS, scope.meeting_id)
        return RuleBook(
            scope=scope,
            name=name,
            rules=tuple(await rule_rows.load(connection, scope, group_ids)),
            groups=tuple((row["id"], row["name"]) for row in groups),
            slots=await _slots(database, scope),
            nearer=await _nearer(connection, scope),
        )


async def _nearer(connection: "Connection[Any]", scope: Scope) -> tuple[Nearer, ...]:
    if scope.meeting_id is not None:
        return ()
    rows = await connection.fetch(rule_statements.NEARER, scope.group_id)
    return tuple(Nearer(*row) for row in rows)


async def find_rule(
    database: Database, scope: Scope, rule_id: UUID, *, authority: Authority = EVERYTHING
) -> KnownRule:
    """Return one rule that counts in a scope; raises NotFoundError."""
    return (await open_book(database, scope, authority=authority)).find(rule_id)


async def save_rule(
    database: Database,
    actor: Actor,
    scope: Scope,
    rule: Rule,
    now: datetime,
    *,
    rule_id: UUID | None = None,
    is_enabled: bool = True,
    seen_revision: int | None = None,
    authority: Authority = EVERYTHING,
) -> UUID:
    """Save a rule in a scope and plan its reminders; `rule_id` None adds one. Return its id.

    An inherited rule is not changed: the scope gets its own copies first. A rule that is there
    already is not added twice. Raises NotFoundError for a foreign scope, or a rule that does not
    count there; StaleFormError when somebody saved it after `seen_revision`.
    """
    async with database.unit_of_work() as unit:
        desk = await _sit_down(unit.connection, actor, scope, authority, now)
        return await _save(desk, rule_id, rule, is_enabled=is_enabled, seen=seen_revision)


async def switch_rule(
    database: Database,
    actor: Actor,
    scope: Scope,
    rule_id: UUID,
    now: datetime,
    *,
    is_enabled: bool,
    seen_revision: int | None = None,
    authority: Authority = EVERYTHING,
) -> UUID:
    """Switch a rule on or off in a scope; else as `save_rule`."""
    async with database.unit_of_work() as unit:
        desk = await _sit_down(unit.connection, actor, scope, authority, now)
        return await _save(desk, rule_id, _AS_IT_IS, is_enabled=is_enabled, seen=seen_revision)


async def rehearse_rule(
    database: Database,
    actor: Actor,
    scope: Scope,
    rule: Rule,
    now: datetime,
    *,
    rule_id: UUID | None = None,
    is_enabled: bool = True,
    authority: Authority = EVERYTHING,
) -> RuleBook:
    """Return what would count and be planned after `save_rule`; write nothing."""
    async with database.rehearsal() as unit:
        desk = await _sit_down(unit.connection, actor, scope, authority, now)
        await _save(desk, rule_id, rule, is_enabled=is_enabled, seen=None)
        return await open_book(database, scope)


async def inherit_rules(
    database: Database,
    actor: Actor,
    scope: Scope,
    now: datetime,
    *,
    authority: Authority = EVERYTHING,
) -> None:
    """Drop the own rules of a group or session, so that those from farther out count again.

    Slots of copies go back to the rules that they were copied from, those of added rules go with
    them; letters that left stay in the log.
    """
    async with database.unit_of_work() as unit:
        await _inherit(await _sit_down(unit.connection, actor, scope, authority, now))


async def rehearse_inheriting(
    database: Database,
    actor: Actor,
    scope: Scope,
    now: datetime,
    *,
    authority: Authority = EVERYTHING,
) -> RuleBook:
    """Return what would count and be planned after `inherit_rules`; write nothing."""
    async with database.rehearsal() as unit:
        await _inherit(await _sit_down(unit.connection, actor, scope, authority, now))
        return await open_book(database, scope)


async def tick_rules(
    connection: "Connection[Any]", actor: Actor, scope: Scope, ticks: Ticks, now: datetime
) -> int:
    """Switch a scope's rules as its form says, in the caller's transaction; return how many.

    The caller has checked the right to change them, and holds a session's lock.
    """
    if ticks.shown_on == ticks.ticked:
        return 0
    desk = await _sit_down(connection, actor, scope, EVERYTHING, now)
    wishes = {each.id: ticks.wish_for(each) for each in desk.known}
    changed = [each for each in desk.known if wishes[each.id] is not None]
    for kind in {each.rule.kind for each in changed}:
        own = await _make_own(desk, kind)
        for each in changed:
            if each.rule.kind is kind:
                await rule_rows.change(
                    connection, own[each.id], each.rule, is_enabled=bool(wishes[each.id])
                )
        await _note(desk, "saved_rule", kind)
    if changed:
        await _plan(desk)
    return len(changed)


async def _sit_down(
    connection: "Connection[Any]", actor: Actor, scope: Scope, authority: Authority, now: datetime
) -> _Desk:
    """Let one editor at a time change a scope."""
    if scope.meeting_id is not None:
        await connection.fetch(rule_statements.LOCK_MEETING, scope.meeting_id)
    elif scope.group_id is not None:
        await connection.fetch(rule_statements.LOCK_GROUP, scope.group_id)
    else:
        await connection.fetch(rule_statements.LOCK_GLOBAL)
    _, group_ids = await _reach(connection, scope, authority)
    known = await rule_rows.load(connection, scope, group_ids)
    return _Desk(connection, actor, scope, group_ids, known, now)


async def _reach(
    connection: "Connection[Any]", scope: Scope, authority: Authority
) -> tuple[str, Sequence[UUID]]:
    """Return a scope's name and the groups whose rules reach it; refuse a foreign one."""
    name = ""
    group_ids: Sequence[UUID] = ()
    if scope.meeting_id is not None:
        row = await connection.fetchrow(rule_statements.GROUPS_OF_MEETING, scope.meeting_id)
        if row is None:
            raise NotFoundError
        name, group_ids = row["name"], row["group_ids"]
    elif scope.group_id is not None:
        name = await connection.fetchval(rule_statements.GROUP, scope.group_id)
        if name is None:
            raise NotFoundError
        group_ids = (scope.group_id,)
    rights.require_change(authority, group_ids)
    return name, group_ids


async def _slots(database: Database, scope: Scope) -> tuple[PlannedLetters, ...]:
    if scope.meeting_id is None:
        return ()
    return tuple(await reminding.planned_letters(database, scope.meeting_id))


async def _save(
    desk: _Desk, rule_id: UUID | None, rule: Rule | None, *, is_enabled: bool, seen: int | None
) -> UUID:
    """Save a rule, or as it is by None, beside own copies of the others of its kind."""
    known = await _find(desk, rule_id, rule, seen)
    rule = rule or (known.rule if known else None)
    if rule is None:
        raise NotFoundError
    own = await _make_own(desk, (known.rule if known else rule).kind)
    if known is None:
        saved = await rule_rows.add(desk.connection, rule, desk.scope, is_enabled=is_enabled)
    else:
        saved = own[known.id]
        await rule_rows.change(desk.connection, saved, rule, is_enabled=is_enabled)
    await _note(desk, "saved_rule", rule.kind)
    await _plan(desk)
    return saved


async def _find(
    desk: _Desk, rule_id: UUID | None, rule: Rule | None, seen: int | None
) -> KnownRule | None:
    """Find the rule that is meant; a new one that is there already is that one."""
    if rule_id is None:
        return next((each for each in desk.known if each.rule == rule), None)
    known = next((each for each in desk.known if each.goes_by(rule_id)), None)
    if seen is not None and (known is None or known.revision != seen):
        last = await desk.connection.fetchrow(
            rule_statements.LAST_SAVED, desk.scope.meeting_id, list(desk.group_ids)
        )
        if last is not None:
            raise StaleFormError(at=last["at"], by=last["by"])
    if known is None:
        raise NotFoundError
    return known


async def _make_own(desk: _Desk, kind: Kind) -> Mapping[UUID, UUID]:
    """Copy what is inherited of a kind into the scope; return where each rule is found there."""
    found = {}
    for each in desk.known:
        if each.rule.kind is kind:
            found[each.id] = (
                each.id if each.is_own else await rule_rows.copy(desk.connection, each, desk.scope)
            )
    return found


async def _inherit(desk: _Desk) -> None:
    if desk.scope == EVERYBODY:
        raise NotFoundError
    for statement in (
        rule_statements.GIVE_SLOTS_BACK,
        rule_statements.KEEP_LINEAGE,
        rule_statements.DELETE_OWN,
    ):
        await desk.connection.execute(statement, desk.scope.meeting_id, desk.scope.group_id)
    await _note(desk, "dropped_rules")
    await _plan(desk)


async def _plan(desk: _Desk) -> None:
    """Let the slots follow; what a rule plans for an instant that lies behind is left out."""
    for row in await desk.connection.fetch(
        rule_statements.MEETINGS, desk.scope.meeting_id, desk.scope.group_id, desk.now
    ):
        await reminding.plan_slots(desk.connection, row["id"], desk.now, Occasion.RULE)


async def _note(desk: _Desk, action: str, kind: str = "") -> None:
    scope = desk.scope
    object_kind = "meeting" if scope.meeting_id else "group" if scope.group_id else "instance"
    object_id = scope.meeting_id or scope.group_id
    await auditing.record(
        desk.connection, desk.actor, action, object_kind, object_id, kind=str(kind)
    )
