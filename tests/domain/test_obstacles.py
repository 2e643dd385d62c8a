"""Where a proposed date goes when something stands in its way."""

from dataclasses import replace
from datetime import date

import pytest

from service.domain.obstacles import USUAL, Kind, Obstacle, Placed, Treatment, place, touching

THURSDAY = date(2027, 3, 25)
ONE_WEEK_LATER, TWO_WEEKS_LATER = date(2027, 4, 1), date(2027, 4, 8)
PLENUM = Obstacle(THURSDAY, THURSDAY, Kind.BLACK_OUT, "Plenum", "Landtag")
EASTER = Obstacle(date(2027, 3, 22), date(2027, 4, 3), Kind.SCHOOL_HOLIDAY, "Osterferien")
PAUSE = Obstacle(THURSDAY, date(2027, 4, 30), Kind.PAUSE, "Sommerpause")


@pytest.mark.parametrize(
    ("obstacles", "expected"),
    [
        ([], Placed(THURSDAY, THURSDAY)),
        ([PLENUM], Placed(THURSDAY, THURSDAY, (PLENUM,), (PLENUM,))),
        ([EASTER], Placed(THURSDAY, TWO_WEEKS_LATER, (EASTER,))),
        ([PAUSE], Placed(THURSDAY, None, (PAUSE,))),
        ([PLENUM, EASTER], Placed(THURSDAY, TWO_WEEKS_LATER, (EASTER, PLENUM))),
    ],
)
def test_a_date_stays_moves_by_weeks_or_is_left_out(
    obstacles: list[Obstacle], expected: Placed
) -> None:
    assert expected == place(THURSDAY, obstacles)


def test_a_date_that_moves_into_a_pause_is_left_out() -> None:
    later = Obstacle(TWO_WEEKS_LATER, TWO_WEEKS_LATER, Kind.PAUSE, "Pause")

    assert place(THURSDAY, [EASTER, later]).day is None


def test_a_moved_date_tells_what_it_meets_there() -> None:
    sitting = Obstacle(TWO_WEEKS_LATER, TWO_WEEKS_LATER, Kind.BLACK_OUT, "Plenum")

    assert (sitting,) == place(THURSDAY, [EASTER, sitting]).notes


def test_the_office_decides_what_a_kind_does() -> None:
    treatments = {**USUAL, Kind.SCHOOL_HOLIDAY: Treatment.NOTE, Kind.BLACK_OUT: Treatment.MOVE}

    found = place(THURSDAY, [EASTER, PLENUM], treatments)

    assert (ONE_WEEK_LATER, (EASTER,)) == (found.day, found.notes)


@pytest.mark.parametrize(
    ("treatment", "expected"),
    [
        (None, THURSDAY),
        (Treatment.NOTE, THURSDAY),
        (Treatment.MOVE, ONE_WEEK_LATER),
        (Treatment.SKIP, None),
    ],
)
def test_a_list_decides_what_its_days_do(
    treatment: Treatment | None, expected: date | None
) -> None:
    listed = replace(PLENUM, treatment=treatment)

    assert expected == place(THURSDAY, [listed]).day


def test_two_lists_with_the_same_days_stand_beside_each_other() -> None:
    moving = replace(PLENUM, treatment=Treatment.MOVE)

    assert (PLENUM, moving) == touching(THURSDAY, THURSDAY, [PLENUM, moving])


def test_a_date_without_a_free_week_is_left_out_and_not_sought_for_ever() -> None:
    for_ever = Obstacle(THURSDAY, date(2030, 1, 1), Kind.PUBLIC_HOLIDAY, "Immer")

    assert place(THURSDAY, [for_ever]).day is None


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [(20, 21, ()), (20, 22, (EASTER,)), (23, 24, (EASTER,)), (31, 31, (EASTER,))],
)
def test_an_obstacle_touches_all_of_its_days(
    first: int, last: int, expected: tuple[Obstacle, ...]
) -> None:
    assert expected == touching(date(2027, 3, first), date(2027, 3, last), [EASTER])
