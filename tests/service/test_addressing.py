"""What is said of an address that letters cannot carry."""

import pytest

from service import addressing


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("jörg@example.org", "err.email_signs"),
        (" jörg@bündnis.example ", "err.email_signs"),
        ("用户@example.org", "err.email_signs"),
        ("jörg@localhost", "err.email"),
        ("jörg", "err.email"),
        ("jörg berg@example.org", "err.email"),
        ("joerg@", "err.email"),
        ("a@x.de,b@y.de", "err.email"),
    ],
)
def test_signs_before_the_at_are_told_from_slips(typed: str, expected: str) -> None:
    assert (None, expected) == (addressing.read_address(typed), addressing.refusal_of(typed))


def test_a_domain_may_have_them() -> None:
    assert "joerg@xn--bndnis-3ya.example" == addressing.read_address("joerg@bündnis.example")
