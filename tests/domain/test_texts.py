import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain import texts


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("a\x00b\x0bc\x1bd\x7fe\x9ff", "abcdef"),
        ("a\tb\nc", "a\tb\nc"),
        ("a\r\nb\rc\u2028d\u2029e\x85f", "a\nb\nc\nd\ne\nf"),
        ("a\u202eb\u2066c\u2069d\u200fe\ufefff", "abcdef"),
        ("a\ud800b\udfffc", "abc"),
        ("Klima ⟦name⟧", "Klima name"),
        ("u\u0308ber", "über"),
        ("👩\u200d💻 🎉", "👩\u200d💻 🎉"),
        ("  außen \n", "außen"),
        ("=?utf-8?q?=0D=0ABcc:x?=", "=?utf-8?q?=0D=0ABcc:x?="),
    ],
)
def test_only_what_every_page_mail_and_calendar_can_carry_is_kept(typed: str, kept: str) -> None:
    assert texts.clean_text(typed) == kept


def test_a_line_has_no_line_breaks_and_single_blanks() -> None:
    assert texts.clean_line(" Betreff:\r\n  Bcc:\t x\u00a0y ") == "Betreff: Bcc: x y"


@given(st.text(alphabet=st.characters(codec=None)))
def test_cleaning_twice_changes_nothing_more(typed: str) -> None:
    once = texts.clean_text(typed)

    assert texts.clean_text(once) == once


@given(st.text(alphabet=st.characters(codec=None)))
def test_what_is_kept_can_be_stored(typed: str) -> None:
    kept = texts.clean_text(typed)

    assert kept.encode().decode() == kept
    assert [
        sign for sign in kept if unicodedata.category(sign) == "Cc" and sign not in "\n\t"
    ] == []


def test_marks_without_end_upon_one_letter_are_left_at_thirty() -> None:
    # To sort them takes the square of their number: a page was still for seconds over 64 kB.
    kept = texts.clean_text("Gr" + "u\u0323" + "\u0301\u0323" * 2_000 + "ße")

    assert len(kept) == len("Grụße") + 29
