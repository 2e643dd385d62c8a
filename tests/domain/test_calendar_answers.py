"""Which calendar answer is newer, and what its button means."""

from datetime import UTC, date, datetime, timedelta

import pytest

from service.domain import calendar_answers
from service.domain.calendar_answers import Proposed, Stamp, Standing
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


@pytest.mark.parametrize(
    "zone",
    [
        *("", "Europe/Berlin", "W. Europe Standard Time", "Romance Standard Time"),
        "/freeassociation.sourceforge.net/Europe/Berlin",
    ],
)
def test_a_proposed_time_is_an_instant_whatever_the_program_calls_our_zone(zone: str) -> None:
    found = calendar_answers.read_proposal("20270305T140000", "20270705T160000", zone)

    assert found is not None
    assert ("2027-03-05 13:00", "2027-07-05 14:00") == (in_utc(found.starts), in_utc(found.ends))


def in_utc(moment: date | None) -> str:
    assert isinstance(moment, datetime)
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M}"


@pytest.mark.parametrize(
    ("starts", "ends", "zone", "first", "last"),
    [
        ("20270305T130000Z", "", "W. Europe Standard Time", "2027-03-05 13:00", None),
        ("20270305T130000", "20270305T120000", "UTC", "2027-03-05 13:00", None),
        ("20270305T130000", "20270306", "GMT Standard Time", "2027-03-05 13:00", None),
    ],
)
def test_an_end_that_is_none_is_left_out(
    starts: str, ends: str, zone: str, first: str, last: date | None
) -> None:
    found = calendar_answers.read_proposal(starts, ends, zone)

    assert found is not None
    assert (first, last) == (in_utc(found.starts), found.ends)


def test_proposed_days_end_on_the_last_of_them() -> None:
    days = Proposed(date(2027, 3, 5), date(2027, 3, 6))

    assert days == calendar_answers.read_proposal("20270305", "20270307", "")


@pytest.mark.parametrize(
    ("starts", "ends", "zone"),
    [
        ("", "", ""),
        ("", "20270305T140000", ""),
        ("20270305T140000", "", "Customized Time Zone"),
        ("20270305T140000", "", "../../etc/passwd"),
        ("20270305T140000", "", "Europe"),
        ("20270305T140000", "", "\x00"),
        ("20271305T140000", "", ""),
        ("20270305T990000", "", ""),
        ("20270305T140000", "soon", ""),
        ("Freitag", "", ""),
    ],
)
def test_a_proposal_that_cannot_be_told_for_certain_stays_words(
    starts: str, ends: str, zone: str
) -> None:
    assert None is calendar_answers.read_proposal(starts, ends, zone)
