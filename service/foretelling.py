"""Tell which letters would leave in the next days: walk the real code forward, and keep nothing.

Every instant at which something falls due is played in order by the same use cases that the ticks
wake, and the same clerk judges and composes. Nobody answers meanwhile, so later nudges assume that
nobody will.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from asyncpg import Record

from notifications.clerk import Go, Stop
from notifications.letters import Draft
from service import blackening, digesting, noticing, obstacles, pretending, reminding, ruling
from service.auditing import Actor
from service.composing import Clerk
from service.database import Database
from service.domain import digests, reminders
from service.domain.reminders import Rule
from service.obstacles import Region
from service.pretending import Stage
from service.services import Services
from service.tables import digest_statements, rule_rows
from service.tables import foretelling_statements as statements
from service.tables.reminder_statements import QUIET_HOURS
from service.tables.rule_rows import Scope

MOST = 2000
"""Letters that are told at most; beyond, the time has to be shorter."""

LONGEST = timedelta(days=92)
"""How far one look reaches at most."""

# Somebody asks for these, no rule plans them.
_UNPLANNED = (
    *("sign_in", "lost_links", "test", "hint_received", "probe", "ear", "reply_forwarded"),
    "alarm",
)
_COPY = "copy"
# What the ticks do, in their order.
_WORKS = (noticing.queue_due, reminding.queue_due, digesting.queue_due)

Change = Callable[[Stage], Awaitable[object]]
"""What is done first, inside the rehearsal: a rule that is saved or switched."""


@dataclass(frozen=True, slots=True)
class Window:
    """From when to when, aware; what is over by now cannot be told."""

    from_at: datetime
    to_at: datetime


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a letter leaves: a code for the texts and, where a rule planned it, the rule."""

    code: str
    rule: Rule | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Foretold:
    """A letter that would leave at an instant, or the code why it would not.

    Subject, text and values are as their reader will see them, but links open nothing.
    """

    id: UUID
    at: datetime
    kind: str
    locale: str
    person_id: UUID | None
    name: str
    partner: str
    meeting_id: UUID | None
    meeting_title: str
    reason: Reason
    stopped: str | None = None
    draft: Draft | None = None
    go: Go | None = None

    @property
    def identity(self) -> tuple[object, ...]:
        """Return what makes two rehearsals speak of the same letter."""
        return self.at, *self.errand

    @property
    def errand(self) -> tuple[object, ...]:
        """Return what stays the same of a letter that leaves at another time."""
        return self.kind, self.person_id, self.meeting_id

    @property
    def subject(self) -> str:
        """The subject, "" for a letter that does not leave."""
        return self.draft.subject if self.draft else ""

    @property
    def text(self) -> str:
        """The text part with this person's values."""
        return blackening.fill(self.draft.text, self.go) if self.draft and self.go else ""

    @property
    def has_calendar(self) -> bool:
        """Tell whether it brings an entry for the calendar."""
        return self.draft is not None and self.draft.calendar is not None


@dataclass(frozen=True, slots=True)
class Foretelling:
    """All letters of the time in their order; `is_cut` when there are more than are told."""

    letters: tuple[Foretold, ...]
    stopped: tuple[Foretold, ...]
    is_cut: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SwitchableRule:
    """A rule of everybody's, a group's or a session's, to see what switching it would change."""

    id: UUID
    scope: Scope
    rule: Rule
    is_enabled: bool
    scope_name: str

    def switched(self, actor: Actor) -> Change:
        """Return the change that switches it for once."""

        async def switch(stage: Stage) -> UUID:
            return await ruling.switch_rule(
                *(stage, actor, self.scope, self.id, stage.now()), is_enabled=not self.is_enabled
            )

        return switch


@dataclass(frozen=True, slots=True)
class Difference:
    """Which letters a change adds, takes away and moves, each in order of time.

    `until` is where the comparison ends because there are more letters than are told, else None.
    """

    more: tuple[Foretold, ...]
    less: tuple[Foretold, ...]
    moved: tuple[tuple[Foretold, Foretold], ...] = ()
    until: datetime | None = None


async def foretell(
    services: Services, window: Window, *, change: Change | None = None
) -> Foretelling:
    """Return every letter that would leave in the window, after a change if one is given.

    Nothing is sent and nothing is kept. At most `MOST` letters are told.
    """
    now = services.clock()
    async with pretending.staging(services.database, now) as stage:
        if change is not None:
            await change(stage)
        walk = await _Walk.begin(services, stage)
        at: datetime | None = now
        while at is not None and at <= window.to_at and not walk.is_full:
            await walk.play(at, is_told=at >= window.from_at)
            at = await walk.next_after(at)
        return await walk.tell()


async def list_switchable(database: Database, now: datetime) -> list[SwitchableRule]:
    """Return the rules of everybody, of the groups, then those of sessions to come."""
    return [
        SwitchableRule(
            id=row["id"],
            scope=Scope(group_id=row["group_id"], meeting_id=row["meeting_id"]),
            rule=rule_rows.read(row),
            is_enabled=row["is_enabled"],
            scope_name=row["scope_name"],
        )
        for row in await database.fetch(statements.SWITCHABLE, now)
    ]


async def foretell_difference(services: Services, window: Window, change: Change) -> Difference:
    """Return which letters of the window a change would add, take away or move."""
    as_it_is = await foretell(services, window)
    return compare(as_it_is, await foretell(services, window, change=change))


def compare(before: Foretelling, after: Foretelling) -> Difference:
    """Return what the second foretelling has more, less and at another time than the first."""
    # What lies behind the end of one of them cannot be told from what is missing there.
    cut = [each.letters[-1].at for each in (before, after) if each.is_cut and each.letters]
    until = min(cut, default=None)
    was, then = (_up_to(each.letters, until) for each in (before, after))
    more, less = _beyond(then, was), _beyond(was, then)
    moved = tuple(_pair(less, more))
    gone, come = {was.id for was, _ in moved}, {then.id for _, then in moved}
    return Difference(
        more=tuple(each for each in more if each.id not in come),
        less=tuple(each for each in less if each.id not in gone),
        moved=moved,
        until=until,
    )


def _up_to(letters: Sequence[Foretold], until: datetime | None) -> Sequence[Foretold]:
    return letters if until is None else [each for each in letters if each.at < until]


def _pair(
    less: Sequence[Foretold], more: Sequence[Foretold]
) -> Iterator[tuple[Foretold, Foretold]]:
    """Yield each letter that leaves at another time, with what it becomes."""
    waiting: dict[tuple[object, ...], list[Foretold]] = {}
    for each in more:
        waiting.setdefault(each.errand, []).append(each)
    for each in less:
        if waiting.get(each.errand):
            yield each, waiting[each.errand].pop(0)


def _beyond(these: Sequence[Foretold], those: Sequence[Foretold]) -> tuple[Foretold, ...]:
    known = Counter(each.identity for each in those)
    found = []
    for each in these:
        if known[each.identity] > 0:
            known[each.identity] -= 1
        else:
            found.append(each)
    return tuple(found)


class _Walk:
    """One rehearsal on its way from instant to instant."""

    def __init__(
        self, services: Services, stage: Stage, standing: frozenset[UUID], place: Mapping[str, Any]
    ) -> None:
        self._stage = stage
        self._clerk = Clerk(replace(services, database=stage, clock=stage.now))
        self._standing = standing
        self._zone = place["zone"]
        region = Region(place["holiday_country"], place["holiday_subdivision"])
        self._is_holiday = obstacles.is_holiday(region)
        self._seen: list[UUID] = []
        self._drafts: dict[Any, Draft] = {}
        self._rows: dict[UUID, Record] = {}
        self._told: list[Foretold] = []

    @classmethod
    async def begin(cls, services: Services, stage: Stage) -> "_Walk":
        """Look at what waits already."""
        standing = await stage.fetch(statements.STANDING)
        place = await stage.fetchrow(digest_statements.PLACE)
        walk = cls(services, stage, frozenset(row["id"] for row in standing), dict(place or {}))
        await walk.wait_for_morning(stage.now())
        return walk

    @property
    def is_full(self) -> bool:
        """Tell whether enough is told."""
        return len(self._told) >= MOST

    async def play(self, at: datetime, *, is_told: bool) -> None:
        """Let it be this instant, and let everything happen that is due."""
        await self._stage.set_clock(at)
        for work in _WORKS:
            await work(self._stage, at)
        await self._stage.set_clock(at)
        room = MOST + 1 - len(self._told)
        rows = await self._stage.fetch(
            statements.DUE, at, _UNPLANNED, self._seen, room, pretending.EARLIER
        )
        asked = [row["id"] for row in rows if row["left_out"] is None]
        verdicts: dict[UUID, Go | Stop] = dict(await self._clerk.look_up(asked))
        verdicts |= {row["id"]: Stop(row["left_out"]) for row in rows if row["left_out"]}
        waiting = [
            one
            for one, said in verdicts.items()
            if isinstance(said, Stop) and said.reason == QUIET_HOURS
        ]
        if waiting:
            await self.wait_for_morning(at, waiting)
            rows = [row for row in rows if row["id"] not in waiting]
        found = [
            await self._read(row, verdicts.get(row["id"], Stop("gone")), at, is_told=is_told)
            for row in rows
        ]
        self._seen += [row["id"] for row in rows]
        held = [
            one
            for one, said in verdicts.items()
            if isinstance(said, Stop) and said.state == "held" and one not in waiting
        ]
        await self._settle(found, held)
        if is_told:
            self._told += found
            self._rows |= {row["id"]: row for row in rows}

    async def wait_for_morning(self, at: datetime, ids: Sequence[UUID] = ()) -> None:
        """Let these letters leave when the quiet hours end, and those that are held till then."""
        morning = reminders.morning_after(at, at + LONGEST, self._zone, self._is_holiday) or at
        await self._stage.fetch(statements.WAIT, morning, list(ids))

    async def next_after(self, at: datetime) -> datetime | None:
        """Return the next instant at which something falls due."""
        due: datetime | None = await self._stage.fetchval(statements.NEXT, at)
        weekly = digests.next_after(at, self._zone, self._is_holiday)
        return weekly if due is None else min(due, weekly)

    async def tell(self) -> Foretelling:
        """Return what was found, with the rules that planned it."""
        ids = {row["rule_id"] for row in self._rows.values()} - {None}
        rows = await self._stage.fetch(statements.RULES, list(ids))
        rules = {row["id"]: rule_rows.read(row) for row in rows}
        told = [
            replace(each, reason=self._reason(self._rows[each.id], rules))
            for each in self._told[:MOST]
        ]
        return Foretelling(
            letters=tuple(each for each in told if each.stopped is None),
            stopped=tuple(each for each in told if each.stopped is not None),
            is_cut=len(self._told) > MOST,
        )

    async def _read(
        self, row: Record, verdict: Go | Stop, at: datetime, *, is_told: bool
    ) -> Foretold:
        facts = {
            name: row[name]
            for name in (
                *("id", "kind", "locale", "person_id", "name", "partner"),
                *("meeting_id", "meeting_title"),
            )
        }
        found = Foretold(**facts, at=at, reason=Reason("notice"))
        if isinstance(verdict, Stop):
            return replace(found, stopped=verdict.reason)
        if not is_told:
            return found
        key = verdict.prototype_key
        if key not in self._drafts:
            self._drafts[key] = await self._clerk.compose(key)
        return replace(found, draft=self._drafts[key], go=blackening.blacken(verdict))

    async def _settle(self, found: Sequence[Foretold], held: Sequence[UUID]) -> None:
        """Leave the rows as the postman would; what really waits now is not touched."""
        left = [each for each in found if each.stopped is None]
        people = [each.person_id for each in left if each.kind != _COPY and each.person_id]
        new = [each for each in found if each.id not in self._standing]
        stopped = [each.id for each in new if each.stopped is not None]
        async with self._stage.unit_of_work() as unit:
            run = unit.connection.execute
            await run(statements.LEFT, [each.id for each in new if each.stopped is None])
            await run(statements.STOPPED, stopped, held)
            await run(statements.FIRST_LETTERS, people)

    def _reason(self, row: Record, rules: Mapping[UUID, Rule]) -> Reason:
        if row["rule_id"] in rules:
            return Reason("choice" if row["is_choice"] else "rule", rules[row["rule_id"]])
        if row["id"] in self._standing:
            return Reason("queued")
        if row["kind"] == digesting.KIND:
            return Reason("digest")
        if row["notice_kind"] != "invitation":
            return Reason("notice")
        if row["is_timed"]:
            return Reason("own_time")
        return Reason("group_rule" if row["is_by_group_rule"] else "notice")
