"""Many fragments as one calendar."""

from datetime import date, timedelta
from typing import Any

import pytest

from calendars.entry import Answer, Attendee
from calendars.feed import (
    cut_to_size,
    etag,
    render_feed,
    tombstone,
)
from calendars.fragment import render_fragment
from tests.calendars import lint, readers
from tests.calendars.samples import CHANGED_AT, OFFICE, a_profile, an_entry


def a_feed(**changes: Any) -> bytes:
    return render_feed(a_profile(**changes), [render_fragment(an_entry())])


def head(body: bytes) -> list[str]:
    return body.replace(b"\r\n ", b"").decode().split("BEGIN:VTIMEZONE")[0].split("\r\n")


def test_a_golden_head() -> None:
    expected = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//Terminbuch//Terminbuch//DE",
        "CALSCALE:GREGORIAN",
        "UID:feed-all",
        "LAST-MODIFIED:20261103T091500Z",
        "NAME:Bündnis: alle Termine",
        "X-WR-CALNAME:Bündnis: alle Termine",
        "DESCRIPTION:Sitzungen\\, Treffen und Sonstiges",
        "X-WR-CALDESC:Sitzungen\\, Treffen und Sonstiges",
        "COLOR:teal",
        "X-APPLE-CALENDAR-COLOR:#008080",
        "URL:https://termine.example.org/",
        "SOURCE;VALUE=URI:https://termine.example.org/ics/alle.ics",
        "REFRESH-INTERVAL;VALUE=DURATION:PT1H",
        "X-PUBLISHED-TTL:PT1H",
        "",
    ]

    assert expected == head(a_feed(source="https://termine.example.org/ics/alle.ics"))


def test_feed_bytes_stable_across_renders() -> None:
    first, second = a_feed(), a_feed()

    assert first == second
    assert etag(first) == etag(second)


def test_feed_has_berlin_vtimezone_rrule_form() -> None:
    body = a_feed()

    assert body.count(b"BEGIN:VTIMEZONE") == 1
    assert body.count(b"RRULE:FREQ=YEARLY;BYMONTH=") == 2
    assert b"RDATE" not in body
    assert b"COMMENT" not in body


def test_feed_without_events_still_valid() -> None:
    body = render_feed(a_profile(), [])

    assert not lint.find_defects(body, public=True)
    assert b"BEGIN:VTIMEZONE" in body
    assert b"BEGIN:VEVENT" not in body


def test_public_feed_has_no_method_attendee_token_videolink() -> None:
    body = a_feed()

    assert not lint.find_defects(body, public=True)
    assert b"METHOD" not in body
    assert b"X-WR-TIMEZONE" not in body
    assert b"VALARM" not in body


def test_refresh_interval_has_value_duration_and_equals_ttl() -> None:
    lines = head(a_feed(refresh="PT4H"))

    assert "REFRESH-INTERVAL;VALUE=DURATION:PT4H" in lines
    assert "X-PUBLISHED-TTL:PT4H" in lines


def test_a_feed_at_a_secret_address_names_no_source() -> None:
    assert b"SOURCE" not in a_feed()


def test_odd_words_in_a_profile_make_no_new_line() -> None:
    evil = "A\r\nMETHOD:REQUEST\x00" + "ä" * 90

    body = a_feed(name=evil, description=evil, url="https://a\r\nMETHOD:REQUEST")

    assert not lint.find_defects(body, public=True)


@pytest.mark.parametrize(
    "changes",
    [
        {"uid": "a\r\nb"},
        {"colour_css": "Dark Red"},
        {"colour_hex": "red"},
        {"refresh": "1 hour"},
        {"changed_at": CHANGED_AT.replace(tzinfo=None)},
    ],
)
def test_a_profile_that_readers_would_misread_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"UID|colour|duration|naive"):
        a_profile(**changes)


def test_personal_feed_rsvp_bumps_last_modified_only() -> None:
    asked = an_entry(attendee=Attendee("A", "a@example.org"))
    answered = an_entry(
        attendee=Attendee("A", "a@example.org", Answer.ACCEPTED),
        changed_at=CHANGED_AT + timedelta(seconds=1),
    )
    before = render_feed(a_profile(), [render_fragment(asked)])
    after = render_feed(a_profile(), [render_fragment(answered)])

    old, new = (lint.properties(body, "LAST-MODIFIED")[0].value for body in (before, after))
    assert old < new
    assert lint.properties(before, "SEQUENCE") == lint.properties(after, "SEQUENCE")
    assert etag(before) != etag(after)


def test_tag_is_strong_and_quoted() -> None:
    tag = etag(b"x")

    assert tag.startswith('"')
    assert tag.endswith('"')
    assert tag != etag(b"y")


def test_a_revoked_feed_says_so_in_one_all_day_entry() -> None:
    body = tombstone(
        a_profile(), "Abonnement beendet – neu abonnieren", date(2026, 11, 3), organiser=OFFICE
    )

    assert not lint.find_defects(body, public=True)
    assert b"UID:feed-feed-all-ended\r\n" in body
    assert b"DTSTART;VALUE=DATE:20261103\r\nDTEND;VALUE=DATE:20261104\r\n" in body
    assert "SUMMARY:Abonnement beendet – neu abonnieren\r\n".encode() in body


def test_feed_1000_events_below_800kb() -> None:
    pieces = [render_fragment(an_entry(uid=f"e{count}")) for count in range(1000)]

    body = render_feed(a_profile(), cut_to_size(pieces))

    assert body.count(b"BEGIN:VEVENT") == 1000
    assert len(body) < 800_000


def test_feed_1000_events_below_800kb_or_truncated_where_texts_are_long() -> None:
    pieces = [
        render_fragment(an_entry(uid=f"e{count}", description="ä" * 2000)) for count in range(300)
    ]

    kept = cut_to_size(pieces)
    body = render_feed(a_profile(), kept)

    assert len(kept) < len(pieces)
    assert len(body) < 800_000
    assert len(body) + len(pieces[0]) * 2 > 800_000


def test_more_than_1000_events_are_truncated() -> None:
    expected = [b"x"] * 1000

    assert expected == cut_to_size([b"x"] * 1001)


def test_the_order_of_the_entries_is_kept() -> None:
    expected = ["e2", "e1"]
    pieces = [render_fragment(an_entry(uid=uid)) for uid in expected]

    assert expected == list(readers.read_with_icalendar(render_feed(a_profile(), pieces)))
