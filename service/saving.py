"""The words of a move: how somebody wants it saved, its way through, and what stands after it."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from asyncpg import Record

from service.auditing import Actor
from service.domain.authority import EVERYTHING, Authority
from service.domain.changes import ChangeEffect, MeetingFacts
from service.domain.meeting_forms import MeetingForm
from service.domain.overrides import Overrides
from service.domain.words import State, Verdict
from service.ruling import NO_TICKS, Ticks


class Letters(StrEnum):
    """Which letters a change gives rise to: the rules', none, at once, or also where none go."""

    BY_RULE = "by_rule"
    NONE = "none"
    NOW = "now"
    TICKED = "ticked"


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a change is saved: with which right, seen at which revision, told to whom.

    `seen_revision` None skips the check for another editor. `invite_local` is when invitations are
    to leave, wall time of the session, None by the group's rule. `answers` says whether answers
    hold or are asked for again, None by the rules' table. `message` is said to everybody who is
    told. `ticks` switch the session's reminder rules.
    """

    authority: Authority = EVERYTHING
    seen_revision: int | None = None
    letters: Letters = Letters.BY_RULE
    answers: Verdict | None = None
    invite_local: datetime | None = None
    message: str = ""
    ticks: Ticks = NO_TICKS


BY_RULE = Options()


@dataclass(frozen=True, slots=True)
class Saving:
    """Who saves, when, and how."""

    actor: Actor
    now: datetime
    options: Options = BY_RULE


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """What stands after a move.

    `asked_again` counts answers that no longer hold, `asks_by_rule` is what the table alone says of
    them, `switched` reminder rules that changed.
    """

    meeting_id: UUID
    state: State
    revision: int
    effect: ChangeEffect
    notice_ids: tuple[UUID, ...] = ()
    asked_again: int = 0
    asks_by_rule: bool = False
    is_changed: bool = False
    switched: int = 0


@dataclass(frozen=True, slots=True)
class Ending:
    """What is said of a cancellation."""

    reason: str = ""
    number_kept: bool = True


NO_ENDING = Ending()


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One move on its way: the locked row, what it becomes, and what is said about it."""

    row: Record
    form: MeetingForm
    before: MeetingFacts
    after: MeetingFacts
    effect: ChangeEffect
    ending: Ending
    said: Overrides
    asks_by_rule: bool

    @property
    def meeting_id(self) -> UUID:
        """Name the meeting."""
        return self.row["id"]  # type: ignore[no-any-return]

    @property
    def is_published_now(self) -> bool:
        """Tell whether nobody knew of the meeting before."""
        return self.before.state is State.DRAFT
