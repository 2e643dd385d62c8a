"""Lists of days on which nobody meets: what is taken, what is counted, and what holds nobody up."""

import time
from datetime import date

import pytest

from calendars import day_tables, obstacles
from calendars.obstacles import DayList, Refusal, Span

UNTIL = date(2030, 12, 31)


def calendar(*events: str) -> bytes:
    blocks = "".join(f"BEGIN:VEVENT\r\n{event}\r\nEND:VEVENT\r\n" for event in events)
    return f"BEGIN:VCALENDAR\r\nVERSION:2.0\r\n{blocks}END:VCALENDAR\r\n".encode()


def days(*lines: str) -> list[date]:
    """Return the first days of one entry."""
    found = obstacles.read_calendar(calendar("\r\n".join(lines)), UNTIL)
    return [span.first_on for span in found.spans]


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        ("DTSTART;VALUE=DATE:20270121", (21, 21)),
        ("DTSTART;VALUE=DATE:20270121\r\nDTEND;VALUE=DATE:20270123", (21, 22)),
        ("DTSTART;VALUE=DATE:20270121\r\nDTEND;VALUE=DATE:20270121", (21, 21)),
        ("DTSTART:20270121\r\nDURATION:P3D", (21, 23)),
        ("DTSTART:20270121\r\nDURATION:P1W", (21, 27)),
        ("DTSTART;TZID=Europe/Berlin:20270121T090000\r\nDTEND:20270122T170000", (21, 22)),
        ("DTSTART:20270121T090000\r\nDTEND:20270122T000000", (21, 21)),
        # An hour before midnight in UTC is the next day here.
        ("DTSTART:20270120T233000Z\r\nDTEND:20270121T100000Z", (21, 21)),
    ],
)
def test_an_entry_covers_the_days_that_people_mean(lines: str, expected: tuple[int, int]) -> None:
    found = obstacles.read_calendar(calendar(f"{lines}\r\nSUMMARY:Landtag\\, Plenum"), UNTIL)

    first, last = expected
    span = Span(date(2027, 1, first), date(2027, 1, last), "Landtag, Plenum")
    assert DayList(spans=(span,)) == found


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("FREQ=DAILY;COUNT=3", [date(2027, 1, 21), date(2027, 1, 22), date(2027, 1, 23)]),
        ("FREQ=WEEKLY;COUNT=2", [date(2027, 1, 21), date(2027, 1, 28)]),
        (
            "FREQ=WEEKLY;INTERVAL=2;BYDAY=TH,FR;UNTIL=20270205T000000Z",
            [date(2027, 1, 21), date(2027, 1, 22), date(2027, 2, 4), date(2027, 2, 5)],
        ),
        ("FREQ=MONTHLY;COUNT=2", [date(2027, 1, 21), date(2027, 2, 21)]),
        ("FREQ=YEARLY", [date(year, 1, 21) for year in range(2027, 2031)]),
    ],
)
def test_a_plain_repetition_is_followed_to_its_end(rule: str, expected: list[date]) -> None:
    assert expected == days("DTSTART:20270121", f"RRULE:{rule}")


def test_a_leap_day_comes_back_in_leap_years_only() -> None:
    expected = [date(2024, 2, 29), date(2028, 2, 29)]

    assert expected == days("DTSTART:20240229", "RRULE:FREQ=YEARLY")


def test_excepted_and_moved_days_of_a_repetition_are_left_out() -> None:
    series = "UID:a\r\nDTSTART:20270121\r\nRRULE:FREQ=WEEKLY;COUNT=4\r\nEXDATE:20270128"
    moved = "UID:a\r\nRECURRENCE-ID:20270204\r\nDTSTART:20270205"

    found = obstacles.read_calendar(calendar(series, moved), UNTIL)

    assert [21, 5, 11] == [span.first_on.day for span in found.spans]


def test_a_cancelled_entry_bars_nothing() -> None:
    expected = DayList(refusal=Refusal.EMPTY)

    body = calendar("DTSTART:20270121\r\nSTATUS:CANCELLED")

    assert expected == obstacles.read_calendar(body, UNTIL)


@pytest.mark.parametrize(
    "rule",
    [
        "FREQ=SECONDLY",
        "FREQ=MINUTELY;COUNT=10",
        "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30",
        "FREQ=MONTHLY;BYDAY=-1SU",
        "FREQ=WEEKLY;BYDAY=XX",
        "FREQ=DAILY;INTERVAL=0",
        "FREQ=DAILY;INTERVAL=100000",
        "FREQ=DAILY;COUNT=99999999",
        "FREQ=DAILY;FREQ=DAILY",
        "FREQ=DAILY;UNTIL=20271399",
        "",
    ],
)
def test_any_other_repetition_is_counted_and_not_followed(rule: str) -> None:
    body = calendar(f"DTSTART:20270121\r\nRRULE:{rule}")

    found = obstacles.read_calendar(body, UNTIL)

    assert ([date(2027, 1, 21)], 1) == ([span.first_on for span in found.spans], found.unfollowed)


@pytest.mark.parametrize(
    "entry",
    [
        "SUMMARY:ohne Tag",
        "DTSTART:20271399",
        "DTSTART:19000101",
        "DTSTART:99991231\r\nDTEND:99991231",
        "DTSTART:20270121\r\nDTEND:20290121",
        "DTSTART:20270121T250000",
        "DTSTART:morgen",
        "DTSTART:99991231T235959Z",
    ],
)
def test_an_entry_without_a_day_that_we_understand_is_counted(entry: str) -> None:
    found = obstacles.read_calendar(calendar(entry, "DTSTART:20270121"), UNTIL)

    assert (1, 1) == (len(found.spans), found.left_out)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"", Refusal.UNREADABLE),
        (b"/etc/passwd", Refusal.UNREADABLE),
        (b"BEGIN:VCALENDAR\r\n", Refusal.UNREADABLE),
        (b"BEGIN:VCALENDAR\r\nEND:VCALENDAR\r\n", Refusal.EMPTY),
        (b"x" * (obstacles.MOST_BYTES + 1), Refusal.TOO_LARGE),
        (calendar(*["DTSTART:20270121"] * 2001), Refusal.UNREADABLE),
    ],
)
def test_what_is_no_list_is_refused_with_its_reason(raw: bytes, expected: Refusal) -> None:
    assert expected == obstacles.read_calendar(raw, UNTIL).refusal


@pytest.mark.parametrize(
    "body",
    [
        calendar(*["DTSTART:19700101\r\nRRULE:FREQ=DAILY"] * 1000),
        calendar(*["DTSTART:20270131\r\nRRULE:FREQ=MONTHLY;INTERVAL=1"] * 2000),
        calendar(*["DTSTART:20240229\r\nRRULE:FREQ=YEARLY;INTERVAL=99;COUNT=20000"] * 1000),
        calendar("DTSTART:20270121\r\n" + "EXDATE:" + ",".join(["20270121"] * 50_000)),
        b"BEGIN:VCALENDAR\r\nBEGIN:VTIMEZONE\r\nBEGIN:STANDARD\r\nRRULE:FREQ=SECONDLY\r\n" * 10_000,
    ],
)
def test_a_hostile_file_holds_nobody_up(body: bytes) -> None:
    began = time.process_time()
    found = obstacles.read_calendar(body, date.max)

    # Ten times what it takes on an idle machine; a rule without an end would take for ever.
    assert time.process_time() - began < 3
    assert len(found.spans) <= obstacles.MOST_SPANS


def test_a_cut_list_says_so() -> None:
    body = calendar(*["DTSTART:19700101\r\nRRULE:FREQ=DAILY"] * 2)

    assert obstacles.read_calendar(body, date.max).is_cut


# --- tables ---------------------------------------------------------------------------------

PLENUM = Span(date(2027, 1, 21), date(2027, 1, 23), "Plenum")
ONE_DAY = Span(date(2027, 1, 21), date(2027, 1, 21), "Plenum")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Von;Bis;Anlass\n21.1.2027;23.01.2027;Plenum\n", PLENUM),
        ("Anlass,Start date,End date\nPlenum,2027-01-21,2027-01-23\n", PLENUM),
        ("2027-01-21\t2027-01-23\tPlenum", PLENUM),
        ("Datum;Name\n21.01.2027;Plenum", ONE_DAY),
        ("21.01.2027;Plenum", ONE_DAY),
        ("von;bis;name\n21.01.2027;;Plenum", ONE_DAY),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_a_table_is_read_however_it_was_saved(text: str, expected: Span, encoding: str) -> None:
    assert DayList(spans=(expected,)) == day_tables.read_table(text.encode(encoding))


def test_a_table_of_more_days_than_anybody_plans_is_cut_and_says_so() -> None:
    found = day_tables.read_table(b"21.01.2027;x\n" * (obstacles.MOST_SPANS + 2))

    assert found.is_cut


@pytest.mark.parametrize(
    "row", ["31.2.2027;;x", "morgen;;x", "21.1.2027;20.1.2027;x", "21.1.2027;übermorgen;x"]
)
def test_a_row_without_a_day_is_counted(row: str) -> None:
    found = day_tables.read_table(f"von;bis;name\n{row}\n21.1.2027;;y".encode())

    assert (1, 1) == (len(found.spans), found.left_out)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b"", Refusal.EMPTY),
        (b"von;bis;name\n", Refusal.EMPTY),
        (b"x" * (obstacles.MOST_BYTES + 1), Refusal.TOO_LARGE),
        (b'"' + b"x" * 200_000, Refusal.UNREADABLE),
    ],
)
def test_a_table_that_is_none_is_refused_with_its_reason(raw: bytes, expected: Refusal) -> None:
    assert expected == day_tables.read_table(raw).refusal
