"""When 304 is the answer, and what the window of a feed holds."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from calendars.feed import cancelled_since, not_modified, window_start

TAG = '"abc123"'
ONE_DAY = timedelta(days=1)
CHANGED_AT = datetime(2026, 11, 3, 9, 15, 30, 999_999, tzinfo=UTC)
SAME = "Tue, 03 Nov 2026 09:15:30 GMT"
BEFORE = "Tue, 03 Nov 2026 09:15:29 GMT"


@pytest.mark.parametrize(
    "sent",
    [
        '"abc123"',
        'W/"abc123"',
        '"x", W/"abc123"',
        '"x","abc123","y"',
        "*",
        " * ",
        '"abc123-gzip"',
        'W/"abc123-gzip"',
    ],
)
def test_etag_if_none_match_304_weak_list_star(sent: str) -> None:
    assert not_modified(TAG, CHANGED_AT, sent, None)


@pytest.mark.parametrize("sent", ["", '"abc"', '"abc1234"', "abc123", '"*"', 'W/"x"', '"'])
def test_another_tag_gets_the_whole_body(sent: str) -> None:
    assert not not_modified(TAG, CHANGED_AT, sent, None)


def test_if_modified_since_ignored_when_if_none_match_present() -> None:
    assert not not_modified(TAG, CHANGED_AT, '"old"', SAME)
    assert not not_modified(TAG, CHANGED_AT, "", SAME)
    assert not_modified(TAG, CHANGED_AT, TAG, BEFORE)


@pytest.mark.parametrize(
    "sent",
    [
        SAME,
        "Wed, 04 Nov 2026 00:00:00 GMT",
        "Tuesday, 03-Nov-26 09:15:30 GMT",
        "Tue Nov  3 09:15:30 2026",
    ],
)
def test_if_modified_since_alone_gives_304(sent: str) -> None:
    assert not_modified(TAG, CHANGED_AT, None, sent)


@pytest.mark.parametrize("sent", [BEFORE, "", "yesterday", "Tue, 99 Nov 2026 09:15:30 GMT", "0"])
def test_an_older_or_odd_date_gets_the_whole_body(sent: str) -> None:
    assert not not_modified(TAG, CHANGED_AT, None, sent)


def test_without_conditions_the_whole_body_goes_out() -> None:
    assert not not_modified(TAG, CHANGED_AT, None, None)


@settings(deadline=None)
@given(st.text(), st.text())
@example("", "Mon, 01 Jan 0001 00:00:00 +2359")
@example("", "Fri, 31 Dec 9999 23:59:59 -2359")
@example("", "Fri, 31 Dec 9999999999999999999999 23:59:59 +9999999999")
def test_no_header_makes_the_comparison_fail(if_none_match: str, since: str) -> None:
    assert not_modified(TAG, CHANGED_AT, if_none_match, since) in (True, False)
    assert not_modified(TAG, CHANGED_AT, None, since) in (True, False)


@pytest.mark.parametrize(
    ("today", "expected"),
    [
        (date(2026, 11, 1), date(2026, 5, 1)),
        (date(2026, 11, 28), date(2026, 5, 1)),
        (date(2027, 3, 31), date(2026, 9, 1)),
        (date(2027, 6, 30), date(2026, 12, 1)),
        (date(2027, 7, 1), date(2027, 1, 1)),
    ],
)
def test_window_month_snap(today: date, expected: date) -> None:
    assert expected == window_start(today)


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2027, 1, 5), date(2027, 1, 31)),
        (date(2027, 1, 17), date(2027, 1, 31)),
        (date(2027, 1, 18), date(2027, 2, 28)),
        (date(2027, 12, 20), date(2028, 1, 31)),
        (date(2028, 2, 15), date(2028, 2, 29)),
    ],
)
def test_cancelled_event_kept_14_days_and_gone_with_the_next_month_edge(
    day: date, expected: date
) -> None:
    assert cancelled_since(expected.replace(day=1)) <= day < cancelled_since(expected + ONE_DAY)


@settings(deadline=None)
@given(st.dates(date(1970, 1, 1), date(2200, 1, 1)))
def test_a_cancelled_entry_stays_at_least_14_days_and_ends_with_a_month(day: date) -> None:
    edge = day.replace(day=1)

    while cancelled_since(edge) <= day:
        edge = (edge + 31 * ONE_DAY).replace(day=1)

    assert edge > day + 14 * ONE_DAY
    assert (edge - ONE_DAY).replace(day=1) <= day + 14 * ONE_DAY
