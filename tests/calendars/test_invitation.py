"""One entry as a message for one person, and as a file."""

from datetime import timedelta

import pytest

from calendars.entry import Answer, Attendee, Entry, Status
from calendars.invitation import Method, render_download, render_invitation
from calendars.zones import EUROPE_BERLIN
from tests.calendars import lint
from tests.calendars.samples import CHANGED_AT, MEMBER, TOKEN_OFFICE, an_entry

STAMPED_AT = CHANGED_AT + timedelta(minutes=10)


def an_invitation(**changes: object) -> Entry:
    return an_entry(**{"organiser": TOKEN_OFFICE, "attendee": MEMBER, "busy": True} | changes)


def unfolded(body: bytes) -> list[str]:
    return body.replace(b"\r\n ", b"").decode().split("\r\n")


def test_a_request_asks_the_one_recipient_by_the_token_address() -> None:
    lines = unfolded(render_invitation(an_invitation(), Method.REQUEST, STAMPED_AT))

    assert "METHOD:REQUEST" in lines
    assert "DTSTAMP:20261103T092500Z" in lines
    assert "LAST-MODIFIED:20261103T091500Z" in lines
    assert (
        'ORGANIZER;CN="Geschäftsstelle Bündnis";EMAIL=termine@example.org'
        ":mailto:termine+rabcdefghijklmnop@example.org"
    ) in lines
    assert (
        'ATTENDEE;CN="Änne Öhlerking";CUTYPE=INDIVIDUAL;ROLE=REQ-PARTICIPANT'
        ";PARTSTAT=NEEDS-ACTION;RSVP=TRUE:mailto:aenne@example.org"
    ) in lines
    assert "TRANSP:OPAQUE" in lines
    assert "X-MICROSOFT-CDO-BUSYSTATUS:BUSY" in lines
    assert "X-MICROSOFT-DISALLOW-COUNTER:TRUE" in lines


def test_a_request_carries_the_answer_already_given() -> None:
    answered = Attendee("A", "a@example.org", Answer.ACCEPTED, role="OPT-PARTICIPANT", rsvp=False)
    expected = (
        'ATTENDEE;CN="A";CUTYPE=INDIVIDUAL;ROLE=OPT-PARTICIPANT'
        ";PARTSTAT=ACCEPTED;RSVP=FALSE:mailto:a@example.org"
    )

    assert expected in unfolded(
        render_invitation(an_invitation(attendee=answered), Method.REQUEST, STAMPED_AT)
    )


@pytest.mark.parametrize("method", Method)
def test_each_message_has_the_zone_and_no_defect(method: Method) -> None:
    body = render_invitation(an_invitation(alarm_minutes=30), method, STAMPED_AT)

    assert not lint.find_defects(body)
    assert EUROPE_BERLIN in body
    assert b"VALARM" not in body


def test_publish_carries_no_attendee() -> None:
    body = render_invitation(an_invitation(), Method.PUBLISH, STAMPED_AT)

    assert b"METHOD:PUBLISH\r\n" in body
    assert b"ATTENDEE" not in body


def test_a_cancelled_meeting_is_cancelled_with_its_status() -> None:
    cancelled = an_invitation(status=Status.CANCELLED, sequence=3)
    lines = unfolded(render_invitation(cancelled, Method.CANCEL, STAMPED_AT))

    assert {"METHOD:CANCEL", "STATUS:CANCELLED", "SEQUENCE:3"} <= set(lines)
    assert any(line.startswith("ATTENDEE;") and "RSVP=FALSE" in line for line in lines)
    assert any(line.startswith("DTSTART;") for line in lines)


def test_uninvite_cancel_has_no_status() -> None:
    lines = unfolded(render_invitation(an_invitation(sequence=2), Method.CANCEL, STAMPED_AT))

    assert {"METHOD:CANCEL", "SEQUENCE:2"} <= set(lines)
    assert not [line for line in lines if line.startswith("STATUS")]


def test_the_same_letter_has_the_same_bytes() -> None:
    first = render_invitation(an_invitation(), Method.REQUEST, STAMPED_AT)

    assert first == render_invitation(an_invitation(), Method.REQUEST, STAMPED_AT)


@pytest.mark.parametrize("method", [Method.REQUEST, Method.CANCEL])
@pytest.mark.parametrize("missing", ["organiser", "attendee"])
def test_a_message_without_its_people_is_refused(method: Method, missing: str) -> None:
    with pytest.raises(ValueError, match="organiser and attendee"):
        render_invitation(an_invitation(**{missing: None}), method, STAMPED_AT)


def test_a_cancelled_entry_is_not_requested() -> None:
    with pytest.raises(ValueError, match="cancelled"):
        render_invitation(an_invitation(status=Status.CANCELLED), Method.REQUEST, STAMPED_AT)


def test_a_naive_stamp_is_refused() -> None:
    with pytest.raises(ValueError, match="naive"):
        render_invitation(an_invitation(), Method.REQUEST, STAMPED_AT.replace(tzinfo=None))


def test_a_download_is_published_and_stable() -> None:
    body = render_download(an_invitation(alarm_minutes=15))

    assert body == render_invitation(an_invitation(), Method.PUBLISH, CHANGED_AT)
    assert not lint.find_defects(body)


def test_a_download_of_what_others_organise_names_no_organiser() -> None:
    assert b"ORGANIZER" not in render_download(an_entry(organiser=None))
