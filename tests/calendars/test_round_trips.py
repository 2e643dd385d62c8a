"""Whatever text goes in comes out of every reader as it was meant, from lines that all can read."""

import re

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calendars import texts
from calendars.feed import render_feed
from calendars.fragment import render_fragment
from tests.calendars import lint, readers
from tests.calendars.samples import a_profile, an_entry

_ODD_SIGNS = '\\;,:"^\n\r\t\x00\x07\x0b\x7f\x85\u2028\u202eäß€🌳👩\u200d🌾 anN'
ODD = st.text(st.one_of(st.sampled_from(_ODD_SIGNS), st.characters()), max_size=120)
LISTS = st.lists(ODD, min_size=30, max_size=30)
# Each example of the long test holds a hundred texts: ten thousand in all, and few starts of other
# programs.
MANY = st.lists(ODD, min_size=100, max_size=100)
ENOUGH = 100
# A TEXT value (RFC 5545 section 3.3.11); the colon is never escaped.
_ESCAPED = re.compile(r"(?:[^\\;,\n]|\\[\\;,n])*")
PATIENT = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.too_slow, HealthCheck.data_too_large],
}
BOUNDARIES = [
    f"{'x' * length}{sign}{'y' * 10}"
    for length in range(55, 80)
    for sign in ("ä", "€", "🌳", "\\", ",", ";", "\n")
]


def feed_of(words: list[str]) -> bytes:
    """Return a feed with one entry for each text, which is its summary, place and description.

    A session always has a title; libical calls an empty one an error.
    """
    entries = [
        an_entry(uid=f"entry-{count}", summary=f"T{text}", location=text, description=text, url="")
        for count, text in enumerate(words)
    ]
    return render_feed(a_profile(), [render_fragment(entry) for entry in entries])


def meant(words: list[str]) -> dict[str, tuple[str, str, str]]:
    """Return what readers should show: cleaned texts, the summary on one line."""
    return {
        f"entry-{count}": (texts.one_line(f"T{text}"), texts.clean(text).strip(), texts.clean(text))
        for count, text in enumerate(words)
    }


def seen_by(name: str, words: list[str]) -> dict[str, tuple[str, str, str]]:
    seen = readers.READERS[name](feed_of(words))
    return {uid: (one.summary, one.location, one.description) for uid, one in seen.items()}


def without_edges(found: dict[str, tuple[str, str, str]]) -> dict[str, tuple[str, ...]]:
    """Drop blanks at the edges, where readers differ and no person sees it."""
    return {uid: tuple(text.strip() for text in found[uid]) for uid in found}


def test_fold_umlaut_emoji_boundary() -> None:
    clean: list[str] = []

    body = feed_of(BOUNDARIES)

    assert clean == lint.find_defects(body, public=True)
    assert meant(BOUNDARIES) == seen_by("icalendar", BOUNDARIES)


@settings(max_examples=8, **PATIENT)
@given(LISTS)
def test_any_text_makes_lines_that_the_lint_finds_clean(words: list[str]) -> None:
    clean: list[str] = []

    assert clean == lint.find_defects(feed_of(words), public=True)


@settings(max_examples=8, **PATIENT)
@given(LISTS)
def test_escaping_roundtrip_leaves_no_sign_bare_that_some_readers_forgive(words: list[str]) -> None:
    body = feed_of([*words, "a;b,c\\d\ne:f"])
    found = [
        one.value
        for name in ("SUMMARY", "LOCATION", "DESCRIPTION")
        for one in lint.properties(body, name, "VEVENT")
    ]

    assert len(words) < len(found)
    assert [] == [value for value in found if not _ESCAPED.fullmatch(value)]


@pytest.mark.parametrize("name", ["icalendar", "ical", "ical.js", "libical", "vobject"])
def test_escaping_roundtrip_of_boundaries(name: str) -> None:
    assert without_edges(meant(BOUNDARIES)) == without_edges(seen_by(name, BOUNDARIES))


@pytest.mark.parametrize("name", ["icalendar", "ical", "ical.js"])
@settings(max_examples=3, **PATIENT)
@given(words=LISTS)
def test_escaping_roundtrip(name: str, words: list[str]) -> None:
    assert without_edges(meant(words)) == without_edges(seen_by(name, words))


@pytest.mark.long
@pytest.mark.parametrize("name", ["icalendar", "ical", "ical.js", "libical"])
@settings(max_examples=ENOUGH, **PATIENT)
@given(words=MANY)
def test_escaping_roundtrip_of_ten_thousand_texts(name: str, words: list[str]) -> None:
    body = feed_of(words)

    assert not lint.find_defects(body, public=True)
    assert without_edges(meant(words)) == without_edges(seen_by(name, words))
