"""Look at sessions as the office does: the session page, its people, its history. Reads only."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from asyncpg import Record

from service import barring, obstacles
from service.barring import EndedList
from service.database import Database
from service.domain import meetings
from service.domain.accounts import Account
from service.domain.errors import NotFoundError
from service.domain.last_letters import LastLetter
from service.domain.meetings import Move
from service.domain.obstacles import Obstacle, touching
from service.domain.reminders import is_too_soon
from service.domain.shown import ShownMeeting
from service.domain.words import Answer, Heading, State
from service.obstacles import Region
from service.tables import overseeing_statements as statements
from service.tables import shown_meetings

NONE = "none"
PLANNED = "planned"
UNINVITED = "uninvited"
WROTE = "wrote"
AUTOMATIC = "automatic"
LOST = "lost"
"""Not answers: who wrote words that wait, whose answer a program may have given, whose newest
letter did not arrive."""

BUCKETS = (*(answer.value for answer in Answer), NONE)
# Later than this nobody reads mail in time: somebody has to call.
CALL_BEFORE_START = timedelta(hours=24)
_LONGEST_LOOK = timedelta(days=31)


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One session with what the office needs to know beside what everybody sees."""

    meeting: ShownMeeting
    group_ids: tuple[UUID, ...]
    capacity: int | None
    seats_taken: int
    seats_per_partner: int | None
    audience: str
    saved_by: str
    saved_at: datetime
    invited_at: datetime | None
    number_kept: bool
    may_change: bool
    sees_private: bool

    @property
    def moves(self) -> frozenset[Move]:
        """Name the moves that are open to this account."""
        return meetings.moves_from(State(self.meeting.state)) if self.may_change else frozenset()

    @property
    def invites(self) -> bool:
        """Tell whether people are asked to come: not to events of others."""
        return self.meeting.heading != Heading.OTHER


@dataclass(frozen=True, slots=True, kw_only=True)
class InvitedPerson:
    """One row of the session page; `holds` tells whether the answer still counts.

    `told_kinds` are the kinds of all letters about the session, the newest first, `standing_kinds`
    those that were not taken back.
    """

    id: UUID
    person_id: UUID
    state: str
    answer: str | None
    answer_way: str | None
    answered_at: datetime | None
    answered_for: str
    is_late: bool
    deputy_name: str
    note: str
    access_needs: str
    meal: str
    given_starts_local: datetime | None
    has_seat: bool
    invited_at: datetime | None
    role_title: str
    answer_rev: int
    looks_automatic: bool
    holds: bool
    full_name: str
    email: str
    phone: str
    has_address: bool
    partner_id: UUID | None
    partner: str
    letter: LastLetter
    told_kinds: Sequence[str]
    standing_kinds: Sequence[str]
    reminded_at: datetime | None

    @property
    def bucket(self) -> str:
        """Name what counts now: an answer that holds, else no answer."""
        if self.state != "invited" and self.answer is None:
            return self.state
        return self.answer if self.answer is not None and self.holds else NONE

    @property
    def former_answer(self) -> str | None:
        """Return the answer that no longer holds, None without one."""
        return None if self.holds else self.answer

    @property
    def lacks_answer(self) -> bool:
        """Tell whether a nudge is for this person: invited, no answer, never after a no."""
        return self.bucket == NONE and self.answer != Answer.DECLINED

    def can_be_reminded(self, now: datetime) -> bool:
        """Tell whether a nudge may go now: not so soon after the last reminder."""
        return self.lacks_answer and self.has_address and not is_too_soon(self.reminded_at, now)


@dataclass(frozen=True, slots=True)
class Count:
    """How many persons of how many partners gave an answer."""

    bucket: str
    persons: int
    partners: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Guests:
    """Everybody of a session with the counts over all and the rows of the filter."""

    people: tuple[InvitedPerson, ...]
    counts: tuple[Count, ...]
    shown: tuple[tuple[str, tuple[InvitedPerson, ...]], ...]
    needs: tuple[tuple[str, int], ...]
    meals: tuple[tuple[str, int], ...]

    @property
    def planned(self) -> int:
        """How many are to be invited and were not yet; a letter has to reach them."""
        return sum(each.state == PLANNED and each.has_address for each in self.people)

    @property
    def without_address(self) -> tuple[InvitedPerson, ...]:
        """Those whom no letter reaches."""
        return tuple(
            each for each in self.people if not each.has_address and each.state != UNINVITED
        )


@dataclass(frozen=True, slots=True)
class FoundPerson:
    """Somebody who could be asked too."""

    id: UUID
    full_name: str
    has_address: bool
    partner: str


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the history: who did what to whom, and when."""

    happened_at: datetime
    actor_kind: str
    action: str
    details: Mapping[str, Any]
    actor_name: str
    about: str


@dataclass(frozen=True, slots=True)
class GroupChoice:
    """A group that sessions can be planned for; `next_number` is None where none are drawn."""

    id: UUID
    name: str
    heading: str
    next_number: int | None
    title_pattern: str


@dataclass(frozen=True, slots=True)
class Neighbour:
    """Another session of the same day; `shared` people belong to both.

    One that is not `is_open` is another group's, and not public: leads are told that it is there.
    """

    title: str
    state: str
    starts_local: datetime
    date_precision: str
    shared: int
    is_open: bool


@dataclass(frozen=True, slots=True)
class DayLook:
    """What stands in the way on a day; a table or list that ends before it is said, not hidden."""

    day: date
    holiday: str | None
    school_holiday: str | None
    next_school_holiday: tuple[date, str] | None
    knows_school: bool
    neighbours: tuple[Neighbour, ...]
    barred: tuple[Obstacle, ...] = ()
    ended: tuple[EndedList, ...] = ()
    # What begins on a further day of a session of several days.
    later: tuple[Obstacle, ...] = ()


async def find_session(database: Database, account: Account, meeting_id: UUID) -> Session:
    """Return a session that the account may see; a foreign one is not there."""
    row = await database.fetchrow(statements.SESSION, meeting_id)
    if row is None:
        raise NotFoundError
    group_ids = tuple(row["group_ids"])
    if not account.is_office and not any(map(account.may_see_group, group_ids)):
        raise NotFoundError
    return Session(
        meeting=shown_meetings.from_row(row),
        group_ids=group_ids,
        may_change=bool(group_ids) and all(map(account.may_change_group, group_ids)),
        sees_private=account.is_office,
        **{name: row[name] for name in _COPIED},
    )


_COPIED = (
    *("capacity", "seats_taken", "seats_per_partner", "audience"),
    *("saved_by", "saved_at", "invited_at", "number_kept"),
)


async def list_guests(
    database: Database,
    session: Session,
    chosen: str = "",
    search: str = "",
    wrote: Collection[UUID | None] = (),
) -> Guests:
    """Return the session's people; who is not of the office sees no addresses, notes or needs.

    `wrote` are the invitations whose people wrote words that wait.
    """
    rows = await database.fetch(statements.PEOPLE, session.meeting.id)
    people = tuple(_person(row, session) for row in rows)
    shown = [each for each in people if _matches(each, chosen, search, wrote)]
    return Guests(
        people=people,
        counts=_count(people),
        shown=_by_partner(shown),
        needs=_sums(people, "access_needs"),
        meals=_sums(people, "meal"),
    )


async def find_person(database: Database, session: Session, invitation_id: UUID) -> InvitedPerson:
    """Return one person of a session, or raise `NotFoundError`."""
    rows = await database.fetch(statements.PERSON, session.meeting.id, invitation_id)
    if not rows:
        raise NotFoundError
    return _person(rows[0], session)


async def search_people(database: Database, meeting_id: UUID, search: str) -> list[FoundPerson]:
    """Return people by a part of their or their partner's name who are not on the list yet."""
    if not search:
        return []
    escaped = search.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")
    rows = await database.fetch(statements.SEARCH, meeting_id, f"%{escaped}%")
    return [FoundPerson(**dict(row)) for row in rows]


async def list_history(database: Database, meeting_id: UUID) -> list[Event]:
    """Return what was done to the session, its invitations and its notices, newest first."""
    return [Event(**dict(row)) for row in await database.fetch(statements.HISTORY, meeting_id)]


async def list_groups(database: Database, account: Account, today: date) -> list[GroupChoice]:
    """Return the groups whose sessions the account may change."""
    own = None if account.is_office else list(account.group_ids)
    rows = await database.fetch(statements.GROUPS, today, own)
    return [GroupChoice(**dict(row)) for row in rows if account.may_change_group(row["id"])]


async def look_at_day(  # noqa: PLR0917 - a session's days, and who looks at them
    database: Database,
    day: date,
    meeting_id: UUID,
    group_ids: Sequence[UUID],
    locale: str,
    last_on: date | None = None,
) -> DayLook:
    """Return holidays, the office's own lists and other sessions of a day.

    `last_on` is the last day of a session of several days; a month of them is looked at.
    """
    further = max((last_on or day) - day, timedelta(0))
    last_on = day + min(further, _LONGEST_LOOK)
    region = await find_region(database)
    midnight = datetime.combine(day, time())
    rows = await database.fetch(statements.SAME_DAY, midnight, meeting_id, list(group_ids))
    school = obstacles.school_holidays(region, day.year, locale)
    last = obstacles.last_school_day(region)
    coming = sorted((each, name) for each, name in school.items() if each > day)
    listed = await barring.find_barred(database, day, last_on)
    found = obstacles.find(region, day, last_on, locale, listed) if further else ()
    return DayLook(
        day=day,
        holiday=obstacles.public_holidays(region, day.year, locale).get(day),
        school_holiday=school.get(day),
        next_school_holiday=next(iter(coming), None),
        knows_school=last is not None and day <= last,
        neighbours=tuple(Neighbour(**dict(row)) for row in rows),
        barred=touching(day, day, listed),
        ended=await barring.find_ended(database, last_on),
        later=tuple(one for one in found if one.first_on > day),
    )


async def find_region(database: Database) -> Region:
    """Return where the office is, for its holidays."""
    row = await database.fetchrow("SELECT holiday_country, holiday_subdivision FROM instance")
    return Region() if row is None else Region(*row.values())


def needs_calls(session: Session, now: datetime) -> bool:
    """Tell whether letters come too late: it falls out, or moved, less than 24 h before it."""
    meeting = session.meeting
    starts = [each for each in (meeting.starts, meeting.previous_starts) if each is not None]
    soon = any(timedelta(0) <= start - now < CALL_BEFORE_START for start in starts)
    return soon and (meeting.state in {"cancelled", "postponed"} or meeting.is_moved)


def _person(row: Record, session: Session) -> InvitedPerson:
    values = dict(row)
    letter = {name: values.pop(f"letter_{name}") for name in LastLetter.__slots__}
    person = InvitedPerson(**values, letter=LastLetter(**letter))
    if session.sees_private:
        return person
    return replace(person, note="", access_needs="", meal="", email="", phone="")


def _matches(
    person: InvitedPerson, chosen: str, search: str, wrote: Collection[UUID | None]
) -> bool:
    if chosen == WROTE:
        is_shown = person.id in wrote
    elif chosen == AUTOMATIC:
        is_shown = person.looks_automatic
    elif chosen == LOST:
        is_shown = person.letter.is_lost
    else:
        is_shown = person.bucket == chosen if chosen else person.bucket != UNINVITED
    words = f"{person.full_name} {person.partner} {person.deputy_name}".casefold()
    return is_shown and search.casefold() in words


def _count(people: Sequence[InvitedPerson]) -> tuple[Count, ...]:
    persons = Counter(each.bucket for each in people)
    partners = Counter(bucket for bucket, _ in {(each.bucket, each.partner_id) for each in people})
    names = [*BUCKETS, *(name for name in (PLANNED, UNINVITED) if persons[name])]
    return tuple(Count(name, persons[name], partners[name]) for name in names)


def _by_partner(
    people: Sequence[InvitedPerson],
) -> tuple[tuple[str, tuple[InvitedPerson, ...]], ...]:
    """Group rows that are sorted by partner already."""
    found: dict[str, list[InvitedPerson]] = {}
    for each in people:
        found.setdefault(each.partner, []).append(each)
    return tuple((partner, tuple(rows)) for partner, rows in found.items())


def _sums(people: Sequence[InvitedPerson], name: str) -> tuple[tuple[str, int], ...]:
    """Add up what those who come on site asked for, for the caterer and the room."""
    coming = {Answer.IN_PERSON, Answer.REPRESENTED}
    words = (getattr(each, name) for each in people if each.bucket in coming)
    return tuple(Counter(word for word in words if word).most_common())
