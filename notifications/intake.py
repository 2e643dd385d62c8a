"""Take in what came back: find its letter, keep an event, and let letter and address learn from it.

The same mail may come any number of times, because servers and mailboxes hand it over again when
they do not know whether we had it: everything happens in one transaction and counts once. No mail
is ever sent in reaction, so no loop can begin (RFC 3834 section 2).
"""

import hashlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import structlog

from calendars import answer
from calendars.answer import CalendarAnswer
from notifications import addresses, bounces, evidence, messages, returning, storage
from notifications.addresses import Verdict
from notifications.bounces import Kind, Report
from notifications.evidence import How
from notifications.options import strike_nothing
from notifications.returning import ReturnOptions
from notifications.storage import Connection, Database

RETURN_LIFE = timedelta(days=60)
"""So long after a letter its return address says which one it was."""

FORGET_AT_ONCE = 1000

_log = structlog.get_logger(__name__)

_LETTERS = """
SELECT id, to_addr, recipient_id, created_at FROM letter WHERE id = ANY($1::uuid[])
"""
_KEEP = """
INSERT INTO mail_event (raw_sha256, kind, letter_id, details, received_at)
VALUES ($1, $2, $3, $4, $5) ON CONFLICT (raw_sha256) DO NOTHING RETURNING id
"""
_NOT_HEARD = "UPDATE mail_event SET kind = 'unknown' WHERE id = $1"
_FORGET = """
DELETE FROM mail_event WHERE id IN (
    SELECT id FROM mail_event
    WHERE received_at < $1 AND ($2::text[] IS NULL OR kind = ANY($2))
    ORDER BY received_at LIMIT $3)
"""
_MAY_ANSWER = frozenset({Kind.WORDS, Kind.AUTO_REPLY, Kind.UNKNOWN})
_HEARD = frozenset({Kind.WORDS, Kind.ANSWER, Kind.OWN})
# What programs report: all of them write to the envelope sender, but for those of complaints.
_REPORTS = frozenset({Kind.BOUNCE, Kind.DELAY, Kind.DELIVERED, Kind.RELAYED, Kind.COMPLAINT})
_EVIDENCE: dict[Kind, How] = {
    Kind.DELIVERED: "dsn",
    Kind.RELAYED: "relayed",
    Kind.DELAY: "delayed",
    Kind.AUTO_REPLY: "auto_reply",
    Kind.WORDS: "reply",
    Kind.ANSWER: "reply",
    # Who complains has it.
    Kind.COMPLAINT: "reply",
}


@dataclass(frozen=True, slots=True)
class Heard:
    """A mail whose sense lies outside of this package: words, or an answer of a calendar program.

    `recipient` is the address it came to, None where only its head could tell; `answer` is what a
    calendar program says. A letter of ours that came back is heard, too.
    """

    event_id: int
    report: Report
    letter_id: UUID | None
    recipient: str | None
    raw: bytes
    answer: CalendarAnswer

    @property
    def came_to(self) -> tuple[str, ...]:
        """All addresses that this mail went to, the envelope's first."""
        noted = self.report.sent_to
        return noted if self.recipient is None else (self.recipient, *noted)


Hear = Callable[[Connection, Heard], Awaitable[None]]
Stop = Callable[[str], Awaitable[None]]
Strike = Callable[[str], str]


async def _hear_nothing(_: Connection, __: Heard) -> None:
    """Leave words where they are: the office reads them."""


def _never(_: str) -> bool:
    """Know no further address."""
    return False


@dataclass(frozen=True, slots=True)
class IntakeOptions:
    """What is ours: the return addresses, the domain of message ids, and plain addresses.

    `hear` is told of words of people inside the transaction that keeps them; what it raises lets
    the mail come again. `stop` gets what stands between local part and domain of `stop_address`:
    whoever writes there unsubscribes, and nothing of the mail is kept (RFC 2369 section 3.2).
    `strike` takes out of words what opens something: people quote the letters they answer to.
    `is_answered` knows the addresses that calendar programs answer to.
    """

    returns: ReturnOptions
    mail_domain: str
    plain: frozenset[str] = field(default_factory=frozenset)
    hear: Hear = _hear_nothing
    stop_address: str = ""
    stop: Stop | None = None
    strike: Strike = strike_nothing
    is_answered: Callable[[str], bool] = _never


@dataclass(frozen=True, slots=True)
class Taken:
    """What was made of a mail; `event_id` is None where nothing new was kept.

    `is_stop` marks one by which somebody unsubscribed.
    """

    kind: Kind
    letter_id: UUID | None
    event_id: int | None
    is_stop: bool = False

    @property
    def is_new(self) -> bool:
        """Whether this mail came for the first time."""
        return self.event_id is not None


def is_ours(options: IntakeOptions, recipient: str) -> bool:
    """Tell whether mail to this address is for us: one of a letter, of a person, or a plain one."""
    if _stop_token(options, recipient) or options.is_answered(recipient):
        return True
    plain = {one.lower() for one in (options.returns.address, *options.plain)}
    return recipient.lower() in plain or returning.letter_of(options.returns, recipient) is not None


def _stop_token(options: IntakeOptions, recipient: str) -> str:
    """Return the token in an address for unsubscribing, nothing of any other one."""
    own, _, own_domain = options.stop_address.lower().rpartition("@")
    local, _, domain = recipient.lower().rpartition("@")
    if options.stop is None or not own or domain != own_domain or not local.startswith(own):
        return ""
    return local.removeprefix(own)


async def take(
    database: Database, options: IntakeOptions, raw: bytes, recipient: str | None, at: datetime
) -> Taken:
    """Take one mail in; a second time it changes nothing.

    `recipient` is the envelope's address, None where a mailbox does not tell it. What the database
    raises lets whoever brought the mail bring it again. A mail that fails by what is in it is kept
    for the office without its words: it would fail for ever, and hold up all that come after it.
    """
    try:
        return await _take(database, options, raw, recipient, at)
    except Exception as error:
        if not storage.is_of_content(error):
            raise
        _log.error("intake.not_taken", error=type(error).__name__)
    async with database.unit_of_work() as unit:
        digest = _digest(raw, recipient)
        event_id = await unit.connection.fetchval(_KEEP, digest, Kind.UNKNOWN.value, None, {}, at)
    return Taken(Kind.UNKNOWN, None, event_id)


def _digest(raw: bytes, recipient: str | None) -> bytes:
    to = (recipient or "").lower().encode("utf-8", "replace")
    return hashlib.sha256(raw + b"\x00" + to).digest()


async def _take(
    database: Database, options: IntakeOptions, raw: bytes, recipient: str | None, at: datetime
) -> Taken:
    report = _read(options, raw, recipient, at)
    # Only a mailbox leaves it to the mail's head to say where it came to.
    came_to = report.sent_to if recipient is None else (recipient,)
    token = next(filter(None, (_stop_token(options, one) for one in came_to)), "")
    if token and options.stop is not None:
        await options.stop(token)
        return Taken(Kind.WORDS, None, None, is_stop=True)
    said = answer.read(raw)
    if said.is_there and report.kind in _MAY_ANSWER:
        # Some programs call their answers automatic, and all write words of their own around them.
        report = replace(report, kind=Kind.ANSWER, notice=None, words="")
    async with database.unit_of_work() as unit:
        found = await _find_letter(unit.connection, options, report, recipient, at)
        letter_id = found.row["id"] if found else None
        if report.kind is Kind.DISPOSITION:
            # That somebody opened a letter is not ours to know.
            return Taken(report.kind, letter_id, None)
        details = _details(report, options.strike)
        kept = (_digest(raw, recipient), report.kind.value, letter_id, details, at)
        event_id = await unit.connection.fetchval(_KEEP, *kept)
        if event_id is not None:
            if found:
                await _learn(unit.connection, found, report, options.strike, at)
            heard = Heard(event_id, report, letter_id, recipient, raw, said)
            if report.kind in _HEARD and not await _hear(unit.connection, options, heard):
                report = replace(report, kind=Kind.UNKNOWN)
    _log.info("intake.taken", kind=report.kind.value, matched=found is not None)
    return Taken(report.kind, letter_id, event_id)


async def _hear(connection: Connection, options: IntakeOptions, heard: Heard) -> bool:
    """Hand a mail on; one that cannot be heard is kept as one that nobody understands."""
    try:
        async with connection.transaction():
            await options.hear(connection, heard)
    except Exception as error:
        if not storage.is_of_content(error):
            raise
        _log.error("intake.not_heard", error=type(error).__name__)
        await connection.execute(_NOT_HEARD, heard.event_id)
        return False
    return True


async def note_refused(
    database: Database,
    options: IntakeOptions,
    number: str,
    *,
    mailbox: str,
    said: str,
    at: datetime,
) -> None:
    """Keep once that a mailbox has a mail which its server will not hand out, for the office.

    `number` names the mail for good, `said` is the server's ground.
    """
    ground = messages.one_line(said, bounces.DIAGNOSTIC_LIMIT)
    report = Report(kind=Kind.UNKNOWN, recipient=mailbox, diagnostic=ground)
    digest = hashlib.sha256(b"refused\x00" + number.encode()).digest()
    details = _details(report, options.strike)
    async with database.unit_of_work() as unit:
        await unit.connection.fetchval(_KEEP, digest, report.kind.value, None, details, at)


async def forget(
    connection: Connection,
    before: datetime,
    *,
    kinds: tuple[Kind, ...] | None = None,
    limit: int = FORGET_AT_ONCE,
) -> int:
    """Delete events that came before, of some kinds or all; return how many, at most `limit`."""
    names = None if kinds is None else [kind.value for kind in kinds]
    status = await connection.execute(_FORGET, before, names, limit)
    return int(status.rsplit(" ", 1)[-1])


def _read(options: IntakeOptions, raw: bytes, recipient: str | None, at: datetime) -> Report:
    """Read a mail; one that breaks the reader must not come back for ever."""

    def is_asked(sent_to: Sequence[str]) -> bool:
        return any(map(options.is_answered, sent_to if recipient is None else (recipient,)))

    try:
        return bounces.read(raw, options.mail_domain, at.date(), is_asked)
    except Exception as error:  # noqa: BLE001 - whatever it is, the office looks at this mail
        _log.warning("intake.unreadable", error=type(error).__name__)
        return Report(kind=Kind.UNKNOWN)


@dataclass(frozen=True, slots=True)
class _Found:
    """The row of the letter that a mail is about.

    `is_proved` means that only who had the letter, or carried it, can have written: its return
    address stands nowhere in what people pass on, its id stands in every answer and forward.
    """

    row: Any
    is_proved: bool

    def is_of_another(self, report: Report) -> bool:
        """Tell whether only a copy came back that a reader has sent on to somebody else."""
        return bool(self.row["to_addr"]) and not report.is_of(self.row["to_addr"])


async def _find_letter(
    connection: Connection,
    options: IntakeOptions,
    report: Report,
    recipient: str | None,
    at: datetime,
) -> _Found | None:
    """Return the letter that this is about, None where nothing names one.

    A return address names its letter for sixty days, a forged one names nothing; then come the
    letters that the mail itself names. An address alone is no ground, and for what is believed of
    programs only is neither a letter's id, where letters have return addresses of their own.
    """
    came_to = report.sent_to if recipient is None else (recipient, *report.sent_to)
    known_by = [returning.letter_of(options.returns, one) for one in (*came_to, *report.returns_to)]
    proved = [one for one in known_by if one is not None]
    is_report = report.kind in _REPORTS
    must_prove = is_report and (options.returns.names_letters or report.kind is Kind.COMPLAINT)
    named = () if must_prove else report.letters
    wanted = [*proved, *named]
    rows = await connection.fetch(_LETTERS, wanted) if wanted else []
    known = {row["id"]: row for row in rows}
    for row in [known[one] for one in wanted if one in known]:
        is_young = at - row["created_at"] <= RETURN_LIFE
        if is_young or (row["id"] in named and not is_report):
            return _Found(row, is_proved=is_young and row["id"] in proved)
    return None


async def _learn(
    connection: Connection, found: _Found, report: Report, strike: Strike, at: datetime
) -> None:
    """Tell the letter what became of it, and its address what that means."""
    letter = found.row
    if report.kind is Kind.BOUNCE and not found.is_of_another(report):
        await evidence.failed(
            connection,
            letter["id"],
            how="dsn",
            status=report.status,
            text=strike(report.diagnostic),
            at=at,
        )
    elif report.kind in _EVIDENCE:
        await evidence.delivered(connection, letter["id"], how=_EVIDENCE[report.kind], at=at)
    verdict = _verdict(found, report)
    if verdict is not None and letter["to_addr"]:
        await addresses.note(
            connection,
            letter["to_addr"],
            verdict,
            letter_id=letter["id"],
            status=report.status or None,
            at=at,
        )


def _verdict(found: _Found, report: Report) -> Verdict | None:
    """Return what a report says about the address; what anybody can write is a doubt at most.

    The office is not silenced by a stranger, nor by a colleague who takes an alarm for spam.
    """
    verdict = report.verdict
    if verdict is Verdict.DELIVERED:
        return verdict
    if found.row["recipient_id"] is None and (verdict is Verdict.COMPLAINT or not found.is_proved):
        return None
    is_sure = found.is_proved and not found.is_of_another(report)
    return Verdict.SOFT if verdict is Verdict.HARD and not is_sure else verdict


def _details(report: Report, strike: Strike) -> dict[str, Any]:
    """Return what is kept beside the kind: nothing empty, and of automatic answers no words."""
    notice = report.notice
    found = {
        "status": report.status,
        "diagnostic": strike(report.diagnostic),
        "recipient": report.recipient,
        "subject": strike(report.subject),
        "sender": report.sender,
        "words": strike(report.words),
        "calendar": report.has_calendar,
        "sort": notice.sort.value if notice else "",
        "back_on": notice.back_on.isoformat() if notice and notice.back_on else "",
    }
    return {name: value for name, value in found.items() if value}
