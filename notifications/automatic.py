"""Automatic answers (RFC 3834), German and English: that they are some, of which kind, until when.

What they say is read and forgotten: it may name an illness.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from email.message import Message
from enum import StrEnum
from typing import Any

# Programs write these. People, too, tell us of their holidays, and their words are to be read.
_SUBJECTS = re.compile(
    r"^\s*[\[(]?(?:automatische[rs]? ?antwort|"
    r"automatisch(?:e|er)? (?:antwort|rückmeldung|nachricht)|"
    r"abwesenheits(?:notiz|benachrichtigung|meldung|assistent)|"
    r"eingangsbestätigung|empfangsbestätigung|"
    r"auto(?:matic|mated)?[ -]?(?:reply|response|answer)|autoreply|"
    r"out[ -]of[ -](?:the[ -])?office(?! (?:on|from|until|till|in|this|next|today|tomorrow)\b)|"
    r"vacation (?:reply|response|message|notice)|away from my mail)",
    re.IGNORECASE,
)
_PRECEDENCE = frozenset({"auto_reply", "auto-reply", "junk"})
_OWN_HEADERS = ("X-Autoreply", "X-Autorespond", "X-AutoReply-From", "X-Mail-Autoreply")
# What programs send to many says so, and so does what people write by way of a list.
_BY_LIST = frozenset({"bulk", "list"})
_MOVED = re.compile(
    r"nicht mehr (?:für|bei|im|in|am|unter|tätig|erreichbar)|ausgeschieden|in den ruhestand|"
    r"neue (?:e-?mail-?)?adresse|no longer (?:with|work|employed|at|in use)|has left|have left|"
    r"new (?:e-?mail )?address|retired",
    re.IGNORECASE,
)
_RECEIVED = re.compile(
    r"eingangsbestätigung|empfangsbestätigung|ist (?:bei uns )?eingegangen|ticket|"
    r"have received your|received your (?:e-?mail|message|request)",
    re.IGNORECASE,
)
_AWAY = re.compile(
    r"abwesen|urlaub|nicht im (?:büro|haus|dienst)|nicht am arbeitsplatz|nicht erreichbar|"
    r"out of (?:the )?office|vacation|on (?:annual |parental )?leave|i am away|holiday",
    re.IGNORECASE,
)
_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "januar jänner january jan",
            "februar february feb",
            "märz maerz march mar mär",
            "april apr",
            "mai may",
            "juni june jun",
            "juli july jul",
            "august aug",
            "september sept sep",
            "oktober october okt oct",
            "november nov",
            "dezember december dez dec",
        ),
        start=1,
    )
    for name in names.split()
}
_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
_WEEKDAY = r"(?:[a-zäöü]{2,10}(?:tag|woch|day)?\.?,?\s+)?"
_DATE = (
    rf"{_WEEKDAY}(?:den\s+|dem\s+|the\s+)?(?:"
    r"(?P<iso>\d{4}-\d{2}-\d{2})|"
    r"(?P<day>\d{1,2})\.\s?(?P<month>\d{1,2})\.\s?(?P<year>\d{4}|\d{2}(?!\d))?|"
    rf"(?P<day2>\d{{1,2}})(?:\.|st|nd|rd|th)?\s*(?:of\s+)?(?P<name2>{_MONTH})\b\.?,?\s*"
    r"(?P<year2>\d{4})?|"
    rf"(?P<name3>{_MONTH})\.?\s+(?P<day3>\d{{1,2}})(?:st|nd|rd|th)?,?\s*(?P<year3>\d{{4}})?)"
)
_BACK = re.compile(
    rf"(?:\bab\s+|\bwieder\s+(?:am|ab|im\s+\w+\s+ab)\s+|\bam\s+(?={_DATE}.{{0,30}}\b(?:wieder|zurück))|"
    rf"\bzurück\s+(?:am|ab)\s+|\b(?:back|return|returning|available)\b.{{0,30}}?\bon\s+)"
    .replace("?P<", "?P<_ahead_") + _DATE,
    re.IGNORECASE,
)  # fmt: skip
_UNTIL = re.compile(
    r"\b(?:bis|until|till|through|to)\s+(?:einschließlich\s+|einschl\.\s+|including\s+)?"
    rf"(?:zum\s+|am\s+)?{_DATE}",
    re.IGNORECASE,
)
_LONGEST = timedelta(days=730)
_TEXT_READ = 20_000


class Sort(StrEnum):
    """What an automatic answer is about."""

    AWAY = "away"
    MOVED = "moved"
    RECEIVED = "received"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Notice:
    """All that is kept of an automatic answer; `back_on` is the first day on which people are back.

    None where no date was found.
    """

    sort: Sort
    back_on: date | None = None


def is_automatic(headers: "Message[Any, Any]", subject: str, *, is_asked: bool) -> bool:
    """Tell whether a mail says that no person wrote it (RFC 3834 section 2).

    `is_asked` marks a mail that answers to ours: then the signs of a list do not count.
    X-Auto-Response-Suppress is no sign: Exchange puts it into the mail of people.
    """
    submitted = str(headers.get("Auto-Submitted", "")).partition(";")[0].strip().lower()
    precedence = str(headers.get("Precedence", "")).strip().lower()
    has_list = headers.get("List-Id") is not None
    return (
        submitted not in {"", "no"}
        or precedence in _PRECEDENCE
        or any(headers.get(name) is not None for name in _OWN_HEADERS)
        or is_named_so(subject)
        or (precedence == "bulk" and not has_list)
        or (not is_asked and (has_list or precedence in _BY_LIST))
    )


def is_named_so(subject: str) -> bool:
    """Tell whether a subject is that of an automatic answer."""
    return _SUBJECTS.match(subject) is not None


def read(subject: str, text: str, today: date) -> Notice:
    """Return what to keep; a date without a year is the next such day from `today` on."""
    words = " ".join(f"{subject} {text[:_TEXT_READ]}".split())
    return Notice(_sort(words), _back_on(words, today))


def _sort(words: str) -> Sort:
    # Somebody who left says so beside the usual words of absence, and that is what counts.
    for sort, rule in ((Sort.MOVED, _MOVED), (Sort.AWAY, _AWAY), (Sort.RECEIVED, _RECEIVED)):
        if rule.search(words):
            return sort
    return Sort.OTHER


def _back_on(words: str, today: date) -> date | None:
    back = [day for day in _days(_BACK, words, today) if day >= today]
    if back:
        return min(back)
    last = [day for day in _days(_UNTIL, words, today) if day >= today]
    return max(last) + timedelta(days=1) if last else None


def _days(rule: "re.Pattern[str]", words: str, today: date) -> Iterator[date]:
    for found in rule.finditer(words):
        day = _day(found.groupdict(), today)
        if day is not None and day - today <= _LONGEST:
            yield day


def _day(part: dict[str, str | None], today: date) -> date | None:
    try:
        if part["iso"]:
            return date.fromisoformat(part["iso"])
        number = int(part["day"] or part["day2"] or part["day3"] or 0)
        name = (part["name2"] or part["name3"] or "").lower()
        month = _MONTHS[name] if name else int(part["month"] or 0)
        year = part["year"] or part["year2"] or part["year3"]
        if year:
            return date(int(year) if len(year) > 2 else 2000 + int(year), month, number)  # noqa: PLR2004 - a year of two digits
        day = date(today.year, month, number)
        # Around the turn of the year the next one is meant; a day just gone is not.
        return day.replace(year=today.year + 1) if today - day > _LONGEST / 4 else day
    except ValueError:
        return None
