"""A letter as blocks: the text part and the HTML part are written from the same ones.

A block's strings may hold slots (`⟦name⟧`), which the postman fills for each recipient.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from textwrap import wrap
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from service.pages.catalogue import LOCALES, texts

# Mail programs show plain text in a fixed width, and quote it with a sign in front.
TEXT_COLUMNS = 74
_INDENT = "  "
_MARK = re.compile(r"(?:\d{1,3}[.)]|[-*\u2022\u2013]) +")


@dataclass(frozen=True, slots=True)
class Block:
    """One piece of a letter; `kind` names how the two parts write it.

    paragraph: `text`. heading: `text`. facts: rows of (label, value). changes: rows of (label,
    old, new), the old one empty for what is added. choices, links and pages: rows of (label,
    address), as buttons, in full, or briefly; below buttons stands `text`, the address that all of
    them lead to, or that of the only one. lines: `text` kept line by line.
    value: one slot for many lines. code: one slot to type off.
    """

    kind: str
    text: str = ""
    rows: Sequence[tuple[str, ...]] = ()


@dataclass(frozen=True, slots=True)
class Words:
    """A whole letter before it becomes bytes."""

    subject: str
    title: str
    locale: str
    blocks: Sequence[Block]
    footer: Sequence[Block]


def paragraph(text: str) -> Block:
    """Return one paragraph."""
    return Block("paragraph", text)


def facts(*rows: tuple[str, str]) -> Block:
    """Return labelled lines; those without a value are left out."""
    return Block("facts", rows=[row for row in rows if row[1]])


def write_text(words: Words) -> str:
    """Write the plain part: same facts, links on lines of their own, 74 columns."""
    body = _environment().get_template("letters/letter.txt").render(_context(words))
    return _without_gaps(body)


def write_html(words: Words) -> str:
    """Write the HTML part: one column, no remote content, language given."""
    return _environment().get_template("letters/letter.html").render(_context(words))


def _context(words: Words) -> Mapping[str, Any]:
    return {"words": words, "t": texts(words.locale).t}


def _without_gaps(body: str) -> str:
    lines: list[str] = []
    for line in (each.rstrip() for each in body.split("\n")):
        if line or (lines and lines[-1]):
            lines.append(line)
    return "\n".join(lines).strip("\n") + "\n"


def _wrapped(text: str, indent: str = "") -> str:
    """Wrap a paragraph; slots are not counted, their values get lines of their own anyway."""
    paragraphs = [
        wrap(
            part,
            TEXT_COLUMNS,
            initial_indent=indent,
            subsequent_indent=indent,
            break_long_words=False,
            break_on_hyphens=False,
        )
        or [""]
        for part in text.split("\n")
    ]
    return "\n".join(line for lines in paragraphs for line in lines)


def _listed(text: str) -> str:
    """Write lines as they are, set in; what is wrapped of a list's item stands below its text."""
    lines = []
    for line in text.split("\n"):
        mark = _MARK.match(line)
        head = mark[0] if mark else ""
        hanging = _INDENT + " " * len(head)
        lines.append(_INDENT + head + _wrapped(line[len(head) :], hanging)[len(hanging) :])
    return "\n".join(lines)


def _labelled(
    value: str, label: str, rows: Sequence[tuple[str, str]] = (), indent: str = ""
) -> str:
    """Write "Label: value" with the values of all rows below each other."""
    labels = [each for each, _ in rows] or [label]
    column = indent + " " * (max(map(len, labels)) + 2)
    head = f"{indent}{label}:".ljust(len(column))
    return head + _wrapped(value, column)[len(column) :]


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("service", "pages"),
        # The text part is no markup: escaping would show "&amp;" to readers.
        autoescape=select_autoescape(enabled_extensions=("html",), default=False),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters["wrapped"] = _wrapped
    environment.filters["listed"] = _listed
    environment.filters["labelled"] = _labelled
    environment.globals["css"] = _styles()
    environment.globals["locales"] = LOCALES
    return environment


@cache
def _styles() -> Mapping[str, str]:
    """Read the inline styles of letters: mail programs know no style sheets of ours."""
    source = files("service.pages").joinpath("letters/styles.txt").read_text("utf-8")
    pairs = (line.split(":", 1) for line in source.splitlines() if ":" in line)
    return {name.strip(): value.strip() for name, value in pairs}
