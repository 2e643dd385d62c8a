from datetime import date

import pytest

from service.domain import working_days

HOLIDAYS = {date(2027, 3, 26), date(2027, 3, 29), date(2027, 5, 6)}


def is_holiday(day: date) -> bool:
    return day in HOLIDAYS


@pytest.mark.parametrize(
    ("day", "count", "expected"),
    [
        (date(2027, 1, 21), 1, date(2027, 1, 20)),
        (date(2027, 1, 25), 1, date(2027, 1, 22)),
        (date(2027, 1, 24), 1, date(2027, 1, 22)),
        (date(2027, 3, 30), 1, date(2027, 3, 25)),
        (date(2027, 1, 21), 5, date(2027, 1, 14)),
        (date(2027, 1, 21), 0, date(2027, 1, 21)),
    ],
)
def test_working_days_skip_weekends_and_holidays(day: date, count: int, expected: date) -> None:
    assert working_days.before(day, count, is_holiday) == expected


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2027, 1, 28), date(2027, 1, 21)),
        (date(2027, 5, 13), date(2027, 5, 5)),
        (date(2027, 4, 5), date(2027, 3, 25)),
    ],
)
def test_a_week_before_is_the_same_weekday_or_the_working_day_before_it(
    day: date, expected: date
) -> None:
    assert working_days.weeks_before(day, 1, is_holiday) == expected


def test_working_days_after_count_from_the_next_day() -> None:
    assert working_days.after(date(2027, 3, 25), 1, is_holiday) == date(2027, 3, 30)


def test_a_table_of_holidays_without_end_does_not_hang() -> None:
    found = working_days.before(date(2027, 3, 25), 1, lambda _day: True)

    assert found < date(2027, 3, 25)
