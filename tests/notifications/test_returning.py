"""Envelope senders that name their letter, and only to us."""

from dataclasses import replace
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications import headers, returning
from notifications.returning import ReturnOptions

LETTER = UUID("0123456789abcdef0123456789abcdef")
OPTIONS = ReturnOptions("bounce@alliance.example.org", (b"k" * 32,), per_letter=True)


@given(st.uuids())
def test_an_address_leads_back_to_its_letter(letter_id: UUID) -> None:
    address = returning.return_address(OPTIONS, letter_id)

    assert returning.letter_of(OPTIONS, address) == letter_id
    assert headers.check_address(address) == address


def test_the_local_part_stays_within_64_signs() -> None:
    options = replace(OPTIONS, address="rueckmeldung-intern21@alliance.example.org")

    address = returning.return_address(options, LETTER)

    assert len(address.partition("@")[0]) == 64
    assert returning.letter_of(options, address) == LETTER


@pytest.mark.parametrize(
    "options",
    [
        replace(OPTIONS, per_letter=False),
        replace(OPTIONS, secrets=()),
        replace(OPTIONS, address="a-very-long-mailbox-name-of-an-office@alliance.example.org"),
    ],
)
def test_without_room_or_wish_the_plain_address_is_used(options: ReturnOptions) -> None:
    assert options.address == returning.return_address(options, LETTER)


def test_case_and_angle_brackets_do_not_count() -> None:
    address = returning.return_address(OPTIONS, LETTER)

    assert returning.letter_of(OPTIONS, f" <{address.upper()}> ") == LETTER


def test_an_older_key_still_reads_its_addresses() -> None:
    address = returning.return_address(OPTIONS, LETTER)
    rotated = replace(OPTIONS, secrets=(b"n" * 32, b"k" * 32))

    assert returning.letter_of(rotated, address) == LETTER
    assert returning.return_address(rotated, LETTER) != address


def test_an_address_that_was_forged_is_nobodys() -> None:
    address = returning.return_address(OPTIONS, LETTER)
    local, _, domain = address.partition("@")
    last = "0" if local[-1] != "0" else "1"
    forged = [
        f"{local[:-1]}{last}@{domain}",
        f"{local}@elsewhere.example.org",
        f"other{local.removeprefix('bounce')}@{domain}",
        "bounce@alliance.example.org",
        "bounce+é@alliance.example.org",
        "<>",
        "",
    ]

    assert [None] * len(forged) == [returning.letter_of(OPTIONS, one) for one in forged]
    assert returning.letter_of(replace(OPTIONS, secrets=(b"x" * 32,)), address) is None
