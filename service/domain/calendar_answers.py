"""What a button of a calendar program means, whom to believe, and which answer is newer."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum

from service.domain.words import Answer, Mode

# A clock that runs ahead must not block the answers that follow.
AHEAD = timedelta(minutes=5)


class Trust(IntEnum):
    """On what ground an answer is believed; the address of the letter is the best one."""

    TOKEN = 1
    VOUCHED = 2
    RELAYED = 3
    NONE = 4


class Outcome(StrEnum):
    """What became of an answer that a calendar program sent."""

    APPLIED = "applied"
    SAME = "same"
    STALE = "stale"
    OLD_DATE = "old_date"
    CLOSED = "closed"
    FULL = "full"
    NO_ANSWER = "no_answer"
    REFRESH = "refresh"
    FAILED = "failed"
    COUNTER = "counter"
    DELEGATION = "delegation"
    UNCONFIRMED = "unconfirmed"
    SOMEBODY_ELSE = "somebody_else"
    UNKNOWN_ENTRY = "unknown_entry"
    ODD = "odd"


NEEDS_LOOK = frozenset(
    {
        *(Outcome.FAILED, Outcome.COUNTER, Outcome.DELEGATION, Outcome.UNCONFIRMED),
        *(Outcome.SOMEBODY_ELSE, Outcome.UNKNOWN_ENTRY, Outcome.ODD),
    }
)
"""These wait for somebody of the office."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """Which version of the entry was answered to, and when (RFC 5546 section 2.1.5)."""

    sequence: int
    made_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is known of one invitation's answer before the new one.

    `last` is that of the last calendar answer, `clicked_at` when the answer that stands was given
    in another way, None where there is none.
    """

    last: Stamp | None = None
    clicked_at: datetime | None = None


def clamp(sequence: int, stamped_at: datetime | None, current: int, received_at: datetime) -> Stamp:
    """Return a stamp within bounds: no version that is to come, no time that is.

    An answer without a time counts as made when it came.
    """
    latest = received_at + AHEAD
    made_at = received_at if stamped_at is None else min(stamped_at, latest)
    return Stamp(min(max(sequence, 0), current), made_at)


def is_stale(stamp: Stamp, standing: Standing) -> bool:
    """Tell whether something newer is known already; the very same once more is stale, too."""
    last = standing.last
    if last is not None and (stamp.sequence, stamp.made_at) <= (last.sequence, last.made_at):
        return True
    # Programs write whole seconds.
    clicked_at = standing.clicked_at
    return clicked_at is not None and stamp.made_at < clicked_at.replace(microsecond=0)


def meant(
    partstat: str, mode: Mode, holding: Answer | None, *, has_room: bool, hybrid: Answer
) -> Answer | None:
    """Return what a button says; None for one that says nothing.

    A yes says nothing about how: what stands already stays. For a hybrid meeting `hybrid` is the
    wish of the house, online where no seat is free.
    """
    if partstat == "DECLINED":
        return Answer.DECLINED
    if partstat == "TENTATIVE":
        return Answer.UNDECIDED
    if partstat != "ACCEPTED":
        return None
    if holding in {Answer.IN_PERSON, Answer.ONLINE}:
        return holding
    if mode is Mode.HYBRID:
        return hybrid if has_room else Answer.ONLINE
    return Answer.ONLINE if mode is Mode.ONLINE else Answer.IN_PERSON
