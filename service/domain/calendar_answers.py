"""What a button of a calendar program means, whom to believe, and which answer is newer."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo
from enum import IntEnum, StrEnum
from zoneinfo import ZoneInfo

from service.domain.words import Answer, Mode

# A clock that runs ahead must not block the answers that follow.
AHEAD = timedelta(minutes=5)
_HOME = "Europe/Berlin"
# How Outlook calls the zones that keep our time all the year, and the one beside them.
_WINDOWS_ZONES = {
    "W. Europe Standard Time": _HOME,
    "Central Europe Standard Time": _HOME,
    "Central European Standard Time": _HOME,
    "Romance Standard Time": _HOME,
    "GMT Standard Time": "Europe/London",
    "UTC": "UTC",
}
_TIME = re.compile(r"(\d{8})(?:T(\d{6})(Z?))?")


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

MAY_COUNT = frozenset({Outcome.UNCONFIRMED, Outcome.SOMEBODY_ELSE})
"""Of those the office may let these count: they say one thing about a session that we know."""


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


@dataclass(frozen=True, slots=True)
class Proposed:
    """When somebody wants to meet instead: instants, or days of which `ends` is the last one."""

    starts: date
    ends: date | None = None


def read_proposal(starts: str, ends: str, zone: str) -> Proposed | None:
    """Return the proposed times, None where they cannot be told for certain.

    They come as the program wrote them: a time of no zone is ours, one of an unknown zone is none,
    and the end of a day is the day after it (RFC 5545 section 3.6.1).
    """
    begin, end = (_read_time(one, zone) for one in (starts, ends))
    if begin is None or (ends and end is None):
        return None
    if end is None or isinstance(begin, datetime) is not isinstance(end, datetime):
        return Proposed(begin)
    if isinstance(begin, datetime):
        return Proposed(begin, end if end > begin else None)
    return Proposed(begin, max(begin, end - timedelta(days=1)))


def _read_time(text: str, zone: str) -> date | None:
    found = _TIME.fullmatch(text)
    where = UTC if found and found[3] else _read_zone(zone)
    if found is None or where is None:
        return None
    try:
        if found[2] is None:
            return datetime.strptime(found[1], "%Y%m%d").replace(tzinfo=UTC).date()
        return datetime.strptime(found[1] + found[2], "%Y%m%d%H%M%S").replace(tzinfo=where)
    except ValueError:
        return None


def _read_zone(name: str) -> tzinfo | None:
    """Return the zone; some programs write a path of their own before its name."""
    known = _WINDOWS_ZONES.get(name) or "/".join(name.strip("/").split("/")[-2:]) or _HOME
    try:
        return ZoneInfo(known)
    except (ValueError, OSError, KeyError):
        return None
