"""What no calendar can carry is refused before anything is written."""

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from calendars.entry import Attendee, Organiser
from tests.calendars.samples import BERLIN, an_entry

NAIVE = datetime(2027, 1, 21, 10, 0)  # noqa: DTZ001 -- the test is about it
TEN = datetime(2027, 1, 21, 10, 0, tzinfo=BERLIN)


@pytest.mark.parametrize("name", ["starts", "ends", "changed_at", "created_at"])
def test_naive_datetime_refused(name: str) -> None:
    with pytest.raises(ValueError, match="naive"):
        an_entry(**{name: NAIVE})


@pytest.mark.parametrize(
    "times",
    [
        {"starts": TEN, "ends": TEN},
        {"starts": TEN, "ends": datetime(2027, 1, 21, 9, 0, tzinfo=BERLIN)},
        {"starts": date(2027, 1, 22), "ends": date(2027, 1, 21)},
        {"starts": TEN, "ends": date(2027, 1, 22)},
        {"starts": date(2027, 1, 20), "ends": TEN},
        {"starts": date(1, 1, 1), "ends": date(1, 1, 1)},
        {"starts": date(9999, 12, 31), "ends": date(9999, 12, 31)},
    ],
)
def test_an_end_that_does_not_follow_its_start_is_refused(times: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"start|first|year"):
        an_entry(**times)


def test_an_end_in_the_second_run_of_the_repeated_hour_follows_a_start_in_the_first() -> None:
    starts = datetime(2026, 10, 25, 2, 45, tzinfo=BERLIN)

    entry = an_entry(starts=starts, ends=datetime(2026, 10, 25, 2, 15, tzinfo=BERLIN, fold=1))

    assert starts == entry.starts


def test_times_of_different_zones_are_compared_as_instants() -> None:
    ends = datetime(2027, 1, 21, 9, 30, tzinfo=UTC)

    entry = an_entry(starts=TEN, ends=ends)

    assert ends == entry.ends


@pytest.mark.parametrize("uid", ["", " ", "a\r\nX-EVIL:1", "a b", "a;b", "ä", "x" * 201])
def test_a_uid_that_some_program_changes_is_refused(uid: str) -> None:
    with pytest.raises(ValueError, match="UID"):
        an_entry(uid=uid)


@pytest.mark.parametrize("sequence", [-1, 2**31])
def test_a_sequence_outside_its_range_is_refused(sequence: int) -> None:
    with pytest.raises(ValueError, match="sequence"):
        an_entry(sequence=sequence)


def test_an_alarm_after_the_start_is_refused() -> None:
    with pytest.raises(ValueError, match="alarm"):
        an_entry(alarm_minutes=-5)


@pytest.mark.parametrize(
    "email", ["", "a", "a@b@c", "a@b\r\nX:1", "a b@c", '"a"@b', "a:b@c", "a@b,c@d", "mailto:a@b"]
)
def test_a_mail_address_that_could_become_another_line_is_refused(email: str) -> None:
    with pytest.raises(ValueError, match="mail address"):
        Attendee("A", email)
    with pytest.raises(ValueError, match="mail address"):
        Organiser("A", email)
    with pytest.raises(ValueError, match="mail address"):
        Organiser("A", "a@example.org", mailbox=email or "-")


def test_a_role_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match="role"):
        Attendee("A", "a@example.org", role="GUEST;X=1")


def test_days_fill_whole_days_and_instants_do_not() -> None:
    days = an_entry(starts=date(2027, 1, 21), ends=date(2027, 1, 21))
    hours = an_entry(starts=TEN, ends=datetime(2027, 1, 21, 20, tzinfo=ZoneInfo("Asia/Tokyo")))

    assert (days.all_day, hours.all_day) == (True, False)
