"""Read what came back: a delivery report, an automatic answer, a complaint, or words of a person.

Pure: bytes in, a `Report` out. Reports are read by their format (RFC 3464, 5965, 8098), then by the
dialects that flufl.bounce knows, then by their words; what is unclear counts as passing.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from email.message import Message
from enum import StrEnum
from uuid import UUID

from flufl.bounce import all_failures

from notifications import automatic, messages, statuses
from notifications.addresses import Verdict
from notifications.automatic import Notice, Sort
from notifications.messages import Mail
from notifications.statuses import Meaning

DIAGNOSTIC_LIMIT = 500
"""Characters of another server's words that are kept."""

WORDS_LIMIT = 4000
"""Characters that are kept of what a person wrote."""


# The detectors of dialects look at each line in some ninety ways; what they know is short.
_DIALECT_LINES = 2_000


IsAsked = Callable[[Sequence[str]], bool]


class Kind(StrEnum):
    """What a mail is that came to us; `own` is a letter of ours that came back as it was.

    An `answer` is that of a calendar program; the intake finds it, nothing here reads calendars.
    """

    BOUNCE = "bounce"
    DELAY = "delay"
    DELIVERED = "delivered"
    RELAYED = "relayed"
    AUTO_REPLY = "auto_reply"
    COMPLAINT = "complaint"
    DISPOSITION = "disposition"
    WORDS = "words"
    ANSWER = "answer"
    OWN = "own"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a mail says; empty where it does not say it.

    `status` is an enhanced code (RFC 3463), `recipient` the address that the report is about,
    `failed` the addresses that its fields name. `sent_to` are the addresses that this mail went to,
    `letters` the letters that it names, the best ground first. `returns_to` are envelope senders
    that a complaint quotes: it goes to whom the provider knows. `words` and `sender` are kept of
    people only.
    """

    kind: Kind
    status: str = ""
    diagnostic: str = ""
    recipient: str = ""
    failed: frozenset[str] = frozenset()
    sent_to: tuple[str, ...] = ()
    letters: tuple[UUID, ...] = ()
    returns_to: tuple[str, ...] = ()
    notice: Notice | None = None
    subject: str = ""
    sender: str = ""
    words: str = ""
    has_calendar: bool = False

    @property
    def meaning(self) -> Meaning:
        """What the status means."""
        return statuses.meaning_of(self.status)

    @property
    def verdict(self) -> Verdict | None:
        """What this says about the address of its letter; None where it says nothing.

        An automatic answer and a server on the way prove nothing about the mailbox. What came
        without a report's status may pass.
        """
        if self.kind is Kind.BOUNCE:
            if self.meaning in statuses.BLAMELESS:
                return None
            return Verdict.HARD if self.meaning in statuses.HARD else Verdict.SOFT
        return _VERDICTS.get(self.kind)

    def is_of(self, address: str) -> bool:
        """Tell whether this can be about an address; a report that names none can."""
        return not self.failed or address.lower() in self.failed


_VERDICTS: Mapping[Kind, Verdict] = {
    Kind.COMPLAINT: Verdict.COMPLAINT,
    Kind.DELIVERED: Verdict.DELIVERED,
    Kind.WORDS: Verdict.DELIVERED,
}
# OpenSMTPD writes "error"; some add a comment. The order is that of weight.
_ACTIONS: tuple[tuple[str, Kind], ...] = (
    ("fail", Kind.BOUNCE),
    ("error", Kind.BOUNCE),
    ("delay", Kind.DELAY),
    ("deliver", Kind.DELIVERED),
    ("relay", Kind.RELAYED),
    ("expand", Kind.RELAYED),
)
_COMPLAINTS = frozenset({"abuse", "fraud", "opt-out", "opt-out-list", "complaint"})
_MAILER = re.compile(
    r"^(?:mailer-daemon|postmaster|mail-daemon|mailerdaemon|mdaemon|maildelivery|"
    r"microsoftexchange[0-9a-f]*)\b",
    re.IGNORECASE,
)
_BOUNCE_SUBJECT = re.compile(
    r"undeliver|(?:nicht|un)[ -]?zustellbar|zustell(?:ungs)?fehler|zustellung nicht möglich|"
    r"zustellung verzögert|returned (?:mail|to sender)|returning message|failure notice|"
    r"delivery (?:status notification|failure|failed|problem|has failed)|"
    r"mail (?:delivery )?(?:failed|failure)|nicht zugestellt|zustellung fehlgeschlagen|"
    r"fehlgeschlagene zustellung",
    re.IGNORECASE,
)
_DELAY_SUBJECT = re.compile(
    r"\bdelay|verzöger|warning: (?:message|could not send)|noch nicht zugestellt", re.IGNORECASE
)
# What a server says to another one, quoted: numbers of rooms, telephones and days look otherwise.
_QUOTED_REPLY = re.compile(
    r"(?:(?<![\d.-])[45]\d\d[ #-]{1,2}|#)[45]\.\d{1,3}\.\d{1,3}(?![\d.]*\d)|"
    r"\b(?:smtp|status|error|fehler|code)\b.{0,20}[ :(][45]\d\d(?![\d.]*\d)",
    re.IGNORECASE,
)
# From here on the returned letter follows, and its words must not be taken for the report's.
_RETURNED = re.compile(
    r"^(?:-{2,5}.{0,80}(?:copy|original|message|returned|nachricht)|Received: |Return-Path: |"
    r"Original message headers:|X-Terminbuch-Mail: )",
    re.IGNORECASE | re.MULTILINE,
)
_RETURN_PATH = re.compile(r"^Return-Path:[ \t]*<([^<>\s]{1,320})>", re.IGNORECASE | re.MULTILINE)
_ADDRESS = re.compile(r"<?([^\s<>\"',;:()]{1,64}@[A-Za-z0-9.-]{1,190}\.[A-Za-z0-9-]{1,63})>?")


def _never(_: Sequence[str]) -> bool:
    return False


def read(raw: bytes, mail_domain: str, today: date, is_asked: IsAsked = _never) -> Report:
    """Return what a mail says; `mail_domain` is the one of our message ids.

    `is_asked` tells whether one that came to these addresses can only answer to a letter of ours.
    A mail that cannot be read at all is of the unknown kind.
    """
    mail = messages.parse(raw)
    is_answer = is_asked(mail.sent_to) or messages.is_answer(mail, mail_domain)
    found = _classify(mail, mail_domain, today, is_answer=is_answer)
    letters = tuple(messages.letters_named(mail, mail_domain))
    return replace(found, sent_to=mail.sent_to, letters=letters)


def _classify(mail: Mail, mail_domain: str, today: date, *, is_answer: bool) -> Report:
    if messages.is_own(mail, mail_domain):
        return Report(kind=Kind.OWN)
    report = _read_feedback(mail) or _read_status_parts(mail)
    if report is not None:
        return report
    if mail.part("message/disposition-notification") is not None:
        return Report(kind=Kind.DISPOSITION)
    if _is_from_mailer(mail):
        return _read_dialect(mail)
    is_automatic = automatic.is_automatic(mail.message, mail.subject, is_asked=is_answer)
    if is_automatic or mail.null_sender:
        is_sure = is_automatic and not (mail.null_sender and _is_named_mailer(mail))
        return _read_automatic(mail, today, is_sure=is_sure)
    return _read_words(mail)


def _read_automatic(mail: Mail, today: date, *, is_sure: bool) -> Report:
    """Read an automatic answer; where nothing but its words says so, they must.

    A letter that counts as arrived is not sent again, so a refusal must not pass for an answer.
    """
    notice = automatic.read(mail.subject, mail.text, today)
    if not is_sure and (notice.sort is Sort.OTHER or statuses.refine("", _own_words(mail))):
        return Report(kind=Kind.UNKNOWN)
    return Report(kind=Kind.AUTO_REPLY, notice=notice)


def _read_words(mail: Mail) -> Report:
    """Keep what a person wrote, without the letter that is quoted below."""
    words = messages.clean_text(messages.without_quotes(mail.text), WORDS_LIMIT)
    has_calendar = mail.part("text/calendar") is not None
    if not mail.sender or not (mail.subject or words or has_calendar):
        return Report(kind=Kind.UNKNOWN)
    return Report(
        kind=Kind.WORDS,
        subject=messages.one_line(mail.subject, 200),
        sender=mail.sender,
        words=words,
        has_calendar=has_calendar,
    )


def _read_feedback(mail: Mail) -> Report | None:
    """Read a complaint (RFC 5965); reports of failed signatures have the same form and are none."""
    fields = mail.fields("message/feedback-report")
    if fields is None:
        return None
    is_complaint = str(fields.get("Feedback-Type", "")).strip().lower() in _COMPLAINTS
    if not is_complaint:
        return Report(kind=Kind.UNKNOWN)
    said = messages.one_line(str(fields.get("Original-Mail-From", "")), DIAGNOSTIC_LIMIT)
    quoted = _RETURN_PATH.findall(mail.returned)
    return Report(kind=Kind.COMPLAINT, returns_to=(said, *quoted[:1]))


def _read_status_parts(mail: Mail) -> Report | None:
    """Read the blocks of a delivery report, one a recipient; the gravest one counts."""
    blocks = [block for block in mail.status_blocks if block.get("Action")]
    for action, kind in _ACTIONS:
        for block in blocks:
            if str(block["Action"]).strip().lower().startswith(action):
                return _read_block(kind, block)
    return None


def _read_block(kind: Kind, block: "Message[str, str]") -> Report:
    words = _after_type(block, "Diagnostic-Code")
    status = str(block.get("Status", "")).strip().partition(" ")[0]
    named = [_after_type(block, name) for name in ("Original-Recipient", "Final-Recipient")]
    said = re.fullmatch(r"[245]\.\d{1,3}\.\d{1,3}", status)
    found = said[0] if said else ""
    return Report(
        kind=kind,
        status=statuses.refine(found, words) if kind in {Kind.BOUNCE, Kind.DELAY} else found,
        diagnostic=messages.one_line(words, DIAGNOSTIC_LIMIT),
        recipient=named[0] or named[1],
        failed=frozenset(one.lower() for one in named if _ADDRESS.fullmatch(one)),
    )


def _after_type(block: "Message[str, str]", name: str) -> str:
    """Return the value of a field that begins with its type, as in `rfc822; a@example.org`."""
    value = messages.one_line(str(block.get(name, "")), DIAGNOSTIC_LIMIT)
    kind, mark, rest = value.partition(";")
    return (rest if mark and re.fullmatch(r"\s*[\w.-]+\s*", kind) else value).strip().strip("<>")


def _is_from_mailer(mail: Mail) -> bool:
    """Tell whether a mail server wrote this: people's answers are not searched for codes."""
    if mail.message.get("X-Failed-Recipients") is not None:
        return True
    by_name = _is_named_mailer(mail)
    if not (mail.null_sender or by_name):
        return False
    if _BOUNCE_SUBJECT.search(mail.subject) or _DELAY_SUBJECT.search(mail.subject):
        return True
    if by_name and any(_failures(mail)):
        return True
    if not mail.null_sender or automatic.is_named_so(mail.subject):
        return False
    own = _own_words(mail)
    return _QUOTED_REPLY.search(own) is not None or (by_name and bool(statuses.refine("", own)))


def _is_named_mailer(mail: Mail) -> bool:
    return _MAILER.match(mail.sender.partition("@")[0]) is not None


def _own_words(mail: Mail) -> str:
    """Return subject and text without the letter that is returned below."""
    return " ".join(f"{mail.subject} {_RETURNED.split(mail.text, maxsplit=1)[0]}".split())


def _failures(mail: Mail) -> Iterator[tuple[Kind, str]]:
    """Yield what flufl.bounce finds: kind and address."""
    if mail.lines > _DIALECT_LINES:
        return
    try:
        passing, lasting = all_failures(mail.message)
    except Exception:  # noqa: BLE001 - a detector that stumbles over foreign bytes has found nothing
        return
    for kind, found in ((Kind.BOUNCE, lasting), (Kind.DELAY, passing)):
        for address in sorted(found):
            yield kind, address.decode("ascii", "replace")


def _read_dialect(mail: Mail) -> Report:
    """Read a report that is in no standard format."""
    own = _RETURNED.split(mail.text, maxsplit=1)[0]
    found = next(_failures(mail), None)
    is_late = _DELAY_SUBJECT.search(mail.subject) is not None
    kind = Kind.DELAY if is_late or (found and found[0] is Kind.DELAY) else Kind.BOUNCE
    failed = str(mail.message.get("X-Failed-Recipients", "")) or (found[1] if found else "") or own
    address = _ADDRESS.search(failed)
    words = " ".join(own.split())
    return Report(
        kind=kind,
        status=statuses.refine("", f"{mail.subject} {words}" if is_late else words),
        diagnostic=_said_at(words),
        recipient=messages.one_line(address[1], DIAGNOSTIC_LIMIT) if address else "",
    )


def _said_at(words: str) -> str:
    """Return what stands around the server's reply: most reports begin with courtesies."""
    found = re.search(r"(?<![\d.-])[45]\d\d[ #-]|#?[45]\.\d\.\d", words)
    start = max(0, found.start() - 80) if found else 0
    return messages.one_line(words[start:], DIAGNOSTIC_LIMIT)
