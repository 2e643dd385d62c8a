"""Write the people of a session as a table for spreadsheets."""

import csv
import io
from collections.abc import Sequence

from service.overseeing import InvitedPerson
from service.pages import dates
from service.pages.catalogue import texts

# A spreadsheet takes cells that begin so for formulas and runs them.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
# Spreadsheet programs know UTF-8 by this mark only.
_MARK = "\ufeff"
_COLUMNS = ("partner", "name", "role", "answer", "former", "deputy", "when", "way")
_PRIVATE = ("note", "needs", "meal", "email", "phone")


def write_table(people: Sequence[InvitedPerson], locale: str, *, is_private: bool) -> bytes:
    """Return the rows as CSV (RFC 4180) with semicolons, which German spreadsheets expect."""
    names = (*_COLUMNS, *(_PRIVATE if is_private else ()))
    t = texts(locale).t
    written = io.StringIO()
    writer = csv.writer(written, delimiter=";", lineterminator="\r\n")
    writer.writerow([t(f"table.{name}") for name in names])
    for person in people:
        cells = _cells(person, locale)
        writer.writerow([escape(cells[name]) for name in names])
    return (_MARK + written.getvalue()).encode()


def escape(cell: str) -> str:
    """Put an apostrophe before what a spreadsheet would run."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell


def _cells(person: InvitedPerson, locale: str) -> dict[str, str]:
    t = texts(locale).t
    former = person.former_answer
    return {
        "partner": person.partner,
        "name": person.full_name,
        "role": person.role_title,
        "answer": t(f"answer.{person.bucket}")
        if person.state == "invited"
        else t(f"invited.{person.state}"),
        "former": t(f"answer.{former}") if former else "",
        "deputy": person.deputy_name,
        "when": dates.format_moment(person.answered_at, locale) if person.answered_at else "",
        "way": t(f"way.{person.answer_way}") if person.answer_way else "",
        "note": person.note,
        "needs": person.access_needs,
        "meal": person.meal,
        "email": person.email,
        "phone": person.phone,
    }
