"""The lint proves itself on a REQUEST and a feed with one defect each."""

from collections.abc import Callable

import pytest

from calendars.feed import render_feed
from calendars.fragment import render_fragment
from calendars.invitation import Method, render_invitation
from calendars.zones import EUROPE_BERLIN
from tests.calendars import lint
from tests.calendars.samples import CHANGED_AT, MEMBER, TOKEN_OFFICE, a_profile, an_entry

Mutation = Callable[[bytes], bytes]

START = b"DTSTART;TZID=Europe/Berlin:20270121T100000"
END = b"DTEND;TZID=Europe/Berlin:20270121T120000"
SUMMARY = b"SUMMARY:16. Arbeitsgruppensitzung Klima\r\n"
STAMP = b"DTSTAMP:20261103T091500Z"


def a_request() -> bytes:
    entry = an_entry(organiser=TOKEN_OFFICE, attendee=MEMBER)
    return render_invitation(entry, Method.REQUEST, CHANGED_AT)


def a_feed() -> bytes:
    return render_feed(a_profile(), [render_fragment(an_entry())])


def swap(old: bytes, new: bytes) -> Mutation:
    def mutate(body: bytes) -> bytes:
        assert old in body
        return body.replace(old, new, 1)

    return mutate


def without(name: bytes) -> Mutation:
    def mutate(body: bytes) -> bytes:
        head, tail = body.split(b"\r\n" + name, 1)
        rest = tail.split(b"\r\n")
        while rest[1].startswith(b" "):
            rest.pop(1)
        return b"\r\n".join([head, *rest[1:]])

    return mutate


def before_end(line: bytes) -> Mutation:
    return swap(b"END:VEVENT\r\n", line + b"\r\nEND:VEVENT\r\n")


REQUEST_MUTATIONS = {
    "missing VTIMEZONE": (swap(EUROPE_BERLIN, b""), "TZID without VTIMEZONE"),
    "missing UID": (without(b"UID:"), "not one UID"),
    "missing DTSTAMP": (without(b"DTSTAMP:"), "not one DTSTAMP"),
    "no ATTENDEE": (without(b"ATTENDEE;"), "not one ATTENDEE"),
    "bad STATUS": (swap(b"STATUS:CONFIRMED", b"STATUS:MAYBE"), "unknown STATUS"),
    "bare LF": (swap(b"VERSION:2.0\r\n", b"VERSION:2.0\n"), "line end is not CRLF"),
    "fold inside UTF-8": (
        swap("ä".encode(), b"\xc3\r\n \xa4"),
        "physical line is not UTF-8",
    ),
    "200 octets": (before_end(b"X-LONG:" + b"x" * 193), "line above 75 octets"),
    "control character": (swap(b"Klima", b"Kli\x07ma"), "control character"),
    "raw newline in text": (swap(b"sitzung Klima", b"sitzung\r\nKlima"), "not a content line"),
    "end before start": (
        swap(END, END.replace(b"T12", b"T09")),
        "DTEND is not after DTSTART",
    ),
    "end of another type": (
        swap(END, b"DTEND;VALUE=DATE:20270122"),
        "DTSTART and DTEND differ in type",
    ),
    "local DTSTAMP": (swap(STAMP, STAMP[:-1]), "DTSTAMP is not UTC"),
    "double SUMMARY": (swap(SUMMARY, SUMMARY * 2), "not one SUMMARY"),
    "no END": (swap(b"END:VEVENT\r\n", b""), "BEGIN without END"),
    "byte order mark": (lambda body: b"\xef\xbb\xbf" + body, "byte order mark"),
    "organiser is no URI": (swap(b"mailto:", b""), "address is no mailto URI"),
    "unquoted comma in CN": (
        swap('CN="Änne Öhlerking"'.encode(), b"CN=A,B"),
        "unquoted comma in a parameter",
    ),
    "no PRODID": (without(b"PRODID:"), "not one PRODID"),
    "RRULE": (before_end(b"RRULE:FREQ=SOMETIMES"), "RRULE"),
    "month 13": (swap(START, START.replace(b"202701", b"202713")), "not a date"),
    "DURATION beside DTEND": (before_end(b"DURATION:PT2H"), "DURATION"),
    "SEQUENCE as text": (swap(b"SEQUENCE:0", b"SEQUENCE:zero"), "SEQUENCE is no number"),
}
FEED_MUTATIONS = {
    "token": (
        before_end(b"X-LINK:https://termine.example.org/a/Zm9vYmFyMTIzNDU2Nzg5"),
        "token in a public feed",
    ),
    "token address": (
        swap(b"mailto:termine@", b"mailto:termine+rabcdefghijklmnop@"),
        "token in a public feed",
    ),
    "METHOD": (swap(b"CALSCALE", b"METHOD:PUBLISH\r\nCALSCALE"), "METHOD in a public feed"),
    "ATTENDEE": (before_end(b"ATTENDEE:mailto:a@example.org"), "ATTENDEE in a public feed"),
    "video link": (
        before_end(b"CONFERENCE;VALUE=URI:https://meet.example.org/"),
        "CONFERENCE in a public feed",
    ),
    "UID twice": (
        lambda body: body.replace(b"END:VCALENDAR", render_fragment(an_entry()) + b"END:VCALENDAR"),
        "UID twice",
    ),
}


def test_a_clean_request_has_no_defects() -> None:
    clean: list[str] = []

    body = a_request()

    assert clean == lint.find_defects(body)


def test_a_clean_public_feed_has_no_defects() -> None:
    clean: list[str] = []

    body = a_feed()

    assert clean == lint.find_defects(body, public=True)


@pytest.mark.parametrize("name", [*REQUEST_MUTATIONS, *FEED_MUTATIONS])
def test_byte_lint_catches_each_of_25_mutations(name: str) -> None:
    public = name in FEED_MUTATIONS
    mutate, expected = {**REQUEST_MUTATIONS, **FEED_MUTATIONS}[name]

    body = mutate(a_feed() if public else a_request())

    assert expected in lint.find_defects(body, public=public)
