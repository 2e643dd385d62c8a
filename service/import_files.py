"""Read lists as coordinators have them: any of the usual encodings and separators, within limits.

A cell that looks like a formula is data like any other; whatever is written out as CSV escapes it.
"""

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from service.domain.errors import FieldsError
from service.domain.texts import clean_line

SOURCE = "source"
"""The form field that is told what is wrong with a file as a whole."""

MOST_BYTES = 2_000_000
MOST_ROWS = 5_000
MOST_COLUMNS = 200
MOST_CHARACTERS = 1_000

_SEPARATORS = (";", ",", "\t")
_BYTE_ORDER_MARKS = (
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
# Excel writes this line first when asked to; it shows nothing of it, so rows count from after it.
_SEPARATOR_LINE = re.compile(r"sep=([;,\t])\r?\n", re.IGNORECASE)
_NOT_IN_WORD = re.compile(r"[\W_]+")

# Header words in German and English, without case, blanks and hyphens.
_MEMBER_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "ref": "nr nummer id lfdnr mitgliedsnr mitgliedsnummer no number ref memberid personid",
        "partner": "partner institution organisation organization einrichtung firma company "
        "behörde dienststelle partnerorganisation",
        "name": "name vollständigername fullname person ansprechpartner",
        "last_first": "namevorname nachnamevorname familiennamevorname lastnamefirstname",
        "first": "vorname firstname givenname vornamen",
        "last": "nachname familienname lastname surname familyname zuname",
        "role_title": "funktion function rolle position role referat abteilung department",
        "email": "email mail emailadresse mailadresse emailaddress mailaddress",
        "phone": "telefon telefonnummer tel phone telephone phonenumber telnr rufnummer",
        "locale": "sprache language lang",
        "groups": "gruppen gruppe ag ags arbeitsgruppe arbeitsgruppen groups group workinggroup "
        "workinggroups",
    }
)
_PARTNER_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "ref": "nr nummer id lfdnr partnernr partnernummer no number ref partnerid",
        "name": "partner institution organisation organization einrichtung firma company name "
        "behörde dienststelle partnerorganisation",
        "short_name": "kurzname kürzel abkürzung shortname short abbreviation",
        "kind": "art typ kind type kategorie category",
        "town": "ort stadt town city place sitz",
        "phone": _MEMBER_WORDS["phone"],
        "website": "website webseite internet homepage web url",
    }
)
COLUMNS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"members": tuple(_MEMBER_WORDS), "partners": tuple(_PARTNER_WORDS)}
)
_WORDS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        kind: {word: column for column, text in words.items() for word in text.split()}
        for kind, words in (("members", _MEMBER_WORDS), ("partners", _PARTNER_WORDS))
    }
)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a list: its number as a spreadsheet shows it, the header being line 1."""

    number: int
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """A list as it was read: header and rows, cleaned, empty lines left out."""

    header: tuple[str, ...]
    rows: tuple[Row, ...]


def decode(content: bytes) -> str:
    """Return the text of a file: UTF-8, UTF-16 with a byte order mark, or else Windows-1252."""
    if len(content) > MOST_BYTES:
        raise _refuse("imp.err_size", n=MOST_BYTES // 1_000_000)
    named = [name for mark, name in _BYTE_ORDER_MARKS if content.startswith(mark)]
    for encoding in named or ("utf-8", "cp1252"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise _refuse("imp.err_encoding")


def read_table(text: str) -> Table:
    """Read the list; its header line decides about the separator. Raises `FieldsError`."""
    found = _SEPARATOR_LINE.match(text)
    separator = found[1] if found else find_separator(text)
    records = _read_records(text[found.end() :] if found else text, separator)
    if not records:
        raise _refuse("imp.err_empty")
    header, *rows = records
    if len(rows) > MOST_ROWS:
        raise _refuse("imp.err_rows", n=MOST_ROWS)
    return Table(header.cells, tuple(rows))


def find_separator(text: str) -> str:
    """Return what separates the cells of the header line, whatever stands in quotes."""
    line = _first_line(text)
    return max(_SEPARATORS, key=line.count)


def guess_columns(kind: str, header: Sequence[str]) -> tuple[str, ...]:
    """Return what each column is by its header word, "" where no word is known.

    A word that stands twice counts once. "Name" beside "Vorname" is the family name.
    """
    words = _WORDS[kind]
    guessed: list[str] = []
    for title in header:
        column = words.get(_NOT_IN_WORD.sub("", title.casefold()), "")
        guessed.append("" if column in guessed else column)
    if "first" in guessed and "last" not in guessed:
        guessed = ["last" if column == "name" else column for column in guessed]
    return tuple(guessed)


def check_columns(kind: str, columns: Sequence[str]) -> None:
    """Raise `FieldsError` when a column that a list must have is missing, or one is named twice."""
    named = [column for column in columns if column]
    if len(set(named)) < len(named):
        raise _refuse("imp.err_twice")
    if not {"name", "last", "last_first"} & set(named):
        raise _refuse("imp.err_col_name" if kind == "members" else "imp.err_col_partner")
    if kind == "members" and "email" not in named:
        raise _refuse("imp.err_col")


def _refuse(text: str, **values: object) -> FieldsError:
    return FieldsError({SOURCE: (text, values)})


def _first_line(text: str) -> str:
    """Return the header without what stands in quotes, where line ends do not count either."""
    kept: list[str] = []
    quoted = False
    for sign in text[: MOST_COLUMNS * MOST_CHARACTERS]:
        if sign == '"':
            quoted = not quoted
        elif not quoted and sign in "\r\n":
            if "".join(kept).strip():
                break
        elif not quoted:
            kept.append(sign)
    return "".join(kept)


def _read_records(text: str, separator: str) -> list[Row]:
    """Read everything that is not empty; a record's number counts the empty ones too."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    records: list[Row] = []
    try:
        for number, cells in enumerate(reader, start=1):
            row = _clean_row(number, cells)
            if row is not None:
                records.append(row)
            # One more than allowed is enough to know, however long the file is.
            if len(records) > MOST_ROWS + 1:
                break
    except csv.Error:
        raise _refuse("imp.err_quote", n=reader.line_num) from None
    return records


def _clean_row(number: int, cells: list[str]) -> Row | None:
    if len(cells) > MOST_COLUMNS:
        raise _refuse("imp.err_columns", n=number, most=MOST_COLUMNS)
    if any(len(cell) > MOST_CHARACTERS for cell in cells):
        raise _refuse("imp.err_long", n=number, most=MOST_CHARACTERS)
    cleaned = tuple(clean_line(cell) for cell in cells)
    return Row(number, cleaned) if any(cleaned) else None
