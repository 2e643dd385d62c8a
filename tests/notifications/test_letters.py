"""Letters: their tree, headers and values, and that the same input gives the same bytes."""

import email
import email.policy
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications import letters
from notifications.gates import GateError
from notifications.letters import Envelope
from tests.notifications.builders import LINK, SENDER, a_draft
from tests.notifications.test_headers import HOSTILE

AT = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
TO = Envelope(UUID(int=7), "erika@example.org", "Müller, Erika")
VALUES = {"name": "Erika Müller", "link_answer": LINK}
ICS = (
    b"BEGIN:VCALENDAR\r\nMETHOD:PUBLISH\r\nSUMMARY:Gr\xc3\xb6\xc3\x9fe\r\n"
    + b"X-FILL:%b\r\n" % (b"y" * 300)
    + b"END:VCALENDAR\r\n"
)


def written(values: dict[str, str] | None = None, to: Envelope = TO, **more: object) -> bytes:
    frozen = letters.prototype(a_draft(**more), SENDER, "de")
    raw = letters.render(frozen, VALUES | (values or {}), to, AT)
    letters.check(frozen, raw, to)
    return raw


def parsed(raw: bytes) -> email.message.EmailMessage:
    return email.message_from_bytes(raw, policy=email.policy.default)  # type: ignore[return-value]


def tree(part: email.message.Message) -> list[object]:
    children = part.get_payload() if part.is_multipart() else []
    return [part.get_content_type(), *map(tree, children)]  # type: ignore[arg-type]


def test_a_plain_letter_is_an_alternative_of_text_and_html() -> None:
    message = parsed(written())

    assert tree(message) == ["multipart/alternative", ["text/plain"], ["text/html"]]
    assert (
        message.get_body(("plain",)).get_content().replace("\r\n", "\n")
        == "Guten Tag Erika Müller,\n\nbis Montag:\n" + LINK
    )


def test_an_entry_without_an_ear_travels_as_an_attachment() -> None:
    message = parsed(written(calendar=ICS))

    assert tree(message) == [
        "multipart/mixed",
        ["multipart/alternative", ["text/plain"], ["text/html"]],
        ["text/calendar"],
    ]
    part = message.get_payload()[1]
    assert (
        part.get_param("method"),
        part.get_content_disposition(),
        part.get_filename(),
    ) == ("PUBLISH", "attachment", "termin.ics")
    assert part.get_payload(decode=True) == ICS


@pytest.mark.parametrize("method", ["REQUEST", "CANCEL"])
def test_a_scheduling_letter_has_one_calendar_part_and_one_copy(method: str) -> None:
    message = parsed(written(calendar=ICS, calendar_method=method))

    assert tree(message) == [
        "multipart/mixed",
        ["multipart/alternative", ["text/plain"], ["text/html"], ["text/calendar"]],
        ["application/ics"],
    ]
    calendar = message.get_payload()[0].get_payload()[2]
    copy = message.get_payload()[1]
    assert (method, None, "base64") == (
        calendar.get_param("method"),
        calendar.get_content_disposition(),
        calendar["Content-Transfer-Encoding"],
    )
    assert (copy.get_content_disposition(), copy.get_filename()) == ("attachment", "einladung.ics")
    assert ICS == calendar.get_payload(decode=True) == copy.get_payload(decode=True)


def test_a_personal_entry_fills_the_whole_calendar_part() -> None:
    raw = written({"entry": ICS.decode()}, calendar="⟦entry⟧".encode(), calendar_method="REQUEST")

    assert parsed(raw).get_payload()[1].get_payload(decode=True) == ICS


def test_headers_stand_in_a_fixed_order() -> None:
    raw = written(
        reply_to="buero@alliance.example.org",
        references="<meeting-16@alliance.example.org>",
        headers=(("List-Unsubscribe", "<⟦link_answer⟧>"), ("List-Id", "<klima.example.org>")),
    )

    assert email.message_from_bytes(raw).keys() == [
        "From",
        "To",
        "Reply-To",
        "Subject",
        "Date",
        "Message-ID",
        "MIME-Version",
        "Content-Language",
        "Auto-Submitted",
        "X-Auto-Response-Suppress",
        "List-Id",
        "References",
        "List-Unsubscribe",
        "X-Terminbuch-Mail",
        "Content-Type",
    ]
    message = parsed(raw)
    assert f"<{TO.letter_id}@alliance.example.org>" == message["Message-ID"]
    assert message["Date"] == "Sun, 22 Nov 2026 12:00:00 +0000"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["X-Auto-Response-Suppress"] == "OOF, AutoReply"


def test_a_long_list_unsubscribe_stays_on_one_line() -> None:
    link = "https://termine.example.org/u/" + "y" * 200

    raw = written({"link_off": link}, headers=(("List-Unsubscribe", "<⟦link_off⟧>"),))

    assert f"List-Unsubscribe: <{link}>".encode() in raw.split(b"\r\n")


def test_bytes_are_ascii_with_crlf_and_short_lines() -> None:
    raw = written({"name": "ß" * 500}, calendar=ICS, text="ä" * 3000 + "\n.\n..\nFrom hier\n")

    assert raw.isascii()
    assert raw.count(b"\r\n") == raw.count(b"\n") == raw.count(b"\r")
    assert max(map(len, raw.split(b"\r\n"))) <= 100
    assert (
        parsed(raw).get_body(("plain",)).get_content().replace("\r\n", "\n")
        == "ä" * 3000 + "\n.\n..\nFrom hier"
    )


def test_the_same_input_gives_the_same_bytes_after_being_stored() -> None:
    frozen = letters.prototype(a_draft(calendar=ICS), SENDER, "de")
    again = letters.from_json(frozen.as_json())

    assert frozen.sha256 == again.sha256
    assert letters.render(frozen, VALUES, TO, AT) == letters.render(again, VALUES, TO, AT)


def test_a_stored_prototype_holds_no_value() -> None:
    frozen = letters.prototype(a_draft(), SENDER, "de")

    assert LINK not in frozen.as_json()
    assert frozenset({"name", "link_answer"}) == frozen.slots


def test_markup_in_a_value_is_text_in_the_html_part() -> None:
    raw = written({"name": '<script src="x">&'})

    assert "&lt;script src=&quot;x&quot;&gt;&amp;" in parsed(raw).get_body(("html",)).get_content()


@pytest.mark.parametrize(
    "link", ["javascript:alert(1)", "https://x.example/ y", "https://x.example/\r\n", 'https://x"']
)
def test_a_link_that_is_none_is_not_written(link: str) -> None:
    with pytest.raises(GateError):
        written({"link_answer": link})


@pytest.mark.parametrize("value", ["a@x.example, b@y.example", "x\r\nBcc: y", "", "a b", "<x>"])
def test_a_header_value_is_one_word(value: str) -> None:
    with pytest.raises(GateError):
        written({"reply": value}, reply_to="⟦reply⟧")


@pytest.mark.parametrize(
    "more",
    [
        {"headers": (("Bcc", "e@x.example"),)},
        {"reply_to": "a@x.example\r\nBcc: e@x.example"},
        {"subject": "Hallo ⟦name⟧"},
        {"subject": " "},
    ],
)
def test_a_draft_that_would_say_more_than_meant_becomes_no_prototype(more: dict[str, str]) -> None:
    with pytest.raises(GateError):
        letters.prototype(a_draft(**more), SENDER, "de")


@pytest.mark.parametrize("title", HOSTILE)
def test_a_hostile_title_passes_as_a_safe_subject(title: str) -> None:
    message = email.message_from_bytes(written({"name": title}, subject=title))

    assert [message["Bcc"]] == [None]
    assert [address for _, address in email.utils.getaddresses([message["To"]])] == [
        "erika@example.org"
    ]


@given(name=st.text(), to_name=st.text())
def test_what_passes_the_slot_gate_passes_the_full_gate(name: str, to_name: str) -> None:
    frozen = letters.prototype(a_draft(calendar=ICS), SENDER, "de")
    to = Envelope(TO.letter_id, TO.to_addr, to_name)

    raw = letters.render(frozen, VALUES | {"name": name}, to, AT)
    letters.check(frozen, raw, to)


def test_the_full_gate_stops_a_letter_with_a_foreign_header() -> None:
    frozen = letters.prototype(a_draft(), SENDER, "de")
    raw = letters.render(frozen, VALUES, TO, AT)

    for spoilt in (
        b"Bcc: e@x.example\r\n" + raw,
        raw.replace(b"erika@", b"other@"),
        raw.replace(b"multipart/alternative", b"multipart/mixed"),
        raw.replace(b"Einladung", b"Absage"),
        raw.replace(b"\r\n\r\n", b"\n\n", 1),
        raw + b"x" * 999 + b"\r\n",
    ):
        with pytest.raises(GateError):
            letters.check(frozen, spoilt, TO)
