from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from service.domain import replies
from service.domain.changes import MeetingFacts
from service.domain.replies import GivenFor, InvitationFacts, Phase
from service.domain.words import Answer, Mode, State

START = datetime(2027, 1, 21, 10, 0)  # noqa: DTZ001 (wall time)
START_AT = datetime(2027, 1, 21, 9, 0, tzinfo=UTC)
END_AT = START_AT + timedelta(hours=2)
MEETING = MeetingFacts(
    state=State.CONFIRMED,
    title="17. Arbeitsgruppensitzung Klima",
    starts_local=START,
    ends_local=START + timedelta(hours=2),
    town="Erfurt",
    capacity=2,
    answer_by_local=START - timedelta(days=7),
)
DEADLINE_AT = START_AT - timedelta(days=7)
GIVEN = GivenFor(starts_local=START, mode=Mode.ON_SITE, town="Erfurt", answer=Answer.IN_PERSON)
INVITED = InvitationFacts()


@pytest.mark.parametrize(
    ("meeting", "holds"),
    [
        pytest.param(MEETING, True, id="unchanged"),
        pytest.param(replace(MEETING, starts_local=START + timedelta(minutes=59)), True, id="59"),
        pytest.param(replace(MEETING, starts_local=START + timedelta(minutes=60)), False, id="60"),
        pytest.param(replace(MEETING, starts_local=START + timedelta(days=1)), False, id="day"),
        pytest.param(replace(MEETING, town="Gotha"), False, id="other town"),
        pytest.param(replace(MEETING, town="erfurt"), True, id="same town"),
        pytest.param(replace(MEETING, room="Saal 2"), True, id="other room"),
        pytest.param(replace(MEETING, mode=Mode.ONLINE), False, id="online now"),
        pytest.param(replace(MEETING, mode=Mode.HYBRID), True, id="online as well"),
        pytest.param(
            replace(MEETING, state=State.POSTPONED, starts_local=None), True, id="postponed"
        ),
        pytest.param(replace(MEETING, state=State.CANCELLED), True, id="cancelled"),
    ],
)
def test_an_answer_holds_while_day_hour_town_and_way_stay(
    meeting: MeetingFacts, *, holds: bool
) -> None:
    assert replies.still_holds(GIVEN, meeting) is holds


def test_an_answer_holds_again_when_the_meeting_moves_back() -> None:
    moved = replace(MEETING, starts_local=START + timedelta(days=7))
    back = replace(moved, starts_local=START)

    assert [replies.still_holds(GIVEN, facts) for facts in (moved, back)] == [False, True]


def test_an_answer_for_online_falls_when_a_hybrid_meeting_is_on_site_only() -> None:
    online = GivenFor(starts_local=START, mode=Mode.HYBRID, town="Erfurt", answer=Answer.ONLINE)

    assert replies.still_holds(online, MEETING) is False


def test_a_decline_holds_when_a_hybrid_meeting_is_on_site_only() -> None:
    declined = GivenFor(starts_local=START, mode=Mode.HYBRID, town="Erfurt", answer=Answer.DECLINED)

    assert replies.still_holds(declined, MEETING) is True


@pytest.mark.parametrize(
    ("meeting", "invitation", "now", "taken", "expected"),
    [
        (MEETING, None, START_AT, 0, Phase.UNKNOWN),
        (MEETING, InvitationFacts(is_open=False), DEADLINE_AT, 0, Phase.UNKNOWN),
        (replace(MEETING, state=State.DRAFT), INVITED, DEADLINE_AT, 0, Phase.UNKNOWN),
        (MEETING, INVITED, END_AT + timedelta(days=30), 0, Phase.EXPIRED),
        (
            replace(MEETING, state=State.CANCELLED),
            INVITED,
            END_AT + timedelta(days=30),
            0,
            Phase.EXPIRED,
        ),
        (replace(MEETING, state=State.CANCELLED), INVITED, END_AT, 0, Phase.CANCELLED),
        (
            replace(MEETING, state=State.POSTPONED, starts_local=None, ends_local=None),
            INVITED,
            END_AT,
            0,
            Phase.POSTPONED,
        ),
        (replace(MEETING, state=State.TENTATIVE), INVITED, DEADLINE_AT, 0, Phase.POSTPONED),
        (replace(MEETING, state=State.HELD), INVITED, START_AT, 0, Phase.HELD),
        (MEETING, INVITED, END_AT, 0, Phase.HELD),
        (MEETING, INVITED, START_AT, 2, Phase.IN_PROGRESS),
        (MEETING, INVITED, DEADLINE_AT + timedelta(seconds=1), 2, Phase.LATE),
        (MEETING, INVITED, DEADLINE_AT, 2, Phase.FULL),
        (MEETING, InvitationFacts(has_seat=True), DEADLINE_AT, 2, Phase.OPEN),
        (MEETING, INVITED, DEADLINE_AT, 1, Phase.OPEN),
    ],
)
def test_the_first_phase_that_matches_is_shown(
    meeting: MeetingFacts,
    invitation: InvitationFacts | None,
    now: datetime,
    taken: int,
    expected: Phase,
) -> None:
    assert replies.phase(meeting, invitation, now, taken) == expected


def test_the_form_is_there_until_the_end_and_not_after_it() -> None:
    shown = [phase for phase in Phase if replies.takes_answers(phase)]

    assert shown == [Phase.IN_PROGRESS, Phase.LATE, Phase.FULL, Phase.OPEN]


@pytest.mark.parametrize(
    ("mode", "ways"),
    [
        (Mode.ON_SITE, [Answer.IN_PERSON]),
        (Mode.ONLINE, [Answer.ONLINE]),
        (Mode.HYBRID, [Answer.IN_PERSON, Answer.ONLINE]),
    ],
)
def test_a_meeting_offers_only_its_own_ways(mode: Mode, ways: list[Answer]) -> None:
    always = [Answer.REPRESENTED, Answer.DECLINED, Answer.UNDECIDED]

    assert list(replies.offered_answers(mode)) == ways + always


def test_an_answer_without_a_choice_is_asked_for() -> None:
    assert replies.check(None, Mode.HYBRID) == {"answer": ("rsvp.err_answer", {})}


def test_an_answer_that_the_meeting_does_not_offer_is_asked_for_again() -> None:
    assert replies.check(Answer.ONLINE, Mode.ON_SITE) == {"answer": ("rsvp.err_answer", {})}


def test_a_note_of_500_signs_is_taken_and_one_of_501_names_its_length() -> None:
    taken = replies.check(Answer.DECLINED, Mode.ONLINE, note="x" * 500)
    refused = replies.check(Answer.DECLINED, Mode.ONLINE, note="x" * 501)

    assert taken == {}
    assert refused == {"note": ("rsvp.err_note", {"n": 501})}


def test_without_a_limit_there_are_always_seats() -> None:
    assert replies.seats_left(replace(MEETING, capacity=None), 900) is None


def test_seats_are_never_fewer_than_none() -> None:
    assert replies.seats_left(MEETING, 3) == 0
