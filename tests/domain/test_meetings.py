import pytest

from service.domain import meetings
from service.domain.errors import IllegalMoveError
from service.domain.meetings import MOVES, Move
from service.domain.words import State

EVERY_PAIR = [(state, wanted) for state in State for wanted in Move]


def test_every_move_of_the_table_leads_where_it_says() -> None:
    reached = {pair: meetings.move(*pair) for pair in MOVES}

    assert reached == MOVES


@pytest.mark.parametrize(
    ("state", "wanted"), [pair for pair in EVERY_PAIR if pair not in MOVES], ids=str
)
def test_a_move_that_is_not_in_the_table_is_refused_and_says_which(
    state: State, wanted: Move
) -> None:
    with pytest.raises(IllegalMoveError) as refused:
        meetings.move(state, wanted)

    assert refused.value.values == {"state": state, "move": wanted}


def test_a_draft_can_only_be_published() -> None:
    open_moves = meetings.moves_from(State.DRAFT)

    assert open_moves == {Move.PUBLISH_TENTATIVE, Move.PUBLISH_CONFIRMED}


def test_no_way_leads_back_to_a_draft() -> None:
    assert State.DRAFT not in MOVES.values()


def test_the_clock_holds_only_what_was_confirmed() -> None:
    starts = [state for (state, wanted) in MOVES if wanted is Move.HOLD]

    assert starts == [State.CONFIRMED]


@pytest.mark.parametrize(
    ("cancelled_from", "reached"),
    [
        (State.CONFIRMED, State.CONFIRMED),
        (State.TENTATIVE, State.TENTATIVE),
        (State.POSTPONED, State.POSTPONED),
        (None, State.CONFIRMED),
    ],
)
def test_a_cancellation_taken_back_returns_to_where_the_meeting_stood(
    cancelled_from: State | None, reached: State
) -> None:
    wanted = meetings.uncancel_to(cancelled_from)

    assert meetings.move(State.CANCELLED, wanted) == reached
