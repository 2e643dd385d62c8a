"""Mail that a calendar program sends about somebody's invitation, taken in as the intake does."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from notifications import intake
from notifications.intake import Taken
from service import probing
from service.database import Database
from service.hearing import Ear
from service.pages.rendering import Instance, Pages
from service.services import Services
from service.settings import Settings
from tests.calendars.replying_programs import Dialect, Said, google
from tests.invited import KEYS, Invited

NOW = datetime(2027, 1, 5, 9, 0, 5, tzinfo=UTC)
"""Moments after the answers of `replying_programs` were made."""


class Hall:
    """A house with an ear: it takes mail in, and shows what became of it."""

    def __init__(self, database: Database, folder: object, **more: str) -> None:
        given = {
            "DATA_DIR": f"{folder}/var",
            "TOKEN_KEY": "t1:" + "5a" * 32,
            "SMTP_HOST": "localhost",
            "SMTP_MODE": "plain",
            "MAIL_FROM": "termine@alliance.example.org",
            "IMIP_ADDRESS": "termine+@alliance.example.org",
            "IMIP_AUTHSERV": "mx.alliance.example.org",
            "INTAKE_LMTP": "127.0.0.1:2424",
        }
        self.settings = Settings.read(
            {f"TERMINBUCH_{name}": value for name, value in (given | more).items()}
        )
        self.database = database
        self.now = NOW
        pages = Pages(self.settings.public_url, Instance("Bündnis", ""), {})
        self.services = Services(self.settings, database, pages, lambda: self.now, KEYS)
        self.ear = Ear(self.services)

    def address(self, invited: Invited) -> str:
        """Return where the invitation's program answers to."""
        token = probing.derive_token(KEYS, invited.handle)
        return probing.write_address(self.settings, token)

    async def about(self, invited: Invited, **what: Any) -> Said:
        """Return an answer of the invited person to the entry as it is, to its own address."""
        row = await self.database.fetchrow(
            "SELECT m.uid, m.sequence, p.email, p.full_name FROM invitation i"
            " JOIN meeting m ON m.id = i.meeting_id JOIN person p ON p.id = i.person_id"
            " WHERE i.id = $1",
            invited.invitation_id,
        )
        assert row is not None
        said = Said(
            uid=str(row["uid"]),
            sequence=row["sequence"],
            attendee=row["email"],
            name=row["full_name"],
            to=self.address(invited),
        )
        return replace(said, **what)

    async def take(self, raw: bytes, recipient: str | None = None) -> Taken:
        """Take a mail in."""
        return await intake.take(self.database, self.ear.options, raw, recipient, self.now)

    async def hear(self, invited: Invited, dialect: Dialect = google, **what: Any) -> str:
        """Let the person's program answer, and return what became of it."""
        said = await self.about(invited, **what)
        await self.take(dialect(said), said.to)
        return await self.last()

    async def last(self) -> str:
        """Return what became of the last answer."""
        found = await self.database.fetchval(
            "SELECT outcome FROM calendar_answer ORDER BY id DESC LIMIT 1"
        )
        return str(found)

    async def stands(self, invited: Invited) -> dict[str, Any]:
        """Return the invitation's row."""
        row = await self.database.fetchrow(
            "SELECT * FROM invitation WHERE id = $1", invited.invitation_id
        )
        assert row is not None
        return dict(row)

    async def letters(self) -> list[tuple[str, str]]:
        """Return kind and reason of the letters that were posted, in their order."""
        rows = await self.database.fetch(
            "SELECT kind, coalesce(cause ->> 'because', '') AS because FROM letter"
            " ORDER BY created_at, dedupe_key"
        )
        return [tuple(row.values()) for row in rows]  # type: ignore[misc]
