from typing import Any

import pytest

from service import addressing
from service.domain import guests
from service.domain.errors import FieldsError
from service.domain.guests import Guest


def read(text: str) -> list[Guest]:
    return guests.read(text, addressing.read_address)


def test_a_line_is_an_address_or_a_name_with_an_address() -> None:
    text = (
        'ada@example.org\n\n  Dr. Grace Hopper <grace@Example.org>;\r\n"Erna" <erna@example.org>,'
    )

    assert [
        Guest(1, "", "ada@example.org"),
        Guest(3, "Dr. Grace Hopper", "grace@example.org"),
        Guest(4, "Erna", "erna@example.org"),
    ] == read(text)


def test_the_same_guest_twice_is_one() -> None:
    text = "ada@example.org\nADA@example.org\nAda <ada@example.org>"

    assert [1, 3] == [guest.line for guest in read(text)]


def test_no_text_is_nobody() -> None:
    assert read("\n  \n") == []


@pytest.mark.parametrize(
    ("text", "refusal", "values"),
    [
        ("ada@example.org\nkeine Adresse", "plan.err_extra", {"line": 2}),
        ("Ada <ada@example.org> und Bert <bert@example.org>", "plan.err_extra", {"line": 1}),
        ("Ada <ada@localhost>", "plan.err_extra", {"line": 1}),
        ("a@x.de, b@y.de", "plan.err_extra", {"line": 1}),
        ("ada@example.org\nJörg <jörg@example.org>", "plan.err_extra_signs", {"line": 2}),
        ("Jörg jo@example.org", "plan.err_extra", {"line": 1}),
        (f"{'A' * 121} <ada@example.org>", "plan.err_extra_name", {"line": 1, "n": 120}),
        (
            "\n".join(f"gast{n}@example.org" for n in range(201)),
            "plan.err_extra_many",
            {"n": 200},
        ),
    ],
)
def test_what_is_no_guest_is_said_with_its_line(
    text: str, refusal: str, values: dict[str, Any]
) -> None:
    with pytest.raises(FieldsError) as refused:
        read(text)

    assert {"extra_emails": (refusal, values)} == refused.value.fields
