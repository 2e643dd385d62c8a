"""Our constant time zone says what the time zone database says."""

from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from dateutil.tz import tzical

from calendars.zones import EUROPE_BERLIN, is_plain_wall_time
from tests.calendars import lint
from tests.calendars.samples import BERLIN

BOUNDARY_DAYS = [
    datetime(year, month, day)  # noqa: DTZ001 -- wall times are what is compared
    for year in range(1997, 2061)
    for month in (3, 10)
    for day in range(24, 32)
]


@pytest.mark.parametrize("hour", [1, 3, 12])
def test_the_rules_give_the_offset_of_the_time_zone_database(hour: int) -> None:
    # dateutil knows no X- lines in a definition.
    definition = EUROPE_BERLIN.replace(b"X-LIC-LOCATION:Europe/Berlin\r\n", b"")
    ours = tzical(StringIO(definition.decode().replace("\r\n", "\n"))).get()
    walls = [day.replace(hour=hour, minute=30) for day in BOUNDARY_DAYS]

    expected = [wall.replace(tzinfo=BERLIN).utcoffset() for wall in walls]

    assert expected == [wall.replace(tzinfo=ours).utcoffset() for wall in walls]


def test_the_definition_is_written_as_two_yearly_rules() -> None:
    expected = ["FREQ=YEARLY;BYMONTH=3;BYDAY=-1SU", "FREQ=YEARLY;BYMONTH=10;BYDAY=-1SU"]

    body = b"BEGIN:VCALENDAR\r\n" + EUROPE_BERLIN + b"END:VCALENDAR\r\n"
    rules = lint.properties(body, "RRULE", "DAYLIGHT") + lint.properties(body, "RRULE", "STANDARD")

    assert expected == [rule.value for rule in rules]


@pytest.mark.parametrize(
    ("moment", "expected"),
    [
        (datetime(2027, 1, 21, 10, 0, tzinfo=BERLIN), True),
        (datetime(2026, 10, 25, 1, 59, tzinfo=BERLIN), True),
        (datetime(2026, 10, 25, 2, 0, tzinfo=BERLIN), False),
        (datetime(2026, 10, 25, 2, 59, tzinfo=BERLIN, fold=1), False),
        (datetime(2026, 10, 25, 3, 0, tzinfo=BERLIN), True),
        (datetime(2026, 3, 29, 2, 30, tzinfo=BERLIN), False),
        (datetime(1996, 10, 1, 10, 0, tzinfo=BERLIN), False),
        (datetime(2027, 1, 21, 10, 0, tzinfo=UTC), False),
    ],
)
def test_only_a_plain_wall_time_is_written_with_its_zone(moment: datetime, expected: bool) -> None:  # noqa: FBT001
    assert expected == is_plain_wall_time(moment)


def test_a_year_of_wall_times_is_plain_but_for_two_hours() -> None:
    expected = 2

    first = datetime(2027, 1, 1, tzinfo=BERLIN)
    hours = [first + timedelta(hours=count) for count in range(365 * 24)]

    assert expected == sum(not is_plain_wall_time(hour) for hour in hours)
