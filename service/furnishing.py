"""What an instance needs before it opens: who runs it, and the texts that the law asks for."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from weakref import WeakKeyDictionary

from service import auditing, publishing
from service.auditing import Actor
from service.database import Database

LEGAL_KINDS = ("imprint", "privacy", "accessibility")
LOCALES = ("de", "en")
_KEPT_SECONDS = 5.0

_INSTANCE = """
SELECT name, short_name, aim, office_name, street, postcode, town, email, phone, time_zone,
       holiday_country, holiday_subdivision, is_demo,
       ARRAY(SELECT kind FROM legal_text
             WHERE locale = 'de' AND btrim(body) <> '') AS furnished
FROM instance
"""
_SAVE = """
INSERT INTO instance (id, name, short_name, aim, office_name, street, postcode, town, email, phone)
VALUES (1, $1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (id) DO UPDATE SET (name, short_name, aim, office_name, street, postcode, town, email,
    phone) = ($1, $2, $3, $4, $5, $6, $7, $8, $9)
RETURNING now()
"""
_TEXTS = "SELECT kind, locale, body FROM legal_text"
_TEXT = "SELECT body, updated_at FROM legal_text WHERE kind = $1 AND locale = $2"
_SAVE_TEXT = """
INSERT INTO legal_text (kind, locale, body, updated_at) VALUES ($1, $2, $3, $4)
ON CONFLICT (kind, locale) DO UPDATE SET body = $3, updated_at = $4
"""


@dataclass(frozen=True, slots=True)
class InstanceData:
    """What the office enters about itself; shown in header, footer, letters and legal pages."""

    name: str
    short_name: str = ""
    aim: str = ""
    office_name: str = ""
    street: str = ""
    postcode: str = ""
    town: str = ""
    email: str = ""
    phone: str = ""

    @property
    def contact_email(self) -> str:
        """Return the address under which the frame of the pages links the office."""
        return self.email

    @property
    def contact_phone(self) -> str:
        """Return the telephone number in the frame of the pages."""
        return self.phone


@dataclass(frozen=True, slots=True)
class Furnishing:
    """The instance as the pages need it, with what is still missing."""

    instance: InstanceData
    is_demo: bool
    missing: tuple[str, ...]
    time_zone: str = "Europe/Berlin"

    @property
    def is_ready(self) -> bool:
        """Tell whether pages open and letters leave."""
        return self.is_demo or not self.missing


@dataclass(frozen=True, slots=True)
class LegalText:
    """One legal text in Markdown; `updated_at` None means never written."""

    body: str
    updated_at: datetime | None
    locale: str = "de"


UNFURNISHED = Furnishing(InstanceData("Terminbuch"), is_demo=False, missing=LEGAL_KINDS)
_kept: WeakKeyDictionary[Database, tuple[float, Furnishing]] = WeakKeyDictionary()


async def look(database: Database) -> Furnishing:
    """Return the furnishing as it was at most five seconds ago."""
    kept = _kept.get(database)
    if kept is None or time.monotonic() - kept[0] > _KEPT_SECONDS:
        kept = (time.monotonic(), await read(database))
        _kept[database] = kept
    return kept[1]


def last_known(database: Database) -> Furnishing | None:
    """Return what was read last, however old; for pages that must show while nothing answers."""
    kept = _kept.get(database)
    return None if kept is None else kept[1]


def forget(database: Database) -> None:
    """Drop what is kept, so that the next look reads again."""
    _kept.pop(database, None)


async def is_ready(database: Database) -> bool:
    """Tell whether the three German legal texts are there (or this is the demo)."""
    return (await look(database)).is_ready


async def read(database: Database) -> Furnishing:
    """Read the furnishing from the database."""
    row = await database.fetchrow(_INSTANCE)
    if row is None:
        return UNFURNISHED
    values = {field.name: row[field.name] for field in fields(InstanceData)}
    missing = tuple(kind for kind in LEGAL_KINDS if kind not in row["furnished"])
    return Furnishing(InstanceData(**values), row["is_demo"], missing, row["time_zone"])


async def save_instance(database: Database, actor: Actor, data: InstanceData) -> None:
    """Save who runs this instance; calendars name the office, so all of them follow."""
    values = [getattr(data, field.name) for field in fields(InstanceData)]
    async with database.unit_of_work() as unit:
        saved_at = await unit.connection.fetchval(_SAVE, *values)
        await publishing.touch_all_feeds(unit.connection, saved_at)
        await auditing.record(unit.connection, actor, "save_instance", "instance", None)
    forget(database)


async def read_texts(database: Database) -> Mapping[tuple[str, str], str]:
    """Return all legal texts by kind and locale."""
    rows = await database.fetch(_TEXTS)
    return {(row["kind"], row["locale"]): row["body"] for row in rows}


async def read_text(database: Database, kind: str, locale: str) -> LegalText:
    """Return one legal text; the German one where the English one is empty."""
    for spoken in dict.fromkeys((locale, "de")):
        row = await database.fetchrow(_TEXT, kind, spoken)
        if row is not None and row["body"].strip():
            return LegalText(row["body"], row["updated_at"], spoken)
    return LegalText("", None)


async def save_text(
    database: Database, actor: Actor, text: tuple[str, str], body: str, now: datetime
) -> None:
    """Save one legal text, named by kind and locale; an empty German one closes the pages again."""
    kind, locale = text
    async with database.unit_of_work() as unit:
        await unit.connection.execute(_SAVE_TEXT, kind, locale, body, now)
        await auditing.record(
            unit.connection, actor, "save_legal_text", "legal_text", None, kind=kind, locale=locale
        )
    forget(database)


async def missing_texts(database: Database) -> tuple[str, ...]:
    """Name the German legal texts that are still empty; none are missed in the demo."""
    found = await read(database)
    return () if found.is_demo else found.missing
