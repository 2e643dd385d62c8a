"""One entry for one attendee as a scheduling message, or for anybody as a file to take along."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

from calendars import fragment, lines, zones
from calendars.entry import Attendee, Entry, Status, require_aware
from calendars.feed import OPENING, PRODUCT

_NO_TIME = datetime(2000, 1, 1, tzinfo=UTC)
_END = b"END:VEVENT\r\n"


class Method(StrEnum):
    """What the message wants from the reader's program (RFC 5546 section 1.4)."""

    PUBLISH = "PUBLISH"
    REQUEST = "REQUEST"
    CANCEL = "CANCEL"


def render_invitation(entry: Entry, method: Method, stamped_at: datetime) -> bytes:
    """Return the calendar object of one mail; `stamped_at` is the aware moment it was made.

    PUBLISH drops the attendee. REQUEST and CANCEL need organiser and attendee, and a REQUEST is
    never cancelled: ValueError. A CANCEL of an entry that still takes place carries no STATUS and
    takes only this attendee off it (RFC 5546 section 3.2.5).
    """
    require_aware(stamped_at)
    _check_people(entry, method)
    return (
        lines.folded([*OPENING, PRODUCT, "CALSCALE:GREGORIAN", f"METHOD:{method}"])
        + zones.EUROPE_BERLIN
        + _event(entry, method, stamped_at)
        + b"END:VCALENDAR\r\n"
    )


@dataclass(frozen=True, slots=True)
class Gaps:
    """The names of what differs by recipient: the time, the attendee's lines, the reply token."""

    stamped_at: str
    attendee: str
    token: str


@dataclass(frozen=True, slots=True)
class ReplyTo:
    """Who calls the meeting, and the address of replies around its token: `local` TOKEN `@domain`.

    Without room for a token `local` is the whole name. `mailbox` is the one that people know.
    """

    name: str
    mailbox: str
    local: str
    domain: str
    takes_token: bool


def render_template(entry: Entry, method: Method, reply_to: ReplyTo, gaps: Gaps) -> bytes:
    """Return a REQUEST or CANCEL of which only the gaps differ, as slots `⟦name⟧`.

    The values of the gaps are those of `write_stamp` and `write_attendee`, and the token. A CANCEL
    of an entry that still takes place carries no STATUS, as with `render_invitation`.
    """
    bare = replace(entry, organiser=None, attendee=None)
    extra = ("X-MICROSOFT-DISALLOW-COUNTER:TRUE",) if method is Method.REQUEST else ()
    with_status = method is not Method.CANCEL or entry.status is Status.CANCELLED
    event = fragment.render_event(bare, _NO_TIME, with_status=with_status, extra=extra)
    # Whatever people typed must not look like a gap.
    event = event.replace("⟦".encode(), b"[").replace("⟧".encode(), b"]")
    stamp = f"\r\nDTSTAMP:⟦{gaps.stamped_at}⟧\r\n".encode()
    event = event.replace(f"\r\nDTSTAMP:{lines.stamp(_NO_TIME)}\r\n".encode(), stamp, 1)
    people = _organiser(reply_to, gaps.token) + f"⟦{gaps.attendee}⟧".encode()
    return (
        lines.folded([*OPENING, PRODUCT, "CALSCALE:GREGORIAN", f"METHOD:{method}"])
        + zones.EUROPE_BERLIN
        + event.removesuffix(_END)
        + people
        + _END
        + b"END:VCALENDAR\r\n"
    )


def write_stamp(stamped_at: datetime) -> str:
    """Return the value of DTSTAMP for its gap; `stamped_at` is aware."""
    require_aware(stamped_at)
    return lines.stamp(stamped_at)


def write_attendee(attendee: Attendee) -> str:
    """Return the attendee's content lines for their gap, with the line end (RFC 5545 3.8.4.1)."""
    rsvp = "TRUE" if attendee.rsvp else "FALSE"
    who = f"ATTENDEE{_common_name(attendee.name)};CUTYPE=INDIVIDUAL;ROLE={attendee.role}"
    line = f"{who};PARTSTAT={attendee.answer};RSVP={rsvp}:{lines.mailto(attendee.email)}"
    return lines.folded([line]).decode()


def render_download(entry: Entry) -> bytes:
    """Return the entry as a file of its own with METHOD:PUBLISH; same entry, same bytes."""
    return render_invitation(entry, Method.PUBLISH, fragment.shown_change(entry.changed_at))


def _organiser(reply_to: ReplyTo, token: str) -> bytes:
    """Write the ORGANIZER; the token stands on a line of its own, so that it folds nothing anew."""
    address = lines.mailto(f"{reply_to.local}@{reply_to.domain}")
    local, _, domain = address.rpartition("@")
    mailbox = f";EMAIL={reply_to.mailbox}" if reply_to.takes_token else ""
    begin = f"ORGANIZER{_common_name(reply_to.name)}{mailbox}:"
    if not reply_to.takes_token:
        return lines.folded([f"{begin}{address}"])
    head = lines.folded([f"{begin}{local}"])
    return head + f" ⟦{token}⟧\r\n @{domain}\r\n".encode()


def _common_name(name: str) -> str:
    value = lines.quoted(name)
    return f";CN={value}" if value != '""' else ""


def _check_people(entry: Entry, method: Method) -> None:
    if method is Method.PUBLISH:
        return
    if entry.organiser is None or entry.attendee is None:
        raise ValueError("REQUEST and CANCEL need organiser and attendee (RFC 5546 section 3.2)")
    if method is Method.REQUEST and entry.status is Status.CANCELLED:
        raise ValueError("a cancelled entry is not requested (RFC 5546 section 3.2.2)")


def _event(entry: Entry, method: Method, stamped_at: datetime) -> bytes:
    if method is Method.PUBLISH:
        return fragment.render_event(entry, stamped_at, with_attendee=False)
    if method is Method.CANCEL:
        off = entry.status is Status.CANCELLED
        return fragment.render_event(entry, stamped_at, with_status=off)
    # Our intake reads answers, not counter-proposals; Outlook then hides "propose new time".
    extra = ("X-MICROSOFT-DISALLOW-COUNTER:TRUE",)
    return fragment.render_event(entry, stamped_at, asks=True, extra=extra)
