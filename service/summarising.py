"""The office's summary of a session: who comes, who is silent, whom our letters do not reach.

It goes to each account that works with the session and wants it, by rules like every reminder. It
names people and partners, never addresses or telephones: those stand on the pages behind its link,
for whoever may see them.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from itertools import groupby
from operator import attrgetter, itemgetter
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from service import auditing, footing, occasions, phrasing, reminding
from service.auditing import Actor
from service.database import Database
from service.domain import replies
from service.domain.errors import NotFoundError
from service.domain.last_letters import NOT_ARRIVED
from service.domain.reminders import Kind
from service.domain.words import Answer
from service.occasions import Occasion
from service.pages import dates
from service.pages.catalogue import texts
from service.reminding import PlannedLetters
from service.tables import summary_statements as statements
from service.wording import Block, Words, facts, paragraph

KIND = Kind.SUMMARY.value
MOST_LINES = 60
"""Entries of one list; who has more of them reads on on the page."""

_NONE = "none"
_COMING = (Answer.IN_PERSON, Answer.ONLINE, Answer.REPRESENTED)
_LISTED = ("silent", "undecided", "unreached", "planned")
_BAD_ADDRESS = frozenset({"undeliverable", "blocked"})

Row = Mapping[str, Any]
# A heading with its entries, each a line.
Lists = Sequence[tuple[str, Sequence[str]]]


class Stage(StrEnum):
    """Where the answers stand: no deadline, still some days, or over."""

    NO_DEADLINE = "no_deadline"
    OPEN = "open"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Count:
    """How many people of how many partners gave an answer, or none."""

    answer: str
    people: int
    partners: int


@dataclass(frozen=True, slots=True)
class Shape:
    """What letters of one wording have in common; `lists` names the parts that have lines."""

    stage: Stage
    counts: tuple[Count, ...]
    lists: frozenset[str]

    @property
    def coming(self) -> int:
        """How many people will be there, or somebody for them."""
        return sum(one.people for one in self.counts if one.answer in _COMING)

    @property
    def silent(self) -> int:
        """How many people have not answered."""
        return sum(one.people for one in self.counts if one.answer == _NONE)


@dataclass(frozen=True, slots=True)
class Summary:
    """One moment's summary: its shape, and the names that fill its gaps."""

    shape: Shape
    values: Mapping[str, str]


async def read(database: Database, meeting_id: UUID, locale: str, now: datetime) -> Summary:
    """Return what the summary of a session says at this moment; raises `NotFoundError`."""
    meeting = await database.fetchrow(statements.MEETING, meeting_id)
    if meeting is None:
        raise NotFoundError
    rows = await database.fetch(statements.PEOPLE, meeting_id)
    zone = ZoneInfo(meeting["time_zone"])
    invited = [row for row in rows if row["state"] == "invited"]
    planned = await reminding.planned_letters(database, meeting_id)
    lists = {
        "silent": _by_partner((row for row in invited if _answer(row) == _NONE), locale),
        "undecided": _by_partner(
            (row for row in invited if _answer(row) == Answer.UNDECIDED), locale
        ),
        "unreached": _by_partner((row for row in rows if _unreached(row)), locale, _unreached),
        "planned": _by_moment(planned, locale, zone),
    }
    shape = Shape(
        stage=_stage(meeting["answer_by"], now),
        counts=tuple(_count(invited)),
        lists=frozenset(name for name, each in lists.items() if each),
    )
    return Summary(shape, {name: _write(each, locale) for name, each in lists.items() if each})


def phrase(occasion: Occasion, shape: Shape) -> Words:
    """Write the letter; names are gaps."""
    t, meeting = occasion.t, occasion.meeting
    base = f"/buero/termin/{meeting.id}"
    # Numbers first: a telephone cuts the end of a subject.
    subject = t(
        "letter.summary.subject",
        coming=t("letter.summary.coming", n=shape.coming),
        silent=t("letter.summary.silent", n=shape.silent),
        title=meeting.title,
        when=occasion.short_when,
    )
    links = [(t("letter.summary.open"), occasion.address(base))]
    if shape.silent:
        links.append((t("letter.summary.show_silent"), occasion.address(f"{base}?antwort=none")))
    return Words(
        subject=subject,
        title=t("letter.summary.title", title=meeting.title),
        locale=occasion.locale,
        blocks=[
            paragraph(t("letter.greeting")),
            paragraph(t(f"letter.summary.lead_{shape.stage}", deadline=_until(occasion))),
            phrasing.facts_of(occasion),
            Block("heading", t("letter.summary.answers")),
            facts(*_rows(occasion, shape)),
            *(block for name in _LISTED if name in shape.lists for block in _list(name, t)),
            Block("links", rows=links),
        ],
        footer=_footer(occasion),
    )


async def is_wanted(database: Database, account_id: UUID) -> bool:
    """Tell whether an account wants summaries."""
    return bool(await database.fetchval(statements.IS_WANTED, account_id))


async def switch(database: Database, actor: Actor, account_id: UUID, *, wanted: bool) -> None:
    """Say whether an account wants summaries; what waits to leave follows."""
    async with database.unit_of_work() as unit:
        if await unit.connection.fetchval(statements.SWITCH, account_id, wanted) is not None:
            await auditing.record(
                unit.connection, actor, "switched_summaries", "account", account_id, on=wanted
            )


def _stage(answer_by: datetime | None, now: datetime) -> Stage:
    if answer_by is None:
        return Stage.NO_DEADLINE
    return Stage.OVER if answer_by <= now else Stage.OPEN


def _until(occasion: Occasion) -> str:
    return occasions.until(occasion.now_facts, occasion.locale)


def _answer(row: Row) -> str:
    """Name what counts now; an answer that no longer holds is none."""
    return row["answer"] if row["holds"] else _NONE


def _count(invited: Sequence[Row]) -> Iterable[Count]:
    for answer in (*(one.value for one in Answer), _NONE):
        rows = [row for row in invited if _answer(row) == answer]
        partners = {row["partner_id"] for row in rows} - {None}
        yield Count(answer, len(rows), len(partners))


def _unreached(row: Row) -> str:
    """Say why no letter reaches somebody; "" for whom one does, as far as we know."""
    if row["has_no_address"]:
        return "no_address"
    if row["address_state"] in _BAD_ADDRESS:
        return "bad_address"
    if row["letter_state"] in NOT_ARRIVED:
        return "not_arrived"
    return "unclear" if row["letter_state"] == "uncertain" else ""


def _by_partner(
    rows: Iterable[Row], locale: str, why: Callable[[Row], str] = lambda _: ""
) -> Lists:
    """Return each partner with its people, and what is said of each; the rows come by partner."""
    t = texts(locale).t

    def line(row: Row) -> str:
        reason = why(row)
        return f"{row['name']}: {t(f'letter.summary.{reason}')}" if reason else str(row["name"])

    return [
        (partner or t("guests.no_partner"), [line(row) for row in people])
        for partner, people in groupby(rows, itemgetter("partner"))
    ]


def _by_moment(planned: Iterable[PlannedLetters], locale: str, zone: ZoneInfo) -> Lists:
    """Return each moment with what leaves then; the slots come by moment."""
    t = texts(locale).t
    leaving = (
        slot
        for slot in planned
        if slot.state == "planned" and slot.leaving and slot.kind is not Kind.SUMMARY
    )
    return [
        (
            dates.format_moment(at, locale, zone=zone),
            [
                t("letter.summary.planned_line", kind=t(f"kind.{slot.kind}"), n=slot.leaving)
                for slot in slots
            ],
        )
        for at, slots in groupby(leaving, attrgetter("due_at"))
    ]


def _write(lists: Lists, locale: str) -> str:
    """Write a heading a line, and each of its entries in a line of its own below."""
    room, parts = MOST_LINES, []
    for head, entries in lists:
        if room > 0:
            parts.append("\n".join([head, *(f"\u2013 {one}" for one in entries[:room])]))
        room -= len(entries)
    if room < 0:
        parts.append(texts(locale).t("letter.summary.more", n=-room))
    return "\n\n".join(parts)


def _rows(occasion: Occasion, shape: Shape) -> Iterable[tuple[str, str]]:
    """Write a row for each answer that the session offers or somebody gave, and for none."""
    offered = {*replies.offered_answers(occasion.now_facts.mode), _NONE}
    for one in shape.counts:
        if one.people or one.answer in offered:
            value = occasion.t("guests.persons", n=one.people)
            if one.partners:
                value += f" {occasion.t('guests.partners', n=one.partners)}"
            yield occasion.t(f"answer.{one.answer}"), value


def _list(name: str, t: Any) -> list[Block]:
    return [Block("heading", t(f"letter.summary.list_{name}")), Block("value", f"⟦{name}⟧")]


def _footer(occasion: Occasion) -> list[Block]:
    t = occasion.t
    own = [(t("letter.summary.stop"), occasion.address("/buero/zugang"))]
    return [
        paragraph(t("letter.summary.why", groups=occasion.group_names)),
        *footing.office_blocks(occasion.instance, t),
        footing.pages(t, occasion.address, own),
    ]
