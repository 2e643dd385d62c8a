"""What comes back, read from files: one a server or program, written from how theirs look."""

import time
from datetime import date
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifications import bounces, messages, statuses
from notifications.addresses import Verdict
from notifications.automatic import Notice, Sort
from notifications.bounces import Kind, Report
from notifications.statuses import Meaning

SAMPLES = Path(__file__).parent / "samples"
LETTER = UUID("5f0c9f0e-3a52-4d0f-9a57-6c1d2e3f4a5b")
TODAY = date(2026, 11, 22)
ERIKA = "erika@town.example"


def read(name: str) -> Report:
    raw = (SAMPLES / f"{name}.eml").read_bytes()
    return bounces.read(raw, "alliance.example.org", TODAY)


@pytest.mark.parametrize(
    ("name", "kind", "status", "meaning", "verdict"),
    [
        ("postfix_unknown_user", "bounce", "5.1.1", "no_such_address", "hard"),
        ("postfix_expired", "bounce", "4.4.1", "temporary", "soft"),
        ("postfix_spam_policy", "bounce", "5.7.1", "policy", None),
        ("postfix_delayed", "delay", "4.4.1", "temporary", None),
        ("postfix_delivered", "delivered", "2.0.0", "unclear", "delivered"),
        ("postfix_relayed", "relayed", "2.0.0", "unclear", None),
        ("exim_unknown_user", "bounce", "5.1.1", "no_such_address", "hard"),
        ("exim_mailbox_full", "bounce", "5.2.2", "full", "soft"),
        ("exim_frozen_delay", "delay", "4.0.0", "temporary", None),
        ("qmail_no_mailbox", "bounce", "5.1.1", "no_such_address", "hard"),
        ("exchange_recipient_not_found", "bounce", "5.1.10", "no_such_address", "hard"),
        ("exchange_directory_denied", "bounce", "5.1.1", "no_such_address", "hard"),
        ("gmail_unknown_user", "bounce", "5.1.1", "no_such_address", "hard"),
        ("gmail_over_quota", "bounce", "5.2.2", "full", "soft"),
        ("gmx_unknown_user", "bounce", "5.1.1", "no_such_address", "hard"),
        ("t_online_unknown_user", "bounce", "5.1.1", "no_such_address", "hard"),
        ("opensmtpd_error", "bounce", "5.1.1", "no_such_address", "hard"),
        ("chasquid_failed", "bounce", "5.1.1", "no_such_address", "hard"),
        ("yahoo_disabled", "bounce", "5.2.1", "disabled", "hard"),
    ],
)
def test_a_report_of_any_server_names_its_letter_and_its_address(
    name: str, kind: str, status: str, meaning: str, verdict: str | None
) -> None:
    found = read(name)

    said = (found.kind, found.status, found.meaning, found.verdict)
    assert (kind, status, meaning, verdict) == said
    assert (LETTER, ERIKA) == (found.letters[0], found.recipient)


def test_a_report_without_reasons_counts_as_something_that_passes() -> None:
    found = read("mailer_without_a_word")

    assert (Kind.BOUNCE, "", Verdict.SOFT) == (found.kind, found.status, found.verdict)
    assert (LETTER,) == found.letters


def test_the_gravest_of_several_recipients_counts() -> None:
    found = read("group_half_failed")

    assert (Kind.BOUNCE, "two@town.example") == (found.kind, found.recipient)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("arf_complaint", Kind.COMPLAINT),
        ("arf_auth_failure", Kind.UNKNOWN),
        ("mdn_displayed", Kind.DISPOSITION),
        ("own_letter", Kind.OWN),
        ("words_outlook", Kind.WORDS),
        ("calendar_reply", Kind.WORDS),
    ],
)
def test_what_is_no_delivery_report_has_a_kind_of_its_own_and_names_its_letter(
    name: str, kind: Kind
) -> None:
    found = read(name)

    assert (kind, LETTER) == (found.kind, found.letters[0])


@pytest.mark.parametrize(
    ("name", "notice"),
    [
        ("out_of_office_german", Notice(Sort.AWAY, date(2026, 12, 7))),
        ("out_of_office_english", Notice(Sort.AWAY, date(2026, 12, 5))),
        ("address_left", Notice(Sort.MOVED, None)),
    ],
)
def test_of_an_automatic_answer_only_its_kind_and_the_day_of_return_are_kept(
    name: str, notice: Notice
) -> None:
    found = read(name)

    assert (Kind.AUTO_REPLY, notice, None) == (found.kind, found.notice, found.verdict)
    assert ("", "", "", "", (LETTER,)) == (
        found.words,
        found.subject,
        found.sender,
        found.diagnostic,
        found.letters,
    )


def test_words_of_a_person_are_kept_without_the_quoted_letter() -> None:
    found = read("words_outlook")

    assert found.words.startswith("Guten Tag,\nich komme gern")
    assert found.words.endswith("Grüße\nErika Muster")
    assert (ERIKA, "AW: Einladung: 16. AG-Sitzung Klima") == (found.sender, found.subject)


def test_words_in_html_lose_their_marks() -> None:
    assert "Ich kann leider nicht & sage ab." == read("words_html_only").words


def test_an_answer_of_a_calendar_program_is_marked_for_whoever_reads_calendars() -> None:
    assert read("calendar_reply").has_calendar
    assert not read("words_outlook").has_calendar


def test_a_person_who_quotes_an_error_is_no_bounce() -> None:
    found = read("human_writes_of_an_error")

    assert (Kind.WORDS, ()) == (found.kind, found.letters)


@pytest.mark.parametrize("raw", [b"", b"\r\n\r\n", b"\xff\x00\xfe", b"Subject\r\n", b"\x00" * 99])
def test_bytes_that_say_nothing_are_of_the_unknown_kind(raw: bytes) -> None:
    found = bounces.read(raw, "alliance.example.org", TODAY)

    assert (Kind.UNKNOWN, None) == (found.kind, found.verdict)


@pytest.mark.parametrize(
    ("status", "words", "meant"),
    [
        ("5.1.1", "anything at all", "5.1.1"),
        ("5.0.0", "550 5.7.1 spam", "5.7.1"),
        ("5.0.0", "550 no words that we know", "5.1.0"),
        ("5.0.0", "550 blocked using a list", "5.7.1"),
        ("5.0.0", "554 no words that we know", "5.0.0"),
        ("", "421 busy", "4.0.0"),
        ("", "client 5.1.1.4 did something", ""),
        ("5.4.1", "550 5.4.1 no route", "5.4.1"),
        ("5.5.0", "550 5.5.0 Requested action not taken: mailbox unavailable", "5.1.1"),
        ("", "Das Postfach ist voll", "5.2.2"),
    ],
)
def test_vague_codes_are_refined_by_the_words_beside_them(
    status: str, words: str, meant: str
) -> None:
    assert meant == statuses.refine(status, words)


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        ("5.1.8", Meaning.POLICY),
        ("5.1.2", Meaning.NO_SUCH_ADDRESS),
        ("4.2.2", Meaning.FULL),
        ("5.3.4", Meaning.LETTER),
        ("5.4.4", Meaning.ROUTING),
        ("4.7.1", Meaning.TEMPORARY),
        ("5.0.0", Meaning.UNCLEAR),
        ("", Meaning.UNCLEAR),
        ("nonsense", Meaning.UNCLEAR),
    ],
)
def test_a_status_has_a_meaning(status: str, meaning: Meaning) -> None:
    assert meaning == statuses.meaning_of(status)


@given(
    name=st.sampled_from(sorted(one.stem for one in SAMPLES.glob("*.eml"))),
    cuts=st.lists(st.tuples(st.integers(0, 3000), st.binary(max_size=6)), max_size=8),
)
@settings(max_examples=60, deadline=None)
def test_damaged_mail_is_read_as_far_as_it_goes(name: str, cuts: list[tuple[int, bytes]]) -> None:
    raw = (SAMPLES / f"{name}.eml").read_bytes()
    for at, put in cuts:
        raw = raw[:at] + put + raw[at + len(put) :]
    found = bounces.read(raw, "alliance.example.org", TODAY)

    kept = found.words + found.recipient + found.status + found.subject + found.sender
    assert found.diagnostic.isprintable()
    assert "\x00" not in kept
    assert kept == kept.encode().decode()


@pytest.mark.parametrize(
    "body",
    [
        b"-" * 60_000,
        b"a" * 60_000,
        b"<" * 60_000,
        b"<style>" * 9_000,
        b"a@" * 30_000,
        b"550 " * 15_000,
        b"am 1.1. " * 8_000,
        b"user " * 12_000,
        b"> \r\n" * 15_000,
        (b"a" * 1990 + b"\r\n") * 30,
        (b"a@" * 990 + b"\r\n") * 30,
    ],
)
def test_mail_that_is_made_to_be_slow_is_read_in_a_moment(body: bytes) -> None:
    heads = (
        b"From: mailer-daemon@x.example\r\nSubject: failure notice\r\n\r\n",
        b"From: a@x.example\r\nSubject: Abwesend\r\n\r\n",
        b"From: a@x.example\r\nSubject: x\r\nContent-Type: text/html\r\n\r\n",
    )
    started = time.process_time()
    for head in heads:
        bounces.read(head + body, "alliance.example.org", TODAY)

    # Ten times what the slowest takes on an idle machine.
    assert time.process_time() - started < 10


def test_words_in_no_character_set_of_mail_are_read_as_far_as_they_go() -> None:
    head = b"From: a@x.example\r\nSubject: =?punycode?q?a-b?=\r\n"
    kind = b"Content-Type: text/plain; charset=punycode\r\n\r\n"
    found = bounces.read(head + kind + b"hallo-\xff", "alliance.example.org", TODAY)

    assert ("=?punycode?q?a-b?=", "hallo-\ufffd") == (found.subject, found.words)


def test_a_subject_without_end_is_cut_before_it_is_decoded() -> None:
    words = b"".join(b" =?utf-8?q?%b?=\r\n" % (b"a" * 60) for _ in range(800))
    mail = messages.parse(b"Subject:" + words + b"\r\n")

    assert len(messages.header(mail.message, "Subject")) < 8_000


def test_a_mail_is_read_up_to_where_it_nests_without_sense() -> None:
    nest = [f"Content-Type: multipart/mixed; boundary=b{n}\n\n--b{n}\n" for n in range(600)]
    mail = messages.parse("".join(nest).encode())

    assert len(list(mail.message.walk())) <= 25


@pytest.mark.parametrize(("more", "kind"), [(0, Kind.BOUNCE), (3_000, Kind.WORDS)])
def test_a_dialect_is_looked_for_in_short_mails_alone(more: int, kind: Kind) -> None:
    head = b"From: mailer-daemon@x.example\n\nHi. This is the qmail-send program at x.\n\n"
    said = b"<erika@town.example>:\nSorry, no mailbox here by that name.\n\n--- Below this line\n"
    found = bounces.read(head + said + b"\n" * more, "alliance.example.org", TODAY)

    assert kind is found.kind
