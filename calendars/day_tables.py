"""Lists of days on which nobody meets, as spreadsheets write them: bytes to spans of days.

Columns are first day, last day and name; a header in German or English may name them in any order.
"""

import csv
import io
import re
from collections.abc import Iterator, Mapping
from datetime import date
from itertools import islice
from types import MappingProxyType

from calendars import texts
from calendars.obstacles import (
    LONGEST_DAYS,
    MOST_BYTES,
    MOST_SPANS,
    NAME_LIMIT,
    DayList,
    Refusal,
    Span,
    is_in_range,
)

_WORDS: Mapping[str, str] = MappingProxyType(
    {
        word: column
        for column, words in {
            "first": "datum tag von beginn start ab date day from begin startdate erstertag",
            "last": "bis ende end to until enddate letztertag",
            "name": "name titel anlass bezeichnung title reason summary betreff was",
        }.items()
        for word in words.split()
    }
)
_USUAL = ("first", "last", "name")
_NO_LETTER = re.compile(r"[\W_]+")
_GERMAN = re.compile(r"([0-9]{1,2})\.([0-9]{1,2})\.([0-9]{4})")
_ISO = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_MOST_CELLS = 8


def read_table(raw: bytes) -> DayList:
    """Return the days of a CSV file with semicolons, commas or tabs, in UTF-8, UTF-16 or CP1252."""
    if len(raw) > MOST_BYTES:
        return DayList(refusal=Refusal.TOO_LARGE)
    try:
        rows = list(islice(_rows(_decoded(raw)), MOST_SPANS + 2))
    except csv.Error:
        return DayList(refusal=Refusal.UNREADABLE)
    columns = _columns(rows[0]) if rows else {}
    found = [_span(row, columns or dict(zip(_USUAL, range(3), strict=True))) for row in rows]
    if columns:
        found = found[1:]
    spans = sorted({span for span in found if span is not None})
    return DayList(
        spans=tuple(spans[:MOST_SPANS]),
        refusal=None if spans else Refusal.EMPTY,
        left_out=found.count(None),
        is_cut=len(rows) > MOST_SPANS + 1,
    )


def _decoded(raw: bytes) -> str:
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return raw.decode("utf-16", "replace")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("cp1252", "replace")


def _rows(text: str) -> Iterator[list[str]]:
    begin = text[:1000]
    separator = max(";,\t", key=begin.count)
    lines = io.StringIO(text.replace("\x00", ""), newline="")
    for row in csv.reader(lines, delimiter=separator):
        cells = [texts.one_line(cell) for cell in row[:_MOST_CELLS]]
        if any(cells):
            yield cells


def _columns(header: list[str]) -> dict[str, int]:
    """Return where each column stands, empty where the first line is no header."""
    words = [_WORDS.get(_NO_LETTER.sub("", cell.casefold())) for cell in header]
    found = {word: place for place, word in reversed(list(enumerate(words))) if word is not None}
    return found if "first" in found else {}


def _span(row: list[str], columns: Mapping[str, int]) -> Span | None:
    def cell(name: str) -> str:
        place = columns.get(name, len(row))
        return row[place] if place < len(row) else ""

    first_on, last = _day(cell("first")), cell("last")
    last_on = _day(last)
    name = cell("name")
    if last and last_on is None and not name:
        # Two columns, without a header: day and name.
        last, name = "", last
    last_on = last_on or (first_on if not last else None)
    if first_on is None or last_on is None or not 0 <= (last_on - first_on).days < LONGEST_DAYS:
        return None
    return Span(first_on, last_on, texts.clip(name, NAME_LIMIT))


def _day(text: str) -> date | None:
    try:
        if found := _ISO.fullmatch(text):
            year, month, day = map(int, found.groups())
        elif found := _GERMAN.fullmatch(text):
            day, month, year = map(int, found.groups())
        else:
            return None
        read = date(year, month, day)
    except ValueError:
        return None
    return read if is_in_range(read) else None
