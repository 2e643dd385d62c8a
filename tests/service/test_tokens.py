"""Lasting tokens: one spelling each, read back whole, opening nothing else."""

import base64
from uuid import UUID, uuid4

import pytest

from service import tokens
from service.tokens import Key, Keys, Purpose

KEYS = Keys([Key("k2", b"\x02" * 32), Key("k1", b"\x01" * 32)])
HANDLE = UUID("0123456789abcdef0123456789abcdef")
TOKEN = tokens.derive(KEYS, Purpose.ANSWER, HANDLE, 1)


def test_a_token_is_base32_of_handle_and_proof() -> None:
    raw = base64.b32decode(TOKEN.upper() + "====")

    assert (HANDLE.bytes, 32) == (raw[:16], len(raw))


def test_every_handle_is_read_back() -> None:
    handles = [uuid4() for _ in range(50)] + [UUID(int=0), UUID(int=2**128 - 1)]
    written = [tokens.derive(KEYS, Purpose.FEED, handle, 3) for handle in handles]

    assert handles == [tokens.read_handle(token) for token in written]


def test_capitals_open_the_same() -> None:
    assert tokens.read_handle(TOKEN.upper()) == HANDLE
    assert tokens.matches(KEYS, TOKEN.upper(), Purpose.ANSWER, HANDLE, 1)


@pytest.mark.parametrize(
    "token",
    [
        "",
        TOKEN[:-1],
        TOKEN + "a",
        TOKEN + "\n",
        f" {TOKEN[1:]}",
        f"_{TOKEN[1:]}",
        f"-{TOKEN[1:]}",
        f"1{TOKEN[1:]}",
        f"{TOKEN[:-1]}=",
        # The Kelvin sign has our "k" as its small letter, and Arabic digits are digits to `int`.
        f"\u212a{TOKEN[1:]}",
        f"\u0663{TOKEN[1:]}",
        # The spare bits of the last sign would give one token sixteen spellings.
        f"{TOKEN[:-1]}{'b' if TOKEN[-1] == 'a' else 'r'}",
    ],
)
def test_anything_else_is_no_token(token: str) -> None:
    assert tokens.read_handle(token) is None
    assert not tokens.matches(KEYS, token, Purpose.ANSWER, HANDLE, 1)


def test_a_token_opens_its_row_purpose_and_epoch_only() -> None:
    assert not tokens.matches(KEYS, TOKEN, Purpose.FEED, HANDLE, 1)
    assert not tokens.matches(KEYS, TOKEN, Purpose.ANSWER, HANDLE, 2)
    assert not tokens.matches(KEYS, TOKEN, Purpose.ANSWER, uuid4(), 1)


def test_a_former_key_still_opens() -> None:
    former = tokens.derive(Keys(KEYS.keys[1:]), Purpose.ANSWER, HANDLE, 1)

    assert tokens.matches(KEYS, former, Purpose.ANSWER, HANDLE, 1)
