"""What our letters say, word for word; the samples are written anew with REWRITE_SAMPLES=1."""

import os
import re
from datetime import date
from pathlib import Path

import pytest

from notifications import letters
from notifications.letters import Draft, Sender
from service import joint_letters, phrasing, plain_letters, summarising, wording
from service.digesting import Shape
from service.occasions import Occasion
from service.wording import Words
from tests.occasions import (
    JOINT,
    OCCASIONS,
    OFFICE,
    SUMMARIES,
    VALUES,
    a_joint_letter,
    an_occasion,
)

SAMPLES = Path(__file__).parents[1] / "data" / "letters"
SENDER = Sender("termine@alliance.example.org", "Geschäftsstelle", "alliance.example.org")
PLAIN = ("sign_in", "lost_links", "hint_received", "probe")
PLAIN_VALUES = {
    "name": "Mira Muster",
    "code": "123456",
    "link_preferences": "https://termine.example.org/b/" + "q4" * 26,
    "link_sign_in": "https://termine.example.org/anmelden/l/" + "k3" * 26,
    "lines": "Mira Muster: 16. Sitzung, Do 21.1.2027\nhttps://termine.example.org/a/" + "x7" * 26,
}
# Letters to the office say in their subject what they are about.
HEADINGS = {"alarm": "Mailserver lehnt uns ab", "reply_forwarded": "Mira Muster, 16. AG Klima"}
OFFICE_VALUES = {
    "facts": "Person: Mira Muster, Stadt Gotha\nSitzung: 16. AG Klima, Do 21.1.2027",
    "lines": "Leider bin ich im Urlaub.",
    "link_office": "https://termine.example.org/buero/antworten",
}
WEEK = Shape(date(2027, 1, 4), asks=2, has_coming=True, has_changes=True)
DIGEST_VALUES = {
    "name": "Mira Muster",
    "link_preferences": PLAIN_VALUES["link_preferences"],
    "open_a": "16. Arbeitsgruppensitzung Klima\nDo 21.1.2027, 10:00 Uhr (bis Do 14.1.2027)",
    "open_b": "6. Bündnistreffen\nDi 16.3.2027, 13:00 Uhr",
    "link_open_a": "https://termine.example.org/a/" + "x7" * 26,
    "link_open_b": "https://termine.example.org/a/" + "y7" * 26,
    "changes": "Abgesagt: 4. Arbeitsgruppensitzung Leerstand, Mi 20.1.2027, 9:00 Uhr",
    "coming": "16. Arbeitsgruppensitzung Klima\n"
    "Do 21.1.2027, 10:00 Uhr, Rathaus, Erfurt (Ihre Antwort: vor Ort)",
}
LOCALES = ("de", "en")
EVERY = [*OCCASIONS, *SUMMARIES, *JOINT, *PLAIN, *HEADINGS, "digest"]


def _occasion(name: str, locale: str) -> Occasion:
    given = dict(OCCASIONS[name])
    return an_occasion(given.pop("kind"), locale, **given)


def _words(name: str, locale: str) -> tuple[Words, dict[str, str]]:
    address = "https://termine.example.org"
    if name == "digest":
        return plain_letters.phrase_digest(locale, OFFICE, address, WEEK), DIGEST_VALUES
    if name in HEADINGS:
        words = plain_letters.phrase_office(name, locale, OFFICE, address, HEADINGS[name])
        return words, OFFICE_VALUES
    if name in SUMMARIES:
        return summarising.phrase(an_occasion("summary", locale), SUMMARIES[name]), VALUES
    if name in JOINT:
        return joint_letters.phrase(*a_joint_letter(name, locale)), VALUES
    if name in PLAIN:
        return plain_letters.phrase(name, locale, OFFICE, address), PLAIN_VALUES
    return phrasing.phrase(_occasion(name, locale)), VALUES


def _filled(text: str, values: dict[str, str]) -> str:
    return re.sub("⟦([a-z_0-9]+)⟧", lambda found: values[found[1]], text)


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("name", EVERY)
def test_a_letter_reads_as_its_sample(name: str, locale: str) -> None:
    words, values = _words(name, locale)
    sample = SAMPLES / f"{name}.{locale}.txt"

    written = _filled(f"{words.subject}\n\n{wording.write_text(words)}", values)

    if os.environ.get("REWRITE_SAMPLES"):
        sample.write_text(written, "utf-8")
    assert sample.read_text("utf-8") == written


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("name", EVERY)
def test_a_letter_passes_the_gate_and_reads_well_in_plain_text(name: str, locale: str) -> None:
    words, values = _words(name, locale)
    text = wording.write_text(words)

    letters.prototype(Draft(words.subject, text, wording.write_html(words)), SENDER, locale)

    filled = _filled(text, values)
    prose = [line for line in filled.split("\n") if "://" not in line]
    assert [] == [line for line in prose if len(line) > wording.TEXT_COLUMNS]
    assert [] == [line for line in filled.split("\n") if line != line.rstrip()]
    assert "::" not in filled
    assert "\n\n\n" not in filled
    assert [] == re.findall(r"(?m)^[^\n]+:\n\n", filled.replace("Aussprache:", ""))


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("name", EVERY)
def test_both_parts_hold_the_same_slots_and_nothing_is_fetched_from_elsewhere(
    name: str, locale: str
) -> None:
    words, _ = _words(name, locale)
    text, html = wording.write_text(words), wording.write_html(words)

    assert set(re.findall("⟦[a-z_0-9]+⟧", text)) == set(re.findall("⟦[a-z_0-9]+⟧", html))
    assert f'<html lang="{locale}">' in html
    assert [] == re.findall(r"<(?:img|link|script|iframe)\b|url\(", html)
    assert 1 == html.count("<h1")


@pytest.mark.parametrize(
    ("locale", "old", "new"), [("de", "bisher", "neu"), ("en", "before", "new")]
)
def test_what_is_new_is_told_as_an_addition_in_both_parts(locale: str, old: str, new: str) -> None:
    words, _ = _words("change_that_adds", locale)
    text, html = wording.write_text(words), wording.write_html(words)

    assert f"  {new}: Stufenfrei über den Hof\n" in text
    assert f"<strong>{new}: Stufenfrei über den Hof</strong>" in html
    assert [] == [part for part in (text, html) if f"{old}:" in part]
