"""Nothing that stands in quotes or comments counts."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifications.unquoting import QUOTED, UnclearError, unquote


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", ""),
        ("a; b=c\r\n\td", "a; b=c d"),
        ('a="b; c" d', f"a={QUOTED} d"),
        ('a="b"c', f"a={QUOTED}c"),
        (r'a="b\"; c" d', f"a={QUOTED} d"),
        (r'a="b\\"; c', f"a={QUOTED}; c"),
        ('a="(" b (")', f"a={QUOTED} b"),
        ("a(b)c", "a c"),
        ("a (b (c; d) e; f) g", "a g"),
        (r"a (b \) ; c) d", "a d"),
        (r"a (b \( c) d", "a d"),
        (r"a (b \\) c", "a c"),
        ('a (b " c) d', "a d"),
        ('a "b ) c" d', f"a {QUOTED} d"),
        ("()()", ""),
    ],
)
def test_quotes_and_comments_leave_only_a_mark(text: str, words: str) -> None:
    assert words == unquote(text)


@pytest.mark.parametrize(
    "text", ['a "b', r'a "b\"', "a (b", "a (b (c)", r"a (b\)", "a) b", "a (b)) c", r"a \( b", "a\\"]
)
def test_what_does_not_come_in_pairs_is_unclear(text: str) -> None:
    with pytest.raises(UnclearError):
        unquote(text)


def in_quotes(text: str) -> tuple[str, str]:
    return '"' + re.sub(r'["\\]', r"\\\g<0>", text) + '"', QUOTED


def in_brackets(texts: list[str]) -> str:
    return f"({''.join(texts)})"


ANYTHING = st.text(st.sampled_from('()"\\;= ab\r\n') | st.characters(), max_size=30)
ESCAPED = ANYTHING.map(lambda text: re.sub(r"[()\\]", r"\\\g<0>", text))
COMMENTS = st.recursive(
    ESCAPED.map(lambda text: in_brackets([text])),
    lambda inner: st.lists(inner | ESCAPED, max_size=4).map(in_brackets),
    max_leaves=8,
)
PIECES = st.one_of(
    st.sampled_from(["a", ";", "=", "b c"]).map(lambda text: (text, text)),
    ANYTHING.map(in_quotes),
    COMMENTS.map(lambda text: (text, " ")),
)


@given(st.lists(PIECES, max_size=12))
def test_nothing_inside_quotes_or_comments_ever_counts(pieces: list[tuple[str, str]]) -> None:
    text = "".join(piece for piece, _ in pieces)

    assert " ".join("".join(left for _, left in pieces).split()) == unquote(text)


@given(ANYTHING)
def test_whatever_comes_is_read_or_unclear(text: str) -> None:
    try:
        words = unquote(text)
    except UnclearError:
        return

    assert not set("()\\").intersection(words)
    assert 0 == words.count('"') % 2
