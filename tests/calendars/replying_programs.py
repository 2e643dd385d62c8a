"""Answers as calendar programs write them, made from their described traits, and hostile ones.

Each dialect is a function of who answers what to whom, so that a test can aim it at its own entry.
"""

import base64
import quopri
from collections.abc import Callable
from dataclasses import dataclass, replace

UID = "7b0f8e64-3a53-4c1b-9a5e-0d3c5b1f9e01"
TO = "termine+rtoken@alliance.example.org"


@dataclass(frozen=True, kw_only=True)
class Said:
    """What somebody answers in their calendar program."""

    partstat: str = "ACCEPTED"
    attendee: str = "mira@partner.example.org"
    name: str = "Mira Muster"
    to: str = TO
    uid: str = UID
    sequence: int | str = 0
    stamp: str = "20270105T090000Z"
    comment: str = ""
    message_id: str = "1@partner.example.org"
    # Who answers in the attendee's place, and whether from an address of their own: Exchange also
    # lets an assistant write from that of the attendee.
    sent_by: str = ""
    from_own: bool = False

    @property
    def author(self) -> str:
        """The address that stands in From."""
        return self.sent_by if self.from_own else self.attendee

    @property
    def assistant(self) -> str:
        """The parameter that names who answers in somebody's place."""
        return f';SENT-BY="mailto:{self.sent_by}"' if self.sent_by else ""


Dialect = Callable[[Said], bytes]


def mail(head: str, body: str) -> bytes:
    """Join head and body of a mail with the line ends of the wire."""
    whole = head.strip("\n") + "\n\n" + body
    return whole.replace("\r\n", "\n").replace("\n", "\r\n").encode()


def calendar(*event: str, method: str = "REPLY", head: str = "PRODID:-//x//y//EN") -> str:
    """Write a calendar object of one event."""
    lines = ["BEGIN:VCALENDAR", head, "VERSION:2.0", f"METHOD:{method}", "BEGIN:VEVENT", *event]
    return "\r\n".join([*lines, "END:VEVENT", "END:VCALENDAR", ""])


def _event(said: Said, *more: str) -> list[str]:
    comment = [f"COMMENT:{said.comment}"] if said.comment else []
    params = f'CN="{said.name}"{said.assistant};PARTSTAT={said.partstat}'
    return [
        f"UID:{said.uid}",
        f"DTSTAMP:{said.stamp}",
        f"SEQUENCE:{said.sequence}",
        f"ATTENDEE;{params}:mailto:{said.attendee}",
        *comment,
        *more,
    ]


def google(said: Said, *, dmarc: str = "") -> bytes:
    """Answer as Google does: from an address of its own, generated, the person in Reply-To."""
    result = f"Authentication-Results: {dmarc}\n" if dmarc else ""
    head = f"""{result}From: {said.name} <calendar-notification@google.com>
Reply-To: {said.name} <{said.attendee}>
Sender: Google Calendar <calendar-notification@google.com>
Auto-Submitted: auto-generated
Message-ID: <calendar-{said.message_id}>
To: {said.to}
Subject: Accepted: 17. Arbeitsgruppensitzung
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="000000000000a1"
"""
    ics = calendar(
        *_event(said, f"ORGANIZER;CN=Office:mailto:{said.to}", "STATUS:CONFIRMED"),
        head="PRODID:-//Google Inc//Google Calendar 70.9054//EN\r\nCALSCALE:GREGORIAN",
    )
    body = f"""--000000000000a1
Content-Type: multipart/alternative; boundary="000000000000a2"

--000000000000a2
Content-Type: text/plain; charset="UTF-8"

{said.name} has accepted this invitation.

--000000000000a2
Content-Type: text/calendar; charset="UTF-8"; method=REPLY
Content-Transfer-Encoding: 7bit

{ics}
--000000000000a2--
--000000000000a1
Content-Type: application/ics; name="invite.ics"
Content-Disposition: attachment; filename="invite.ics"
Content-Transfer-Encoding: base64

{base64.encodebytes(ics.encode()).decode()}
--000000000000a1--
"""
    return mail(head, body)


def outlook(said: Said) -> bytes:
    """Answer as Exchange does: no ORGANIZER, a Windows zone defined anew, a comment of a blank."""
    comment = said.comment or "\\n"
    event = [
        f"ATTENDEE;PARTSTAT={said.partstat}{said.assistant};CN={said.name}:mailto:{said.attendee}",
        f"COMMENT;LANGUAGE=de-DE:{comment}",
        f"UID:{said.uid}",
        "SUMMARY;LANGUAGE=de-DE:Zugesagt: 17. Arbeitsgruppensitzung",
        "DTSTART;TZID=W. Europe Standard Time:20270304T100000",
        "DTEND;TZID=W. Europe Standard Time:20270304T120000",
        "CLASS:PUBLIC",
        "PRIORITY:5",
        f"DTSTAMP:{said.stamp}",
        "TRANSP:OPAQUE",
        "STATUS:CONFIRMED",
        f"SEQUENCE:{said.sequence}",
        "X-MICROSOFT-CDO-APPT-SEQUENCE:0",
    ]
    zone = [
        "PRODID:Microsoft Exchange Server 2010",
        "BEGIN:VTIMEZONE",
        "TZID:W. Europe Standard Time",
        "BEGIN:STANDARD",
        "DTSTART:16010101T030000",
        "TZOFFSETFROM:+0200",
        "TZOFFSETTO:+0100",
        "RRULE:FREQ=YEARLY;INTERVAL=1;BYDAY=-1SU;BYMONTH=10",
        "END:STANDARD",
        "END:VTIMEZONE",
    ]
    ics = base64.encodebytes(calendar(*event, head="\r\n".join(zone)).encode()).decode()
    on_behalf = f"Sender: <{said.sent_by}>\n" if said.sent_by else ""
    head = f"""{on_behalf}From: {said.name} <{said.author}>
To: "Geschaeftsstelle" <{said.to}>
Subject: Zugesagt: 17. Arbeitsgruppensitzung
Message-ID: <{said.message_id}>
Thread-Topic: 17. Arbeitsgruppensitzung
X-MS-Has-Attach:
Content-Language: de-DE
MIME-Version: 1.0
Content-Type: multipart/alternative;
 boundary="_000_AM0PR"
"""
    body = f"""--_000_AM0PR
Content-Type: text/plain; charset="iso-8859-1"
Content-Transfer-Encoding: quoted-printable


--_000_AM0PR
Content-Type: text/calendar; charset="utf-8"; method=REPLY
Content-Transfer-Encoding: base64

{ics}
--_000_AM0PR--
"""
    return mail(head, body)


def apple(said: Said) -> bytes:
    """Answer as Apple's Calendar does: a request status, and the calendar part as an attachment."""
    ics = calendar(
        *_event(said, "REQUEST-STATUS:2.0;Success", f"ORGANIZER:MAILTO:{said.to}"),
        head="CALSCALE:GREGORIAN\r\nPRODID:-//Apple Inc.//macOS 14.5//EN",
    ).replace("mailto:", "MAILTO:")
    head = f"""From: {said.name} <{said.author}>
To: {said.to}
Subject: {said.name} accepted your invitation
Message-ID: <{said.message_id}>
MIME-Version: 1.0 (Apple Message framework v1.0)
Content-Type: multipart/alternative; boundary=Apple-Mail-1
"""
    body = f"""--Apple-Mail-1
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: 8bit

{said.name} hat zugesagt für den Termin.

--Apple-Mail-1
Content-Type: text/calendar; charset=UTF-8; name=iCal.ics; method=REPLY
Content-Disposition: attachment; filename=iCal.ics
Content-Transfer-Encoding: quoted-printable

{ics.replace("=", "=3D")}
--Apple-Mail-1--
"""
    return mail(head, body)


def thunderbird(said: Said) -> bytes:
    """Answer as Thunderbird does: the part and the same bytes attached as application/ics."""
    ics = calendar(
        *_event(
            said, f"ORGANIZER;CN=Office;EMAIL=a@b.example:mailto:{said.to}", "CREATED:20270101T0"
        ),
        head="PRODID:-//Mozilla.org/NONSGML Mozilla Calendar V1.1//EN",
    )
    head = f"""Message-ID: <{said.message_id}>
From: {said.name} <{said.author}>
To: {said.to}
Subject: Antwort auf Termineinladung: 17. Arbeitsgruppensitzung
MIME-Version: 1.0
Content-type: multipart/mixed;
 boundary="Boundary_(ID_qyG4ZdjoAsiZ+Jo19dCbWQ)"
"""
    body = f"""--Boundary_(ID_qyG4ZdjoAsiZ+Jo19dCbWQ)
Content-type: multipart/alternative;
 boundary="Boundary_(ID_ryU4ZdJoASiZ+Jo21dCbwA)"

--Boundary_(ID_ryU4ZdJoASiZ+Jo21dCbwA)
Content-type: text/plain; charset=UTF-8
Content-transfer-encoding: 8BIT

{said.name} hat Ihre Termineinladung angenommen.

--Boundary_(ID_ryU4ZdJoASiZ+Jo21dCbwA)
Content-type: text/calendar; method=REPLY; charset=UTF-8
Content-transfer-encoding: 8BIT

{ics}

--Boundary_(ID_ryU4ZdJoASiZ+Jo21dCbwA)--

--Boundary_(ID_qyG4ZdjoAsiZ+Jo19dCbWQ)
Content-type: application/ics; name=invite.ics
Content-transfer-encoding: 8BIT
Content-disposition: attachment; filename=invite.ics

{ics}

--Boundary_(ID_qyG4ZdjoAsiZ+Jo19dCbWQ)--
"""
    return mail(head, body)


def kmail(said: Said) -> bytes:
    """Answer as KMail does: a mixed mail, the method in small letters."""
    ics = calendar(
        *_event(said, f"ORGANIZER:MAILTO:{said.to}"),
        head="PRODID:-//K Desktop Environment//NONSGML libkcal 4.3//EN",
    )
    head = f"""From: {said.name} <{said.author}>
To: {said.to}
Subject: Answer: 17. Arbeitsgruppensitzung
Message-ID: <{said.message_id}>
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary="nextPart1"
"""
    body = f"""This is a multi-part message in MIME format.

--nextPart1
Content-Type: text/plain; charset="us-ascii"

This event has been accepted.
--nextPart1
Content-Disposition: attachment; filename="cal.ics"
Content-Transfer-Encoding: 8bit
Content-Type: text/calendar; charset="UTF-8"; method=reply; name="cal.ics"

{ics}
--nextPart1--
"""
    return mail(head, body)


DIALECTS: dict[str, Dialect] = {
    "google": google,
    "outlook": outlook,
    "apple": apple,
    "thunderbird": thunderbird,
    "kmail": kmail,
}


def bare(
    ics: str | bytes, *, kind: str = "text/calendar; method=REPLY", cte: str = "8bit"
) -> bytes:
    """Return a mail that is one calendar part, as it is given."""
    content = ics.encode() if isinstance(ics, str) else ics
    if cte == "base64":
        content = base64.encodebytes(content)
    elif cte == "quoted-printable":
        content = quopri.encodestring(content, quotetabs=True)
    head = (
        f"From: mira@partner.example.org\r\nTo: {TO}\r\nMessage-ID: <b@partner.example.org>\r\n"
        f"MIME-Version: 1.0\r\nContent-Type: {kind}\r\nContent-Transfer-Encoding: {cte}\r\n\r\n"
    )
    return head.encode() + content


def plain(said: Said | None = None, *more: str, method: str = "REPLY") -> str:
    """Return the shortest calendar object that answers."""
    return calendar(*_event(said or Said(), *more), method=method)


# What no answer may be: the others are small enough once they are read, or no answers at all.
BEYOND_LIMITS = frozenset(
    {
        *("20,000 attendees", "1,000 components in each other", "900 mails in each other", "3 MB"),
        *("300 kB in one line", "quotes without end", "parameters without end", "empty lines"),
        *("folds without end", "zones in zones"),
    }
)


def hostile(said: Said | None = None) -> dict[str, bytes]:
    """Return mails that were made to hold a reader up, by what is too much in them."""
    said = said or Said()
    many = [f"ATTENDEE;PARTSTAT=ACCEPTED:mailto:a{n}@x.example" for n in range(20_000)]
    nested = "BEGIN:VCALENDAR\r\n" + "BEGIN:VEVENT\r\n" * 1000
    depth = 900
    mime = "".join(
        f"Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n" for n in range(depth)
    )
    return {
        "20,000 attendees": bare(plain(said, *many)),
        "1,000 components in each other": bare(nested),
        "900 mails in each other": mime.encode() + b"Content-Type: text/calendar\r\n\r\n",
        "3 MB": bare(plain(replace(said, comment="x" * 3_000_000))),
        "300 kB in one line": bare(plain(replace(said, comment="x" * 300_000))),
        "quotes without end": bare(plain(said, "ATTENDEE;CN=" + '"a"' * 80_000)),
        "parameters without end": bare(plain(said, "ATTENDEE" + ";A=b" * 60_000 + ":x")),
        "empty lines": bare("\r\n" * 900_000),
        "a head without end": bare(plain(said), kind="text/calendar" + ";a=b" * 100_000),
        "folds without end": bare("\r\n ".join("x" * 80_000)),
        "an address without end": bare(
            plain(replace(said, attendee="ü" * 100_000 + "@" + "ü" * 20_000))
        ),
        "escapes without end": bare(plain(replace(said, comment="\\" * 200_000))),
        "zones in zones": bare("BEGIN:VCALENDAR\r\n" + "BEGIN:VTIMEZONE\r\n" * 4000),
        "nothing": b"",
        "NUL": b"\x00" * 1000 + b"text/calendar",
    }
