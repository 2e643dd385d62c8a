"""What clients were told, and whether it still stands at the end.

Clients write down what they asked for and what they heard, readers what each calendar said. Read
beside the database's own rows this decides four of the promises:

I1 what was acknowledged stands, or a later word of the same person stands in its place
I5 the UID and the page of an entry never change, its SEQUENCE never falls, no entry vanishes
I6 no more seats are taken than there are, and as many as the invitations say
I7 numbers are for life, distinct and without holes
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import pairwise
from typing import Any
from uuid import UUID

from service.database import Database

SEATED = frozenset({"in_person", "represented"})
CANCELLED = "CANCELLED"

_ANSWERS = """
SELECT i.id, i.meeting_id, i.answer, i.note, i.has_seat, coalesce((
    SELECT array_agg(a.note || ':' || a.answer ORDER BY a.answer_rev) FROM answer a
    WHERE a.invitation_id = i.id), '{}') AS said, (
    SELECT count(*) FROM letter l WHERE l.dedupe_key LIKE 'rcp:' || i.id || ':%') AS receipts
FROM invitation i JOIN meeting_group g ON g.meeting_id = i.meeting_id
WHERE g.group_id = ANY ($1)
"""
_MEETINGS = """
SELECT m.id, m.uid::text AS uid, m.slug, m.state, m.sequence, m.capacity, s.taken,
    m.starts_local::date::text AS day, g.group_id, g.number, w.next_number
FROM meeting m JOIN meeting_group g ON g.meeting_id = m.id
JOIN working_group w ON w.id = g.group_id LEFT JOIN meeting_seats s ON s.meeting_id = m.id
WHERE g.group_id = ANY ($1) ORDER BY m.id
"""
_EVENT = re.compile(r"^BEGIN:VEVENT$(.*?)^END:VEVENT$", re.MULTILINE | re.DOTALL)
_LINE = re.compile(r"^([A-Z-]+)[^:\n]*:(.*)$", re.MULTILINE)
_NUMBER = re.compile(r"(\d+)\. ")


class Heard(StrEnum):
    """What came of a request, as far as its sender knows."""

    YES = "acknowledged"
    NO = "refused"
    NOTHING = "unclear"


@dataclass
class Reply:
    """One answer by link; the note is its own, so that it is known again."""

    invitation_id: UUID
    answer: str
    note: str
    heard: Heard = Heard.NOTHING


@dataclass
class Press:
    """One press of the office: publish, move or cancel; what the page said about it then."""

    act: str
    meeting_id: UUID
    day: str = ""
    heard: Heard = Heard.NOTHING
    number: int | None = None


@dataclass(frozen=True)
class Entry:
    """One session as a calendar shows it."""

    uid: str
    page: str
    sequence: int
    status: str
    starts: str
    number: int | None


@dataclass(frozen=True)
class Fetch:
    """What one process said that a calendar holds; the last one after everything was healed."""

    place: str
    feed: str
    entries: tuple[Entry, ...]
    is_last: bool = False


@dataclass
class Ledger:
    """All that clients did and heard, in the order of time; groups with their first number."""

    first_numbers: dict[UUID, int] = field(default_factory=dict)
    replies: list[Reply] = field(default_factory=list)
    presses: list[Press] = field(default_factory=list)
    fetches: list[Fetch] = field(default_factory=list)

    def count(self, heard: Heard) -> tuple[int, int]:
        """Return how many answers and presses heard that."""
        answers = sum(each.heard is heard for each in self.replies)
        return answers, sum(each.heard is heard for each in self.presses)


@dataclass(frozen=True)
class Dump:
    """The rows of the sessions that clients wrote to, as they stand at the end."""

    invitations: Sequence[Mapping[str, Any]] = ()
    meetings: Sequence[Mapping[str, Any]] = ()


async def dump(database: Database, ledger: Ledger) -> Dump:
    """Read what stands of all that the ledger speaks about."""
    groups = list(ledger.first_numbers)
    return Dump(await database.fetch(_ANSWERS, groups), await database.fetch(_MEETINGS, groups))


def read_entries(text: str) -> tuple[Entry, ...]:
    """Read the sessions of a calendar; days without a time are deadlines and none of them."""
    unfolded = text.replace("\r\n", "\n").replace("\n ", "")
    found = (dict(_LINE.findall(event)) for event in _EVENT.findall(unfolded))
    return tuple(_entry(lines) for lines in found if "T" in lines["DTSTART"])


def _entry(lines: Mapping[str, str]) -> Entry:
    number = _NUMBER.search(lines.get("SUMMARY", ""))
    return Entry(
        uid=lines["UID"],
        page=lines.get("URL", "").rpartition("/")[2],
        sequence=int(lines.get("SEQUENCE", "0")),
        status=lines.get("STATUS", ""),
        starts=lines["DTSTART"],
        number=int(number[1]) if number else None,
    )


def violations(told: Ledger, stands: Dump) -> list[str]:
    """Return a sentence for everything that must not be."""
    return [
        *_lost_answers(told, stands),
        *_lost_presses(told, stands),
        *_wrong_fetches(told, stands),
        *_wrong_seats(stands),
        *_wrong_numbers(told, stands),
    ]


def is_fresh(fetch: Fetch, stands: Dump) -> bool:
    """Tell whether a calendar says what the rows say."""
    return not any(_wrong_end(fetch, stands))


def lost_answers(told: Ledger, stands: Dump) -> int:
    """Count the answers that were acknowledged and are not there."""
    return sum(" is lost" in each for each in _lost_answers(told, stands))


def _lost_answers(told: Ledger, stands: Dump) -> Iterator[str]:
    by_invitation: dict[UUID, list[Reply]] = defaultdict(list)
    for reply in told.replies:
        by_invitation[reply.invitation_id].append(reply)
    rows = {row["id"]: row for row in stands.invitations}
    for invitation_id, replies in by_invitation.items():
        if invitation_id in rows:
            yield from _wrong_answers(replies, rows[invitation_id])
        else:
            yield f"I1 invitation {invitation_id} is lost"


def _wrong_answers(replies: Sequence[Reply], row: Mapping[str, Any]) -> Iterator[str]:
    said = list(row["said"])
    place = {f"{each.note}:{each.answer}": each for each in replies}
    firm = [name for name, each in place.items() if each.heard is Heard.YES]
    yield from (f"I1 answer {name} is lost" for name in firm if name not in said)
    kept = [said.index(name) for name in firm if name in said]
    if kept != sorted(kept):
        yield f"I1 answers of {row['id']} stand in another order"
    if len(said) != len(set(said)):
        yield f"I1 an answer of {row['id']} was stored twice"
    for name in set(said):
        if name not in place or place[name].heard is Heard.NO:
            yield f"I1 answer {name} stands and was refused, or never given"
    newest = said[-1] if said else ":"
    if newest != f"{row['note']}:{row['answer'] or ''}":
        yield f"I1 what stands for {row['id']} is not the newest answer"
    if row["receipts"] != len(said):
        yield f"I2 {row['receipts']} receipts for {len(said)} answers of {row['id']}"


def _lost_presses(told: Ledger, stands: Dump) -> Iterator[str]:
    rows = {row["id"]: row for row in stands.meetings}
    days: dict[UUID, list[Press]] = defaultdict(list)
    for press in told.presses:
        row = rows.get(press.meeting_id)
        if press.act == "move":
            days[press.meeting_id].append(press)
        if press.heard is Heard.YES and (row is None or not _stands(press, row)):
            yield f"I1 {press.act} of {press.meeting_id} is lost"
    for meeting_id, presses in days.items():
        yield from _wrong_moves(presses, rows.get(meeting_id))


def _stands(press: Press, row: Mapping[str, Any]) -> bool:
    if press.act == "cancel":
        return bool(row["state"] == "cancelled")
    return bool(row["state"] != "draft") and press.number in {None, row["number"]}


def _wrong_moves(presses: Sequence[Press], row: Mapping[str, Any] | None) -> Iterator[str]:
    if row is None:
        return
    firm = [each.heard is Heard.YES for each in presses]
    last = max((at for at, is_firm in enumerate(firm) if is_firm), default=-1)
    open_days = {each.day for each in presses if each.heard is Heard.NOTHING}
    if last >= 0 and row["day"] not in open_days | {presses[last].day}:
        yield f"I1 {row['id']} is on {row['day']}, not where it was moved to"
    if row["sequence"] < sum(firm):
        yield f"I5 {sum(firm)} moves of {row['id']}, SEQUENCE {row['sequence']}"


def _wrong_fetches(told: Ledger, stands: Dump) -> Iterator[str]:
    series: dict[tuple[str, str], list[Fetch]] = defaultdict(list)
    for fetch in told.fetches:
        series[fetch.place, fetch.feed].append(fetch)
    for fetches in series.values():
        for one, two in pairwise(fetches):
            yield from _wrong_step(one, two)
    entries = {(fetch.feed, entry) for fetch in told.fetches for entry in fetch.entries}
    yield from _wrong_names({entry for _, entry in entries}, stands)
    yield from _changed_alike(entries)
    for fetch in told.fetches:
        if fetch.is_last:
            yield from _wrong_end(fetch, stands)


def _wrong_step(one: Fetch, two: Fetch) -> Iterator[str]:
    later = {entry.uid: entry for entry in two.entries}
    where = f"in {two.feed} at {two.place}"
    for entry in one.entries:
        now = later.get(entry.uid)
        if now is None:
            yield f"I5 {entry.uid} vanished {where}"
        elif now.sequence < entry.sequence:
            yield f"I5 SEQUENCE of {entry.uid} fell {where}"


def _wrong_names(entries: set[Entry], stands: Dump) -> Iterator[str]:
    rows = {row["slug"]: row for row in stands.meetings if row["slug"]}
    known = {row["uid"]: row for row in stands.meetings}
    pages: dict[str, set[str]] = defaultdict(set)
    numbers: dict[str, set[int | None]] = defaultdict(set)
    for entry in entries:
        pages[entry.page].add(entry.uid)
        numbers[entry.uid].add(entry.number)
        row = rows.get(entry.page)
        if entry.uid in known if row is None else entry.uid != row["uid"]:
            yield f"I5 {entry.page} and {entry.uid} never belonged together"
        if row is not None and row["sequence"] < entry.sequence:
            yield f"I5 SEQUENCE {entry.sequence} of {entry.uid} was seen, and is lost"
    for page, uids in pages.items():
        if len(uids) > 1:
            yield f"I5 the UID of {page} changed"
    for uid, seen in numbers.items():
        if len(seen) > 1 or (uid in known and seen != {known[uid]["number"]}):
            yield f"I7 the number of {uid} changed"


def _changed_alike(entries: set[tuple[str, Entry]]) -> Iterator[str]:
    """Find what changed while its SEQUENCE did not; the clients of a calendar would miss it."""
    known: dict[tuple[str, str, int], tuple[str, str]] = {}
    for feed, entry in sorted(entries, key=lambda each: (each[0], each[1].uid, each[1].sequence)):
        key, value = (feed, entry.uid, entry.sequence), (entry.status, entry.starts)
        if known.setdefault(key, value) != value:
            yield f"I5 {entry.uid} changed in {feed}, and SEQUENCE {entry.sequence} did not"


def _wrong_end(fetch: Fetch, stands: Dump) -> Iterator[str]:
    shown = {entry.uid: entry for entry in fetch.entries}
    for row in stands.meetings:
        entry = shown.get(row["uid"])
        if entry is None:
            # Everybody of the group reads these calendars; a draft nobody does.
            if row["state"] != "draft":
                yield f"I5 {row['uid']} is missing in {fetch.feed} at {fetch.place}"
        elif entry.sequence != row["sequence"] or (
            (entry.status == CANCELLED) != (row["state"] == "cancelled")
        ):
            yield f"I5 {row['uid']} is stale in {fetch.feed} at {fetch.place}"


def _wrong_seats(stands: Dump) -> Iterator[str]:
    taken: dict[UUID, int] = defaultdict(int)
    for row in stands.invitations:
        taken[row["meeting_id"]] += row["has_seat"]
        if row["has_seat"] is not (row["answer"] in SEATED):
            yield f"I6 {row['id']} says {row['answer']}, seat {row['has_seat']}"
    for row in stands.meetings:
        count = taken[row["id"]]
        if row["taken"] is not None and row["taken"] != count:
            yield f"I6 {row['taken']} seats of {row['id']} are counted, {count} taken"
        if row["capacity"] is not None and count > row["capacity"]:
            yield f"I6 {count} of {row['capacity']} seats of {row['id']} are taken"


def _wrong_numbers(told: Ledger, stands: Dump) -> Iterator[str]:
    for group_id, first in told.first_numbers.items():
        rows = [row for row in stands.meetings if row["group_id"] == group_id]
        drawn = [row["number"] for row in rows if row["state"] != "draft"]
        if None in drawn:
            yield f"I7 a published session of {group_id} has no number"
        numbers = sorted(number for number in drawn if number is not None)
        if len(numbers) != len(set(numbers)):
            yield f"I7 two sessions of {group_id} have one number"
        following = rows[0]["next_number"] if rows else first
        # A draft draws none, and what falls out keeps its own: there is no rule that makes a hole.
        if set(numbers) != set(range(first, following)):
            yield f"I7 numbers of {group_id} from {first}: {numbers}, next {following}"
