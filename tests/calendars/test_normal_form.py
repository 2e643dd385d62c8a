"""The normal form keeps what people write, and never sorts marks without end."""

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calendars import normal_form

# Letters and marks that swap places, compose, or fall apart into several marks.
STUBBORN = st.text(
    st.sampled_from("aé\u01a1\u1ed1\u1faf\u0301\u0323\u031b\u0344\u0345\u0f73\u0f81가ä "),
    max_size=150,
)
# The last two are marks that look like letters until they are taken apart.
PAIRS = ["\u0301\u0323", "\u0344\u0323", "\u0f73\u0f75", "\u0f81\u0f73"]


def longest_run(text: str) -> int:
    longest = marks = 0
    for sign in unicodedata.normalize("NFD", text):
        marks = marks + 1 if unicodedata.combining(sign) else 0
        longest = max(longest, marks)
    return longest


@pytest.mark.parametrize("pair", PAIRS)
def test_so_many_marks_that_sorting_them_takes_minutes_are_left(pair: str) -> None:
    composed = normal_form.compose(f"Gr{'u' + pair * 4_000}ße")

    assert longest_run(composed) <= normal_form.MARKS_LIMIT
    assert (composed[:2], composed[-2:]) == ("Gr", "ße")


@pytest.mark.parametrize(
    "text",
    [
        "A\u0308rger u\u0308ber Ti\u1ebfng Vi\u1ec7t",
        "Δημοκρατία Ἀθῆναι ᾯ",
        "नमस्ते বাংলা ภาษาไทยเป็นภาษาที่มีวรรณยุกต์ རྒྱལ་ཁབ",
        "בְּרֵאשִׁית בָּרָא אֱלֹהִים الْحَمْدُ لِلَّهِ",
        "안녕하세요 각각각각각각각각각각각각각각각각",
        "👩\u200d👩\u200d👧\u200d👦👩🏽\u200d🚒🏳\ufe0f\u200d🌈" * 10,
        "Z" + "\u0301\u0323" * 15,
    ],
)
def test_what_people_write_is_composed_as_ever(text: str) -> None:
    assert unicodedata.normalize("NFC", text) == normal_form.compose(text)


@settings(deadline=None)
@given(STUBBORN)
def test_composing_twice_changes_nothing(text: str) -> None:
    once = normal_form.compose(text)

    assert once == normal_form.compose(once)
    assert unicodedata.is_normalized("NFC", once)
    assert longest_run(once) <= normal_form.MARKS_LIMIT
