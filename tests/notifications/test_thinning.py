"""Words are found behind pictures and styles, however many bytes those have."""

import base64
import time
from datetime import date
from email.message import EmailMessage

import pytest

from notifications import bounces, messages, thinning
from notifications.bounces import Kind

TODAY = date(2026, 11, 22)
DOMAIN = "alliance.example.org"
WORDS = "Ich komme, aber etwas später."
STYLES = "<style>" + "p.MsoNormal { margin: 0cm; }\n" * 2_600 + "</style>"


def a_mail() -> EmailMessage:
    mail = EmailMessage()
    mail["From"] = "erika@town.example"
    mail["Subject"] = "Re: Einladung"
    return mail


def words(raw: bytes) -> str:
    found = bounces.read(raw, DOMAIN, TODAY)
    assert Kind.WORDS is found.kind
    return found.words


@pytest.mark.parametrize("kind", ["image/png", "application/pdf"])
def test_words_behind_a_large_file_are_read(kind: str) -> None:
    mail = a_mail()
    mail.make_mixed()
    main, _, sub = kind.partition("/")
    mail.add_attachment(b"\x89" * 700_000, maintype=main, subtype=sub, filename="a")
    mail.add_attachment(WORDS, subtype="plain", disposition="inline")

    assert WORDS == words(mail.as_bytes())


@pytest.mark.parametrize("encoding", ["base64", "quoted-printable", "8bit"])
def test_words_behind_the_styles_of_a_program_are_read(encoding: str) -> None:
    mail = a_mail()
    html = f"<html><head>{STYLES}</head><body><p>{WORDS}</p></body></html>"
    mail.set_content(html, subtype="html", cte=encoding)

    assert len(STYLES) > 70_000
    assert WORDS == words(mail.as_bytes())


def test_a_file_keeps_its_head_and_a_report_its_fields() -> None:
    mail = a_mail()
    mail.make_mixed()
    mail.add_attachment(b"\x89" * 700_000, maintype="image", subtype="png", filename="a.png")
    mail.add_attachment(WORDS, subtype="calendar", disposition="inline")
    parsed = messages.parse(mail.as_bytes())

    assert ["multipart/mixed", "image/png", "text/calendar"] == [
        one.get_content_type() for one in parsed.parts
    ]
    assert "a.png" == parsed.parts[1].get_filename()


def test_of_many_words_the_beginning_is_read() -> None:
    head = b"Content-Type: multipart/mixed; boundary=b"
    part = b"--b\nContent-Type: text/html\n\n" + b"a" * 200_000 + b"\n"
    thinned = thinning.thin(head, part * 4 + b"--b--\n")
    lines = thinning.thin(b"", b"\n" * 150_000)

    assert thinning.BODY_LIMIT == len(thinned)
    assert thinning.LINES_LIMIT > lines.count(b"\n")


@pytest.mark.parametrize(
    "body",
    [
        b"\n" * 1_000_000,
        b"--b\n" * 250_000,
        b"boundary=b\n" * 90_000,
        b"--b\nContent-Type: " * 50_000,
        base64.b64encode(b"\x00" * 700_000),
        b"<style>" * 140_000,
        b"<style></style>" * 60_000,
    ],
)
def test_a_large_mail_that_is_made_to_be_slow_is_read_in_a_moment(body: bytes) -> None:
    head = b"From: a@x.example\nSubject: x\nContent-Type: "
    kinds = (b"multipart/mixed; boundary=b\n\n", b"text/html\n\n")
    started = time.process_time()
    for kind in kinds:
        bounces.read(head + kind + body, DOMAIN, TODAY)

    # Ten times what the slowest takes on an idle machine.
    assert time.process_time() - started < 10
