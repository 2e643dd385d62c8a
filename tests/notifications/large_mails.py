"""An answer with photos, as mail programs write it: the files stand before, between and behind."""

import base64

CALENDAR = """BEGIN:VCALENDAR\r
VERSION:2.0\r
METHOD:REPLY\r
BEGIN:VEVENT\r
UID:m1@alliance.example.org\r
SEQUENCE:1\r
DTSTAMP:20261101T090000Z\r
ATTENDEE;PARTSTAT=ACCEPTED:mailto:erika@town.example\r
ORGANIZER:mailto:termine@alliance.example.org\r
END:VEVENT\r
END:VCALENDAR\r
"""
_HEAD = """From: erika@town.example\r
Subject: Zugesagt: 16. AG-Sitzung Klima\r
MIME-Version: 1.0\r
Content-Type: multipart/mixed;\r
 boundary="outer=_1"\r
\r
--outer=_1\r
Content-Type: image/jpeg; name="foto.jpg"\r
Content-Transfer-Encoding: base64\r
\r
{photo}--outer=_1\r
Content-Type: multipart/related; boundary=inner\r
\r
--inner\r
Content-Type: text/plain; charset=utf-8\r
\r
{words}\r
--inner\r
Content-Type: image/png\r
Content-Transfer-Encoding: base64\r
\r
{photo}--inner--\r
--outer=_1\r
Content-Type: {kind}\r
Content-Transfer-Encoding: base64\r
\r
{calendar}--outer=_1--\r
"""


def with_photos(size: int, words: str, kind: str = "text/calendar; method=REPLY") -> bytes:
    """Return a mail of about this size."""
    photo = base64.encodebytes(b"\x89" * (size * 3 // 8)).replace(b"\n", b"\r\n").decode()
    calendar = base64.encodebytes(CALENDAR.encode()).replace(b"\n", b"\r\n").decode()
    return _HEAD.format(photo=photo, words=words, kind=kind, calendar=calendar).encode()
