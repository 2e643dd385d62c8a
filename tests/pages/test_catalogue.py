"""The texts: complete in both languages, in the right tone, and all that pages use exist."""

import re
from collections import Counter
from pathlib import Path

import pytest

from service.pages import catalogue
from service.pages.catalogue import LOCALES, MissingTextError, Texts, Wording, read_sources, texts
from service.pages.rendering import OFFICE_NAVIGATION, PUBLIC_NAVIGATION

PAGES = Path(catalogue.__file__).parent
IDS = sorted(texts("de").wordings)
USED = re.compile(r"""\bt\(\s*(["'])([a-z0-9_.]+)\1\s*(~?)""")
COMMENT = re.compile(r"\{#.*?#\}", re.DOTALL)
FORBIDDEN = {
    "de": re.compile(
        r"\b(bitte|leider|ungültig\w*|verboten\w*|entschuldigung\w*)\b", re.IGNORECASE
    ),
    "en": re.compile(r"\b(please|sorry|invalid|forbidden)\b", re.IGNORECASE),
}


def is_error(key: str) -> bool:
    return key.startswith(("err.", "error.")) or ".err" in key


def used_in_templates() -> list[tuple[str, str, bool]]:
    """Return (template, id, whether more is appended to the id) for every call of `t`."""
    return [
        (str(path.relative_to(PAGES)), match[2], bool(match[3]))
        for path in sorted(PAGES.rglob("*.html"))
        for match in USED.finditer(COMMENT.sub("", path.read_text(encoding="utf-8")))
    ]


def test_no_id_stands_in_two_files() -> None:
    counted = Counter(key for table in read_sources().values() for key in table)

    assert [key for key, count in counted.items() if count > 1] == []


def test_both_languages_have_the_same_ids() -> None:
    assert set(texts("de").wordings) == set(texts("en").wordings)


@pytest.mark.parametrize("locale", LOCALES)
def test_no_text_is_empty(locale: str) -> None:
    empty = [
        key
        for key, wording in texts(locale).wordings.items()
        if not all(form.strip() for form in wording.forms())
    ]

    assert empty == []


def test_both_languages_take_the_same_values() -> None:
    german, english = texts("de").wordings, texts("en").wordings

    different = [key for key in IDS if german[key].placeholders() != english[key].placeholders()]

    assert different == []


@pytest.mark.parametrize("locale", LOCALES)
def test_error_texts_neither_plead_nor_scold(locale: str) -> None:
    wordings = texts(locale).wordings

    found = [
        key
        for key in IDS
        if is_error(key) and any(FORBIDDEN[locale].search(form) for form in wordings[key].forms())
    ]

    assert found == []


def test_every_text_that_a_template_asks_for_exists() -> None:
    missing = [
        (template, key)
        for template, key, more in used_in_templates()
        if not (any(one.startswith(key) for one in IDS) if more else key in IDS)
    ]

    assert missing == []


def test_every_navigation_link_has_its_text() -> None:
    links = PUBLIC_NAVIGATION + OFFICE_NAVIGATION

    assert [link.text for link in links if not texts("de").has(link.text)] == []


def test_values_are_put_into_their_places() -> None:
    assert texts("en").t("pages.position", page=2, pages=14) == "Page 2 of 14"


def test_one_thing_is_counted_in_the_singular() -> None:
    counted = Texts("de", {"n": Wording(other="{n} Termine", one="{n} Termin")})

    assert [counted.t("n", n=n) for n in (0, 1, 2)] == ["0 Termine", "1 Termin", "2 Termine"]


def test_an_unknown_id_is_an_error() -> None:
    with pytest.raises(MissingTextError, match=r"no\.such \(de\)"):
        texts("de").t("no.such")


def test_a_value_that_is_not_given_is_an_error() -> None:
    with pytest.raises(MissingTextError, match="pages"):
        texts("de").t("pages.position", page=1)


def test_an_unknown_language_reads_german() -> None:
    assert texts("fr").locale == "de"


def test_braces_in_a_value_stay_what_they_are() -> None:
    assert texts("de").t("frame.call", phone="{phone}") == "Geschäftsstelle anrufen: {phone}"
