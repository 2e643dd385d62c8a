"""Write the people of a session, or letters with their states, as a table for spreadsheets."""

import csv
import io
from collections.abc import Callable, Sequence

from service.overseeing import InvitedPerson
from service.pages import dates
from service.pages.catalogue import texts
from service.posting import BOUNCED, PostedLetter

# A spreadsheet takes cells that begin so for formulas and runs them; some programs do with the wide
# forms of these signs, too, and some do not see quotes, blanks and byte order marks before them.
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_UNSEEN = "\"' \u00a0\ufeff"
# Spreadsheet programs know UTF-8 by this mark only.
_MARK = "\ufeff"
_COLUMNS = ("partner", "name", "role", "answer", "former", "deputy", "when", "way")
_LETTER_COLUMNS = (
    *("at", "kind", "session", "person", "address", "state", "reason", "report", "tried"),
    *("attempts", "server_said"),
)
_PRIVATE = ("note", "needs", "meal", "email", "phone")


def write_table(people: Sequence[InvitedPerson], locale: str, *, is_private: bool) -> bytes:
    """Return the rows as CSV (RFC 4180) with semicolons, which German spreadsheets expect."""
    names = (*_COLUMNS, *(_PRIVATE if is_private else ()))
    t = texts(locale).t
    found = [_cells(person, locale) for person in people]
    rows = [[cells[name] for name in names] for cells in found]
    return _write([[t(f"table.{name}") for name in names], *rows])


def write_letters(
    letters: Sequence[PostedLetter], locale: str, reason: Callable[[str], str]
) -> bytes:
    """Return letters with their states as CSV, as `write_table` does for people."""
    t = texts(locale).t
    rows = [[t(f"log.{name}") for name in _LETTER_COLUMNS]]
    rows += [_letter_cells(letter, locale, reason) for letter in letters]
    return _write(rows)


def _letter_cells(letter: PostedLetter, locale: str, reason: Callable[[str], str]) -> list[str]:
    t = texts(locale).t
    state = "log.state_bounced" if letter.reason == BOUNCED else f"mail.state.{letter.state}"
    tried = letter.tried_at or letter.accepted_at
    return [
        dates.format_moment(letter.created_at, locale),
        t(f"kind.{letter.kind}"),
        letter.meeting_title or "",
        letter.name or t("log.office"),
        letter.address,
        t(state),
        reason(letter.reason) if letter.reason else "",
        t(f"dsn.{letter.report}"),
        dates.format_moment(tried, locale) if tried else "",
        str(letter.attempts),
        " ".join(filter(None, (str(letter.last_code or ""), letter.last_text))),
    ]


def _write(rows: Sequence[Sequence[str]]) -> bytes:
    written = io.StringIO()
    writer = csv.writer(written, delimiter=";", lineterminator="\r\n")
    writer.writerows([escape(cell) for cell in row] for row in rows)
    return (_MARK + written.getvalue()).encode()


def escape(cell: str) -> str:
    """Put an apostrophe before what a spreadsheet would run."""
    return f"'{cell}" if cell.lstrip(_UNSEEN).startswith(_FORMULA) else cell


def _way(person: InvitedPerson, locale: str) -> str:
    t = texts(locale).t
    way = t(f"way.{person.answer_way}") if person.answer_way else ""
    return f"{way} ({t('guests.automatic')})" if person.looks_automatic else way


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
        "way": _way(person, locale),
        "note": person.note,
        "needs": person.access_needs,
        "meal": person.meal,
        "email": person.email,
        "phone": person.phone,
    }
