"""Header values: what people type must not become a header, a recipient or a guess."""

import email
import email.header
import email.utils

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications import gates, headers

HOSTILE = [
    "=?utf-8?q?x=0D=0ABcc:_e=40x?=",
    "Sitzung\r\nBcc: e@x.example",
    "Sitzung\nX-Evil: 1",
    "Sitzung\x00am Ende",
    "Sitzung \u202egnp.exe",
    "a" * 5000,
    "wort " * 1000,
    "Sommerfest 🎉👩‍👩‍👧 im Park",
    "Zeile\u2028Zeile",
    "Größe, Überlänge; Straße <b>",
    "  viel   Platz  ",
]
NAMES = [
    *HOSTILE,
    "Müller, Erika",
    "O'Neil, Dr. (LEG) <chef@x.example>",
    'Erika "Die" Müller',
    "@:;",
]
REFUSED = [
    "a@exa mple.org",
    "a@x.example,b@y.example",
    "a@x.example;b@y.example",
    "<a@x.example>",
    "Erika <a@x.example>",
    "@route.example:a@x.example",
    '"quoted"@x.example',
    "a@x.example\r\nRCPT TO:<b@y.example>",
    "a@x.example\n",
    "a\x00@x.example",
    "ä@x.example",
    "a..b@x.example",
    ".a@x.example",
    "a@-x.example",
    "a@",
    "@x.example",
    "",
    "a@x.example SIZE=1",
    "l" * 65 + "@x.example",
]


def read_back(name: str, value: bytes) -> str:
    message = email.message_from_bytes(name.encode() + b": " + value + b"\r\n\r\n")
    assert [name] == message.keys()
    return message[name].replace("\r\n", "")


@pytest.mark.parametrize("title", HOSTILE)
def test_a_hostile_title_stays_one_subject_and_reads_the_same(title: str) -> None:
    subject = headers.clean(title)

    raw = read_back("Subject", headers.encode_text(subject, 9))
    assert subject == str(email.header.make_header(email.header.decode_header(raw)))


@pytest.mark.parametrize("name", NAMES)
def test_a_hostile_name_stays_one_mailbox(name: str) -> None:
    value = headers.encode_mailbox(name, "a@x.example")

    found = email.utils.getaddresses([read_back("To", value)])
    assert [address for _, address in found] == ["a@x.example"]
    assert value == gates.pass_to(value, "a@x.example")


@pytest.mark.parametrize("address", REFUSED)
def test_what_is_not_one_plain_address_is_refused(address: str) -> None:
    with pytest.raises(headers.AddressError):
        headers.check_address(address)


def test_a_domain_is_written_lower_case_and_in_ascii() -> None:
    found = [headers.check_address("Erika@Example.ORG"), headers.check_address("e@müller.example")]

    assert found == ["Erika@example.org", "e@xn--mller-kva.example"]


@given(st.text())
def test_any_text_makes_lines_that_mail_allows(text: str) -> None:
    subject = headers.clean(text)
    value = headers.encode_text(subject, 9)

    assert value.isascii()
    assert max(map(len, value.split(b"\r\n"))) <= headers.TEXT_LIMIT
    assert subject == str(
        email.header.make_header(email.header.decode_header(read_back("Subject", value)))
    )


@given(st.text())
def test_any_name_passes_the_gate_as_one_mailbox(name: str) -> None:
    value = headers.encode_mailbox(name, "a@x.example")

    assert value == gates.pass_to(value, "a@x.example")
    assert len(email.utils.getaddresses([read_back("To", value)])) == 1
