"""Take in lists of members, partners and meetings: first a dry run, then one transaction.

Nothing is written unless told, the file itself is never kept, and taking in the same list again
changes nothing. No letter leaves because of an import, unless the office says so.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

from asyncpg import Connection

from service import (
    auditing,
    import_files,
    import_meetings,
    import_members,
    import_partners,
    keeping_people,
    tallying,
)
from service.auditing import Actor
from service.database import Database
from service.domain.errors import StaleFormError
from service.domain.imports import Choice, Decision, Kind, Line, Outcome, Plan, Verdict
from service.import_members import Progress
from service.tallying import Tally

__all__ = ["Choice", "Decision", "Kind", "Outcome", "Plan", "apply", "foresee", "plan"]

ALL_CERTAIN = Choice()
# Five thousand rows take seconds; the usual limit is for pages.
_STATEMENT_SECONDS = 60.0
# Two imports at once would add everybody twice. Readers, answers and letters go on.
_LOCK = "LOCK TABLE person, organisation, working_group IN SHARE ROW EXCLUSIVE MODE"
# A second import waits for the first, and then finds what it wrote.
_PATIENCE = "SET LOCAL lock_timeout = '20s'"
_END_PARTNERS = """
UPDATE organisation SET ended_on = $2, revision = revision + 1 WHERE id = ANY ($1::uuid[])
"""

Content = bytes | str


def _tell_nobody(_: int) -> None:
    """Take the place of a progress bar where nobody waits."""


async def plan(
    database: Database,
    kind: Kind | str,
    content: Content,
    now: datetime,
    columns: Sequence[str] | None = None,
) -> Plan:
    """Say what a list would do, and change nothing.

    `columns` names what each column is ("" for one to leave out); None goes by the header words.
    Raises `FieldsError` under the field "source" when the list cannot be read at all.
    """
    async with database.reading() as connection:
        return await _plan(connection, Kind(kind), content, now, columns)


async def apply(
    database: Database,
    actor: Actor,
    kind: Kind | str,
    content: Content,
    now: datetime,
    *,
    columns: Sequence[str] | None = None,
    choice: Choice = ALL_CERTAIN,
    progress: Progress = _tell_nobody,
) -> Outcome:
    """Do what the plan says, as far as it was chosen: all of it or, after an error, nothing.

    Rows with errors and unanswered uncertain ones are skipped. `progress` hears of members in
    steps. Raises `StaleFormError` when the plan is not the one that `choice.seen` was made from.
    """
    async with database.unit_of_work(statement_seconds=_STATEMENT_SECONDS) as unit:
        await unit.connection.execute(_PATIENCE)
        await unit.connection.execute(_LOCK)
        found = await _plan(unit.connection, Kind(kind), content, now, columns)
        if choice.seen is not None and choice.seen != found.fingerprint:
            raise StaleFormError(at=now, by="")
        return await _save(unit.connection, actor, found, now, choice, progress)


async def foresee(
    database: Database,
    actor: Actor,
    kind: Kind | str,
    content: Content,
    now: datetime,
    *,
    columns: Sequence[str] | None = None,
    choice: Choice = ALL_CERTAIN,
) -> Tally:
    """Tell which letters would leave if the list were taken in with letters; change nothing."""
    if Kind(kind) is not Kind.MEMBERS:
        return tallying.NOTHING
    wished = replace(choice, with_letters=True)
    async with database.rehearsal() as unit:
        found = await _plan(unit.connection, Kind(kind), content, now, columns)
        saved = await _save(unit.connection, actor, found, now, wished, _tell_nobody)
        return await tallying.tally_named(unit.connection, actor, saved.notice_ids, now)


async def _plan(
    connection: "Connection[Any]",
    kind: Kind,
    content: Content,
    now: datetime,
    columns: Sequence[str] | None,
) -> Plan:
    text = import_files.decode(content) if isinstance(content, bytes) else content
    if kind is Kind.MEETINGS:
        return Plan(kind, tuple(await import_meetings.plan(connection, text, now)))
    table = import_files.read_table(text)
    named = tuple(columns or import_files.guess_columns(kind, table.header))
    import_files.check_columns(kind, named)
    work = import_members.plan if kind is Kind.MEMBERS else import_partners.plan
    return Plan(kind, tuple(await work(connection, table, named)))


async def _save(  # noqa: PLR0917 (what `apply` was called with)
    connection: "Connection[Any]",
    actor: Actor,
    found: Plan,
    now: datetime,
    choice: Choice,
    progress: Progress,
) -> Outcome:
    chosen = [line for line in (_decide(one, choice) for one in found.lines) if line is not None]
    notice_ids: Sequence[UUID] = ()
    if found.kind is Kind.MEMBERS:
        regrouped = await import_members.save(
            *(connection, chosen, actor, now, progress), with_letters=choice.with_letters
        )
        notice_ids = regrouped.notice_ids
    elif found.kind is Kind.PARTNERS:
        await import_partners.save(connection, chosen, actor)
    else:
        await import_meetings.save(connection, chosen, actor, now)
    ended = await _end_missing(connection, found, now, choice)
    outcome = Outcome(
        plan=found,
        added=sum(line.known is None for line in chosen),
        changed=sum(line.known is not None for line in chosen),
        ended=ended,
        skipped=_count_skipped(found, chosen),
        notice_ids=notice_ids,
    )
    await auditing.record(
        connection,
        actor,
        "import",
        found.kind.value,
        None,
        added=outcome.added,
        changed=outcome.changed,
        ended=ended,
    )
    return outcome


def _decide(line: Line, choice: Choice) -> Line | None:
    """Return the line as it is to be written, None for one to leave alone."""
    if line.number in choice.left_out:
        return None
    if line.verdict in {Verdict.NEW, Verdict.CHANGED}:
        return line
    if line.verdict is not Verdict.UNCERTAIN:
        return None
    decision = choice.decisions.get(line.number, Decision.SKIP)
    if decision is Decision.NEW:
        return _as_new(line)
    return line if decision is Decision.MATCH else None


def _as_new(line: Line) -> Line:
    return Line(number=line.number, verdict=Verdict.NEW, label=line.label, row=line.row)


def _count_skipped(found: Plan, chosen: Sequence[Line]) -> int:
    asked = {Verdict.NEW, Verdict.CHANGED, Verdict.UNCERTAIN, Verdict.ERROR}
    return sum(line.verdict in asked for line in found.lines) - len(chosen)


async def _end_missing(
    connection: "Connection[Any]", found: Plan, now: datetime, choice: Choice
) -> int:
    """End people, or partners without people, that the list does not name."""
    if found.kind is Kind.MEETINGS:
        return 0
    missing = found.of(Verdict.MISSING)
    chosen = [one for one in missing if choice.ends_missing or _id_of(one) in choice.ended]
    if found.kind is Kind.MEMBERS:
        ids = [_id_of(line) for line in chosen]
        await keeping_people.end_people(connection, ids, now)
    else:
        ids = [_id_of(line) for line in chosen if not line.known["people"]]
        await connection.execute(_END_PARTNERS, ids, keeping_people.today(now))
    return len(ids)


def _id_of(line: Line) -> UUID:
    known = line.known
    return known["id"] if isinstance(known, dict) else known.id  # type: ignore[no-any-return]
