"""See what became of letters, and repeat, withdraw or release them: the office's mail log."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from asyncpg import Connection

from notifications import addresses, log, outbox
from notifications.log import LoggedAttempt
from notifications.outbox import State
from service import auditing
from service.auditing import Actor
from service.database import Database
from service.domain.errors import NotFoundError
from service.pages.catalogue import DEFAULT_LOCALE, texts
from service.tables import posting_statements as statements

PER_PAGE = 50
# What a table or a sheet of paper holds; who needs more asks for a shorter time.
MOST = 5000
RESTORED_AT_ONCE = 200

# What was refused or came too late may go once more; what was skipped had its reason.
_REPEATABLE = frozenset({State.FAILED, State.DEAD, State.EXPIRED})
# The state of a letter that came back has a word of its own.
BOUNCED = "bounced"
# A link of sign-in is worthless when it is repeated: it is asked for again.
_NEVER_REPEATED = frozenset({"sign_in"})
_RELEASABLE = frozenset({"restored", "undeliverable"})
# Sending again means that somebody believes in the address.
_ADDRESS_REFUSED = frozenset({"address_refused", BOUNCED, "undeliverable"})
_ADDRESS_WRONG = _ADDRESS_REFUSED | {"address_malformed"}
_LIFE = timedelta(days=3)


UNNAMED = "unnamed"
"""Stands for kinds of letters that this version has no name for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which letters are shown; `page` counts from 1, no states and no kinds stand for all.

    `report` is what the recipient's server said (`dsn_state`), "" for all; the instants bound when
    letters were written, the end left out.

    `open_at` leaves out what nobody can do anything about at that moment: letters that were sent
    again since, and those about sessions that are over. `is_refused` leaves only what was refused
    for good although nothing is wrong with the address.

    With `behind_id` or `before_id` the page goes on from that letter, whatever came or fell away
    meanwhile; `page` counts where it is gone.
    """

    states: tuple[State, ...] = ()
    meeting_id: UUID | None = None
    text: str = ""
    page: int = 1
    open_at: datetime | None = None
    kinds: tuple[str, ...] = ()
    person_id: UUID | None = None
    report: str = ""
    from_at: datetime | None = None
    until_at: datetime | None = None
    is_refused: bool = False
    behind_id: UUID | None = None
    before_id: UUID | None = None

    @property
    def values(self) -> tuple[object, ...]:
        """Return what the statements take."""
        known = [str(state) for state in self.states] or None
        kinds = list(self.kinds) or None
        return (
            *(known, self.meeting_id, self.text, self.open_at, kinds, self.person_id),
            *(self.report or None, self.from_at, self.until_at, self.is_refused),
        )


def unsolved(now: datetime) -> Wanted:
    """Return what a person of the office should look at: it did not leave, and still could."""
    return Wanted(states=(State.FAILED, State.DEAD, State.HELD), open_at=now)


@dataclass(frozen=True, slots=True, kw_only=True)
class PostedLetter:
    """One line of the log; times are None while they did not come, names "" where unknown.

    `address` is where it went or will go, `current_address` the one that we hold now.
    `invitation_id` is the person's place on the list of the session.
    """

    id: UUID
    kind: str
    created_at: datetime
    state: State
    reason: str | None
    attempts: int
    next_attempt_at: datetime
    expires_at: datetime
    accepted_at: datetime | None
    last_code: int | None
    last_text: str | None
    report: str
    meeting_title: str | None
    meeting_id: UUID | None
    person_id: UUID | None
    name: str
    address: str
    current_address: str
    tried_at: datetime | None
    invitation_id: UUID | None
    is_newest: bool

    @property
    def can_repeat(self) -> bool:
        """Tell whether it may be sent once more: it ended without arriving, and is the newest."""
        is_over = self.state in _REPEATABLE and self.is_newest
        return is_over and self.kind not in _NEVER_REPEATED

    @property
    def can_withdraw(self) -> bool:
        """Tell whether it still waits."""
        return self.state is State.QUEUED

    @property
    def needs_address(self) -> bool:
        """Tell whether it did not arrive because of the address, which somebody can correct."""
        is_held = self.state in {State.FAILED, State.HELD}
        return is_held and self.reason in _ADDRESS_WRONG and self.person_id is not None

    @property
    def can_anything(self) -> bool:
        """Tell whether there is anything to do about it."""
        return self.can_repeat or self.can_withdraw or self.can_release

    @property
    def can_release(self) -> bool:
        """Tell whether a restored backup holds it, or an address that was refused before."""
        return self.state is State.HELD and self.reason in _RELEASABLE


@dataclass(frozen=True, slots=True)
class PostedPage:
    """One page of the log, the newest letters first; so many newer ones stand `before` it."""

    letters: tuple[PostedLetter, ...]
    total: int
    before: int

    @property
    def page(self) -> int:
        """Which page this is, from 1; it may begin in the middle of one."""
        return self.before // PER_PAGE + 1

    @property
    def pages(self) -> int:
        """How many pages there are, one at least."""
        if not self.has_older:
            return self.page
        return max(self.page + 1, -(-self.total // PER_PAGE))

    @property
    def has_newer(self) -> bool:
        """Whether letters stand before this page."""
        return self.before > 0

    @property
    def has_older(self) -> bool:
        """Whether letters stand behind this page."""
        return self.before + len(self.letters) < self.total


@dataclass(frozen=True, slots=True)
class SessionChoice:
    """A session by which the log can be filtered."""

    id: UUID
    title: str

    @property
    def choice(self) -> tuple[str, str]:
        """Return value and text, as selects take them."""
        return str(self.id), self.title


async def list_letters(database: Database, wanted: Wanted) -> PostedPage:
    """Return fifty letters; a page beyond the end is the last one."""
    total = await _count(database, wanted)
    letters = tuple(_letter(row) for row in await _read_page(database, wanted, total))
    before: int = 0
    if letters:
        before = await database.fetchval(statements.COUNT_BEFORE, *wanted.values, letters[0].id)
    return PostedPage(letters, total, before)


async def _read_page(database: Database, wanted: Wanted, total: int) -> Sequence[Any]:
    page = min(max(1, wanted.page), max(1, -(-total // PER_PAGE)))
    if wanted.behind_id is not None:
        behind = (*wanted.values, PER_PAGE, wanted.behind_id)
        rows = await database.fetch(statements.LETTERS_BEHIND, *behind)
        if rows:
            return rows
    elif wanted.before_id is not None:
        before = (*wanted.values, PER_PAGE, wanted.before_id)
        rows = await database.fetch(statements.LETTERS_BEFORE, *before)
        if len(rows) == PER_PAGE:
            return rows
        # What is left of the newest ones is filled up.
        page = 1 if rows else page
    offset = (page - 1) * PER_PAGE
    return await database.fetch(statements.LETTERS, *wanted.values, PER_PAGE, offset)


async def list_all(database: Database, wanted: Wanted) -> list[PostedLetter]:
    """Return all wanted letters at once, five thousand at most, whatever page is asked for."""
    rows = await database.fetch(statements.LETTERS, *wanted.values, MOST, 0)
    return [_letter(row) for row in rows]


async def find_name(database: Database, person_id: UUID | None) -> str:
    """Return whose letters are asked for; "" for nobody's, or for somebody who is gone."""
    return await database.fetchval(statements.PERSON, person_id) or "" if person_id else ""


async def find_letter(database: Database, letter_id: UUID) -> PostedLetter:
    """Return one letter, or raise `NotFoundError`."""
    row = await database.fetchrow(statements.LETTER, *Wanted().values, letter_id)
    if row is None:
        raise NotFoundError
    return _letter(row)


async def find_letters(database: Database, letter_ids: Sequence[UUID]) -> list[PostedLetter]:
    """Return those of these letters that are there, the newest first."""
    rows = await database.fetch(statements.CHOSEN, *Wanted().values, list(letter_ids))
    return [_letter(row) for row in rows]


async def list_attempts(database: Database, letter_id: UUID) -> Sequence[LoggedAttempt]:
    """Return the tries of a letter, the first one first."""
    return await log.attempts_of(database, letter_id)


async def list_sessions(database: Database, now: datetime) -> Sequence[SessionChoice]:
    """Return the sessions that letters may be about, those near today first."""
    rows = await database.fetch(statements.SESSIONS, now)
    return [SessionChoice(row["id"], row["title"]) for row in rows]


async def count_unsolved(database: Database, now: datetime) -> int:
    """Count the letters that a person of the office should look at."""
    return await _count(database, unsolved(now))


async def count_states(database: Database) -> dict[State, int]:
    """Count all letters by their states, in the order of a letter's life; none for no letters."""
    counts = Counter[State]()
    for (_, state), n in (await log.counts(database)).items():
        counts[state] += n
    return {state: counts[state] for state in State if counts[state]}


async def count_restored(database: Database) -> int:
    """Count the letters that a restored backup holds back."""
    count: int = await database.fetchval(statements.RESTORED_COUNT)
    return count


async def list_restored(database: Database) -> list[PostedLetter]:
    """Return up to 200 letters that a restored backup holds back, the oldest first."""
    held = Wanted(states=(State.HELD,))
    rows = await database.fetch(statements.RESTORED_LETTERS, *held.values, RESTORED_AT_ONCE)
    return [_letter(row) for row in rows]


async def repeat(database: Database, actor: Actor, letter_id: UUID, now: datetime) -> bool:
    """Post a letter once more that ended without arriving; False where there is nothing to do.

    An address that was refused gets another try. Whether the letter still holds is judged when it
    leaves, as with every letter.
    """
    async with database.unit_of_work() as unit:
        await unit.connection.execute(statements.LOCK, letter_id)
        letter = await find_letter(database, letter_id)
        if not letter.can_repeat:
            return False
        starts_at = await unit.connection.fetchval(statements.STARTS, letter_id)
        expires_at = starts_at if starts_at is not None and starts_at > now else now + _LIFE
        posted = await outbox.repeat(unit.connection, letter_id, expires_at)
        if posted is None:
            return False
        await _believe_in_address(unit.connection, actor, letter, now)
        await _record(unit.connection, actor, "letter_repeated", letter_id, copy=str(posted))
        return True


async def withdraw(database: Database, actor: Actor, letter_id: UUID) -> bool:
    """Take a letter back that still waits; False when it is leaving or has ended."""
    async with database.unit_of_work() as unit:
        await find_letter(database, letter_id)
        if not await outbox.take_back(unit.connection, letter_id, "taken_back"):
            return False
        await _record(unit.connection, actor, "letter_withdrawn", letter_id)
        return True


async def release(database: Database, actor: Actor, letter_id: UUID, now: datetime) -> bool:
    """Let a letter leave that is held back; False when nothing holds it.

    An address that was refused gets another try.
    """
    async with database.unit_of_work() as unit:
        await unit.connection.execute(statements.LOCK, letter_id)
        letter = await find_letter(database, letter_id)
        if not letter.can_release:
            return False
        await _believe_in_address(unit.connection, actor, letter, now)
        await outbox.release_held(unit.connection, [letter_id])
        await _record(unit.connection, actor, "letter_released", letter_id)
        return True


async def release_restored(
    database: Database, actor: Actor, letter_ids: Sequence[UUID] | None = None
) -> int:
    """Let letters leave that a restored backup held back, None for all; return how many."""
    async with database.unit_of_work() as unit:
        held = await _restored(unit.connection, letter_ids)
        count = await outbox.release_held(unit.connection, held)
        if count:
            await _record(unit.connection, actor, "letters_released", None, n=count)
        return count


async def drop_restored(
    database: Database, actor: Actor, letter_ids: Sequence[UUID] | None = None
) -> int:
    """Give letters up that a restored backup held back, None for all; return how many."""
    async with database.unit_of_work() as unit:
        held = await _restored(unit.connection, letter_ids)
        count = await outbox.drop_held(unit.connection, held, "dropped")
        if count:
            await _record(unit.connection, actor, "letters_dropped", None, n=count)
        return count


async def _restored(connection: "Connection[Any]", letter_ids: Sequence[UUID] | None) -> list[UUID]:
    chosen = None if letter_ids is None else list(letter_ids)
    return [row["id"] for row in await connection.fetch(statements.RESTORED, chosen)]


async def _count(database: Database, wanted: Wanted) -> int:
    count: int = await database.fetchval(statements.COUNT, *wanted.values)
    return count


async def _believe_in_address(
    connection: "Connection[Any]", actor: Actor, letter: PostedLetter, now: datetime
) -> None:
    if letter.reason in _ADDRESS_REFUSED and letter.current_address:
        await addresses.clear(connection, letter.current_address, by=actor.id, at=now)


async def _record(
    connection: "Connection[Any]",
    actor: Actor,
    action: str,
    letter_id: UUID | None,
    **details: object,
) -> None:
    await auditing.record(connection, actor, action, "letter", letter_id, **details)


def _letter(row: Any) -> PostedLetter:
    # A newer version may have posted kinds that have no name here; the log shows them all the same.
    kind = row["kind"] if texts(DEFAULT_LOCALE).has(f"kind.{row['kind']}") else UNNAMED
    return PostedLetter(**dict(row) | {"state": State(row["state"]), "kind": kind})
