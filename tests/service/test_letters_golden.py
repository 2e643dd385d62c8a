"""What our letters say, word for word; the samples are written anew with REWRITE_SAMPLES=1."""

import os
import re
from pathlib import Path

import pytest

from notifications import letters
from notifications.letters import Draft, Sender
from service import wording
from tests.every_letter import EVERY, a_test_letter, filled, words_of

SAMPLES = Path(__file__).parents[1] / "data" / "letters"
SENDER = Sender("termine@alliance.example.org", "Geschäftsstelle", "alliance.example.org")
LOCALES = ("de", "en")


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("name", EVERY)
def test_a_letter_reads_as_its_sample(name: str, locale: str) -> None:
    words, values = words_of(name, locale)
    sample = SAMPLES / f"{name}.{locale}.txt"

    written = filled(f"{words.subject}\n\n{wording.write_text(words)}", values)

    if os.environ.get("REWRITE_SAMPLES"):
        sample.write_text(written, "utf-8")
    assert sample.read_text("utf-8") == written


@pytest.mark.parametrize("locale", LOCALES)
def test_a_test_letter_reads_as_its_sample(locale: str) -> None:
    found = a_test_letter(locale)
    sample = SAMPLES / f"test.{locale}.txt"
    written = f"{found.subject}\n\n{found.text}"

    if os.environ.get("REWRITE_SAMPLES"):
        sample.write_text(written, "utf-8")
    assert sample.read_text("utf-8") == written


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("name", EVERY)
def test_a_letter_passes_the_gate_and_reads_well_in_plain_text(name: str, locale: str) -> None:
    words, values = words_of(name, locale)
    text = wording.write_text(words)

    letters.prototype(Draft(words.subject, text, wording.write_html(words)), SENDER, locale)

    whole = filled(text, values)
    prose = [line for line in whole.split("\n") if "://" not in line]
    assert [] == [line for line in prose if len(line) > wording.TEXT_COLUMNS]
    assert [] == [line for line in whole.split("\n") if line != line.rstrip()]
    assert "::" not in whole
    assert "\n\n\n" not in whole
    assert [] == re.findall(r"(?m)^[^\n]+:\n\n", whole.replace("Aussprache:", ""))


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("name", EVERY)
def test_both_parts_hold_the_same_slots_and_nothing_is_fetched_from_elsewhere(
    name: str, locale: str
) -> None:
    words, _ = words_of(name, locale)
    text, html = wording.write_text(words), wording.write_html(words)

    in_text, in_html = (set(re.findall("⟦[a-z_0-9]+⟧", part)) for part in (text, html))
    # Below buttons of one session stands the address that all of them lead to.
    has_buttons = any(each.kind == "choices" and each.text for each in words.blocks)
    assert in_html == in_text | ({"⟦link_answer⟧"} if has_buttons else set())
    assert f'<html lang="{locale}">' in html
    assert [] == re.findall(r"<(?:img|link|script|iframe)\b|url\(", html)
    assert 1 == html.count("<h1")


@pytest.mark.parametrize(
    ("locale", "old", "new"), [("de", "bisher", "neu"), ("en", "before", "new")]
)
def test_what_is_new_is_told_as_an_addition_in_both_parts(locale: str, old: str, new: str) -> None:
    words, _ = words_of("change_that_adds", locale)
    text, html = wording.write_text(words), wording.write_html(words)

    assert f"  {new}: Stufenfrei über den Hof\n" in text
    assert f"<strong>{new}: Stufenfrei über den Hof</strong>" in html
    assert [] == [part for part in (text, html) if f"{old}:" in part]
