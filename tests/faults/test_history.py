"""The checker itself: each invariant is broken once, and noticed."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from tests.faults.history import Copy, History

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
ONE, TWO = UUID(int=1), UUID(int=2)
CALENDAR = """\
Message-ID: <{id}@example.org>\r
Content-Type: text/calendar; charset=utf-8\r
\r
BEGIN:VEVENT\r
UID:meeting-16\r
SEQUENCE:{sequence}\r
END:VEVENT\r
"""


def a_row(letter_id: UUID = ONE, **more: Any) -> dict[str, Any]:
    return {
        "id": letter_id,
        "kind": "reminder",
        "state": "sent",
        "reason": None,
        "uncertain_count": 0,
        "tries": ["sent:250"],
        "lease_is_old": False,
        "is_overdue": False,
        "is_waiting": False,
        "ordering_key": str(letter_id),
        "remote_id": None,
    } | more


def a_copy(letter_id: UUID = ONE, **more: Any) -> Copy:
    values: dict[str, Any] = {
        "recipient": "m1@example.org",
        "sha256": b"1",
        "at": NOW.timestamp(),
        "queue_id": "1",
        "raw": b"",
    }
    return Copy(letter_id, **values | more)


def violations(*rows: dict[str, Any], copies: tuple[Copy, ...] = ()) -> list[str]:
    return [each.split()[0] for each in History(rows, copies, {ONE: NOW}).violations()]


def test_a_letter_that_was_sent_once_in_time_breaks_nothing() -> None:
    assert [] == violations(a_row(), copies=(a_copy(),))


@pytest.mark.parametrize(
    "row",
    [
        a_row(),
        a_row(kind="receipt"),
        a_row(reason="assumed_sent", uncertain_count=1),
        a_row(state="failed", tries=["failed:0"]),
        a_row(state="dead", uncertain_count=1),
        a_row(state="queued", tries=None),
    ],
)
def test_a_letter_that_reached_nobody_is_lost(row: dict[str, Any]) -> None:
    assert ["I2"] == violations(row)


@pytest.mark.parametrize(
    "row",
    [
        a_row(state="failed", tries=["queued:451", "failed:550"]),
        a_row(state="dead", uncertain_count=2),
        a_row(state="cancelled"),
        a_row(state="expired"),
        a_row(state="held"),
        a_row(kind="receipt", reason="assumed_sent", uncertain_count=1),
        a_row(state="queued", is_waiting=True),
    ],
)
def test_a_letter_that_was_refused_or_taken_back_or_waits_is_not_lost(row: dict[str, Any]) -> None:
    assert [] == violations(row)


def test_a_copy_of_a_letter_whose_delivery_was_clear_is_one_too_many() -> None:
    assert ["I3"] == violations(a_row(), copies=(a_copy(), a_copy()))
    assert [] == violations(a_row(uncertain_count=1), copies=(a_copy(), a_copy()))


def test_copies_have_to_be_the_same_bytes() -> None:
    row = a_row(uncertain_count=1)

    assert ["I3"] == violations(row, copies=(a_copy(), a_copy(sha256=b"2")))


def test_nothing_leaves_before_it_is_due() -> None:
    early = (NOW - timedelta(seconds=1)).timestamp()

    assert ["I4"] == violations(a_row(), copies=(a_copy(at=early),))


@pytest.mark.parametrize(
    "more",
    [
        {"state": "sending", "lease_is_old": True},
        {"state": "uncertain", "is_overdue": True},
        {"state": "queued", "is_overdue": True},
    ],
)
def test_what_stays_beyond_its_time_is_stuck(more: dict[str, Any]) -> None:
    assert ["I8"] == violations(a_row(**more), copies=(a_copy(),))


def test_letters_of_one_order_leave_in_that_order() -> None:
    rows = (a_row(ONE, ordering_key="p:m"), a_row(TWO, ordering_key="p:m"))
    later = a_copy(ONE, at=NOW.timestamp() + 5)

    assert ["I9"] == violations(*rows, copies=(a_copy(TWO, queue_id="2"), later))


def test_a_reply_belongs_to_its_letter() -> None:
    rows = (a_row(ONE, remote_id="2.0.0 queued as 2"), a_row(TWO))

    assert ["I10"] == violations(*rows, copies=(a_copy(ONE), a_copy(TWO, queue_id="2")))


def test_the_sequence_of_an_entry_never_falls() -> None:
    raws = [CALENDAR.format(id=ONE, sequence=sequence).encode() for sequence in (3, 2)]
    copies = (a_copy(ONE, raw=raws[0]), a_copy(TWO, raw=raws[1], queue_id="2"))

    assert ["I5"] == violations(a_row(ONE), a_row(TWO), copies=copies)


def test_a_notice_that_is_due_and_was_never_told_is_stuck() -> None:
    notice = {"kind": "cancellation", "meeting_id": ONE}

    assert ["I8 cancellation of " + str(ONE) + " was never told"] == History(
        (), (), {}, notices=(notice,)
    ).violations()
