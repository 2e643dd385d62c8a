"""Descriptions and agendas where no markup shows: letters and calendars, line by line."""

import re
from collections.abc import Iterator, Sequence

from markdown_it import MarkdownIt
from markdown_it.token import Token

_PARSER = MarkdownIt("commonmark", {"html": False}).disable("image")
# Only these signs begin markup inside a line; most lines have none and stay untouched.
_MARKUP = re.compile(r"[*_`\[\\&<]")
# What a line may begin with: a heading's signs go, a list's mark stays.
_HEADING = re.compile(r" {0,3}#{1,6} +(.*?)(?: +#+)?$")
_LISTED = re.compile(r"(?:\d{1,3}[.)]|[-*+•–]) +|\s+")


def write_plain(source: str) -> str:
    """Return the text without the signs of Markdown; an address stands behind its words."""
    return "\n".join(_plain_line(line) for line in source.split("\n"))


def _plain_line(line: str) -> str:
    heading = _HEADING.match(line)
    text = heading[1] if heading else line
    if not _MARKUP.search(text):
        return text
    mark = _LISTED.match(text)
    head = mark[0] if mark else ""
    [inline] = _PARSER.parseInline(text[len(head) :])
    return head + "".join(_words(inline.children or ()))


def _words(tokens: Sequence[Token]) -> Iterator[str]:
    """Yield the words of a line; a link's address follows unless its words say it already."""
    said: list[str] = []
    address = ""
    for token in tokens:
        if token.type == "link_open":
            said, address = [], str(token.attrGet("href") or "")
        elif token.type == "link_close":
            if address and address.removeprefix("mailto:") != "".join(said):
                yield f" ({address})"
        else:
            said.append(token.content)
            yield token.content
