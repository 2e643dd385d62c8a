from datetime import UTC, date, datetime

import pytest

from service.domain import digests

ZONE = "Europe/Berlin"
EASTER_MONDAY = date(2027, 3, 29)


def is_holiday(day: date) -> bool:
    return day == EASTER_MONDAY


@pytest.mark.parametrize(
    ("now", "day"),
    [
        (datetime(2027, 1, 4, 0, 0, tzinfo=UTC), date(2027, 1, 4)),
        (datetime(2027, 1, 10, 22, 59, tzinfo=UTC), date(2027, 1, 4)),
        (datetime(2027, 1, 10, 23, 0, tzinfo=UTC), date(2027, 1, 11)),
        (datetime(2027, 3, 31, 9, 0, tzinfo=UTC), date(2027, 3, 30)),
    ],
)
def test_the_weekly_letter_comes_on_monday_or_the_next_working_day(
    now: datetime, day: date
) -> None:
    assert day == digests.due_on(now, ZONE, is_holiday)


@pytest.mark.parametrize(
    ("day", "hour"), [(date(2027, 1, 4), 7), (date(2027, 3, 30), 6), (date(2027, 11, 1), 7)]
)
def test_eight_oclock_is_eight_oclock_on_both_sides_of_a_change_of_the_clocks(
    day: date, hour: int
) -> None:
    due = digests.due_at(day, ZONE)

    assert datetime(day.year, day.month, day.day, hour, tzinfo=UTC) == due


def test_the_first_days_of_january_may_belong_to_the_old_years_last_week() -> None:
    assert ["2026-W53", "2027-W01"] == [
        digests.week_of(day) for day in (date(2027, 1, 1), date(2027, 1, 4))
    ]


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (datetime(2027, 1, 3, 12, tzinfo=UTC), datetime(2027, 1, 4, 7, tzinfo=UTC)),
        (datetime(2027, 1, 4, 7, tzinfo=UTC), datetime(2027, 1, 5, 6, tzinfo=UTC)),
        (datetime(2027, 1, 5, 22, tzinfo=UTC), datetime(2027, 1, 6, 6, tzinfo=UTC)),
        (datetime(2027, 1, 6, 6, tzinfo=UTC), datetime(2027, 1, 11, 7, tzinfo=UTC)),
        (datetime(2027, 3, 28, 12, tzinfo=UTC), datetime(2027, 3, 30, 6, tzinfo=UTC)),
    ],
)
def test_letters_may_begin_to_leave_at_the_hour_and_when_a_night_is_over(
    at: datetime, expected: datetime
) -> None:
    assert expected == digests.next_after(at, ZONE, is_holiday)
