"""What other programs understand is what was meant."""

from datetime import UTC, datetime, timedelta

import pytest

from calendars.entry import Attendee, Entry, Status
from calendars.feed import render_feed
from calendars.fragment import render_fragment
from calendars.invitation import Method, render_invitation
from tests.calendars import readers
from tests.calendars.samples import (
    BERLIN,
    CHANGED_AT,
    MEMBER,
    TOKEN_OFFICE,
    a_profile,
    an_entry,
)

WALL_TIMES = (
    # Between the fourth and the last Sunday, where a rule of a wrong kind is an hour off.
    (2026, 3, 26, 10, 0),
    (2027, 10, 28, 10, 0),
    (2026, 3, 29, 1, 30),
    (2026, 3, 29, 3, 30),
    (2026, 7, 1, 10, 0),
    (2026, 10, 25, 1, 30),
    (2026, 10, 25, 2, 30),
    (2026, 10, 25, 3, 30),
    (2027, 3, 28, 1, 30),
    (2027, 3, 28, 2, 30),
    (2027, 3, 28, 3, 30),
    (2027, 10, 31, 1, 30),
    (2027, 10, 31, 3, 30),
    (2027, 12, 31, 23, 30),
    (2040, 3, 25, 1, 30),
    (2040, 3, 25, 3, 30),
    (2040, 6, 1, 10, 0),
    (2040, 10, 28, 1, 30),
    (2040, 10, 28, 3, 30),
    (2040, 12, 1, 10, 0),
)


def at_all_wall_times() -> list[Entry]:
    starts = [datetime(*parts, tzinfo=BERLIN) for parts in WALL_TIMES]
    second_half_past_two = datetime(2026, 10, 25, 2, 30, tzinfo=BERLIN, fold=1)
    return [
        an_entry(uid=f"entry-{count}", starts=start, ends=end_of(start))
        for count, start in enumerate([*starts, second_half_past_two])
    ]


def end_of(start: datetime) -> datetime:
    return (start.astimezone(UTC) + timedelta(minutes=90)).astimezone(BERLIN)


def in_utc(moment: object) -> datetime:
    assert isinstance(moment, datetime)
    return moment.astimezone(UTC)


@pytest.mark.parametrize("name", readers.READERS)
def test_instants_match_db_in_six_readers(name: str) -> None:
    entries = at_all_wall_times()
    expected = {entry.uid: (in_utc(entry.starts), in_utc(entry.ends)) for entry in entries}

    body = render_feed(a_profile(), [render_fragment(entry) for entry in entries])
    seen = readers.READERS[name](body)

    assert expected == {uid: (one.starts, one.ends) for uid, one in seen.items()}


@pytest.mark.parametrize("name", [one for one in readers.READERS if one != "node-ical"])
def test_instants_match_db_in_six_readers_by_our_definition_alone(name: str) -> None:
    """Outlook takes the rules and not the name; node-ical takes the name and nothing else."""
    entries = at_all_wall_times()
    expected = {entry.uid: in_utc(entry.starts) for entry in entries}

    body = render_feed(a_profile(), [render_fragment(entry) for entry in entries])
    # A name for each reader: some keep what a name meant the first time.
    seen = readers.READERS[name](body.replace(b"Europe/Berlin", f"Zone {name}".encode()))

    assert expected == {uid: one.starts for uid, one in seen.items()}


@pytest.mark.parametrize("name", readers.READERS)
def test_words_with_every_special_character_arrive_in_each_reader(name: str) -> None:
    words = 'Größe: „Hitze“; Kühle, 50 % \\ "so"\nzweite Zeile 🌳 und weiter ' + "ä" * 80
    entry = an_entry(description=words, location="Erfurt, Rathaus; Saal 2", url="")

    body = render_feed(a_profile(), [render_fragment(entry)])
    seen = readers.READERS[name](body)[entry.uid]

    assert (words, "Erfurt, Rathaus; Saal 2") == (seen.description, seen.location)


def test_feed_without_events_still_valid_for_the_readers() -> None:
    body = render_feed(a_profile(), [])

    assert not readers.read_with_icalendar(body)
    assert not readers.read_with_ical(body)
    assert not readers.read_with_libical(body)
    assert not readers.read_with_ical_js(body)
    assert not readers.read_with_node_ical(body)


def test_public_feed_passes_libical_publish_table() -> None:
    body = render_feed(a_profile(), [render_fragment(entry) for entry in at_all_wall_times()])

    expected = (True, 0)

    report = readers.ask_libical(body.replace(b"CALSCALE", b"METHOD:PUBLISH\r\nCALSCALE", 1))

    assert expected == (report["fits_the_method"], report["errors"])


@pytest.mark.parametrize(
    ("method", "status"),
    [
        (Method.PUBLISH, Status.CONFIRMED),
        (Method.REQUEST, Status.CONFIRMED),
        (Method.REQUEST, Status.TENTATIVE),
        (Method.CANCEL, Status.CANCELLED),
        (Method.CANCEL, Status.CONFIRMED),
    ],
)
def test_each_message_passes_the_table_of_its_method_in_libical(
    method: Method, status: Status
) -> None:
    entry = an_entry(status=status, organiser=TOKEN_OFFICE, attendee=MEMBER, sequence=1)

    expected = (True, 0)

    report = readers.ask_libical(render_invitation(entry, method, CHANGED_AT))

    assert expected == (report["fits_the_method"], report["errors"])


@pytest.mark.parametrize("summary", ["", " \t\n", "\x00\x7f"])
def test_an_entry_without_a_title_is_no_error_to_libical(summary: str) -> None:
    entry = an_entry(summary=summary, organiser=TOKEN_OFFICE, attendee=MEMBER)
    report = readers.ask_libical(render_invitation(entry, Method.REQUEST, CHANGED_AT))

    assert (True, 0) == (report["fits_the_method"], report["errors"])


def test_libical_finds_a_request_without_attendee() -> None:
    """A gate that lets everything pass would prove nothing."""
    entry = an_entry(organiser=TOKEN_OFFICE, attendee=Attendee("", "a@example.org"))
    body = render_invitation(entry, Method.REQUEST, CHANGED_AT)

    report = readers.ask_libical(body.replace(b"ATTENDEE;", b"X-NOBODY;"))

    assert not report["fits_the_method"]
