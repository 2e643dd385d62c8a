"""Rendering: language, addresses, escaping, and what macros keep after an error."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from jinja2 import UndefinedError

from service.pages import rendering
from service.pages.rendering import localised, render_markdown, split_locale
from tests.pages.specimens import PAGES, STAFF, Typed, render_source, specimen, with_errors

PAGES_FOLDER = Path(rendering.__file__).parent
IMPORTED = re.compile(r'from "frame/macros.html" import ([a-z_, ]+) %}')
UI = '{% from "frame/macros.html" import field, radios, checkbox, checkboxes, select, date %}'


class Elements(HTMLParser):
    """Collects the start tags of a page with their attributes."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep one start tag."""
        self.found.append((tag, dict(attrs)))

    def ids(self) -> list[str]:
        """Return all ids, repeated ones repeatedly."""
        return [attrs["id"] or "" for _, attrs in self.found if "id" in attrs]

    def named(self, name: str) -> list[dict[str, str | None]]:
        """Return the attributes of the controls with a name."""
        return [attrs for _, attrs in self.found if attrs.get("name") == name]


@pytest.mark.parametrize(
    ("path", "locale", "tail"),
    [
        ("/", "de", "/"),
        ("/termin/x", "de", "/termin/x"),
        ("/en", "en", "/"),
        ("/en/", "en", "/"),
        ("/en/termin/x", "en", "/termin/x"),
        ("/england", "de", "/england"),
    ],
)
def test_the_language_is_the_first_part_of_an_address(path: str, locale: str, tail: str) -> None:
    assert (locale, tail) == split_locale(path)


@pytest.mark.parametrize(
    ("path", "english"),
    [
        ("/", "/en/"),
        ("/kalender", "/en/kalender"),
        ("/en/kalender", "/en/kalender"),
        ("https://example.org/x", "https://example.org/x"),
        ("#f-email", "#f-email"),
    ],
)
def test_english_addresses_carry_their_language(path: str, english: str) -> None:
    assert english == localised(path, "en")


def test_the_language_link_keeps_the_address() -> None:
    german, english = specimen("de"), specimen("en")

    assert '<a href="/en/muster" hreflang="en" lang="en">English</a>' in german
    assert '<a href="/muster" hreflang="de" lang="de">Deutsch</a>' in english


def test_a_page_names_its_language_and_itself() -> None:
    page = specimen("en")

    assert '<html lang="en">' in page
    assert "<title>Musterseite – Bündnis Regionalentwicklung</title>" in page


def test_a_private_page_tells_its_address_to_nobody() -> None:
    page = specimen(path="/a/secret", private=True)

    assert '<meta name="robots" content="noindex">' in page
    assert re.findall(r'\S*="[^"]*secret[^"]*"', page) == ['href="/en/a/secret"']


def test_errors_stand_in_the_title_the_summary_and_at_the_field() -> None:
    page = specimen(form=with_errors())
    elements = Elements(page)
    targets = {
        href.removeprefix("#")
        for tag, attrs in elements.found
        if tag == "a" and (href := attrs.get("href") or "").startswith("#f-")
    }
    (address,) = elements.named("email")

    assert "<title>Fehler: Musterseite" in page
    assert targets <= set(elements.ids())
    assert "f-full_name" not in targets
    assert (
        address["aria-invalid"],
        address["aria-describedby"],
    ) == ("true", "f-email-hint f-email-error")


def test_every_description_and_label_points_at_something() -> None:
    elements = Elements(specimen(form=with_errors(), office=STAFF))
    pointed = {
        one
        for _, attrs in elements.found
        for name in ("aria-describedby", "aria-labelledby", "for")
        for one in (attrs.get(name) or "").split()
    }

    assert set() == pointed - set(elements.ids())


def test_ids_are_unique() -> None:
    ids = Elements(specimen(form=with_errors(), office=STAFF)).ids()

    assert sorted(set(ids)) == sorted(ids)


def test_what_was_typed_stays_after_an_error() -> None:
    page = specimen(form=with_errors())
    elements = Elements(page)
    ticked = {
        attrs.get("value")
        for _, attrs in elements.found
        if "checked" in attrs or "selected" in attrs
    }

    assert {"represented", "leerstand", "1"} == ticked
    assert "&lt;/textarea&gt;&lt;b&gt;</textarea>" in page
    assert [attrs["value"] for attrs in elements.named("email")] == ["erika@stadt"]


def test_a_date_that_the_native_control_would_drop_becomes_text() -> None:
    before, after = (
        Elements(specimen(form=form)).named("start_date")[0] for form in (None, with_errors())
    )

    assert (before["type"], before["value"]) == ("date", "2026-12-03")
    assert (after["type"], after["value"]) == ("text", "3.12.")


def test_a_sent_form_without_a_tick_unticks_what_was_ticked() -> None:
    source = UI + (
        "{{ checkbox(form, 'a', 'A', checked=true) }}"
        "{{ checkboxes(form, 'b', 'B', [('1', 'one')], ['1']) }}"
    )

    untouched = render_source(source, form=None)
    sent = render_source(source, form=Typed({"other": "x", "a": "", "b": []}))

    assert [page.count(" checked") for page in (untouched, sent)] == [2, 0]


def test_nothing_is_chosen_unless_the_page_says_so() -> None:
    source = UI + "{{ radios(form, 'a', 'A', [('1', 'one'), ('2', 'two')]) }}"

    assert " checked" not in render_source(source, form=None)


def test_fields_of_a_choice_stand_below_it_and_nowhere_else() -> None:
    source = UI + (
        "{% call(v) radios(form, 'a', 'A', [('1', 'one'), ('2', 'two')]) %}"
        "{% if v == '2' %}{{ field(form, 'who', 'Who') }}{% endif %}{% endcall %}"
    )

    page = render_source(source, form=None)

    assert page.count("tb-below") == 1
    assert page.index('value="2"') < page.index('name="who"')


def test_optional_fields_are_marked_in_words() -> None:
    source = UI + "{{ field(form, 'a', 'A', optional=true) }}{{ field(form, 'b', 'B') }}"

    assert render_source(source, "en", form=None).count("- optional") == 1


def test_pages_hold_nothing_that_the_content_policy_refuses() -> None:
    page = specimen(form=with_errors(), office=STAFF)
    elements = Elements(page)

    refused = [
        (tag, attrs)
        for tag, attrs in elements.found
        if tag == "style"
        or (tag == "script" and not attrs.get("src"))
        or any(name == "style" or name.startswith("on") for name in attrs)
    ]

    assert refused == []


def test_markup_in_a_value_is_shown_and_not_obeyed() -> None:
    source = UI + "{{ field(form, 'a', label, value=label) }}"

    page = render_source(source, form=None, label='"><script>')

    assert "<script>" not in page


def test_a_missing_value_is_an_error() -> None:
    with pytest.raises(UndefinedError, match="nothing_of_the_kind"):
        render_source("{{ nothing_of_the_kind }}")


def test_an_error_page_names_the_way_back() -> None:
    page = PAGES.render(
        "frame/error.html",
        "en",
        path="/nowhere",
        heading_text="Page not found",
        paragraphs=["There is no page at this address."],
        reference="r-1",
    )

    assert "<h1>Page not found</h1>" in page
    assert 'href="/en/"' in page
    assert "Reference: r-1" in page


@pytest.mark.parametrize(
    ("source", "html"),
    [
        ("# Eins", "<h3>Eins</h3>\n"),
        ("##### Fünf", "<h6>Fünf</h6>\n"),
        ("<b>x</b>", "<p>&lt;b&gt;x&lt;/b&gt;</p>\n"),
        ("TOP 1 Begrüßung\nTOP 2 Bericht", "<p>TOP 1 Begrüßung<br />\nTOP 2 Bericht</p>\n"),
        ("[x](javascript:alert(1))", "<p>[x](javascript:alert(1))</p>\n"),
        ("[x](//evil.example)", "<p>[x](//evil.example)</p>\n"),
        (
            "[x](https://example.org)",
            '<p><a href="https://example.org" rel="noopener noreferrer">x</a></p>\n',
        ),
        (
            "[x](mailto:a@example.org)",
            '<p><a href="mailto:a@example.org" rel="noopener noreferrer">x</a></p>\n',
        ),
        ("![x](https://example.org/x.png)", None),
    ],
)
def test_markdown_makes_harmless_html(source: str, html: str | None) -> None:
    made = render_markdown(source)

    assert "<img" not in made
    assert html in {None, str(made)}


def test_class_names_of_the_design_system_stand_in_the_frame_only() -> None:
    elsewhere = [
        path.name
        for path in PAGES_FOLDER.rglob("*.html")
        if path.parent.name != "frame" and "kern-" in path.read_text(encoding="utf-8")
    ]

    assert elsewhere == []


def test_templates_format_no_dates_themselves() -> None:
    found = [
        path.name
        for path in PAGES_FOLDER.rglob("*.html")
        if "strftime" in path.read_text(encoding="utf-8")
    ]

    assert found == []


def test_every_macro_that_a_page_imports_exists() -> None:
    frame = (PAGES_FOLDER / "frame" / "macros.html").read_text(encoding="utf-8")
    known = set(re.findall(r"{% macro (\w+)\(", frame))

    missing = [
        (path.name, name)
        for path in PAGES_FOLDER.rglob("*.html")
        for names in IMPORTED.findall(path.read_text(encoding="utf-8"))
        for name in re.findall(r"\w+", names.split(" with")[0])
        if name not in known
    ]

    assert missing == []
