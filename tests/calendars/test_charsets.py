"""Senders name character sets; only those of mail are read by."""

import email

import pytest

from calendars import answer, charsets, mail_parts, properties
from tests.calendars.replying_programs import bare, plain

# Not one of these is a character set: some take the square of a text's length, some run it.
ODD = ["punycode", "idna", "unicode_escape", "raw_unicode_escape", "rot13", "undefined", "mbcs"]


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("UTF-8", "utf_8"),
        ("us-ascii", "ascii"),
        ("ISO-8859-1", "latin_1"),
        ("iso-8859-15", "iso8859_15"),
        ("windows-1252", "cp1252"),
        ("Windows-1250", "cp1250"),
        ("KOI8-R", "koi8_r"),
        ("utf-16le", "utf_16_le"),
        ("GB2312", "gb2312"),
        ("Shift_JIS", "shift_jis"),
        ("ks_c_5601-1987", "euc_kr"),
    ],
)
def test_the_sets_of_mail_are_known_by_all_their_names(name: str, codec: str) -> None:
    assert codec == charsets.known(name)


@pytest.mark.parametrize("name", [*ODD, "", "utf-8\x00x", "ütf-8", "../utf_8", "x" * 1_000])
def test_what_is_no_set_of_mail_is_not_known(name: str) -> None:
    assert charsets.known(name) is None


@pytest.mark.parametrize("name", ODD)
def test_a_part_is_never_decoded_by_what_is_no_set_of_mail(name: str) -> None:
    found = mail_parts.find(bare(plain(), kind=f"text/calendar; method=REPLY; charset={name}"))

    assert ["unknown-8bit"] == [part.charset for part in found.parts]


@pytest.mark.parametrize("name", ODD)
def test_a_calendar_in_no_set_of_mail_is_read_byte_by_byte(name: str) -> None:
    raw = plain().encode().replace(b"METHOD:", b"X-A:\xe4-bcd\r\nMETHOD:")

    assert "ä-bcd" == properties.read_calendar(raw, name).value("X-A")


def test_a_type_without_end_names_no_set() -> None:
    pieces = ";".join(f"\n charset*{n}*={'utf-8' * (not n)}''a" for n in range(500))
    mail = email.message_from_string(f"Content-Type: text/calendar;{pieces}\n\nGrüße")
    charsets.settle(mail)

    assert ("text/plain", "unknown-8bit") == (mail.get_content_type(), mail.get_content_charset())


def test_a_part_that_names_a_set_in_a_set_of_its_own_is_not_read_by_it() -> None:
    mail = email.message_from_string("Content-Type: text/plain; charset*=utf-8''idna\n\nx")
    charsets.settle(mail)

    assert "unknown-8bit" == mail.get_content_charset()


def test_of_many_calendars_and_many_people_the_first_are_read() -> None:
    kind = "Content-Type: text/calendar; method=REPLY"
    people = [f"ATTENDEE:mailto:a{n}@x.example" for n in range(99)]
    calendar = plain().replace(
        "BEGIN:VEVENT\r\n", "BEGIN:VEVENT\r\n" + "\r\n".join(people) + "\r\n"
    )
    part = f"--b\r\n{kind}\r\n\r\n{calendar}\r\n"
    head = "From: a@x.example\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    raw = (head + part * 9 + "--b--\r\n").encode()

    assert mail_parts.CALENDARS_LIMIT == len(mail_parts.find(raw).parts)
    assert answer.ATTENDEES_LIMIT == len(answer.read(raw).people)


def test_a_domain_with_umlauts_that_is_too_long_is_none() -> None:
    assert "" == answer.normal_address(f"a@{'ü.' * 60}example")
