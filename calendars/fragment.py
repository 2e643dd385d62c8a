"""One entry as its VEVENT bytes, made once per revision and kept."""

import re
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from calendars import lines, texts, zones
from calendars.entry import Attendee, Entry, Organiser, Status

DESCRIPTION_LIMIT = 2000
_UNTITLED = "Termin"
# Some readers look at an entry again only when its time of change grew. Whoever changes what this
# package writes sets this to the day of that release, and every entry counts as changed then.
RENDER_EPOCH = datetime(2020, 1, 1, tzinfo=UTC)
_STAMP, _CHANGED, _AVAILABILITY = b"\r\nDTSTAMP:", b"\r\nLAST-MODIFIED:", b"\r\nTRANSP:"
_STAMP_LENGTH = len("20270311T090000Z")


def render_fragment(entry: Entry) -> bytes:
    """Return the VEVENT of the entry for feeds: CRLF, no line above 75 octets, stable bytes.

    DTSTAMP equals LAST-MODIFIED (RFC 5545 section 3.8.7.2) and the attendee is never asked.
    """
    return render_event(entry, shown_change(entry.changed_at), with_alarm=True)


@dataclass(frozen=True, slots=True)
class Cut:
    """A VEVENT cut where its readers differ: at the two stamps and where the attendee stands."""

    opening: bytes
    numbers: bytes
    words: bytes
    ending: bytes

    def filled(self, stamp: bytes, attendee: bytes) -> bytes:
        """Return the whole VEVENT; `attendee` is a folded line or nothing."""
        return b"".join(
            (self.opening, stamp, self.numbers, stamp, self.words, attendee, self.ending)
        )

    def __len__(self) -> int:
        """Return how many bytes are kept."""
        return len(self.opening) + len(self.numbers) + len(self.words) + len(self.ending)


def cut_fragment(entry: Entry) -> Cut:
    """Return the VEVENT of the entry for feeds, open for the time of change and the attendee."""
    whole = render_fragment(replace(entry, attendee=None))
    # Both stamps stand among the first five lines, where nobody's words do; the other words are
    # behind a name on every line, and a newline inside them is escaped.
    first = whole.index(_STAMP) + len(_STAMP)
    second = whole.index(_CHANGED) + len(_CHANGED)
    third = whole.rindex(_AVAILABILITY) + 2
    return Cut(
        whole[:first],
        whole[first + _STAMP_LENGTH : second],
        whole[second + _STAMP_LENGTH : third],
        whole[third:],
    )


def stamp_bytes(changed_at: datetime) -> bytes:
    """Return the value of both stamps of an entry that changed then."""
    return lines.stamp(shown_change(changed_at)).encode()


def attendee_bytes(attendee: Attendee) -> bytes:
    """Return the folded line that names the reader of a personal feed, who is never asked."""
    return lines.folded(_attendee(attendee, asks=False))


def shown_change(changed_at: datetime) -> datetime:
    """Return when readers see the last change: that of the data or that of our rendering."""
    return max(changed_at, RENDER_EPOCH)


def render_event(
    entry: Entry,
    stamped_at: datetime,
    *,
    asks: bool = False,
    with_attendee: bool = True,
    with_status: bool = True,
    with_alarm: bool = False,
    extra: tuple[str, ...] = (),
) -> bytes:
    """Return the VEVENT with the given DTSTAMP; `asks` writes RSVP=TRUE where the attendee has it.

    `extra` holds whole content lines of the method at hand.
    """
    return lines.folded(
        [
            "BEGIN:VEVENT",
            *_identity(entry, stamped_at),
            *_times(entry),
            *([f"STATUS:{entry.status}"] if with_status else []),
            *_words(entry),
            *_organiser(entry.organiser),
            *(_attendee(entry.attendee, asks=asks) if with_attendee else []),
            *_availability(entry),
            *extra,
            *(_alarm(entry) if with_alarm else []),
            "END:VEVENT",
        ]
    )


def _identity(entry: Entry, stamped_at: datetime) -> list[str]:
    return [
        f"UID:{entry.uid}",
        f"DTSTAMP:{lines.stamp(stamped_at)}",
        f"SEQUENCE:{entry.sequence}",
        f"CREATED:{lines.stamp(entry.created_at)}",
        f"LAST-MODIFIED:{lines.stamp(shown_change(entry.changed_at))}",
    ]


def _times(entry: Entry) -> list[str]:
    starts, ends = entry.starts, entry.ends
    in_utc = False
    if isinstance(starts, datetime) and isinstance(ends, datetime):
        in_utc = not (zones.is_plain_wall_time(starts) and zones.is_plain_wall_time(ends))
    else:
        ends += timedelta(days=1)  # DTEND is exclusive (RFC 5545 section 3.6.1).
    return [
        lines.time_line("DTSTART", starts, in_utc=in_utc),
        lines.time_line("DTEND", ends, in_utc=in_utc),
    ]


def _words(entry: Entry) -> list[str]:
    url, conference = lines.uri(entry.url), lines.uri(entry.conference_url)
    location = texts.clean(entry.location).strip() or conference
    description = _description(entry.description, conference, url)
    categories = [lines.escape(name) for raw in entry.categories if (name := texts.one_line(raw))]
    words = [f"SUMMARY:{_summary(entry)}"]
    if location:
        words.append(f"LOCATION:{lines.escape(location)}")
    if description.strip():
        words.append(f"DESCRIPTION:{lines.escape(description)}")
    if categories:
        words.append(f"CATEGORIES:{','.join(categories)}")
    if url:
        words.append(f"URL:{url}")
    if conference:
        words.append(
            f'CONFERENCE;VALUE=URI;FEATURE=AUDIO,VIDEO;LABEL="Videokonferenz":{conference}'
        )
    return words


def _summary(entry: Entry) -> str:
    """Return the title, never empty: libical takes an entry without one for broken."""
    return lines.escape(texts.one_line(entry.summary)) or _UNTITLED


def _description(text: str, conference: str, url: str) -> str:
    """Return the text with the links at its end: several programs hide URL and CONFERENCE."""
    links = [link for link in (conference, url) if link]
    room = DESCRIPTION_LIMIT - sum(len(link) + 1 for link in links)
    body = texts.clip(texts.clean(text), room)
    missing = [link for link in links if not _names(body, link)]
    return "\n".join([body, *missing]).lstrip("\n")


def _names(body: str, link: str) -> bool:
    return re.search(re.escape(link) + r"(?![\w/?#=&%-])", body) is not None


def _organiser(organiser: Organiser | None) -> list[str]:
    if organiser is None:
        return []
    mailbox = f";EMAIL={organiser.mailbox}" if organiser.mailbox else ""
    return [f"ORGANIZER{_common_name(organiser.name)}{mailbox}:{lines.mailto(organiser.email)}"]


def _attendee(attendee: Attendee | None, *, asks: bool) -> list[str]:
    if attendee is None:
        return []
    rsvp = "TRUE" if asks and attendee.rsvp else "FALSE"
    who = f"ATTENDEE{_common_name(attendee.name)};CUTYPE=INDIVIDUAL;ROLE={attendee.role}"
    return [f"{who};PARTSTAT={attendee.answer};RSVP={rsvp}:{lines.mailto(attendee.email)}"]


def _common_name(name: str) -> str:
    value = lines.quoted(name)
    return f";CN={value}" if value != '""' else ""


def _availability(entry: Entry) -> list[str]:
    cancelled = entry.status is Status.CANCELLED
    busy = entry.busy and not entry.all_day and not cancelled
    outlook = "BUSY" if busy else "FREE"
    if entry.status is Status.TENTATIVE:
        outlook = "TENTATIVE"
    found = [
        f"TRANSP:{'OPAQUE' if busy else 'TRANSPARENT'}",
        f"X-MICROSOFT-CDO-BUSYSTATUS:{outlook}",
    ]
    return [*found, "X-MICROSOFT-CDO-ALLDAYEVENT:TRUE"] if entry.all_day else found


def _alarm(entry: Entry) -> list[str]:
    if entry.alarm_minutes is None or entry.status is Status.CANCELLED:
        return []
    return [
        "BEGIN:VALARM",
        "ACTION:DISPLAY",
        f"DESCRIPTION:{_summary(entry)}",
        f"TRIGGER:-PT{entry.alarm_minutes}M",
        "END:VALARM",
    ]
