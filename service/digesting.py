"""The weekly letter: who gets one, once a week, and what stands in it for each person.

What a letter is about is fixed when it is queued; its words are those of the moment it leaves, and
a second attempt repeats them byte by byte.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from string import ascii_lowercase
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from asyncpg import Connection

from notifications import outbox
from service import obstacles
from service.database import Database
from service.domain import digests
from service.domain.words import Mode, State
from service.domain.working_days import IsHoliday
from service.listing_links import Root
from service.obstacles import Region
from service.occasions import is_over, read_precision
from service.pages import dates
from service.pages.catalogue import texts
from service.tables import digest_statements
from service.tokens import Purpose

KIND = "digest"
EXPANSION_SECONDS = 60
Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Shape:
    """What letters of one wording have in common: the day, and which parts they have."""

    day: date
    asks: int
    has_coming: bool
    has_changes: bool


@dataclass(frozen=True, slots=True)
class Digest:
    """One person's weekly letter: its shape, its words, and of what the links are it asks with."""

    shape: Shape
    values: Mapping[str, str]
    roots: Mapping[str, Root]


async def queue_due(database: Database, now: datetime) -> int:
    """Queue this week's letters when they are due, once a person; return how many are new.

    Whoever has nothing coming, nothing changed and nothing to answer gets none. Quiet hours are
    waited for. Of a week that was due before a restore nobody knows who had theirs: it is over.
    """
    place = await database.fetchrow(digest_statements.PLACE)
    if place is None or not digests.is_time(now, place["zone"], _is_holiday(place)):
        return 0
    if place["restored_at"] is not None and _due_at(place, now) <= place["restored_at"]:
        return 0
    async with database.unit_of_work(statement_seconds=EXPANSION_SECONDS) as unit:
        return await _post(unit.connection, place, now)


async def post_missed(connection: "Connection[Any]", now: datetime) -> int:
    """Post this week's letters within a transaction, at any hour, while they are news."""
    place = await connection.fetchrow(digest_statements.PLACE)
    is_news = _due_at(place, now) <= now < _due_at(place, now) + digests.LIFE
    return await _post(connection, place, now) if is_news else 0


def _due_at(place: Row, now: datetime) -> datetime:
    return digests.due_at(digests.due_on(now, place["zone"], _is_holiday(place)), place["zone"])


def _is_holiday(place: Row) -> IsHoliday:
    return obstacles.is_holiday(Region(place["holiday_country"], place["holiday_subdivision"]))


async def _post(connection: "Connection[Any]", place: Row, now: datetime) -> int:
    day = digests.due_on(now, place["zone"], _is_holiday(place))
    due_at = _due_at(place, now)
    return await outbox.post_selected(
        connection,
        digest_statements.EXPAND,
        *(digests.week_of(day), now, due_at, due_at + digests.LIFE, now + digests.AHEAD),
        *(digests.MOST_OPEN, day.isoformat()),
    )


async def read(database: Database, cause: Mapping[str, Any], locale: str, now: datetime) -> Digest:
    """Return what a queued letter says now; sessions that are gone since are left out."""
    ids = {*cause["open"], *cause["coming"], *(one for one, _ in cause["changes"])}
    rows = await database.fetch(digest_statements.ROWS, [UUID(one) for one in ids])
    known = {str(row["id"]): row for row in rows}
    asked = [known[one] for one in cause["open"] if one in known]
    coming = [_coming(known[one], locale) for one in cause["coming"] if one in known]
    changes = [_change(known[one], kind, locale) for one, kind in cause["changes"] if one in known]
    questions = [_question(row, locale, now) for row in asked]
    values = {
        "coming": "\n\n".join(coming),
        "changes": "\n".join(changes),
        **dict(zip(slots(len(asked)), questions, strict=True)),
    }
    links = [Root(Purpose.ANSWER, row["handle"], row["epoch"]) for row in asked]
    roots = dict(zip(slots(len(asked)), links, strict=True))
    day = date.fromisoformat(cause["day"])
    return Digest(Shape(day, len(asked), bool(coming), bool(changes)), values, roots)


def slots(count: int) -> list[str]:
    """Name the gaps for so many open answers: open_a, open_b and so on."""
    return [f"open_{letter}" for letter in ascii_lowercase[:count]]


def _coming(row: Row, locale: str) -> str:
    t = texts(locale).t
    place = ", ".join(part for part in (row["place_name"], row["town"]) if part)
    where = t("letter.online") if row["mode"] == Mode.ONLINE else place
    said = row["answer"] if row["holds"] and row["answer"] else "none"
    own = t("letter.digest.answer", answer=t(f"answer.{said}"))
    note = t("state.tentative") if row["state"] == State.TENTATIVE else own
    return f"{row['title']}\n{_when(row, locale)}{where and ', '}{where} ({note})"


def _change(row: Row, kind: str, locale: str) -> str:
    t = texts(locale).t
    # What was told on Tuesday may be past on Friday: the letter says what holds now.
    word = kind if row["state"] in _STILL.get(kind, ()) else f"now_{row['state']}"
    return f"{t(f'letter.digest.{word}')}: {row['title']}, {_when(row, locale)}"


def _question(row: Row, locale: str, now: datetime) -> str:
    question = f"{row['title']}\n{_when(row, locale)}"
    if row["answer_by"] is None:
        return question
    until = dates.format_short_date(row["answer_by"], locale, zone=ZoneInfo(row["time_zone"]))
    key = "letter.digest.was" if is_over(row["answer_by"], now) else "letter.digest.by"
    return f"{question} ({texts(locale).t(key, deadline=until)})"


def _when(row: Row, locale: str) -> str:
    starts, zone = row["starts_local"], ZoneInfo(row["time_zone"])
    if starts is None or row["state"] == State.POSTPONED:
        return texts(locale).t("letter.no_date")
    precision = read_precision(row["date_precision"])
    return dates.format_short_when(
        starts.replace(tzinfo=zone), locale, precision=precision, zone=zone
    )


_STILL: Mapping[str, frozenset[str]] = {
    "confirmed": frozenset({State.CONFIRMED}),
    "change": frozenset({State.CONFIRMED, State.TENTATIVE}),
    "postponed": frozenset({State.POSTPONED}),
    "cancellation": frozenset({State.CANCELLED}),
    "uncancellation": frozenset({State.CONFIRMED, State.TENTATIVE, State.POSTPONED}),
    "new": frozenset({State.TENTATIVE}),
    "slid": frozenset({State.TENTATIVE}),
}
