"""Mail with an empty envelope sender: a refusal in no standard format is no automatic answer."""

from datetime import UTC, date, datetime
from email.header import Header

import pytest

from notifications import bounces, intake
from notifications.bounces import Kind
from service.database import Database
from tests.notifications import builders
from tests.notifications.returned import OPTIONS, a_sent_letter, address

TODAY = date(2026, 11, 22)
AUTOMATIC = "Auto-Submitted: auto-replied\r\n"


def mail(subject: str, text: str, more: str = "", sender: str = "system@x.example") -> bytes:
    shown = Header(subject, "utf-8").encode()
    head = f"Return-Path: <>\r\nFrom: {sender}\r\nSubject: {shown}\r\n{more}"
    words = "Content-Type: text/plain; charset=utf-8\r\n\r\n"
    return f"{head}{words}{text}\r\n".encode()


@pytest.mark.parametrize("more", ["", AUTOMATIC])
@pytest.mark.parametrize(
    ("subject", "text", "kind"),
    [
        ("Nicht zustellbar: Einladung", "550 5.1.10 RESOLVER.ADR.RecipientNotFound", Kind.BOUNCE),
        ("Nachricht nicht zustellbar", "Die Adresse gibt es nicht.", Kind.BOUNCE),
        ("Zustellung nicht möglich", "Es ging nicht.", Kind.BOUNCE),
        ("ZUSTELLUNGSFEHLER: Einladung", "Es ging nicht.", Kind.BOUNCE),
        ("Zustellfehler", "Es ging nicht.", Kind.BOUNCE),
        ("Zustellung verzögert", "Wir versuchen es weiter.", Kind.DELAY),
        ("Ihre Nachricht", "Der Server sagt: 550 5.1.1 kein solches Postfach", Kind.BOUNCE),
        ("Ihre Nachricht", "Remote Server returned '#5.1.1'", Kind.BOUNCE),
        ("Ihre Nachricht", "SMTP error code: 550", Kind.BOUNCE),
        ("Automatische Antwort: Einladung", "Bis 4.12. im Urlaub.", Kind.AUTO_REPLY),
        ("Auto: Einladung", "Bis 4.12.26 im Urlaub, Tel. 0361 550 120.", None),
        ("Auto: Einladung", "Abwesend bis 4.12.", Kind.AUTO_REPLY),
    ],
)
def test_a_refusal_with_an_empty_sender_is_told_from_an_automatic_answer(
    subject: str, text: str, kind: Kind | None, more: str
) -> None:
    unclear = Kind.AUTO_REPLY if more else Kind.UNKNOWN
    raw = mail(subject, text, more)

    assert (kind or unclear) is bounces.read(raw, "alliance.example.org", TODAY).kind


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("Das Postfach ist unbekannt.", Kind.BOUNCE),
        ("Hallo.", Kind.UNKNOWN),
        ("Ich bin bis 4.12. abwesend.", Kind.AUTO_REPLY),
    ],
)
def test_what_a_mailer_by_its_name_writes_is_no_answer_without_words_of_one(
    text: str, kind: Kind
) -> None:
    raw = mail("Einladung", text, AUTOMATIC, "postmaster@x.example")

    assert kind is bounces.read(raw, "alliance.example.org", TODAY).kind


@pytest.mark.parametrize(
    ("subject", "text", "state"),
    [
        ("Nicht zustellbar: Einladung", "550 5.1.10 RESOLVER.ADR.RecipientNotFound", "failed"),
        ("Einladung", "Mit dieser E-Mail ging etwas schief.", "uncertain"),
        ("Auto: Einladung", "Ich bin bis 4.12. abwesend.", "sent"),
    ],
)
async def test_only_an_answer_proves_that_an_unclear_letter_arrived(
    database: Database, subject: str, text: str, state: str
) -> None:
    letter = await a_sent_letter(database, "uncertain")
    raw = mail(subject, text)
    await intake.take(database, OPTIONS, raw, address(letter), datetime.now(UTC))

    assert state == (await builders.state_of(database, letter))["state"]
