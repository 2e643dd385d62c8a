"""The vocabulary of one thing in a calendar, as programs exchange it."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum

_ADDRESS = re.compile(r"""[^\s@"<>(),:;\\\x00-\x20\x7f-\x9f]+@[^\s@"<>(),;\\\x00-\x20\x7f-\x9f]+""")
_UID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@:+-]{0,199}")
_LARGEST_INTEGER = 2**31 - 1  # RFC 5545 section 3.3.8
_FIRST_YEAR, _LAST_YEAR = 1900, 9000  # UTC conversion and the exclusive end need room beyond


class Status(StrEnum):
    """Whether it takes place (RFC 5545 section 3.8.1.11)."""

    TENTATIVE = "TENTATIVE"
    CONFIRMED = "CONFIRMED"
    CANCELLED = "CANCELLED"


class Answer(StrEnum):
    """What an invited person says in the words of calendar programs (PARTSTAT)."""

    NEEDS_ACTION = "NEEDS-ACTION"
    ACCEPTED = "ACCEPTED"
    TENTATIVE = "TENTATIVE"
    DECLINED = "DECLINED"
    DELEGATED = "DELEGATED"


@dataclass(frozen=True, slots=True)
class Organiser:
    """Who calls the meeting: `email` takes the replies, `mailbox` is shown where it differs.

    In feeds `email` is the office's fixed mailbox; in invitations it may be the address with the
    reply token, and `mailbox` then names the fixed one.
    """

    name: str
    email: str
    mailbox: str = ""

    def __post_init__(self) -> None:
        _require_address(self.email)
        if self.mailbox:
            _require_address(self.mailbox)


@dataclass(frozen=True, slots=True)
class Attendee:
    """The one invited person that an entry names."""

    name: str
    email: str
    answer: Answer = Answer.NEEDS_ACTION
    role: str = "REQ-PARTICIPANT"
    rsvp: bool = False

    def __post_init__(self) -> None:
        _require_address(self.email)
        if self.role not in {"CHAIR", "REQ-PARTICIPANT", "OPT-PARTICIPANT", "NON-PARTICIPANT"}:
            raise ValueError("not a role of RFC 5545 section 3.2.16")


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One thing in a calendar, with its own identity for life.

    `starts` and `ends` are both aware instants, or both days; `ends` is then the last day. `busy`
    blocks the time of the reader. Refuses with ValueError what no calendar can carry; odd text is
    not refused but cleaned when the entry is rendered.
    """

    uid: str
    sequence: int
    changed_at: datetime
    created_at: datetime
    status: Status
    summary: str
    starts: datetime | date
    ends: datetime | date
    location: str = ""
    description: str = ""
    url: str = ""
    conference_url: str = ""
    categories: tuple[str, ...] = ()
    organiser: Organiser | None = None
    attendee: Attendee | None = None
    busy: bool = False
    alarm_minutes: int | None = None

    def __post_init__(self) -> None:
        require_uid(self.uid)
        if not 0 <= self.sequence <= _LARGEST_INTEGER:
            raise ValueError("the sequence is not between 0 and 2147483647")
        if self.alarm_minutes is not None and self.alarm_minutes < 0:
            raise ValueError("the alarm is after the start")
        require_aware(self.changed_at)
        require_aware(self.created_at)
        self._check_times()

    @property
    def all_day(self) -> bool:
        """Tell whether the entry fills whole days."""
        return not isinstance(self.starts, datetime)

    def _check_times(self) -> None:
        starts, ends = self.starts, self.ends
        if starts.year < _FIRST_YEAR or ends.year > _LAST_YEAR:
            raise ValueError("the year is beyond what calendars compute")
        if self.all_day is isinstance(ends, datetime):
            raise ValueError("start and end are not both instants or both days")
        if isinstance(starts, datetime) and isinstance(ends, datetime):
            require_aware(starts)
            require_aware(ends)
            if _second(ends) <= _second(starts):
                raise ValueError("the end is not after the start (RFC 5545 section 3.8.2.2)")
        elif ends < starts:
            raise ValueError("the last day is before the first")


def require_aware(moment: datetime) -> None:
    """Refuse a datetime without offset: it would come out as floating time."""
    if moment.utcoffset() is None:
        raise ValueError("the datetime is naive")


def require_uid(uid: str) -> None:
    """Refuse a UID that is empty or has characters that some program changes."""
    if not _UID.fullmatch(uid):
        raise ValueError("the UID has characters that some program changes")


def _second(moment: datetime) -> datetime:
    # Wall times of one zone compare without their offsets, so the clock change needs UTC.
    return moment.astimezone(UTC).replace(microsecond=0)


def _require_address(email: str) -> None:
    if not _ADDRESS.fullmatch(email):
        raise ValueError("not a mail address that fits into one line")
