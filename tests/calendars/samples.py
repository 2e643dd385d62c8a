"""Entries and profiles that are valid by default; a test overrides what it is about."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from calendars.entry import Answer, Attendee, Entry, Organiser, Status
from calendars.feed import FeedProfile

BERLIN = ZoneInfo("Europe/Berlin")
CHANGED_AT = datetime(2026, 11, 3, 9, 15, tzinfo=UTC)
OFFICE = Organiser("Geschäftsstelle Bündnis", "termine@example.org")
TOKEN_OFFICE = Organiser(
    "Geschäftsstelle Bündnis", "termine+rabcdefghijklmnop@example.org", "termine@example.org"
)
MEMBER = Attendee("Änne Öhlerking", "aenne@example.org", Answer.NEEDS_ACTION, rsvp=True)


def an_entry(**changes: Any) -> Entry:
    """Return a confirmed session in January."""
    values: dict[str, Any] = {
        "uid": "5f0c7a52-3d5e-4e0e-9a43-0d3d5a6f5c11",
        "sequence": 0,
        "changed_at": CHANGED_AT,
        "created_at": datetime(2026, 10, 1, 8, 0, tzinfo=UTC),
        "status": Status.CONFIRMED,
        "summary": "16. Arbeitsgruppensitzung Klima",
        "starts": datetime(2027, 1, 21, 10, 0, tzinfo=BERLIN),
        "ends": datetime(2027, 1, 21, 12, 0, tzinfo=BERLIN),
        "location": "Rathaus, Fischmarkt 1, Erfurt",
        "description": "Hitze in der Innenstadt; Stand der Pilotprojekte",
        "url": "https://termine.example.org/termin/17",
        "categories": ("AG Klima",),
        "organiser": OFFICE,
    }
    return Entry(**(values | changes))


def a_profile(**changes: Any) -> FeedProfile:
    """Return the profile of the public feed."""
    values: dict[str, Any] = {
        "name": "Bündnis: alle Termine",
        "description": "Sitzungen, Treffen und Sonstiges",
        "uid": "feed-all",
        "url": "https://termine.example.org/",
        "colour_css": "teal",
        "colour_hex": "#008080",
        "changed_at": CHANGED_AT,
    }
    return FeedProfile(**(values | changes))
