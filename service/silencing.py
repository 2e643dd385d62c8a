"""End a group's reminders by one press, and take them up again.

What asks and reminds people is switched off rule by rule, so that the group's rules go on saying
what counts. Invitations, changes and cancellations are no reminders, and the office's summaries
are for the office. Sessions with rules of their own and people with times of their own keep them.
"""

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from asyncpg import Connection

from service import auditing, reminding, ruling
from service.auditing import Actor
from service.database import Database
from service.domain.authority import EVERYTHING, Authority
from service.domain.reminders import Kind
from service.reminding import PlannedLetters
from service.ruling import KnownRule, RuleBook, Scope, Ticks
from service.tables import rule_statements

_SPEAKING = frozenset({Kind.NUDGE, Kind.REMINDER})


@dataclass(frozen=True, slots=True)
class Mailing:
    """One planned mailing of a session."""

    meeting_id: UUID
    title: str
    slot: PlannedLetters


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What a press would do: the rules that it turns, and the mailings that go or come by it."""

    book: RuleBook
    rules: tuple[KnownRule, ...]
    mailings: tuple[Mailing, ...]


def is_silent(book: RuleBook) -> bool:
    """Tell whether all that asks and reminds people is off here, though there is something."""
    rules = [each for each in book.rules if each.rule.kind in _SPEAKING]
    return bool(rules) and not any(each.is_enabled for each in rules)


def can_silence(book: RuleBook) -> bool:
    """Tell whether anything asks or reminds people here."""
    return any(each.is_enabled for each in book.rules if each.rule.kind in _SPEAKING)


async def silence(
    database: Database,
    actor: Actor,
    group_id: UUID,
    now: datetime,
    *,
    authority: Authority = EVERYTHING,
) -> int:
    """Switch off all rules of a group that speak to people; return how many, or `NotFoundError`."""
    async with database.unit_of_work() as unit:
        return await _turn(database, unit.connection, actor, group_id, now, authority)


async def wake(
    database: Database,
    actor: Actor,
    group_id: UUID,
    now: datetime,
    *,
    authority: Authority = EVERYTHING,
) -> int:
    """Switch on again what `silence` switched off; where nothing is known of that, all of them.

    Return how many. What fell due meanwhile is not sent late. Raise `NotFoundError`.
    """
    async with database.unit_of_work() as unit:
        return await _turn(database, unit.connection, actor, group_id, now, authority, on=True)


async def rehearse(
    database: Database,
    actor: Actor,
    group_id: UUID,
    now: datetime,
    *,
    on: bool,
    authority: Authority = EVERYTHING,
) -> Outlook:
    """Return what `silence`, or `wake` with `on`, would do; write nothing."""
    async with database.rehearsal() as unit:
        book = await ruling.open_book(database, Scope(group_id=group_id), authority=authority)
        rules = await _meant(unit.connection, book, on=on)
        before = await _planned(database, group_id, now)
        await _turn(database, unit.connection, actor, group_id, now, authority, on=on)
        after = await _planned(database, group_id, now)
    changed = _beyond(after, before) if on else _beyond(before, after)
    return Outlook(book=book, rules=rules, mailings=changed)


async def _turn(  # noqa: PLR0917 - who turns what
    database: Database,
    connection: "Connection[Any]",
    actor: Actor,
    group_id: UUID,
    now: datetime,
    authority: Authority,
    *,
    on: bool = False,
) -> int:
    # Two presses at once: the second one finds what the first one left.
    await connection.fetch(rule_statements.LOCK_GROUP, group_id)
    scope = Scope(group_id=group_id)
    book = await ruling.open_book(database, scope, authority=authority)
    ids = frozenset(each.id for each in await _meant(connection, book, on=on))
    ticks = Ticks(ticked=ids) if on else Ticks(shown_on=ids)
    count = await ruling.tick_rules(connection, actor, scope, ticks, now)
    if count:
        action = "woken_rules" if on else "silenced_rules"
        rules = sorted(str(each) for each in ids)
        await auditing.record(connection, actor, action, "group", group_id, rules=rules)
    return count


async def _meant(
    connection: "Connection[Any]", book: RuleBook, *, on: bool
) -> tuple[KnownRule, ...]:
    """Return the rules that a press turns; one on takes what the last one off took."""
    rules = [
        each for each in book.rules if each.rule.kind in _SPEAKING and each.is_enabled is not on
    ]
    if not on:
        return tuple(rules)
    kept = await connection.fetchval(rule_statements.LAST_SILENCED, book.scope.group_id)
    ids = [UUID(each) for each in kept or ()]
    taken = [each for each in rules if any(each.goes_by(one) for one in ids)]
    return tuple(taken or rules)


async def _planned(database: Database, group_id: UUID, now: datetime) -> list[Mailing]:
    rows = await database.fetch(rule_statements.COMING_OF_GROUP, group_id, now)
    return [
        Mailing(row["id"], row["title"], slot)
        for row in rows
        for slot in await reminding.planned_letters(database, row["id"])
        if slot.state == "planned"
    ]


def _beyond(these: Collection[Mailing], those: Collection[Mailing]) -> tuple[Mailing, ...]:
    """Return what is planned in the one and not in the other, in order of time."""
    known = Counter(_key(each) for each in those)
    found = []
    for each in these:
        known[_key(each)] -= 1
        if known[_key(each)] < 0:
            found.append(each)
    return tuple(sorted(found, key=lambda each: each.slot.due_at))


def _key(one: Mailing) -> tuple[Any, ...]:
    return one.meeting_id, one.slot.due_at, one.slot.rule
