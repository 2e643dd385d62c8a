"""Where a meeting can go from where it stands: one table, and an illegal move changes nothing."""

from enum import StrEnum

from service.domain.errors import IllegalMoveError
from service.domain.words import State


class Move(StrEnum):
    """What the office, or the clock one hour after the end, does to a meeting."""

    PUBLISH_TENTATIVE = "publish_tentative"
    PUBLISH_CONFIRMED = "publish_confirmed"
    CONFIRM = "confirm"
    CHANGE = "change"
    POSTPONE = "postpone"
    RESCHEDULE_TENTATIVE = "reschedule_tentative"
    RESCHEDULE_CONFIRMED = "reschedule_confirmed"
    CANCEL = "cancel"
    UNCANCEL = "uncancel"
    UNCANCEL_TENTATIVE = "uncancel_tentative"
    UNCANCEL_POSTPONED = "uncancel_postponed"
    HOLD = "hold"


# A tentative meeting is never held: nobody was asked to come, so the office has to say.
MOVES: dict[tuple[State, Move], State] = {
    (State.DRAFT, Move.PUBLISH_TENTATIVE): State.TENTATIVE,
    (State.DRAFT, Move.PUBLISH_CONFIRMED): State.CONFIRMED,
    (State.TENTATIVE, Move.CONFIRM): State.CONFIRMED,
    (State.TENTATIVE, Move.CHANGE): State.TENTATIVE,
    (State.TENTATIVE, Move.POSTPONE): State.POSTPONED,
    (State.TENTATIVE, Move.CANCEL): State.CANCELLED,
    (State.CONFIRMED, Move.CHANGE): State.CONFIRMED,
    (State.CONFIRMED, Move.POSTPONE): State.POSTPONED,
    (State.CONFIRMED, Move.CANCEL): State.CANCELLED,
    (State.CONFIRMED, Move.HOLD): State.HELD,
    (State.POSTPONED, Move.CHANGE): State.POSTPONED,
    (State.POSTPONED, Move.RESCHEDULE_TENTATIVE): State.TENTATIVE,
    (State.POSTPONED, Move.RESCHEDULE_CONFIRMED): State.CONFIRMED,
    (State.POSTPONED, Move.CANCEL): State.CANCELLED,
    (State.CANCELLED, Move.UNCANCEL): State.CONFIRMED,
    (State.CANCELLED, Move.UNCANCEL_TENTATIVE): State.TENTATIVE,
    (State.CANCELLED, Move.UNCANCEL_POSTPONED): State.POSTPONED,
    (State.HELD, Move.CHANGE): State.HELD,
}

_UNCANCEL = {
    State.CONFIRMED: Move.UNCANCEL,
    State.TENTATIVE: Move.UNCANCEL_TENTATIVE,
    State.POSTPONED: Move.UNCANCEL_POSTPONED,
}


def move(state: State, wanted: Move) -> State:
    """Return where the move leads, or raise `IllegalMoveError` when the table has no such way."""
    try:
        return MOVES[state, wanted]
    except KeyError:
        raise IllegalMoveError(state=state, move=wanted) from None


def moves_from(state: State) -> frozenset[Move]:
    """Name the moves that are open from here, for the buttons of a page."""
    return frozenset(wanted for (start, wanted) in MOVES if start == state)


def uncancel_to(cancelled_from: State | None) -> Move:
    """Return the move that takes a cancellation back to where the meeting stood before.

    None stands for a meeting that was entered as cancelled; it goes back as confirmed.
    """
    return _UNCANCEL.get(cancelled_from or State.CONFIRMED, Move.UNCANCEL)
