"""What must hold whatever failed: what clients were told, the mail servers' log and the rows.

I1 what was acknowledged stands, or a later word of the same person stands in its place (`ledger`)
I2 every due letter reached somebody, unless it was cancelled, expired, held or refused, or its end
   is unclear and its kind is never sent twice
I3 more than one copy only of letters whose delivery was unclear, and all copies the same bytes
I4 nothing left before it was due
I5 the UID of a session never changes, its SEQUENCE never falls: in calendars (`ledger`), in letters
I6 no more seats are taken than there are, and as many as the invitations say (`ledger`)
I7 numbers are for life, distinct and without holes (`ledger`)
I8 nothing is stuck

Two more about letters, which nobody was promised and everybody expects:

I9 letters of one order left in that order
I10 what the server called a letter is what stands beside it: replies were never mispaired
"""

import email
import hashlib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID

from service.database import Database
from service.relaying import ONCE_KINDS
from tests.faults import ledger
from tests.faults.ledger import Dump, Ledger

TICKS_SECONDS = 10.0
"""Two polls: so long a row may wait after its time before it counts as stuck."""

_ROWS = """
SELECT o.*, l.dedupe_key, l.kind, l.recipient_id, l.created_at AS posted_at,
    now() - o.lease_until > make_interval(secs => $1) AS lease_is_old,
    now() - o.next_attempt_at > make_interval(secs => $1) AS is_overdue,
    o.state = 'queued' AND o.next_attempt_at > now() AS is_waiting,
    (SELECT array_agg(a.outcome || ':' || coalesce(a.code, 0)) FROM mail_attempt a
     WHERE a.letter_id = o.id) AS tries
FROM outbox o JOIN letter l USING (id) WHERE l.kind <> 'alarm' ORDER BY o.created_at, o.id
"""
# Workers tell the office of faults by letters of their own, when they notice them.
_ALARMS = "SELECT id FROM letter WHERE kind = 'alarm'"
_NOTICES = """
SELECT kind, meeting_id FROM notice
WHERE state = 'pending' AND due_at < now() - make_interval(secs => $1)
"""
_QUEUE_ID = re.compile(r"queued as (\w+)")
_SEQUENCE = re.compile(r"^SEQUENCE:(\d+)\r?$", re.MULTILINE)
_UID = re.compile(r"^UID:(\S+)\r?$", re.MULTILINE)
_FINAL_WITHOUT_COPY = frozenset({"cancelled", "expired", "held"})


@dataclass(frozen=True)
class Copy:
    """One mail that a server took over."""

    letter_id: UUID
    recipient: str
    sha256: bytes
    at: float
    queue_id: str
    raw: bytes


@dataclass(frozen=True)
class History:
    """Everything that is known at the end of a run; `due` is what was promised at the beginning."""

    rows: Sequence[Mapping[str, Any]]
    copies: Sequence[Copy]
    due: Mapping[UUID, datetime]
    told: Ledger = field(default_factory=Ledger)
    stands: Dump = field(default_factory=Dump)
    notices: Sequence[Mapping[str, Any]] = ()

    @property
    def lost(self) -> list[UUID]:
        """Letters that were due and reached nobody."""
        return [row["id"] for row in self._lost_rows]

    @cached_property
    def _lost_rows(self) -> list[Mapping[str, Any]]:
        reached = {copy.letter_id for copy in self.copies}
        return [row for row in self.rows if row["id"] not in reached and not _excused(row)]

    @property
    def duplicates(self) -> int:
        """How many copies were one too many."""
        return len(self.copies) - len({copy.letter_id for copy in self.copies})

    @property
    def forgotten(self) -> int:
        """How many answers were acknowledged and are not there."""
        return ledger.lost_answers(self.told, self.stands)

    def violations(self) -> list[str]:
        """Return a sentence for everything that must not be."""
        return list(self._violations)

    @cached_property
    def _violations(self) -> list[str]:
        # Reading thousands of letters takes its time, once.
        return [
            *ledger.violations(self.told, self.stands),
            *(f"I2 lost: {_describe(row)}" for row in self._lost_rows),
            *_wrong_copies(self),
            *_early(self),
            *_falling(self.copies),
            *_stuck(self.rows),
            *(f"I8 {each['kind']} of {each['meeting_id']} was never told" for each in self.notices),
            *_disordered(self),
            *_mispaired(self),
        ]


async def read(
    database: Database,
    copies: Iterable[Copy],
    due: Mapping[UUID, datetime] | None = None,
    told: Ledger | None = None,
) -> History:
    """Read what the database says now, beside what the servers took and clients were told."""
    rows = await database.fetch(_ROWS, TICKS_SECONDS)
    alarms = {row["id"] for row in await database.fetch(_ALARMS)}
    ours = sorted((copy for copy in copies if copy.letter_id not in alarms), key=lambda c: c.at)
    told = told or Ledger()
    return History(
        [dict(row) for row in rows],
        ours,
        due or {},
        told,
        await ledger.dump(database, told),
        await database.fetch(_NOTICES, TICKS_SECONDS) if told.first_numbers else (),
    )


def copy_of(raw: bytes, recipient: str, at: float, queue_id: str) -> Copy:
    """Read which letter a mail is."""
    found = re.search(rb"^Message-ID:\s*<([0-9a-f-]{32,36})@", raw, re.MULTILINE | re.IGNORECASE)
    assert found is not None, raw[:500]
    sha256 = hashlib.sha256(raw).digest()
    return Copy(UUID(found[1].decode()), recipient, sha256, at, queue_id, raw)


def _describe(row: Mapping[str, Any]) -> str:
    """Say what is known of a letter that is missing."""
    known = ("kind", "state", "reason", "created_at", "next_attempt_at", "ordering_key", "tries")
    return f"{row['id']} {[str(row[name]) for name in known if row.get(name) is not None]}"


def _excused(row: Mapping[str, Any]) -> bool:
    """Tell whether a letter may have reached nobody: by decision, or by a refusal on record."""
    tries = row["tries"] or []
    if row["state"] == "sent":
        # It left once, its end is unclear, and kinds like this one are not sent again.
        return row["reason"] == "assumed_sent" and row["kind"] in ONCE_KINDS
    if row["state"] == "failed":
        return any(each.startswith("failed:5") for each in tries)
    if row["state"] == "dead":
        return row["uncertain_count"] > 1 or row["reason"] in {"unwritable", "gave_up"}
    return row["state"] in _FINAL_WITHOUT_COPY or row["is_waiting"]


def _wrong_copies(history: History) -> Iterator[str]:
    unclear = {row["id"]: row["uncertain_count"] for row in history.rows}
    by_letter: dict[UUID, list[Copy]] = defaultdict(list)
    for copy in history.copies:
        by_letter[copy.letter_id].append(copy)
    for letter_id, copies in by_letter.items():
        if len(copies) > 1 + unclear.get(letter_id, 0):
            yield f"I3 {len(copies)} copies of {letter_id}, unclear {unclear.get(letter_id)} times"
        if len({copy.sha256 for copy in copies}) > 1:
            yield f"I3 copies of {letter_id} differ"


def _early(history: History) -> Iterator[str]:
    for copy in history.copies:
        due = history.due.get(copy.letter_id)
        if due is not None and copy.at < due.timestamp():
            yield f"I4 {copy.letter_id} left {due.timestamp() - copy.at:.1f} s too early"


def _stuck(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for row in rows:
        if row["state"] == "sending" and row["lease_is_old"]:
            yield f"I8 {row['id']} is stuck in its lease"
        if row["state"] in {"queued", "uncertain"} and row["is_overdue"]:
            yield f"I8 {row['id']} is {row['state']} beyond its time"


def _disordered(history: History) -> Iterator[str]:
    first: dict[UUID, float] = {}
    for copy in history.copies:
        first.setdefault(copy.letter_id, copy.at)
    orders: dict[str, list[UUID]] = defaultdict(list)
    for row in history.rows:
        if row["id"] in first:
            orders[row["ordering_key"]].append(row["id"])
    for key, ids in orders.items():
        if ids != sorted(ids, key=first.__getitem__):
            yield f"I9 letters of {key} left out of order"


def _mispaired(history: History) -> Iterator[str]:
    named = {copy.queue_id: copy.letter_id for copy in history.copies if copy.queue_id}
    for row in history.rows:
        found = _QUEUE_ID.search(row["remote_id"] or "")
        if found and named.get(found[1], row["id"]) != row["id"]:
            yield f"I10 {row['id']} has the reply of {named[found[1]]}"


def _falling(copies: Sequence[Copy]) -> Iterator[str]:
    highest: dict[tuple[str, str], int] = {}
    for copy in copies:
        for uid, sequence in _entries(copy.raw):
            key = (copy.recipient, uid)
            if sequence < highest.get(key, 0):
                yield f"I5 SEQUENCE of {uid} fell for {copy.recipient}"
            highest[key] = sequence


def _entries(raw: bytes) -> Iterator[tuple[str, int]]:
    if b"text/calendar" not in raw:
        return
    for part in email.message_from_bytes(raw).walk():
        if part.get_content_type() == "text/calendar":
            payload = part.get_payload(decode=True)
            assert isinstance(payload, bytes)
            text = payload.decode()
            uid, sequence = _UID.search(text), _SEQUENCE.search(text)
            yield uid[1] if uid else "", int(sequence[1]) if sequence else 0
