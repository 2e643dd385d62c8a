"""Which calendar answer is newer, and what its button means."""

from datetime import UTC, datetime, timedelta

import pytest

from service.domain import calendar_answers
from service.domain.calendar_answers import Stamp, Standing
from service.domain.words import Answer, Mode

NOW = datetime(2027, 1, 5, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("sequence", "stamped_at", "clamped"),
    [
        (2, NOW, Stamp(2, NOW)),
        (2_147_483_647, NOW, Stamp(3, NOW)),
        (-4, NOW, Stamp(0, NOW)),
        (1, datetime(2099, 1, 1, tzinfo=UTC), Stamp(1, NOW + timedelta(minutes=5))),
        (1, None, Stamp(1, NOW)),
    ],
)
def test_a_stamp_stays_within_what_can_be(
    sequence: int, stamped_at: datetime | None, clamped: Stamp
) -> None:
    assert clamped == calendar_answers.clamp(sequence, stamped_at, 3, NOW)


@pytest.mark.parametrize(
    ("sequence", "minutes", "stale"),
    [(1, 0, True), (1, -1, True), (1, 1, False), (2, -60, False), (0, 60, True)],
)
def test_version_and_time_decide_which_calendar_answer_is_newer(
    sequence: int, minutes: int, *, stale: bool
) -> None:
    stamp = Stamp(sequence, NOW + timedelta(minutes=minutes))

    assert stale is calendar_answers.is_stale(stamp, Standing(last=Stamp(1, NOW)))


@pytest.mark.parametrize(("seconds", "stale"), [(-1, True), (0, False), (1, False)])
def test_a_later_click_is_not_undone_by_an_older_mail(seconds: int, *, stale: bool) -> None:
    stamp = Stamp(5, NOW + timedelta(seconds=seconds))

    assert stale is calendar_answers.is_stale(stamp, Standing(clicked_at=NOW))


@pytest.mark.parametrize(
    ("partstat", "mode", "holding", "has_room", "says"),
    [
        ("ACCEPTED", Mode.ON_SITE, None, True, Answer.IN_PERSON),
        ("ACCEPTED", Mode.ONLINE, None, True, Answer.ONLINE),
        ("ACCEPTED", Mode.HYBRID, None, True, Answer.IN_PERSON),
        ("ACCEPTED", Mode.HYBRID, None, False, Answer.ONLINE),
        ("ACCEPTED", Mode.HYBRID, Answer.ONLINE, True, Answer.ONLINE),
        ("ACCEPTED", Mode.HYBRID, Answer.DECLINED, True, Answer.IN_PERSON),
        ("ACCEPTED", Mode.ON_SITE, Answer.REPRESENTED, True, Answer.IN_PERSON),
        ("TENTATIVE", Mode.HYBRID, None, True, Answer.UNDECIDED),
        ("DECLINED", Mode.ONLINE, Answer.ONLINE, True, Answer.DECLINED),
        ("NEEDS-ACTION", Mode.ONLINE, None, True, None),
        ("DELEGATED", Mode.ONLINE, None, True, None),
    ],
)
def test_what_a_button_says(
    partstat: str, mode: Mode, holding: Answer | None, *, has_room: bool, says: Answer | None
) -> None:
    found = calendar_answers.meant(
        partstat, mode, holding, has_room=has_room, hybrid=Answer.IN_PERSON
    )

    assert says is found
