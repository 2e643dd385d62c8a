from datetime import UTC, date, datetime, time, timedelta

import pytest

from service.domain import instants, reminders
from service.domain.changes import MeetingFacts
from service.domain.reminders import DEFAULT_RULES, Anchor, Audience, Kind, Rule
from service.domain.words import State

ZONE = "Europe/Berlin"
EASTER = {date(2027, 3, 26), date(2027, 3, 29)}


def wall(*parts: int) -> datetime:
    return datetime(*parts)  # type: ignore[arg-type] # noqa: DTZ001 (wall time)


def is_holiday(day: date) -> bool:
    return day in EASTER


def meeting(starts_local: datetime, answer_by_local: datetime | None = None) -> MeetingFacts:
    return MeetingFacts(
        state=State.CONFIRMED,
        title="17. Arbeitsgruppensitzung Klima",
        starts_local=starts_local,
        ends_local=starts_local + timedelta(hours=2),
        answer_by_local=answer_by_local,
    )


def days(count: int, at: time = time(9, 0), anchor: Anchor = Anchor.START) -> Rule:
    return Rule(
        kind=Kind.REMINDER,
        audience=(Audience.ACCEPTED,),
        anchor=anchor,
        days_before=count,
        at_local_time=at,
    )


def minutes(count: int) -> Rule:
    return Rule(kind=Kind.REMINDER, audience=(Audience.ACCEPTED,), minutes_before=count)


def due(rule: Rule, facts: MeetingFacts) -> datetime | None:
    """Return the due time as the wall shows it."""
    found = reminders.due_at(rule, facts, is_holiday)
    return None if found is None else instants.to_local(found, ZONE)


@pytest.mark.parametrize(
    ("rule", "start", "expected"),
    [
        pytest.param(
            days(1), wall(2027, 1, 21, 10), wall(2027, 1, 20, 9), id="the working day before"
        ),
        pytest.param(days(1), wall(2027, 1, 25, 10), wall(2027, 1, 22, 9), id="Friday for Monday"),
        pytest.param(days(1), wall(2027, 3, 30, 10), wall(2027, 3, 25, 9), id="before Easter"),
        pytest.param(days(2), wall(2027, 1, 25, 10), wall(2027, 1, 21, 9), id="two working days"),
        pytest.param(days(7), wall(2027, 1, 21, 10), wall(2027, 1, 14, 9), id="a week is a week"),
        pytest.param(days(7), wall(2027, 4, 5, 10), wall(2027, 3, 25, 9), id="week on a holiday"),
        pytest.param(days(1), wall(2027, 3, 29, 10), wall(2027, 3, 25, 9), id="summer time began"),
        pytest.param(days(14), wall(2027, 4, 8, 10), wall(2027, 3, 25, 9), id="two weeks, by wall"),
    ],
)
def test_days_are_counted_as_offices_count_them(
    rule: Rule, start: datetime, expected: datetime
) -> None:
    assert due(rule, meeting(start)) == expected


def test_minutes_are_real_time_at_any_hour() -> None:
    found = reminders.due_at(minutes(60), meeting(wall(2027, 3, 28, 3, 30)), is_holiday)

    assert found == datetime(2027, 3, 28, 0, 30, tzinfo=UTC)


def test_a_rule_that_counts_from_a_deadline_needs_one() -> None:
    rule = days(2, anchor=Anchor.ANSWER_BY)

    assert due(rule, meeting(wall(2027, 1, 21, 10))) is None


def test_a_rule_that_counts_from_a_deadline_goes_by_it() -> None:
    facts = meeting(wall(2027, 1, 21, 10), wall(2027, 1, 14, 12))

    assert due(days(2, anchor=Anchor.ANSWER_BY), facts) == wall(2027, 1, 12, 9)


def test_a_night_time_is_moved_later_while_half_a_day_is_left() -> None:
    facts = meeting(wall(2027, 1, 21, 20, 30))

    assert due(days(1, at=time(22, 0)), facts) == wall(2027, 1, 21, 7)


def test_a_night_time_is_moved_to_the_evening_before_when_the_start_is_near() -> None:
    facts = meeting(wall(2027, 1, 21, 10))

    assert due(days(1, at=time(22, 0)), facts) == wall(2027, 1, 20, 18)


def test_a_night_time_is_moved_to_the_evening_before_when_the_deadline_is_over_in_the_morning() -> (
    None
):
    facts = meeting(wall(2027, 1, 28, 10), wall(2027, 1, 21, 23, 59))
    late = days(0, at=time(21, 0), anchor=Anchor.ANSWER_BY)

    assert due(late, facts) == wall(2027, 1, 21, 18)


def test_nothing_goes_out_on_a_saturday_evening_for_a_monday() -> None:
    sunday = instants.to_utc(wall(2027, 1, 24, 22), ZONE)
    facts = meeting(wall(2027, 1, 25, 8))
    moved = reminders.out_of_quiet_hours(sunday, facts, is_holiday)

    assert instants.to_local(moved, ZONE) == wall(2027, 1, 22, 18)


@pytest.mark.parametrize(
    ("local", "quiet"),
    [
        (wall(2027, 1, 21, 6, 59), True),
        (wall(2027, 1, 21, 7, 0), False),
        (wall(2027, 1, 21, 19, 59), False),
        (wall(2027, 1, 21, 20, 0), True),
        (wall(2027, 1, 24, 12, 0), True),
        (wall(2027, 3, 26, 12, 0), True),
        (wall(2027, 1, 23, 12, 0), False),
    ],
)
def test_nights_sundays_and_holidays_are_quiet(local: datetime, *, quiet: bool) -> None:
    assert reminders.is_quiet(instants.to_utc(local, ZONE), ZONE, is_holiday) is quiet


@pytest.mark.parametrize(
    ("now", "morning"),
    [
        (wall(2027, 3, 3, 12), None),
        (wall(2027, 3, 3, 19, 59), None),
        (wall(2027, 3, 3, 20), wall(2027, 3, 4, 7)),
        (wall(2027, 3, 4, 6, 59), wall(2027, 3, 4, 7)),
        # Saturday evening, and Sunday by day.
        (wall(2027, 3, 6, 20), wall(2027, 3, 8, 7)),
        (wall(2027, 3, 7, 14), wall(2027, 3, 8, 7)),
        # Good Friday, and the night after the Saturday that follows: Monday is a holiday too.
        (wall(2027, 3, 26, 14), wall(2027, 3, 27, 7)),
        (wall(2027, 3, 27, 23), wall(2027, 3, 30, 7)),
    ],
)
def test_what_is_overdue_waits_for_the_next_morning(
    now: datetime, morning: datetime | None
) -> None:
    expected = morning and instants.to_utc(morning, ZONE)
    at = instants.to_utc(now, ZONE)

    assert expected == reminders.morning_after(at, at + timedelta(days=9), ZONE, is_holiday)


def test_what_would_be_of_no_use_in_the_morning_does_not_wait() -> None:
    at = instants.to_utc(wall(2027, 3, 3, 23), ZONE)
    seven = at + timedelta(hours=8)

    assert reminders.morning_after(at, seven, ZONE, is_holiday) is None
    assert seven == reminders.morning_after(at, seven + timedelta(seconds=1), ZONE, is_holiday)


def test_a_reminder_is_of_no_use_half_an_hour_before_the_start() -> None:
    facts = meeting(wall(2027, 1, 21, 10))

    assert reminders.not_after(days(1), facts) == datetime(2027, 1, 21, 8, 30, tzinfo=UTC)


def test_a_rule_by_minutes_is_of_use_until_the_start() -> None:
    facts = meeting(wall(2027, 1, 21, 10))

    assert reminders.not_after(minutes(15), facts) == datetime(2027, 1, 21, 9, 0, tzinfo=UTC)


def test_a_nudge_is_of_no_use_after_the_deadline() -> None:
    facts = meeting(wall(2027, 1, 21, 10), wall(2027, 1, 14, 12))
    rule = days(2, anchor=Anchor.ANSWER_BY)

    assert reminders.not_after(rule, facts) == datetime(2027, 1, 14, 11, 0, tzinfo=UTC)


def test_a_group_s_deadline_is_counted_in_working_days() -> None:
    found = reminders.group_deadline(wall(2027, 3, 30, 10), 5, time(12, 0), is_holiday)

    assert found == wall(2027, 3, 19, 12)


@pytest.mark.parametrize(
    ("start", "expected"),
    [
        pytest.param(wall(2027, 2, 25, 10), wall(2027, 2, 18, 12), id="the group's rule"),
        pytest.param(wall(2027, 2, 1, 10), wall(2027, 1, 25, 12), id="the rule on the third day"),
        pytest.param(wall(2027, 1, 29, 10), wall(2027, 1, 28, 12), id="two days are too few"),
        pytest.param(wall(2027, 1, 28, 10), wall(2027, 1, 27, 12), id="the day before"),
        pytest.param(wall(2027, 1, 21, 16), None, id="none, the day before is past"),
    ],
)
def test_after_a_move_people_have_three_working_days_or_until_the_day_before(
    start: datetime, expected: datetime | None
) -> None:
    now = instants.to_utc(wall(2027, 1, 20, 13), ZONE)
    rule = reminders.group_deadline(start, 5, time(12, 0), is_holiday)
    found = reminders.deadline_after_move(rule, start, ZONE, now, is_holiday)

    assert found == expected


def test_invitations_leave_weeks_before_at_nine() -> None:
    found = reminders.invitation_at(wall(2027, 3, 4, 10), ZONE, 6, is_holiday)

    assert instants.to_local(found, ZONE) == wall(2027, 1, 21, 9)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"days_before": 1},
        {"minutes_before": 5, "at_local_time": time(9)},
        {"days_before": 1, "at_local_time": time(9), "minutes_before": 5},
    ],
)
def test_a_rule_counts_days_or_minutes_and_not_both(given: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="counts days"):
        Rule(kind=Kind.NUDGE, audience=(Audience.NO_ANSWER,), **given)  # type: ignore[arg-type]


def test_only_those_without_an_answer_are_nudged_by_default() -> None:
    nudged = {rule.audience for rule in DEFAULT_RULES if rule.kind is Kind.NUDGE}
    reminded = {rule.audience for rule in DEFAULT_RULES if rule.kind is Kind.REMINDER}

    assert nudged == {(Audience.NO_ANSWER,)}
    assert reminded == {(Audience.ACCEPTED, Audience.UNDECIDED)}
