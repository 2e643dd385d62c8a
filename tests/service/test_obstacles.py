from datetime import date

import pytest

from calendars.obstacles import Refusal, Span
from service import obstacles
from service.domain.obstacles import Kind, Obstacle
from service.obstacles import Region

THURINGIA = Region()
EASTER = "Oster-/Frühjahrsferien"


def test_thuringia_has_a_holiday_on_world_children_s_day() -> None:
    assert obstacles.public_holidays(THURINGIA, 2027)[date(2027, 9, 20)] == "Weltkindertag"


def test_holidays_have_english_names_too() -> None:
    found = obstacles.public_holidays(THURINGIA, 2027, "en")[date(2027, 3, 26)]

    assert found == "Good Friday"


def test_other_states_have_other_holidays() -> None:
    days = obstacles.public_holidays(Region("DE", "BE"), 2027)

    assert date(2027, 9, 20) not in days


def test_schools_are_closed_in_the_summer_of_2027() -> None:
    days = obstacles.school_holidays(THURINGIA, 2027)

    assert date(2027, 7, 20) in days
    assert date(2027, 6, 1) not in days


def test_the_end_of_the_table_is_known() -> None:
    last = obstacles.last_school_day(THURINGIA)

    assert last is not None
    assert last >= date(2028, 1, 1)


def test_an_unknown_country_has_no_holidays_rather_than_an_error() -> None:
    assert obstacles.public_holidays(Region("ZZ", ""), 2027) == {}
    assert obstacles.last_school_day(Region("ZZ", "")) is None


def test_the_question_for_the_rules_knows_each_year() -> None:
    is_holiday = obstacles.is_holiday(THURINGIA)

    assert [is_holiday(date(year, 1, 1)) for year in (2026, 2035)] == [True, True]
    assert not is_holiday(date(2027, 1, 4))


def test_holidays_and_lists_of_the_office_come_together() -> None:
    plenum = Obstacle(date(2027, 3, 24), date(2027, 3, 25), Kind.BLACK_OUT, "Plenum", "Landtag")

    found = obstacles.find(THURINGIA, date(2027, 3, 25), date(2027, 3, 26), listed=[plenum])

    assert found == (
        Obstacle(date(2027, 3, 22), date(2027, 4, 3), Kind.SCHOOL_HOLIDAY, EASTER),
        plenum,
        Obstacle(date(2027, 3, 26), date(2027, 3, 26), Kind.PUBLIC_HOLIDAY, "Karfreitag"),
    )


def test_holidays_over_new_year_are_one_obstacle() -> None:
    found = obstacles.find(THURINGIA, date(2026, 12, 20), date(2026, 12, 31))

    christmas = [each for each in found if each.kind is Kind.SCHOOL_HOLIDAY]
    assert [(date(2026, 12, 23), date(2027, 1, 2))] == [
        (each.first_on, each.last_on) for each in christmas
    ]


@pytest.mark.parametrize(("zone", "day"), [("Europe/Berlin", 21), ("UTC", 20)])
def test_an_instant_of_a_list_lies_on_the_day_that_the_offices_clocks_show(
    zone: str, day: int
) -> None:
    calendar = (
        b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20270120T233000Z\nEND:VEVENT\nEND:VCALENDAR\n"
    )
    found = obstacles.read_list(calendar, date(2026, 11, 22), zone)

    assert (Span(date(2027, 1, day), date(2027, 1, day), ""),) == found.spans


def test_a_list_is_read_by_what_is_in_it() -> None:
    today = date(2026, 11, 22)
    calendar = b"BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20270121\nEND:VEVENT\nEND:VCALENDAR\n"
    expected = (Span(date(2027, 1, 21), date(2027, 1, 21), ""),)

    assert expected == obstacles.read_list(calendar, today).spans
    assert expected == obstacles.read_list(b"21.01.2027", today).spans
    assert Refusal.EMPTY is obstacles.read_list(b"", today).refusal
