"""One entry for one attendee as a scheduling message, or for anybody as a file to take along."""

from datetime import datetime
from enum import StrEnum

from calendars import fragment, lines, zones
from calendars.entry import Entry, Status, require_aware
from calendars.feed import OPENING, PRODUCT


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


def render_download(entry: Entry) -> bytes:
    """Return the entry as a file of its own with METHOD:PUBLISH; same entry, same bytes."""
    return render_invitation(entry, Method.PUBLISH, fragment.shown_change(entry.changed_at))


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
