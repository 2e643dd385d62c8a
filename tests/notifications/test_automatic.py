"""Automatic answers: which mails are some, and on which day people are back."""

from datetime import date
from email.message import Message

import pytest

from notifications import automatic
from notifications.automatic import Notice, Sort

TODAY = date(2026, 11, 22)


def headers(**fields: str) -> "Message[str, str]":
    message: Message[str, str] = Message()
    for name, value in fields.items():
        message[name.replace("_", "-")] = value
    return message


@pytest.mark.parametrize(
    ("fields", "subject", "is_automatic"),
    [
        ({"Auto_Submitted": "auto-replied; vacation"}, "Re: Einladung", True),
        ({"Auto_Submitted": "no"}, "Re: Einladung", False),
        ({"Precedence": "auto_reply"}, "Re: Einladung", True),
        ({"X_Autoreply": "yes"}, "Re: Einladung", True),
        ({"List_Id": "<klima.example.org>"}, "Re: Einladung", True),
        ({}, "Automatische Antwort: Einladung", True),
        ({}, "Abwesenheitsnotiz: Einladung", True),
        ({"List_Id": "<klima.example.org>", "Auto_Submitted": "auto-replied"}, "Re: x", True),
        ({"Precedence": "bulk"}, "Re: Einladung", True),
        ({}, "Out of Office", True),
        ({}, "Out of office on 3 December", False),
        ({}, "AW: Out of Office: Einladung", False),
        ({}, "Re: Abwesenheit am 3. Dezember", False),
        ({}, "Abwesenheit am 3. Dezember", False),
        ({}, "Urlaub", False),
        ({}, "AW: Einladung zum Urlaubsort", False),
        ({"X_Auto_Response_Suppress": "All"}, "AW: Einladung", False),
    ],
)
def test_no_person_wrote_a_mail_that_says_so(
    fields: dict[str, str], subject: str, *, is_automatic: bool
) -> None:
    found = automatic.is_automatic(headers(**fields), subject, is_asked=False)

    assert is_automatic is found


@pytest.mark.parametrize(
    ("fields", "is_automatic"),
    [
        ({"List_Id": "<klima.example.org>"}, False),
        ({"Precedence": "list"}, False),
        ({"Precedence": "bulk"}, True),
        ({"Precedence": "bulk", "List_Id": "<klima.example.org>"}, False),
        ({"Precedence": "junk"}, True),
        ({"Precedence": "bulk", "Auto_Submitted": "auto-replied"}, True),
    ],
)
def test_an_answer_that_came_by_a_list_is_a_persons(
    fields: dict[str, str], *, is_automatic: bool
) -> None:
    found = automatic.is_automatic(headers(**fields), "Re: Einladung", is_asked=True)

    assert is_automatic is found


@pytest.mark.parametrize(
    ("text", "back_on"),
    [
        ("Ich bin bis zum 4.12.2026 abwesend.", date(2026, 12, 5)),
        ("Vom 23.12. bis 8.1. geschlossen.", date(2027, 1, 9)),
        ("Bis 4.12. weg, ab dem 7. Dezember wieder da.", date(2026, 12, 7)),
        ("Am 7.12.26 bin ich wieder im Büro.", date(2026, 12, 7)),
        ("Ab Montag, den 7. Dezember\n  wieder da.", date(2026, 12, 7)),
        ("I am away until December 12th, 2026.", date(2026, 12, 13)),
        ("I will be back in the office on Monday, 14 December.", date(2026, 12, 14)),
        ("Return: back on 2026-12-14", date(2026, 12, 14)),
        ("Am 3.4.2020 war ich im Büro.", None),
        ("Ich bin bis zum 31.02.2027 abwesend.", None),
        ("Ab 99.99. und ab 10:30 Uhr.", None),
        ("Bis 1.1.2099 abwesend.", None),
        ("Ich bin krank.", None),
    ],
)
def test_the_day_of_return_is_read_from_german_and_english_words(
    text: str, back_on: date | None
) -> None:
    assert back_on == automatic.read("", text, TODAY).back_on


@pytest.mark.parametrize(
    ("subject", "text", "sort"),
    [
        ("Urlaub", "Ich bin nicht im Büro.", Sort.AWAY),
        ("Abwesend", "Frau Muster ist nicht mehr bei der Stadt tätig.", Sort.MOVED),
        ("Re: x", "We have received your message, ticket 12.", Sort.RECEIVED),
        ("Re: x", "Danke.", Sort.OTHER),
    ],
)
def test_an_automatic_answer_has_a_sort(subject: str, text: str, sort: Sort) -> None:
    assert Notice(sort) == automatic.read(subject, text, TODAY)
