"""One entry as its VEVENT."""

from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calendars import fragment
from calendars.entry import Answer, Attendee, Entry, Status
from calendars.feed import render_feed
from calendars.fragment import DESCRIPTION_LIMIT, RENDER_EPOCH, render_fragment
from tests.calendars import lint, readers
from tests.calendars.samples import BERLIN, CHANGED_AT, a_profile, an_entry


def feed_of(*entries: Entry) -> bytes:
    return render_feed(a_profile(), [render_fragment(entry) for entry in entries])


def value_of(name: str, **changes: Any) -> str:
    return lint.properties(feed_of(an_entry(**changes)), name)[0].value


def line_of(name: str, **changes: Any) -> str:
    unfolded = render_fragment(an_entry(**changes)).decode().replace("\r\n ", "")
    return next(line for line in unfolded.split("\r\n") if line.startswith(name))


def test_a_golden_fragment() -> None:
    expected = (
        "BEGIN:VEVENT\r\n"
        "UID:5f0c7a52-3d5e-4e0e-9a43-0d3d5a6f5c11\r\n"
        "DTSTAMP:20261103T091500Z\r\n"
        "SEQUENCE:0\r\n"
        "CREATED:20261001T080000Z\r\n"
        "LAST-MODIFIED:20261103T091500Z\r\n"
        "DTSTART;TZID=Europe/Berlin:20270121T100000\r\n"
        "DTEND;TZID=Europe/Berlin:20270121T120000\r\n"
        "STATUS:CONFIRMED\r\n"
        "SUMMARY:16. Arbeitsgruppensitzung Klima\r\n"
        "LOCATION:Rathaus\\, Fischmarkt 1\\, Erfurt\r\n"
        "DESCRIPTION:Hitze in der Innenstadt\\; Stand der Pilotprojekte\\nhttps://ter\r\n"
        " mine.example.org/termin/17\r\n"
        "CATEGORIES:AG Klima\r\n"
        "URL:https://termine.example.org/termin/17\r\n"
        'ORGANIZER;CN="Geschäftsstelle Bündnis":mailto:termine@example.org\r\n'
        "TRANSP:TRANSPARENT\r\n"
        "X-MICROSOFT-CDO-BUSYSTATUS:FREE\r\n"
        "END:VEVENT\r\n"
    )

    assert expected == render_fragment(an_entry()).decode()


def test_new_rendering_counts_as_a_change() -> None:
    before = RENDER_EPOCH - timedelta(days=1)

    found = value_of("DTSTAMP", changed_at=before), value_of("LAST-MODIFIED", changed_at=before)

    assert (f"{RENDER_EPOCH:%Y%m%dT%H%M%SZ}",) * 2 == found


@pytest.mark.parametrize(
    ("last", "expected"), [(date(2027, 3, 4), "20270305"), (date(2027, 3, 6), "20270307")]
)
def test_all_day_dtend_exclusive_no_tzid(last: date, expected: str) -> None:
    entry = an_entry(starts=date(2027, 3, 4), ends=last, busy=True)
    raw = render_fragment(entry)

    assert f"DTEND;VALUE=DATE:{expected}\r\n".encode() in raw
    assert b"DTSTART;VALUE=DATE:20270304\r\n" in raw
    assert b"TRANSP:TRANSPARENT\r\n" in raw
    assert b"X-MICROSOFT-CDO-ALLDAYEVENT:TRUE\r\n" in raw


@pytest.mark.parametrize(("fold", "expected"), [(0, "20261025T003000Z"), (1, "20261025T013000Z")])
def test_ambiguous_hour_refused_or_utc_comes_out_in_utc(fold: int, expected: str) -> None:
    starts = datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=fold)
    ends = datetime(2026, 10, 25, 4, 0, tzinfo=BERLIN)

    found = line_of("DTSTART", starts=starts, ends=ends), line_of("DTEND", starts=starts, ends=ends)

    assert (f"DTSTART:{expected}", "DTEND:20261025T030000Z") == found


def test_missing_hour_comes_out_in_utc() -> None:
    expected = "DTSTART:20270328T013000Z"

    starts = datetime(2027, 3, 28, 2, 30, tzinfo=BERLIN)
    found = line_of("DTSTART", starts=starts, ends=datetime(2027, 3, 28, 5, tzinfo=BERLIN))

    assert expected == found


def test_another_zone_comes_out_in_utc() -> None:
    expected = "DTSTART:20270121T010000Z"

    tokyo = ZoneInfo("Asia/Tokyo")
    starts = datetime(2027, 1, 21, 10, 0, tzinfo=tokyo)
    found = line_of("DTSTART", starts=starts, ends=datetime(2027, 1, 21, 11, 0, tzinfo=tokyo))

    assert expected == found


def test_tentative_event_prefix_and_busystatus() -> None:
    entry = an_entry(status=Status.TENTATIVE, summary="Voraussichtlich: 17. Sitzung")
    raw = render_fragment(entry)

    assert b"STATUS:TENTATIVE\r\nSUMMARY:Voraussichtlich: 17. Sitzung\r\n" in raw
    assert b"X-MICROSOFT-CDO-BUSYSTATUS:TENTATIVE\r\n" in raw


def test_a_cancelled_entry_blocks_nobody_and_rings_no_bell() -> None:
    raw = render_fragment(an_entry(status=Status.CANCELLED, busy=True, alarm_minutes=30))

    assert b"STATUS:CANCELLED\r\n" in raw
    assert b"TRANSP:TRANSPARENT\r\nX-MICROSOFT-CDO-BUSYSTATUS:FREE\r\n" in raw
    assert b"VALARM" not in raw


def test_a_busy_entry_blocks_the_time() -> None:
    raw = render_fragment(an_entry(busy=True))

    assert b"TRANSP:OPAQUE\r\nX-MICROSOFT-CDO-BUSYSTATUS:BUSY\r\n" in raw


def test_personal_feed_one_attendee_rsvp_false() -> None:
    answered = Attendee("Änne Öhlerking", "aenne@example.org", Answer.ACCEPTED, rsvp=True)
    expected = (
        'ATTENDEE;CN="Änne Öhlerking";CUTYPE=INDIVIDUAL;ROLE=REQ-PARTICIPANT'
        ";PARTSTAT=ACCEPTED;RSVP=FALSE:mailto:aenne@example.org"
    )

    assert expected == line_of("ATTENDEE", attendee=answered)


def test_cn_with_quote_comma_colon() -> None:
    name = 'Stadt "Erfurt", Amt: Ä^\'B\r\nX-EVIL:1'
    expected = 'ATTENDEE;CN="Stadt Erfurt, Amt: Ä\'B X-EVIL:1";CUTYPE'

    line = line_of("ATTENDEE", attendee=Attendee(name, "a@example.org"))

    assert line.startswith(expected)


def test_a_nameless_attendee_has_no_cn() -> None:
    line = line_of("ATTENDEE", attendee=Attendee(' "\x00', "a@example.org"))

    assert line.startswith("ATTENDEE;CUTYPE=")


def test_an_entry_of_others_has_no_organiser() -> None:
    assert b"ORGANIZER" not in render_fragment(an_entry(organiser=None))


def test_conference_feature_list_unquoted() -> None:
    link = "https://meet.example.org/r?a=1,2;b"
    expected = f'CONFERENCE;VALUE=URI;FEATURE=AUDIO,VIDEO;LABEL="Videokonferenz":{link}'

    assert expected == line_of("CONFERENCE", conference_url=link)


def test_an_online_session_has_its_link_as_place_and_at_the_end_of_the_description() -> None:
    link = "https://meet.example.org/raum"
    seen = readers.read_with_icalendar(
        feed_of(an_entry(location="", conference_url=link, description="Worum es geht"))
    ).popitem()[1]

    assert link == seen.location
    assert f"Worum es geht\n{link}\nhttps://termine.example.org/termin/17" == seen.description


def test_a_comma_in_a_category_makes_no_second_one() -> None:
    expected = "AG Wohnen\\, Leben\\; Stadt,Sonstige"

    assert expected == value_of("CATEGORIES", categories=("AG Wohnen, Leben; Stadt", "Sonstige"))


def test_a_link_that_the_description_has_is_not_repeated() -> None:
    expected = "Mehr: https://termine.example.org/termin/17."

    assert expected == value_of("DESCRIPTION", description=expected)


def test_a_longer_link_in_the_description_is_not_taken_for_ours() -> None:
    text = "Mehr: https://termine.example.org/termin/178"
    expected = text + r"\nhttps://termine.example.org/termin/17"

    assert expected == value_of("DESCRIPTION", description=text)


def test_a_description_is_cut_before_its_links() -> None:
    found = readers.read_with_icalendar(feed_of(an_entry(description="ä" * 5000))).popitem()[1]

    assert len(found.description) == DESCRIPTION_LIMIT
    assert found.description.endswith("ä…\nhttps://termine.example.org/termin/17")


def test_valarm_absent_unless_opted_in() -> None:
    assert b"VALARM" not in render_fragment(an_entry())


def test_valarm_opted_in_is_display_with_description() -> None:
    expected = (
        b"BEGIN:VALARM\r\nACTION:DISPLAY\r\nDESCRIPTION:16. Arbeitsgruppensitzung Klima\r\n"
        b"TRIGGER:-PT30M\r\nEND:VALARM\r\nEND:VEVENT\r\n"
    )

    assert render_fragment(an_entry(alarm_minutes=30)).endswith(expected)


@settings(max_examples=60, deadline=None)
@given(
    summary=st.text(max_size=120),
    name=st.text(max_size=90),
    minutes=st.sampled_from((None, 30)),
    seconds=st.integers(0, 10**8),
)
def test_a_fragment_that_was_cut_is_filled_to_the_bytes_of_the_whole_one(
    summary: str, name: str, minutes: int | None, seconds: int
) -> None:
    words = f"{summary}\r\nTRANSP:\r\nDTSTAMP:\r\nLAST-MODIFIED:"
    entry = an_entry(summary=words, description=words, location=words, alarm_minutes=minutes)
    attendee = Attendee(name, "aenne@example.org", Answer.ACCEPTED)
    changed_at = CHANGED_AT + timedelta(seconds=seconds)
    whole = render_fragment(replace(entry, attendee=attendee, changed_at=changed_at))

    filled = fragment.cut_fragment(entry).filled(
        fragment.stamp_bytes(changed_at), fragment.attendee_bytes(attendee)
    )

    assert whole == filled


def test_a_cut_fragment_without_a_reader_names_none() -> None:
    cut = fragment.cut_fragment(an_entry(attendee=Attendee("Änne", "aenne@example.org")))

    assert render_fragment(an_entry()) == cut.filled(fragment.stamp_bytes(CHANGED_AT), b"")
    assert len(cut) == len(render_fragment(an_entry())) - 2 * len("20270121T100000Z")


def test_a_description_of_blanks_is_left_out() -> None:
    """An empty value is an error to libical, and nothing to read for anybody."""
    body = render_fragment(an_entry(description="\t ", url=""))

    assert b"DESCRIPTION" not in body
