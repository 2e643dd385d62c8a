"""When reminders fall due, and how long people have to answer: pure arithmetic on days."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from functools import partial

from service.domain import instants, working_days
from service.domain.changes import MeetingFacts
from service.domain.working_days import IsHoliday

WEEK_DAYS = 7
MOST_A_DAY = 5
"""Whoever is in many groups gets no more reminders and nudges a day; the rest is one of them."""
DAY_HOUR = time(9, 0)
QUIET_FROM = time(20, 0)
QUIET_TO = time(7, 0)
EVENING_BEFORE = time(18, 0)
# Later is kinder than earlier, as long as half a day is left before the start.
ROOM_BEFORE_START = timedelta(hours=12)
PUNCTUAL = timedelta(minutes=15)
NOT_AFTER_BEFORE_START = timedelta(minutes=30)
FEWEST_ANSWER_DAYS = 3
REMINDERS_APART = timedelta(hours=20)
"""So long nobody gets a second reminder or nudge of one session; those by minutes are exempt."""
SUMMARIES_APART = timedelta(hours=20)
"""A deadline may fall on the eve of a session; the office reads the later summary alone."""
LATE_DEADLINE = time(12, 0)
_SUNDAY = 6


class Kind(StrEnum):
    """A reminder of a meeting, a nudge for an answer, or the office's summary of the answers."""

    REMINDER = "reminder"
    NUDGE = "nudge"
    SUMMARY = "summary"


class Anchor(StrEnum):
    """What a rule counts from."""

    START = "start"
    ANSWER_BY = "answer_by"
    END = "end"


class Audience(StrEnum):
    """Who a rule is for; answers that no longer hold count as none.

    Leads are those of the session's groups who are invited themselves, whatever they answered but
    for a no. The office are the accounts that may change the session: no invited people.
    """

    ACCEPTED = "accepted"
    UNDECIDED = "undecided"
    NO_ANSWER = "no_answer"
    LEAD = "lead"
    OFFICE = "office"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule: days before at a local time, or minutes before; exactly one of the two.

    Days below a week count working days, whole weeks are calendar weeks; negative minutes and days
    are not used. `min_days_invited` keeps a rule from those who were invited only just before.
    """

    kind: Kind
    audience: tuple[Audience, ...]
    anchor: Anchor = Anchor.START
    days_before: int | None = None
    at_local_time: time | None = None
    minutes_before: int | None = None
    only_online: bool = False
    min_days_invited: int = 0

    def __post_init__(self) -> None:
        by_days = self.days_before is not None
        if by_days is (self.minutes_before is not None) or by_days is (self.at_local_time is None):
            raise ValueError("a rule counts days at a local time, or minutes")


COMING = (Audience.ACCEPTED, Audience.UNDECIDED)

# What people may choose for themselves: days before at a full hour, and minutes before.
OWN_DAYS = (7, 2, 1, 0)
OWN_HOURS = tuple(range(7, 19))
OWN_MINUTES = (120, 60, 30, 15)

# What every group starts with; the office changes them per group and session.
DEFAULT_RULES: tuple[Rule, ...] = (
    Rule(
        kind=Kind.NUDGE,
        audience=(Audience.NO_ANSWER,),
        anchor=Anchor.ANSWER_BY,
        days_before=7,
        at_local_time=DAY_HOUR,
        min_days_invited=2,
    ),
    Rule(
        kind=Kind.NUDGE,
        audience=(Audience.NO_ANSWER,),
        anchor=Anchor.ANSWER_BY,
        days_before=2,
        at_local_time=DAY_HOUR,
        min_days_invited=2,
    ),
    Rule(
        kind=Kind.REMINDER,
        audience=COMING,
        days_before=7,
        at_local_time=DAY_HOUR,
        min_days_invited=10,
    ),
    Rule(kind=Kind.REMINDER, audience=COMING, days_before=1, at_local_time=DAY_HOUR),
    Rule(
        kind=Kind.SUMMARY,
        audience=(Audience.OFFICE,),
        anchor=Anchor.ANSWER_BY,
        minutes_before=0,
    ),
    Rule(kind=Kind.SUMMARY, audience=(Audience.OFFICE,), days_before=1, at_local_time=DAY_HOUR),
)


def own_rules(days: Iterable[int], at: time, minutes: Iterable[int]) -> tuple[Rule, ...]:
    """Return the rules of somebody's own times, the earliest first; each stands alone.

    Raises ValueError for a time that nobody can choose.
    """
    by_days, by_minutes = sorted(set(days), reverse=True), sorted(set(minutes), reverse=True)
    odd = {*by_days} - {*OWN_DAYS} | {*by_minutes} - {*OWN_MINUTES}
    if odd or at not in {time(hour) for hour in OWN_HOURS}:
        raise ValueError("nobody can choose this time")
    own = partial(Rule, kind=Kind.REMINDER, audience=COMING)
    return (
        *(own(days_before=n, at_local_time=at) for n in by_days),
        *(own(minutes_before=n) for n in by_minutes),
    )


def due_at(rule: Rule, meeting: MeetingFacts, is_holiday: IsHoliday) -> datetime | None:
    """Return when the rule falls due for the meeting, None when it has no such anchor.

    Minutes are real time before the anchor, at any hour. Days are the office's working days at the
    meeting's local time, moved out of the quiet hours; the office is left in peace by minutes too.
    """
    anchor = _anchor_local(rule.anchor, meeting)
    if anchor is None:
        return None
    if rule.minutes_before is not None:
        at = instants.later(instants.to_utc(anchor, meeting.zone), minutes=-rule.minutes_before)
        is_summary = rule.kind is Kind.SUMMARY
        return out_of_quiet_hours(at, meeting, is_holiday) if is_summary else at
    if rule.days_before is None or rule.at_local_time is None:
        raise ValueError("a rule counts days at a local time, or minutes")
    day = days_before(anchor.date(), rule.days_before, is_holiday)
    due = instants.to_utc(datetime.combine(day, rule.at_local_time), meeting.zone)
    return out_of_quiet_hours(due, meeting, is_holiday, not_after(rule, meeting))


def not_after(rule: Rule, meeting: MeetingFacts) -> datetime | None:
    """Return when the rule's letter is of no use any more: nudges at the deadline."""
    start = meeting.starts_at
    if rule.kind is Kind.SUMMARY:
        return start
    if rule.anchor is Anchor.ANSWER_BY:
        return meeting.answer_by_at
    if start is None:
        return None
    if rule.minutes_before is not None:
        # Half an hour before the start a short-notice rule may only just have fallen due.
        return start
    return start - NOT_AFTER_BEFORE_START


def asks_by_deadline(rule: Rule) -> bool:
    """Tell whether the rule asks for answers until the deadline, so that a later one asks anew."""
    return rule.kind is Kind.NUDGE and rule.anchor is Anchor.ANSWER_BY


def is_too_soon(last: datetime | None, now: datetime) -> bool:
    """Tell whether it is too soon for another reminder after the last one, None for none."""
    return last is not None and now - last < REMINDERS_APART


def is_followed_soon(due: datetime, dues: Iterable[datetime]) -> bool:
    """Tell whether one of these comes so soon after `due` that it says the same, only better."""
    return any(timedelta(0) < other - due <= SUMMARIES_APART for other in dues)


def days_before(day: date, days: int, is_holiday: IsHoliday) -> date:
    """Count back: below a week in working days, whole weeks in calendar weeks to a working day."""
    weeks, rest = divmod(days, WEEK_DAYS)
    if weeks == 0:
        return working_days.before(day, rest, is_holiday)
    if rest == 0:
        return working_days.weeks_before(day, weeks, is_holiday)
    return working_days.at_or_before(day - timedelta(days=days), is_holiday)


def out_of_quiet_hours(
    due: datetime, meeting: MeetingFacts, is_holiday: IsHoliday, latest: datetime | None = None
) -> datetime:
    """Move an instant out of the night, Sundays and holidays.

    Later while twelve hours are left before the start and it is of use then, before `latest`; else
    18:00 of the working day before.
    """
    if not is_quiet(due, meeting.zone, is_holiday):
        return due
    later = _next_loud(due, meeting.zone, is_holiday)
    start = meeting.starts_at
    has_room = start is None or later + ROOM_BEFORE_START <= start
    if has_room and (latest is None or due >= latest or later < latest):
        return later
    return _evening_before(due, meeting.zone, is_holiday)


def waits_until(
    due: datetime, now: datetime, not_after: datetime, zone: str, is_holiday: IsHoliday
) -> datetime | None:
    """Return until when waits what was due and is overtaken by the quiet hours, None to leave now.

    What leaves a little late is on time, also where the night begins meanwhile.
    """
    return None if now - due <= PUNCTUAL else morning_after(now, not_after, zone, is_holiday)


def morning_after(
    now: datetime, not_after: datetime, zone: str, is_holiday: IsHoliday
) -> datetime | None:
    """Return when the quiet hours end for what is overdue; None to let it leave now.

    It is too late for anything earlier, and the last hours before a start are better than the
    night. Only what would be of no use in the morning leaves in the quiet hours.
    """
    if not is_quiet(now, zone, is_holiday):
        return None
    local = instants.to_local(now, zone)
    today = local.date()
    day = _loud_day(today if local.time() < QUIET_TO else today + timedelta(days=1), is_holiday)
    morning = instants.to_utc(datetime.combine(day, QUIET_TO), zone)
    return morning if morning < not_after else None


def is_quiet(instant: datetime, zone: str, is_holiday: IsHoliday) -> bool:
    """Tell whether people want no reminder now: 20:00 to 07:00, Sundays, public holidays."""
    local = instants.to_local(instant, zone)
    at_night = local.time() >= QUIET_FROM or local.time() < QUIET_TO
    return at_night or local.weekday() == _SUNDAY or is_holiday(local.date())


def group_deadline(
    starts_local: datetime, working_days_before: int, at: time, is_holiday: IsHoliday
) -> datetime:
    """Return the deadline, wall time, that a group's rule gives for a start."""
    day = working_days.before(starts_local.date(), working_days_before, is_holiday)
    return datetime.combine(day, at)


def deadline_after_move(
    rule_local: datetime | None,
    starts_local: datetime,
    zone: str,
    now: datetime,
    is_holiday: IsHoliday,
) -> datetime | None:
    """Return the new deadline, wall time, after a move, None when no time is left for one.

    The group's rule, but at least three working days from now; else the day before at 12:00.
    `rule_local` is what the group's rule gives, None when it has none.
    """
    today = instants.to_local(now, zone)
    earliest = working_days.after(today.date(), FEWEST_ANSWER_DAYS, is_holiday)
    if rule_local is not None and rule_local.date() >= earliest:
        return rule_local
    day_before = datetime.combine(starts_local.date() - timedelta(days=1), LATE_DEADLINE)
    return day_before if day_before > today else None


def invitation_at(
    starts_local: datetime, zone: str, weeks_before: int, is_holiday: IsHoliday
) -> datetime:
    """Return when a group's rule sends invitations: weeks before, a working day, 09:00."""
    day = working_days.weeks_before(starts_local.date(), weeks_before, is_holiday)
    return instants.to_utc(datetime.combine(day, DAY_HOUR), zone)


def _anchor_local(anchor: Anchor, meeting: MeetingFacts) -> datetime | None:
    anchors = {
        Anchor.START: meeting.starts_local,
        Anchor.ANSWER_BY: meeting.answer_by_local,
        Anchor.END: meeting.ends_local,
    }
    return anchors[anchor]


def _next_loud(due: datetime, zone: str, is_holiday: IsHoliday) -> datetime:
    local = instants.to_local(due, zone)
    day = local.date() if local.time() < QUIET_FROM else local.date() + timedelta(days=1)
    day = _loud_day(day, is_holiday)
    at = QUIET_TO if not QUIET_TO <= local.time() < QUIET_FROM else local.time()
    return instants.to_utc(datetime.combine(day, at), zone)


def _loud_day(day: date, is_holiday: IsHoliday) -> date:
    while day.weekday() == _SUNDAY or is_holiday(day):
        day += timedelta(days=1)
    return day


def _evening_before(due: datetime, zone: str, is_holiday: IsHoliday) -> datetime:
    """Return the last 18:00 of a working day that is not after the due time."""
    local = instants.to_local(due, zone)
    day = local.date() if local.time() >= EVENING_BEFORE else local.date() - timedelta(days=1)
    day = working_days.at_or_before(day, is_holiday)
    return instants.to_utc(datetime.combine(day, EVENING_BEFORE), zone)
