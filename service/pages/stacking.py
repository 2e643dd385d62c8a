"""Tables that become lists on a phone: each cell carries the words of its column.

The style sheet shows rows as blocks on narrow screens and writes the words before each cell. Some
screen readers lose a table whose cells are shown as blocks, so every part says its role too.
"""

import re
from collections.abc import Iterator

from markupsafe import Markup

_TAG = re.compile(r"<(/?)(thead|tbody|tr|th|td)\b([^>]*)>")
_HEAD = re.compile(r"<thead\b.*?</thead>", re.DOTALL)
_HEADER = re.compile(r"<th\b[^>]*>(.*?)</th>", re.DOTALL)
_MARKUP = re.compile(r"(?:<[^>]*>|\s)+")
_NOTHING = re.compile(r"\s*–?\s*</td>")
_SPAN = re.compile(r'colspan="(\d+)"')
_ROLES = {"thead": "rowgroup", "tbody": "rowgroup", "tr": "row", "td": "cell"}


def make_stackable(rows: str) -> Markup:
    """Return the rows of a table with roles, and each cell with the header of its column.

    A cell that says nothing is marked, so that a list can leave it out. The rows are our own
    markup, without tables inside of cells.
    """
    head = _HEAD.search(rows)
    labels = [_words(cell) for cell in _HEADER.findall(head[0])] if head else []
    # Only what the template wrote and escaped already comes out again.
    return Markup("".join(_parts(rows, labels)))  # noqa: S704


def _words(cell: str) -> str:
    return _MARKUP.sub(" ", cell).strip()


def _parts(rows: str, labels: list[str]) -> Iterator[str]:
    position = column = 0
    for found in _TAG.finditer(rows):
        closes, tag, attributes = found.groups()
        yield rows[position : found.start()]
        position = found.end()
        if closes:
            yield found[0]
            continue
        if tag == "tr":
            column = 0
        yield f'<{tag}{attributes} role="{_role(tag, attributes)}"'
        if tag in {"th", "td"}:
            span = _SPAN.search(attributes)
            width = int(span[1]) if span else 1
            if tag == "td":
                yield _described(rows, position, labels[column : column + 1] if width == 1 else [])
            column += width
        yield ">"
    yield rows[position:]


def _described(rows: str, position: int, label: list[str]) -> str:
    if _NOTHING.match(rows, position):
        return " data-none"
    if not any(label):
        return ""
    return f' data-label="{label[0]}{"" if label[0].endswith("?") else ":"}"'


def _role(tag: str, attributes: str) -> str:
    if tag == "th":
        return "columnheader" if 'scope="col"' in attributes else "rowheader"
    return _ROLES[tag]
