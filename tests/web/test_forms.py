from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from litestar.datastructures import FormMultiDict

from service.domain.errors import FieldsError
from service.web import form_tokens, forms, respond
from service.web.forms import Field, Form

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
ID = "0b0e7f5c-6a0e-4f0a-9c39-0d7b1c9f2a11"


def read(fields: Sequence[Field], *pairs: tuple[str, str]) -> Form:
    return forms.read_values("de", fields, FormMultiDict(list(pairs)))


@pytest.mark.parametrize(
    ("kind", "typed", "meant"),
    [
        ("line", "  Ada \n Ahorn ", "Ada Ahorn"),
        ("line", "", ""),
        ("text", "a\r\nb\n", "a\nb"),
        ("email", "Ada@Example.ORG", "Ada@example.org"),
        ("email", "", None),
        ("day", "2027-03-27", date(2027, 3, 27)),
        ("day", "27.3.2027", date(2027, 3, 27)),
        ("day", "27.03.27", date(2027, 3, 27)),
        ("day", "", None),
        ("clock", "10:00", time(10)),
        ("clock", "9.30 Uhr", time(9, 30)),
        ("clock", "10:00:00", time(10)),
        ("number", "-12", -12),
        ("flag", "1", True),
        ("flag", "", False),
        ("id", ID, UUID(ID)),
        ("url", "https://example.org/x?y=1", "https://example.org/x?y=1"),
    ],
)
def test_a_value_is_read_as_it_is_meant(kind: str, typed: str, meant: Any) -> None:
    form = read([Field("x", kind)], ("x", typed))

    assert form.is_valid
    assert form["x"] == meant


@pytest.mark.parametrize(
    ("kind", "typed"),
    [
        ("email", "ada@exa mple.org"),
        ("email", "ada@example.org,eve@example.org"),
        ("email", "ada"),
        ("day", "30.2.2027"),
        ("day", "2027-13-01"),
        ("day", "morgen"),
        ("day", "٢٧.٣.٢٠٢٧"),
        ("clock", "25:00"),
        ("clock", "zehn"),
        ("number", "99999999999"),
        ("number", "1e3"),
        ("number", "²"),
        ("id", "1"),
        ("id", "{0b0e7f5c-6a0e-4f0a-9c39-0d7b1c9f2a11}"),
        ("url", "javascript:alert(1)"),
        ("url", "//evil.example"),
    ],
)
def test_an_odd_value_is_refused_and_stays_in_the_form(kind: str, typed: str) -> None:
    form = read([Field("x", kind)], ("x", typed))

    assert not form.is_valid
    assert form["x"] is None
    assert form.values["x"] == typed


def test_what_is_wrong_stands_in_the_order_of_the_fields_and_names_them() -> None:
    fields = [
        Field("name", label="signin.email", required=True),
        Field("long", label="signin.code", most=3),
        Field("choice", "choice", label="signin.now", choices=("a",), required=True),
    ]
    form = read(fields, ("long", "abcd"), ("choice", "b"))

    assert list(form.errors.items()) == [
        ("name", "Füllen Sie „E-Mail-Adresse“ aus"),
        ("long", "„Code aus der E-Mail“ darf höchstens 3 Zeichen haben"),
        ("choice", "Wählen Sie bei „Jetzt anmelden“ etwas aus"),
    ]


def test_only_listed_names_are_read_and_a_repeated_one_counts_once() -> None:
    form = read([Field("name")], ("name", "Ada"), ("name", "Eve"), ("role", "admin"))

    assert form.parsed == {"name": "Ada"}


def test_a_list_keeps_every_value_once() -> None:
    fields = [Field("groups", "ids"), Field("ways", "many", choices=("a", "b"))]
    form = read(fields, ("groups", ID), ("groups", ID), ("ways", "b"), ("ways", "a"))

    assert form.parsed == {"groups": [UUID(ID)], "ways": ["b", "a"]}


def test_sentences_of_a_use_case_come_in_the_readers_language() -> None:
    form = forms.read_values("en", [Field("x")], FormMultiDict([]))
    form.refuse_fields(FieldsError({"x": ("err.past", {})}))

    assert form.errors == {"x": "The date must be in the future"}


@given(st.text(max_size=300))
def test_no_text_breaks_a_reader(typed: str) -> None:
    kinds = ("line", "text", "email", "url", "choice", "day", "clock", "number", "id", "flag")
    form = read([Field(kind, kind) for kind in kinds], *((kind, typed) for kind in kinds))

    for kind in ("line", "text"):
        cleaned = form.values[kind]
        assert isinstance(cleaned, str)
        assert not any(ord(sign) < 32 and sign not in "\n\t" for sign in cleaned)
        cleaned.encode()


@pytest.mark.parametrize(
    ("age", "fresh"),
    [
        (timedelta(0), True),
        (timedelta(hours=12), True),
        (timedelta(hours=12, seconds=1), False),
        (-timedelta(minutes=4), True),
        (-timedelta(minutes=6), False),
    ],
)
def test_a_form_token_lives_twelve_hours(age: timedelta, *, fresh: bool) -> None:
    token = form_tokens.make(b"secret", NOW)

    assert fresh == form_tokens.is_fresh(token, [b"newer", b"secret"], NOW + age)


def test_a_form_token_of_another_session_is_refused() -> None:
    assert not form_tokens.is_fresh(form_tokens.make(b"other", NOW), [b"secret"], NOW)


@given(st.text(max_size=60))
def test_no_text_is_a_form_token(text: str) -> None:
    assert not form_tokens.is_fresh(text, [b"secret"], NOW)


@pytest.mark.parametrize(
    ("path", "local"),
    [
        ("/", True),
        ("/buero/termin/1?x=1#y", True),
        ("//evil.example", False),
        ("/\\evil.example", False),
        ("/\t/evil.example", False),
        ("/%09/evil.example", True),
        ("https://evil.example", False),
        ("https:evil.example", False),
        ("\t//evil.example", False),
        ("", False),
        ("buero", False),
        ("/buero\r\nX-Evil: 1", False),
        ("/ä", False),
    ],
)
def test_only_paths_of_our_own_are_local(path: str, *, local: bool) -> None:
    assert local == respond.is_local(path)


@pytest.mark.parametrize("kind", ["line", "text", "email", "choice", "many", "ids"])
def test_what_is_far_too_long_is_refused_before_it_is_cleaned(kind: str) -> None:
    # Controls go when a value is cleaned: it would be short enough after that.
    typed = "a" + "\x07" * 60_000 + "b"
    form = read([Field("x", kind, most=100)], ("x", typed))

    assert ["x"] == list(form.errors)
    assert ["a"] == [*form.values["x"]]


def test_blanks_around_a_value_do_not_count() -> None:
    form = read([Field("x", most=3)], ("x", " " * 60_000 + "abc\r\n" + "\t" * 60_000))

    assert (True, "abc") == (form.is_valid, form["x"])
