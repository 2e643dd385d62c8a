"""Whatever somebody types, the entry stays one entry and the words arrive."""

import icalendar
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from calendars import texts
from calendars.entry import Answer, Attendee, Entry, Organiser
from calendars.feed import render_feed
from calendars.fragment import render_fragment
from tests.calendars import lint, readers
from tests.calendars.samples import a_profile, an_entry

ODD = st.text(
    st.one_of(
        st.sampled_from('\\;,:"^=\n\r\t\x00\x07\x0b\x7f\u2028\u202e\ud800nNäß€🌳 a'),
        st.characters(),
    ),
    max_size=120,
)


def feed_of(*entries: Entry) -> bytes:
    return render_feed(a_profile(), [render_fragment(entry) for entry in entries])


def test_control_chars_stripped() -> None:
    odd = "A\x00B\x07C\x0bD\x7fE\x85F"
    raw = render_fragment(
        an_entry(summary=odd, description=odd, location=odd, categories=(odd, "\x00"))
    )

    assert not set(raw) & {0, 7, 11, 127}
    assert raw.count(b"ABCDEF") == 4


def test_injection_summary_location_cn_url_makes_no_new_line() -> None:
    evil = "Titel\r\nATTENDEE:mailto:evil@example.org\r\nEND:VEVENT"
    entry = an_entry(
        summary=evil,
        location=evil,
        description=evil,
        categories=(evil,),
        url="https://a\r\nATTENDEE:mailto:evil@example.org",
        conference_url="https://a\nATTENDEE:mailto:evil@example.org",
        organiser=Organiser(evil, "termine@example.org"),
    )
    body = feed_of(entry)

    assert not lint.find_defects(body, public=True)
    assert not lint.properties(body, "ATTENDEE")
    assert not lint.properties(body, "URL")


@settings(max_examples=60, deadline=None)
@given(ODD, ODD, ODD)
def test_no_text_breaks_the_calendar(summary: str, description: str, name: str) -> None:
    entry = an_entry(
        summary=summary,
        description=description,
        location=name,
        url=name,
        conference_url="https:" + summary,
        categories=(summary, name),
        organiser=Organiser(name, "termine@example.org"),
        attendee=Attendee(summary, "a@example.org", Answer.TENTATIVE),
        alarm_minutes=5,
    )

    assert not lint.find_defects(feed_of(entry))


@settings(max_examples=60, deadline=None)
@given(ODD)
@example("\t")
def test_escaping_roundtrip(text: str) -> None:
    text = text.replace("\\", "/")
    body = feed_of(an_entry(description=text, url=""))

    found = readers.read_with_icalendar(body).popitem()[1]

    # A description of blanks alone is none.
    kept = texts.clean(text).lstrip("\n")
    assert (kept if kept.strip() else "") == found.description


@pytest.mark.long
@settings(max_examples=800, deadline=None)
@given(ODD)
@example("\t")
def test_escaping_roundtrip_in_many_texts_and_two_readers(text: str) -> None:
    text = texts.clean(text.replace("\\", "/")).strip() or "-"
    body = feed_of(an_entry(description=text, url=""))

    for read in (readers.read_with_icalendar, readers.read_with_ical):
        assert text == read(body).popitem()[1].description


@settings(deadline=None)
@given(ODD)
def test_the_words_are_the_bytes_that_icalendar_writes(text: str) -> None:
    text = texts.clean(text).replace("\\N", "").strip()
    theirs = icalendar.Event()
    theirs.add("LOCATION", text or "-")

    raw = render_fragment(an_entry(location=text or "-"))

    assert theirs.to_ical().split(b"\r\n", 1)[1].removesuffix(b"END:VEVENT\r\n") in raw
