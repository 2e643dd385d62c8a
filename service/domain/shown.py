"""A meeting as lists, pages and calendars show it: wall times that become instants on demand."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from service.domain.overrides import Overrides


@dataclass(frozen=True, slots=True)
class GroupName:
    """A group as texts name it."""

    slug: str
    name: str
    heading: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnAnswer:
    """What one invited person said, and what it was said about."""

    state: str
    channel: str
    answer: str | None
    deputy_name: str
    given_starts_local: datetime | None
    given_mode: str | None
    given_town: str | None
    answered_at: datetime | None
    said: Overrides
    changed_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownMeeting:
    """A meeting with the names of its groups; wall times are naive and stand in `time_zone`."""

    id: UUID
    uid: UUID
    slug: str | None
    state: str
    date_precision: str
    title: str
    starts_local: datetime | None
    ends_local: datetime | None
    time_zone: str
    starts_at: datetime | None
    ends_at: datetime | None
    mode: str
    place_name: str
    room: str
    street: str
    town: str
    place_access: str
    online_url: str
    dial_in: str
    answer_by_local: datetime | None
    visibility: str
    description: str
    agenda: str
    chair: str
    organiser: str
    outward_url: str
    cancel_reason: str
    previous_starts_local: datetime | None
    previous_ends_local: datetime | None
    revision: int
    sequence: int
    changed_at: datetime
    created_at: datetime
    sheet_saved_at: datetime | None
    groups: tuple[GroupName, ...]
    # The one day in calendars of a date that is known by the week or month only.
    rough_on: date | None = None

    @property
    def zone(self) -> ZoneInfo:
        """The zone that the wall times stand in."""
        return ZoneInfo(self.time_zone)

    @property
    def starts(self) -> datetime | None:
        """The start as an aware instant in the meeting's zone, None while no date is known."""
        return _aware(self.starts_local, self.starts_at, self.zone)

    @property
    def ends(self) -> datetime | None:
        """The end as an aware instant in the meeting's zone, None while it is open."""
        return _aware(self.ends_local, self.ends_at, self.zone)

    @property
    def previous_starts(self) -> datetime | None:
        """The start before it was moved, None where it never was."""
        return _aware(self.previous_starts_local, None, self.zone)

    @property
    def previous_ends(self) -> datetime | None:
        """The end before it was moved."""
        return _aware(self.previous_ends_local, None, self.zone)

    @property
    def is_moved(self) -> bool:
        """Tell whether it stands on another date than it once did."""
        before = self.previous_starts_local
        is_dated = self.starts_local is not None and self.state in {"tentative", "confirmed"}
        return is_dated and before is not None and before != self.starts_local

    @property
    def heading(self) -> str:
        """The heading of the public list that it stands under."""
        return self.groups[0].heading if self.groups else "other"

    @property
    def last_day(self) -> date | None:
        """The last day of a date that is known by the day; midnight belongs to the day before."""
        if self.starts_local is None:
            return None
        if self.ends_local is None or self.ends_local <= self.starts_local:
            return self.starts_local.date()
        return (self.ends_local - timedelta(microseconds=1)).date()


def _aware(local: datetime | None, at: datetime | None, zone: ZoneInfo) -> datetime | None:
    if local is None:
        return None
    # The wall time is the truth; the stored instant only tells the two runs of an hour apart.
    second = local.replace(tzinfo=zone, fold=1)
    # In such an hour moments of two zones never compare as equal, so both go to UTC first.
    is_second = at is not None and second.astimezone(UTC) == at.astimezone(UTC)
    return second if is_second else local.replace(tzinfo=zone)
