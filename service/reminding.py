"""Plan reminders as visible slots and turn those that fall due into letters, once each.

A slot is one rule's due time for one meeting and one revision of its times (`time_rev`). Whoever
moves a meeting plans its slots anew in the same transaction; letters are keyed by meeting, rule,
`time_rev` and person, so that no number of workers and repeats sends one twice.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import partial
from typing import Any
from uuid import UUID

from asyncpg import Connection, Record

from notifications import combining, outbox
from service import copying, obstacles, passing_over
from service.database import Database
from service.domain import reminders
from service.domain.changes import MeetingFacts
from service.domain.reminders import Audience, Kind, Rule
from service.domain.words import Mode, State
from service.domain.working_days import IsHoliday
from service.obstacles import Region
from service.passing_over import Turn
from service.tables import (
    digest_statements,
    facts,
    notice_statements,
    reminder_statements,
    rule_rows,
    rule_statements,
    summary_statements,
)
from service.tables.rule_rows import KnownRule, Scope

# A day-based rule that falls due within this of the invitation is said by the invitation itself.
MERGED_WITHIN = timedelta(hours=24)
EXPANSION_SECONDS = 60
# The rest waits for the next run, a few seconds later.
MOST_AT_ONCE = 10_000


class Occasion(StrEnum):
    """What slots are planned for, named by what is said of those that lie behind already."""

    CHANGE = reminder_statements.MERGED_IN_CHANGE
    RULE = "rule_is_newer"


@dataclass(frozen=True, slots=True)
class PlannedLetters:
    """One slot as the session page shows it: when, what, to about how many, in which state.

    `is_choice` tells that people chose this time for themselves. Of the letters `unreachable` are
    to addresses that do not work; once they are written, the log says what became of them.
    """

    id: UUID
    rule_id: UUID
    rule: Rule
    is_choice: bool
    due_at: datetime
    state: str
    reason: str | None
    letters: int
    unreachable: int = 0

    @property
    def leaving(self) -> int:
        """About how many of its letters leave."""
        return self.letters - self.unreachable

    @property
    def kind(self) -> Kind:
        """The kind of its letters."""
        return self.rule.kind

    @property
    def audience(self) -> tuple[Audience, ...]:
        """Whom it is for."""
        return self.rule.audience


async def ensure_rules(connection: "Connection[Any]") -> None:
    """Insert the rules that everybody starts with, unless there are global rules already."""
    if await connection.fetchval(rule_statements.HAS_GLOBAL_RULES):
        return
    for rule in reminders.DEFAULT_RULES:
        await rule_rows.add(connection, rule)


async def add_rule(
    connection: "Connection[Any]",
    rule: Rule,
    *,
    group_id: UUID | None = None,
    meeting_id: UUID | None = None,
) -> UUID:
    """Add a rule for all sessions, one group's or one session's as it is; return its id.

    The office goes by `ruling.save_rule`, which keeps what was inherited.
    """
    return await rule_rows.add(connection, rule, Scope(group_id=group_id, meeting_id=meeting_id))


async def plan_slots(
    connection: "Connection[Any]",
    meeting_id: UUID,
    now: datetime,
    occasion: Occasion | None = None,
) -> None:
    """Plan the meeting's slots for its present times and rules; all others are cancelled.

    What has fired for these times stays fired. With an occasion, what lies behind from its first
    moment on is left out, and so is what the notice of a change says anyway; what was overdue
    before is sent late, and so is what fell due while a change waited that this one undoes. Call it
    in the transaction of the change, after its notice was put down.
    """
    row = await connection.fetchrow(reminder_statements.MEETING, meeting_id)
    if row is None:
        return
    meeting = facts.read(row)
    if meeting.state is not State.CONFIRMED:
        await connection.execute(reminder_statements.CANCEL_ALL, meeting_id)
        return
    undone_since = None
    if occasion is Occasion.CHANGE:
        undone_since = await _undo(connection, meeting_id, now)
    region = Region(row["holiday_country"], row["holiday_subdivision"])
    known = await rule_rows.load(connection, Scope(meeting_id=meeting_id), row["group_ids"])
    known += await rule_rows.choices(connection, meeting_id)
    due = list(_due(known, meeting, obstacles.is_holiday(region)))
    ids = [each.id for each, _, _ in due]
    await connection.execute(reminder_statements.CANCEL_OTHERS, meeting_id, row["time_rev"], ids)
    summed_up = [due_at for each, due_at, _ in due if each.rule.kind is Kind.SUMMARY]
    for each, due_at, not_after in due:
        is_summary = each.rule.kind is Kind.SUMMARY
        if is_summary and reminders.is_followed_soon(due_at, summed_up):
            fate: tuple[str, str | None] = "skipped", "summary_follows"
        else:
            fate = _fate(each.rule, due_at, not_after, row["invited_at"], now)
        await connection.execute(
            reminder_statements.PUT_SLOT,
            *(meeting_id, each.id, row["time_rev"], due_at, not_after, *fate, now, is_summary),
            reminders.asks_by_deadline(each.rule),
        )
    await connection.execute(
        reminder_statements.SKIP_LATE,
        *(meeting_id, now, occasion, notice_statements.CHANGES, MERGED_WITHIN),
        undone_since or now,
    )


async def _undo(connection: "Connection[Any]", meeting_id: UUID, now: datetime) -> datetime | None:
    """Let nothing be lost that fell due while a change was waiting that is undone at this moment.

    Return since when it was waiting, None where no change is undone.
    """
    since = await connection.fetchval(
        reminder_statements.UNDONE_SINCE, meeting_id, now, notice_statements.CHANGES
    )
    if since is not None:
        await connection.execute(reminder_statements.UNDO_MERGING, meeting_id, since, since)
    return since  # type: ignore[no-any-return]


async def undo_merging(
    connection: "Connection[Any]", meeting_id: UUID, since: datetime, now: datetime
) -> None:
    """Plan again what was left to the notice of a change that waited `since`: it was taken back."""
    await connection.execute(reminder_statements.UNDO_MERGING, meeting_id, now, since)
    await plan_slots(connection, meeting_id, now)


def _due(
    known: Iterable[KnownRule], meeting: MeetingFacts, is_holiday: IsHoliday
) -> Iterator[tuple[KnownRule, datetime, datetime]]:
    """Yield each rule that counts here with its due time and its end."""
    for each in known:
        due_at = reminders.due_at(each.rule, meeting, is_holiday)
        not_after = reminders.not_after(each.rule, meeting)
        if each.is_enabled and _fits(each.rule, meeting) and due_at and not_after:
            yield each, due_at, not_after


def _fits(rule: Rule, meeting: MeetingFacts) -> bool:
    return not rule.only_online or meeting.mode is not Mode.ON_SITE


def _fate(
    rule: Rule, due_at: datetime, not_after: datetime, invited_at: datetime | None, now: datetime
) -> tuple[str, str | None]:
    """Decide what becomes of a slot that may lie in the past when it is first planned."""
    told_at = invited_at or now
    room = MERGED_WITHIN if rule.minutes_before is None else timedelta(0)
    if rule.kind is not Kind.SUMMARY and due_at <= told_at + room:
        return "skipped", "merged_in_invitation"
    if not_after <= max(now, due_at):
        return "missed", "too_late"
    return "planned", None


async def plan_of_person(connection: "Connection[Any]", person_id: UUID, now: datetime) -> None:
    """Plan the person's coming sessions anew; a time that lies behind is not sent late."""
    for row in await connection.fetch(rule_statements.MEETINGS_OF_PERSON, person_id, now):
        await plan_slots(connection, row["id"], now, Occasion.RULE)


async def plan_all(database: Database, now: datetime) -> int:
    """Plan the slots of every coming session anew; return how many sessions were looked at.

    Answers a change of rules, of the zone tables and anything that a crash left undone.
    """
    rows = await database.fetch(reminder_statements.COMING, now)
    for row in rows:
        async with database.unit_of_work() as unit:
            await unit.connection.execute(reminder_statements.LOCK_MEETING, row["id"])
            await plan_slots(unit.connection, row["id"], now)
    return len(rows)


async def queue_due(database: Database, now: datetime) -> int:
    """Turn due slots into letters, a transaction each; return how many letters are new.

    A slot that fails is tried again with the next run; the first error is raised after all others
    have been done.
    """
    return await passing_over.work_through(partial(_queue_one, database, now), MOST_AT_ONCE)


async def _queue_one(database: Database, now: datetime, turn: Turn) -> int | None:
    async with database.unit_of_work(statement_seconds=EXPANSION_SECONDS) as unit:
        return await take_due(unit.connection, now, turn)


async def take_due(
    connection: "Connection[Any]", now: datetime, turn: Turn, *, at_any_hour: bool = False
) -> int | None:
    """Turn the next due slot into letters within a transaction; None when none is left."""
    slot = await connection.fetchrow(reminder_statements.CLAIM_SLOT, now, turn.failed)
    if slot is None:
        return None
    turn.taken = [slot["id"]]
    if slot["not_after"] <= now or slot["is_overtaken"]:
        reason = "too_late" if slot["not_after"] <= now else "newer_is_due"
        await connection.execute(reminder_statements.FINISH_SLOT, slot["id"], "missed", reason, 0)
        return 0
    morning = None if at_any_hour else await _morning(connection, slot, now)
    if morning is not None:
        await connection.execute(reminder_statements.PUT_OFF, slot["id"], morning)
        return 0
    is_summary = slot["kind"] == Kind.SUMMARY
    expansion = summary_statements.EXPAND if is_summary else reminder_statements.EXPAND
    count = await outbox.post_judged(connection, expansion, slot["id"], now)
    await copying.follow(connection)
    await _join_beyond(connection)
    await connection.execute(reminder_statements.FINISH_SLOT, slot["id"], "expanded", None, count)
    return count


async def _morning(connection: "Connection[Any]", slot: Record, now: datetime) -> datetime | None:
    """Return until when a slot waits that was overtaken by the quiet hours; None when it leaves."""
    if slot["minutes_before"] is not None and slot["kind"] != Kind.SUMMARY:
        return None
    row = await connection.fetchrow(reminder_statements.MEETING, slot["meeting_id"])
    if row is None:
        return None
    region = Region(row["holiday_country"], row["holiday_subdivision"])
    zone = facts.read(row).zone
    return reminders.waits_until(
        *(slot["due_at"], now, slot["not_after"], zone, obstacles.is_holiday(region))
    )


async def bring_back(
    connection: "Connection[Any]", invitation_ids: Collection[UUID], now: datetime
) -> None:
    """Let reminders leave after all that stopped with these invitations, if still of use.

    Call it where the invitations stand again and their meetings are locked.
    """
    rows = await connection.fetch(reminder_statements.STOPPED, list(invitation_ids), now)
    stopped = [(row["letter_id"], row["subject_id"]) for row in rows]
    if stopped:
        await copying.follow_back(
            connection, await outbox.bring_back(connection, stopped, "uninvited")
        )


async def release_waiting(database: Database, now: datetime) -> int:
    """Queue the letters again that waited for the end of the quiet hours; return how many."""
    place = await database.fetchrow(digest_statements.PLACE)
    if place is None:
        return 0
    region = Region(place["holiday_country"], place["holiday_subdivision"])
    if reminders.is_quiet(now, place["zone"], obstacles.is_holiday(region)):
        return 0
    return len(await database.fetch(reminder_statements.RELEASE_WAITING))


async def _join_beyond(connection: "Connection[Any]") -> None:
    """Let what is beyond a person's letters of a day go into one letter with the last of them.

    Where all of them have left already it stays by itself, and is left out when it would leave.
    """
    found = await connection.fetch(reminder_statements.BEYOND, reminders.MOST_A_DAY)
    joint = [(row["id"], row["other_id"]) for row in found if row["other_kind"] == "reminders"]
    await combining.append(connection, joint)
    pairs = [(row["other_id"], row["id"]) for row in found if row["other_kind"] != "reminders"]
    if pairs:
        columns = [one for one, _ in pairs], [other for _, other in pairs]
        await combining.fold_selected(connection, reminder_statements.FOLD_BEYOND, *columns)


async def planned_letters(database: Database, meeting_id: UUID) -> list[PlannedLetters]:
    """Return the slots of a session's present times with about how many letters each means."""
    rows = await database.fetch(reminder_statements.PLANNED, meeting_id)
    return [
        PlannedLetters(
            id=row["id"],
            rule_id=row["rule_id"],
            rule=rule_rows.read(row),
            is_choice=row["is_choice"],
            due_at=row["due_at"],
            state=row["state"],
            reason=row["reason"],
            letters=row["letters"],
            unreachable=row["unreachable"],
        )
        for row in rows
    ]
