from datetime import UTC, datetime

import pytest

from service.domain import instants
from service.domain.instants import Oddity

ZONE = "Europe/Berlin"


def wall(*parts: int) -> datetime:
    return datetime(*parts)  # type: ignore[arg-type] # noqa: DTZ001 (wall time)


@pytest.mark.parametrize(
    ("local", "expected"),
    [
        (wall(2027, 3, 28, 1, 59), None),
        (wall(2027, 3, 28, 2, 0), Oddity.GAP),
        (wall(2027, 3, 28, 2, 59), Oddity.GAP),
        (wall(2027, 3, 28, 3, 0), None),
        (wall(2027, 10, 31, 1, 59), None),
        (wall(2027, 10, 31, 2, 0), Oddity.REPEATED),
        (wall(2027, 10, 31, 2, 59), Oddity.REPEATED),
        (wall(2027, 10, 31, 3, 0), None),
        (wall(2027, 6, 15, 10, 0), None),
    ],
)
def test_the_missing_and_the_repeated_hour_are_told_apart(
    local: datetime, expected: Oddity | None
) -> None:
    assert instants.oddity(local, ZONE) == expected


@pytest.mark.parametrize(
    ("local", "expected"),
    [
        (wall(2027, 1, 21, 10, 0), datetime(2027, 1, 21, 9, 0, tzinfo=UTC)),
        (wall(2027, 7, 21, 10, 0), datetime(2027, 7, 21, 8, 0, tzinfo=UTC)),
        (wall(2027, 3, 28, 2, 30), datetime(2027, 3, 28, 1, 30, tzinfo=UTC)),
        (wall(2027, 10, 31, 2, 30), datetime(2027, 10, 31, 0, 30, tzinfo=UTC)),
    ],
)
def test_a_wall_time_becomes_one_instant(local: datetime, expected: datetime) -> None:
    assert instants.to_utc(local, ZONE) == expected


def test_a_time_in_the_gap_is_shown_an_hour_later() -> None:
    instant = instants.to_utc(wall(2027, 3, 28, 2, 30), ZONE)

    assert instants.to_local(instant, ZONE) == wall(2027, 3, 28, 3, 30)


def test_minutes_are_real_time_across_the_change_of_clocks() -> None:
    start = instants.to_utc(wall(2027, 3, 28, 3, 30), ZONE)
    earlier = instants.later(start, minutes=-60)

    assert instants.to_local(earlier, ZONE) == wall(2027, 3, 28, 1, 30)


def test_naive_and_aware_times_are_never_mixed_up() -> None:
    with pytest.raises(ValueError, match="naive"):
        instants.to_utc(datetime(2027, 1, 1, tzinfo=UTC), ZONE)
    with pytest.raises(ValueError, match="aware"):
        instants.to_local(wall(2027, 1, 1), ZONE)
