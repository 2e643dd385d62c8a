"""Survey what lies before the office: what is to be done, the next 30 days, letters, jobs."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from uuid import UUID
from zoneinfo import ZoneInfo

from asyncpg import Record

from notifications.outbox import State as LetterState
from service import mending, posting, sifting, transcribing
from service.database import Database
from service.domain.accounts import Account
from service.domain.shown import ShownMeeting
from service.domain.words import NoticeKind, State
from service.tables import overseeing_statements as statements
from service.tables import shown_meetings

_BERLIN = ZoneInfo("Europe/Berlin")
AHEAD = timedelta(days=30)
BEHIND = timedelta(days=365)
ASK_BEFORE_DEADLINE = timedelta(days=10)
CONFIRM_BEFORE_START = timedelta(weeks=10)
# Two heartbeats of every tick fit in here; what is older stands still.
FRESH = timedelta(minutes=15)


class Todo(StrEnum):
    """What may be asked of the office; the value is the end of its text ids."""

    NOTICE = "notice"
    MISSING = "missing"
    STARTING = "starting"
    INVITE = "invite"
    CONFIRM = "confirm"
    POSTPONED = "postponed"
    DRAFT = "draft"
    ADDRESSES = "addresses"


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One sentence with one link: about a session, by when, and how many it concerns."""

    todo: Todo
    meeting_id: UUID
    title: str
    due_at: datetime | None
    n: int = 0
    days: int = 0
    kind: NoticeKind | None = None


@dataclass(frozen=True, slots=True)
class ComingSession:
    """A session of the next 30 days with its counts."""

    meeting: ShownMeeting
    invited: int
    answered: int
    coming: int
    planned: int

    @property
    def missing(self) -> int:
        """How many invited people have not answered, or no longer."""
        return self.invited - self.answered


@dataclass(frozen=True, slots=True)
class Job:
    """When a tick last did its work."""

    name: str
    last_ok_at: datetime | None
    last_error_at: datetime | None
    is_fresh: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Board:
    """The office's start page."""

    tasks: tuple[Task, ...]
    coming: tuple[ComingSession, ...]
    later: tuple[ShownMeeting, ...]
    over: tuple[ShownMeeting, ...]
    drafts: tuple[Task, ...]
    letters: Mapping[LetterState, int]
    unsolved: int
    bad_addresses: int
    words: int
    calendar_answers: int
    jobs: tuple[Job, ...]


async def survey(database: Database, account: Account, now: datetime) -> Board:
    """Return the start page of an account; a lead sees the own groups and no letters."""
    groups = None if account.role != "lead" else list(account.group_ids)
    coming = await database.fetch(statements.COMING, groups, now, now + AHEAD)
    others = await database.fetch(statements.OTHERS, groups, now, now + AHEAD, now - BEHIND)
    rows = await database.fetch(statements.OPEN, groups, now)
    tasks = [task for row in rows for task in _tasks(row, now)]
    letters = await posting.count_states(database) if account.is_office else {}
    return Board(
        tasks=tuple(task for task in tasks if task.todo is not Todo.DRAFT),
        drafts=tuple(task for task in tasks if task.todo is Todo.DRAFT),
        coming=tuple(_coming(row) for row in coming),
        later=tuple(shown_meetings.from_row(row) for row in others if not row["is_over"]),
        over=tuple(shown_meetings.from_row(row) for row in others if row["is_over"]),
        letters=letters,
        unsolved=await posting.count_unsolved(database, now) if account.is_office else 0,
        bad_addresses=await mending.count_addresses(database) if account.is_office else 0,
        words=await transcribing.count(database) if account.is_office else 0,
        calendar_answers=await sifting.count_open(database) if account.is_office else 0,
        jobs=tuple(_job(row, now) for row in await database.fetch(statements.JOBS)),
    )


def _day(moment: datetime) -> date:
    return moment.astimezone(_BERLIN).date()


def _coming(row: Record) -> ComingSession:
    return ComingSession(
        shown_meetings.from_row(row),
        row["invited"],
        row["answered"],
        row["coming"],
        row["planned"],
    )


def _job(row: Record, now: datetime) -> Job:
    last = row["last_ok_at"]
    # One that lies far ahead was written by a clock that was wrong.
    is_fresh = last is not None and abs(now - last) < FRESH
    return Job(row["job"], last, row["last_error_at"], is_fresh)


def _tasks(row: Record, now: datetime) -> list[Task]:
    """Return what one session asks for, in the order of urgency."""
    found = [_of_notice(row), _of_state(row, now), *_of_people(row, now)]
    return [task for task in found if task is not None]


def _task(row: Record, todo: Todo, due_at: datetime | None, n: int = 0, days: int = 0) -> Task:
    return Task(todo=todo, meeting_id=row["id"], title=row["title"], due_at=due_at, n=n, days=days)


def _of_notice(row: Record) -> Task | None:
    if row["notice_kind"] is None:
        return None
    return Task(
        todo=Todo.NOTICE,
        meeting_id=row["id"],
        title=row["title"],
        due_at=row["due_at"],
        kind=NoticeKind(row["notice_kind"]),
    )


def _of_state(row: Record, now: datetime) -> Task | None:
    state, starts_at = State(row["state"]), row["starts_at"]
    if state is State.DRAFT:
        return _task(row, Todo.DRAFT, None)
    if state is State.POSTPONED:
        return _task(row, Todo.POSTPONED, None)
    if state is State.TENTATIVE and starts_at - now < CONFIRM_BEFORE_START:
        return _task(row, Todo.CONFIRM, starts_at, n=max(0, (starts_at - now).days // 7))
    return None


def _of_people(row: Record, now: datetime) -> list[Task]:
    if row["state"] != State.CONFIRMED or row["starts_at"] <= now:
        return []
    found = []
    missing, deadline = row["invited"] - row["answered"], row["answer_by"] or row["starts_at"]
    if missing and deadline - now < ASK_BEFORE_DEADLINE:
        days = max(0, (_day(deadline) - _day(now)).days)
        todo = Todo.MISSING if row["answer_by"] else Todo.STARTING
        found.append(_task(row, todo, deadline, n=missing, days=days))
    if row["planned"] and row["notice_kind"] != NoticeKind.INVITATION:
        found.append(_task(row, Todo.INVITE, row["starts_at"], n=row["planned"]))
    if row["without_address"]:
        found.append(_task(row, Todo.ADDRESSES, row["starts_at"], n=row["without_address"]))
    return found
